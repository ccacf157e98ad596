"""What a file of data taken along says of each column of its tables."""

from __future__ import annotations

from collections.abc import Mapping

FRAME_COLUMNS = (
    "time_ns",
    "time_quality",
    "boot",
    "t_ns",
    "bus",
    "arbitration_id",
    "flags",
    "data",
    "classes_not_at_hand",
)
"""Cells of ``frames.csv`` and ``event-frames.csv``."""

_TIME: Mapping[str, object] = {
    "time_ns": {
        "type": "integer",
        "description": "Unix time in nanoseconds; time since boot where time_quality is NONE",
    },
    "time_quality": {"enum": ["NONE", "RTC", "NTP", "GNSS"], "description": "how good the clock was"},
    "boot": {"type": "string", "description": "names the start of the gateway, hexadecimal"},
    "t_ns": {"type": "integer", "description": "nanoseconds since that start"},
}

SCHEMA: Mapping[str, object] = {
    "records.csv": {
        "description": "regulated items (GB/T 32960.3), a row a value; what has no row was not collected",
        "type": "object",
        "properties": {
            "stream": {"type": "string", "description": "of the record's number, hexadecimal"},
            "number": {"type": "integer", "description": "of the record within its stream"},
            **_TIME,
            "alarm": {"type": "boolean", "description": "whether the record was made for an alarm"},
            "item": {"type": "string", "description": "such as motor[1].speed"},
            "element": {"type": ["integer", "null"], "description": "place in a list, from 1"},
            "value": {"type": ["number", "null"], "description": "physical value in the unit"},
            "unit": {"type": "string"},
            "name": {"type": "string", "description": "of a value of an enumeration, or of the bits set"},
            "state": {"enum": ["valid", "invalid", "abnormal"]},
            "steps": {"type": ["integer", "null"], "description": "the value in steps of its resolution"},
        },
    },
    **{
        name: {
            "description": what,
            "type": "object",
            "properties": {
                **_TIME,
                "bus": {"type": "string"},
                "arbitration_id": {"type": "integer", "description": "11 or 29 bits"},
                "flags": {"type": "string", "description": "such as extended, fd, remote; between blanks"},
                "data": {"type": "string", "description": "bytes, hexadecimal; what was not collected is 0"},
                "classes_not_at_hand": {
                    "type": "string",
                    "description": "classes whose bits are 0 here since they were erased or deleted",
                },
            },
        }
        for name, what in (
            ("frames.csv", "raw frames of the vehicle's buses, a row a frame"),
            ("event-frames.csv", "raw frames around alarms and events, a row a frame"),
        )
    },
    "gateway.json": {
        "description": "policy in force, what is collected for which purpose, consents, what has left the "
        "vehicle and to whom, erasures, at the time of this file",
        "type": "object",
    },
    "about.json": {
        "description": "of each table: how many rows' data were written, from when to when (first_ns, "
        "last_ns), which masks the data went through at collection, what could not be read and why",
        "type": "object",
    },
}
