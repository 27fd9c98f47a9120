"""Changes of a room that are taken back, are queued, fail, and come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Removed,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.fold import RoomState, Undo
from gtchat.chat.rooms import Room, RoomRegistry
from tests.chat.room_world import folded, snapshot
from tests.chat.test_room_state import NAMES, created, entry, numbered

names = st.sampled_from(list(NAMES.values()))
entries = st.one_of(
    st.builds(entry, st.just(Joined), names, st.booleans(), guest=st.booleans()),
    st.builds(entry, st.sampled_from((Left, Kicked, Removed)), names, st.booleans()),
    st.builds(
        entry,
        st.just(RoomChanged),
        names,
        st.booleans(),
        public=st.booleans(),
        topic=st.sampled_from(("", "x")),
        max=st.integers(0, 2),
    ),
    st.just(entry(RoomChanged, "ann", False, owner="")),
    st.builds(entry, st.just(MessageSent), names, msg=st.just("x"), id=st.just("1")),
)
logs = st.lists(entries, max_size=12)


@attrs.define(eq=False)
class Change:
    """A change that is queued."""

    entry: Entry
    undo: Undo | None = None


class TakingBack(SynchronousTestCase):
    @settings(max_examples=500, deadline=None)
    @given(logs, logs)
    def test_each_change_is_taken_back_exactly(
        self, stored: list[Entry], queued: list[Entry]
    ) -> None:
        log = numbered([created, *stored, *queued])
        state = folded(log[: len(stored) + 1])
        taken = [(snapshot(state), state.fold(one)) for one in log[len(stored) + 1 :]]
        for before, undo in reversed(taken):
            undo()
            self.assertEqual(snapshot(state), before)

    @settings(max_examples=100, deadline=None)
    @given(st.builds(entry, st.just(RoomCreated), names, st.booleans(), guest=st.booleans()))
    def test_so_is_the_creation_of_a_room(self, first: Entry) -> None:
        state = RoomState()
        before = snapshot(state)
        state.fold(attrs.evolve(first, seq=1))()
        self.assertEqual(snapshot(state), before)


class Queue(SynchronousTestCase):
    """`RoomRegistry` with changes that are queued, fail and come from elsewhere."""

    def open(self, log: Sequence[Entry]) -> None:
        """Begin with a registry that has a room with this log."""
        self.registry = RoomRegistry()
        self.room = Room(id=7, name="r", key="r")
        for one in log:
            self.room.fold(one)
        self.registry.add(self.room)

    def check(self, log: Sequence[Entry], told: int = 0) -> None:
        """Check the room and the indexes against a log.

        Args:
            log: the log.
            told: by how much the number of public rooms has to grow that other nodes will tell.
        """
        self.assertEqual(snapshot(self.room), snapshot(folded(log)))
        self.assertEqual(self.registry.public.page(None, 2) == ["r"], self.room.public)
        self.assertEqual(self.registry.public.total + told, int(self.room.public))
        self.assertEqual(self.registry._owned, {self.room.owner_id: {self.room: None}})

    @settings(max_examples=500, deadline=None)
    @given(logs, logs, st.data())
    def test_changes_that_fail_are_taken_out_from_below_the_others(
        self, stored: list[Entry], queued: list[Entry], data: st.DataObject
    ) -> None:
        log = numbered([created, *stored])
        self.open(log)
        changes = [Change(one) for one in numbered(queued)]
        for change in changes:
            self.registry.queue(self.room, change)
        self.check([*log, *(change.entry for change in changes)])
        while self.room.queued:
            batch = changes[: data.draw(st.integers(1, len(changes)))]
            kept = [one for one in batch if data.draw(st.booleans())]
            failed = [one for one in batch if one not in kept]
            if failed:
                self.registry.take_back(self.room, failed)
                self.assertEqual({one.undo for one in failed}, {None})
            for change in kept:
                self.registry.stored(self.room, change)
                log.append(change.entry)
            changes = changes[len(batch) :]
            self.check([*log, *(change.entry for change in changes)])

    @settings(max_examples=500, deadline=None)
    @given(logs, logs, logs)
    def test_what_another_process_stored_comes_before_what_is_queued(
        self, stored: list[Entry], queued: list[Entry], foreign: list[Entry]
    ) -> None:
        log = numbered([created, *stored])
        self.open(log)
        queued = numbered(queued)
        changes = [Change(one) for one in queued]
        for change in changes:
            self.registry.queue(self.room, change)
        told = 0
        for one in foreign:
            before = folded(log).public
            log.append(attrs.evolve(one, seq=len(log) + 1))
            told += folded(log).public - before
            self.registry.fold_stored(self.room, log[-1])
            self.check([*log, *queued], told)
        self.assertEqual(self.room.queued, changes)
        for change in changes:
            self.registry.stored(self.room, change)
        self.check([*log, *queued], told)

    def test_a_room_that_is_deleted_is_as_it_was_stored(self) -> None:
        log = [created, entry(Joined, "bob")]
        self.open(log)
        for one in (entry(Left, "bob"), entry(Joined, "eve")):
            self.registry.queue(self.room, Change(one))
        self.registry.discard(self.room)
        self.assertEqual(snapshot(self.room), snapshot(folded(log)))
        self.assertEqual((self.room.queued, list(self.registry)), ([], []))
