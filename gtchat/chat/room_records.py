"""Records of rooms that the chat and its store exchange: data only."""

from __future__ import annotations

from collections.abc import Sized

import attrs

from gtchat.chat.moderation import UNMODERATED, Moderation
from gtchat.chat.retention import KEEP_ALL, Keep


@attrs.frozen
class RoomRecord:
    """A stored room.

    Attributes:
        id: the room id.
        name: the name as displayed.
        key: the name as compared.
        public: whether users who are not members can see and join it.
        topic: one line of text, "" for none.
        max: maximum number of members, 0 for no limit.
        owner_id: account id of the owner, None for no owner.
        owner: name of the owner, "" for no owner.
        creator_id: account id of the user who created it, None for the lobby.
        last_seq: `seq` of the newest entry of the log, 0 if it has not begun.
        message_count: number of messages in the log so far, also of those that are not kept.
        members: (account id, name, registered), in the order of joining.
        preview: whether users who are not members can read the newest messages while it is public.
        foreign: `Room.foreign` of it from here on; of a store that is shared only.
        loads: number of this record among those that such a store has handed out.
        moderation: roles, mutes, bans, who may speak.
        keep: how much of the log is kept, as far as the owner limits it.
    """

    id: int
    name: str
    key: str
    public: bool
    topic: str
    max: int
    owner_id: int | None
    owner: str
    creator_id: int | None
    last_seq: int
    message_count: int
    members: tuple[tuple[int, str, bool], ...]
    preview: bool = False
    foreign: int = 0
    loads: int = 0
    moderation: Moderation = UNMODERATED
    keep: Keep = KEEP_ALL


@attrs.define
class ListedRoom:
    """A public room in the list of a user who is not a member of it.

    Attributes:
        id, name, key, topic, owner, last_seq, preview: as of `RoomRecord`.
        member_count: number of its members.
        list_entry: as of `RoomState`.
    """

    id: int
    name: str
    key: str
    topic: str
    owner: str
    last_seq: int
    preview: bool
    member_count: int
    list_entry: Sized | None = attrs.field(default=None, eq=False)

    @property
    def public(self) -> bool:
        """Always: rooms that are not public are listed for their members only."""
        return True


@attrs.frozen
class FoundRoom:
    """What a store tells of a room with a name; the attributes are those of `RoomRecord`."""

    id: int
    public: bool
    preview: bool
    owner_id: int | None = None
    moderation: Moderation = UNMODERATED


@attrs.frozen
class ShownRoom:
    """What lists show of a stored room; the attributes are those of `ListedRoom`."""

    key: str
    name: str
    public: bool
    member_count: int


@attrs.frozen
class RecentMessages:
    """Which messages of a user in a room are meant.

    Attributes:
        usr: name of the user as displayed.
        account_id: the account, 0 if it has ended.
        since: the time of the first one, in milliseconds since 1970, UTC.
        after: the seq after which they are looked for.
        limit: the largest number of messages.
    """

    usr: str
    account_id: int
    since: int
    after: int
    limit: int
