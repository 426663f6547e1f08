"""The mutators: same seed, same bytes; every case by itself; real damage; FIX frames that are right when they say so."""

from __future__ import annotations

import random

import simplefix
from google.protobuf.message import DecodeError
from hedgerow.execution.v1 import execution_pb2 as pb

from benchmarks.fuzz_execution import EPOCH, requests_of
from benchmarks.fuzz_fix import fix_cases, seeds
from lab.fuzz import fix_text, protobuf
from lab.fuzz.mutation import MARK, MAX_BYTES, Cases, mutated

ORDERS = requests_of(EPOCH)


def test_a_case_is_made_again_by_its_name_alone() -> None:
    one, other = Cases(3, ORDERS, protobuf.remade), Cases(3, ORDERS, protobuf.remade)
    forwards = [one.case(n).data for n in range(200)]
    backwards = [other.case(n).data for n in reversed(range(200))]
    assert forwards == backwards[::-1] and one.case(7).name == "3:7"
    assert forwards != [Cases(4, ORDERS, protobuf.remade).case(n).data for n in range(200)]


def test_most_cases_are_damaged_and_many_still_decode() -> None:
    cases = Cases(1, ORDERS, protobuf.remade)
    real = {s.data.replace(MARK, b"") for s in ORDERS}
    decoded = damaged = 0
    for number in range(2000):
        data = cases.case(number).data
        assert len(data) <= MAX_BYTES
        damaged += data.replace(b"%09d" % number, b"") not in real
        try:
            pb.StreamOrdersRequest.FromString(data)
            decoded += 1
        except DecodeError:
            pass
    assert damaged > 1800 and 600 < decoded < 1600


def test_every_way_of_changing_bytes_takes_an_empty_message() -> None:
    for number in range(300):
        assert isinstance(mutated(b"", random.Random(number), (b"other",)), bytes)


def test_half_of_the_fix_cases_are_framed_as_another_parser_frames_them() -> None:
    right, rng = 0, random.Random(1)
    for seed in seeds():
        for _ in range(10):
            data = fix_text.remade(seed, rng)
            right += fix_text.framed(fix_text.split(data)) == data
    assert 0.3 < right / (10 * len(seeds())) < 0.8
    parser = simplefix.FixParser()
    parser.append_buffer(seeds()[2].data)
    again = parser.get_message()
    assert again is not None and bytes(again.encode()) == seeds()[2].data
    assert fix_cases(1).case(5).data == fix_cases(1).case(5).data
