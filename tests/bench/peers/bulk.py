"""A peer's one step on frames that lie in memory, as a program of its own: no bus, no loss.

    python bulk.py KIND FRAMES.npy DATABASE OUTPUT

Prints JSON: frames, processor's time of the step alone (making of objects that the peer's callers would have
already is left out), bytes where there is a file. It imports nothing of nevgate, so that peers can have an
environment of their own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np


def asdf(frames: np.ndarray, database: Path, output: Path) -> dict[str, object]:
    """asammdf: bus logging as a finished file, compressed."""
    del database
    from asammdf import MDF, Signal  # noqa: PLC0415 - a peer that may be missing
    from asammdf.blocks.source_utils import Source  # noqa: PLC0415 - a peer that may be missing

    count = len(frames)
    bus = Source("CAN", "CAN", "", Source.SOURCE_BUS, Source.BUS_TYPE_CAN)
    kind = np.dtype(
        [
            ("CAN_DataFrame.BusChannel", "u1"),
            ("CAN_DataFrame.ID", "<u4"),
            ("CAN_DataFrame.IDE", "u1"),
            ("CAN_DataFrame.DLC", "u1"),
            ("CAN_DataFrame.DataLength", "u1"),
            ("CAN_DataFrame.DataBytes", "(8,)u1"),
        ]
    )
    rows = np.zeros(count, kind)
    rows["CAN_DataFrame.BusChannel"] = 1 + np.arange(count) % 4
    rows["CAN_DataFrame.ID"] = frames["id"] & 0x1FFFFFFF
    rows["CAN_DataFrame.IDE"] = frames["id"] >> 31
    rows["CAN_DataFrame.DLC"] = rows["CAN_DataFrame.DataLength"] = frames["length"]
    rows["CAN_DataFrame.DataBytes"] = frames["data"]
    begin = time.process_time()
    with MDF(version="4.10") as file:
        signal = Signal(rows, timestamps=np.arange(count) / 32_000, name="CAN_DataFrame", source=bus)
        file.append(signal, acq_name="CAN", acq_source=bus)
        written = file.save(output.with_suffix(".mf4"), overwrite=True, compression=2)
    return {"cpu_s": time.process_time() - begin, "bytes": Path(written).stat().st_size}


def decoder(frames: np.ndarray, database: Path, output: Path) -> dict[str, object]:
    """can-decoder: a data frame of frames to one of values."""
    del output
    import can_decoder  # noqa: PLC0415 - a peer that may be missing
    import pandas as pd  # noqa: PLC0415 - a peer that may be missing
    from can_decoder.DBCLoader import load_dbc  # noqa: PLC0415 - a peer that may be missing

    own = frames[0::4]
    data = pd.DataFrame(
        {
            "ID": own["id"] & 0x1FFFFFFF,
            "IDE": (own["id"] >> 31).astype(bool),
            "DataLength": own["length"],
            "DataBytes": list(own["data"]),
        },
        index=pd.DatetimeIndex(pd.to_datetime(np.arange(len(own)) * 125_000, utc=True), name="TimeStamp"),
    )
    dbc = load_dbc(str(database))
    made = can_decoder.DataFrameDecoder(dbc)
    begin = time.process_time()
    values = made.decode_frame(data)
    return {"cpu_s": time.process_time() - begin, "frames": len(own), "values": len(values)}


def parser(frames: np.ndarray, database: Path, output: Path) -> dict[str, object]:
    """opendbc's CANParser: all messages of a database, strings of 10 ms as in openpilot."""
    del output
    from opendbc.can.dbc import DBC  # noqa: PLC0415 - a peer that may be missing
    from opendbc.can.parser import CANParser  # noqa: PLC0415 - a peer that may be missing

    names = [(message.address, 0) for message in DBC(str(database)).msgs.values()]
    made = CANParser(str(database), names, 0)
    own = frames[0::4]
    step = 80
    strings = [
        (
            begin * 125_000,
            [
                (int(row["id"] & 0x1FFFFFFF), row["data"].tobytes()[: int(row["length"])], 0)
                for row in own[begin : begin + step]
            ],
        )
        for begin in range(0, len(own), step)
    ]
    begin = time.process_time()
    for one in strings:
        made.update([one])
    return {"cpu_s": time.process_time() - begin, "frames": len(own)}


def main(kind: str, frames: str, database: str, output: str) -> None:
    """Do one step."""
    rows = np.load(frames)
    found = {
        "frames": len(rows),
        **{"asammdf": asdf, "can-decoder": decoder, "opendbc": parser}[kind](
            rows, Path(database), Path(output)
        ),
    }
    print(json.dumps(found))  # noqa: T201 - a program speaks


if __name__ == "__main__":
    main(*sys.argv[1:])
