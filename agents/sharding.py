"""Who owns which key: bounded-load rendezvous hashing, a pure function of the keys and the number of shards.

Every shard ends with floor or ceil of the mean load, so none idles while another carries two more than it. Each key has
its own ranking of the shards (a hash); the best-liked pairs are served first, as in a stable matching, so that adding
or removing a shard moves little beyond the keys it gains or loses. Source: rendezvous hashing, Thaler and Ravishankar
(1998); bounded loads, Mirrokni, Thorup and Zadimoghaddam (2018).
*Tested by* tests/properties/test_agents_sharding.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from common import factors
from common.universe import OPTION, Book, Universe


def all_keys(universe: Universe, book: Book, now_ns: int) -> tuple[str, ...]:
    """Every key that can matter from ``now_ns`` on, sorted.

    gamma/U for each underlying with a future; vega/U/BUCKET for each bucket in which a listed or held option of U
    stands now or will stand as time passes; cross_asset/common where two underlyings or more have futures;
    cross_asset/proxy/U for an underlying with options but no future, if another one has a future. All of them once for
    each desk of the book, where it has several.
    """
    keys: set[str] = set()
    held = np.zeros(len(universe), np.bool_)
    held[book.instrument] = True
    futures = [u.symbol for u in universe.underlyings if u.future_instrument >= 0]
    alive = (universe.kind == OPTION) & ((universe.listed != 0) | held) & (universe.expiry_ns > now_ns)
    for i, underlying in enumerate(universe.underlyings):
        expiries = universe.expiry_ns[alive & (universe.underlying == i)]
        if underlying.future_instrument >= 0:
            keys.add(f"{factors.GAMMA}/{underlying.symbol}")
        elif len(expiries) and futures:
            keys.add(f"{factors.CROSS_ASSET}/proxy/{underlying.symbol}")
        if len(expiries):
            furthest = factors.bucket_index(int(expiries.max()), now_ns)
            keys.update(f"{factors.VEGA}/{underlying.symbol}/{name}" for name in factors.BUCKET_NAMES[: furthest + 1])
    if len(futures) > 1:
        keys.add(factors.key_of(factors.COMMON))
    return tuple(sorted(factors.at_desk(key, desk) for key in keys for desk in book.desk_names))


def _score(key: str, agent: str) -> bytes:
    return hashlib.blake2b(f"{key}\0{agent}".encode(), digest_size=8).digest()


def assign(keys: Iterable[str], shards: Mapping[str, int] | Iterable[str]) -> dict[str, str]:
    """Owner ("gamma-0") of each key; ``shards`` is the number of shards per kind, or the names of the agents that live.

    A kind with no shard leaves its keys out: nobody owns them. The order of ``keys`` or names does not matter.
    """
    if isinstance(shards, Mapping):
        agents = {factors.agent_name(kind, i) for kind, count in shards.items() for i in range(count)}
    else:
        agents = set(shards)
    distinct = set(keys)
    owner: dict[str, str] = {}
    for kind in sorted({factors.kind_of(agent) for agent in agents}):
        mine = sorted(key for key in distinct if factors.kind_of_key(key) == kind)
        owner.update(_balance(mine, sorted(agent for agent in agents if factors.kind_of(agent) == kind)))
    return dict(sorted(owner.items()))


def _balance(keys: list[str], agents: list[str]) -> dict[str, str]:
    floor, extra = divmod(len(keys), len(agents))
    load = dict.fromkeys(agents, 0)
    owner: dict[str, str] = {}
    for _, key, agent in sorted(((_score(k, a), k, a) for k in keys for a in agents), reverse=True):
        if key in owner or load[agent] > floor or (load[agent] == floor and extra == 0):
            continue
        if load[agent] == floor:
            extra -= 1
        owner[key] = agent
        load[agent] += 1
    return owner
