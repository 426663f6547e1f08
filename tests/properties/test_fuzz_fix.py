"""Fuzzing the FIX gateway in short, the oracle's own test, and what fuzzing found."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks import fuzz_fix as fuzz
from execution.venues.fix import incoming, message, naming
from execution.venues.fix.message import FixMessage, Tag, parse


def test_mutated_messages_do_no_harm(tmp_path: Path) -> None:
    verdict = asyncio.run(fuzz.reports(tmp_path, fuzz.fix_cases(21), 0, 4096))
    assert verdict.findings == [] and verdict.counts["taken"] > 700 and verdict.counts["fills booked"] > 5


def test_a_parser_that_keeps_odd_bytes_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(raw: str) -> FixMessage:
        pairs = [part.partition("=") for part in raw.split(message.SOH)]
        fields = tuple((int(t), v) for t, e, v in pairs if e and t.isascii() and t.isdigit() and len(t) < 10)
        return FixMessage(next((v for t, v in fields if t == 35), ""), fields)

    monkeypatch.setattr(fuzz, "parse", careless)
    verdict = asyncio.run(fuzz.reports(tmp_path, fuzz.fix_cases(21), 0, 4096))
    assert any("surrogates not allowed" in text for text in verdict.crashes)


def test_a_reader_of_numbers_that_raises_what_nobody_expects_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        FixMessage, "decimal", lambda self, tag: Decimal(self.first[tag]) if tag in self.first else None
    )
    verdict = asyncio.run(fuzz.reports(tmp_path, fuzz.fix_cases(21), 0, 4096))
    assert verdict.crashes


@pytest.mark.parametrize("text", ["1E+999999", "1e5", "1_000", " 7", "٣", "9" * 41, "1000000000000", ".", ""])
def test_a_number_that_fix_would_not_write_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="LastPx"):
        FixMessage("8", ((int(Tag.LastPx), text),)).decimal(Tag.LastPx)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("-1.5", -1.5), ("+3.", 3), (".25", 0.25), ("0007.10", 7.1)])
def test_numbers_as_fix_writes_them_are_read(text: str, value: float) -> None:
    assert FixMessage("8", ((int(Tag.LastPx), text),)).decimal(Tag.LastPx) == Decimal(str(value))


def test_text_in_another_code_is_shown_and_can_be_stored() -> None:
    raw = b"35=8\x0158=caf\xe9 \xff\x01".decode("utf-8", "surrogateescape")
    text = parse(raw).text(Tag.Text)
    assert text == "caf\\xe9 \\xff" and text.encode()
    assert len(FixMessage("8", ((58, "x" * 5000),)).text(Tag.Text)) == message.TEXT_MAX


def test_a_price_beyond_32_bits_and_an_endless_exec_id_are_disputed() -> None:
    contracts = naming.Contracts(fuzz.fix_universe())
    with pytest.raises(ValueError, match="ticks, limit"):
        contracts.ticks(0, Decimal(2) ** 40)
    assert incoming.EXEC_ID_LENGTH < 1000
