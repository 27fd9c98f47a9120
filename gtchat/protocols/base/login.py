"""The steps of every login, in their order. All protocols log users in through this module.

1. The address is counted, when the connection is made (`ConnectionLimiter`).
2. The chat proves who the user is and begins a session.
3. The connection may have been lost meanwhile: then the session is given up.
4. The client keeps the session, and its commands count against the rate of the account.
5. The protocol answers the client.
6. What is pending for the user is delivered: invitations and direct messages.

A protocol awaits step 2 (`chat.sessions`), calls `keep_session` for the steps 3 and 4, answers,
and calls `deliver_pending` for step 6. Clients that are called back collect their direct messages
themselves (`DialbackClient.open`), and guests of Live chat have nothing pending.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import NotLoggedIn
from gtchat.chat.users import Session
from gtchat.protocols.base.command_queue import CommandQueue


class LoginClient(Protocol):
    """What a login needs of the client that logs in.

    Attributes:
        session: the session of the user who is logged in, None before that.
        queue: the commands of the client.
    """

    session: Session | None

    @property
    def queue(self) -> CommandQueue[Any]: ...

    @property
    def closed(self) -> bool:
        """Whether the connection that the client logs in from is lost."""

    def abandon(self, session: Session) -> None:
        """Give up a session that has begun for a connection that is lost."""


def keep_session(client: LoginClient, session: Session) -> None:
    """Give a client the session that has begun for it, unless its connection was lost.

    Args:
        client: keeps the session.
        session: what the chat began.

    Raises:
        NotLoggedIn: the connection was lost meanwhile; the session is given up.
    """
    if client.closed:
        client.abandon(session)
        raise NotLoggedIn()
    client.session = session
    client.queue.use_account_rate(session)


def deliver_pending(chat: Chat, session: Session) -> None:
    """Deliver in the background what is pending for the user of a session that has begun."""
    run_in_background(Deferred.fromCoroutine(chat.deliver_pending(session)), "delivering pending")
