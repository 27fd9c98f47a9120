"""What every store does with logs: numbering, changes to rooms, txns, history."""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.chat.errors import NotAllowed, NotStored, RoomExists, SlowMode, TxnConflict
from gtchat.chat.events import PAGE_KINDS, Entry, Invited, Kicked, Removed, RoomChanged
from gtchat.chat.interfaces import (
    Ack,
    HistoryPage,
    HistoryQuery,
    InvitationLimits,
    RepeatableRequest,
    RoomLimits,
)
from gtchat.chat.moderation_events import (
    Muted,
    RoleChanged,
    Unmuted,
    UserBanned,
    UserUnbanned,
)
from tests.store.contract import (
    StoreCase,
    joined,
    left,
    message,
    room_changed,
    room_created,
)


class LogContract(StoreCase):
    """Appending."""

    async def test_entries_are_numbered_from_1_without_a_gap(self) -> None:
        queued = [self.append(self.lobby, message(str(number))) for number in range(300)]
        await self.store.flush()
        self.assertEqual([pending.entry.seq for pending in queued], list(range(1, 301)))

    async def test_each_room_has_its_own_seqs(self) -> None:
        room = await self.room(await self.account("Ann"))
        await self.stored(self.lobby, message("a"))
        await self.stored(room, message("b"))
        self.assertEqual((await self.stored(self.lobby, message("c"))).entry.seq, 2)
        self.assertEqual((await self.stored(room, message("d"))).entry.seq, 3)

    async def test_an_entry_that_fails_takes_no_seq(self) -> None:
        ann = await self.account("Ann")
        queued = [
            self.append(self.lobby, message("a"), ann),
            self.append(0, room_created("Lobby"), ann, key="lobby"),
            self.append(self.lobby, message("b"), ann),
        ]
        await self.store.flush()
        self.assertIsInstance(queued[1].error, RoomExists)
        self.assertEqual([pending.entry.seq for pending in queued], [1, 0, 2])
        self.assertEqual([pending for call in self.calls for pending in call], queued)

    async def test_every_kind_of_entry_comes_back_as_it_went_in(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        changed = RoomChanged(
            room_name="Garden", usr="Ann", at=5, public=False, topic="é\n", max=0, owner=""
        )
        entries = [
            message("line\n\ttab \U0001f600 e\u0301"),
            changed,
            joined("Ann"),
            left("Ann"),
            Kicked(room_name="Garden", usr="Ann", at=7, by="Bob"),
            Removed(room_name="Garden", usr="Ann", at=8, by="Bob"),
            RoleChanged(room_name="Garden", usr="Ann", at=8, by="Bob", role="voice"),
            Muted(room_name="Garden", usr="Ann", at=8, by="Bob", reason="noise", until=9),
            Unmuted(room_name="Garden", usr="Ann", at=8, by="Bob"),
            UserBanned(room_name="Garden", usr="Ann", at=8, by="Bob", until=9),
            UserUnbanned(room_name="Garden", usr="Ann", at=8, by="Bob"),
        ]
        for entry in entries:
            await self.stored(room, entry, ann)
        expected = [
            attrs.evolve(entry, seq=seq, subject_id=ann)
            for seq, entry in enumerate([room_created(), *entries], 1)
        ]
        self.assertEqual({entry.kind for entry in expected}, PAGE_KINDS)
        page = await self.store.history(room, HistoryQuery())
        self.assertEqual(page, HistoryPage(tuple(expected), 1, len(expected), False))

    async def test_an_entry_without_an_account_comes_back_without_one(self) -> None:
        for entry in (message(), left("Unknown")):
            await self.stored(self.lobby, entry)
        page = await self.store.history(self.lobby, HistoryQuery())
        self.assertEqual([entry.subject_id for entry in page.entries], [None, None])

    async def test_an_entry_for_an_unknown_room_fails(self) -> None:
        lost = self.append(999, message())
        unmade = self.append(0, message())
        await self.store.flush()
        self.assertIsInstance(lost.error, NotStored)
        self.assertIsInstance(unmade.error, NotStored)

    async def test_a_created_room_has_its_creator_as_owner_and_first_member(self) -> None:
        ann = await self.account("Ann")
        pending = await self.stored(0, room_created(public=False), ann, key="garden")
        record = await self.record(pending.room_id)
        self.assertEqual(pending.entry.seq, 1)
        self.assertEqual((record.name, record.key), ("Garden", "garden"))
        self.assertEqual((record.public, record.topic, record.max), (False, "plants", 7))
        self.assertEqual((record.owner_id, record.owner, record.creator_id), (ann, "Ann", ann))
        self.assertEqual(record.members, ((ann, "Ann", True),))
        self.assertEqual((record.last_seq, record.message_count), (1, 0))

    async def test_a_name_belongs_to_one_room(self) -> None:
        ann = await self.account("Ann")
        first = self.append(0, room_created(), ann, key="garden")
        second = self.append(0, room_created("GARDEN"), ann, key="garden")
        await self.store.flush()
        self.assertIsNone(first.error)
        self.assertIsInstance(second.error, RoomExists)
        self.assertEqual(second.room_id, 0)

    async def test_a_name_that_looks_like_that_of_a_room_is_refused(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann, "C\u043e\u0440")
        for name in ("Cop", "\u0421\u043e\u0440"):
            pending = self.append(0, room_created(name), ann, key=name.lower())
            await self.store.flush()
            self.assertIsInstance(pending.error, RoomExists)
            self.assertEqual(pending.room_id, 0)
        await self.room(ann, "Cops")
        await self.store.delete_room(room, 1)
        await self.room(ann, "Cop")
        await self.room(ann, "c0p")

    async def test_members_are_in_the_order_of_joining(self) -> None:
        ann, bob, cid = [await self.account(name) for name in ("Ann", "Bob", "Cid")]
        room = await self.room(ann)
        await self.stored(room, joined("Cid"), cid)
        await self.stored(room, joined("Bob"), bob)
        await self.stored(room, left("Ann"), ann)
        await self.stored(room, joined("Ann"), ann)
        record = await self.record(room)
        self.assertEqual([member[1] for member in record.members], ["Cid", "Bob", "Ann"])

    async def test_leaving_being_kicked_and_being_removed_end_a_membership(self) -> None:
        ann, bob, cid = [await self.account(name) for name in ("Ann", "Bob", "Cid")]
        room = await self.room(ann)
        await self.stored(room, joined("Bob"), bob)
        await self.stored(room, joined("Cid"), cid)
        await self.stored(room, left("Ann"), ann)
        await self.stored(room, Kicked(room_name="Garden", usr="Bob", at=1, by="Ann"), bob)
        await self.stored(room, Removed(room_name="Garden", usr="Cid", at=1, by="Ann"), cid)
        self.assertEqual((await self.record(room)).members, ())

    async def test_a_changed_room_has_its_new_settings(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        room = await self.room(ann)
        change = RoomChanged(
            room_name="Garden", usr="Ann", at=1, public=False, topic="new", max=3, owner="Bob"
        )
        await self.stored(room, change, bob)
        record = await self.record(room)
        self.assertEqual((record.public, record.topic, record.max), (False, "new", 3))
        self.assertEqual((record.owner_id, record.owner, record.creator_id), (bob, "Bob", ann))
        await self.stored(room, attrs.evolve(change, owner=""), None)
        record = await self.record(room)
        self.assertEqual((record.owner_id, record.owner), (None, ""))

    async def test_message_count_counts_messages_only(self) -> None:
        room = await self.room(await self.account("Ann"))
        await self.stored(room, message("a"))
        await self.stored(room, left("Unknown"), 999)
        await self.stored(room, message("b"))
        record = await self.record(room)
        self.assertEqual((record.last_seq, record.message_count), (4, 2))

    async def test_a_room_is_deleted_with_its_log_and_its_name_is_free(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.stored(room, message("old"))
        await self.store.delete_room(room, 2000)
        self.assertIsNone(await self.record(room))
        self.assertEqual(
            await self.store.history(room, HistoryQuery()), HistoryPage((), 0, 0, False)
        )
        lost = self.append(room, message("late"))
        again = await self.room(ann)
        self.assertIsInstance(lost.error, NotStored)
        self.assertNotEqual(again, room)
        self.assertEqual(await self.texts(again, HistoryQuery()), ["room_created"])

    async def test_deleting_an_unknown_room_changes_nothing(self) -> None:
        await self.store.delete_room(self.lobby + 1, 2000)
        room = await self.room(await self.account("Ann"))
        await self.store.flush()
        self.assertEqual(await self.texts(room, HistoryQuery()), ["room_created"])


class TxnContract(StoreCase):
    """Repeated txns."""

    async def test_a_repeated_txn_with_the_same_content_gets_the_first_ack(self) -> None:
        ann = await self.account("Ann")
        await self.stored(self.lobby, message("x"), ann, txn="t")
        again = await self.stored(self.lobby, message("x", at=5000), ann, txn="t")
        self.assertEqual(again.earlier, Ack("id of x", 1, 1000, dup=True))
        self.assertEqual(again.entry.seq, 0)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["x"])

    async def test_a_txn_repeated_within_a_batch_is_recognized(self) -> None:
        ann = await self.account("Ann")
        first = self.append(self.lobby, message("x"), ann, txn="t")
        second = self.append(self.lobby, message("x"), ann, txn="t")
        third = self.append(self.lobby, message("y"), ann)
        await self.store.flush()
        self.assertIsNone(first.earlier)
        self.assertEqual(second.earlier, Ack("id of x", 1, 1000, dup=True))
        self.assertEqual((first.entry.seq, third.entry.seq), (1, 2))

    async def test_a_repeated_txn_with_other_content_is_a_conflict(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.stored(self.lobby, message("x"), ann, txn="t")
        other_text = self.append(self.lobby, message("y"), ann, txn="t")
        other_room = self.append(room, message("x"), ann, txn="t")
        await self.store.flush()
        self.assertIsInstance(other_text.error, TxnConflict)
        self.assertIsInstance(other_room.error, TxnConflict)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["x"])

    async def test_a_refusal_is_given_to_what_was_not_sent_before(self) -> None:
        ann, refusal = await self.account("Ann"), SlowMode()
        self.append(self.lobby, message("x"), ann, txn="t")
        again = self.append(self.lobby, message("x"), ann, txn="t", refusal=refusal)
        other = self.append(self.lobby, message("y"), ann, txn="u", refusal=refusal)
        await self.store.flush()
        self.assertEqual((again.error, again.earlier), (None, Ack("id of x", 1, 1000, dup=True)))
        self.assertEqual((other.error, other.entry.seq), (refusal, 0))
        later = await self.stored(self.lobby, message("y"), ann, txn="u")
        self.assertEqual(later.entry.seq, 2)

    async def test_another_account_can_use_the_same_txn(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.stored(self.lobby, message("x"), ann, txn="t")
        other = await self.stored(self.lobby, message("y"), bob, txn="t")
        self.assertEqual((other.entry.seq, other.earlier), (2, None))

    async def test_a_failed_message_does_not_use_its_txn(self) -> None:
        ann = await self.account("Ann")
        failed = self.append(999, message("x"), ann, txn="t")
        await self.store.flush()
        self.assertIsInstance(failed.error, NotStored)
        again = await self.stored(self.lobby, message("y"), ann, txn="t")
        self.assertEqual(again.entry.seq, 1)

    async def test_a_repeated_change_of_a_room_gets_the_first_ack_with_the_room(self) -> None:
        ann = await self.account("Ann")
        first = self.append(0, room_created(), ann, "t", "garden", content="create")
        again = self.append(0, room_created(), ann, "t", "garden", content="create")
        other = self.append(0, room_created("Other"), ann, "t", "other", content="create other")
        await self.store.flush()
        self.assertEqual((first.error, first.entry.seq), (None, 1))
        self.assertEqual(again.earlier, Ack(str(first.room_id), 1, first.entry.at, dup=True))
        self.assertIsInstance(other.error, TxnConflict)
        self.assertEqual(len(await self.load_rooms(range(1, 9))), 2)
        request = RepeatableRequest(ann, "t", "create", 5)
        self.assertEqual(await self.store.find_ack(request), again.earlier)
        await self.assertFails(
            self.store.find_ack(attrs.evolve(request, content="leave")), TxnConflict
        )
        self.assertIsNone(await self.store.find_ack(attrs.evolve(request, txn="u")))
        self.assertIsNone(await self.store.find_ack(attrs.evolve(request, account_id=99)))

    async def test_a_change_of_a_room_that_fails_does_not_use_its_txn(self) -> None:
        ann = await self.account("Ann")
        request = RepeatableRequest(ann, "t", "join", 5)
        failed = self.append(999, joined("Ann"), ann, "t", content="join")
        await self.store.flush()
        self.assertIsInstance(failed.error, NotStored)
        self.assertIsNone(await self.store.find_ack(request))
        room = await self.room(None)
        await self.stored(room, joined("Ann"), ann, "t", content="join")
        self.assertEqual(await self.store.find_ack(request), Ack(str(room), 2, 950, dup=True))

    async def test_a_request_without_an_entry_is_done_once(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        room = await self.room(ann)
        event = Invited(room_name="Garden", usr="Ann", msg="", at=5)
        invite = RepeatableRequest(ann, "i", "invite", 5)
        args = (room, bob, ann, event, True, InvitationLimits())
        self.assertIs(await self.store.invite(*args, invite), True)
        answer = RepeatableRequest(bob, "a", "answer", 5)
        self.assertIs(await self.store.answer_invitation(room, bob, "Ann", False, answer), True)
        self.assertIs(await self.store.invite(*args, invite), False)
        self.assertFalse(await self.store.is_invited(room, bob, None))
        await self.store.invite(*args)
        self.assertIs(await self.store.answer_invitation(room, bob, "Ann", False, answer), False)
        self.assertTrue(await self.store.is_invited(room, bob, None))
        delete = RepeatableRequest(ann, "d", "delete", 5)
        self.assertEqual(list(await self.store.delete_room(room, 6, delete)), [bob])
        self.assertEqual(dict(await self.store.delete_room(room, 6, delete)), {})
        self.assertEqual(await self.store.find_ack(delete), Ack("", 0, 5, dup=True))
        for request in (invite, delete):
            conflict = attrs.evolve(request, content="other")
            await self.assertFails(self.store.delete_room(room, 6, conflict), TxnConflict)

    async def test_old_txns_are_deleted(self) -> None:
        ann = await self.account("Ann")
        await self.stored(self.lobby, message("old", at=1000), ann, txn="1")
        await self.stored(self.lobby, message("new", at=2000), ann, txn="2")
        await self.store.prune(0, 2000, 0)
        self.assertEqual((await self.stored(self.lobby, message("x"), ann, txn="1")).entry.seq, 3)
        kept = await self.stored(self.lobby, message("new"), ann, txn="2")
        self.assertEqual(kept.earlier, Ack("id of new", 2, 2000, dup=True))


class HistoryContract(StoreCase):
    """Parts of a log with twenty entries: the room's creation, a member joins, messages 3 to 20."""

    async def room_with_log(self) -> int:
        ann = await self.account("Ann")
        room = await self.room(ann)
        self.append(room, joined("Bob"), await self.account("Bob"))
        for number in range(3, 21):
            self.append(room, message(str(number)))
        await self.store.flush()
        return room

    async def page(self, **query: object) -> tuple[list[int], bool]:
        page = await self.store.history(await self.room_with_log(), HistoryQuery(**query))  # type: ignore[arg-type]
        self.assertEqual((page.first, page.last), (1, 20))
        return [entry.seq for entry in page.entries], page.more

    async def test_without_a_position_the_newest_entries_come_oldest_first(self) -> None:
        self.assertEqual(await self.page(limit=3), ([18, 19, 20], True))

    async def test_before_a_seq(self) -> None:
        self.assertEqual(await self.page(before=5, limit=3), ([2, 3, 4], True))

    async def test_before_a_seq_down_to_the_beginning(self) -> None:
        self.assertEqual(await self.page(before=4, limit=3), ([1, 2, 3], False))

    async def test_after_a_seq(self) -> None:
        self.assertEqual(await self.page(after=5, limit=3), ([6, 7, 8], True))

    async def test_after_a_seq_up_to_the_end(self) -> None:
        self.assertEqual(await self.page(after=17, limit=3), ([18, 19, 20], False))

    async def test_around_a_seq(self) -> None:
        self.assertEqual(await self.page(around=10, limit=5), ([8, 9, 10, 11, 12], True))

    async def test_around_the_beginning_more_entries_come_from_after_it(self) -> None:
        self.assertEqual(await self.page(around=1, limit=4), ([1, 2, 3, 4], True))

    async def test_around_a_seq_with_a_limit_of_one(self) -> None:
        self.assertEqual(await self.page(around=10, limit=1), ([10], True))

    async def test_around_a_seq_with_a_limit_above_the_length(self) -> None:
        self.assertEqual(await self.page(around=10, limit=20), (list(range(1, 21)), False))

    async def test_before_a_seq_above_the_log(self) -> None:
        self.assertEqual(await self.page(before=10**30, limit=1), ([20], True))

    async def test_before_a_seq_below_the_log(self) -> None:
        self.assertEqual(await self.page(before=-(10**30), limit=1), ([], False))

    async def test_after_a_seq_above_the_log(self) -> None:
        self.assertEqual(await self.page(after=10**30, limit=1), ([], False))

    async def test_rare_kinds_only(self) -> None:
        kinds = frozenset({"room_created", "join_room"})
        self.assertEqual(await self.page(kinds=kinds, limit=1), ([2], True))

    async def test_rare_kinds_forwards(self) -> None:
        kinds = frozenset({"kicked", "room_created", "join_room"})
        self.assertEqual(await self.page(after=0, kinds=kinds), ([1, 2], False))

    async def test_messages_only(self) -> None:
        kinds = frozenset({"speak"})
        self.assertEqual(await self.page(after=0, kinds=kinds, limit=2), ([3, 4], True))

    async def test_messages_and_a_rare_kind(self) -> None:
        kinds = frozenset({"speak", "room_created"})
        self.assertEqual(await self.page(before=5, kinds=kinds), ([1, 3, 4], False))

    async def test_an_unknown_kind(self) -> None:
        self.assertEqual(await self.page(kinds=frozenset({"moved"})), ([], False))

    async def test_a_page_has_as_much_text_as_a_reply(self) -> None:  # G28
        room = await self.room(None)
        for _ in range(40):
            self.append(room, message(chr(0x1F600) * 4_000))
        await self.store.flush()
        for query, seqs in (
            ({}, range(26, 42)),
            ({"before": 30}, range(14, 30)),
            ({"after": 5}, range(6, 22)),
            ({"around": 20}, range(13, 29)),
            ({"after": 25}, range(26, 42)),
        ):
            page = await self.store.history(room, HistoryQuery(limit=200, **query))
            more = seqs != range(26, 42) or not query
            self.assertEqual(
                ([entry.seq for entry in page.entries], page.more), (list(seqs), more), query
            )

    async def test_a_page_has_one_entry_of_any_size(self) -> None:
        room = await self.room(None)
        for _ in range(2):
            self.append(room, message("x" * 300_000))
        await self.store.flush()
        page = await self.store.history(room, HistoryQuery(limit=200))
        self.assertEqual(([entry.seq for entry in page.entries], page.more), ([3], True))

    async def test_an_empty_log(self) -> None:
        page = await self.store.history(self.lobby, HistoryQuery())
        self.assertEqual(page, HistoryPage((), 0, 0, False))


class LimitsContract(StoreCase):
    """How many rooms an account can have."""

    async def refused(self, room_id: int, entry: Entry, subject: int, **options: Any) -> None:
        """Check that an entry is refused, and that nothing has changed."""
        before = await self.rooms()
        pending = self.append(room_id, entry, subject, **options)
        await self.store.flush()
        self.assertIsInstance(pending.error, NotAllowed)
        self.assertEqual(pending.entry.seq, 0)
        self.assertEqual(await self.rooms(), before)

    async def rooms(self) -> list[Any]:
        """Return all rooms as they are stored."""
        return list(await self.load_rooms(range(1, 20)))

    async def test_an_account_creates_as_many_rooms_as_the_limit_allows(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        limits = RoomLimits(rooms=2)
        first = await self.stored(0, room_created("A"), ann, key="a", limits=limits)
        await self.stored(first.room_id, room_changed("A", owner="Bob"), bob)
        await self.stored(0, room_created("B"), ann, key="b", limits=limits)
        await self.refused(0, room_created("C"), ann, key="c", limits=limits)
        await self.stored(0, room_created("C"), bob, key="c", limits=limits)
        await self.store.delete_room(first.room_id, 5)
        await self.stored(0, room_created("D"), ann, key="d", limits=limits)
        await self.stored(0, room_created("E"), ann, key="e")

    async def test_an_account_is_a_member_of_as_many_rooms_as_the_limit_allows(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        limits = RoomLimits(memberships=1)
        garden = await self.stored(0, room_created("Garden"), ann, key="garden", limits=limits)
        attic = await self.room(bob, "Attic")
        await self.refused(attic, joined("Ann", "Attic"), ann, limits=limits)
        await self.refused(0, room_created("C"), ann, key="c", limits=limits)
        await self.stored(garden.room_id, left("Ann"), ann)
        await self.stored(attic, joined("Ann", "Attic"), ann, limits=limits)

    async def test_an_account_receives_as_many_rooms_as_the_limit_allows(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        limits = RoomLimits(rooms=1)
        await self.room(bob, "Own")
        first, second = [await self.room(ann, name) for name in ("A", "B")]
        await self.stored(first, room_changed("A", owner="Bob"), bob, limits=limits)
        await self.refused(second, room_changed("B", owner="Bob"), bob, limits=limits)
        await self.stored(first, room_changed("A", owner="Ann"), ann)
        await self.stored(second, room_changed("B", owner="Bob"), bob, limits=limits)

    async def test_entries_without_a_subject_have_no_limits(self) -> None:
        limits = RoomLimits(rooms=1, memberships=1)
        for name in ("A", "B"):
            await self.stored(0, room_created(name, owner=""), None, key=name, limits=limits)
