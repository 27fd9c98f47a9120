"""Rows of entries: written by `LogWriter.write`, read back by `entry_of`."""

from __future__ import annotations

import functools
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.events import ENTRY_TYPES, Edited, Entry, Joined, MessageSent, RoomCreated
from gtchat.chat.interfaces import HistoryQuery
from gtchat.store.sql import schema
from gtchat.store.sql.history import history
from gtchat.store.sql.log_writer import LogWriter
from tests.store.contract import pending_entry

#: Any text that SQLite can store.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
#: Annotation of an attribute of an entry -> its values.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "str | None": st.none() | TEXT,
    "int": st.integers(0, 2**53),
    "int | None": st.none() | st.integers(0, 2**53),
    "bool": st.booleans(),
}


def entries_of(entry_type: type[Entry]) -> st.SearchStrategy[Entry]:
    """Return a strategy for the entries of a class, before they are stored."""
    values = {
        field.name: VALUES[str(field.type)]
        for field in attrs.fields(entry_type)
        if field.name not in {"seq", "room_name", "subject_id"}
    }
    # Only an account becomes a member; all else can be about a user who is not known.
    subject = st.just(5) if entry_type is Joined else st.sampled_from([5, None])
    return st.builds(
        entry_type, seq=st.just(0), room_name=st.just("Garden"), subject_id=subject, **values
    )


#: An edit has no text of its own when it is read; see the contract of changes.
WRITTEN_TYPES = [one for one in ENTRY_TYPES.values() if one is not Edited]
ENTRIES = st.one_of([entries_of(entry_type) for entry_type in WRITTEN_TYPES])


def new_database() -> sqlite3.Connection:
    """Return a connection to a database in memory with all tables, room 1 and account 5."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    _template().backup(db)
    return db


@functools.cache
def _template() -> sqlite3.Connection:
    """Create the database that is copied; its tables take longer than most tests."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.metadata.create_all(
        create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool), checkfirst=False
    )
    db.execute(
        "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
        " VALUES (1, 'garden', 'Garden', 1, '', 0, '')"
    )
    db.execute(
        "INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)"
        " VALUES (5, 'Ann', 'ann', 1, 0, 0)"
    )
    return db


class RowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.db = new_database()
        self.addCleanup(self.db.close)

    @contextmanager
    def stored(self, entries: Sequence[Entry]) -> Iterator[dict[int, list[Entry]]]:
        """Append entries to room 1, or to new rooms where they create them, until the exit.

        Yields:
            Room id -> its entries, with their seqs.
        """
        run = [
            pending_entry(0, entry, room_key=f"key {number}")
            if entry.kind == RoomCreated.kind
            else pending_entry(1, entry)
            for number, entry in enumerate(entries)
        ]
        logs: defaultdict[int, list[Entry]] = defaultdict(list)
        self.db.execute("BEGIN")
        try:
            writer = LogWriter()
            writer.write(self.db, run)
            writer.write_heads(self.db)
            for pending in run:
                self.assertIsNone(pending.error)
                logs[pending.room_id].append(pending.entry)
            yield logs
        finally:
            self.db.execute("ROLLBACK")

    def check_each_is_read_as_written(self, entries: Sequence[Entry]) -> None:
        expected = [attrs.evolve(entry) for entry in entries]
        with self.stored(entries) as logs:
            found: list[Entry] = []
            for room_id, log in logs.items():
                page = history(
                    self.db, room_id, HistoryQuery(limit=200, kinds=frozenset(ENTRY_TYPES))
                )
                self.assertEqual(page.entries, tuple(log))
                self.assertEqual([entry.seq for entry in log], list(range(1, len(log) + 1)))
                found += page.entries
        unnumbered = [attrs.evolve(entry, seq=0) for entry in found]
        self.assertCountEqual(map(repr, unnumbered), map(repr, expected))

    @given(st.lists(ENTRIES, max_size=12))
    def test_entries_of_all_kinds_are_read_as_they_were_written(self, entries: list[Entry]) -> None:
        self.check_each_is_read_as_written(entries)

    def test_an_entry_of_every_kind_is_read_as_it_was_written(self) -> None:
        for entry_type in WRITTEN_TYPES:

            @settings(deadline=None, max_examples=30)
            @given(entries_of(entry_type))
            def check(entry: Entry) -> None:
                self.check_each_is_read_as_written([entry])

            check()

    @given(st.lists(ENTRIES, max_size=12))
    def test_message_count_is_the_number_of_messages_so_far(self, entries: list[Entry]) -> None:
        with self.stored(entries) as logs:
            for room_id, log in logs.items():
                rows = self.db.execute(
                    "SELECT message_count FROM entries WHERE room_id = ? ORDER BY seq", (room_id,)
                ).fetchall()
                counts = accumulate(entry.kind == MessageSent.kind for entry in log)
                self.assertEqual(rows, [(count,) for count in counts])

    @settings(deadline=None)
    @given(st.lists(ENTRIES, max_size=12))
    def test_rows_lie_in_the_order_of_the_queue(self, entries: list[Entry]) -> None:
        with self.stored(entries):
            rows = self.db.execute("SELECT at, usr, kind FROM entries ORDER BY row").fetchall()
        self.assertEqual(rows, [(entry.at, entry.usr, entry.kind) for entry in entries])
