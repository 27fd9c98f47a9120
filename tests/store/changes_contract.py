"""What every store does with changes of messages: checks, effects, what is erased, history."""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.errors import (
    MessageDeleted,
    NoSuchMessage,
    NotAuthor,
    StorageFull,
    TooLate,
    TooMany,
    TxnConflict,
)
from gtchat.chat.events import (
    AnnotatedMessage,
    Deleted,
    Edited,
    MessageChange,
    Pinned,
    Reacted,
    Unpinned,
)
from gtchat.chat.interfaces import (
    Ack,
    ChangeLimits,
    HistoryQuery,
    MessageVersion,
    MessageVersions,
    PendingMessageChange,
)
from gtchat.chat.message_rules import annotated
from gtchat.store import paging
from tests.store.contract import StoreCase, joined, message, new_session

DAY_MS = 86_400_000
LIMITS = ChangeLimits(edit_window=86_400, emoji=2, reaction_changes=3, pins=1)
CHANGES = frozenset({"edited", "deleted", "reacted", "pinned", "unpinned"})


def edited(of: int, msg: str, at: int = 2000) -> Edited:
    return Edited(room_name="Garden", usr="Ann", at=at, of=of, msg=msg)


def deleted(of: int) -> Deleted:
    return Deleted(room_name="Garden", usr="", at=2000, of=of, by="Bob", reason="why")


def reacted(of: int, emoji: str, on: bool = True, usr: str = "Ann") -> Reacted:
    return Reacted(room_name="Garden", usr=usr, at=2000, of=of, emoji=emoji, on=on)


def pinned(of: int) -> Pinned:
    return Pinned(room_name="Garden", usr="Ann", at=2000, of=of)


def unpinned(of: int) -> Unpinned:
    return Unpinned(room_name="Garden", usr="Ann", at=2000, of=of)


class ChangeCase(StoreCase):
    """A room with Ann and Bob: 1 created, 2 Bob joins, 3 a message of Ann, 4 one of Bob."""

    async def prepare(self) -> None:
        self.ann, self.bob = await self.account("Ann"), await self.account("Bob")
        self.room_id = await self.room(self.ann)
        await self.stored(self.room_id, joined("Bob"), self.bob)
        await self.stored(self.room_id, message("x"), self.ann)
        await self.stored(self.room_id, message("y", usr="Bob"), self.bob)

    def change(
        self,
        entry: MessageChange,
        account: int,
        txn: str | None = None,
        is_moderator: bool = False,
        limits: ChangeLimits = LIMITS,
    ) -> PendingMessageChange:
        """Queue a change by an account and return it."""
        entry.subject_id = account
        pending = PendingMessageChange(
            room_id=self.room_id,
            entry=entry,
            txn=txn,
            sender_id=account,
            is_moderator=is_moderator,
            limits=limits,
        )
        self.store.append(pending)
        return pending

    async def changed(self, *args: Any, **options: Any) -> PendingMessageChange:
        """Store a change, with the arguments of `change`, and return it."""
        pending = self.change(*args, **options)
        await self.store.flush()
        self.assertIsNone(pending.error)
        return pending

    async def refused(self, error: type[Exception], *args: Any, **options: Any) -> None:
        """Make a change that is refused."""
        pending = self.change(*args, **options)
        await self.store.flush()
        self.assertIsInstance(pending.error, error)
        self.assertEqual(pending.entry.seq, 0)

    async def entries(self, **query: Any) -> list[Any]:
        page = await self.store.history(self.room_id, HistoryQuery(**query))
        return list(page.entries)

    async def found(self, seq: int, viewer: int | None = None) -> AnnotatedMessage:
        """Return a message as it is now."""
        [entry] = await self.entries(before=seq + 1, limit=1, viewer=viewer)
        self.assertEqual(entry.seq, seq)
        return annotated(entry)


