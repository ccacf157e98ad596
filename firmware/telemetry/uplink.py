"""What goes to the broker when, without I/O: live first, then what waits; receipts settle it."""

from .cbor import Writer
from .mac import DOWN, ENVELOPE_BYTES, STATUS, UP
from .mqtt import CONNACK, PINGREQ, PUBACK, PUBLISH, SUBACK, PacketReader, PacketWriter, read_publish
from .receipt import read_receipt

IN_FLIGHT = 8
"""Messages that the broker has not acknowledged."""

BACKLOG_IN_FLIGHT = 4

_CONNECTING, _SUBSCRIBING, _UP = range(3)
_LIVE, _BACKLOG, _LOSSES, _CORRECTION, _STATUS = range(5)
_KINDS = ("live", "alarm", "backlog", "event")
_ANSWER_MS = 20_000
_CROSSING_MS = 5_000
_LONGEST_PROBE_MS = 3_600_000
_SUBSCRIPTION = 1
_MANY = 64


class UplinkSettings:
    """How a node reaches the platform.

    Args:
        client_id: name of the session at the broker.
        user: name at the broker, if it asks for one.
        password: the same.
        keep_alive_s: of the session.
        receipt_timeout_s: how long after the last message a receipt is waited for, before one is sent again.
        first_delay_s: wait before the first new attempt; each is twice as long as the one before.
        longest_delay_s: the longest.
        tells_status: whether it says, by a retained message and a will, that the vehicle is online; not where
            the vehicle has a gateway, which says so itself.
    """

    def __init__(
        self,
        client_id: str,
        user=None,
        password=None,
        keep_alive_s: int = 60,
        receipt_timeout_s: int = 60,
        first_delay_s: int = 1,
        longest_delay_s: int = 300,
        tells_status: bool = True,
    ) -> None:
        self.client_id, self.user, self.password = client_id, user, password
        self.keep_alive_s, self.receipt_timeout_s = keep_alive_s, receipt_timeout_s
        self.first_delay_s, self.longest_delay_s = first_delay_s, longest_delay_s
        self.tells_status = tells_status


