"""Decode what comes from a line, read it, write it anew: runs on MicroPython and CPython, to be compared.

Standard input brings requests, each behind its length; what is answered goes to standard output the same way.
A request is pieces of a line, each behind its length of two bytes, as they are fed to a decoder one after the
other.
"""

import binascii
import struct
import sys

try:
    from edge.wire import vlink, vlink_frames, vlink_messages
except ImportError:
    import vlink  # type: ignore[import-not-found, no-redef]
    import vlink_frames  # type: ignore[import-not-found, no-redef]
    import vlink_messages  # type: ignore[import-not-found, no-redef]

READERS = {
    vlink.HELLO: vlink_messages.read_hello,
    vlink.FRAMES: vlink_frames.read_frames,
    vlink.STATUS: vlink_messages.read_status,
    vlink.EVENT: vlink_messages.read_event,
    vlink.TIME: vlink_messages.read_time_answer,
    vlink.ACK: vlink_messages.read_ack,
    vlink.HOST_HELLO: vlink_messages.read_host_hello,
    vlink.HOST_TIME: vlink_messages.read_time_question,
    vlink.COMMAND: vlink_messages.read_command,
}


def values_of(message: object) -> bytes:
    """Spell out the values of frames; other messages show by what they are written as."""
    if not isinstance(message, vlink_frames.Frames):
        return b""
    frames = [
        f"{delta_us} {kind} {can_id} {binascii.hexlify(data).decode()}"
        for delta_us, kind, can_id, data in message.frames
    ]
    return f"{message.bus} {message.first} {message.t_us}: {frames}".encode()


def answer(request: bytes) -> bytes:
    """Answer one request: what each packet holds and is when written anew, then the counters."""
    decoder = vlink.Decoder()
    encoder = vlink.Encoder()
    answers = []
    at = 0
    while at + 2 <= len(request):
        (length,) = struct.unpack_from("<H", request, at)
        piece = request[at + 2 : at + 2 + length]
        at += 2 + length
        decoder.feed(piece, len(piece))
        while True:
            packet = decoder.packet()
            if packet is None:
                break
            kind, sequence, payload = packet
            answers.append(struct.pack("<BH", kind, sequence) + bytes(payload))
            reader = READERS.get(kind)
            if reader is None:
                answers.append(b"unknown")
                continue
            try:
                message = reader(payload)
            except ValueError as error:
                answers.append(str(error).encode())
                continue
            answers.append(values_of(message))
            encoder.sequence = sequence
            n = encoder.seal(kind, message.write(encoder.buffer, vlink.HEADER))  # type: ignore[attr-defined]
            answers.append(bytes(encoder.line[:n]))
    counters = struct.pack(
        "<IIIII", decoder.packets, decoder.bad_cobs, decoder.bad_crc, decoder.too_long, decoder.skipped_bytes
    )
    return b"\xff".join(answers) + counters


def serve() -> None:
    """Answer requests until there are no more."""
    while True:
        head = sys.stdin.buffer.read(4)
        if len(head) < 4:
            return
        request = sys.stdin.buffer.read(struct.unpack("<I", head)[0])
        told = answer(request)
        sys.stdout.buffer.write(struct.pack("<I", len(told)))
        sys.stdout.buffer.write(told)
        # Of MicroPython it is a raw descriptor, which holds nothing back and has no flush.
        if hasattr(sys.stdout.buffer, "flush"):
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()
