"""What a store tells of rooms that are not in memory, and when which rooms are.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gtchat.chat.events import Entry
from gtchat.chat.records import UnreadRecord
from gtchat.chat.room_records import FoundRoom, ListedRoom, RecentMessages, RoomRecord

#: Public rooms that `load` returns: as many as the first page of a list can have, and more, so that
#: rooms can be deleted before others have to be read.
FIRST_LISTED = 400


class IRoomStore(Interface):
    """Returns rooms, and lists of them.

    `load` returns the lobby. Other rooms come into memory by the methods here, and by `login` and
    `resume`. From a store that several nodes use (`INodeStore.is_shared`) their records are not
    in the results: they come before, by `INodeStore.foreign`, and from then on it delivers what
    other nodes write to these rooms, until `release`.

    What `load_rooms` and `public_rooms` return is as it is at the place of the call in the queue:
    all that was queued before is in it and delivered, and nothing that was queued later.
    """

    def load_rooms(ids: Collection[int], key: str | None = None) -> Deferred[Sequence[RoomRecord]]:
        """Return those rooms that there are, with their members; () from a shared store.

        Args:
            ids: room ids.
            key: name of one more room; None for no such room.
        """

    def release(rooms: Mapping[int, int]) -> Deferred[None]:
        """Take note that rooms have left memory: what other nodes write to them is not wanted.

        A room whose record was handed out since is in memory again, and stays. A store that no
        other node can use fires at once, without a place in the queue.

        Args:
            rooms: room id -> `RoomRecord.loads` of its last record; 0 for a room that was created
                here, and of which there was none.
        """

    def entries_since(room_id: int, seq: int, limit: int) -> Deferred[Sequence[Entry]]:
        """Return the entries from a `seq` on, oldest first, and bring the room into memory.

        If they are fewer than the limit, the last one is the last that was delivered before the
        result, at its place in the queue. Only of a shared store.

        Args:
            room_id: the room; () if there is none.
            seq: the first entry.
            limit: the largest number of entries.
        """

    def public_rooms(after: str | None, limit: int) -> Deferred[Sequence[ListedRoom]]:
        """Return public rooms without the lobby, in the order of their keys.

        Args:
            after: the key of the last room before these, None for the first ones.
            limit: the largest number of rooms.
        """

    def count_public() -> Deferred[int]:
        """Return how many public rooms there were when the chat was loaded, without the lobby.

        Called once after each load, in the same turn. What this or another node has stored since
        is not counted. A count that fails costs the node: see `INodeStore.lost`.

        Raises:
            NotStored.
        """

    def rooms_of(
        account_id: int | None, token_hash: bytes | None
    ) -> Deferred[tuple[Mapping[int, tuple[str, str]], Mapping[int, UnreadRecord]]]:
        """Return the rooms that an account is in or owns, and its unread messages (read).

        Both are of one moment: a message that is stored later has not been counted.

        Args:
            account_id: the account; None for the account of a session.
            token_hash: names that session.

        Returns:
            Room id -> (name, key), and what `IStore.unread` returns.

        Raises:
            BadSession: as `IStore.unread`.
        """

    def find_rooms(keys: Collection[str]) -> Deferred[Mapping[str, FoundRoom]]:
        """Return key -> the room, of those rooms that there are (read)."""

    def search_rooms(search: str, after: str, limit: int) -> Deferred[Sequence[int]]:
        """Return ids of rooms in the order of their keys, private ones among them (read).

        Args:
            search: what their keys contain, "" for all.
            after: the key before these, "" for the first ones.
            limit: the largest number of rooms.
        """

    def count_received(account_ids: Collection[int]) -> Deferred[Mapping[int, int]]:
        """Return how many rooms accounts own that others have created (read).

        Accounts without such a room are left out.
        """

    def recent_messages(room_id: int, wanted: RecentMessages) -> Deferred[Sequence[int]]:
        """Return the seqs of messages of a user that are not deleted, newest first (read)."""

    def member_names(
        room_id: int, after: str | None, limit: int
    ) -> Deferred[tuple[list[str], int]]:
        """Return names of members of a room in order, and the number of all members (read).

        Args:
            room_id: the room.
            after: the last name before these, None for the first ones.
            limit: the largest number of names.
        """
