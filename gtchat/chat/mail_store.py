"""What waits for users in a store: direct messages (whispers) and invitations.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.events import Invited, WhisperSent
from gtchat.chat.records import Ack, InvitationLimits, StoredWhisper, WhisperLimits


class IMailStore(Interface):
    """Keeps whispers until they have arrived, and invitations until they are answered."""

    def whisper(
        sender_id: int,
        target_id: int,
        event: WhisperSent,
        txn: str | None,
        limits: WhisperLimits,
        is_direct: bool = True,
    ) -> Deferred[tuple[Ack, int]]:
        """Store a whisper until it is deleted. Return its ack, and its number (0 if `dup`).

        Args:
            sender_id, target_id: the accounts.
            event: the whisper.
            txn: the sender's idempotency key, None if there is none.
            limits: how many whispers can wait.
            is_direct: whether the sender wrote to the target, so that the sender knows the target;
                False for a message of a room that is kept.

        Raises:
            TxnConflict.
            NoSuchUser: the target does not exist any more.
            NotAllowed: a limit is reached.
        """

    def whispers(account_id: int, after: int, limit: int) -> Deferred[Sequence[StoredWhisper]]:
        """Return whispers that wait for an account, in order (read).

        Args:
            account_id: the account.
            after: only numbers above this one.
            limit: maximum number of whispers; fewer if they have more than `REPLY_BYTES`.
        """

    def delete_whispers(account_id: int, numbers: Collection[int]) -> Deferred[None]:
        """Delete whispers that have arrived.

        Args:
            account_id: their target.
            numbers: their numbers.
        """

    def invite(
        room_id: int,
        account_id: int,
        inviter_id: int,
        event: Invited,
        delivered: bool,
        limits: InvitationLimits,
    ) -> Deferred[bool]:
        """Store an invitation. Return False if an equal one is pending, which stays as it is.

        Args:
            room_id: the room.
            account_id: the invited account.
            inviter_id: the account that invites, a member of the room.
            event: the invitation.
            delivered: whether the invited user was online and gets it.
            limits: how many invitations can be pending.

        Raises:
            NoSuchRoom, NoSuchUser: the room or the invited account does not exist any more.
            NotAllowed: a limit is reached.
        """

    def answer_invitation(
        room_id: int, account_id: int, inviter: str, later: bool
    ) -> Deferred[bool]:
        """Delete an invitation, or keep it for later. Return whether that is a change.

        Args:
            room_id, account_id: as in `invite`.
            inviter: name of the user who invites.
            later: True to keep it, and deliver it again at the next login.
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
