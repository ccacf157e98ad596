"""A camera on a network: RTSP (RFC 2326) with RTP over its own connection, pictures as JPEG (RFC 2435)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from edge.vision.picture import Pixels

Frames = Callable[[int], Pixels]
Damage = Callable[[int, bytes], bytes | None]

PERIOD_S = 0.02
_RTP_HZ = 90_000
_PAYLOAD_BYTES = 1400
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\n{media}"
_VIDEO = "m=video 0 RTP/AVP 26\r\na=control:video\r\n"
_AUDIO = "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n"


class RtspServer:
    """Serves one camera on loopback until its `with` block ends.

    Args:
        frames: gives the frame of a number.
        damage: what is sent instead of the encoded frame of a number; None sends nothing any more but keeps
            the connection, ConnectionError ends it.
        audio: whether it offers sound as well.
    """

    def __init__(
        self, frames: Frames, damage: Damage = lambda _, coded: coded, *, audio: bool = False
    ) -> None:
        self._frames, self._damage, self._audio = frames, damage, audio
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self._sending = threading.Condition()
        self._sent = 0
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/front"

    def wait_for(self, frames: int) -> None:
        """Wait until so many more frames were sent."""
        with self._sending:
            end = self._sent + frames
            assert self._sending.wait_for(lambda: self._sent >= end, timeout=30)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._talk, args=[connection], daemon=True))
                self._threads[-1].start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.settimeout(0.1)
            while request := self._request(lines.readline):
                method, sequence = request
                self.asked.append(method)
                connection.sendall(self._answer(method, sequence))
                if method.startswith("PLAY"):
                    self._play(connection)
                    return

    def _request(self, readline: Callable[[], bytes]) -> tuple[str, str] | None:
        first = readline().decode()
        headers = {}
        while (line := readline().decode().strip()) and first:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return (first, headers["cseq"]) if first else None

    def _answer(self, method: str, sequence: str) -> bytes:
        head = f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nSession: 1\r\n"
        if method.startswith("DESCRIBE"):
            text = _SDP.format(media=_VIDEO + (_AUDIO if self._audio else ""))
            return (
                f"{head}Content-Type: application/sdp\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
            )
        if method.startswith("SETUP"):
            return f"{head}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n".encode()
        return f"{head}Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n".encode()

    def _play(self, connection: socket.socket) -> None:
        number, packets = 0, 0
        while not self._stop.wait(PERIOD_S):
            good, jpeg = cv2.imencode(".jpg", self._frames(number), [cv2.IMWRITE_JPEG_QUALITY, 90])
            assert good
            coded = self._damage(number, jpeg.tobytes())
            if coded is None:
                self._stop.wait()
                return
            for packet in _packets(coded, self._frames(number).shape, number, packets):
                connection.sendall(packet)
                packets += 1
            number += 1
            with self._sending:
                self._sent += 1
                self._sending.notify_all()


def _packets(jpeg: bytes, shape: tuple[int, ...], number: int, first: int) -> list[bytes]:
    """A frame as packets of RTP, framed for the connection they share."""
    tables, scan = _parts(jpeg)
    payloads: list[bytes] = []
    at = 0
    while at < len(scan) or not payloads:
        head = struct.pack(">BBHBBBB", 0, at >> 16, at & 0xFFFF, 1, 255, shape[1] // 8, shape[0] // 8)
        head += struct.pack(">BBH", 0, 0, len(tables)) + tables if at == 0 else b""
        piece = scan[at : at + _PAYLOAD_BYTES]
        payloads.append(head + piece)
        at += len(piece) or 1
    ticks = round(number * PERIOD_S * _RTP_HZ)
    out = []
    for place, payload in enumerate(payloads):
        last = 0x80 if place == len(payloads) - 1 else 0
        rtp = struct.pack(">BBHII", 0x80, 26 | last, (first + place) & 0xFFFF, ticks, 0xCA3E) + payload
        out.append(struct.pack(">cBH", b"$", 0, len(rtp)) + rtp)
    return out


def _parts(jpeg: bytes) -> tuple[bytes, bytes]:
    """The quantisation tables of a JPEG, and its scan."""
    tables, at = b"", 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        held = jpeg[at + 4 : at + 2 + length]
        if marker == 0xDB:
            tables += b"".join(held[start + 1 : start + 65] for start in range(0, len(held), 65))
        at += 2 + length
        if marker == 0xDA:
            return tables, jpeg[at:].removesuffix(b"\xff\xd9")


def flip(coded: bytes, seed: int, count: int) -> bytes:
    """Flip bits in the later part of an encoded frame, its scan."""
    random = np.random.default_rng(seed)
    changed = bytearray(coded)
    for at in random.integers(len(coded) // 2, len(coded) - 2, count):
        changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)
