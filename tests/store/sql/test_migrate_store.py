"""A chat that moves from SQLite to PostgreSQL: all of it, or nothing, and it goes on there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gtchat.chat.audit import AT_CONSOLE, audit_record
from gtchat.chat.ban_records import Ban
from gtchat.chat.deletion_rules import Erasure
from gtchat.chat.events import (
    Edited,
    Invited,
    Joined,
    MessageChange,
    Pinned,
    Reacted,
    WhisperSent,
)
from gtchat.chat.export_store import StoredExportLink
from gtchat.chat.interfaces import (
    ChangeLimits,
    InvitationLimits,
    NewDevice,
    PendingMessageChange,
    PendingWhisper,
    WhisperLimits,
)
from gtchat.chat.invite_store import InviteLimits, NewInviteLink
from gtchat.chat.moderation_events import Muted
from gtchat.chat.profile_store import Profile
from gtchat.store import SQLStore, StoreError
from gtchat.store.sql import consistency
from gtchat.store.sql.consistency import find_contradictions, sample_contradictions
from gtchat.store.sql.schema import SQLITE_REVISIONS
from tests import postgres
from tests.databases import create_empty
from tests.store.contract import NETWORK, StoreCase, joined, message, new_session, room_changed
from tests.store.reports_contract import MADE, NO_LIMITS, RECORD, REPORT
from tests.store.sql.test_postgres_migration import old_chat

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql.migrate_store import TABLES, Migrated, migrate_store
    from gtchat.store.sql.postgres import PostgresDatabase

TOKEN = b"t" * 32
#: A log of a room that is deleted, which the server has not deleted yet.
LEFT = """
INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg)
    VALUES (999, 7, 1, 'speak', 0, 'Ann', 'left');
