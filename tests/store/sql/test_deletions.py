"""Deletions of accounts: what a kill leaves at each step, and how entries are changed in slices."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.annotations import ReplyTo
from gtchat.chat.chat import Chat
from gtchat.chat.deletion_rules import DELETED_USER, Erasure
from gtchat.chat.interfaces import HistoryQuery
from gtchat.chat.limits import Limits
from gtchat.chat.message_rules import annotated
from gtchat.chat.moderation_events import Muted
from gtchat.chat.queued import PendingChange
from gtchat.store import SQLStore
from gtchat.store.sql import deletions, moderation
from gtchat.store.sql.consistency import find_contradictions
from tests import postgres
from tests.fakes import PlainPasswords, Tokens
from tests.store.admin_contract import TOKEN, record
from tests.store.contract import StoreCase, joined, message, new_session
from tests.store.sql.test_store import OnDisk

#: What is the same however often the server was killed.
_FACTS = (
    "SELECT room_id, seq, kind, usr, msg, extra, subject_id FROM entries ORDER BY room_id, seq",
    "SELECT name FROM accounts ORDER BY id",
    "SELECT id, name, owner FROM rooms WHERE kind = 'room' ORDER BY id",
    "SELECT room_id, account_id FROM members ORDER BY room_id, account_id",
    'SELECT "key", account_id FROM reserved_names ORDER BY "key"',
    "SELECT account_id FROM deletions",
)
ROOM = (
    "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
    " VALUES (7, 'r', 'r', true, '', 0, '')"
)
SAY = (
    "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg, subject_id, of, extra)"
    " VALUES (%s, %s, 1, 'speak', 0, %s, 'tea', %s, %s, %s)"
)


def facts(path: Path) -> list[list[Any]]:
    with closing(sqlite3.connect(path)) as db:
        return [db.execute(sql).fetchall() for sql in _FACTS]


def left(path: Path) -> int:
    """Return how many deletions have not ended."""
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM deletions").fetchone()[0])


class ModeratedRooms(OnDisk, StoreCase, TestCase):
    """The rooms in which the name of an account has to be changed."""

    async def test_no_others_are_read(self) -> None:
        gus, eve = await self.account("Gus"), 7
        for name, muted in (("Shed", gus), ("Garden", eve), ("Loft", None)):
            room = await self.room(gus, name)
            if muted is not None:
                entry = Muted(room_name=name, usr="Gus", by="Host", at=9)
                await self.stored(room, entry, muted)
        statement = moderation._WITH_DIGITS
        with closing(sqlite3.connect(self.path)) as db:
            values = {**statement.constants, "pattern": f"%{eve}%"}
            found = [(row[0]) for row in db.execute(statement.sql, values)]
            plan = db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values).fetchall()
        self.assertEqual(found, [room - 1])
        self.assertIn("rooms_moderated", str(plan))


class Slices(OnDisk, StoreCase, TestCase):
    """Ann is in two rooms, and owns a third one alone."""

    async def prepare(self, erasure: Erasure) -> Chat:
        """Begin to delete Ann, after much was said."""
        self.patch(deletions, "SLICE", 7)
        self.patch(deletions, "CHANGED", 3)
        self.ann, self.bob = await self.account("Ann"), await self.account("Bob")
        self.garden = await self.room(self.ann)
        await self.stored(self.garden, joined("Bob"), self.bob)
        await self.room(self.ann, "Alone")
        for number in range(5):
            await self.stored(self.garden, message(f"a{number}"), self.ann)
            await self.stored(self.lobby, message(f"b{number}", usr="Bob"), self.bob)
        return await self.begin(erasure)

    async def begin(self, erasure: Erasure) -> Chat:
        chat = self.chat(self.store)
        deliver = self.store.committed
        self.store.committed = lambda entries: deliver(
            [one for one in entries if isinstance(one, PendingChange)]
        )
        account = await self.store.find_account("ann", None)
        await chat.deletions.begin(account, erasure, record("account_deleted"))
        return chat

    def chat(self, store: SQLStore) -> Chat:
        """Start a chat on a store."""
        chat = Chat(store, reactor, Limits(), PlainPasswords(), Tokens())  # type: ignore[arg-type]
        chat.start()
        return chat

    async def finished(self, store: SQLStore, path: Path) -> None:
        """Wait until nothing is left of a deletion."""
        for _ in range(200):
            await store.flush()
            if not left(path):
                return
        self.fail("a deletion does not end")

    async def test_kept_messages_lose_the_name_after_a_kill_at_each_step(self) -> None:
        await self.kill_at_each_step(Erasure(), {"a0", "a1", "a2", "a3", "a4"})

    async def test_messages_are_erased_after_a_kill_at_each_step(self) -> None:
        await self.kill_at_each_step(Erasure(rooms=True), {""})

    async def kill_at_each_step(self, erasure: Erasure, texts: set[str]) -> None:
        """Delete Ann; then go on from what each commit has left, as after a kill.

        Args:
            erasure: of the deletion.
            texts: those of the messages of Ann afterwards.
        """
        states: list[Path] = []
        database = self.store._database  # type: ignore[attr-defined]
        commit = database.commit

        def committed(db: Any) -> None:
            """Keep the files as they are: a process that is killed leaves them so."""
            commit(db)
            folder = Path(self.mktemp())
            folder.mkdir()
            for name in (self.path.name, f"{self.path.name}-wal"):
                shutil.copy(self.path.with_name(name), folder / name)
            states.append(folder / self.path.name)

        chat = await self.prepare(erasure)
        database.commit = committed
        await self.finished(self.store, self.path)
        database.commit = commit
        await chat.stop()
        expected = facts(self.path)
        said = {(usr, msg) for _, _, kind, usr, msg, *_ in expected[0] if kind == "speak"}
        others = {("Bob", f"b{number}") for number in range(5)}
        self.assertEqual(said, others | {(DELETED_USER, one) for one in texts})
        self.assertGreater(len(states), 6)
        for path in states:
            store = SQLStore.open(path, reactor)
            chat = self.chat(store)
            await self.finished(store, path)
            await chat.stop()
            await store.close()
            self.assertEqual(facts(path), expected)
            with closing(sqlite3.connect(path)) as db:
                self.assertEqual(find_contradictions(db), [])

    async def test_others_can_speak_while_slices_go_on(self) -> None:
        chat = await self.prepare(Erasure(rooms=True))
        for number in range(30):
            await self.stored(self.lobby, message(f"c{number}", usr="Bob"), self.bob)
        await self.finished(self.store, self.path)
        await chat.stop()
        entries = facts(self.path)[0]
        self.assertEqual({row[3] for row in entries}, {DELETED_USER, "Bob"})

    async def test_replies_from_behind_the_end_lose_the_name(self) -> None:
        """A reply gets the name that the message still has when it is stored."""
        do_slice = deletions.do_slice
        self.patch(deletions, "do_slice", lambda db: True)
        chat = await self.prepare(Erasure())
        while await self.store.find_account("ann", None) is not None:
            await self.store.flush()
        reply = annotated(message("so?", usr="Bob"))
        reply.reply = ReplyTo(3)
        await self.stored(self.garden, reply, self.bob)
        self.patch(deletions, "do_slice", do_slice)
        await self.finished(self.store, self.path)
        await chat.stop()
        page = await self.store.history(self.garden, HistoryQuery(limit=1))
        self.assertEqual(page.entries[0].reply, ReplyTo(3, DELETED_USER))

    async def test_the_end_of_a_guest_leaves_nothing_to_do(self) -> None:
        """Of several nodes one cleans up: that of another one would end."""
        guest = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        for _ in range(5):  # what a start looks for
            await self.store.flush()
        slices: list[Any] = []
        self.patch(deletions, "do_slice", slices.append)
        await self.store.end_guest(guest)
        for _ in range(3):  # each is followed by a slice
            await self.store.flush()
        self.assertEqual(slices, [])

    async def test_what_is_not_indexed_yet_is_found_under_no_name(self) -> None:
        chat = await self.prepare(Erasure())
        await self.finished(self.store, self.path)
        await chat.stop()
        await self.store.index_now(merge=True)  # type: ignore[attr-defined]
        with closing(sqlite3.connect(self.path)) as db:
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            db.execute("INSERT INTO message_index(message_index) VALUES ('integrity-check')")


class SlicesOfNodes(SynchronousTestCase):
    """Ann is deleted at one node, while others store."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def test_a_reply_that_is_being_stored_loses_the_name(self) -> None:
        database = postgres.QuickDatabase()
        a, b, c = (database._connect({}) for _ in range(3))
        for db in (a, b, c):
            self.addCleanup(db.close)
        a.execute("INSERT INTO deletions VALUES (1, 'Ann', false, false, 0, 1)")
        a.execute(ROOM)
        a.execute("INSERT INTO heads (room_id, seq, messages, first) VALUES (7, 1, 1, 1)")
        a.execute(SAY, (7, 1, "Ann", 1, None, None))
        b.execute("BEGIN")
        b.execute("SELECT 1 FROM heads WHERE room_id = 7 FOR NO KEY UPDATE")
        b.execute(SAY, (7, 2, "Bob", 2, 1, '{"reply":"Ann"}'))
        c.execute(SAY, (8, 3, "Bob", 2, None, None))

        def slices() -> None:
            more = True
            while more:
                a.execute("BEGIN")
                more = deletions.do_slice(a)
                a.execute("COMMIT")

        thread = Thread(target=slices)
        thread.start()
        waits = f"SELECT 1 WHERE pg_blocking_pids({a.info.backend_pid}) <> '{{}}'"
        while c.execute(waits).fetchone() is None:
            self.assertTrue(thread.is_alive())
        b.execute("COMMIT")
        thread.join()
        found = c.execute("SELECT usr, extra FROM entries WHERE seq < 3 ORDER BY seq").fetchall()
        reply = f'{{"reply":"{DELETED_USER}"}}'
        self.assertEqual(found, [(DELETED_USER, None), ("Bob", reply)])
