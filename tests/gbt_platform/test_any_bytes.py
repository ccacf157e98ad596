"""Whatever comes over a connection: no exception, bounded memory, an account that balances."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import UNIT_BYTES_MAX, Encryption, Frame
from edge.wire.gbt.message import Message
from edge.wire.gbt.stream import StreamDecoder
from simulator.gbt.settings import PlatformSettings, SecondLogin
from tests.gbt.grammar import VIN, editions, examples, messages
from tests.gbt_platform.rig import OTHER, Rig, login, platform_login, report

frames = st.builds(
    Frame,
    editions,
    st.integers(0, 0x0C) | st.integers(0, 255),
    st.sampled_from([0xFE, 1, 2]),
    st.sampled_from([VIN, OTHER, bytes(17)]),
    st.sampled_from([Encryption.NONE, Encryption.NONE, Encryption.AES, Encryption.RSA]),
    st.binary(max_size=40),
).map(Frame.write)
pieces = (
    st.binary(max_size=60)
    | frames
    | messages().map(Message.write)
    | st.builds(login, editions, st.integers(0, 65_535))
    | st.builds(platform_login, editions)
    | st.builds(report, editions)
)


@given(st.lists(st.tuples(st.integers(0, 2), pieces, st.integers(0, 200)), max_size=12))
@settings(max_examples=examples(50), deadline=None)
def test_any_bytes_are_taken(said: list[tuple[int, bytes, int]]) -> None:
    rig = Rig(settings=PlatformSettings(second_login=SecondLogin.DROP_OLD))
    peers = [rig.connect() for _ in range(3)]
    for place, data, wait_s in said:
        for answer in peers[place].say(data):
            # Whatever is answered is a message itself, and never answers a response.
            assert answer.response != 0xFE
        peers[place].wait(wait_s)
        rig.platform.dropped()
    for peer in peers:
        peer.connection.lost(rig.now_ns)
    hop = rig.platform.hops()[0]
    assert hop.balanced
    assert hop.left == sum(1 for _ in rig.platform.store.frames())
    assert all(state.connection is None for state in rig.platform.vehicles.values())
    assert not rig.platform.platforms


@given(st.binary(max_size=2000), editions)
@settings(max_examples=examples(30), deadline=None)
def test_what_waits_is_at_most_one_frame(data: bytes, edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    for _ in range(40):
        peer.say(data * 8)
        decoder = peer.connection._decoder
        assert decoder.pending <= UNIT_BYTES_MAX + 25
    peer.wait(10)
    assert isinstance(decoder, StreamDecoder)
    assert decoder.pending == 0