class Uplink:
    """One node's session with the broker, over as many connections as it takes.

    Args:
        ring: the messages (`flash_ring.FlashRing`).
        writer: writes messages about them (`record.RecordWriter`).
        authenticator: wraps and opens (`mac.Authenticator`).
        settings: how to reach the platform.
        random_byte: gives 0 to 255, so that nodes do not come back all at once.
        software: name and version for the status.
        message_bytes: most bytes of a message.

    Attributes:
        up: whether messages can go.
        counts: what happened, by name.
        server_time_ns: Unix time in the last receipt that knows a record of this boot; 0 before any, and
            once it was taken.
    """

    def __init__(
        self,
        ring,
        writer,
        authenticator,
        settings,
        random_byte,
        software: str = "nevgate node",
        message_bytes: int = 2048,
    ) -> None:
        self._ring, self._writer, self._authenticator = ring, writer, authenticator
        self._settings, self._random_byte, self._software = settings, random_byte, software
        self._root = "nev/v1/" + writer.vehicle
        self._receipt_topic = (self._root + "/down/receipt").encode()
        # What waits may be longer than this program's own messages: an earlier one had more items.
        message_bytes = max(message_bytes, 1024, ring.longest)
        self._wrapped = Writer(message_bytes + ENVELOPE_BYTES)
        self.out = PacketWriter(message_bytes + 512)
        self.reader = PacketReader(4096 + ENVELOPE_BYTES + 256)
        self.counts = dict.fromkeys(
            ("connections", "live", "backlog", "PUBACK", "receipts", "receipts refused"), 0
        )
        self.server_time_ns = 0
        self.up = False
        self.next_try_ms = 0
        self._failures = 0
        self._correction = None
        self._first = ring.next_number
        self._probe_ms = settings.receipt_timeout_s * 1000
        self._forget()

    def _forget(self):
        """What belongs to one connection."""
        self.up = False
        self._state = _CONNECTING
        self._open = False
        self._hello = True
        self._flight = {}
        self._answers = []
        self._packet_id = _SUBSCRIPTION
        self._live = 0
        self._live_kind = 0
        self._cursor = 0
        self._sent_live = set()
        self._losses_said = None
        self._status_owed = self._settings.tells_status
        self._ping_owed = False
        self._again = 0
        self._nothing = False

    def opened(self, now_ms: int):
        """A connection stands; speak."""
        self._forget()
        self.reader.reset()
        self._open = True
        self.counts["connections"] += 1
        self._heard_ms = self._spoke_ms = self._sent_ms = self._backlog_ms = now_ms

    def closed(self, now_ms: int):
        """The connection ended, or could not be made; tell when to try again in `next_try_ms`."""
        delay_ms = int(self._settings.first_delay_s * 1000) << min(self._failures, 16)
        longest_ms = int(self._settings.longest_delay_s * 1000)
        delay_ms = min(delay_ms, longest_ms)
        self.next_try_ms = now_ms + delay_ms // 2 + (delay_ms // 2) * self._random_byte() // 255
        self._failures += 1
        self._forget()

    def committed(self, number: int, kind: int):
        """A record was committed just now; it goes first, and as `kind`, while the connection stands."""
        self._live, self._live_kind = (number, kind) if self.up else (0, 0)
        self._nothing = False
        if len(self._sent_live) > _MANY:
            first = self._ring.first
            self._sent_live = {sent for sent in self._sent_live if sent >= first}

    def lost(self):
        """The ring has numbers that will not come."""
        self._nothing = False

    def correct(self, from_ns: int, to_ns: int, offset_ns: int, quality: int):
        """Have a time correction sent for the records of that time of this boot."""
        self._correction = (from_ns, to_ns, offset_ns, quality)
        self._nothing = False

    def overdue(self, now_ms: int):
        """Whether the connection is dead: no answer where one is due."""
        if not self._open:
            return False
        if self._state != _UP or self._flight:
            return now_ms - max(self._heard_ms, self._sent_ms) > _ANSWER_MS
        return now_ms - self._heard_ms > self._settings.keep_alive_s * 1500 + _ANSWER_MS

    def received(self, count: int, now_ms: int):
        """Take bytes that came into `reader.room()`.

        Raises:
            ValueError: they are no MQTT, or the broker refuses the session; close the connection.
        """
        self._heard_ms = now_ms
        self.reader.received(count)
        while True:
            packet = self.reader.packet()
            if packet is None:
                return
            kind, flags, body = packet
            if kind == PUBLISH:
                self._arrived(flags, body)
            elif kind == PUBACK and len(body) >= 2:
                self.counts["PUBACK"] += 1
                self._nothing = False
                done = self._flight.pop(body[0] << 8 | body[1], None)
                if done is not None and done[0] == _CORRECTION and done[1] == self._correction:
                    self._correction = None
            elif kind == CONNACK:
                if self._state != _CONNECTING or len(body) != 2 or body[1]:
                    raise ValueError("the broker refuses the session")
                self._state = _SUBSCRIBING
                self._hello = True
            elif kind == SUBACK:
                if self._state != _SUBSCRIBING or len(body) != 3 or body[2] & 0x80:
                    raise ValueError("the broker refuses the subscription")
                self._state, self.up, self._failures = _UP, True, 0

    def compose(self, now_ms: int):
        """Write the next packet into `out`, to be sent before the next is composed; whether there is one."""
        out = self.out
        out.length = 0
        if not self._open:
            return False
        if self._state != _UP:
            if not self._hello:
                return False
            self._hello = False
            if self._state == _CONNECTING:
                self._greet()
            else:
                out.subscribe(_SUBSCRIPTION, self._receipt_topic.decode())
        elif self._answers:
            out.puback(self._answers.pop(0))
        elif not self._publish(now_ms):
            if now_ms - self._spoke_ms < self._settings.keep_alive_s * 1000:
                return False
            out.octets(PINGREQ)
        self._spoke_ms = now_ms
        return True

    def _greet(self):
        settings = self._settings
        self._status(online=False)
        self.out.connect(
            settings.client_id,
            settings.keep_alive_s,
            settings.user,
            settings.password,
            self._root + "/status",
            self._wrapped.written() if settings.tells_status else None,
        )

    def _publish(self, now_ms: int):  # noqa: PLR0911 - one return a kind of message
        """The most urgent message, if the broker may be sent one."""
        if len(self._flight) >= IN_FLIGHT:
            return False
        if self._status_owed:
            self._status_owed = False
            self._status(online=True)
            return self._send("/status", _STATUS, 0, now_ms, retain=True)
        if self._live:
            number, kind, self._live = self._live, self._live_kind, 0
            if self._stored(number):
                self._sent_live.add(number)
                self.counts["live"] += 1
                return self._send("/up/" + _KINDS[kind], _LIVE, number, now_ms)
        if self._nothing or len(self._flight) >= BACKLOG_IN_FLIGHT:
            return self._probe(now_ms)
        losses = self._ring.losses
        if losses and losses != self._losses_said:
            self._losses_said = list(losses)
            self._wrap(self._writer.losses(losses), UP)
            return self._send("/up/backlog", _LOSSES, 0, now_ms)
        if self._correction is not None and not any(sent[0] == _CORRECTION for sent in self._flight.values()):
            self._wrap(self._writer.correction(*self._correction), UP)
            return self._send("/up/event", _CORRECTION, self._correction, now_ms)
        while True:
            self._cursor = self._ring.wanted(self._cursor)
            if not self._cursor:
                self._cursor = self._ring.last
                self._nothing = True
                return self._probe(now_ms)
            if self._cursor not in self._sent_live and self._stored(self._cursor):
                self.counts["backlog"] += 1
                self._backlog_ms = now_ms
                return self._send("/up/backlog", _BACKLOG, self._cursor, now_ms)

    def _probe(self, now_ms: int):
        """Where all was sent and no receipt comes, send the oldest again, ever more rarely."""
        if self._flight or now_ms - self._sent_ms < self._probe_ms:
            return False
        number = self._ring.wanted(0)
        if not number or not self._stored(number):
            self._sent_ms = now_ms
            return False
        self._probe_ms = min(2 * self._probe_ms, _LONGEST_PROBE_MS)
        return self._send("/up/backlog", _BACKLOG, number, now_ms)

    def _stored(self, number: int):
        """Bring a message out of the ring; one that cannot be read is lost."""
        length = self._ring.read(number, self._wrapped.buffer)
        self._wrapped.length = length
        if not length:
            self._ring.lose(number, number)
        return length > 0

    def _wrap(self, message, role: str):
        self._wrapped.reset()
        self._authenticator.wrap(message, role, self._wrapped)

    def _send(self, topic: str, what: int, number: int, now_ms: int, retain: bool = False):
        self._packet_id = self._packet_id % 0xFFFF + 1
        while self._packet_id in self._flight:
            self._packet_id = self._packet_id % 0xFFFF + 1
        self._flight[self._packet_id] = (what, number)
        self._sent_ms = now_ms
        self.out.publish(self._packet_id, self._root + topic, self._wrapped.written(), retain)
        return True

    def _status(self, online: bool):
        status = Writer(64 + 2 * len(self._software))
        status.map(5)
        for field, content in ((1, 1), (2, 1 if online else 0)):
            status.integer(field)
            status.integer(content)
        status.integer(3)
        status.octets(self._ring.stream)
        status.integer(4)
        status.text(self._software)
        status.integer(5)
        status.integer(self._ring.last)
        self._wrap(status.written(), STATUS)

    def _arrived(self, flags: int, body):
        topic, packet_id, payload = read_publish(flags, body)
        if packet_id:
            self._answers.append(packet_id)
        if topic != self._receipt_topic or not payload or payload[0] != 0xD1:
            # The gateway of the same vehicle has its signed receipts here too.
            return
        try:
            receipt = read_receipt(self._authenticator.open(payload, DOWN))
        except ValueError:
            self.counts["receipts refused"] += 1
            return
        stream, watermark, missing, highest, time_ns = receipt
        if stream != self._ring.stream:
            return
        self.counts["receipts"] += 1
        if self._first <= highest <= self._ring.last:
            # It knows a record of this boot; an older receipt, played again, would tell an old time.
            self.server_time_ns = time_ns
        self._probe_ms = self._settings.receipt_timeout_s * 1000
        self._ring.settle(watermark, missing, highest)
        self._nothing = False
        self._sent_live = {number for number in self._sent_live if number > highest}
        wanted = self._ring.wanted(0)
        under_way = any(number == wanted for _, number in self._flight.values())
        crossed = self._heard_ms - self._backlog_ms < _CROSSING_MS
        if wanted and wanted <= min(self._cursor, highest) and not (under_way or crossed):
            self._cursor = 0
