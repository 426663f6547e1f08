from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from common.files.contracts import load_contracts
from common.universe import AMERICAN, EUROPEAN
from tests.files_world import CONTRACTS, written

XYZ = """[roots.XYZ]
underlying = "XYZ"
exchange = "XCBO"
multiplier = 100.0
tick = 0.01
style = "american"
settlement = 16:00:00
zone = "America/New_York"
currency = "USD"
"""


def test_the_example() -> None:
    known = load_contracts(CONTRACTS)
    plain, adjusted = known.parse("XYZ260320C00050000"), known.parse("XYZ1260320C00050000")
    assert (plain.multiplier, plain.style, plain.underlying) == (100.0, AMERICAN, "XYZ")
    assert (adjusted.multiplier, adjusted.underlying) == (150.0, "XYZ")
    linear = known.parse("ZZZ_USDC-27MAR26-0d625-P")
    assert (linear.style, linear.currency, linear.inverse, linear.on_future) == (EUROPEAN, "USDC", False, True)
    assert known.parse("ZZZ_USDC-PERPETUAL").id == "ZZZ_USDC PERP @DRBT"
    assert known.parse("SPX   180316P02700000").multiplier == 100.0


def test_other_terms_for_a_built_in_root_must_be_meant(tmp_path: Path) -> None:
    text = XYZ.replace("XYZ", "SPX")
    with pytest.raises(InputError, match="root SPX is built in"):
        load_contracts(written(tmp_path, text, "c.toml"))
    known = load_contracts(written(tmp_path, text + "replaces_built_in = true\n", "c.toml"))
    assert known.parse("SPX   180316P02700000").style == AMERICAN


def test_an_inverse_root(tmp_path: Path) -> None:
    text = XYZ.replace("american", "european") + 'inverse = true\nsettlement_currency = "XYZ"\n'
    found = load_contracts(written(tmp_path, text, "c.toml")).parse("XYZ260320C00050000")
    assert (found.inverse, found.currency, found.settlement_currency) == (True, "XYZ", "XYZ")


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ("inverse = true\n", 1, "inverse needs settlement_currency"),
        ("perpetual = true\n", 1, "perpetual needs future"),
        ("options = false\n", 1, "nothing is listed"),
        ("lot = 3\n", 10, "not permitted"),
        ("fee_cents = -1\n", 10, "greater than or equal to 0"),
    ],
)
def test_terms_must_hang_together(tmp_path: Path, change: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        load_contracts(written(tmp_path, XYZ + change, "c.toml"))
    assert [(p.line, words in p.reason) for p in refusal.value.problems] == [(line, True)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("multiplier = 100.0", "multiplier = 0.0", "greater than 0"),
        ("multiplier = 100.0", "multiplier = nan", "finite"),
        ('style = "american"\n', "", "Field required"),
        ('"american"', '"bermudan"', "'american' or 'european'"),
        ('zone = "America/New_York"', 'zone = "EST"', "no IANA zone"),
        ('"XCBO"', '"Cboe"', "pattern"),
        ("[roots.XYZ]", "[roots.xyz]", "capital letters"),
        ("[roots.XYZ]", "[root.XYZ]", "roots: Field required"),
    ],
)
def test_every_term_is_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        load_contracts(written(tmp_path, XYZ.replace(old, new), "c.toml"))
    assert words in str(refusal.value)
