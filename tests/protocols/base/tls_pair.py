"""A TLS connection of the server on a socket, and its client, step by step without a reactor.

`RawClient` writes records of TLS 1.3 itself (RFC 8446 section 5), also those that no library sends.
"""

from __future__ import annotations

import select
import socket
import ssl
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from gtchat.protocols.base.tls_port import TLSPort
from gtchat.server.certificates import Credentials
from tests.e2e.certificate import make_certificate, trusting_all

#: Size of the buffers of the kernel in bytes; it may make them larger.
SMALL = 16_384
HANDSHAKE, APPLICATION_DATA, ALERT = 22, 23, 21


@cache
def credentials() -> Credentials:
    """Return key and certificate of a server."""
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "pem")
        make_certificate(pem)
        return Credentials(pem, pem)


class Recorder(Protocol):
    """A protocol that records what it receives.

    Attributes:
        received: all bytes.
        sizes: their number in each call.
        lost: why the connection is lost, None while it is not.
    """

    def __init__(self) -> None:
        self.received = b""
        self.sizes: list[int] = []
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.sizes.append(len(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class SteppedReactor(Clock):
    """Calls `doRead` and `doWrite` of its descriptors when it is told to, as a reactor does."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, descriptor: Any) -> None:
        self.readers.add(descriptor)

    def removeReader(self, descriptor: Any) -> None:
        self.readers.discard(descriptor)

    def addWriter(self, descriptor: Any) -> None:
        self.writers.add(descriptor)

    def removeWriter(self, descriptor: Any) -> None:
        self.writers.discard(descriptor)

    def step(self) -> bool:
        """Serve each descriptor that is ready, once; return whether there was one."""
        self.advance(0)
        readable, writable, _ = select.select(list(self.readers), list(self.writers), [], 0)
        for descriptor in readable:
            if descriptor in self.readers:
                self._disconnect(descriptor, descriptor.doRead(), reading=True)
        for descriptor in writable:
            if descriptor in self.writers:
                self._disconnect(descriptor, descriptor.doWrite(), reading=False)
        return bool(readable or writable)

    def settle(self) -> None:
        """Serve until no descriptor is ready."""
        while self.step():
            pass

    def _disconnect(self, descriptor: Any, why: Any, reading: bool) -> None:
        if not why:
            return
        self.removeReader(descriptor)
        if reading and isinstance(why, ConnectionDone):
            descriptor.readConnectionLost(Failure(why))
        else:
            self.removeWriter(descriptor)
            descriptor.connectionLost(Failure(why))


class UnixSocket(socket.socket):
    """A Unix socket, whose bytes arrive at once, that accepts the options of TCP.

    Attributes:
        options: those of TCP that were set.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.options: list[int] = []

    def setsockopt(self, level: int, *args: Any) -> None:
        """Set an option, or record it if it is one of TCP."""
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *args)
        else:
            self.options.append(args[0])


class Pair:
    """A TLS connection of a port, and the socket and the TLS of its client.

    Args:
        protocol: the server's protocol.
        port: has other connections; by default the connection has a port of its own.
        context: the client's TLS.

    Attributes:
        transport: the server's side.
        peer: the client's socket.
        tls: the client's TLS, between `incoming` and `outgoing`.
        read: all that the client has decrypted.
        ended: whether the client has received close_notify.
    """

    def __init__(
        self,
        protocol: Protocol | None = None,
        port: TLSPort | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port or TLSPort(credentials(), 0, Factory(), reactor=SteppedReactor())
        self.reactor: Any = self.port.reactor
        self.protocol: Any = protocol or Recorder()
        own, self.peer = socket.socketpair()
        accepted = UnixSocket(own.family, own.type, own.proto, own.detach())
        for line in (accepted, self.peer):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.peer.setblocking(False)
        self.transport: Any = self.port.transport(
            accepted, self.protocol, ("127.0.0.1", 1), self.port, 1, self.reactor
        )
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting_all()).wrap_bio(self.incoming, self.outgoing)
        self.read, self.ended = b"", False
        self.protocol.makeConnection(self.transport)

    def close(self) -> None:
        """Close what is open."""
        self.peer.close()
        self.transport.abortConnection()
        self.reactor.advance(0)

    def open(self) -> Pair:
        """Complete the handshake; return the pair."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.reactor.settle()
                self.receive()
        self.flush()
        self.reactor.settle()
        return self

    def flush(self, size: int = 1 << 20) -> None:
        """Send what the client's TLS has to send, in segments of this size, while it fits."""
        data = self.outgoing.read()
        while data:
            try:
                sent = self.peer.send(data[:size])
            except BlockingIOError:
                self.reactor.step()
                continue
            except OSError:
                return
            data = data[sent:]
            self.reactor.step()

    def send(self, data: bytes, size: int = 1 << 20) -> None:
        """Encrypt and send bytes as the client, in segments of this size."""
        self.tls.write(data)
        self.flush(size)

    def receive(self, size: int = 1 << 20) -> bytes:
        """Receive at most so many bytes of records as the client; return what they were."""
        try:
            data = self.peer.recv(size)
        except OSError:
            return b""
        self.incoming.write(data)
        return data

    def decrypt(self) -> None:
        """Decrypt what the client has received, to `read`."""
        while not self.ended:
            try:
                data = self.tls.read(1 << 20)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                data = b""
            self.ended = not data
            self.read += data

    def exchange(self) -> bytes:
        """Let both sides read and write until nothing more comes; return what the client read."""
        while self.reactor.step() or self.receive():
            self.decrypt()
        self.decrypt()
        return self.read

    def at_end(self) -> bool:
        """Return whether the client finds the connection closed."""
        try:
            return not self.peer.recv(1)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True


class RawClient:
    """Writes records of an open connection with TLS 1.3 and AES-256-GCM.

    Args:
        pair: a connection.
    """

    def __init__(self) -> None:
        context = trusting_all()
        with tempfile.NamedTemporaryFile("r") as log:
            context.keylog_filename = log.name
            self.pair = Pair(context=context).open()
            lines = dict(line.split()[::2] for line in log if not line.startswith("#"))
        assert self.pair.tls.cipher()[0] == "TLS_AES_256_GCM_SHA384"  # type: ignore[index]
        self._start(bytes.fromhex(lines["CLIENT_TRAFFIC_SECRET_0"]))

    def _start(self, secret: bytes) -> None:
        """Use the keys of a traffic secret (section 7.3)."""
        self._secret, self._number = secret, 0
        self._key, self._iv = self._expand(b"key", 32), self._expand(b"iv", 12)

    def _expand(self, label: bytes, size: int) -> bytes:
        """Return HKDF-Expand-Label with an empty context (section 7.1)."""
        name = b"tls13 " + label
        info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(self._secret)

    def record(self, content: bytes, kind: int = APPLICATION_DATA, padding: int = 0) -> bytes:
        """Return the next record (section 5.2).

        Args:
            content: what is encrypted.
            kind: its content type.
            padding: number of zeros behind it.
        """
        plain = content + bytes([kind]) + bytes(padding)
        header = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
        nonce = (int.from_bytes(self._iv, "big") ^ self._number).to_bytes(12, "big")
        self._number += 1
        return header + AESGCM(self._key).encrypt(nonce, plain, header)

    def key_update(self, requested: bool = False) -> bytes:
        """Return the record of a key update (section 4.6.3), and use the new keys from now on."""
        record = self.record(bytes([24, 0, 0, 1, requested]), HANDSHAKE)
        self._start(self._expand(b"traffic upd", 48))
        return record
