"""Records of direct conversations that the chat and its store exchange; others are in `records`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import attrs

from gtchat.chat.events import WhisperSent

#: Direct conversations in the reply to a login, and on a page of them.
LISTED_DIRECTS = 200


@attrs.frozen
class WhisperLimits:
    """How many direct messages can wait until they are delivered; 0 for no limit.

    Attributes:
        pair: from one sender to one target.
        stranger: from one sender to a target that has never written to the sender.
        strangers: for one target from all such senders together.
    """

    pair: int = 0
    stranger: int = 0
    strangers: int = 0


@attrs.frozen(kw_only=True)
class Direct:
    """A direct conversation as one of its two accounts has it.

    Attributes:
        id: the id of its log, which is that of no room.
        other_id: the other account; the same account for notes to self. Below zero for a user
            of a time when accounts were not kept with messages.
        other: name of the other user, who had it last if the account has ended.
        guest: whether the other account is temporary.
        ended: whether the other account has ended.
        last_seq: seq of the newest entry, 0 for none.
        message_count: number of messages.
        read_seq: the last entry that counts as read.
        delivered_seq: up to here the account has received the log, but for single messages.
        pending: messages of the other account that it has not received.
        at: when the newest message was sent, in milliseconds since 1970, UTC; 0 for none.
        position: place in the order of all messages; later ones have greater numbers.
        notify: as of `MembershipRecord`.
        unread, mentions: as of `UnreadRecord`; 0 where they were not counted.
    """

    id: int
    other_id: int
    other: str
    guest: bool
    ended: bool
    last_seq: int = 0
    message_count: int = 0
    read_seq: int = 0
    delivered_seq: int = 0
    pending: int = 0
    at: int = 0
    position: int = 0
    notify: str = "all"
    unread: int = 0
    mentions: int = 0


@attrs.frozen
class DirectPage:
    """A page of the direct conversations of an account.

    Attributes:
        directs: the conversations, newest first.
        next: position before which the next page begins, None for no further page.
    """

    directs: tuple[Direct, ...]
    next: int | None


@attrs.frozen
class StoredWhisper:
    """A message that waits for an account.

    Attributes:
        number: gives the order.
        room_id: the log that has it.
        seq: number in its log.
        event: the message as it is delivered; the `seq` of one of a room is 0.
    """

    number: int
    room_id: int
    seq: int
    event: WhisperSent


@attrs.frozen
class Arrived:
    """What has certainly arrived at a session of an account.

    Attributes:
        account_id: the account.
        messages: room or direct conversation -> seqs of messages that it was sent.
        told: direct conversation -> up to which entry its client knows that there are messages,
            which it reads when its user wants to.
        read: whether `messages` count as read: the session does not mark itself what was read.
    """

    account_id: int
    messages: Mapping[int, Collection[int]] = MappingProxyType({})
    told: Mapping[int, int] = MappingProxyType({})
    read: bool = False
