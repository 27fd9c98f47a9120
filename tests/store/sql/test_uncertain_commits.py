"""Commits whose answer was lost, and connections that end: what is told, and what is stored."""

from __future__ import annotations

import atexit
import os
import signal
import sqlite3
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import HistoryQuery, PendingEntry, StoredState
from gtchat.store import SQLStore, StoreUnavailable
from gtchat.store.sql import batch_writer
from gtchat.store.sql.database import Connection, UncertainCommit
from gtchat.store.sql.rooms import Cleanup
from gtchat.store.sql.search_index import Indexer
from gtchat.store.sql.sqlite import SQLiteDatabase
from tests import postgres
from tests.databases import create_empty
from tests.store.contract import StoreCase, message

#: Seconds after which messages that were refused are sent again.
RETRY_S = 0.02
NUMBERS = count(1)


class Uncertain(SQLiteDatabase):
    """A database whose commits can lose their answers.

    Attributes:
        plan: for each of the next commits of a message "one" whether it is "lost", or "stored"
            while its answer is lost.
        answers: what `was_committed` returns next; None for an error.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.plan: list[str] = []
        self.answers: list[bool | None] = []

    def commit(self, db: Connection) -> None:
        has_message = db.execute("SELECT 1 FROM entries WHERE msg = 'one'").fetchone()
        kind = self.plan.pop(0) if self.plan and has_message else "answered"
        if kind == "lost":
            db.execute("ROLLBACK")
        else:
            super().commit(db)
        if kind != "answered":
            self.answers = [None, None, kind == "stored"]
            raise UncertainCommit("the connection was closed")

    def was_committed(self) -> bool:
        answer = self.answers.pop(0)
        if answer is None:
            raise sqlite3.OperationalError("no connection")
        return answer


class LossCase(StoreCase):
    """Helpers for tests of messages that are stored or not, and said to be."""

    def commit_batches_only(self) -> None:
        """Let writers do nothing between the batches of a test."""
        self.patch(Indexer, "wait", lambda _: None)
        self.patch(Cleanup, "has_work", lambda _: False)

    async def texts(self) -> list[str]:
        """Return the messages of the lobby, oldest first."""
        found: list[str] = []
        last = 0
        while True:
            query = HistoryQuery(after=last, limit=200)
            entries = (await self.store.history(self.lobby, query)).entries
            if not entries:
                return found
            found += [entry.msg for entry in entries]
            last = entries[-1].seq

    async def send(self, text: str, account: int, txn: str | None = None) -> PendingEntry:
        """Send a message to the lobby; return it when its result is known."""
        pending = self.append(self.lobby, message(text), account, txn)
        await self.store.flush()
        return pending


class UncertainTests(LossCase, TestCase):
    """The rules of the writer, with a database that loses answers."""

    def open_store(self) -> SQLStore:
        self.commit_batches_only()
        self.patch(batch_writer, "RETRY_S", 0)
        path = Path(self.mktemp())
        create_empty(path)
        self.database = Uncertain(path)
        return SQLStore(self.database, reactor)

    async def test_what_was_committed_is_acknowledged(self) -> None:  # H23
        ann = await self.account("Ann")
        self.database.plan = ["stored"]
        pending = await self.send("one", ann)
        self.assertIsNone(pending.error)
        again = await self.send("two", ann)
        self.assertEqual((pending.entry.seq, again.entry.seq), (1, 2))
        self.assertEqual(await self.texts(), ["one", "two"])

    async def test_what_was_not_committed_is_refused_and_can_be_sent_again(self) -> None:  # H23
        ann = await self.account("Ann")
        self.database.plan = ["lost"]
        pending = self.append(self.lobby, message("one"), ann, "t1")
        with self.assertRaises(NotStored):
            await self.store.register("Bob", "bob", "hash", None, 1)
        self.assertIsInstance(pending.error, NotStored)
        self.assertEqual(await self.texts(), [])
        again = await self.send("one", ann, "t1")
        self.assertEqual((again.error, again.entry.seq), (None, 1))
        self.assertEqual(await self.texts(), ["one"])

    async def test_no_result_is_told_while_it_is_not_known(self) -> None:  # H23
        ann = await self.account("Ann")
        asked: list[int] = []
        known = Deferred[None]()

        def not_yet() -> bool:
            asked.append(len(self.calls))
            if len(asked) == 20:
                reactor.callFromThread(known.callback, None)
            if len(asked) < 40:
                raise sqlite3.OperationalError("no connection")
            return True

        self.calls.clear()
        self.database.plan = ["stored"]
        with mock.patch.object(self.database, "was_committed", not_yet):
            pending = self.append(self.lobby, message("one"), ann)
            later = self.append(self.lobby, message("two"), ann)
            await known
            await self.store.flush()
        self.assertEqual(set(asked), {0})
        self.assertEqual((pending.error, later.error), (None, None))
        self.assertEqual(await self.texts(), ["one", "two"])


if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.postgres import PostgresDatabase

    class CutDatabase(PostgresDatabase):
        """A database whose connection is cut at the commit of a message "before" or "after".

        Attributes:
            cut: "before" the server gets the commit, "after" it has done it, or never.
        """

        cut = ""

        def commit(self, db: Connection) -> None:
            cut = ""
            if db.execute("SELECT 1 FROM entries WHERE msg = %s", (self.cut,)).fetchone():
                cut, self.cut = self.cut, ""
            if cut == "before":
                terminate(db)
            before = self._node._commits
            super().commit(db)
            if cut == "after":
                terminate(db)
                self._node._commits = before
                raise UncertainCommit("no answer")


def terminate(db: Any) -> None:
    postgres.server().execute(f"SELECT pg_terminate_backend({db.info.backend_pid}, 60000)")


class LossTests(LossCase, TestCase):
    """A real server that ends connections."""

    timeout = 120
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        self.commit_batches_only()
        self.url = postgres.create_empty()
        self.database = CutDatabase(self.url)
        return SQLStore(self.database, reactor)

    def connection(self) -> Any:
        """Return the connection of the writer."""
        return self.store._writer._db

    async def test_a_commit_that_was_cut_off_is_found_out(self) -> None:  # H23
        ann = await self.account("Ann")
        for cut, stored in (("before", False), ("after", True)):
            self.database.cut = cut
            pending = self.append(self.lobby, message(cut), ann, f"txn {cut}")
            known = self.store.register(cut, cut, None, None, 1)
            if stored:
                await known
                self.assertIsNone(pending.error)
            else:
                await self.assertFailure(known, NotStored)
                self.assertIsInstance(pending.error, NotStored)
            again = await self.send(cut, ann, f"txn {cut}")
            self.assertEqual(again.earlier is not None, stored)
        self.assertEqual(await self.texts(), ["before", "after"])

    async def test_a_connection_that_is_cut_off_while_that_is_found_out(self) -> None:
        ann = await self.account("Ann")
        self.patch(batch_writer, "RETRY_S", 0)
        node = self.database._node
        find_commits = node.find_commits
        cuts = [True, False, True, False]

        def cut_off(db: Any) -> int:
            found = find_commits(db)
            if cuts and cuts.pop():
                raise psycopg.OperationalError("the connection was cut off")
            return found

        self.patch(node, "find_commits", cut_off)
        self.database.cut = "after"
        self.assertIsNone((await self.send("after", ann)).error)
        self.assertEqual(cuts, [])
        self.assertEqual(await self.texts(), ["after"])

    async def test_connections_that_have_ended_are_replaced(self) -> None:
        ann = await self.account("Ann")
        await self.store.phones()
        postgres.server().execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE application_name = 'gtchat'"
        )
        self.assertIsNone((await self.send("one", ann)).error)
        self.assertEqual(await self.texts(), ["one"])
        self.assertTrue(self.store.healthy())

    async def test_the_index_is_looked_at_after_a_crash_whatever_connects_again(self) -> None:
        await self.send("words", await self.account("Ann"))
        await self.store.index_now()
        self.store._indexer._index_at = None  # nothing waits
        self.store._writer._disconnect()
        self.store._writer._connection()  # as a catch-up does
        self.assertTrue(self.store._indexer.has_waiting())

    async def test_a_program_that_writes_alone_has_to_wait_for_the_server(self) -> None:
        ann = await self.account("Ann")
        impatient = PostgresDatabase(f"{self.url}&options=-c%20lock_timeout%3D50ms")
        impatient.alone = True
        other = SQLStore(impatient, reactor)
        self.addCleanup(other.close)
        with self.assertRaisesRegex(StoreUnavailable, "another server uses it"):
            await deferToThread(other.load)
        # The lock of a server that was cut off is free: it is no node any more when it is back.
        terminate(self.connection())
        await deferToThread(other.load)
        await other.close()
        await self.lose("two", ann)
        self.assertIsNone((await self.send("three", ann)).error)
        self.assertEqual(await self.texts(), ["three"])

    async def test_a_database_that_has_lost_commits_is_loaded_anew(self) -> None:  # H44
        ann = await self.account("Ann")
        # More commits than those that did not wait for the disk, which may be lost.
        for loss in ("UPDATE commits SET n = n - 10", "DELETE FROM nodes"):
            self.change(loss)
            await self.lose(loss, ann)
            for _ in range(12):
                await self.send("one", ann)
        self.assertEqual(set(await self.texts()), {"one"})

    def change(self, sql: str) -> None:
        """Change the database behind the back of the store."""
        postgres.server().execute(sql, self.url.partition("@/")[2].partition("?")[0])

    async def lose(self, text: str, account: int) -> None:
        """Send a message that is not stored, since the node is lost; wait until it is back."""
        restored = Deferred[StoredState]()
        self.store.restored = restored.callback
        pending = self.append(self.lobby, message(text), account)
        await self.assertFailure(self.store.register(text, text, None, None, 1), NotStored)
        self.assertIsInstance(pending.error, NotStored)
        self.assertFalse(self.store.healthy())
        await restored


@cache
def to_kill() -> postgres.PostgresServer:
    """Return a server that tests may kill: the more databases one has, the later it is back."""
    server = postgres.PostgresServer()
    atexit.register(server.close)
    server.start()
    return server


class KillTests(LossCase, TestCase):
    """A real server that is killed."""

    timeout = 120
    if postgres.MISSING:
        skip = postgres.MISSING

    def open_store(self) -> SQLStore:
        name = f"chat{next(NUMBERS)}"
        to_kill().execute(f"CREATE DATABASE {name}")
        database = PostgresDatabase(to_kill().url(name))
        database.prepare()
        return SQLStore(database, reactor)

    async def kill_while_sending(self, kill: Any, start: Any = lambda: None) -> None:
        """Send messages, kill something meanwhile, repeat what failed, and look at the log.

        Args:
            kill: called in a thread.
            start: called afterwards in this thread, whose end would end what it starts.
        """
        ann = await self.account("Ann")
        texts = [f"message {number}" for number in range(400)]
        waiting, killed, failed = list(texts), None, 0
        while waiting:
            batch, waiting = waiting[:20], waiting[20:]
            sent = [self.append(self.lobby, message(text), ann, f"txn {text}") for text in batch]
            if killed is None and len(waiting) < 300:
                killed = deferToThread(kill).addCallback(lambda _: start())
            try:
                await self.store.register(batch[0], batch[0], None, None, 1)
            except Exception:  # not stored, or taken already
                failed += 1
            refused = [text for text, one in zip(batch, sent, strict=True) if one.error is not None]
            waiting = refused + waiting
            if refused:
                # Not at once: the server, which starts again, needs the cores as well.
                await deferLater(reactor, RETRY_S)
        await killed
        self.assertEqual(sorted(await self.texts()), sorted(texts))

    async def test_a_process_of_a_connection_is_killed(self) -> None:
        db: Any = self.store._writer._db
        pid = db.info.backend_pid
        await self.kill_while_sending(lambda: os.kill(pid, signal.SIGKILL))

    async def test_the_server_is_killed(self) -> None:  # H22
        server = to_kill()
        await self.kill_while_sending(lambda: server.stop(signal.SIGKILL), server.start)
