"""Our WebSocket with its limits, and an echo in place of the API: what conformance is judged by.

python -m tests.compliance.echo PORT [message_bytes]
"""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

from gtchat.chat.limits import Limits
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.base.transport import EagerReactor
from gtchat.protocols.websocket import ChatProtocol, build_factory


class Echo(ChatProtocol):
    """Says what it hears."""

    accepts_binary = True

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Take a message that came by Autobahn's way."""
        if self.state == self.STATE_OPEN:
            self.sendMessage(payload, isBinary)

    def deliver(self, payload: bytes) -> None:
        """Take a message that came by the quick way."""
        self.sendMessage(payload)


class NoAPI:
    """Nobody is there to talk to."""

    logged_in = True

    def message(self, payload: bytes) -> None:
        """Never called: the protocol keeps messages."""

    def connection_lost(self, clean: bool) -> None:
        """Nothing to end."""


def main(port: int, message_bytes: int) -> None:
    """Serve until a signal. message_bytes: more than the usual is for messages in many pieces."""
    if message_bytes > 65_536:
        Echo.fragments_most = message_bytes
    limits = Limits(message_bytes=message_bytes)
    turn = WriteBatcher(reactor, limits.outbox_bytes, limits.unsent_bytes_total)  # type: ignore[arg-type]
    factory = build_factory(reactor, turn, limits, lambda _: NoAPI(), protocol=Echo)  # type: ignore[arg-type]
    endpoint = serverFromString(EagerReactor(reactor), f"tcp:{port}:interface=127.0.0.1")
    endpoint.listen(factory)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 65_536)
