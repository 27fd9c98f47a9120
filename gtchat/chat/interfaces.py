"""What the chat asks of the outside: a store, audiences, slow hashing. Nothing is done here.

**Order.** All writes of `IStore` form one queue. They take effect in the order in which they were
asked for, and their results come back in that order too, in the reactor thread: appends to
`IStore.committed`, everything else through its Deferred. What a result says is on disk. So
whoever reads state when a result arrives sees exactly what was stored up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.errors import ChatError
from gtchat.chat.events import Entry, Event, Invited, WhisperSent


@attrs.define
class Ack:
    """What the writer of a message gets for it.

    Attributes:
        id: the message's own id.
        seq: its number in the room, 0 for a whisper.
        at: when, in milliseconds since 1970, UTC.
        dup: whether an earlier request with the same txn stored it.
    """

    id: str
    seq: int
    at: int
    dup: bool = False


@attrs.define(eq=False)
class PendingEntry:
    """An entry on its way into a room's log; the store fills in what became of it.

    The change that an entry means for the room is made in the same transaction: `room_created`
    makes the room with `subject` as first member and owner, `room_changed` changes its row,
    `join_room` makes `subject` a member (and takes back an invitation), `leave_room`, `kicked`
    and `removed` end the membership.

    Attributes:
        room_id: which log; 0 for `room_created`, where the store puts the new id.
        room_key: the room's name as it is compared; needed for `room_created` only.
        entry: the entry, with seq 0; filled in: its seq, once it is stored.
        subject: account id of the person whom it is about (the speaker, who joins, who is kicked;
            for `room_changed` the new owner's account id or None for nobody).
        txn: the client's own mark against doubles, of this subject.
        origin: whatever the chat wants to find again; the store does not look at it.
        error: filled in: why it was not stored (`NotStored`, `TxnConflict`), else None.
        earlier: filled in: the receipt of an earlier entry with the same txn and content.
    """

    room_id: int
    entry: Entry
    subject_id: int | None
    origin: object = None
    room_key: str = ""
    txn: str | None = None
    error: ChatError | None = None
    earlier: Ack | None = None


@attrs.frozen
class Account:
    """A registered or temporary account.

    Attributes:
        id: number for ever, never given again.
        name: as shown. key: as compared.
        registered: False for a temporary one.
        password_hash: Argon2's, None for one that has none.
        blocks_asker: whether it blocks the account that the question named.
    """

    id: int
    name: str
    key: str
    registered: bool
    password_hash: str | None = None
    blocks_asker: bool = False


@attrs.frozen
class MembershipRecord:
    """An account's place in a room.

    Attributes:
        read_seq: the last entry that counts as read, 0 for none.
        spoken_seen: how many messages there are up to that one.
    """

    room_id: int
    read_seq: int
    messages_read: int


@attrs.frozen
class AccountState:
    """What an account finds when it comes.

    Attributes:
        account: the account.
        memberships: its rooms.
        blocked: account id -> name of those it blocks.
        blocked_by: ids of the accounts that block it.
    """

    account: Account
    memberships: tuple[MembershipRecord, ...]
    blocked: Mapping[int, str]
    blocked_by: frozenset[int]


@attrs.frozen
class Backlog:
    """A room's entries after the last one seen.

    Attributes:
        entries: in order, all there are; empty if `behind` or `reset`.
        behind: there are more than were asked for.
        reset: what was seen is not of this log (recreated, or a number that it does not have).
    """

    entries: tuple[Entry, ...] = ()
    behind: bool = False
    reset: bool = False


@attrs.frozen
class ResumeResult:
    """A session found again: what its account has, and what it missed, by room id."""

    belongings: AccountState
    missed: Mapping[int, Backlog]


@attrs.frozen
class StoredWhisper:
    """A whisper that waits for its target: `number` orders them and names it in `forget`."""

    number: int
    event: WhisperSent


@attrs.frozen
class HistoryPage:
    """Some entries of a log, oldest first.

    Attributes:
        entries: the entries.
        first: the lowest seq that the log has, 0 if it is empty.
        last: the highest one.
        more: whether there are more entries in the direction asked for.
    """

    entries: tuple[Entry, ...]
    first: int
    last: int
    more: bool


@attrs.frozen
class HistoryQuery:
    """Which part of a log: the newest `limit` entries before or the oldest after a seq, or both
    sides of one; the newest of all if none is given.

    Attributes:
        limit: how many entries, 1 to 200.
        kinds: only these kinds of entries; empty for all.
    """

    before: int | None = None
    after: int | None = None
    around: int | None = None
    limit: int = 50
    kinds: frozenset[str] = frozenset()


@attrs.frozen
class RoomRecord:
    """A room as it is kept: members are (account id, name, registered), longest first.

    `spoken` counts the messages in its log, `last_seq` all entries.
    """

    id: int
    name: str
    key: str
    public: bool
    topic: str
    max: int
    owner_id: int | None
    owner: str
    last_seq: int
    message_count: int
    members: tuple[tuple[int, str, bool], ...]


@attrs.frozen
class PhoneAccount:
    """An account that comes by a telephone number.

    Attributes:
        left_at: when it was last here, ms since 1970, UTC.
    """

    account_id: int
    name: str
    number: str
    left_at: int


@attrs.frozen
class StoredState:
    """All that a chat has to know when it starts: its rooms, and temporary accounts left over."""

    epoch: str
    rooms: tuple[RoomRecord, ...]
    guests: tuple[Account, ...]


class IStore(Interface):
    """Where accounts, rooms and messages are kept.

    Every Deferred may fail with `NotStored` (writes) or with the ChatErrors named. Times are
    milliseconds since 1970, UTC. Secrets come hashed, except that `password_hash` is Argon2's.
    """

    committed: Callable[[Sequence[PendingEntry]], None] = Attribute(
        "The chat's method that takes finished appends, in the order of the queue. A run of "
        "appends between two other writes comes in one call."
    )

    def load() -> StoredState:
        """Everything that the chat keeps in memory; called once, before anything else. The room
        with key `lobby`, owned by nobody, is made here if it is not there; it has no members."""

    def append(append: PendingEntry) -> None:
        """Queue an entry; `committed` is called with it when it is stored or has failed."""

    def find_account(key: str, asker: int | None) -> Deferred[Account | None]:
        """The account of that name (a read). `asker`: who wants to know, for `blocks_asker`."""

    def find_by_uuid(uuid_hash: bytes) -> Deferred[Account | None]:
        """The account whose credential is that UUID (a read). uuid_hash: 32 bytes."""

    def register(
        name: str, key: str, password_hash: str | None, uuid_hash: bytes | None, at: int
    ) -> Deferred[int]:
        """Create a registered account; its id. Fails with NameTaken, also for a known UUID, and
        where a temporary account has the name."""

    def set_password(account_id: int, password_hash: str, keep: bytes | None) -> Deferred[None]:
        """Change a password and end all sessions of the account but that of token hash `keep`."""

    def login(
        account_id: int, token_hash: bytes, end_others: bool, at: int
    ) -> Deferred[AccountState]:
        """Begin a session of a registered account; `end_others`: its other sessions end."""

    def login_guest(name: str, key: str, token_hash: bytes, at: int) -> Deferred[int]:
        """Create a temporary account with a session; its id. Fails with NameTaken."""

    def resume(
        token_hash: bytes,
        at: int,
        oldest: int,
        seen: Mapping[int, int],
        liveness_ms: int,
        limit: int,
    ) -> Deferred[ResumeResult]:
        """Find a session again. Fails with BadSession if it is unknown or not newer than `oldest`.

        `seen`: room id -> last seq seen. At most `most` entries a room and 2,000 in all are
        given, else the room is `behind`. A room whose name had another log is `reset` unless the
        session was surely connected when the old one went: it was lost later than that by
        `sure_ms`, or began after it. The session counts as connected again from `at`.
        """

    def end_session(account_id: int, token_hash: bytes) -> Deferred[None]:
        """The session has ended and can't be resumed. What its rooms have now counts as read,
        unless it has said itself what was read (`mark_read`)."""

    def session_lost(
        account_id: int, token_hash: bytes, at: int, told: Mapping[int, int]
    ) -> Deferred[None]:
        """The session's connection was lost; it may be resumed.

        `told`: room id -> last seq that it was told; so far it counts as read, unless it has said
        itself what was read. What is queued before this, and told later, does not.
        """

    def mark_read(
        account_id: int, token_hash: bytes, room_id: int, seq: int
    ) -> Deferred[MembershipRecord]:
        """The account has read a room up to that entry, or further; how far it is then. Fails
        with NotInRoom if it does not belong to the room any more."""

    def end_guest(account_id: int) -> Deferred[None]:
        """Delete a temporary account and all that belongs to it; its memberships ended before."""

    def delete_room(room_id: int, at: int) -> Deferred[None]:
        """Delete a room, its log, memberships and invitations; its name is free then."""

    def whisper(
        sender_id: int, target_id: int, event: WhisperSent, txn: str | None, limit: int
    ) -> Deferred[tuple[Ack, int]]:
        """Keep a whisper until it is forgotten; its receipt and number (0 for a double).

        Fails with TxnConflict, with NoSuchUser if the target is gone, with NotAllowed where the
        target has `most` (0: no limit) of them waiting.
        """

    def whispers(account_id: int, after: int, limit: int) -> Deferred[Sequence[StoredWhisper]]:
        """Whispers that wait for an account, with numbers above `after`, in order (a read)."""

    def delete_whispers(account_id: int, numbers: Collection[int]) -> Deferred[None]:
        """These whispers have arrived."""

    def invite(room_id: int, account_id: int, inviter: str, told: bool, at: int) -> Deferred[None]:
        """Keep an invitation; the last one of a room and inviter counts."""

    def end_invitations(room_id: int, account_id: int, inviter: str, later: bool) -> Deferred[None]:
        """Take an invitation back; `later`: keep it, and tell it again at the next login."""

    def is_invited(room_id: int, account_id: int, inviter: str | None) -> Deferred[bool]:
        """Whether somebody, or `inviter`, has invited the account into the room (a read)."""

    def invitations(account_id: int, untold: bool) -> Deferred[Sequence[Invited]]:
        """Invitations of an account (msg is ""), only those not told yet if `untold`; they count
        as told then (a write, since it is ordered with `invite`)."""

    def block(account_id: int, blocked_id: int, on: bool) -> Deferred[None]:
        """Begin or end a block."""

    def register_phone(
        name: str, key: str, number: str, credential: bytes, at: int
    ) -> Deferred[int]:
        """Create a registered account with a telephone number, whose credential stands for a
        UUID's hash; its id. Fails with NameTaken, also for a known number."""

    def set_phone_left(account_id: int, at: int) -> Deferred[None]:
        """An account with a telephone number was here last."""

    def phones() -> Deferred[Sequence[PhoneAccount]]:
        """All accounts with telephone numbers, oldest first (a read)."""

    def history(room_id: int, span: HistoryQuery) -> Deferred[HistoryPage]:
        """Part of a room's log (a read)."""

    def prune(sessions_before: int, txns_before: int) -> Deferred[None]:
        """Forget sessions that began or were lost before, and txns stored before, these times."""

    def flush() -> Deferred[None]:
        """Fires when everything asked for before is done."""

    def healthy() -> bool:
        """Whether the last write succeeded."""

    def close() -> Deferred[None]:
        """Finish the queue and let go of the files."""


class IConnection(Interface):
    """Where one session is spoken to; made by its protocol, kept by the chat."""

    address: str = Attribute("IP address that the person came from")
    buffered_bytes: int = Attribute("bytes that were told and have not left, as far as is known")
    closed: bool = Attribute("whether its connection is lost, so that nobody can come by it")

    def close(event: Event | None, reason: str) -> None:
        """The session has ended: tell `event`, then close. `reason` is a key of the protocol's own
        table: `replaced`, `password`, `kicked`."""


class IEncodedBatch(Interface):
    """Some events in order, encoded once for all who hear them over one protocol."""

    def send(connections: Collection[IConnection]) -> None:
        """PendingEntry all of the events to each outlet; does nothing else per outlet."""

    def send_part(connection: IConnection, start: int, stop: int) -> None:
        """PendingEntry the events [start:stop] to one outlet."""


class IEncoder(Interface):
    """All sessions of one protocol."""

    def encode(events: Sequence[Event]) -> IEncodedBatch:
        """Encode events, each once."""


class IPasswords(Interface):
    """Hashing that takes its time, off the reactor thread."""

    def hash(password: str) -> Deferred[str]:
        """Argon2id of a password. May fail with RateLimited when too many wait."""

    def verify(hash: str | None, password: str) -> Deferred[bool]:
        """Whether the hash is of the password; None (nobody) costs the same and is False."""
