"""Makes the report as plain values, which its JSON is and from which its HTML is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version

from edge.archive.opening import Archive
from edge.clock import NS_PER_S, TimeQuality
from edge.consent.entries import Refused
from edge.consent.plain import iso_time
from edge.policy.classes import DataClass
from edge.policy.masks import admission_of, mask_set_of
from edge.report.agreements import Agreement
from edge.report.check import Check, Outcome, Sentence
from edge.report.collecting_checks import collecting_checks, granted_in
from edge.report.facts import Facts, InForceFor
from edge.report.keeping_checks import journal_checks, keeping_checks, rests_in, sending_checks
from edge.report.notes import Moment
from edge.report.sending import Sent

FORMAT = 1
"""Of the JSON, as docs/report.md describes it."""

_SPANS = 1_000
_INDEPENDENT = frozenset({"chain", "countersigned", "egress", "encrypted"})
"""Checks that do not rest on what stands in the chain."""


def checks_of(facts: Facts) -> list[Check]:
    """All checks; what rests on a chain that does not hold proves nothing."""
    journal = list(journal_checks(facts))
    chain = journal[0].outcome
    found = [*collecting_checks(facts), *keeping_checks(facts), *sending_checks(facts), *journal]
    if chain is Outcome.PASSED:
        return found
    if chain is Outcome.FAILED and facts.verified is not None:
        why = Sentence("chain-broken", {"faults": facts.verified.fault_count})
    else:
        why = Sentence("chain-not-proven", {})
    return [_doubted(one, why) for one in found]


def _doubted(check: Check, why: Sentence) -> Check:
    if check.name in _INDEPENDENT or check.outcome is not Outcome.PASSED:
        return check
    return replace(check, outcome=Outcome.NOT_PROVEN, evidence=(why, *check.evidence))


def report_of(facts: Facts, archive: Archive) -> dict[str, object]:
    """The whole report."""
    checks = checks_of(facts)
    vehicle = facts.config.vehicle
    return {
        "format": FORMAT,
        "made_by": f"nevgate {version('nevgate')}",
        "made": iso_time(facts.now_ns),
        "vehicle": vehicle.topic_name,
        "pseudonym": bool(vehicle.pseudonym),
        "stream": archive.stream.hex(),
        "period": {"from": iso_time(facts.period.from_ns), "to": iso_time(facts.period.to_ns)},
        "coverage": _coverage(facts),
        "verdict": {
            "outcome": str(_worst(checks)),
            **{str(one).replace(" ", "_"): sum(check.outcome is one for check in checks) for one in Outcome},
        },
        "checks": [one.as_json() for one in checks],
        "policies": [_policy(one) for one in facts.in_force],
        "counts": _counts(facts),
        "kept": _kept(facts),
        "consents": [_consent(one, facts) for one in granted_in(facts)],
        "refusals": list(_refusals(facts)),
        "ended_data": list(_ended_data(facts)),
        "erasures": list(_erasures(facts)),
        "masks": list(_masks(facts)),
        "destinations": [_destination(one) for one in facts.sent],
        "retention": list(_retention(facts)),
        "integrity": _integrity(facts),
        "egress": None if facts.egress is None else facts.egress.model_dump(mode="json"),
    }


def _worst(checks: list[Check]) -> Outcome:
    outcomes = {one.outcome for one in checks}
    return next((one for one in (Outcome.FAILED, Outcome.NOT_PROVEN) if one in outcomes), Outcome.PASSED)


def _coverage(facts: Facts) -> dict[str, object]:
    found = facts.found
    seconds: dict[str, float] = {one.name: 0.0 for one in reversed(TimeQuality)}
    for span in found.spans:
        seconds[span.quality.name] += (span.to_ns - span.from_ns) / NS_PER_S
    timed = [one for one in found.spans if one.wall_offset_ns is not None]
    begins = [one.from_ns + (one.wall_offset_ns or 0) for one in timed]
    ends = [one.to_ns + (one.wall_offset_ns or 0) for one in timed]
    return {
        "from": iso_time(min(begins, default=0)),
        "to": iso_time(max(ends, default=0)),
        "begins_unseen": facts.begins_unseen,
        "newest": iso_time(facts.newest_ns),
        "seconds": {name: round(one, 1) for name, one in seconds.items()},
        "boots": len({one.boot for one in found.spans}),
        "stretches": len(found.spans),
        "untimed_blocks": found.untimed,
        "spans": [
            {
                "boot": one.boot.hex(),
                "from": iso_time(one.from_ns + one.wall_offset_ns) if one.wall_offset_ns is not None else "",
                "to": iso_time(one.to_ns + one.wall_offset_ns) if one.wall_offset_ns is not None else "",
                "seconds": round((one.to_ns - one.from_ns) / NS_PER_S, 1),
                "quality": one.quality.name,
            }
            for one in found.spans[:_SPANS]
        ],
        "spans_left_out": max(0, len(found.spans) - _SPANS),
    }


def _policy(one: InForceFor) -> dict[str, object]:
    note = one.note
    return {
        "name": note.name,
        "version": note.version,
        "digest": note.digest,
        "profile": note.profile,
        "signature": note.signature,
        "key": note.key_id.hex(),
        "file_sha256": note.file.hex(),
        "from": iso_time(one.from_ns or 0),
        "until": iso_time(one.to_ns or 0),
        "starts": one.starts,
        "at_hand": one.policy is not None,
        "block": note.at.number,
    }


def _counts(facts: Facts) -> dict[str, object]:
    counts = facts.counts
    names = [*map(str, DataClass), "unclassified", "undescribed"]
    return {
        "exact": counts.exact and bool(counts.runs),
        "frames": {
            "entered": counts.door["entered"],
            "left": counts.door["left"],
            "nothing_allowed": counts.door["nothing allowed"],
            "unknown_id": counts.door["unknown id"],
        },
        "classes": [
            {
                "class": name,
                "kept": counts.of_class(name, "kept"),
                "removed": counts.of_class(name, "removed"),
            }
            for name in names
        ],
        "runs": [
            {
                "boot": one.boot.hex(),
                "last_account": iso_time(one.wall_ns or 0),
                "uncounted_s": round(one.uncounted_s, 1),
                "exact": one.complete,
                "balanced": one.balanced,
            }
            for one in counts.runs
        ],
    }


def _kept(facts: Facts) -> list[dict[str, object]]:
    return [
        {
            "kind": kind.name.lower().replace("_", " "),
            "class": data_class,
            "blocks": one.blocks,
            "count": one.count,
            "emptied": one.emptied,
            "first": iso_time(one.first_ns or 0),
            "last": iso_time(one.last_ns or 0),
        }
        for (kind, data_class), one in sorted(facts.found.kept.items())
    ]


def _consent(one: Agreement, facts: Facts) -> dict[str, object]:
    granted, end = one.granted, one.end
    rests = [rest for rest in facts.agreements.rests if one.number in rest.consents]
    return {
        "number": one.number,
        "class": str(granted.data_class),
        "purpose": str(granted.purpose),
        "role": str(granted.role),
        "granted": iso_time(granted.at.wall_ns),
        "until": iso_time(granted.ends_ns),
        "keep": granted.keep,
        "notice": one.asked,
        "policy": granted.policy,
        "erase_within_s": granted.erase_within_ns / NS_PER_S,
        "end": end
        and {
            "how": end.how,
            "when": iso_time(end.wall_ns or 0),
            "why": end.why,
            "block": None if end.at is None else end.at.number,
        },
        "labels": [rest.label for rest in rests],
        "block": one.at.number,
    }


def _refusals(facts: Facts) -> Iterator[dict[str, object]]:
    for one in facts.agreements.refusals:
        entry = one.entry
        if isinstance(entry, Refused) and _within(facts, one.at):
            yield {
                "when": _time(one.at),
                "class": str(entry.data_class),
                "purpose": str(entry.purpose),
                "role": str(entry.role),
                "block": one.at.number,
            }


def _within(facts: Facts, at: Moment) -> bool:
    return at.wall_ns is None or facts.period.holds(at.wall_ns)


def _time(at: Moment | None) -> str:
    return "" if at is None else iso_time(at.wall_ns or 0)


def _ended_data(facts: Facts) -> Iterator[dict[str, object]]:
    for one in rests_in(facts):
        allowed_ns = None
        if one.deadline_ns is not None and one.ended_ns is not None:
            allowed_ns = one.deadline_ns - one.ended_ns
        yield {
            "label": one.label,
            "consents": sorted(one.consents),
            "ended": iso_time(one.ended_ns or 0),
            "deadline": iso_time(one.deadline_ns or 0),
            "allowed_s": None if allowed_ns is None else allowed_ns / NS_PER_S,
            "erased": _time(one.erased),
            "took_s": None if one.took_ns is None else round(one.took_ns / NS_PER_S, 3),
            "keys_there": one.kept_keys,
        }


def _erasures(facts: Facts) -> Iterator[dict[str, object]]:
    for one in facts.notes.erasures:
        if _within(facts, one.at):
            there = sum(facts.labels.entry(key) is not None for key in one.keys)
            yield {
                "when": _time(one.at),
                "class": one.data_class,
                "label": one.purpose,
                "consents": sorted(one.consents),
                "reason": one.reason,
                "blocks": one.blocks,
                "keys": len(one.keys),
                "keys_there": there,
                "messages": one.messages,
                "block": one.at.number,
            }


def _masks(facts: Facts) -> Iterator[dict[str, object]]:
    for mask, one in facts.found.masks.items():
        shown = facts.judging.masks.get(mask)
        yield {
            "mask": mask_set_of(mask),
            "admission": admission_of(mask),
            "policy": "" if shown is None else shown.policy,
            "consents": None if shown is None or shown.consents is None else list(shown.consents),
            "blocks": one.blocks,
            "first": iso_time(one.first_ns or 0),
            "last": iso_time(one.last_ns or 0),
        }


def _destination(one: Sent) -> dict[str, object]:
    return {
        "name": one.name,
        "configured": one.configured,
        "host": one.host,
        "purpose": one.purpose,
        "jurisdictions": list(one.jurisdictions),
        "in_vehicle": one.in_vehicle,
        "encrypted": one.encrypted,
        "may_have_by_law": sorted(one.by_law),
        "may_have_by_consent": sorted(one.by_consent),
        "acknowledged": {"records": one.records, "messages": one.messages},
        "now": one.state
        and {
            "waiting_messages": one.state.messages,
            "unsent_records": sum(share.unsent for share in one.state.shares),
            "given_up_records": sum(share.given_up for share in one.state.shares),
        },
    }


def _retention(facts: Facts) -> Iterator[dict[str, object]]:
    for (kind, data_class), one in sorted(facts.keeping.shelves.items()):
        yield {
            "kind": kind.name.lower().replace("_", " "),
            "class": data_class,
            "limit_days": one.limit_days,
            "strict": one.strict,
            "blocks": one.blocks,
            "bytes": one.bytes,
            "oldest": iso_time(one.oldest_ns or 0),
            "overdue": one.overdue,
            "overdue_since": one.overdue_by_now,
            "locked": one.locked,
            "locked_overdue": one.locked_overdue,
        }


def _integrity(facts: Facts) -> Mapping[str, object] | None:
    report = facts.verified
    if report is None:
        return None
    return {
        "holds": report.holds,
        "blocks": report.blocks,
        "last": report.last,
        "opened": report.opened,
        "checkpoints": report.checkpoints,
        "covered": report.covered,
        "countersigned": report.countersigned,
        "rows_gone": [list(one) for one in report.gone],
        "fault_count": report.fault_count,
        "faults": [{"what": one.what, "where": one.where} for one in report.faults[:50]],
    }
