"""An event that the store tells the other nodes of, for the sessions that an account has there."""

from __future__ import annotations

import attrs

from gtchat.chat.events import InvitationEnded, InviteAnswered, Invited, NotifySet

#: The events that go to the sessions of one account, wherever it is connected.
ToldEvent = Invited | InviteAnswered | InvitationEnded | NotifySet
#: Name of the class -> the class, for stores that keep such events as text.
TOLD_EVENTS: dict[str, type[ToldEvent]] = {
    event.__name__: event for event in (Invited, InviteAnswered, InvitationEnded, NotifySet)
}


@attrs.frozen
class Told:
    """An event for the sessions of an account, unless the account blocks its sender.

    Attributes:
        account_id: the account.
        event: the event.
        sender_id: account id of the user whose doing it tells, None for no such user.
    """

    account_id: int
    event: ToldEvent
    sender_id: int | None = None
