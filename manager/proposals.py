"""Which proposals are taken. Each refusal has a name, is recorded with the proposal and counted; nothing is half-taken.

*Tested by* tests/unit/test_manager_proposals.py.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np

from common.factors import desk_of, key_of, kind_of
from common.messages import Proposal
from common.units import NS_PER_S
from manager.state import Fold, ManagerSetup

#: Largest exposure in USD, change per lot and wish in lots that is believed: squares of it still are numbers.
BELIEVED: Final = 1e15


class ProposalRefusal(Enum):
    """Why a proposal was not taken; the value is what the record and the counters show."""

    MALFORMED = "malformed"
    UNKNOWN_FACTOR = "unknown factor"
    UNKNOWN_INSTRUMENT = "unknown instrument"
    WRONG_BOOK = "wrong book"
    NOT_OWNER = "not owner"
    OLD_ASSIGNMENT = "old assignment"
    OLD_INCARNATION = "old incarnation"
    OLD_SEQUENCE = "old sequence"
    EXPIRED = "expired"
    BUDGET_EPOCH = "budget epoch"
    NOT_REBASABLE = "not re-basable"
    REBASE_TOO_OLD = "re-base too old"
    REBASE_ERROR = "re-base error"


def refusal_of(setup: ManagerSetup, fold: Fold, proposal: Proposal, now_ns: int) -> ProposalRefusal | None:
    """First rule a proposal breaks, or None. Shape first, then authority, then age, then whether it can be re-based."""
    return (
        _shape(setup, fold, proposal)
        or _authority(setup, fold, proposal)
        or _age(setup, fold, proposal, now_ns)
        or _rebase(setup, fold, proposal, now_ns)
    )


def _shape(setup: ManagerSetup, fold: Fold, p: Proposal) -> ProposalRefusal | None:
    f, m = len(p.factor), len(p.menu)
    columns = (p.exposure, p.lower, p.upper, p.weighs_cost)
    sized = (
        f > 0
        and all(c.shape == (f,) for c in columns)
        and p.menu.shape == p.alone_lots.shape == (m,)
        and p.sensitivity.shape == (f, m)
        and p.reported_value.shape == (len(p.reported),)
        and _desks_fit(p, fold.ledger.desks)
        and len(set(p.factor)) == f
        and len(set(p.menu.tolist())) == m
    )
    if not sized:
        return ProposalRefusal.MALFORMED
    # NaN fails the comparison as well.
    believed = all(bool((np.abs(c) <= BELIEVED).all()) for c in (p.exposure, p.sensitivity, p.alone_lots))
    if not believed or not (p.lower <= p.upper).all() or p.lower.max() == np.inf or p.upper.min() == -np.inf:
        return ProposalRefusal.MALFORMED
    if any(name not in fold.table.index for name in p.factor):
        return ProposalRefusal.UNKNOWN_FACTOR
    if m and int(p.menu.max()) >= len(setup.universe):
        return ProposalRefusal.UNKNOWN_INSTRUMENT
    return None


def _desks_fit(p: Proposal, desks: tuple[str, ...]) -> bool:
    """Where there are several desks: it says for whom its wishes are, each once; where there is one, it names none."""
    if len(desks) == 1:
        return not p.desk
    spoken = {desk_of(name) for name in p.factor}
    return (
        len(set(p.desk)) == len(p.desk)
        and spoken <= set(p.desk) <= set(desks)
        and p.desk_alone_lots.shape == (len(p.desk), len(p.menu))
        and bool((np.abs(p.desk_alone_lots) <= BELIEVED).all())
    )


def _authority(setup: ManagerSetup, fold: Fold, p: Proposal) -> ProposalRefusal | None:
    if p.book_id != setup.book.book_id:
        return ProposalRefusal.WRONG_BOOK
    if fold.assignment is None or p.kind != kind_of(p.agent):
        return ProposalRefusal.NOT_OWNER
    if p.assignment_version != fold.assignment.version:
        return ProposalRefusal.OLD_ASSIGNMENT
    if any(fold.assignment.owner.get(key_of(name)) != p.agent for name in p.factor):
        return ProposalRefusal.NOT_OWNER
    incarnation, sequence = fold.newest.get(p.agent, (-1, -1))
    if p.incarnation < incarnation:
        return ProposalRefusal.OLD_INCARNATION
    if p.incarnation == incarnation and p.header.sequence <= sequence:
        return ProposalRefusal.OLD_SEQUENCE
    return None


def _age(setup: ManagerSetup, fold: Fold, p: Proposal, now_ns: int) -> ProposalRefusal | None:
    limit_ns = int(setup.config.proposal_age_s * NS_PER_S)
    if p.expires_ns <= now_ns or now_ns - p.header.event_time_ns > limit_ns:
        return ProposalRefusal.EXPIRED
    epoch = 0 if fold.budgets is None else fold.budgets.budget_epoch
    if not epoch - 1 <= p.budget_epoch <= epoch:
        return ProposalRefusal.BUDGET_EPOCH
    return None


def _rebase(setup: ManagerSetup, fold: Fold, p: Proposal, now_ns: int) -> ProposalRefusal | None:
    config = setup.config
    since = fold.ledger.since(p.position_version)
    if since is None:
        return ProposalRefusal.NOT_REBASABLE
    if not since:
        return None
    if now_ns - p.header.event_time_ns > int(config.rebase_age_s * NS_PER_S):
        return ProposalRefusal.REBASE_TOO_OLD
    known, moved = fold.table.rebase(p, since)
    if not known.all():
        return ProposalRefusal.NOT_REBASABLE
    soft = fold.soft[fold.table.rows_of(p)]
    allowed = np.maximum(p.upper - p.lower, np.where(np.isfinite(soft), config.rebase_error_of_soft * soft, 0.0))
    return ProposalRefusal.REBASE_ERROR if (config.sensitivity_error * moved > allowed).any() else None
