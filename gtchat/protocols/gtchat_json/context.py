"""One connection that speaks the JSON API, as the chat and the handlers of commands see it.

What it reads and answers is in `api`, which is above the handlers.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from gtchat.chat.chat import Chat
from gtchat.chat.events import Event
from gtchat.chat.interfaces import DeliveryProof, IConnection
from gtchat.chat.users import Session
from gtchat.protocols.base.closing import CloseReason
from gtchat.protocols.base.command_queue import CommandQueue
from gtchat.protocols.base.outbox import MessageTransport
from gtchat.protocols.gtchat_json.pushes import JSONEncoder

#: Why a session ended -> how its connection is closed.
CLOSE_REASONS: dict[str, tuple[int, str]] = {
    "replaced": CloseReason.REPLACED("logged in elsewhere"),
    "password": CloseReason.PASSWORD_CHANGED("log in with the new password"),
    "kicked": CloseReason.KICKED("disconnected by the operator"),
    "banned": CloseReason.BANNED(),
    "ended": CloseReason.SESSION_ENDED("by another session of the user"),
}


@implementer(IConnection)
class Context:
    """A connection and its user.

    Args:
        chat: the chat.
        encoder: the encoder of the JSON API.
        transport: the WebSocket connection.

    Attributes:
        outbox: where frames are written.
        queue: the commands of the connection; set by the API.
        session: the session of the user who is logged in, None before login.
        closed: whether the connection is lost.
        strict: whether a request with an unknown field is refused.
    """

    __slots__ = ("chat", "closed", "encoder", "outbox", "queue", "session", "strict", "transport")

    resumable = True
    protocol = "gtchat"
    queue: CommandQueue[Any]

    def __init__(self, chat: Chat, encoder: JSONEncoder, transport: MessageTransport) -> None:
        self.chat = chat
        self.encoder = encoder
        self.transport = transport
        self.outbox = transport.outbox
        self.session: Session | None = None
        self.closed = self.strict = False

    @property
    def logged_in(self) -> bool:
        """Whether the connection has a user."""
        return self.session is not None

    @property
    def require_session(self) -> Session:
        """The session, for a command that is only run after login."""
        assert self.session is not None, "checked before the command is run"
        return self.session

    def abandon(self, session: Session) -> None:
        """Give up a session that has begun for this connection after it was lost."""
        self.chat.sessions.connection_lost(session, clean=False)

    # IConnection.

    @property
    def address(self) -> str:
        """IP address of the client."""
        return self.transport.address

    @property
    def delivery_proof(self) -> DeliveryProof:
        """What proves that a whisper has arrived: a pong, if the server sends pings."""
        return DeliveryProof.PONG if self.chat.limits.ping_interval else DeliveryProof.TIME

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were not sent; a reply that came after the connection was lost is one."""
        return self.outbox.buffered_bytes + self.closed

    def close(self, event: Event | None, reason: str, text: str = "") -> None:
        """Close the connection after its session has ended.

        Args:
            event: is sent first, if there is one.
            reason: a key of `CLOSE_REASONS`.
            text: stands in place of the text there, unless it is empty.
        """
        self.session = None
        if event is not None:
            self.encoder.encode([event]).send((self,))
        code, why = CLOSE_REASONS[reason]
        self.transport.close(code, f"{reason}: {text}" if text else why)
