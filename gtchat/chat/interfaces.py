"""The interface of the store, and all others that the chat needs from outside (`connections`).

**Order of the store.** All writes of an `IStore` form one queue. They take effect in the order of
the calls, and their results come back in that order, in the reactor thread: entries through
`IStore.committed`, everything else through Deferreds. What a result says is on disk: code that
reads the chat's state when a result arrives sees exactly what was stored up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.connections import DeliveryProof, IConnection, IEncodedBatch, IEncoder, IPasswords
from gtchat.chat.events import Invited, WhisperSent
from gtchat.chat.records import (
    Account,
    AccountState,
    Ack,
    Backlog,
    HistoryPage,
    HistoryQuery,
    InvitationLimits,
    MembershipRecord,
    PendingEntry,
    PhoneAccount,
    ResumeResult,
    RoomRecord,
    StoredState,
    StoredWhisper,
    UnreadRecord,
    WhisperLimits,
)

__all__ = [
    "Account",
    "AccountState",
    "Ack",
    "Backlog",
    "DeliveryProof",
    "HistoryPage",
    "HistoryQuery",
    "IConnection",
    "IEncodedBatch",
    "IEncoder",
    "IPasswords",
    "IStore",
    "InvitationLimits",
    "MembershipRecord",
    "PendingEntry",
    "PhoneAccount",
    "ResumeResult",
    "RoomRecord",
    "StoredState",
    "StoredWhisper",
    "UnreadRecord",
    "WhisperLimits",
]


class IStore(Interface):
    """Keeps accounts, rooms and messages.

    Every Deferred can fail with `NotStored`, and with the ChatErrors that are named. Times (`at`
    and others) are milliseconds since 1970, UTC. `key` is a name as it is compared, `name` as it
    is displayed. A `token_hash` is the SHA-256 of a session's id, 32 bytes. (read) marks methods
    that are not part of the queue of writes.
    """

    committed: Callable[[Sequence[PendingEntry]], None] = Attribute(
        "Set by the chat: called with finished entries, in the order of the queue. Entries "
        "between two other writes come in one call."
    )

    def load() -> StoredState:
        """Return what the chat keeps in memory. Called once, before anything else.

        The room with the key `lobby`, without owner and members, is created if it is missing.
        """

    def append(entry: PendingEntry) -> None:
        """Queue an entry; `committed` is called with it when it is stored or has failed."""

    def find_account(key: str, asker: int | None) -> Deferred[Account | None]:
        """Return the account with a name (read). asker: account id for `Account.blocks_asker`."""

    def find_similar(name: str, key: str) -> Deferred[Account | None]:
        """Return the account with a name, else one with a name that looks like it (read)."""

    def find_by_uuid(uuid_hash: bytes) -> Deferred[Account | None]:
        """Return the account with a credential of 32 bytes (read)."""

    def register(
        name: str, key: str, password_hash: str | None, uuid_hash: bytes | None, at: int
    ) -> Deferred[int]:
        """Create a registered account. Return its id.

        Args:
            name, key: its name.
            password_hash: Argon2id hash as text; None with a UUID.
            uuid_hash: credential of 32 bytes; None with a password.
            at: now.

        Raises:
            NameTaken: an account has the name or one that looks like it, or the credential.
        """

    def set_password(account_id: int, password_hash: str, keep: bytes | None) -> Deferred[None]:
        """Change a password, and end all sessions of the account but one.

        Args:
            account_id: the account.
            password_hash: Argon2id hash as text.
            keep: token hash of the session that goes on, None for no session.
        """

    def login(
        account_id: int, token_hash: bytes, end_others: bool, at: int, marks_read: bool = False
    ) -> Deferred[AccountState]:
        """Begin a session of a registered account. Return the state of the account.

        Args:
            account_id: the account.
            token_hash: names the session.
            end_others: whether the other sessions of the account end.
            at: now.
            marks_read: whether what is sent to the session is unread until `mark_read`.
        """

    def login_guest(
        name: str, key: str, token_hash: bytes, at: int, marks_read: bool = False
    ) -> Deferred[int]:
        """Create a temporary account with a session. Return its id.

        Args:
            name, key: its name.
            token_hash, at, marks_read: as in `login`.

        Raises:
            NameTaken.
        """

    def resume(
        token_hash: bytes,
        at: int,
        oldest: int,
        seen: Mapping[int, int],
        liveness_ms: int,
        limit: int,
        marks_read: bool = False,
    ) -> Deferred[ResumeResult]:
        """Resume a session. Return the state of its account, and what its client missed.

        A room whose name had another log before is `reset`, unless the client was certainly
        connected when the old room was deleted: the connection was lost more than `liveness_ms`
        later, or the session began later.

        Args:
            token_hash: names the session.
            at: now; the session counts as connected from then on.
            oldest: the session must have begun, or lost its connection, after this time.
            seen: room id -> last `seq` that the client received.
            liveness_ms: milliseconds after which a dead connection is noticed.
            limit: a room with more missed entries is `behind`; beyond `REPLY_BYTES` so are others.
            marks_read: True as in `login`; False leaves it as it is.

        Raises:
            BadSession: there is no such session, or it is too old.
        """

    def end_session(account_id: int, token_hash: bytes) -> Deferred[None]:
        """End a session for good. All entries of its rooms count as read, unless it marks them
        itself: its login said so, or it used `mark_read`.

        Args:
            account_id: the account.
            token_hash: names the session.
        """

    def session_lost(
        account_id: int, token_hash: bytes, at: int, sent: Mapping[int, int]
    ) -> Deferred[None]:
        """Take note that the connection of a session is lost; it can be resumed.

        Args:
            account_id: the account.
            token_hash: names the session.
            at: now.
            sent: room id -> last `seq` that was sent to the session. It counts as read, unless
                the session marks it itself; see `end_session`.
        """

    def mark_read(account_id: int, token_hash: bytes, room_id: int, seq: int) -> Deferred[int]:
        """Mark a room as read up to an entry. Return the `seq` up to which it is read then.

        Args:
            account_id: the account.
            token_hash: names the session.
            room_id: the room.
            seq: the entry; one before the last mark changes nothing.

        Raises:
            NotInRoom: the account is not a member any more.
        """

    def set_read(marks: Mapping[tuple[int, int], int]) -> Deferred[None]:
        """Mark rooms as read, as `mark_read` does, for many accounts; past marks change nothing.

        Args:
            marks: (account id, room id) -> the entry.
        """

    def unread(
        account_id: int | None, token_hash: bytes | None
    ) -> Deferred[Mapping[int, UnreadRecord]]:
        """Count the unread messages of an account. Return the rooms that have some (read).

        At most 200 entries are read of each room, in one query for all.

        Args:
            account_id: the account; None for the account of a session.
            token_hash: names that session; without such a session nothing is counted.
        """

    def end_guest(account_id: int) -> Deferred[None]:
        """Delete a temporary account, whose memberships have ended, and all that it has."""

    def delete_room(room_id: int, at: int) -> Deferred[None]:
        """Delete a room with its log, memberships and invitations; its name is free then.

        Args:
            room_id: the room.
            at: now.
        """

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

    def block(account_id: int, blocked_id: int, on: bool) -> Deferred[None]:
        """Block an account, or unblock it.

        Args:
            account_id: the account that blocks.
            blocked_id: the account that is blocked.
            on: True to block, False to unblock.
        """

    def register_phone(
        name: str, key: str, number: str, credential: bytes, at: int
    ) -> Deferred[int]:
        """Create a registered account with a telephone number. Return its id.

        Args:
            name, key: its name.
            number: the telephone number.
            credential: stands for the number in `find_by_uuid`, 32 bytes.
            at: now.

        Raises:
            NameTaken: an account has the name or the number.
        """

    def set_phone_left(account_id: int, at: int) -> Deferred[None]:
        """Store when the user of an account with a telephone number was online last.

        Args:
            account_id: the account.
            at: now.
        """

    def phones() -> Deferred[Sequence[PhoneAccount]]:
        """Return all accounts with a telephone number, oldest first (read)."""

    def history(room_id: int, query: HistoryQuery) -> Deferred[HistoryPage]:
        """Return part of the log of a room, with at most about `REPLY_BYTES` of text (read).

        Args:
            room_id: the room.
            query: which entries.
        """

    def prune(sessions_before: int, txns_before: int) -> Deferred[None]:
        """Delete what has expired.

        Args:
            sessions_before: sessions that began or lost their connection before this time.
            txns_before: idempotency keys that were stored before this time.
        """

    def flush() -> Deferred[None]:
        """Fire when all earlier calls are done."""

    def healthy() -> bool:
        """Return whether the last write succeeded."""

    def close() -> Deferred[None]:
        """Finish the queue and close the files."""
