"""What calls about rooms and names mean for other nodes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

import gtchat.store.room_tells as room_tells
from gtchat.chat.interfaces import Inviter, PhoneAccount, RepeatableRequest
from gtchat.chat.invite_store import Admission
from gtchat.chat.node_records import AddressAsked, Online, RoomGone
from gtchat.chat.room_records import ShownRoom
from gtchat.store.jobs import Locks


class RoomTellsTests(SynchronousTestCase):
    def test_a_deletion_is_checked_and_told(self) -> None:
        request = RepeatableRequest(1, "txn", "delete_room", 5)
        plan = room_tells.delete_room(7, request, 3, "Ann")
        self.assertEqual(plan.locks, Locks(rooms=(7,), system=True))
        self.assertEqual((plan.checked, plan.txn), ((7, 3), (1, "txn")))
        ended = {2: [Inviter(1, "Ann")]}
        shown = ShownRoom("garden", "Garden", True, 2)
        gone = RoomGone(7, "Ann", ended, "garden", "Garden", True)
        self.assertEqual(list(plan.tells((ended, shown))), [gone])
        self.assertEqual(list(plan.tells(({}, None))), [])  # it was deleted before

    def test_rooms_come_into_memory_while_no_other_node_changes_one(self) -> None:
        plan = room_tells.load_rooms([7, 9], "garden")
        self.assertEqual(plan.locks, Locks(loads=(7, 9), load_key="garden", system=True))
        self.assertEqual(list(plan.tells(())), [])

    def test_rooms_that_have_left_lock_nothing(self) -> None:
        plan = room_tells.release({7: 3})
        self.assertEqual((plan.locks, plan.releases), (Locks(), {7: 3}))

    def test_a_deletion_that_nothing_was_checked_for(self) -> None:
        plan = room_tells.delete_room(7, None, None, "")
        self.assertEqual((plan.checked, plan.txn), (None, None))

    def test_a_name_is_locked_before_it_is_taken(self) -> None:
        plan = room_tells.register("Ann", None)
        self.assertEqual(plan.locks, Locks(names=("Ann",)))
        self.assertEqual(list(plan.tells(1)), [])

    def test_what_a_registration_is_let_in_by_is_locked(self) -> None:
        invited = room_tells.register("Ann", Admission(b"\1" * 32)).locks.names
        self.assertEqual(invited, ("Ann", f"link: {'01' * 32}"))
        first = room_tells.register("Ann", Admission(b"\1" * 32, operator=True)).locks.names
        self.assertEqual(first, ("Ann", "link: first operator"))

    def test_a_number_is_told_with_its_account(self) -> None:
        plan = room_tells.register_phone("Ann", "111", 5)
        self.assertEqual(plan.locks, Locks(names=("Ann",), system=True))
        self.assertEqual(list(plan.tells(7)), [PhoneAccount(7, "Ann", "111", 5)])

    def test_who_comes_and_goes_is_told(self) -> None:
        plan = room_tells.announce({1: "Ann"}, {2})
        self.assertTrue(plan.locks.system)
        self.assertEqual(list(plan.tells(None)), [Online({1: "Ann"}, (2,))])

    def test_an_entry_is_told_as_it_is(self) -> None:
        asked = AddressAsked(1, "Ann", b"t" * 32, 2, 3)
        plan = room_tells.tell(asked)
        self.assertTrue(plan.locks.system)
        self.assertEqual(list(plan.tells(None)), [asked])
