"""What the jobs of a queue need locked, and what they tell the other nodes."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.events import Edited, Entry, InviteAnswered, Kicked, Removed
from gtchat.chat.interfaces import (
    ChangeLimits,
    Inviter,
    PendingEntry,
    PendingMessageChange,
    PendingRoomChange,
    Told,
)
from gtchat.chat.node_records import (
    DirectEntry,
    InvitationsEnded,
    MemberJoined,
    Online,
    RoomAdded,
    RoomListing,
    SystemEntry,
)
from gtchat.chat.room_records import ShownRoom
from gtchat.store.job_tells import locks_of, told_by
from gtchat.store.jobs import NO_LOCKS, Locks, Plan, StoreCall
from tests.store.contract import joined, left, message, room_changed, room_created

USERS = ((1, "Ann"), (2, "Bob"))
TOLD = Told(3, InviteAnswered(room_name="Garden", usr="Ann", reply="Y", at=4), 1)


def change(entry: Entry, subject: int | None = 1, **more: Any) -> PendingRoomChange:
    entry.subject_id = subject
    return PendingRoomChange(7, entry, **more)


def edit(users: Any) -> PendingMessageChange:
    entry = Edited(room_name="Garden", usr="Ann", at=5, of=1, msg="new")
    return PendingMessageChange(
        room_id=7,
        entry=entry,
        sender_id=1,
        is_moderator=False,
        limits=ChangeLimits(),
        users=users,
    )


def kicked(kind: type[Kicked | Removed]) -> Entry:
    return kind(room_name="Garden", usr="Ann", at=6, by="Bob")


class LocksTests(SynchronousTestCase):
    def test_the_locks_of_an_entry_follow_from_it(self) -> None:
        created = Locks(names=("room Garden",), accounts=(1,), system=True)
        ends = Locks(rooms=(7,), system=True)
        for job, locks in (
            (PendingEntry(7, message()), Locks(rooms=(7,))),
            (change(room_created()), created),
            (change(room_created(), None), Locks(names=("room Garden",), system=True)),
            (change(joined("Ann")), Locks(rooms=(7,), accounts=(1,), system=True)),
            (change(room_changed(owner="Ann")), Locks(rooms=(7,), accounts=(1,), system=True)),
            (change(room_changed(owner=""), None), ends),
            (change(left("Ann")), ends),
            (change(kicked(Kicked)), ends),
            (change(kicked(Removed)), ends),
            (edit(None), Locks(rooms=(7,))),
            (edit(USERS), Locks(rooms=(7,), system=True)),
        ):
            with self.subTest(job.entry, subject=job.subject_id):
                self.assertEqual(locks_of(job), locks)

    def test_the_locks_of_a_call_are_those_of_its_plan(self) -> None:
        self.assertEqual(locks_of(StoreCall(None)), NO_LOCKS)
        locks = Locks(accounts=(1, 2))
        self.assertEqual(locks_of(StoreCall(None, plan=Plan(locks))), locks)


class TellsTests(SynchronousTestCase):
    def test_who_may_speak_in_the_lobby_is_not_told_to_lists(self) -> None:
        shown = ShownRoom("lobby", "lobby", True, 0)
        self.assertEqual(self.told(change(room_changed(owner=""), None, before=shown)), [])

    def told(self, job: Any, seq: int = 3) -> list[SystemEntry]:
        """Return what a job that is stored tells; it has locked the log that it tells it in."""
        job.entry.seq = seq
        told = list(told_by(job))
        if told:
            self.assertTrue(locks_of(job).system)
        return told

    def test_entries_tell_what_is_not_in_the_log_that_all_nodes_follow(self) -> None:
        ended = {4: [Inviter(1, "Ann")]}
        added = RoomAdded(7, "garden", "Garden", True, "plants", False, 1, "Ann", 900)
        shown = ShownRoom("garden", "Garden", True, 2)
        private = attrs.evolve(room_changed(owner="Ann"), public=False)
        listing = RoomListing(7, "garden", "Garden", 3, True, True, "plants", "Ann", False, 2)
        for job, told in (
            (PendingEntry(7, message()), []),
            (change(room_created(), room_key="garden"), [added]),
            (change(joined("Ann")), [MemberJoined(7, 1, 3)]),
            (change(joined("Ann"), None), []),
            (change(joined("Ann"), tells=(TOLD,)), [MemberJoined(7, 1, 3), TOLD]),
            (change(room_changed(owner="Ann")), []),
            (change(room_changed(owner="Ann"), before=shown), [listing]),
            (change(private, before=shown), [attrs.evolve(listing, public=False)]),
            (change(private, before=attrs.evolve(shown, public=False)), []),
            (change(left("Ann")), []),
            (change(left("Ann"), ended=ended), [InvitationsEnded(7, ended, "Garden")]),
            (edit(None), []),
            (edit(USERS), [DirectEntry(7, 3, USERS)]),
        ):
            with self.subTest(job.entry):
                self.assertEqual(self.told(job), told)

    def test_an_entry_that_is_not_stored_tells_nothing(self) -> None:
        self.assertEqual(self.told(edit(USERS), seq=0), [])
        failed = edit(USERS)
        failed.error = NotStored()
        self.assertEqual(self.told(failed), [])

    def test_a_call_tells_what_follows_from_its_result(self) -> None:
        call = StoreCall(lambda: "Ann", plan=Plan(tells=lambda name: [Online({1: name})]))
        call.run()
        self.assertEqual(list(told_by(call)), [Online({1: "Ann"})])
        self.assertEqual(list(told_by(StoreCall(None))), [])

    def test_a_call_that_failed_tells_nothing(self) -> None:
        def fail() -> None:
            raise NotStored()

        call = StoreCall(fail, plan=Plan(tells=lambda name: [Online({1: name})]))
        call.run()
        self.assertEqual(list(told_by(call)), [])
