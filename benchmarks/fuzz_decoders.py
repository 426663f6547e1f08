"""Mutated payloads for every decoder by itself: read whole or refused whole, and what was read is written and read again.

*Tested by* tests/properties/test_fuzz_bus.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message
from hedgerow.control.v1 import control_pb2
from hedgerow.hedge.v1 import hedge_pb2
from hedgerow.market.v1 import market_pb2

from benchmarks.fuzz_bus import Material
from benchmarks.fuzz_verdict import SHOWN, Memory, Verdict
from common.bus.framing import unpack
from common.errors import Refused
from common.security.proof import prove_command
from common.wire import codec
from lab.fuzz import protobuf
from lab.fuzz.mutation import Case, Cases, Seed

Decode = Callable[[bytes], Any]
_READERS: Final[dict[type[Message], tuple[Decode, Callable[[Any], bytes] | None]]] = {
    market_pb2.QuoteBatch: (codec.decode_quote_batch, codec.encode_quote_batch),
    market_pb2.Universe: (codec.decode_universe, codec.encode_universe),
    market_pb2.Book: (codec.decode_book, codec.encode_book),
    hedge_pb2.Proposal: (codec.decode_proposal, codec.encode_proposal),
    hedge_pb2.Heartbeat: (codec.decode_heartbeat, codec.encode_heartbeat),
    hedge_pb2.PositionUpdate: (codec.decode_position_update, codec.encode_position_update),
    hedge_pb2.BudgetUpdate: (codec.decode_budget_update, codec.encode_budget_update),
    hedge_pb2.AssignmentUpdate: (codec.decode_assignment_update, codec.encode_assignment_update),
    hedge_pb2.AgentParameters: (codec.decode_agent_parameters, codec.encode_agent_parameters),
    control_pb2.Command: (codec.decode_command, codec.encode_command),
    control_pb2.Acknowledgement: (codec.decode_acknowledgement, codec.encode_acknowledgement),
    control_pb2.JournalEntry: (codec.decode_journal_entry, codec.encode_journal_entry),
}


def decoders(made: Material, cases: Cases, first: int, count: int) -> Verdict:
    """Each decoder alone."""
    verdict, memory = Verdict("nats, decoders"), Memory()
    for number in range(first, first + count):
        case = cases.case(number)
        verdict.messages += 1
        try:
            _read(case, made.ca)
            verdict.counts["read"] += 1
        except Refused:
            verdict.counts["refused"] += 1
        except Exception as error:
            verdict.crashes.append(f"{case.name}: {case.seed.where}: {error!r}"[:300])
            if len(verdict.findings) > SHOWN:
                break
        if number - first >= 0.4 * count:
            memory.warm()
    verdict.growth_mib = memory.growth_mib()
    return verdict


def _read(case: Case, ca: bytes) -> None:
    if case.seed.message is None:
        unpack(case.data)
        return
    decode, encode = _READERS[case.seed.message]
    once = decode(case.data)
    if encode is not None:
        written = encode(once)
        if encode(decode(written)) != written:
            raise AssertionError("what was read is not what is written")
    if (
        case.seed.message is control_pb2.Command
        and len(case.seed.data) > 300
        and prove_command(case.data, ca, 0) is not None
    ):
        raise AssertionError("a proof of another time holds")


def decoder_cases(made: Material, seed: int) -> Cases:
    """Every payload."""
    return Cases(seed, [*made.data, *made.signed, *made.unsigned, *made.stored], _remade)


def _remade(seed: Seed, rng: random.Random) -> bytes:
    return seed.data if seed.message is None else protobuf.remade(seed, rng)