class ChangesContract(ChangeCase):
    """Changes of messages."""

    async def test_an_edit_changes_the_text_of_its_message(self) -> None:
        await self.prepare()
        pending = await self.changed(edited(3, "new"), self.ann)
        self.assertEqual(pending.entry.seq, 5)
        found = await self.found(3)
        self.assertEqual((found.msg, found.edited, found.changed), ("new", 5, 5))
        self.assertEqual((found.usr, found.subject_id, found.id), ("Ann", self.ann, "id of x"))
        self.assertEqual(await self.found(4), annotated((await self.entries())[-1]))

    async def test_every_change_comes_back_as_it_went_in(self) -> None:
        await self.prepare()
        entries: list[MessageChange] = [
            *(edited(3, "new"), reacted(3, "+"), reacted(3, "+", False), pinned(3), unpinned(3)),
            *(deleted(4),),
        ]
        for entry in entries:
            await self.changed(entry, self.ann, is_moderator=True)
        entries[-1] = attrs.evolve(entries[-1], usr="Bob", subject_id=self.bob)
        self.assertEqual(await self.entries(kinds=CHANGES), entries)
        self.assertEqual(len(await self.entries()), 4)
        everything = CHANGES | {"speak", "join_room", "room_created"}
        self.assertEqual([one.seq for one in await self.entries(kinds=everything)], [*range(1, 11)])

    async def test_checks_see_what_is_queued_before(self) -> None:
        await self.prepare()
        queued = [
            self.append(self.room_id, message("z"), self.ann),
            self.change(edited(5, "new"), self.ann),
            self.change(reacted(5, "+", usr="Bob"), self.bob),
            self.append(self.room_id, message("between"), self.ann),
            self.change(deleted(5), self.ann),
            self.change(edited(5, "late"), self.ann),
            self.append(self.room_id, message("last"), self.bob),
        ]
        await self.store.flush()
        self.assertEqual([pending.entry.seq for pending in queued], [5, 6, 7, 8, 9, 0, 10])
        self.assertIsInstance(queued[5].error, MessageDeleted)
        self.assertEqual([one for call in self.calls for one in call][-7:], queued)
        self.assertEqual((await self.found(5)).deleted, Deletion("Bob", "why"))
        self.assertEqual(
            await self.texts(self.room_id, HistoryQuery(limit=3)), ["", "between", "last"]
        )

    async def test_author_and_moderators_only(self) -> None:
        await self.prepare()
        await self.refused(NotAuthor, edited(3, "new"), self.bob)
        await self.refused(NotAuthor, edited(3, "new"), self.bob, is_moderator=True)
        await self.refused(NotAuthor, deleted(3), self.bob)
        await self.changed(deleted(3), self.bob, is_moderator=True)

    async def test_no_account_wrote_a_message_of_an_unknown_account(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, message("old"), None)
        await self.refused(NotAuthor, edited(5, "new"), self.ann)
        await self.refused(NotAuthor, deleted(5), self.ann)
        await self.changed(deleted(5), self.ann, is_moderator=True)
        [entry] = await self.entries(kinds=frozenset({"deleted"}))
        self.assertEqual((entry.usr, entry.subject_id), ("Ann", None))

    async def test_what_is_no_message_can_not_be_changed(self) -> None:
        await self.prepare()
        await self.changed(edited(3, "new"), self.ann)
        for seq in (-1, 0, 1, 2, 5, 6, 2**53):
            for entry in (edited(seq, "x"), deleted(seq), reacted(seq, "+"), pinned(seq)):
                await self.refused(NoSuchMessage, entry, self.ann, is_moderator=True)

    async def test_a_message_can_be_edited_within_the_window(self) -> None:
        await self.prepare()
        await self.changed(edited(3, "in time", at=1000 + DAY_MS), self.ann)
        await self.refused(TooLate, edited(3, "late", at=1001 + DAY_MS), self.ann)
        same = await self.changed(edited(3, "in time", at=1001 + DAY_MS), self.ann)
        self.assertEqual(same.entry.seq, 0)
        unlimited = ChangeLimits()
        await self.changed(edited(3, "late", at=1001 + DAY_MS), self.ann, limits=unlimited)

    async def test_a_text_in_a_full_room_becomes_no_longer(self) -> None:
        await self.prepare()
        full = ChangeLimits(full=(12, 10))
        await self.changed(edited(3, "\N{GRINNING FACE}"), self.ann)
        for longer in ("12345", "\N{GRINNING FACE}!"):
            pending = self.change(edited(3, longer), self.ann, limits=full)
            await self.store.flush()
            assert isinstance(pending.error, StorageFull)
            self.assertEqual((pending.error.used, pending.error.allowed), (12, 10))
        for text, seq in (("1234", 6), ("1234", 0), ("123", 7)):
            done = await self.changed(edited(3, text), self.ann, limits=full)
            self.assertEqual(done.entry.seq, seq)
        self.assertEqual((await self.found(3)).msg, "123")

    async def test_what_is_as_wanted_already_is_no_entry(self) -> None:
        await self.prepare()
        for entry, seq in (
            *((edited(3, "x"), 0), (reacted(3, "+", False), 0), (reacted(3, "+"), 5)),
            *((reacted(3, "+"), 0), (unpinned(3), 0), (pinned(3), 6), (pinned(3), 0)),
            *((unpinned(3), 7), (deleted(3), 8), (deleted(3), 0), (unpinned(3), 0)),
            (reacted(3, "+", False), 0),
        ):
            pending = await self.changed(entry, self.ann)
            self.assertEqual((pending.entry.seq, pending.earlier), (seq, None), entry)
        self.assertEqual((await self.record(self.room_id)).last_seq, 8)

    async def test_reactions_are_counted_with_the_first_users(self) -> None:
        await self.prepare()
        for number in range(12):
            account = await self.account(f"User{number:02}")
            await self.changed(reacted(3, "+", usr=f"User{number:02}"), account)
        await self.changed(reacted(3, "-"), self.ann)
        first = tuple(f"User{number:02}" for number in range(10))
        plus, minus = (await self.found(3)).reactions
        self.assertEqual(plus, Reaction("+", 12, first))
        self.assertEqual(minus, Reaction("-", 1, ("Ann",)))
        await self.changed(reacted(3, "+", False, "User11"), account)
        again = await self.changed(reacted(3, "+", usr="User11"), account)
        found = await self.found(3)
        self.assertEqual(found.reactions, (plus, minus))
        self.assertEqual(found.changed, again.entry.seq)

    async def test_a_reaction_that_was_taken_back_by_all_is_gone(self) -> None:
        await self.prepare()
        await self.changed(reacted(3, "+"), self.ann)
        await self.changed(reacted(3, "-"), self.ann)
        await self.changed(reacted(3, "+", False), self.ann)
        self.assertEqual((await self.found(3)).reactions, (Reaction("-", 1, ("Ann",)),))

    async def test_reactions_are_limited(self) -> None:
        await self.prepare()
        for emoji, account in (("+", self.ann), ("-", self.bob)):
            await self.changed(reacted(3, emoji), account)
        await self.refused(TooMany, reacted(3, "*"), self.ann)
        for emoji, on in (("-", True), ("-", False)):
            await self.changed(reacted(3, emoji, on), self.ann)
        await self.refused(TooMany, reacted(3, "+", False), self.ann)
        await self.changed(reacted(4, "*"), self.ann)
        await self.changed(reacted(3, "+", False), self.ann, limits=ChangeLimits())

    async def test_pins_are_limited(self) -> None:
        await self.prepare()
        await self.changed(pinned(3), self.ann)
        await self.refused(TooMany, pinned(4), self.ann)
        await self.changed(deleted(3), self.ann)
        await self.changed(pinned(4), self.ann)
        await self.changed(unpinned(4), self.ann)
        self.assertEqual((await self.found(4)).pinned, False)

    async def test_a_reply_names_the_author_and_the_root_of_its_thread(self) -> None:
        await self.prepare()
        for usr, account, to in (("Bob", self.bob, 3), ("Ann", self.ann, 5)):
            reply = attrs.evolve(annotated(message("re", usr=usr)), reply=ReplyTo(to))
            await self.stored(self.room_id, reply, account)
        first, second = await self.found(5), await self.found(6)
        self.assertEqual((first.reply, first.root), (ReplyTo(3, "Ann"), 3))
        self.assertEqual((second.reply, second.root), (ReplyTo(5, "Bob"), 3))
        self.assertEqual((second.changed, second.style), (None, ""))

    async def test_a_reply_to_nothing_or_to_a_deleted_message_fails(self) -> None:
        await self.prepare()
        await self.changed(deleted(3), self.ann)
        for to, error in ((0, NoSuchMessage), (2, NoSuchMessage), (3, MessageDeleted)):
            reply = attrs.evolve(annotated(message("re")), reply=ReplyTo(to))
            pending = self.append(self.room_id, reply, self.ann)
            await self.store.flush()
            self.assertIsInstance(pending.error, error)
        last = await self.stored(self.room_id, message("next"), self.ann)
        self.assertEqual(last.entry.seq, 6)

    async def test_a_deleted_message_keeps_author_time_and_thread_only(self) -> None:
        await self.prepare()
        reply = annotated(message("re"))
        reply = attrs.evolve(reply, reply=ReplyTo(4), style="action")
        await self.stored(self.room_id, reply, self.ann)
        for entry in (edited(5, "new"), reacted(5, "+"), pinned(5), deleted(5)):
            await self.changed(entry, self.ann)
        expected = annotated(message(""))
        expected.id, expected.seq, expected.subject_id = "id of re", 5, self.ann
        expected.changed, expected.deleted, expected.root = 9, Deletion("Bob", "why"), 4
        self.assertEqual(await self.found(5, viewer=self.ann), expected)
        [edit] = await self.entries(kinds=frozenset({"edited"}))
        self.assertEqual(edit.msg, "")

    async def test_a_repeated_txn_gets_the_first_ack(self) -> None:
        await self.prepare()
        await self.changed(edited(3, "new"), self.ann, txn="t")
        again = await self.changed(edited(3, "new", at=3000), self.ann, txn="t")
        self.assertEqual((again.entry.seq, again.earlier), (0, Ack("", 5, 2000, dup=True)))
        same = await self.changed(edited(3, "new"), self.ann, txn="u")
        self.assertEqual((same.entry.seq, same.earlier), (0, None))
        await self.changed(edited(3, "newer"), self.ann)
        again = await self.changed(edited(3, "new"), self.ann, txn="u")
        self.assertEqual(again.earlier, Ack("", 0, 2000, dup=True))

    async def test_a_txn_belongs_to_one_change(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, message("new"), self.ann, txn="s")
        for txn, first, others in (
            ("s", None, (edited(3, "new"),)),
            ("e", edited(3, "new"), (edited(3, "other"), edited(5, "new"), deleted(3))),
            (
                *("r", reacted(3, "+")),
                (reacted(3, "-"), reacted(3, "+", False), reacted(4, "+"), pinned(3)),
            ),
            ("d", deleted(3), (attrs.evolve(deleted(3), reason="because"),)),
            ("p", pinned(4), (unpinned(4),)),
        ):
            if first is not None:
                await self.changed(first, self.ann, txn=txn)
            for other in others:
                await self.refused(TxnConflict, other, self.ann, txn=txn)

    async def test_a_refused_change_does_not_use_its_txn(self) -> None:
        await self.prepare()
        await self.refused(NotAuthor, edited(4, "new"), self.ann, txn="t")
        await self.changed(edited(3, "new"), self.ann, txn="t")


