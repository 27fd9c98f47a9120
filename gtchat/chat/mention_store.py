"""The part of the store's interface that is about mentions, and about what users are told of."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.mentions import MentionLimits, MentionsPage
from gtchat.chat.told import Told


class IMentionStore(Interface):
    """A part of `IStore`, which says what holds for all of its methods."""

    mention_limits: MentionLimits = Attribute("Set by the chat: how many mentions are kept.")

    def mark_unread(account_id: int, token_hash: bytes, room_id: int, seq: int) -> Deferred[int]:
        """Set back up to which entry a room is read. Return the `seq` up to which it is read then.

        Args:
            account_id: the account.
            token_hash: names the session.
            room_id: the room.
            seq: the last entry that stays read; one behind the last mark changes nothing.

        Raises:
            NotInRoom: the account is not a member any more.
        """

    def set_notify(
        account_id: int, room_id: int, level: str, tells: Sequence[Told] = ()
    ) -> Deferred[None]:
        """Store of which messages of a room a user wants to be notified.

        Args:
            account_id: the account.
            room_id: the room.
            level: see `MembershipRecord.notify`. It ends with the membership.
            tells: see `IStore`.

        Raises:
            NotInRoom: the account is not a member any more.
        """

    def mentions(account_id: int, before: int | None, limit: int) -> Deferred[MentionsPage]:
        """Return messages that mention an account, the newest mention first (read).

        Messages of rooms that it is not a member of, and of users that it blocks, are left out, as
        are those to all members of before it was one. At most `READ_ROWS` mentions of the account,
        and as many of all members, are read, and about `REPLY_BYTES` of text.

        Args:
            account_id: the account.
            before: `MentionsPage.next` of the page before, None for the first page.
            limit: maximum number of messages.
        """
