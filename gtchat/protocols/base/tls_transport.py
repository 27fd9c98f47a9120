"""TLS connections that write directly to the kernel, as `EagerServer` does it for plain ones.

Twisted's TLS is a protocol above a TCP connection: its writes wait for two reactor iterations and
pass through six layers. Here the accepted connection encrypts what it is given, and `send` of the
socket is tried at once. The TLS is that of the standard library (RFC 5246, RFC 8446), between two
buffers in memory:

    incoming    what the socket received, of one connection. A part of a record waits in it.
    outgoing    records to be sent. It is empty between two calls, so that one serves a whole port.

OpenSSL never reads from the socket itself, although that would save a copy: in one call it handles
as many records without data as there are, and 8 MB of key updates (RFC 8446 section 4.6.3), which
a client sends in a second, stopped the server for nine. Here a call handles `READ_BYTES`, and a
connection ends that sends many more records without data than its data pays for: 16 KiB of key
updates take 19 ms. TLS libraries send one after some millions of records, if at all.

What the kernel does not take waits encrypted in Twisted's buffer, ahead of all that follows. What
is written before the handshake ends waits as it is. `tls_port` has what the connections of a port
share.

Names of Twisted that it does not document: see `transport`, and besides

    Connection._postLoseConnection, _closeWriteConnection    called when all is sent, before the
                            socket or its writing side is closed
    FileDescriptor.stopWriting    called when all is sent, before the producer is resumed
    FileDescriptor._writeDisconnected, _writeDisconnecting    loseWriteConnection
    Port._type              what a port is called in the log and in its URL

Clients are not asked for certificates, and nothing uses pyOpenSSL's connection object. Endpoints
that need either are Twisted's own.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet import main
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.protocols.base.transport import EagerServer
from gtchat.protocols.base.unsent import PIECE_BYTES

#: Bytes that are read at once: the largest record (RFC 8446 section 5.2) and its header.
READ_BYTES = 16_384 + 256 + 5
#: Records without data that a connection may send in advance, 64 KiB of key updates; and bytes of
#: data that pay for one of them.
EMPTY_RECORDS, EMPTY_PRICE = 2_400, 1_024
#: Bytes of answers to such records that may wait for a peer that does not read.
ANSWER_BYTES = 65_536
#: Socket option that acknowledges now what was received (tcp(7)); Linux only.
_TCP_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Handshakes(Protocol):
    """Takes note of the handshakes that are under way."""

    def add(self, connection: TLSServer) -> None:
        """Take note of one that begins."""

    def discard(self, connection: TLSServer) -> None:
        """Take note that one has ended, if it has not ended before."""


class TLSListener(Protocol):
    """A listening port.

    Attributes:
        outgoing: records that one of its connections is about to send.
        handshakes: those of its connections.
    """

    outgoing: ssl.MemoryBIO
    handshakes: Handshakes

    def wrap(self, incoming: ssl.MemoryBIO) -> ssl.SSLObject:
        """Return the TLS of a connection, between `incoming` and `outgoing`."""


class RecordCounter:
    """Counts the records in a stream of bytes by their headers (RFC 8446 section 5.1)."""

    __slots__ = ("_before", "_header")

    def __init__(self) -> None:
        #: What has come of a header that is not complete, and bytes before the next one.
        self._header, self._before = b"", 0

    def add(self, sealed: bytes) -> int:
        """Return how many records have begun since the call before. sealed: what has arrived."""
        data, at, count = self._header + sealed, self._before, 0
        while at + 5 <= len(data):
            at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
            count += 1
        self._header, self._before = data[at:], max(0, at - len(data))
        return count


@implementer(ISSLTransport)
class TLSServer(EagerServer):
    """An accepted connection whose bytes are encrypted.

    The protocol is connected when TCP is, as with Twisted's TLS, so that its limits and deadlines
    hold for the handshake, too.
    """

    server: TLSListener  # type: ignore[assignment]
    _handshaking = True
    #: Whether close_notify (RFC 8446 section 6.1) was sent.
    _ended = False
    #: Bytes of what TLS has said itself that have waited since the buffers were empty.
    _answers = 0
    #: What was written before TLS could encrypt it.
    _early: tuple[bytes, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = self.server.outgoing
        self._tls = self.server.wrap(self._incoming)
        self._records = RecordCounter()
        #: Bytes of data that are not used up for records without data.
        self._credit = EMPTY_RECORDS * EMPTY_PRICE
        self.server.handshakes.add(self)

    def getPeerCertificate(self) -> None:
        """Return the certificate of the peer (ISSLTransport): none is asked for."""

    # Writing.

    @property
    def send_now(self) -> Callable[[bytes], int | None]:
        """What encrypts and sends bytes now: see `Outbox.send`.

        It raises OSError if it took nothing, as during the handshake.
        """
        return self._send

    def _send(self, data: bytes) -> int | None:
        if len(data) > PIECE_BYTES:
            return self._send_pieces(data)
        self._tls.write(data)
        sealed = self._outgoing.read()
        try:
            sent = self.socket.send(sealed)
        except OSError:
            sent = 0  # full or broken: Twisted's `doWrite` finds out which
        if sent == len(sealed):
            return len(data)
        self._keep(sealed[sent:])
        return None

    def _send_pieces(self, data: bytes) -> int | None:
        """Send a piece after the other, until the kernel is full.

        The rest is not encrypted: as long as it is not, it can be dropped.
        """
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            if self._send(piece) is None:
                taken = start + len(piece)
                return taken if taken < len(data) else None
        return len(data)

    def _keep(self, sealed: bytes) -> None:
        """Buffer records that the kernel did not take, and pause the producer until they are sent.

        Args:
            sealed: records, or their rest.
        """
        super().write(sealed)  # type: ignore[no-untyped-call]
        self._pause_while_buffered()

    def write(self, data: bytes) -> None:
        """Encrypt bytes and buffer them (ITransport.write). During the handshake they wait."""
        if not self.connected or self._writeDisconnected or self._ended:
            return
        for start in range(0, len(data), PIECE_BYTES):
            try:
                self._tls.write(data[start : start + PIECE_BYTES])
            except ssl.SSLWantReadError:
                self._early += (data[start:],)
                return
            except ssl.SSLError:
                self.abortConnection()  # type: ignore[no-untyped-call]
                return
            super().write(self._outgoing.read())  # type: ignore[no-untyped-call]

    def writeSequence(self, iovec: Any) -> None:
        """Write pieces as one (ITransport.writeSequence)."""
        self.write(b"".join(iovec))

    def write_direct(self, data: bytes) -> int:
        """Send as much as the kernel takes now, and buffer the rest. Return its size in bytes."""
        before = self._waiting
        if not (self._buffered or self.disconnecting or self._ended or not self.connected):
            with suppress(ssl.SSLError):  # the handshake is under way
                sent = self._send(data)
                if sent == len(data):
                    return 0
                data = data[sent:] if sent is not None else b""
        self.write(data)
        return self._waiting - before

    @property
    def _waiting(self) -> int:
        """Return the number of bytes that are written and not sent."""
        return self._tempDataLen + len(self.dataBuffer) - self.offset + sum(map(len, self._early))

    @property
    def _buffered(self) -> bool:
        return bool(self._tempDataBuffer or self.dataBuffer or self._early)

    def _flush_outgoing(self) -> None:
        """Send what TLS has to say itself: its part of the handshake, alerts, new keys."""
        sealed = self._outgoing.read()
        if not sealed:
            return
        sent = 0
        if not (self._tempDataBuffer or self.dataBuffer):
            with suppress(OSError):
                sent = self.socket.send(sealed)
        if sent != len(sealed):
            self._answers += len(sealed) - sent
            self._keep(sealed[sent:])

    def stopWriting(self) -> None:
        """Wait no longer until the socket is writable: all is sent (called by `doWrite`)."""
        self._answers = 0
        super().stopWriting()  # type: ignore[no-untyped-call]

    def _write_early(self) -> None:
        """Write what had to wait for the peer."""
        early, self._early = self._early, ()
        if early:
            self.write(b"".join(early))

    # Reading.

    def doRead(self) -> Any:
        """Read what has arrived, and give the protocol the data in it (IReadDescriptor.doRead)."""
        try:
            sealed = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not sealed:
            return main.CONNECTION_LOST  # without close_notify: something may be missing
        self._incoming.write(sealed)
        records = self._records.add(sealed)
        if self._handshaking:
            if not self._shake_hands():
                return None if self._handshaking else main.CONNECTION_LOST
            records = 0  # those of the handshake cost nothing
        return self._receive(records)

    def _shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is complete.

        If it has failed, `_handshaking` is false.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush_outgoing()
            return False
        except ssl.SSLError:
            self._handshaking = False
            self._ended = True  # an alert has ended it
            self._flush_outgoing()
            return False
        self._handshaking = False
        self.server.handshakes.discard(self)
        self._flush_outgoing()
        self._write_early()
        if _TCP_QUICKACK is not None:
            # With TLS 1.3 the server has nothing to send now, so TCP would acknowledge 40 ms later.
            # A client with Nagle's delay waits for that before it sends its request.
            with suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)
        if self._writeDisconnecting:
            self.startWriting()  # type: ignore[no-untyped-call]
        return True

    def _receive(self, records: int) -> Any:
        """Decrypt all that has arrived, and give it to the protocol.

        Args:
            records: number of records that have begun in it.

        Returns:
            What `doRead` returns.
        """
        pieces: list[bytes] = []
        end: Exception | None = None
        while self._incoming.pending:
            try:
                piece = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError:
                self._ended = True
                end = main.CONNECTION_LOST
                break
            if not piece:  # close_notify, which is read last
                end = main.CONNECTION_DONE
                break
            pieces.append(piece)
        self._flush_outgoing()
        if self._early:
            self._write_early()
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        # A piece is a record: OpenSSL reads no further. One that began earlier is paid back.
        change = len(data) - EMPTY_PRICE * (records - len(pieces))
        self._credit = min(EMPTY_RECORDS * EMPTY_PRICE, self._credit + change)
        if self._answers > ANSWER_BYTES:
            return main.CONNECTION_LOST  # no outbox counts them
        if self.disconnecting:
            return None  # what follows is not read, and what is buffered is sent
        if data:
            self.protocol.dataReceived(data)
        if self._credit < 0:
            end = main.CONNECTION_LOST
        return None if self.disconnecting else end

    # Closing.

    def loseConnection(self) -> None:
        """Close when all is sent (ITransport.loseConnection).

        During the handshake only what is to be sent after it keeps the connection open.
        """
        if not self._handshaking:
            super().loseConnection()  # type: ignore[no-untyped-call]
        elif self._early:
            self.disconnecting = True
        else:
            self.abortConnection()  # type: ignore[no-untyped-call]

    def _end(self) -> bool:
        """Send close_notify; return whether the kernel has taken it.

        The peer's own is not waited for (RFC 8446 section 6.1): it may never come.
        """
        if not self._ended:
            self._ended = True
            with suppress(ssl.SSLError):  # the peer's has not come
                self._tls.unwrap()
            self._flush_outgoing()
        return not self._buffered

    def _postLoseConnection(self) -> Any:
        """Close the socket, all being sent (called by `doWrite`)."""
        if self._handshaking or not self._end():
            return None
        return main.CONNECTION_DONE

    def _closeWriteConnection(self) -> None:
        """Close the writing side, all being sent (called by `doWrite`)."""
        self._writeDisconnected = False
        if not self._handshaking and self._end():
            self._writeDisconnected = True
            super()._closeWriteConnection()

    def connectionLost(self, reason: Failure) -> None:
        """Say that the connection ends, if it can be said, and close it."""
        if hasattr(self, "socket"):
            self.server.handshakes.discard(self)
            if not (self._handshaking or self._buffered or reason.check(ConnectionAborted)):
                self._end()
            self._early = ()
        super().connectionLost(reason)
