"""An echo server for the Autobahn test suite: the server's WebSocket protocol with its limits.

python -m tests.compliance.echo PORT [message_bytes [PEM]]
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor

from gtchat.chat.limits import Limits
from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.websocket import ChatProtocol, build_factory
from gtchat.server.endpoints import Listeners
from tests.e2e.certificate import make_certificate


class Echo(ChatProtocol):
    """A connection that sends each message back."""

    accepts_binary = True

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Send back a message that came through Autobahn."""
        if self.state == self.STATE_OPEN:
            self.sendMessage(payload, isBinary)

    def deliver(self, payload: bytes) -> None:
        """Send back a message that came through the quick path."""
        self.sendMessage(payload)


class NoAPI:
    """An API that is never called: `Echo` keeps the messages."""

    logged_in = True

    def message(self, payload: bytes) -> None:
        """Do nothing."""

    def ping_sent(self) -> None:
        """Do nothing."""

    def pong_received(self) -> None:
        """Do nothing."""

    def connection_lost(self, clean: bool, arrived: bool = False) -> None:
        """Do nothing."""


def main(port: int, message_bytes: int, pem: str = "") -> None:
    """Serve until a signal.

    Args:
        port: TCP port on 127.0.0.1.
        message_bytes: maximum size of a message in bytes. Above the default, messages may also
            have as many fragments.
        pem: a file that a key and a certificate are written to, for TLS; "" for none.
    """
    if message_bytes > 65_536:
        Echo.max_fragments = message_bytes
    limits = Limits(message_bytes=message_bytes)
    batcher = WriteBatcher(reactor, limits)  # type: ignore[arg-type]
    factory = build_factory(reactor, batcher, limits, lambda _: NoAPI(), protocol=Echo)  # type: ignore[arg-type]
    words = "interface=127.0.0.1"
    if pem:
        make_certificate(Path(pem))
        words += f":privateKey={pem}"
    Listeners(reactor, Proxies()).listen(f"{'ssl' if pem else 'tcp'}:{port}:{words}", factory)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 65_536, *sys.argv[3:])
