"""Changes of messages on disk: what is erased, half a batch, and pages behind a run of changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.annotations import Reaction, ReplyTo
from gtchat.chat.errors import NotStored
from gtchat.chat.events import PAGE_KINDS, Joined, MessageSent, Reacted
from gtchat.chat.interfaces import ChangeLimits, PendingEntry
from gtchat.chat.message_rules import annotated
from gtchat.store.sql.history import KeptLog
from gtchat.store.sql.log_writer import LogWriter
from tests.store.changes_contract import (
    ChangeCase,
    VersionsContract,
    deleted,
    edited,
    pinned,
    reacted,
)
from tests.store.contract import message
from tests.store.sql.test_log_writer import new_database
from tests.store.sql.test_store import OnDisk

TABLES = ("reactions", "pins", "versions")


class Erased(OnDisk, ChangeCase, TestCase):
    async def test_a_deleted_message_is_not_in_the_file_any_more(self) -> None:
        await self.prepare()
        first = attrs.evolve(message("first secret"), id="an id without the text")
        await self.stored(self.room_id, first, self.ann)
        kept = VersionsContract.KEPT
        await self.changed(edited(5, "second secret"), self.ann, limits=kept)
        await self.changed(edited(5, "third secret"), self.ann, limits=kept)
        await self.changed(edited(3, "what stays"), self.ann)
        await self.store.index_now()
        await self.changed(deleted(5), self.ann)
        await self.store.index_now(merge=True)
        await self.store.close()
        content = self.path.read_bytes()
        self.assertTrue(b"what stays" in content)
        self.assertFalse(b"secret" in content)

    async def test_a_deleted_room_leaves_no_rows_of_changes(self) -> None:
        await self.prepare()
        other = await self.room(self.ann, "Other")
        for room in (self.room_id, other):
            self.room_id = room
            if room == other:
                await self.stored(room, message("x"), self.ann)
            seq = 3 if room != other else 2
            await self.changed(edited(seq, "new"), self.ann, limits=VersionsContract.KEPT)
            await self.changed(reacted(seq, "+"), self.ann)
            await self.changed(pinned(seq), self.ann)
        self.assertEqual(self.counts(), [2, 2, 2])
        await self.store.delete_room(other, 1)
        while self.counts() != [1, 1, 1]:
            await self.store.flush()
        self.assertIsNone(await self.record(other))

    def counts(self) -> list[int]:
        with closing(sqlite3.connect(self.path)) as db:
            return [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES]


class Batches(OnDisk, ChangeCase, TestCase):
    async def test_changes_of_a_batch_that_is_written_again_are_made_once(self) -> None:
        await self.prepare()
        reply = attrs.evolve(annotated(message("re")), reply=ReplyTo(3))
        self.append(self.room_id, reply, self.ann)
        react = self.change(reacted(5, "+"), self.ann, txn="t")
        self.change(edited(5, "new"), self.ann)
        poison = self.append(self.room_id, message("\ud800"), self.ann)
        delete = self.change(deleted(4), self.bob)
        again = self.change(reacted(5, "+"), self.ann, txn="t")
        await self.store.flush()
        self.assertIsInstance(poison.error, NotStored)
        self.assertEqual((react.entry.seq, delete.entry.seq), (6, 8))
        assert again.earlier is not None
        self.assertEqual((again.earlier.seq, again.earlier.dup), (6, True))
        found = await self.found(5)
        self.assertEqual((found.msg, found.reply, found.changed), ("new", ReplyTo(3, "Ann"), 7))
        self.assertEqual(found.reactions, (Reaction("+", 1, ("Ann",)),))
        self.assertEqual((await self.found(4)).usr, "Bob")
        await self.changed(
            reacted(5, "+", False), self.ann, limits=ChangeLimits(reaction_changes=2)
        )


class Nearest(SynchronousTestCase):
    @settings(deadline=None, max_examples=200)
    @given(st.text("mjr", max_size=12), st.integers(0, 12), st.integers(0, 15), st.booleans())
    def test_the_nearest_entry_is_found_as_a_scan_finds_it(
        self, kinds: str, deleted_rows: int, seq: int, backwards: bool
    ) -> None:
        """m: a message, j: a join, r: a reaction."""
        entries = {
            "m": partial(MessageSent, usr="Ann", msg="x", id="i", at=0),
            "j": partial(Joined, usr="Ann", at=0, subject_id=5),
            "r": partial(Reacted, usr="Ann", at=0, of=1, emoji="+", on=True),
        }
        db = new_database()
        self.addCleanup(db.close)
        run = [PendingEntry(1, entries[kind](room_name="Garden")) for kind in kinds]
        LogWriter().write(db, run)
        first = min(deleted_rows, len(kinds)) + 1
        db.execute("DELETE FROM entries WHERE seq < ?", (first,))
        log = KeptLog(db, 1, "Garden", first, len(kinds))
        for wanted, letters in (
            (PAGE_KINDS, "mj"),
            (frozenset({MessageSent.kind}), "m"),
            (frozenset({Joined.kind}), "j"),
        ):
            fitting = [
                number
                for number, kind in enumerate(kinds, 1)
                if kind in letters
                and number >= first
                and (number < seq if backwards else number > seq)
            ]
            expected = (max if backwards else min)(fitting, default=None)
            self.assertEqual(log.nearest(wanted, seq, backwards), expected)
        page = self.page(db, len(kinds))
        self.assertEqual(page, [n for n, kind in enumerate(kinds, 1) if kind != "r" and n >= first])

    def page(self, db: sqlite3.Connection, last: int) -> list[int]:
        log = KeptLog(db, 1, "Garden", 1, last)
        return [entry.seq for entry in log.read(PAGE_KINDS, False, 1, last, 200)]
