"""The dictionary we ship, tag by tag against the standard's as another engine carries it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import fixcore

from execution.venues.fix.message import Tag
from tests.execution_world import ROOT

OURS = ElementTree.parse(ROOT / "execution" / "venues" / "fix" / "FIX44.xml").getroot()
STANDARD = ElementTree.parse(Path(fixcore.__file__).parent / "specs" / "FIX44.xml").getroot()


def fields(root) -> dict[str, tuple[str, str]]:
    return {f.get("name"): (f.get("number"), f.get("type")) for f in root.find("fields")}


def test_fields_have_the_standards_numbers_and_types() -> None:
    standard = fields(STANDARD)
    assert fields(OURS) == {name: standard[name] for name in fields(OURS)}
    assert {tag.name: str(int(tag)) for tag in Tag} == {tag.name: standard[tag.name][0] for tag in Tag}


def test_messages_have_the_standards_types_and_only_its_fields() -> None:
    components = {c.get("name"): c for c in STANDARD.find("components")}

    def names(node) -> set[str]:
        found = {e.get("name") for e in node.iter() if e.tag in ("field", "group")}
        for part in node.iter("component"):
            if part is not node:
                found |= names(components[part.get("name")])
        return found

    standard = {m.get("name"): m for m in STANDARD.find("messages")}
    ours = list(OURS.find("messages"))
    assert len(ours) > 15
    for message in ours:
        same = standard[message.get("name")]
        assert (message.get("msgtype"), message.get("msgcat")) == (same.get("msgtype"), same.get("msgcat"))
        assert names(message) <= names(same), message.get("name")