class ChangedHistoryContract(ChangeCase):
    """What is read of messages that were changed."""

    async def test_a_viewer_sees_the_own_reactions_and_none_of_blocked_users(self) -> None:
        await self.prepare()
        for emoji, usr, account in (
            *(("+", "Ann", self.ann), ("+", "Bob", self.bob), ("-", "Bob", self.bob)),
        ):
            await self.changed(reacted(3, emoji, usr=usr), account)
        both = (Reaction("+", 2, ("Ann", "Bob")), Reaction("-", 1, ("Bob",)))
        self.assertEqual((await self.found(3)).reactions, both)
        eve = await self.account("Eve")
        self.assertEqual((await self.found(3, eve)).reactions, both)
        own = (attrs.evolve(both[0], me=True), both[1])
        self.assertEqual((await self.found(3, self.ann)).reactions, own)
        await self.store.block(self.ann, self.bob, True)
        visible = (Reaction("+", 1, ("Ann",), me=True),)
        self.assertEqual((await self.found(3, self.ann)).reactions, visible)

    async def test_resume_has_messages_as_they_are_and_all_changes(self) -> None:
        await self.prepare()
        await self.store.login(self.ann, "hash", new_session(b"s"))
        for entry in (edited(3, "new"), reacted(4, "+"), deleted(3)):
            await self.changed(entry, self.ann)
        result = await self.store.resume(b"s", 3000, 0, {self.room_id: 2}, 1, 500, "n")
        backlog = result.missed[self.room_id]
        self.assertEqual([one.seq for one in backlog.entries], [3, 4, 5, 6, 7])
        first, second, edit, *_ = backlog.entries
        self.assertEqual((first.changed, first.deleted), (7, Deletion("Bob", "why")))
        self.assertEqual(second.reactions, (Reaction("+", 1, ("Ann",), me=True),))
        self.assertEqual(edit.msg, "")

    async def test_changes_and_deleted_messages_are_not_unread(self) -> None:
        await self.prepare()
        await self.store.login(self.bob, "hash", new_session(b"s"))
        for text in ("a", "b"):
            await self.stored(self.room_id, message(text), self.ann)
        await self.store.mark_read(self.bob, b"s", self.room_id, 4)
        for entry in (edited(5, "new"), reacted(6, "+"), pinned(3)):
            await self.changed(entry, self.ann)
        counted = await self.store.unread(self.bob, None)
        self.assertEqual(counted[self.room_id].unread, 2)
        await self.changed(deleted(6), self.ann)
        counted = await self.store.unread(self.bob, None)
        self.assertEqual(counted[self.room_id].unread, 1)

    async def test_a_page_reads_no_more_than_its_budget(self) -> None:
        await self.prepare()
        self.patch(paging, "READ_ROWS", 10)
        for number in range(20):
            await self.changed(reacted(4, "+", number % 2 == 0), self.ann, limits=ChangeLimits())
        await self.stored(self.room_id, message("z"), self.ann)
        for query, seqs, more in (
            ({}, [25], True),
            ({"before": 25}, [1, 2, 3, 4], False),
            ({"before": 25, "limit": 2}, [3, 4], True),
            ({"before": 20}, [1, 2, 3, 4], False),
            ({"before": 11}, [1, 2, 3, 4], False),
            ({"before": 12}, [2, 3, 4], True),
            ({"after": 4}, [25], False),
            ({"after": 2}, [3, 4], True),
            ({"after": 25}, [], False),
            ({"around": 15}, [1, 2, 3, 4, 25], False),
            ({"around": 4}, [1, 2, 3, 4], True),
            ({"before": 25, "kinds": frozenset({"speak"})}, [3, 4], False),
            ({"after": 4, "kinds": frozenset({"speak"})}, [25], False),
            ({"before": 25, "kinds": frozenset({"join_room"})}, [2], False),
            ({"before": 25, "kinds": frozenset({"speak", "join_room"})}, [2, 3, 4], False),
            ({"before": 3, "kinds": frozenset({"speak"})}, [], False),
            ({"before": 9, "limit": 2, "kinds": frozenset({"reacted"})}, [7, 8], True),
        ):
            page = await self.store.history(self.room_id, HistoryQuery(**query))
            found = [entry.seq for entry in page.entries]
            self.assertEqual((found, page.more), (seqs, more), query)

    async def test_a_page_counts_the_names_in_reactions(self) -> None:
        await self.prepare()
        accounts = [await self.account(f"{number:032}") for number in range(10)]
        limits = ChangeLimits()
        self.patch(paging, "REPLY_BYTES", 40_000)
        for _ in range(8):
            await self.stored(self.room_id, message("x"), self.ann)
        for seq in range(5, 13):
            for account in accounts:
                for emoji in "abcdefghijklmnopqrst":
                    usr = f"{accounts.index(account):032}"
                    self.change(reacted(seq, emoji, usr=usr), account, limits=limits)
        await self.store.flush()
        page = await self.store.history(self.room_id, HistoryQuery(limit=200))
        self.assertTrue(page.more)
        self.assertTrue(3 < len(page.entries) < 8, len(page.entries))


