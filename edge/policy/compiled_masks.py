"""A mask set laid out for the compiled accelerator, which does in one pass what the door does in NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.accelerated import Accelerator, Array
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, Int64s
from edge.policy.layers import Layer, bit_runs
from edge.policy.masks import Int32s, MaskSet, Row

_KEEPS, _CHANNEL, _DESCRIBED, _CONTAINER = 1, 2, 4, 8
_COUNTS = 11
SPECIAL = -2
"""The row of frames that take more than one look, see `CompiledMasks.judge`."""
_WORD_BITS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What became of a batch's frames, each judged by its row.

    Attributes:
        rows: the mask row of each frame that is kept, `SPECIAL` of those that are not judged, -1 of others.
        error: frames that are none of data.
        remote: frames that ask for data.
        unknown_bus: frames of buses that the masks do not know.
        described: frames that a database describes.
        unknown_id: frames that none does.
        nothing: frames of which nothing is allowed.
        too_short: frames too short for their checksum.
        too_long: frames longer than theirs covers.
        kept: frames that are kept.
        newest_ns: the greatest time of all frames.
        judged_rows: how many frames each row judged.
        kept_rows: how many of them it kept.
        refused_beyond: bus and id, as ``bus << 32 | id``, of each frame of an unknown id or of which nothing
            is allowed, if the id has more than 11 bits.
    """

    rows: Int32s
    error: int
    remote: int
    unknown_bus: int
    described: int
    unknown_id: int
    nothing: int
    too_short: int
    too_long: int
    kept: int
    newest_ns: int
    judged_rows: Int64s
    kept_rows: Int64s
    refused_beyond: Int64s


class CompiledMasks:
    """The tables of a mask set as the accelerator reads them; whoever asks may do so from any thread.

    Args:
        masks: whose rows they are.
    """

    def __init__(self, masks: MaskSet) -> None:
        traits = np.array(
            [
                (
                    _KEEPS * keeps | _CHANNEL * channel | _DESCRIBED * described | _CONTAINER * container,
                    shortest,
                    longest,
                    end,
                )
                for keeps, channel, described, container, shortest, longest, end in zip(
                    masks.keeps.tolist(),
                    masks.channels.tolist(),
                    masks.described.tolist(),
                    masks.containers.tolist(),
                    masks.shortest.tolist(),
                    masks.longest.tolist(),
                    masks.ends.tolist(),
                    strict=True,
                )
            ],
            np.uint16,
        )
        every_row = np.arange(len(masks.rows), dtype=np.int32)
        self._rows = len(masks.rows)
        self._traits = traits
        self._tables = (*masks.tables(), traits, masks.speaks_j1939.view(np.uint8))
        self._base = {width: masks.base(every_row, width) for width in (CLASSIC_BYTES, FD_BYTES)}
        self._layers, self._bits = _laid_out(masks.rows)

    def judge(
        self, native: Accelerator, batch: FrameBatch, bus_numbers: Int64s, refused_standard: Int64s
    ) -> Judged | None:
        """Judge the frames of a batch by their rows, all that take but one look.

        Segments of messages and containers take more, and are in no count but that of times.

        Args:
            native: the accelerator.
            batch: the frames, at least one.
            bus_numbers: of each of the batch's buses the number that it has in the masks, -1 if none.
            refused_standard: by bus and 11-bit id, how many frames were dropped whole; counted up.

        Returns:
            What became of them; None, and nothing counted, for batches of other widths than those of CAN, and
            of buses that have no number.
        """
        if batch.data.shape[1] not in self._base:
            return None
        rows = np.empty(len(batch), np.int32)
        counts = np.empty(_COUNTS, np.int64)
        judged, kept = np.zeros((2, self._rows), np.int64)
        beyond = np.empty(len(batch), np.int64)
        special = native.judge_frames(
            self._tables, bus_numbers, _columns(batch), rows, counts, judged, kept, refused_standard, beyond
        )
        if special < 0:
            return None
        error, remote, bus, described, unknown, nothing, short, long, left, past, newest = counts.tolist()
        return Judged(
            rows=rows,
            error=error,
            remote=remote,
            unknown_bus=bus,
            described=described,
            unknown_id=unknown,
            nothing=nothing,
            too_short=short,
            too_long=long,
            kept=left,
            newest_ns=newest,
            judged_rows=judged,
            kept_rows=kept,
            refused_beyond=beyond[:past],
        )

    def masked(self, native: Accelerator, batch: FrameBatch, judged: Judged) -> FrameBatch:
        """What the masks leave of the frames of a batch that are kept, in arrays of their own."""
        count, width = judged.kept, batch.data.shape[1]
        kept = replace(
            batch,
            t_ns=np.empty(count, np.int64),
            bus=np.empty(count, np.uint8),
            arbitration_id=np.empty(count, np.uint32),
            flags=np.empty(count, np.uint16),
            length=np.empty(count, np.uint16),
            data=np.empty((count, width), np.uint8),
        )
        native.mask_frames(
            judged.rows,
            self._traits,
            self._base[width],
            self._layers,
            self._bits,
            _columns(batch),
            _columns(kept),
        )
        return kept


def _columns(batch: FrameBatch) -> tuple[Array, ...]:
    columns = (batch.t_ns, batch.bus, batch.arbitration_id, batch.flags, batch.length, batch.data)
    return tuple(map(np.ascontiguousarray, columns))


def _laid_out(rows: Sequence[Row]) -> tuple[Int64s, npt.NDArray[np.uint8]]:
    """The layers of all rows: where the numbers of each row begin, 0 for none, then these; and the bits."""
    begins: list[int] = []
    numbers: list[int] = []
    bits: list[bytes] = []
    size = 0
    for row in rows:
        begins.append(len(rows) + len(numbers) if row.layers else 0)
        if row.layers:
            numbers.append(len(row.layers))
        for layer in row.layers:
            numbers += _layer_numbers(layer, size)
            bits.append(layer.masks.tobytes())
            size += len(bits[-1])
    return np.array([*begins, *numbers], np.int64), np.frombuffer(b"".join(bits), np.uint8)


def _layer_numbers(layer: Layer, bits_at: int) -> Iterator[int]:
    yield from (len(layer.fields), len(layer.keys), layer.masks.shape[1], bits_at)
    for (bits, signed), values, classes, size in zip(
        layer.fields, layer.values, layer.classes, layer.sizes, strict=True
    ):
        runs = [run for run in bit_runs(bits) if run.weight < _WORD_BITS]
        yield from (len(runs), len(bits) if signed else 0, max(bits) // 8, size, len(values))
        for run in runs:
            yield from run
        yield from values.tolist()
        yield from classes.tolist()
    yield from layer.keys.tolist()
