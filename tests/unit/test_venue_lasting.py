"""A venue that remembers: killed after any record it comes back to the same end, and its file refuses what is not its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import Conflict, InputError
from common.messages import Side, TimeInForce
from common.units import NS_PER_S
from execution.config import PaperConfig
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.record import RecordKind, VenueRecord, from_line, from_pb, to_line, to_pb
from execution.venues.venue_file import VenueFile
from tests.execution_world import T0_NS, make_order, make_universe, quotes, standing

NOW_NS = T0_NS + NS_PER_S
TAKEN = (RecordKind.ORDER, RecordKind.REPLACE)
LATER_NS = NOW_NS + 60 * NS_PER_S


def fresh(records: list[VenueRecord] | None = None, **options: int) -> LastingVenue:
    return LastingVenue(PaperVenue(make_universe(), PaperConfig()), records or (), **options)


def script(venue: LastingVenue) -> None:
    """A part fill that rests, a full fill, a cancel, a part fill whose rest is replaced, an order on its way at the end."""
    venue.on_quotes(standing(size=10))
    venue.submit(make_order("rests", lots=15, time_in_force=TimeInForce.DAY), NOW_NS)
    venue.submit(make_order("fills", lots=3, side=Side.SELL), NOW_NS)
    venue.submit(make_order("gone", limit_ticks=990, time_in_force=TimeInForce.DAY), NOW_NS)
    venue.on_time(NOW_NS + NS_PER_S)
    venue.cancel("gone", NOW_NS + 2 * NS_PER_S)
    venue.on_time(NOW_NS + 3 * NS_PER_S)
    venue.submit(make_order("old", instrument=2, lots=14, time_in_force=TimeInForce.DAY), NOW_NS + 3 * NS_PER_S)
    venue.on_time(NOW_NS + 4 * NS_PER_S)
    new = make_order("new", instrument=2, lots=13, time_in_force=TimeInForce.DAY, orig_client_order_id="old")
    venue.replace(new, NOW_NS + 5 * NS_PER_S)
    venue.on_time(NOW_NS + 6 * NS_PER_S)
    venue.submit(make_order("last", instrument=1, lots=2), NOW_NS + 7 * NS_PER_S)


def finish(venue: LastingVenue) -> dict[str, tuple[int, RecordKind]]:
    """Fresh quotes with size for everything, then time; lots filled and the last word per order."""
    venue.on_quotes(quotes(2, (0, 1000, 1002, 100, 100), (2, 1000, 1002, 100, 100), at_ns=LATER_NS, snapshot=True))
    venue.on_time(LATER_NS + 60 * NS_PER_S)
    out: dict[str, tuple[int, RecordKind]] = {}
    for name in ("rests", "fills", "gone", "old", "new", "last"):
        told = venue.ask(name) or []
        said = [r.kind for r in told if r.kind is not RecordKind.CANCEL]
        out[name] = (sum(r.lots for r in told if r.kind is RecordKind.FILL), said[-1] if said else RecordKind.ORDER)
    return out


def test_killed_after_any_record_it_ends_as_the_one_that_lived() -> None:
    whole = fresh()
    script(whole)
    records = list(whole.records)
    assert [r.sequence for r in records] == list(range(1, len(records) + 1))
    for kept in range(len(records) + 1):
        again = fresh(records[:kept])
        assert again.records == records[:kept]
        for r in records[kept:]:
            if r.kind in TAKEN:  # what it never wrote it never took: the sender asks, and it was never there
                assert again.ask(r.client_order_id) is None
        ended = finish(again)
        for name, (lots, last) in ended.items():
            told = again.ask(name)
            if told is None:
                continue
            quantity = next(r.lots for r in told if r.kind in TAKEN)
            fills = [r.exec_id for r in told if r.kind is RecordKind.FILL]
            assert len(fills) == len(set(fills)) and lots <= quantity
            assert last in (RecordKind.FILL, RecordKind.CANCELED, RecordKind.REPLACE_REJECTED) or name == "gone"
        chain = ended["old"][0] + ended["new"][0]
        assert chain <= (14 if again.ask("new") is None or ended["new"][1] is RecordKind.REPLACE_REJECTED else 13)
    expected = {
        "rests": (15, RecordKind.FILL),
        "fills": (3, RecordKind.FILL),
        "gone": (0, RecordKind.CANCELED),
        "old": (10, RecordKind.FILL),
        "new": (3, RecordKind.FILL),
        "last": (2, RecordKind.FILL),
    }
    assert finish(whole) == expected
    # The one on its way came due before the new process had quotes, and is told so; nothing else is any different.
    assert finish(fresh(records)) == {**expected, "last": (0, RecordKind.CANCELED)}


def test_a_second_order_under_an_id_is_refused_and_recorded_also_after_a_restart() -> None:
    venue = fresh()
    venue.on_quotes(standing())
    venue.submit(make_order("a"), NOW_NS)
    (attempt,) = venue.submit(make_order("a"), NOW_NS)
    assert attempt.kind is RecordKind.DUPLICATE
    again = fresh(list(venue.records))
    (attempt,) = again.submit(make_order("a", lots=9), NOW_NS)
    assert attempt.kind is RecordKind.DUPLICATE and attempt.sequence == 3
    again.on_quotes(standing())
    again.on_time(LATER_NS)
    assert sum(r.lots for r in again.ask("a") or () if r.kind is RecordKind.FILL) == 1


def test_a_full_venue_rejects_and_goes_on() -> None:
    venue = fresh(max_records=1)
    assert [r.kind for r in venue.submit(make_order("a"), NOW_NS)] == [RecordKind.ORDER, RecordKind.REJECTED]
    assert venue.ask("b") is None


def test_records_survive_text_and_wire() -> None:
    venue = fresh()
    script(venue)
    for record in venue.records:
        assert from_line(to_line(record)) == record
        if record.kind not in TAKEN:
            assert from_pb(to_pb(record)) == record
    assert json.loads(to_line(venue.records[0]))["kind"] == "ORDER"


def test_the_file_keeps_what_was_written_and_drops_a_torn_end(tmp_path: Path) -> None:
    venue = fresh()
    script(venue)
    file = VenueFile(tmp_path)
    file.append(venue.records)
    with pytest.raises(Conflict, match="another venue"):
        VenueFile(tmp_path)
    file.close()
    with file.path.open("a") as torn:
        torn.write('{"sequence": 99, "ki')
    again = VenueFile(tmp_path)
    assert again.records == venue.records
    again.append([VenueRecord(len(venue.records) + 1, RecordKind.CANCEL, "last", 1)])
    again.close()
    reopened = VenueFile(tmp_path)
    assert len(reopened.records) == len(venue.records) + 1
    reopened.close()


@pytest.mark.parametrize(
    "line",
    ["nonsense", '{"sequence": 2}', '{"sequence": 7, "kind": "CANCEL", "client_order_id": "a", "event_time_ns": 1}'],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    first = '{"sequence": 1, "kind": "CANCEL", "client_order_id": "a", "event_time_ns": 1}'
    (tmp_path / "venue.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(InputError, match=r"venue\.jsonl:2"):
        VenueFile(tmp_path)
    (tmp_path / "venue.jsonl").write_text(f"{first}\n")
    VenueFile(tmp_path).close()  # a refusal lets go of the lock