class VersionsContract(ChangeCase):
    """Earlier texts."""

    KEPT = ChangeLimits(keep_versions=True)

    async def test_earlier_texts_are_kept_where_that_is_wanted(self) -> None:
        await self.prepare()
        for number, limits in enumerate((LIMITS, self.KEPT, self.KEPT)):
            edit = edited(3, f"text {number}", at=2000 + number)
            await self.changed(edit, self.ann, limits=limits)
        expected = (
            *(MessageVersion(5, 2000, "text 0"), MessageVersion(6, 2001, "text 1")),
            MessageVersion(7, 2002, "text 2"),
        )
        found = await self.store.versions(self.room_id, 3)
        self.assertEqual(found, MessageVersions(self.ann, False, expected))

    async def test_a_message_that_was_not_edited_has_one_text(self) -> None:
        await self.prepare()
        found = await self.store.versions(self.room_id, 3)
        expected = (MessageVersion(3, 1000, "x"),)
        self.assertEqual(found, MessageVersions(self.ann, False, expected))

    async def test_deleting_a_message_deletes_its_earlier_texts(self) -> None:
        await self.prepare()
        await self.changed(edited(3, "new"), self.ann, limits=self.KEPT)
        deletion = (await self.changed(deleted(3), self.ann)).entry
        found = await self.store.versions(self.room_id, 3)
        self.assertEqual((found.author_id, found.deleted), (self.ann, True))
        self.assertEqual([one.msg for one in found.versions], [""])
        self.assertEqual(deletion.seq, 6)

    async def test_only_messages_have_texts(self) -> None:
        await self.prepare()
        for seq in (0, 1, 5):
            await self.assertFails(self.store.versions(self.room_id, seq), NoSuchMessage)
        await self.assertFails(self.store.versions(999, 1), NoSuchMessage)

    async def test_the_newest_texts_that_fit_in_a_reply_are_listed(self) -> None:
        await self.prepare()
        for number in range(60):
            await self.changed(edited(3, f"{number}" * 4000), self.ann, limits=self.KEPT)
        found = await self.store.versions(self.room_id, 3)
        self.assertEqual(found.versions[-1].seq, 64)
        self.assertTrue(20 < len(found.versions) < 60, len(found.versions))
