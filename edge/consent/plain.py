"""Entries of the consent ledger as plain values, for lists, reports and JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_never

from edge.consent.entries import Asked, Entry, Erased, Granted, Lapsed, Refused, Stamp, Withdrawn

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(wall_ns: int) -> str:
    """Unix time in nanoseconds as ISO 8601 in UTC, to the second; empty for none or one beyond all years."""
    if wall_ns <= 0:
        return ""
    try:
        moment = _EPOCH + timedelta(seconds=wall_ns // 1_000_000_000)
    except OverflowError:
        return ""
    return moment.isoformat().replace("+00:00", "Z")


def plain_entry(entry: Entry) -> dict[str, object]:
    """An entry by names of its fields."""
    plain: dict[str, object] = {"what": type(entry).__name__.lower(), "when": _when(entry.at)}
    match entry:
        case Granted():
            plain |= {
                "number": entry.number,
                **_use(entry),
                "until": iso_time(entry.ends_ns),
                "keep": entry.keep,
                "rule": entry.rule,
                "policy": entry.policy,
                "erase_within_s": entry.erase_within_ns / 1e9,
            }
        case Asked():
            plain |= {**_use(entry), "rule": entry.rule, "policy": entry.policy}
        case Refused():
            plain |= _use(entry)
        case Withdrawn():
            plain |= {"number": entry.number, **_use(entry)}
        case Lapsed():
            plain |= {"number": entry.number, "why": entry.why}
        case Erased():
            plain["label"] = entry.label
        case _:
            assert_never(entry)
    return plain


def _when(at: Stamp) -> str | None:
    """The wall time of an entry; None where the clock was not trusted then."""
    return iso_time(at.wall_ns) if at.dated else None


def _use(entry: Granted | Asked | Refused | Withdrawn) -> dict[str, object]:
    return {"class": str(entry.data_class), "purpose": str(entry.purpose), "role": str(entry.role)}
