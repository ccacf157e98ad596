"""MQTT 3.1.1 without I/O: packets into one buffer each, so that each leaves by one write, and out of bytes.

A packet in several writes is several TLS records and often several segments, each waiting for the last one's
acknowledgement: eleven messages a second instead of thousands.
"""

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
QOS_1 = 2
RETAIN = 1


class PacketWriter:
    """Writes a packet at a time into a buffer that is made once.

    Args:
        size: bytes of the buffer; a packet that does not fit raises `ValueError`.

    Attributes:
        buffer: the packet.
        length: its bytes; 0 for none.
    """

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self._view = memoryview(self.buffer)
        self.length = 0

    def written(self) -> memoryview:
        """The packet, a view that the next one makes stale."""
        return self._view[: self.length]

    def connect(
        self,
        client_id: str,
        keep_alive_s: int,
        user=None,
        password=None,
        will_topic=None,
        will=None,
    ):
        """CONNECT with a clean session; the will is retained and of QoS 1."""
        flags, size = 2, 10 + 2 + len(client_id.encode())
        texts = [client_id.encode()]
        if will is not None:
            flags |= 0x2C
            texts += [will_topic.encode(), will]
        if user is not None:
            flags |= 0x80
            texts.append(user.encode())
        if password is not None:
            flags |= 0x40
            texts.append(password.encode())
        size = 10 + sum(2 + len(text) for text in texts)
        self._begin(0x10, size)
        self._raw(b"\x00\x04MQTT\x04")
        self._raw(bytes((flags, keep_alive_s >> 8, keep_alive_s & 0xFF)))
        for text in texts:
            self._text(text)

    def subscribe(self, packet_id: int, topic: str):
        """SUBSCRIBE to one topic, QoS 1."""
        octets = topic.encode()
        self._begin(0x82, 5 + len(octets))
        self._word(packet_id)
        self._text(octets)
        self._raw(b"\x01")

    def publish(self, packet_id: int, topic: str, payload, retain: bool = False):
        """PUBLISH with QoS 1."""
        octets = topic.encode()
        self._begin(0x30 | QOS_1 | (RETAIN if retain else 0), 4 + len(octets) + len(payload))
        self._text(octets)
        self._word(packet_id)
        self._raw(payload)

    def puback(self, packet_id: int):
        """PUBACK."""
        self._begin(0x40, 2)
        self._word(packet_id)

    def octets(self, octets):
        """A packet that is always the same, such as `PINGREQ`."""
        self.length = 0
        self._raw(octets)

    def _begin(self, first: int, size: int):
        self.length = 0
        if size + 5 > len(self.buffer):
            raise ValueError("packet does not fit")
        self._raw(bytes((first,)))
        while True:
            octet, size = size & 0x7F, size >> 7
            self._raw(bytes((octet | (0x80 if size else 0),)))
            if not size:
                break

    def _text(self, octets):
        self._word(len(octets))
        self._raw(octets)

    def _word(self, number: int):
        self._raw(bytes((number >> 8, number & 0xFF)))

    def _raw(self, octets):
        end = self.length + len(octets)
        if end > len(self.buffer):
            raise ValueError("packet does not fit")
        self._view[self.length : end] = octets
        self.length = end


class PacketReader:
    """Cuts received bytes into packets.

    Args:
        limit: the longest packet that is wanted; longer ones are skipped and counted.

    Attributes:
        skipped: packets that were too long.
    """

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray(limit)
        self._view = memoryview(self._buffer)
        self._have = 0
        self._skip = 0
        self._used = 0
        self.skipped = 0

    def reset(self):
        """Begin anew, with another connection."""
        self._have = self._skip = self._used = 0

    def room(self) -> memoryview:
        """A view into which bytes may be received; `received` tells how many came."""
        self._drop(self._used)
        self._used = 0
        return self._view[self._have :]

    def received(self, count: int):
        """Take `count` bytes that have been written into `room`."""
        if self._skip:
            gone = min(self._skip, count)
            self._skip -= gone
            self._view[self._have : self._have + count - gone] = bytes(
                self._view[self._have + gone : self._have + count]
            )
            count -= gone
        self._have += count

    def packet(self) -> tuple | None:
        """The next whole packet: type, flags, and a view of what follows; None until there is one.

        Raises:
            ValueError: the bytes are no MQTT.
        """
        self._drop(self._used)
        self._used = 0
        size, place, shift = 0, 1, 0
        while True:
            if place >= self._have:
                return None
            octet = self._buffer[place]
            size |= (octet & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if not octet & 0x80:
                break
            if shift > 21:
                raise ValueError("no MQTT")
        end = place + size
        if end > len(self._buffer):
            self.skipped += 1
            self._skip = end - self._have
            self._have = 0
            if self._skip < 0:
                raise ValueError("no MQTT")
            return None
        if end > self._have:
            return None
        self._used = end
        return self._buffer[0] >> 4, self._buffer[0] & 15, self._view[place:end]

    def _drop(self, count: int):
        if count:
            rest = self._have - count
            self._view[:rest] = bytes(self._view[count : self._have])
            self._have = rest


def read_publish(flags: int, body):
    """Topic (bytes), packet id (0 for QoS 0) and payload (a view) of a PUBLISH.

    Raises:
        ValueError: it is none.
    """
    if len(body) < 2:
        raise ValueError("no PUBLISH")
    end = 2 + (body[0] << 8 | body[1])
    packet_id = 0
    start = end
    if flags >> 1 & 3:
        start += 2
        if start > len(body):
            raise ValueError("no PUBLISH")
        packet_id = body[end] << 8 | body[end + 1]
    if start > len(body):
        raise ValueError("no PUBLISH")
    return bytes(body[2:end]), packet_id, body[start:]
