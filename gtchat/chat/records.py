"""Records that the chat and its store exchange: data only, with the units of each field.

Those of sessions and devices are in `session_records`, those of logs in `history_records`, those of
rooms in `room_records`.
Times are milliseconds since 1970, UTC. Secrets are hashed before they are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import attrs

from gtchat.chat.audit import AuditRecord
from gtchat.chat.ban_records import Ban
from gtchat.chat.direct_records import Direct
from gtchat.chat.errors import ChatError
from gtchat.chat.events import Entry, Invited
from gtchat.chat.room_records import ListedRoom, RoomRecord, ShownRoom
from gtchat.chat.told import Told

ResetReason = Literal["", "epoch", "recreated", "unknown", "left"]

#: Networks that are kept of an account, and milliseconds after which a login from one of them is
#: stored again.
NETWORKS_PER_ACCOUNT, NETWORK_REFRESH_MS = 20, 24 * 3600 * 1000


@attrs.define
class Ack:
    """The ack that the sender of a message gets.

    Attributes:
        id: the message id; of the ack of a change of a room: the room id.
        seq: number in the log.
        at: when it was sent.
        dup: whether an earlier request with the same txn stored it.
    """

    id: str
    seq: int
    at: int
    dup: bool = False


@attrs.frozen
class RepeatableRequest:
    """A request that its client may send again when it has got no reply: it is done once.

    Attributes:
        account_id: the account that asks.
        txn: its idempotency key. One txn is for one content.
        content: what it asks for: the command with its fields.
        at: now.
    """

    account_id: int
    txn: str
    content: str
    at: int


@attrs.define(eq=False)
class PendingEntry:
    """An entry that is queued for the log of a room; the store fills in the outcome.

    The change that an entry means for the room is made in the same transaction: `room_created`
    creates the room with its subject as first member and owner, `room_changed` changes its row,
    `join_room` makes the subject a member and deletes its invitations to the room, `leave_room`,
    `kicked` and `removed` end the membership and delete the invitations that the subject sent. What
    any of them changes of the moderation, `Moderation.fold` says.

    Attributes:
        room_id: the room; 0 for `room_created`, where the store fills in the new id.
        entry: the entry with `seq` 0; the store fills in its `seq`.
        txn: the sender's idempotency key, None if there is none.
        sender_id: account id of the sender whose `txn` it is, and of who asks for a change; None of
            a change that the chat itself makes. A message without a `txn` needs none.
        error: filled in: why it was not stored, None if it was: `NotStored`, `TxnConflict`,
            `NoSuchUser`, `PrivateRoom`, `RoomExists`.
        earlier: filled in: the ack of an earlier entry with the same txn and content.
        checked: `Room.foreign` of the state that the rules saw. If another node has changed that by
            then, and what is stored does not allow the entry, it fails with `Stale`, or a message
            with NotInRoom. None for nothing to check.
        audit: returns the record of the audit log that is stored with it, if any; asked once it
            is stored, in any thread. None for none.
        slow: of a message: seconds that must have passed since the last message of its author that
            had this; else it fails with SlowMode. 0 for none.
        refusal: of a request with a `txn`: why it is not stored unless it was done before. None for
            no reason.
    """

    room_id: int
    entry: Entry
    txn: str | None = None
    sender_id: int | None = None
    error: ChatError | None = None
    earlier: Ack | None = None
    checked: int | None = None
    audit: Callable[[], AuditRecord | None] | None = None
    slow: int = 0
    refusal: ChatError | None = None

    @property
    def subject_id(self) -> int | None:
        """The account that the entry is about; see `Entry`."""
        return self.entry.subject_id

    @property
    def ack(self) -> Ack:
        """The ack that its sender gets, once it is stored."""
        return Ack(getattr(self.entry, "id", ""), self.entry.seq, self.entry.at)


@attrs.frozen
class Inviter:
    """The account that has sent an invitation, None in old ones, with the name that it had then."""

    id: int | None
    name: str


#: Invitations that have ended without an answer: invited account -> who has sent them.
EndedInvitations = Mapping[int, Sequence[Inviter]]


@attrs.frozen
class RoomLimits:
    """How many rooms an account can have; 0 for no limit.

    Attributes:
        rooms: rooms that it has created; and rooms that it has received from other users.
        memberships: rooms that it is a member of.
    """

    rooms: int = 0
    memberships: int = 0


@attrs.define(eq=False)
class PendingRoomChange(PendingEntry):
    """A change of a room that is queued for its log.

    Attributes:
        room_key: name of the room as it is compared; used for `room_created` only.
        content: what its request asks for, as in `RepeatableRequest`; used with a `txn` only.
        needs_invitation: of a `join_room`: whether it is stored only if the subject is invited.
        ended: filled in: the invitations that the subject had sent and that end with it.
        tells: what other nodes are told with it: the answer to the invitation that it accepts.
        limits: how many rooms its subject can have with it.
        before: filled in: of a `room_changed`: what lists showed of the room before.
    """

    room_key: str = ""
    content: str = ""
    needs_invitation: bool = False
    ended: EndedInvitations = attrs.field(factory=dict)
    tells: tuple[Told, ...] = ()
    limits: RoomLimits = RoomLimits()
    before: ShownRoom | None = None

    @property
    def ack(self) -> Ack:
        """The ack of its request: the id is that of the room."""
        return Ack(str(self.room_id), self.entry.seq, self.entry.at)


@attrs.frozen
class Account:
    """A registered or temporary account.

    Attributes:
        id: the account id, never used again.
        name: the name as displayed.
        key: the name as compared.
        registered: False for a temporary account.
        password_hash: Argon2id hash as text, None without a password.
        blocks_asker: whether it blocks the account that the query named.
        seen_at: when the account last registered or logged in from the network that the query
            named, 0 for never; it is up to `NETWORK_REFRESH_MS` too early.
        memberships: number of rooms that it is a member of, counted by `IStore.find_account` only.
        operator: whether it has the operator mark.
        invite_id: number of the invitation whose rooms it has still to join, None for none.
    """

    id: int
    name: str
    key: str
    registered: bool
    password_hash: str | None = None
    blocks_asker: bool = False
    seen_at: int = 0
    memberships: int = 0
    operator: bool = False
    invite_id: int | None = None


@attrs.frozen
class MembershipRecord:
    """How far an account has read a room that it is a member of.

    Attributes:
        room_id: the room.
        read_seq: the last entry that counts as read, 0 for none.
        notify: of which messages the user wants to be notified: `all`, `mentions` or `none`.
    """

    room_id: int
    read_seq: int
    notify: str = "all"


@attrs.frozen
class UnreadRecord:
    """How many messages of a room an account has not read, at the time of the query.

    Attributes:
        unread: exact up to 99, without the account's own messages and those of users that it
            blocks; else all messages after the last entry that counts as read.
        message_count: number of messages in the log.
        mentions: how many of the messages after that entry mention the account, without those of
            users that it blocks.
    """

    unread: int
    message_count: int
    mentions: int = 0


@attrs.frozen
class AccountState:
    """What is loaded at a login.

    Attributes:
        account: the account.
        memberships: its rooms and the lobby.
        blocked: account id -> name of the accounts that it blocks.
        blocked_by: ids of the accounts that block it.
        invitations: its pending invitations with an empty `msg`, the newest 200 in order, without
            those of users that it blocks.
        directs: its newest direct conversations, newest first, without unread messages.
        ended: token hashes of the other sessions of the account that ended with the login.
        rooms: the rooms that it is a member of or owns, without those that the chat has named, as
            they are at this place in the queue; () from a shared store.
    """

    account: Account
    memberships: tuple[MembershipRecord, ...]
    blocked: Mapping[int, str]
    blocked_by: frozenset[int]
    invitations: tuple[Invited, ...] = ()
    directs: tuple[Direct, ...] = ()
    ended: frozenset[bytes] = frozenset()
    rooms: tuple[RoomRecord, ...] = ()


@attrs.frozen
class Backlog:
    """The entries of a room after the last one that a client received.

    Attributes:
        entries: all of them in order; empty if `behind` or `reset`.
        behind: whether there are more than the limit.
        reset: why the client's last entry is not of this log, "" if it is: `epoch` if the log is
            that of an older copy of the database, `recreated` if the room was created again,
            `unknown` if the log has no such entry, or there is no such log, `left` if the user is
            not in the room.
        first: the lowest `seq` that is kept, if not all is that the client has missed; else 0.
    """

    entries: tuple[Entry, ...] = ()
    behind: bool = False
    reset: ResetReason = ""
    first: int = 0


@attrs.frozen
class ResumeResult:
    """What is loaded when a session is resumed.

    Attributes:
        account_state: the state of its account.
        missed: room id -> what the client missed.
        directs: those direct conversations of the account in which its client had seen entries.
        epoch: the epoch that begins now, because the logs are shorter than what the client was
            told; None if they are not.
        moved: whether another node had the connection of the session, which it is told to close.
    """

    account_state: AccountState
    missed: Mapping[int, Backlog]
    epoch: str | None = None
    directs: tuple[Direct, ...] = ()
    moved: bool = False


@attrs.frozen
class InvitationLimits:
    """How many invitations can be pending; 0 for no limit.

    Attributes:
        invited: for one account.
        pair: from one account for one other.
        inviter: from one account.
    """

    invited: int = 0
    pair: int = 0
    inviter: int = 0


@attrs.frozen
class PhoneAccount:
    """An account with a telephone number.

    Attributes:
        account_id: the account id.
        name: the name as displayed.
        number: the telephone number.
        left_at: when its user was online last.
    """

    account_id: int
    name: str
    number: str
    left_at: int


@attrs.frozen
class StoredGuest:
    """A temporary account that the last run of the server left.

    Attributes:
        account: the account.
        network: network of its last login or resume, "" if it is not known.
        resumable: whether it has a session that can be resumed.
    """

    account: Account
    network: str
    resumable: bool


@attrs.frozen
class StoredState:
    """What is loaded when the server starts.

    Attributes:
        epoch: names all logs together; it changes when a backup is restored.
        rooms: the lobby.
        guests: the temporary accounts that the last run left.
        online: (account id, name, ids of the other nodes where it is online) of accounts.
        public: the first public rooms in the order of their keys, without the lobby.
        ownerless: ids of the rooms without an owner, without the lobby.
        choices: what operators have chosen at run time, by name.
        bans: the bans from the server.
    """

    epoch: str
    rooms: tuple[RoomRecord, ...]
    guests: tuple[StoredGuest, ...]
    online: tuple[tuple[int, str, frozenset[int]], ...] = ()
    public: tuple[ListedRoom, ...] = ()
    ownerless: tuple[int, ...] = ()
    choices: Mapping[str, str] = attrs.field(factory=dict)
    bans: tuple[Ban, ...] = ()
