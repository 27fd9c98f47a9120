"""What a node knows of logs that all nodes write: the arithmetic of both stores."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import Entry, Joined, Kicked, RoomChanged, RoomCreated
from gtchat.chat.interfaces import PendingEntry, PendingRoomChange, RoomRecord
from gtchat.chat.node_records import Foreign, RoomGone
from gtchat.store.following import Known
from tests.store.contract import joined, message, room_changed, room_created

CHANGES = (RoomCreated, RoomChanged, Joined, Kicked)


def record(room_id: int, last_seq: int) -> RoomRecord:
    return RoomRecord(
        id=room_id,
        name=f"Room {room_id}",
        key=f"room {room_id}",
        public=True,
        topic="",
        max=0,
        owner_id=None,
        owner="",
        creator_id=None,
        last_seq=last_seq,
        message_count=0,
        members=(),
    )


def kicked(room: str = "Garden") -> Kicked:
    return Kicked(room_name=room, usr="Ann", at=970, by="Bob")


class World:
    """Rooms whose logs two nodes write, and what one of them knows.

    Attributes:
        logs: room id -> its entries, of whichever node.
        delivered: room id -> how many of them this node has delivered.
        foreign: room id -> how many changes among those were the other node's.
    """

    def __init__(self) -> None:
        self.known = Known()
        self.known.begin([record(1, 2)], 0)
        self.logs: dict[int, list[Entry]] = {1: [joined("Ann"), message()]}
        self.delivered = {1: 2}
        self.foreign = {1: 0}
        self.deleted: list[RoomGone] = []
        self.loads: dict[int, int] = {}
        self.last_id = 1

    def _write(self, room_id: int, entry: Entry) -> Entry:
        self.logs[room_id].append(entry)
        entry.seq = len(self.logs[room_id])
        return entry

    def own(self, room_id: int, entry: Entry) -> None:
        """Write an entry, as a batch does once it has read what is missing."""
        self.catch_up()
        if room_id in self.logs and room_id in self.delivered:
            self.known.wrote(PendingEntry(room_id, self._write(room_id, entry)))
            self.delivered[room_id] += 1

    def own_room(self) -> None:
        """Create a room."""
        self.last_id += 1
        self.logs[self.last_id] = []
        self.known.wrote(PendingEntry(self.last_id, self._write(self.last_id, room_created())))
        self.delivered[self.last_id], self.foreign[self.last_id] = 1, 0

    def theirs(self, room_id: int, entry: Entry) -> None:
        """Let the other node write an entry."""
        if room_id in self.logs:
            self._write(room_id, entry)

    def their_room(self) -> None:
        """Let the other node create a room."""
        self.last_id += 1
        self.logs[self.last_id] = []
        self._write(self.last_id, room_created())

    def load(self, room_id: int) -> None:
        """Bring a room into memory, or ask for it again."""
        self.catch_up()
        if room_id in self.logs:
            handed = self.known.hand_out(record(room_id, len(self.logs[room_id])))
            self.delivered.setdefault(room_id, len(self.logs[room_id]))
            assert handed.foreign == self.foreign.setdefault(room_id, 0)
            assert handed.loads > max(self.loads.values(), default=0)
            self.loads[room_id] = handed.loads

    def release(self, room_id: int, older: int) -> None:
        """Release a room; if `older` is not 0, in the state of an older record."""
        loads = self.loads.get(room_id, 0)
        self.known.release({room_id: loads - older})
        if not older:
            self.delivered.pop(room_id, None)
            self.foreign.pop(room_id, None)

    def delete(self, room_id: int) -> None:
        """Let the other node delete a room."""
        if self.logs.pop(room_id, None):
            self.deleted.append(RoomGone(room_id, "Bob", {}))

    def catch_up(self) -> None:
        """Deliver what is missing."""
        entries = {}
        for room_id in self.logs.keys() & self.delivered.keys():
            missing = self.logs[room_id][self.delivered[room_id] :]
            if missing:
                entries[room_id] = tuple(missing)
                self.delivered[room_id] = len(self.logs[room_id])
                changes = sum(isinstance(entry, CHANGES) for entry in missing)
                self.foreign[room_id] += changes
        system = tuple((2, one) for one in self.deleted)
        for one in self.deleted:
            self.delivered.pop(one.room_id, None)
            self.foreign.pop(one.room_id, None)
        self.known.took(Foreign(entries, system=system))
        self.deleted = []

    def heads(self) -> dict[int, int]:
        return {room_id: len(log) for room_id, log in self.logs.items()}


#: What happens, with the number of a room.
STEPS = {
    "own message": lambda world, room_id: world.own(room_id, message()),
    "own change": lambda world, room_id: world.own(room_id, joined("Ann")),
    "own room": lambda world, room_id: world.own_room(),
    "their message": lambda world, room_id: world.theirs(room_id, message()),
    "their change": lambda world, room_id: world.theirs(room_id, room_changed(owner="Bob")),
    "their kick": lambda world, room_id: world.theirs(room_id, kicked()),
    "their room": lambda world, room_id: world.their_room(),
    "deleted": lambda world, room_id: world.delete(room_id),
    "caught up": lambda world, room_id: world.catch_up(),
    "loaded": lambda world, room_id: world.load(room_id),
    "released": lambda world, room_id: world.release(room_id, 0),
    "released too late": lambda world, room_id: world.release(room_id, 1),
}


class FollowingTests(SynchronousTestCase):
    @given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 4)), max_size=30))
    def test_what_is_behind_follows_from_the_heads(self, steps: list[tuple[str, int]]) -> None:
        world = World()
        for step, room_id in steps:
            STEPS[step](world, room_id)
            heads, delivered = world.heads(), world.delivered
            self.assertEqual(
                world.known.behind(heads),
                {
                    room_id: (delivered[room_id], head)
                    for room_id, head in heads.items()
                    if room_id in delivered and delivered[room_id] < head
                },
            )
            for room_id in delivered:
                self.assertFalse(world.known.is_stale(room_id, world.foreign[room_id]))
                self.assertTrue(world.known.is_stale(room_id, world.foreign[room_id] + 1))
        world.catch_up()
        self.assertEqual(world.known.behind(world.heads()), {})
        self.assertEqual(world.known.rooms.keys(), world.delivered.keys())

    def test_rules_that_checked_nothing_are_never_stale(self) -> None:
        known = World().known
        self.assertFalse(known.is_stale(1, None))
        self.assertFalse(known.is_stale(99, None))

    def test_rules_about_a_deleted_room_are_stale(self) -> None:
        known = World().known
        known.forget(1)
        known.forget(1)
        self.assertTrue(known.is_stale(1, 0))

    def test_entries_that_were_not_stored_and_conversations_change_nothing(self) -> None:
        known = World().known
        known.wrote(PendingEntry(1, message()))
        entry = message()
        entry.seq = 9
        known.wrote(PendingEntry(5, entry))
        self.assertEqual((known.rooms.keys(), known.rooms[1].seq), ({1}, 2))

    def test_own_changes_that_were_not_stored_count_once_in_a_batch(self) -> None:
        known = World().known
        failed = [PendingRoomChange(room_id, joined("Ann")) for room_id in (1, 1, 99)]
        stored = PendingRoomChange(1, joined("Bob"))
        stored.entry.seq = 3
        said = PendingEntry(1, message())
        known.failed([*failed, stored, said])
        self.assertFalse(known.is_stale(1, 1))
        known.failed([stored, said])
        self.assertFalse(known.is_stale(1, 1))

    def test_settings_were_seen_until_they_change_or_a_change_fails(self) -> None:
        world = World()
        seen = world.known.has_seen_settings
        self.assertTrue(seen(1, 0))
        self.assertFalse(seen(1, None))
        world.theirs(1, joined("Bob"))
        world.catch_up()
        self.assertTrue(seen(1, 0))
        world.theirs(1, room_changed(owner="Bob"))
        world.theirs(1, kicked())
        world.catch_up()
        self.assertEqual((seen(1, 1), seen(1, 2)), (False, True))
        world.known.failed([PendingRoomChange(1, joined("Cat"))])
        self.assertTrue(seen(1, 2))
        changes = [room_changed(owner="Bob"), joined("Dan")]
        world.known.failed(
            [PendingRoomChange(room_id, one) for room_id in (1, 9) for one in changes]
        )
        self.assertEqual((seen(1, 4), seen(1, 5)), (False, True))

    def test_what_was_read_of_the_system_log_is_known(self) -> None:
        known = World().known
        known.took(Foreign(), system=4)
        known.took(Foreign())
        self.assertEqual(known.system, 4)

    def test_a_record_that_does_not_follow_on_what_is_known_is_a_bug(self) -> None:
        with self.assertRaises(AssertionError):
            World().known.hand_out(record(1, 3))