INSERT INTO pending_deletes VALUES (999);
"""


class ChatCase(StoreCase):
    """A chat in a file that has rows of every kind.

    Attributes:
        path: the file.
        ids: name -> account.
        room_id: Garden. 1 created, 2 Bob joins, 3 the guest Gus joins, 4 Bob owns it, 5 and 6
            messages, 7 to 9 changes of 5.
        shed: the room with the highest id, which was deleted.
        ended: the account with the highest id, which has ended.
    """

    def open_store(self) -> SQLStore:
        self.path = Path(self.mktemp()) / "gtchat.sqlite"
        self.path.parent.mkdir()
        create_empty(self.path)
        return SQLStore.open(self.path, reactor)

    async def change(self, entry: MessageChange, usr: str) -> None:
        """Store a change of a message."""
        entry.subject_id = self.ids[usr]
        pending = PendingMessageChange(
            room_id=self.room_id,
            entry=entry,
            sender_id=self.ids[usr],
            is_moderator=True,
            limits=ChangeLimits(keep_versions=True),
        )
        self.store.append(pending)
        await self.store.flush()
        self.assertIsNone(pending.error)

    async def fill(self) -> None:
        """Fill the file, and close it."""
        store = self.store
        self.ids = ids = {name: await self.account(name) for name in ("Ann", "Bob", "Zoe")}
        ids["Gus"] = await store.login_guest("Gus", "gus", new_session(b"g" * 32))
        ids["Uma"] = await store.register("Uma", "uma", None, b"u" * 32, 1, NETWORK)
        ids["Pia"] = await store.register_phone("Pia", "pia", "111", b"p" * 32, 1)
        device = NewDevice("laptop", "Laptop", b"T" * 32)
        await store.login(ids["Ann"], "hash", new_session(TOKEN, device=device, address=NETWORK))
        self.room_id = room = await self.room(ids["Ann"])
        await self.stored(room, joined("Bob"), ids["Bob"])
        guest = Joined(room_name="Garden", usr="Gus", at=950, guest=True)
        await self.stored(room, guest, ids["Gus"])
        await self.stored(room, room_changed(owner="Bob"), ids["Bob"])
        await self.stored(room, message("tea \u2615 \\N\t\n@Bob"), ids["Ann"], "txn")
        await self.stored(room, message("second"), ids["Ann"])
        where = {"room_name": "Garden", "of": 5, "at": 2000}
        await self.change(Edited(usr="Ann", msg="green @Bob", **where), "Ann")
        await self.change(Reacted(usr="Bob", emoji="\u2615", on=True, **where), "Bob")
        await self.change(Pinned(usr="Bob", **where), "Bob")
        await store.set_notify(ids["Bob"], room, "mentions")
        invited = Invited(room_name="Garden", usr="Ann", msg="", at=5)
        await store.invite(room, ids["Zoe"], ids["Ann"], invited, False, InvitationLimits())
        link = NewInviteLink(
            token_hash=b"i" * 32, maker_id=ids["Ann"], at=1, expires_at=9, uses=1, rooms=(room,)
        )
        made = audit_record("invite_link", 9, by="Ann", uses="1 use", days="1 day")
        await store.add_invite_link(link, InviteLimits(), made)
        await store.add_report(REPORT, MADE, NO_LIMITS, RECORD)
        await store.block(ids["Ann"], ids["Uma"], True)
        sent = WhisperSent(usr="Ann", msg="psst", id="w", at=1000, subject_id=ids["Ann"])
        whisper = PendingWhisper(entry=sent, sender_id=ids["Ann"], target_id=ids["Bob"])
        await store.whisper(whisper, WhisperLimits())
        await store.add_missed(ids["Bob"], room, 6, 0)
        await self.stored(self.lobby, message("slow"), ids["Bob"], slow=5)
        muted = Muted(room_name="lobby", usr="Bob", by="Host", at=9)
        await self.stored(self.lobby, muted, ids["Bob"])
        ids["Rob"] = rob = await self.account("Rob")
        await self.room(rob, "Cellar")
        renamed = audit_record("account_renamed", 9, AT_CONSOLE, name="Rob", new_name="Robert")
        await store.rename(rob, "Rob", "Robert", "robert", 9, renamed)
        await store.add_login_link(rob, b"l" * 32, 9, audit_record("login_link", 9, name="Robert"))
        await store.add_export_link(StoredExportLink(ids["Ann"], TOKEN), b"e" * 32, 9, 0)
        banned = Ban(0, "network", "192.0.2.0/24", None, "spam", "Zoe", 9, None)
        await store.add_ban(banned, 0, (), audit_record("ban_removed", 9, AT_CONSOLE, kind="x"))
        await store.set_profile(ids["Ann"], Profile("about", 240, True))
        gone = audit_record("account_deleted", 9, AT_CONSOLE, name="Ida")
        await store.begin_deletion(await self.account("Ida"), "hash", Erasure(), (), gone)
        self.shed = await self.room(ids["Ann"], "Shed")
        await store.delete_room(self.shed, 7)
        self.ended = await store.login_guest("Old", "old", new_session(b"o" * 32))
        await store.end_guest(self.ended)
        self.state = store.load()
        self.rooms = tuple(await store.load_rooms(range(1, 20)))
        await store.close()
        with closing(sqlite3.connect(self.path)) as db:
            db.executescript(LEFT)

    def execute(self, sql: str, *values: object) -> None:
        """Change the file. Garden is :room."""
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(sql.replace(":room", str(getattr(self, "room_id", 0))), values)


class ConsistencyTests(ChatCase, TestCase):
    async def test_what_a_log_does_not_say_is_found(self) -> None:
        for name in ("_ROOMS_PAGE", "_PAGE"):
            self.patch(consistency, name, 1)
        await self.fill()
        log, state = ("has other entries than it says",), ("the members and settings of its log",)
        for sql, found in (
            ("SELECT 1", ()),
            ("DELETE FROM members WHERE account_id = 2", state),
            ("UPDATE members SET joined_seq = 9 WHERE account_id = 2", state),
            ("UPDATE accounts SET registered = 1 WHERE id = 4", state),
            ("UPDATE rooms SET topic = 'other' WHERE id = :room", state),
            ("UPDATE rooms SET owner_id = 1 WHERE id = :room", state),
            ("UPDATE rooms SET creator_id = 2 WHERE id = :room", state),
            ("UPDATE heads SET seq = 10 WHERE room_id = :room", log),
            ("UPDATE heads SET messages = 3 WHERE room_id = :room", log),
            ("UPDATE heads SET first = 2 WHERE room_id = :room", log),
            ("DELETE FROM heads WHERE room_id = :room", log),
            ("DELETE FROM entries WHERE room_id = :room AND seq = 6", log),
            ("DELETE FROM entries WHERE room_id = :room AND seq = 2", log + state),
            ("DELETE FROM entries WHERE room_id = :room", log + state),
        ):
            with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
                db.execute("BEGIN")
                db.execute(sql.replace(":room", str(self.room_id)))
                lines = find_contradictions(db)
                self.assertEqual(sample_contradictions(db, 100), lines)
                self.assertLessEqual(len(sample_contradictions(db, 1)), len(lines))
            self.assertEqual(len(lines), len(found), (sql, lines))
            for line, text in zip(lines, found, strict=True):
                self.assertIn("'Garden'", line)
                self.assertIn(text, line)

    async def test_the_moderation_of_the_lobby_is_compared(self) -> None:
        await self.fill()
        with closing(sqlite3.connect(self.path)) as db:
            self.assertEqual(find_contradictions(db), [])
            for stored in (None, '{"slow": 5}'):
                db.execute("UPDATE rooms SET moderation = ? WHERE key = 'lobby'", (stored,))
                [line] = find_contradictions(db)
                self.assertIn("'lobby'", line)
                self.assertIn("the members and settings of its log", line)
                self.assertEqual(sample_contradictions(db, 100), [line])

    async def test_a_log_whose_oldest_entries_were_deleted_is_not_folded(self) -> None:
        await self.fill()
        for kept in (3, 10):
            self.execute("UPDATE heads SET first = ? WHERE room_id = :room", kept)
            self.execute("DELETE FROM entries WHERE room_id = :room AND seq < ?", kept)
            self.execute("UPDATE rooms SET base_seq = ? WHERE id = :room", kept - 1)
            with closing(sqlite3.connect(self.path)) as db:
                self.assertEqual(find_contradictions(db), [])


class MigrateCase(ChatCase):
    if postgres.MISSING:
        skip = postgres.MISSING

    def migrate(self, progress: Callable[[int, int], None] | None = None) -> Migrated:
        return migrate_store(self.path, PostgresDatabase(self.url), progress)

    def refused(self, progress: Callable[[int, int], None] | None = None) -> str:
        """Return why a chat is not copied."""
        error = str(self.assertRaises(StoreError, self.migrate, progress))
        self.assertNotIn("\n", error)
        return error

    def rows(self, db: Any) -> dict[str, list[Any]]:
        """Return the rows of each table that is copied, without those of PostgreSQL's own."""
        found = {}
        for table in TABLES:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            rows = db.execute(f"SELECT {names} FROM {table.name}").fetchall()
            plain = [tuple(int(v) if v is True or v is False else v for v in row) for row in rows]
            if table.name == "heads":  # of logs that have no entries
                plain = [row for row in plain if row[1]]
            found[table.name] = sorted((r for r in plain if r[0] != "min_program"), key=repr)
        return found

    def old_rows(self) -> dict[str, list[Any]]:
        with closing(sqlite3.connect(self.path)) as db:
            return self.rows(db)

    def new_rows(self) -> dict[str, list[Any]]:
        with psycopg.connect(self.url) as db:
            return self.rows(db)

    def assertNothingCopied(self) -> None:
        self.assertEqual({name for name, rows in self.new_rows().items() if rows}, set())

    def change_target(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(sql)


class MigrateTests(MigrateCase, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.url = postgres.empty()

    async def test_everything_is_copied_and_goes_on(self) -> None:
        await self.fill()
        reports: list[tuple[int, int]] = []
        done = self.migrate(lambda *report: reports.append(report))
        old, new = self.old_rows(), self.new_rows()
        for name, rows in old.items():
            self.assertTrue(rows, name)
            self.assertEqual(new[name], rows, name)
        total = sum(map(len, old.values()))
        self.assertEqual(done, Migrated(total, 0, ()))
        compared = len(old["rooms"]) + len(old["members"])
        self.assertEqual(reports[-1], (total + compared,) * 2)
        self.assertIn((total, total + compared), reports)
        self.assertTrue(all(one <= other for one, other in pairwise(reports)))

        self.store = SQLStore(PostgresDatabase(self.url), reactor)
        state = self.store.load()
        self.assertEqual((state.epoch, state.rooms), (self.state.epoch, self.state.rooms))
        self.assertEqual(tuple(await self.load_rooms(range(1, 20))), self.rooms)
        resumed = await self.store.resume(TOKEN, 9, 0, {self.room_id: 5}, 50, 500, NETWORK)
        missed = resumed.missed[self.room_id]
        self.assertEqual([one.seq for one in missed.entries], [6, 7, 8, 9])
        self.assertEqual((resumed.epoch, missed.reset), (None, ""))
        self.assertEqual(await self.account("Eve"), self.ended + 1)
        again = self.append(self.room_id, message("tea \u2615 \\N\t\n@Bob"), self.ids["Ann"], "txn")
        third = await self.stored(self.room_id, message("third"), self.ids["Ann"])
        assert again.earlier is not None
        self.assertEqual((again.earlier.seq, third.entry.seq), (5, 10))
        self.assertGreater(await self.room(self.ids["Ann"], "Shed"), self.shed)
        await self.store.close()
        self.assertIn("has a chat already: name an empty database", self.refused())

    async def test_nul_is_replaced_and_contradictions_of_the_file_are_copied(self) -> None:
        await self.fill()
        self.execute("UPDATE entries SET msg = ? WHERE room_id = :room AND seq = 6", "a\0\0b")
        self.execute("UPDATE rooms SET topic = 'other', owner = ? WHERE id = :room", "B\0b")
        done = self.migrate()
        self.assertEqual(done.replaced, 2)
        self.assertEqual(len(done.contradictions), 1)
        texts = [row[9] for row in self.new_rows()["entries"]]
        self.assertIn("a\ufffd\ufffdb", texts)


class RefusedTests(MigrateCase, TestCase):
    """Copies that are refused or interrupted: the target stays empty, the file as it is."""

    def setUp(self) -> None:
        super().setUp()
        self.url = postgres.create_empty()

    async def test_an_interrupted_copy_leaves_nothing(self) -> None:  # H46
        await self.fill()
        before = self.old_rows()

        def killed(done: int, total: int) -> None:
            if done == total:
                postgres.server().execute(
                    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname ="
                    f" '{self.url.split('/')[3].split('?')[0]}' AND pid <> pg_backend_pid()"
                )

        def interrupted(done: int, total: int) -> None:
            if done > total // 2:
                raise KeyboardInterrupt

        self.assertIn("can't be used", self.refused(killed))
        self.assertNothingCopied()
        self.assertRaises(KeyboardInterrupt, self.migrate, interrupted)
        self.assertNothingCopied()
        self.assertEqual(self.old_rows(), before)
        self.migrate()
        self.assertEqual(self.new_rows(), before)

    async def test_a_copy_that_differs_is_taken_back(self) -> None:
        await self.fill()
        for table, condition, body, text in (
            ("entries", "NEW.seq = 6", "RETURN NULL", "rows in entries, not"),
            ("members", "NEW.account_id = 2", "NEW.joined_seq = 9; RETURN NEW", "of its log"),
            ("heads", "NEW.seq = 9", "NEW.messages = 9; RETURN NEW", "than it says"),
        ):
            self.change_target(
                f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF {condition} THEN {body}; END IF; RETURN NEW; END $$;"
                f" CREATE TRIGGER spoil BEFORE INSERT ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION spoil()"
            )
            self.assertIn(text, self.refused())
            self.assertNothingCopied()
            self.change_target("DROP FUNCTION spoil CASCADE")

    async def test_a_chat_of_an_older_version_is_not_migrated(self) -> None:
        await self.store.close()
        self.url = old_chat()
        self.assertIn("has a chat already", self.refused())
        with psycopg.connect(self.url) as db:
            revision = db.execute("SELECT version_num FROM alembic_version").fetchone()
        self.assertEqual(revision, ("0012",))

    async def test_databases_that_are_not_fit(self) -> None:
        await self.store.close()
        good = self.url
        impatient = f"{good}&options={quote('-c lock_timeout=10ms')}"
        other = self.path.with_name("other")
        other.write_text("no database" * 20)
        newest = f"UPDATE alembic_version SET version_num = '{SQLITE_REVISIONS[-1]}'"
        for change, path, url, text in (
            ("UPDATE alembic_version SET version_num = '0011'", self.path, good, "server with it"),
            ("UPDATE alembic_version SET version_num = '9'", self.path, good, "a newer version"),
            (newest, other, good, "not a database"),
            ("SELECT 1", self.path.with_name("none"), good, "is not a file"),
            ("SELECT 1", self.path, "postgresql://gtchat:secret@127.0.0.1:1/x", "can't be used"),
            ("SELECT 1", self.path, impatient, "another server uses it: stop that one"),
        ):
            self.execute(change)
            database = PostgresDatabase(good)
            with closing(database.open_writer()) if url is impatient else nullcontext():
                error = str(
                    self.assertRaises(StoreError, migrate_store, path, PostgresDatabase(url))
                )
            self.assertIn(text, error)
            self.assertNotIn("secret", error)
            self.assertNotIn("\n", error)
            self.assertNothingCopied()
        self.change_target("INSERT INTO starts (at, entries_mark) VALUES (1, 0)")
        self.assertIn("has a chat already", self.refused())
