"""The page of the account names every cause, fact and hop that the program can report, and no other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge.vision.reasons import Dropped
from simulator.platform.chain import Standing
from simulator.platform.comparison import Disagreement
from simulator.platform.findings import (
    FEWER_ITEMS,
    OTHER_CONTENTS,
    PREDECESSOR_SHARED,
    PREDECESSOR_UNKNOWN,
    RECORDS_MISSING,
)
from tests.docs.account_words import ROOT, account_words, hop_names

PAGE = ROOT / "docs" / "account.md"

SECTIONS: Mapping[str, str] = {
    "edge/bus/": "Buses and recordings",
    "edge/capture.py": "Door",
    "edge/capturing/": "Capture",
    "edge/core.py": "Records",
    "edge/decode/": "Decode",
    "edge/dispatch.py": "Dispatch",
    "edge/forward/": "Journal",
    "edge/gbt_destination/dispatch.py": "Dispatch",
    "edge/journal/": "Journal",
    "edge/places/": "Places",
    "edge/policy/": "Door",
    "edge/power/": "Power",
    "edge/road.py": "Journal",
    "edge/sensors/": "Sensors",
    "edge/uplink/": "Uplink",
    "edge/vehicle/event_watch.py": "Events",
    "edge/vehicle/reporter.py": "Records",
    "edge/vehicle/trigger.py": "Events",
    "edge/vehicle/": "Sensors",
    "edge/seeing.py": "Cameras",
    "edge/vision/": "Cameras",
    "simulator/conversion/converter.py": "Conversion",
    "simulator/conversion/forwarding.py": "Forwarding",
    "simulator/gbt/": "GB/T platform",
    "simulator/platform/": "Platform",
    "simulator/vehicle/": "Player",
}
"""Where the words of a room are explained."""

CAMERA_WORDS = frozenset({*map(str, Dropped), "crashes", "messages that were none", "on the way"})
"""What is counted of cameras without being written where it is counted."""

HEARD_OF = (
    "reader queue full",
    "unread when closed",
    "more than 256 buses",
    "length that no FD frame has",
    "data",
    "malformed",
    "timed out",
    "messages lost: …",
    "frames with … removed",
    "too short",
    "unknown multiplexer value",
    "waiting for the next message",
    "no JSON",
    "wrong checksum",
    "nothing allowed",
    "queue full, never sent",
    "waiting to be acknowledged",
    "refused by the broker: packet too large",
    "PUBACK with reason code …",
    "messages repeated",
    "larger than the largest packet that the broker takes",
    "signature does not fit",
    "double",
    "came after being reported lost",
    "refused by the interface",
)
"""One word for each way in which rooms write them, so that a way that is no longer understood is noticed."""


def _section(file: str) -> str:
    return next((section for prefix, section in SECTIONS.items() if file.startswith(prefix)), "")


def _explained() -> dict[str, set[str]]:
    """The words in the first column of the tables with a column "loss", by section."""
    found: dict[str, set[str]] = {}
    for part in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        rows = re.findall(r"^\| `([^`]+)` \| (\S[^|]*) \| (\S[^|]*) \|.*\|$", text, re.MULTILINE)
        found[title] = {word for word, _, _ in rows}
    return found


def test_every_cause_and_fact_is_explained_where_its_hop_is() -> None:
    explained = _explained()
    missing = [
        f"'{word}' of {file} is not in the section '{_section(file)}'"
        for file, word in sorted(account_words())
        if word not in explained.get(_section(file), ())
    ]
    assert not missing, f"docs/account.md: {missing}"
    assert explained["Cameras"] >= CAMERA_WORDS


def test_the_page_explains_nothing_that_no_room_reports() -> None:
    reported = {(_section(file), word) for file, word in account_words()}
    reported |= {("Cameras", word) for word in CAMERA_WORDS}
    gone = [
        f"'{word}' in the section '{section}'"
        for section, words in _explained().items()
        if section in SECTIONS.values()
        for word in sorted(words)
        if (section, word) not in reported
    ]
    assert not gone, f"docs/account.md explains what nothing reports: {gone}"


def test_every_hop_is_named() -> None:
    page = PAGE.read_text("utf-8")
    missing = [name for _, name in sorted(hop_names()) if f"`{name}`" not in page]
    assert not missing, f"docs/account.md does not name the hops {missing}"


def test_the_words_are_found_in_every_way_that_they_are_written() -> None:
    found = {word for _, word in account_words()}
    assert [word for word in HEARD_OF if word not in found] == []


def test_every_finding_of_the_platform_is_explained() -> None:
    names = {
        OTHER_CONTENTS,
        FEWER_ITEMS,
        RECORDS_MISSING,
        PREDECESSOR_UNKNOWN,
        PREDECESSOR_SHARED,
        *Disagreement,
        *(standing for standing in Standing if standing not in {Standing.FIRST, Standing.FOLLOWS}),
    }
    page = PAGE.read_text("utf-8")
    assert [name for name in sorted(names) if f"| {name} |" not in page] == []
