"""The interface of the store, and all others that the chat needs from outside (`connections`).

**Order of the store.** All writes of an `IStore` form one queue. They take effect in the order of
the calls, and their results come back in that order, in the reactor thread: entries through
`IStore.committed`, everything else through Deferreds. What a result says is on disk: code that
reads the chat's state when a result arrives sees exactly what was stored up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute

from gtchat.chat.account_store import IAccountStore
from gtchat.chat.admin_store import ALL_RECORDS, AuditLimits, IAdminStore
from gtchat.chat.audit import AuditRecord
from gtchat.chat.connections import DeliveryProof, IConnection, IEncodedBatch, IEncoder, IPasswords
from gtchat.chat.direct_records import Arrived, Direct, DirectPage, StoredWhisper, WhisperLimits
from gtchat.chat.history_records import HistoryPage, HistoryQuery
from gtchat.chat.invite_store import IInviteStore
from gtchat.chat.mail_store import IMailStore
from gtchat.chat.measures import IMeasuredStore
from gtchat.chat.mention_store import IMentionStore
from gtchat.chat.mentions import MentionLimits, MentionsPage
from gtchat.chat.message_records import (
    ChangeLimits,
    MessageVersion,
    MessageVersions,
    PendingMessageChange,
    PendingWhisper,
)
from gtchat.chat.node_records import Foreign
from gtchat.chat.node_store import INodeStore
from gtchat.chat.profile_store import IProfileStore
from gtchat.chat.records import (
    Account,
    AccountState,
    Ack,
    Backlog,
    EndedInvitations,
    InvitationLimits,
    Inviter,
    MembershipRecord,
    PendingEntry,
    PendingRoomChange,
    PhoneAccount,
    RepeatableRequest,
    ResumeResult,
    RoomLimits,
    StoredGuest,
    StoredState,
    UnreadRecord,
)
from gtchat.chat.retention import NOTHING_REMOVED, Retention
from gtchat.chat.room_records import FoundRoom, ListedRoom, RoomRecord
from gtchat.chat.room_store import IRoomStore
from gtchat.chat.search_query import MessageSearch, SearchPage
from gtchat.chat.session_records import (
    EndedSession,
    NewDevice,
    NewSession,
    Replaces,
    SessionLimits,
    SessionRecord,
)
from gtchat.chat.session_store import ISessionStore
from gtchat.chat.told import Told

__all__ = [
    "Account",
    "AccountState",
    "Ack",
    "Arrived",
    "Backlog",
    "ChangeLimits",
    "DeliveryProof",
    "Direct",
    "DirectPage",
    "EndedInvitations",
    "EndedSession",
    "Foreign",
    "FoundRoom",
    "HistoryPage",
    "HistoryQuery",
    "IConnection",
    "IEncodedBatch",
    "IEncoder",
    "IPasswords",
    "IStore",
    "InvitationLimits",
    "Inviter",
    "ListedRoom",
    "MembershipRecord",
    "MentionLimits",
    "MentionsPage",
    "MessageSearch",
    "MessageVersion",
    "MessageVersions",
    "NewDevice",
    "NewSession",
    "PendingEntry",
    "PendingMessageChange",
    "PendingRoomChange",
    "PendingWhisper",
    "PhoneAccount",
    "RepeatableRequest",
    "Replaces",
    "ResumeResult",
    "RoomLimits",
    "RoomRecord",
    "SearchPage",
    "SessionLimits",
    "SessionRecord",
    "StoredGuest",
    "StoredState",
    "StoredWhisper",
    "Told",
    "UnreadRecord",
    "WhisperLimits",
]


class IStore(
    IMailStore,
    ISessionStore,
    IMentionStore,
    INodeStore,
    IAdminStore,
    IInviteStore,
    IRoomStore,
    IMeasuredStore,
    IProfileStore,
    IAccountStore,
):
    """Keeps accounts, rooms and messages.

    Accounts are in `IAccountStore`, what waits for users in `IMailStore`, sessions and devices in
    `ISessionStore`, what users are told of in `IMentionStore`, other nodes in `INodeStore`, what
    operators do in `IAdminStore`, links with which users register in `IInviteStore`, rooms and
    lists of them in `IRoomStore`, what is measured in `IMeasuredStore`, profiles in
    `IProfileStore`.
    An `audit` is a record of the audit log, stored in the same transaction. `tells` are events for
    sessions at other nodes, which they are sent if the call has changed something.

    Every Deferred can fail with `NotStored`, and with the ChatErrors that are named. Times (`at`
    and others) are milliseconds since 1970, UTC. `key` is a name as it is compared, `name` as it
    is displayed. A `token_hash` is the SHA-256 of a session's id, 32 bytes. (read) marks methods
    that are not part of the queue of writes.
    """

    committed: Callable[[Sequence[PendingEntry]], None] = Attribute(
        "Set by the chat: called with finished entries, in the order of the queue. Entries "
        "between two other writes come in one call."
    )
    failed: Callable[[Sequence[PendingRoomChange]], None] = Attribute(
        "Set by the chat: called with the changes of rooms that a batch has not stored, before any "
        "result of the batch: what runs with a result must not see them."
    )

    def load() -> StoredState:
        """Return what the chat begins with, and begin a start of the server.

        Called once, before anything else. The room with the key `lobby`, without owner and
        members, is created if it is missing.
        """

    def append(entry: PendingEntry) -> None:
        """Queue an entry; `committed` is called with it when it is stored or has failed.

        An entry fails with NoSuchUser if it makes an account a member or an owner that does not
        exist any more. A reply gets the name of the author that it replies to, and fails with
        NoSuchMessage or MessageDeleted. Changes of messages: see `PendingMessageChange`.

        The accounts that a text with an `@` mentions are found and kept in the same transaction
        (`mentions.find_mentions`); an edit or a deletion changes them. The names are those of the
        members, in the lobby those of registered accounts.
        """

    def find_ack(request: RepeatableRequest) -> Deferred[Ack | None]:
        """Return the ack of the request that used a txn before, None if there was none (read).

        Args:
            request: the request that uses it now.

        Raises:
            TxnConflict: the txn was used for other content.
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

        At most 200 entries are read of each room, in one query for all; and the mentions. The
        newest direct conversations are among the rooms.

        Args:
            account_id: the account; None for the account of a session.
            token_hash: names that session.

        Raises:
            BadSession: there is no such session. Of one that has expired it is counted.
        """

    def delete_room(
        room_id: int,
        at: int,
        request: RepeatableRequest | None = None,
        checked: int | None = None,
        by: str = "",
        audit: AuditRecord | None = None,
    ) -> Deferred[EndedInvitations]:
        """Delete a room with its log, memberships and invitations; its name is free then.

        Args:
            room_id: the room.
            at: now.
            request: what asked for it, if that may be repeated; what was done is not done again.
            checked: as in `PendingEntry`.
            by: name of the user who deletes it, "" if no user does.

        Returns:
            The invitations to the room, which end with it.

        Raises:
            TxnConflict: as `find_ack`.
            Stale: as of `PendingEntry.checked`.
        """

    def history(room_id: int, query: HistoryQuery) -> Deferred[HistoryPage]:
        """Return part of the log of a room, with at most about `REPLY_BYTES` of text (read).

        Messages are as they are now. At most about `paging.READ_ROWS` entries are read to find
        those of the wanted kinds; if there are any, one is found.

        Args:
            room_id: the room.
            query: which entries.
        """

    def versions(room_id: int, seq: int) -> Deferred[MessageVersions]:
        """Return the texts that are kept of a message (read).

        Args:
            room_id: the room.
            seq: the message.

        Raises:
            NoSuchMessage: there is no such message.
        """

    def search(wanted: MessageSearch) -> Deferred[SearchPage]:
        """Return the newest messages that fulfil a query, as they are now (read).

        Messages are found at most about a second after they were stored; deleted ones, former
        texts and rooms that the account has left are not, from their transaction on.

        Args:
            wanted: the search.
        """

    def prune(
        sessions_before: int,
        txns_before: int,
        tokens_before: int,
        audit: AuditLimits = ALL_RECORDS,
        retention: Retention = NOTHING_REMOVED,
    ) -> Deferred[None]:
        """Delete what has expired.

        Args:
            sessions_before: sessions that began or lost their connection before this time, and
                starts before it; devices without a session and a token.
            txns_before: idempotency keys that were stored before this time.
            tokens_before: device tokens whose device was connected last before this time.
            audit: how much of the audit log and of reports is kept.
            retention: how much of the logs of rooms and direct conversations is kept; the rest is
                removed soon after.
        """

    def flush() -> Deferred[None]:
        """Fire when all earlier calls are done."""

    def healthy() -> bool:
        """Return whether the last write succeeded."""

    def close() -> Deferred[None]:
        """Finish the queue and close the files."""
