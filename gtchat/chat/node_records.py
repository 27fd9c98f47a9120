"""What a node hears of the others: foreign entries, and the entries of the system log.

A node is a process of the server; several can use one database. "Foreign" is what another node has
stored. The system log has what concerns nodes and is in the log of no room. Data only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from gtchat.chat.ban_records import Ban
from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    Removed,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.moderation_events import MODERATION_ENTRIES, ReportAnswered, ReportMade
from gtchat.chat.records import EndedInvitations, PhoneAccount, StoredGuest
from gtchat.chat.room_records import RoomRecord
from gtchat.chat.told import Told

T = TypeVar("T")

#: The id of the system log among those of rooms: the highest, so that it is locked last.
SYSTEM_ID = 2**63 - 1


@attrs.frozen
class RoomAdded:
    """A room was created; an account is its owner and first member by the first entry of its log.

    Attributes:
        room_id, key, name: the room.
        public, topic, preview: its settings.
        creator_id, usr: the account, and its name.
        at: when it was created.
    """

    room_id: int
    key: str
    name: str
    public: bool = False
    topic: str = ""
    preview: bool = False
    creator_id: int | None = None
    usr: str = ""
    at: int = 0


@attrs.frozen
class RoomListing:
    """The settings of a room were changed that is, or was, public.

    Attributes:
        room_id, key, name: the room.
        seq: the entry that has changed them.
        was_public, public: whether it was public before, and is so now.
        topic, owner, preview, member_count: as of `ListedRoom`.
    """

    room_id: int
    key: str
    name: str
    seq: int
    was_public: bool
    public: bool
    topic: str
    owner: str
    preview: bool
    member_count: int


@attrs.frozen
class MemberJoined:
    """An account has become a member of a room with an entry of its log."""

    room_id: int
    account_id: int
    seq: int


@attrs.frozen
class RoomGone:
    """A room was deleted.

    Attributes:
        room_id: the room.
        by: name of the user who deleted it.
        ended: the invitations to it.
        key, name: its name; "" from a program of before rooms were known by use.
        public: whether it was public.
    """

    room_id: int
    by: str
    ended: EndedInvitations
    key: str = ""
    name: str = ""
    public: bool = False


@attrs.frozen
class InvitationsEnded:
    """Invitations to a room have ended with the membership of the user who sent them.

    Attributes:
        room_id, name: the room.
        ended: the invitations.
    """

    room_id: int
    ended: EndedInvitations
    name: str = ""


@attrs.frozen
class SessionsEnded:
    """Sessions of an account have ended, or gone on at another node, and are closed here.

    Attributes:
        account_id: the account.
        tokens: token hashes of the sessions, 32 bytes each; None for all sessions of the account.
        reason: as of `IConnection.close`: `replaced`, `ended`, `password` or `kicked`.
        address: IP address of the client that has replaced them, "" otherwise.
    """

    account_id: int
    tokens: frozenset[bytes] | None
    reason: str
    address: str = ""


@attrs.frozen
class Online:
    """Accounts have come online at a node, or are not online there any more.

    Attributes:
        came: account id -> name as displayed.
        went: account ids.
    """

    came: Mapping[int, str]
    went: tuple[int, ...] = ()


@attrs.frozen
class BlockChanged:
    """An account blocks another one, or does so no more.

    Attributes:
        account_id: the account that blocks.
        blocked_id, name: the account that is blocked.
        on: whether it is blocked from now on.
    """

    account_id: int
    blocked_id: int
    name: str
    on: bool


@attrs.frozen
class DirectEntry:
    """An entry of a direct conversation; a node where one of its two users is online sends it.

    Attributes:
        room_id, seq: the entry.
        users: (account id, name) of its author, then of the other user; twice the same for notes.
    """

    room_id: int
    seq: int
    users: tuple[tuple[int, str], tuple[int, str]]


@attrs.frozen
class AccountEnded:
    """An account was deleted."""

    account_id: int


@attrs.frozen
class AccountRenamed:
    """An account, which is logged in nowhere, has another name.

    Of one that is deleted then, `name` stands for its name, and `key` is "".
    """

    account_id: int
    name: str
    key: str


@attrs.frozen
class OperatorSet:
    """An account has got the operator mark, or `on` is False: it has it no more."""

    account_id: int
    on: bool


@attrs.frozen
class ChoiceMade:
    """An operator has chosen something at run time.

    Attributes:
        name: what; see `access`.
        value: the value, None for that of the setting.
    """

    name: str
    value: str | None


@attrs.frozen
class BanAdded:
    """A ban was added, or has other terms now; who is banned is disconnected."""

    ban: Ban


@attrs.frozen
class BanRemoved:
    """A ban was removed."""

    ban_id: int


@attrs.frozen
class EpochBegun:
    """A new epoch of all logs has begun."""

    epoch: str


@attrs.frozen
class NodeGone:
    """A node has ended.

    Attributes:
        node_id: the node.
        guests: the guests that this node takes over from it; () at all other nodes.
    """

    node_id: int
    guests: tuple[StoredGuest, ...] = ()


@attrs.frozen
class AddressAsked:
    """A session asks for the peer address of an account.

    Attributes:
        asker_id, usr: the account of the session, and its name.
        token_hash: names the session, 32 bytes.
        target_id: the account that is asked.
        at: when, in milliseconds since 1970.
    """

    asker_id: int
    usr: str
    token_hash: bytes
    target_id: int
    at: int


@attrs.frozen
class AddressAnswered:
    """An account has answered the requests of another one for its peer address.

    Attributes:
        asker_id: the account that has asked.
        target_id, usr: the account that was asked, and its name.
        at: when, in milliseconds since 1970.
        host, port: the address; "" and 0 if it is refused.
    """

    asker_id: int
    target_id: int
    usr: str
    at: int
    host: str = ""
    port: int = 0


SystemEntry = (
    RoomAdded
    | RoomListing
    | MemberJoined
    | RoomGone
    | InvitationsEnded
    | SessionsEnded
    | Online
    | BlockChanged
    | DirectEntry
    | Told
    | AccountEnded
    | AccountRenamed
    | OperatorSet
    | ChoiceMade
    | BanAdded
    | BanRemoved
    | EpochBegun
    | NodeGone
    | AddressAsked
    | AddressAnswered
    | PhoneAccount
    | ReportMade
    | ReportAnswered
)
#: Kind of a system entry in the store -> its class.
SYSTEM_TYPES: dict[str, type[Any]] = {
    "room_added": RoomAdded,
    "room_listing": RoomListing,
    "member": MemberJoined,
    "room_deleted": RoomGone,
    "invitations_ended": InvitationsEnded,
    "sessions_ended": SessionsEnded,
    "online": Online,
    "blocked": BlockChanged,
    "direct": DirectEntry,
    "told": Told,
    "account_ended": AccountEnded,
    "account_renamed": AccountRenamed,
    "operator_set": OperatorSet,
    "choice": ChoiceMade,
    "ban_added": BanAdded,
    "ban_removed": BanRemoved,
    "epoch": EpochBegun,
    "node_gone": NodeGone,
    "address_asked": AddressAsked,
    "address_answered": AddressAnswered,
    "phone": PhoneAccount,
    "report_made": ReportMade,
    "report_answered": ReportAnswered,
}
#: Kind of a system entry -> what a part of the chat does with one, given the node that wrote it.
ForeignHandlers = dict[type[Any], Callable[[int, Any], None]]
#: Entries that change the state of a room: rules that were checked before them are stale.
ROOM_CHANGES: tuple[type[Entry], ...] = (
    RoomCreated,
    RoomChanged,
    Joined,
    Left,
    Kicked,
    Removed,
    *MODERATION_ENTRIES,
)


@attrs.frozen
class Foreign:
    """What other nodes have stored since the last time; delivered in the order of the attributes.

    But a room that is deleted gives up its name first, if one of `loaded` has it.

    Attributes:
        entries: room id -> entries in order; the first follows on the last one that was delivered.
        loaded: rooms that are followed from now on, or that this node has asked for again.
        system: (node id, system entry) in order.
        directs: (room id, seq) -> the entry, for each `DirectEntry` whose entry is still there.
    """

    entries: Mapping[int, tuple[Entry, ...]] = MappingProxyType({})
    loaded: tuple[RoomRecord, ...] = ()
    system: tuple[tuple[int, SystemEntry], ...] = ()
    directs: Mapping[tuple[int, int], Entry] = MappingProxyType({})


@attrs.frozen
class FailureCount:
    """How often was guessed wrong: for a name from a network, for a name, or from a network.

    Attributes:
        failures: wrong guesses since the last suspension; 0 for a name or a network alone.
        until: when the suspension ends, or all guesses are forgotten; milliseconds since 1970, UTC.
    """

    failures: int = 0
    until: int = 0


NO_FAILURES = FailureCount()
#: Begins the key of a count of a name and a network; what is suspended is one of these.
PAIR = "pair "
#: A rule: given counts, returns its result and the counts after it.
CountFailures = Callable[[Sequence[FailureCount]], tuple[T, Sequence[FailureCount]]]
