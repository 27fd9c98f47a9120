"""What every store does with logs: numbers, folds, doubles, pages."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import NotStored, TxnConflict
from gtchat.chat.events import ENTRY_TYPES, Kicked, Removed, RoomChanged
from gtchat.chat.interfaces import Ack, HistoryPage, HistoryQuery
from tests.store.contract import StoreCase, created, joined, left, spoke


class LogContract(StoreCase):
    """Appending."""

    async def test_entries_are_numbered_from_1_without_a_gap(self) -> None:
        appends = [self.append(self.lobby, spoke(str(number))) for number in range(300)]
        await self.store.flush()
        self.assertEqual([one.entry.seq for one in appends], list(range(1, 301)))

    async def test_each_room_counts_for_itself(self) -> None:
        nest = await self.room(await self.account("Ann"))
        await self.stored(self.lobby, spoke("a"))
        await self.stored(nest, spoke("b"))
        self.assertEqual((await self.stored(self.lobby, spoke("c"))).entry.seq, 2)
        self.assertEqual((await self.stored(nest, spoke("d"))).entry.seq, 3)

    async def test_an_entry_that_fails_takes_no_number(self) -> None:
        ann = await self.account("Ann")
        appends = [
            self.append(self.lobby, spoke("a"), ann),
            self.append(self.lobby, joined("Nobody"), 999),
            self.append(self.lobby, spoke("b"), ann),
        ]
        await self.store.flush()
        self.assertIsInstance(appends[1].error, NotStored)
        self.assertEqual([one.entry.seq for one in appends], [1, 0, 2])
        self.assertEqual([one for call in self.calls for one in call], appends)

    async def test_every_kind_of_entry_comes_back_as_it_went_in(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        changed = RoomChanged(
            room_name="Nest", usr="Ann", at=5, public=False, topic="é\n", max=0, owner=""
        )
        entries = [
            spoke("line\n\ttab \U0001f600 e\u0301"),
            changed,
            joined("Ann"),
            left("Ann"),
            Kicked(room_name="Nest", usr="Ann", at=7, by="Bob"),
            Removed(room_name="Nest", usr="Ann", at=8, by="Bob"),
        ]
        for entry in entries:
            await self.stored(nest, entry, ann)
        expected = [
            attrs.evolve(entry, seq=seq) for seq, entry in enumerate([created(), *entries], 1)
        ]
        self.assertEqual({entry.kind for entry in expected}, set(ENTRY_TYPES))
        page = await self.store.history(nest, HistoryQuery())
        self.assertEqual(page, HistoryPage(tuple(expected), 1, 7, False))

    async def test_nothing_can_be_said_in_a_room_that_is_not_there(self) -> None:
        lost = self.append(999, spoke())
        unmade = self.append(0, spoke())
        await self.store.flush()
        self.assertIsInstance(lost.error, NotStored)
        self.assertIsInstance(unmade.error, NotStored)

    async def test_a_created_room_has_its_creator_as_owner_and_first_member(self) -> None:
        ann = await self.account("Ann")
        append = await self.stored(0, created(public=False), ann, key="nest")
        record = await self.record(append.room_id)
        self.assertEqual(append.entry.seq, 1)
        self.assertEqual((record.name, record.key), ("Nest", "nest"))
        self.assertEqual((record.public, record.topic, record.max), (False, "twigs", 7))
        self.assertEqual((record.owner_id, record.owner), (ann, "Ann"))
        self.assertEqual(record.members, ((ann, "Ann", True),))
        self.assertEqual((record.last_seq, record.message_count), (1, 0))

    async def test_a_name_makes_one_room(self) -> None:
        ann = await self.account("Ann")
        first = self.append(0, created(), ann, key="nest")
        second = self.append(0, created("NEST"), ann, key="nest")
        await self.store.flush()
        self.assertIsNone(first.error)
        self.assertIsInstance(second.error, NotStored)
        self.assertEqual(second.room_id, 0)

    async def test_members_are_kept_longest_first(self) -> None:
        ann, bob, cid = [await self.account(name) for name in ("Ann", "Bob", "Cid")]
        nest = await self.room(ann)
        await self.stored(nest, joined("Cid"), cid)
        await self.stored(nest, joined("Bob"), bob)
        await self.stored(nest, left("Ann"), ann)
        await self.stored(nest, joined("Ann"), ann)
        record = await self.record(nest)
        self.assertEqual([member[1] for member in record.members], ["Cid", "Bob", "Ann"])

    async def test_leaving_being_kicked_and_being_removed_end_a_membership(self) -> None:
        ann, bob, cid = [await self.account(name) for name in ("Ann", "Bob", "Cid")]
        nest = await self.room(ann)
        await self.stored(nest, joined("Bob"), bob)
        await self.stored(nest, joined("Cid"), cid)
        await self.stored(nest, left("Ann"), ann)
        await self.stored(nest, Kicked(room_name="Nest", usr="Bob", at=1, by="Ann"), bob)
        await self.stored(nest, Removed(room_name="Nest", usr="Cid", at=1, by="Ann"), cid)
        self.assertEqual((await self.record(nest)).members, ())

    async def test_a_changed_room_has_its_new_settings(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        nest = await self.room(ann)
        change = RoomChanged(
            room_name="Nest", usr="Ann", at=1, public=False, topic="new", max=3, owner="Bob"
        )
        await self.stored(nest, change, bob)
        record = await self.record(nest)
        self.assertEqual((record.public, record.topic, record.max), (False, "new", 3))
        self.assertEqual((record.owner_id, record.owner), (bob, "Bob"))
        await self.stored(nest, attrs.evolve(change, owner=""), None)
        record = await self.record(nest)
        self.assertEqual((record.owner_id, record.owner), (None, ""))

    async def test_messages_are_counted_apart_from_entries(self) -> None:
        nest = await self.room(await self.account("Ann"))
        await self.stored(nest, spoke("a"))
        await self.stored(nest, left("Nobody"), 999)
        await self.stored(nest, spoke("b"))
        record = await self.record(nest)
        self.assertEqual((record.last_seq, record.message_count), (4, 2))

    async def test_a_deleted_room_is_gone_with_its_log_and_its_name_is_free(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.stored(nest, spoke("old"))
        await self.store.delete_room(nest, 2000)
        self.assertIsNone(await self.record(nest))
        self.assertEqual(
            await self.store.history(nest, HistoryQuery()), HistoryPage((), 0, 0, False)
        )
        lost = self.append(nest, spoke("late"))
        again = await self.room(ann)
        self.assertIsInstance(lost.error, NotStored)
        self.assertNotEqual(again, nest)
        self.assertEqual(await self.texts(again, HistoryQuery()), ["room_created"])

    async def test_deleting_a_room_that_is_not_there_changes_nothing(self) -> None:
        await self.store.delete_room(self.lobby + 1, 2000)
        nest = await self.room(await self.account("Ann"))
        await self.store.flush()
        self.assertEqual(await self.texts(nest, HistoryQuery()), ["room_created"])


class TxnContract(StoreCase):
    """Doubles."""

    async def test_the_same_txn_with_the_same_content_gets_the_first_receipt(self) -> None:
        ann = await self.account("Ann")
        await self.stored(self.lobby, spoke("x"), ann, txn="t")
        again = await self.stored(self.lobby, spoke("x", at=5000), ann, txn="t")
        self.assertEqual(again.earlier, Ack("id of x", 1, 1000, dup=True))
        self.assertEqual(again.entry.seq, 0)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["x"])

    async def test_a_double_within_the_same_batch_is_one_too(self) -> None:
        ann = await self.account("Ann")
        first = self.append(self.lobby, spoke("x"), ann, txn="t")
        second = self.append(self.lobby, spoke("x"), ann, txn="t")
        third = self.append(self.lobby, spoke("y"), ann)
        await self.store.flush()
        self.assertIsNone(first.earlier)
        self.assertEqual(second.earlier, Ack("id of x", 1, 1000, dup=True))
        self.assertEqual((first.entry.seq, third.entry.seq), (1, 2))

    async def test_the_same_txn_with_other_content_is_a_conflict(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.stored(self.lobby, spoke("x"), ann, txn="t")
        other_text = self.append(self.lobby, spoke("y"), ann, txn="t")
        other_room = self.append(nest, spoke("x"), ann, txn="t")
        await self.store.flush()
        self.assertIsInstance(other_text.error, TxnConflict)
        self.assertIsInstance(other_room.error, TxnConflict)
        self.assertEqual(await self.texts(self.lobby, HistoryQuery()), ["x"])

    async def test_another_account_may_use_the_same_txn(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.stored(self.lobby, spoke("x"), ann, txn="t")
        other = await self.stored(self.lobby, spoke("y"), bob, txn="t")
        self.assertEqual((other.entry.seq, other.earlier), (2, None))

    async def test_a_failed_message_leaves_its_txn_free(self) -> None:
        ann = await self.account("Ann")
        failed = self.append(999, spoke("x"), ann, txn="t")
        await self.store.flush()
        self.assertIsInstance(failed.error, NotStored)
        again = await self.stored(self.lobby, spoke("y"), ann, txn="t")
        self.assertEqual(again.entry.seq, 1)

    async def test_old_txns_are_forgotten(self) -> None:
        ann = await self.account("Ann")
        await self.stored(self.lobby, spoke("old", at=1000), ann, txn="1")
        await self.stored(self.lobby, spoke("new", at=2000), ann, txn="2")
        await self.store.prune(0, 2000)
        self.assertEqual((await self.stored(self.lobby, spoke("x"), ann, txn="1")).entry.seq, 3)
        kept = await self.stored(self.lobby, spoke("new"), ann, txn="2")
        self.assertEqual(kept.earlier, Ack("id of new", 2, 2000, dup=True))


class HistoryContract(StoreCase):
    """Pages of a log with twenty entries: a room's creation, a joining, talk 3 to 20."""

    async def talk(self) -> int:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        self.append(nest, joined("Bob"), await self.account("Bob"))
        for number in range(3, 21):
            self.append(nest, spoke(str(number)))
        await self.store.flush()
        return nest

    async def page(self, **span: object) -> tuple[list[int], bool]:
        page = await self.store.history(await self.talk(), HistoryQuery(**span))  # type: ignore[arg-type]
        self.assertEqual((page.first, page.last), (1, 20))
        return [entry.seq for entry in page.entries], page.more

    async def test_without_a_place_the_newest_come_oldest_first(self) -> None:
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

    async def test_around_the_beginning_the_other_side_has_more(self) -> None:
        self.assertEqual(await self.page(around=1, limit=4), ([1, 2, 3, 4], True))

    async def test_around_one_alone(self) -> None:
        self.assertEqual(await self.page(around=10, limit=1), ([10], True))

    async def test_around_with_room_for_all(self) -> None:
        self.assertEqual(await self.page(around=10, limit=20), (list(range(1, 21)), False))

    async def test_places_that_the_log_does_not_have(self) -> None:
        self.assertEqual(await self.page(before=10**30, limit=1), ([20], True))

    async def test_below_every_place(self) -> None:
        self.assertEqual(await self.page(before=-(10**30), limit=1), ([], False))

    async def test_after_every_place(self) -> None:
        self.assertEqual(await self.page(after=10**30, limit=1), ([], False))

    async def test_rare_kinds_alone(self) -> None:
        kinds = frozenset({"room_created", "join_room"})
        self.assertEqual(await self.page(kinds=kinds, limit=1), ([2], True))

    async def test_rare_kinds_forwards(self) -> None:
        kinds = frozenset({"kicked", "room_created", "join_room"})
        self.assertEqual(await self.page(after=0, kinds=kinds), ([1, 2], False))

    async def test_talk_alone(self) -> None:
        kinds = frozenset({"speak"})
        self.assertEqual(await self.page(after=0, kinds=kinds, limit=2), ([3, 4], True))

    async def test_talk_and_a_rare_kind(self) -> None:
        kinds = frozenset({"speak", "room_created"})
        self.assertEqual(await self.page(before=5, kinds=kinds), ([1, 3, 4], False))

    async def test_a_kind_that_there_is_not(self) -> None:
        self.assertEqual(await self.page(kinds=frozenset({"moved"})), ([], False))

    async def test_an_empty_log(self) -> None:
        page = await self.store.history(self.lobby, HistoryQuery())
        self.assertEqual(page, HistoryPage((), 0, 0, False))
