"""Which changes behind others of their batch are refused; see also `StaleContract`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import IsMuted, ModeratedRoom, NotInRoom, Stale
from gtchat.chat.events import Edited, Entry, Kicked
from gtchat.chat.interfaces import (
    ChangeLimits,
    Foreign,
    PendingEntry,
    PendingMessageChange,
    RoomRecord,
)
from gtchat.chat.moderation import Moderation, Mute
from gtchat.chat.moderation_events import RoleChanged, Unmuted
from gtchat.store.following import Known
from gtchat.store.jobs import Plan, StoreCall
from gtchat.store.stale_check import RoomAccess, StaleCheck
from tests.store.contract import joined, left, message, pending_entry, room_changed, room_created

ANN, BOB, CAT, DAN = 1, 2, 3, 4
GARDEN, DELETED = 7, 8


class Stored:
    """A room of Ann, who is in it with Bob.

    Attributes:
        access: its settings.
        txns: the txns of Ann.
    """

    access = RoomAccess(public=True, max=0, owner_id=ANN)
    txns = frozenset(("used",))

    def was_used(self, account_id: int, txn: str) -> bool:
        return account_id == ANN and txn in self.txns

    def find_access(self, room_id: int) -> RoomAccess | None:
        return self.access if room_id == GARDEN else None

    def is_member(self, room_id: int, account_id: int | None) -> bool:
        return room_id == GARDEN and account_id in (ANN, BOB)

    def has_members(self, room_id: int, count: int) -> bool:
        assert count >= 1
        return count <= 2


def kicked() -> Kicked:
    return Kicked(room_name="Garden", usr="Bob", at=970, by="Ann")


def change(entry: Entry, subject: int, sender: int | None = None, **options: Any) -> PendingEntry:
    """Return a change whose rules have not seen the last foreign one."""
    entry.subject_id = subject
    options = {"checked": 0, "sender_id": sender or subject, **options}
    return pending_entry(GARDEN, entry, **options)


def edit(sender: int, is_moderator: bool) -> PendingMessageChange:
    entry = Edited(room_name="Garden", usr="", at=980, subject_id=sender, of=1, msg="new")
    return PendingMessageChange(
        room_id=GARDEN,
        entry=entry,
        sender_id=sender,
        checked=0,
        is_moderator=is_moderator,
        limits=ChangeLimits(),
    )


class StaleCheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stored = Stored()
        self.known = Known()
        rooms = (
            RoomRecord(room, "", "", True, "", 0, ANN, "Ann", ANN, 1, 0, ()) for room in (7, 8)
        )
        self.known.begin(rooms, 0)
        theirs = left("Eve")
        theirs.seq = 2
        self.known.took(Foreign(entries={GARDEN: (theirs,)}))

    def errors(self, *jobs: Any) -> list[type | None]:
        """Return what a batch is refused for."""
        check = StaleCheck(self.known, self.stored)
        for job in jobs:
            self.assertEqual(check.refuses(job), job.error is not None)
        return [None if job.error is None else type(job.error) for job in jobs]

    def test_what_the_batch_adds_takes_places(self) -> None:
        self.stored.access = RoomAccess(True, 4, ANN)
        found = self.errors(change(joined("Cat"), CAT), change(joined("Dan"), DAN))
        self.assertEqual(found, [None, None])
        self.stored.access = RoomAccess(True, 3, ANN)
        found = self.errors(
            change(joined("Cat"), CAT), change(joined("Dan"), DAN), change(joined("Eve"), 5)
        )
        self.assertEqual(found, [None, Stale, Stale])

    def test_what_the_batch_removes_makes_no_place(self) -> None:
        self.stored.access = RoomAccess(True, 2, ANN)
        found = self.errors(change(left("Bob"), BOB), change(joined("Cat"), CAT))
        self.assertEqual(found, [None, Stale])

    def test_a_second_change_of_one_membership_is_refused(self) -> None:
        for first, second, subject in (
            (joined("Cat"), left("Cat"), CAT),
            (left("Bob"), joined("Bob"), BOB),
            (kicked(), left("Bob"), BOB),
        ):
            found = self.errors(
                change(first, subject, ANN if subject == BOB else None), change(second, subject)
            )
            self.assertEqual(found[1], Stale)

    def test_messages_and_their_changes_count_on_the_batch(self) -> None:
        found = self.errors(
            change(joined("Cat"), CAT),
            change(message(), CAT),
            change(kicked(), BOB, ANN),
            change(message(), BOB),
            edit(BOB, False),
            edit(DAN, False),
        )
        self.assertEqual(found, [None, None, None, NotInRoom, Stale, Stale])

    def test_changes_of_messages(self) -> None:
        found = self.errors(edit(BOB, False), edit(BOB, True), edit(ANN, True), edit(DAN, False))
        self.assertEqual(found, [None, Stale, None, Stale])

    def test_messages_count_on_mutes_and_roles_of_the_batch(self) -> None:
        muted = Moderation(moderated=True, slow=5, mutes={BOB: Mute("Bob", "Ann", "", 1, 0)})
        self.stored.access = RoomAccess(True, 0, ANN, muted)
        fields: dict[str, Any] = {"room_name": "Garden", "usr": "Bob", "at": 970, "by": "Ann"}
        first, last, theirs = (change(message(), one) for one in (BOB, BOB, ANN))
        found = self.errors(
            first,
            change(Unmuted(**fields), BOB, ANN),
            change(message(), BOB),
            change(RoleChanged(**fields, role="voice"), BOB, ANN),
            last,
            theirs,
        )
        self.assertEqual(found, [IsMuted, None, ModeratedRoom, None, None, None])
        self.assertEqual((last.slow, theirs.slow), (5, 0))

    def test_members_and_what_they_add_count_on_the_batch(self) -> None:
        found = self.errors(change(left("Bob"), BOB), change(joined("Cat"), CAT, BOB))
        self.assertEqual(found, [None, Stale])

    def test_what_follows_a_refused_change_is_checked(self) -> None:
        """Their rules have seen all that is foreign, and the refused change."""
        refused = change(left("Cat"), CAT)
        found = self.errors(
            refused,
            change(left("Dan"), DAN, checked=1),
            change(left("Bob"), BOB, checked=1),
            change(room_changed(owner="Bob"), BOB, ANN, checked=1),
        )
        self.assertEqual(found, [Stale, Stale, None, Stale])
        self.assertEqual(self.errors(change(left("Dan"), DAN, checked=1)), [None])

    def test_settings_that_follow_others_are_refused(self) -> None:
        settings = [change(room_changed(owner="Ann"), ANN) for _ in range(2)]
        self.assertEqual(self.errors(*settings), [None, Stale])
        refused = change(room_changed(owner="Cat"), CAT, ANN)
        later = change(room_changed(owner="Ann"), ANN)
        self.assertEqual(self.errors(refused, later, change(joined("Cat"), CAT)), [Stale] * 3)

    def test_the_chat_asks_as_no_owner_of_a_room_without_one(self) -> None:
        self.stored.access = RoomAccess(True, 0, None)
        ours = change(room_changed(owner="Ann"), ANN)
        ours.sender_id = None
        self.assertEqual(self.errors(ours), [Stale])

    def test_nothing_is_checked_of_rooms_that_are_gone_and_of_new_ones(self) -> None:
        gone = change(left("Bob"), BOB, checked=1)
        gone.room_id = DELETED
        created = pending_entry(0, room_created())
        found = self.errors(gone, created)
        self.assertEqual(found, [Stale, None])

    def test_calls_are_stale_whatever_is_stored(self) -> None:
        calls = [StoreCall(None, plan=Plan(checked=(GARDEN, seen))) for seen in (0, 1)]
        self.assertEqual(self.errors(*calls), [Stale, None])
        refused = change(left("Cat"), CAT)
        later = StoreCall(None, plan=Plan(checked=(GARDEN, 1)))
        unchecked = StoreCall(None)
        self.assertEqual(self.errors(refused, later, unchecked), [Stale, Stale, None])

    def test_what_was_done_before_gets_its_ack(self) -> None:
        used = change(joined("Ann"), ANN, txn="used")
        call = StoreCall(None, plan=Plan(checked=(GARDEN, 0), txn=(ANN, "used")))
        self.assertEqual(self.errors(used, call, change(left("Ann"), ANN)), [None] * 3)
