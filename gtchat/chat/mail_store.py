"""What users have for each other in a store: direct messages (whispers) and invitations.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.direct_records import Arrived, Direct, DirectPage, StoredWhisper, WhisperLimits
from gtchat.chat.events import Invited
from gtchat.chat.message_records import PendingWhisper
from gtchat.chat.records import Ack, InvitationLimits, RepeatableRequest
from gtchat.chat.told import Told


class IMailStore(Interface):
    """Keeps direct conversations, and invitations until they are answered."""

    def whisper(pending: PendingWhisper, limits: WhisperLimits) -> Deferred[Ack]:
        """Store a direct message; the log of the two accounts begins with the first one.

        What the sender had not read of the conversation counts as read.

        Args:
            pending: the message.
            limits: how many can wait.

        Raises:
            TxnConflict.
            NoSuchUser: the target does not exist any more.
            Blocked: the target blocks the sender.
            NotAllowed: a limit is reached.
            NoSuchMessage, MessageDeleted: as of `IStore.append`, for a reply.
        """

    def whispers(account_id: int, after: int, limit: int) -> Deferred[Sequence[StoredWhisper]]:
        """Return the messages that were not delivered to an account, in order (read).

        Args:
            account_id: the account.
            after: only numbers above this one.
            limit: maximum number of messages; fewer if they have more than `REPLY_BYTES`.
        """

    def set_delivered(arrived: Arrived) -> Deferred[None]:
        """Take note that messages have arrived; what had arrived before changes nothing."""

    def add_missed(account_id: int, room_id: int, seq: int, limit: int) -> Deferred[None]:
        """Have a message of a room delivered to an account once more.

        Args:
            account_id: the account.
            room_id, seq: the message.
            limit: the largest number of such messages; with more, nothing happens. 0 for no limit.

        Raises:
            NoSuchUser, NoSuchRoom: the account or the room does not exist any more.
        """

    def find_direct(
        account_id: int, room_id: int | None, other_id: int | None
    ) -> Deferred[Direct | None]:
        """Return a direct conversation of an account, without its unread messages (read).

        Args:
            account_id: the account.
            room_id: the id of the conversation; None with `other_id`.
            other_id: the other account; None with `room_id`.
        """

    def directs(account_id: int, before: int | None, limit: int) -> Deferred[DirectPage]:
        """Return a page of the direct conversations of an account (read).

        Args:
            account_id: the account.
            before: only positions before this one, None for the newest.
            limit: the largest number of conversations.
        """

    def invite(
        room_id: int,
        account_id: int,
        inviter_id: int,
        event: Invited,
        delivered: bool,
        limits: InvitationLimits,
        request: RepeatableRequest | None = None,
        tells: Sequence[Told] = (),
    ) -> Deferred[bool]:
        """Store an invitation. Return False if an equal one is pending, which stays as it is.

        Args:
            room_id: the room.
            account_id: the invited account.
            inviter_id: the account that invites, a member of the room.
            event: the invitation.
            delivered: whether the invited user was online and gets it.
            limits: how many invitations can be pending.
            request: what asked for it, if that may be repeated: False if it was done before.
            tells: see `IStore`.

        Raises:
            TxnConflict: as `IStore.find_ack`.
            NoSuchRoom, NoSuchUser: the room or the invited account does not exist any more.
            NotInRoom: the account that invites is not a member any more.
            AlreadyInRoom: the invited account is a member.
            Blocked: the invited account blocks the one that invites.
            NotAllowed: a limit is reached.
        """

    def answer_invitation(
        room_id: int,
        account_id: int,
        inviter: str,
        later: bool,
        request: RepeatableRequest | None = None,
        tells: Sequence[Told] = (),
    ) -> Deferred[bool]:
        """Delete an invitation, or keep it for later. Return whether that is a change.

        Args:
            room_id, account_id: as in `invite`.
            inviter: name of the user who invites.
            later: True to keep it, and deliver it again at the next login.
            request, tells: as in `invite`.

        Raises:
            TxnConflict: as `IStore.find_ack`.
        """

    def is_invited(room_id: int, account_id: int, inviter: str | None) -> Deferred[bool]:
        """Return whether an account is invited to a room (read).

        Args:
            room_id, account_id: as in `invite`.
            inviter: by this user; None for any user.
        """

    def invitations(account_id: int) -> Deferred[Sequence[Invited]]:
        """Return the invitations that were not delivered; they count as delivered then.

        Args:
            account_id: the invited account.

        Returns:
            As `AccountState.invitations`.
        """
