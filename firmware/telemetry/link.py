"""A connection to the broker that never blocks but for the name server: TCP, and TLS over it."""

import errno
import select
import socket
import ssl

_AGAIN = (errno.EAGAIN, errno.EINPROGRESS, errno.EALREADY, 2, 3)
"""What asks for patience; 2 and 3 are SSL_ERROR_WANT_READ and _WRITE, which CPython raises as errors."""

CLOSED, CONNECTING, OPEN = range(3)


class Link:
    """One connection at a time.

    Args:
        host: name of the broker; TLS compares it with the certificate.
        port: TCP port.
        authority: certificate of the authority that the broker is trusted by, DER (MicroPython's TLS takes no
            PEM); None for plain TCP.
        certificate: of this node, DER, where the broker asks for one.
        key: its private key, DER.

    Attributes:
        state: `CLOSED`, `CONNECTING` or `OPEN`.
    """

    def __init__(self, host: str, port: int, authority=None, certificate=None, key=None) -> None:
        self._host, self._port = host, port
        self._context = None
        if authority is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(cadata=authority)
            if certificate is not None:
                self._context.load_cert_chain(certificate, key)
        self._socket = self._stream = None
        self._poller = None
        self._ends_ms = 0
        self.state = CLOSED

    def open(self, now_ms: int, patience_ms: int = 15_000) -> None:
        """Begin to connect.

        Raises:
            OSError: the name is not known, or there is no network.
        """
        address = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)[0]
        self._socket = socket.socket(address[0], socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._ends_ms = now_ms + patience_ms
        self.state = CONNECTING
        try:
            self._socket.connect(address[-1])
        except OSError as error:
            if error.args[0] not in _AGAIN:
                self.close()
                raise
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLOUT)

    def step(self, now_ms: int) -> bool:
        """Go on connecting; whether the connection is open now.

        Raises:
            OSError: nobody answers, or not in time.
        """
        if self.state == OPEN:
            return True
        events = self._poller.poll(0)
        if not events:
            if now_ms > self._ends_ms:
                raise OSError(errno.ETIMEDOUT)
            return False
        if events[0][1] & (select.POLLERR | select.POLLHUP):
            raise OSError(errno.ECONNREFUSED)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, 1, 1)  # TCP_NODELAY: a packet is one write
        except (AttributeError, OSError):
            # Not every port has it, and none needs it.
            pass
        self._stream = self._socket
        if self._context is not None:
            self._stream = self._context.wrap_socket(
                self._socket, server_hostname=self._host, do_handshake_on_connect=False
            )
        self.state = OPEN
        return True

    def read_into(self, buffer: memoryview) -> int:
        """Take what has come: how many bytes, 0 for none yet.

        Raises:
            OSError: the connection is over.
        """
        return self._moved(self._receive, buffer)

    def write(self, octets: memoryview) -> int:
        """Hand bytes over: how many were taken. The same ones have to come again until all are.

        Raises:
            OSError: the connection is over.
        """
        return self._moved(self._send, octets)

    def close(self) -> None:
        """End the connection, if there is one."""
        for each in (self._stream, self._socket):
            if each is not None:
                try:
                    each.close()
                except OSError:
                    # It was over already.
                    pass
        self._socket = self._stream = self._poller = None
        self.state = CLOSED

    def _receive(self, buffer: memoryview):
        if not len(buffer):
            return None
        into = getattr(self._stream, "recv_into", None) or self._stream.readinto
        count = into(buffer)
        if count == 0:
            raise OSError(errno.ECONNRESET)
        return count

    def _send(self, octets: memoryview):
        send = getattr(self._stream, "write", None) or self._stream.send
        return send(octets)

    def _moved(self, move, octets: memoryview) -> int:
        try:
            return move(octets) or 0
        except OSError as error:
            if error.args and error.args[0] in _AGAIN:
                return 0
            raise
