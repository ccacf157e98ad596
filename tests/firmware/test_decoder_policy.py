"""What a policy does not let a board collect has no code there: no name, no bit, no id."""

from __future__ import annotations

import random
import re
import types
from dataclasses import replace

import pytest

from edge.database.model import Message
from edge.errors import FirmwareError
from edge.firmware.decoder import BoardDecoder, board_decoder, generate
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.policyfile import profile
from edge.policy.rules import Area, Basis, Datum, Policy, Precision, Purpose
from firmware.telemetry.dispatch import Dispatcher
from tests.decode.test_parity import random_payloads
from tests.firmware.decoder_proof import loaded
from tests.firmware.vehicles import reference_board, reference_vehicle

SEED = 20_261_122
PROFILES = ("strict", "gbt44464", "gdpr")


def board_of(policy: Policy) -> BoardDecoder:
    vehicle = reference_vehicle()
    return board_decoder(vehicle.classed, vehicle.bindings, policy, vehicle.buses)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


@pytest.mark.parametrize("name", PROFILES)
def test_names_of_what_is_withheld_do_not_occur(name: str) -> None:
    board = reference_board(name)
    found = words(board.source())
    collected = {one.ref.signal for one in board.plan.fields}
    # A multiplexer is read where a collected signal depends on it, which the door allows too.
    collected |= {
        condition.multiplexer
        for planned in board.plan.messages
        for group in planned.groups
        for condition in group.conditions
    }
    withheld = {ref.signal for ref in board.withheld} - collected
    assert len(withheld) > 150
    assert not withheld & found
    assert not {one.ref for one in board.plan.fields} & board.withheld.keys()
    messages = {planned.message.name for planned in board.plan.messages}
    databases = [one for each in reference_vehicle().databases.values() for one in each]
    others = {message.name for one in databases for message in one.messages}
    assert not (others - messages) & found


class Board:
    """A generated module that forgets all before each frame."""

    def __init__(self, board: BoardDecoder) -> None:
        self.module: types.ModuleType = loaded(board.source())
        self.dispatcher = Dispatcher(self.module)
        self.buses = board.plan.buses
        names = ("VALUES", "TIMES", "LENGTHS", "LATCHES", "SHOWN")
        self.arrays = [getattr(self.module, name) for name in names]
        self.empty = [bytes(memoryview(one)) for one in self.arrays]

    def after(self, frame: Frame) -> list[bytes]:
        for array, empty in zip(self.arrays, self.empty, strict=True):
            memoryview(array).cast("B")[:] = empty
        kind = 0x10 if frame.flags & FrameFlag.EXTENDED else 0
        data = bytearray(frame.data)
        self.dispatcher.take(self.buses.index(frame.bus), kind, frame.arbitration_id, data, len(data), 1)
        return [bytes(memoryview(one)) for one in self.arrays]


def frames_of(message: Message, bus: str, source: random.Random, begin: int) -> list[Frame]:
    """A random frame, and the same with each of its bits flipped."""
    flags = FrameFlag.EXTENDED if message.extended else FrameFlag(0)
    payload = list(random_payloads(message, 3, source))[-1]
    payloads = [payload]
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        payloads.append(bytes(flipped))
    return [
        Frame(begin + place, message.arbitration_id, one, bus, flags) for place, one in enumerate(payloads)
    ]


@pytest.mark.parametrize("name", ["strict", "gbt44464"])
def test_whatever_the_door_takes_out_changes_nothing_on_a_board(name: str) -> None:
    source = random.Random(SEED)  # noqa: S311 - to be repeated, not secret
    vehicle = reference_vehicle()
    decoder = reference_board(name)
    door, board = Door(vehicle.classed, decoder.collect), Board(decoder)
    assert decoder.mask.startswith(door.mask)
    several: list[list[Frame]] = []
    begin = 0
    for bus, databases in vehicle.databases.items():
        for message in (message for one in databases for message in one.messages):
            several.append(frames_of(message, bus, source, begin))
            begin += len(several[-1])
    every = [frame for frames in several for frame in frames]
    admitted = door.admit(FrameBatch.from_frames(every))
    passed = {
        int(t_ns): bytes(data) for t_ns, data in zip(admitted.t_ns.tolist(), admitted.data, strict=True)
    }
    forbidden = collected = 0
    for frames in several:
        first, *flipped = frames
        before, through = board.after(first), passed.get(first.t_ns)
        for frame in flipped:
            changed = board.after(frame) != before
            if passed.get(frame.t_ns) == through:
                forbidden += 1
                assert not changed, (frame, first)
            else:
                collected += changed
    assert forbidden > 5_000
    assert collected > 400


def test_position_is_left_out_where_it_must_be_coarser_or_depends_on_the_place() -> None:
    policy = profile("gbt44464")
    use = (DataClass.POSITION, Purpose.REGULATED)
    assert "gnss.lon" in board_of(policy).items
    coarse = replace(
        policy, rules={**policy.rules, use: replace(policy.rules[use], precision=Precision(cell_m=500))}
    )
    assert "gnss.lon" not in board_of(coarse).items
    corners = ((116.3, 39.9), (116.4, 39.9), (116.4, 39.95))
    area = Area("test track", corners, Datum.WGS84, frozenset({DataClass.POSITION}))
    assert "gnss.lon" not in board_of(replace(policy, areas=(area,))).items


def test_what_rests_on_a_consent_is_left_out() -> None:
    policy = profile("gbt44464")
    rules = {
        use: replace(rule, basis=Basis.CONSENT) if use[0] is DataClass.POSITION else rule
        for use, rule in policy.rules.items()
    }
    assert DataClass.POSITION not in board_of(replace(policy, rules=rules)).collect


def test_what_has_to_stay_in_the_vehicle_is_left_out_and_the_text_says_where_the_rest_may_go() -> None:
    policy = profile("gbt44464")
    use = (DataClass.OPERATION, Purpose.REGULATED)
    rules = {**policy.rules, use: replace(policy.rules[use], jurisdictions=frozenset())}
    stays = board_of(replace(policy, rules=rules))
    assert DataClass.OPERATION not in stays.collect
    assert "vehicle.speed" not in stays.items
    assert "position may go to CN" in stays.source()


def test_a_policy_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(FirmwareError, match="nothing that is bound may be collected"):
        board_of(replace(profile("strict"), rules={}))


def test_the_text_is_the_same_each_time_and_says_what_it_is_made_from() -> None:
    vehicle = reference_vehicle()
    policy = profile("strict")
    texts = {generate(vehicle.classed, vehicle.bindings, policy, vehicle.buses) for _ in range(2)}
    assert len(texts) == 1
    (text,) = texts
    header = text.partition('"""\n\n')[0]
    for databases in vehicle.databases.values():
        assert databases[0].sha256 in header
    assert "nev-battery.binding.toml sha256 " in header
    assert policy.digest in header
    assert text.isascii()
