"""Slices of logs that are removed on disk: each is whole, whatever happens between and in them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gtchat.chat.fold import RoomState
from gtchat.chat.moderation import Moderation, Mute, Role, RoomBan
from gtchat.chat.moderation_events import RoleChanged
from gtchat.chat.retention import Keep, Retention
from gtchat.store import SQLStore, export, import_chat
from gtchat.store.sql import retention, snapshots, undelivered
from gtchat.store.sql.consistency import find_contradictions
from gtchat.store.sql.sqlite import configure_writer, connect
from tests.databases import create_empty
from tests.store.contract import joined, left, message
from tests.store.retention_contract import HOUR, RetentionCase
from tests.store.sql.flaky import Disk


class Slices(RetentionCase, TestCase):
    """A room of Ann with 10 messages of each of three members, who come and go."""

    def open_store(self) -> SQLStore:
        self.patch(retention, "SLICE", 3)
        self.patch(retention, "LOGS", 2)
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "gtchat.sqlite"
        create_empty(self.path)
        self.disk = Disk(self.path)
        return self.disk.open()

    async def fill(self) -> None:
        await self.prepare()
        zoe = await self.account("Zoe")
        for number in range(5):
            await self.stored(self.room_id, joined("Zoe"), zoe)
            await self.say(f"@Bob text {number}", zoe, usr="Zoe")
            await self.stored(self.room_id, left("Zoe"), zoe)
        await self.store.index_now()

    def contradictions(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as db:
            integrity = [row[0] for row in db.execute("PRAGMA integrity_check")]
            return [*find_contradictions(db), *(row for row in integrity if row != "ok")]

    def left_over(self) -> dict[str, int]:
        """Return of each table how many rows are before the first entry that is kept."""
        tables = ("entries", "mentions", "reactions", "pins", "versions", "missed")
        with closing(sqlite3.connect(self.path)) as db:
            found = {
                table: db.execute(
                    f"SELECT count(*) FROM {table} JOIN heads USING (room_id) WHERE {table}.seq <"
                    " heads.first"
                ).fetchone()[0]
                for table in tables
            }
        return {table: count for table, count in found.items() if count}

    async def test_each_slice_leaves_a_whole_log(self) -> None:
        await self.fill()
        limits = Retention(HOUR + 2001, Keep(messages=2))
        cuts = []
        with closing(sqlite3.connect(self.path)) as db:
            while retention.cut(db, self.room_id, limits):
                db.commit()
                cuts.append((await self.bounds())[0])
                self.assertEqual((self.contradictions(), self.left_over()), ([], {}))
            db.commit()
        self.assertEqual(cuts, [4, 7, 10, 13, 15])
        self.assertEqual(await self.bounds(), (15, 19))
        self.assertEqual((self.contradictions(), self.left_over()), ([], {}))
        self.assertEqual(await self.find("text"), ["@Bob text 4", "@Bob text 3"])

    async def test_a_kill_at_any_step_leaves_a_whole_log(self) -> None:
        """A process that is killed leaves its files as they are: they are copied at each step."""
        await self.fill()
        await self.store.close()
        states: dict[bytes, tuple[int, list[str], dict[str, int]]] = {}
        original, number = self.path, count(1)

        def step(*_: object) -> None:
            files = [one for one in original.parent.iterdir() if one.suffix != ".sqlite-shm"]
            state = b"".join(one.read_bytes() for one in sorted(files))
            if state in states:
                return
            folder = original.parent.with_name(f"step {next(number)}")
            folder.mkdir()
            for one in files:
                shutil.copy(one, folder)
            self.path = folder / original.name
            with closing(sqlite3.connect(self.path)) as db:
                sql = "SELECT first FROM heads WHERE room_id = ?"
                first = db.execute(sql, (self.room_id,)).fetchone()[0]
            states[state] = (first, self.contradictions(), self.left_over())
            shutil.rmtree(folder)
            self.path = original

        with closing(connect(self.path, "rw")) as db:
            configure_writer(db)
            db.execute("PRAGMA cache_size = 5")  # so that pages are written before a commit
            db.set_trace_callback(step)
            for _ in range(6):
                db.execute("BEGIN IMMEDIATE")
                retention.cut(db, self.room_id, Retention(HOUR + 2001, Keep(messages=2)))
                db.execute("COMMIT")
        self.assertGreater(len(states), 12)
        self.assertEqual({first for first, *_ in states.values()}, {1, 4, 7, 10, 13, 15})
        self.assertEqual([one for one in states.values() if one[1:] != ([], {})], [])

    async def test_a_slice_is_done_as_a_whole_or_not_at_all(self) -> None:
        await self.fill()
        statements = (
            *("UPDATE rooms", "UPDATE heads", "DELETE FROM entries", "DELETE FROM mentions"),
            *("INSERT INTO message_index (message_index", "COMMIT"),
        )
        for statement in statements:
            before = (await self.bounds())[0]
            self.disk.fail(statement, "disk I/O error")
            limits = Retention(HOUR + 2001, Keep(messages=2))
            with closing(self.disk.connect(self.path, "rw", 5)) as db:
                db.execute("BEGIN IMMEDIATE")
                with self.assertRaises(sqlite3.OperationalError):
                    retention.cut(db, self.room_id, limits)
                    db.execute("COMMIT")
            self.disk.faults.clear()
            self.assertEqual((await self.bounds())[0], before, statement)
            self.assertEqual((self.contradictions(), self.left_over()), ([], {}))

    async def test_the_lobby_keeps_the_roles_that_were_given_before_its_log(self) -> None:
        await self.fill()
        role = RoleChanged(room_name="lobby", usr="Ann", role="voice", by="Host", at=1000)
        await self.stored(self.lobby, role, self.ann)
        await self.stored(self.lobby, message("on"))
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(self.lobby), (2, 2))
        self.assertEqual(self.contradictions(), [])
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("UPDATE rooms SET base_state = NULL WHERE key = 'lobby'")
        self.assertEqual(len(self.contradictions()), 1)

    async def test_the_log_says_how_much_was_removed(self) -> None:
        await self.fill()
        with capturedLogs() as found:
            await self.remove(messages=2)
            await self.remove(messages=2)
        lines = [formatEvent(event) for event in found if "count" in event]
        self.assertEqual(lines, ["removed 14 old entries of logs"])

    async def test_a_fault_ends_nothing_for_good(self) -> None:
        await self.fill()
        self.disk.fail("UPDATE heads SET first", "disk I/O error")
        limits = Retention(HOUR + 2001, Keep(messages=2))
        await self.store.prune(0, 0, 0, retention=limits)
        await self.store.flush()
        self.assertEqual((await self.bounds())[0], 1)
        self.disk.faults.clear()
        await self.remove(messages=2)
        self.assertEqual(await self.bounds(), (15, 19))
        self.assertEqual(self.contradictions(), [])

    async def test_what_a_stop_leaves_is_removed_after_the_next_start(self) -> None:
        await self.fill()
        limits = Retention(HOUR + 2001, Keep(messages=2))
        release = self.disk.hold("DELETE FROM entries")
        pruned = self.store.prune(0, 0, 0, retention=limits)
        closed = self.store.close()
        release()
        await pruned
        await closed
        self.assertEqual(self.contradictions(), [])
        self.store = self.disk.open()
        self.store.load()
        await self.remove(messages=2)
        self.assertEqual(await self.bounds(), (15, 19))
        self.assertEqual(self.contradictions(), [])

    async def test_an_export_has_what_the_room_was_before_its_log(self) -> None:
        await self.fill()
        await self.remove(messages=2)
        file, target = self.path.with_name("export"), self.path.with_name("imported.sqlite")
        export(self.path, file)
        done = import_chat(file, target, self.path.parent)
        self.assertEqual(done.verified.contradictions, ())
        with closing(sqlite3.connect(target)) as db:
            sql = "SELECT base_seq, base_state LIKE '%plants%' FROM rooms WHERE id = ?"
            self.assertEqual(db.execute(sql, (self.room_id,)).fetchone(), (14, 1))
            db.execute("UPDATE rooms SET base_state = replace(base_state, 'plants', 'x')")
            self.assertEqual(len(find_contradictions(db)), 1)

    async def test_a_look_goes_on_where_the_last_one_has_ended(self) -> None:
        """Of more logs than a look gets to in its time, each has its turn."""
        await self.prepare()
        names = [f"Room {number}" for number in range(6)]
        logs = [self.room_id, *[await self.room(self.ann, name) for name in names]]
        cuts, limits = retention.LogCuts(), Retention(3 * HOUR, Keep(days=1 / 24))
        looked_at: list[int] = []

        def cut(db: object, room_id: int, limits: Retention) -> int:
            looked_at.append(room_id)
            return 0

        self.patch(retention, "cut", cut)
        with closing(sqlite3.connect(self.path)) as db:

            def look(most: int) -> list[int]:
                """Look at some logs, or all of them; return which."""
                looked_at.clear()
                while cuts.has_work() and len(looked_at) < most:
                    cuts.do_slice(db)
                return looked_at

            cuts.begin(limits)
            self.assertEqual(look(3), logs[:3])
            cuts.begin(limits)
            self.assertEqual(look(3), logs[3:6])
            cuts.end()
            self.assertEqual(look(3), [])
            cuts.begin(limits)  # two at a time are looked at
            self.assertEqual(look(99)[:7], [*logs[6:], *logs[:6]])
            cuts.begin(limits)
            self.assertEqual(look(99), logs)

    async def test_only_rooms_with_limits_are_looked_at_without_one_of_the_server(self) -> None:
        await self.fill()
        statement = retention._LIMITED_LOGS
        values = {**statement.constants, "after": 0, "limit": 9}
        with closing(sqlite3.connect(self.path)) as db:
            plan = db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values).fetchall()
        steps = " / ".join(step[3] for step in plan)
        self.assertIn("rooms_keep", steps)
        self.assertNotIn("SCAN entries", steps)
        self.assertNotIn("TEMP B-TREE", steps)

    async def test_the_statements_that_delete_use_indexes(self) -> None:
        await self.fill()
        with closing(sqlite3.connect(self.path)) as db:
            for statement in (*retention._DELETES, undelivered._FORGET_MISSED):
                values = {"room": 1, "first": 5, "seq": 5}
                plan = db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values).fetchall()
                [step] = [step[3] for step in plan]
                self.assertRegex(step, r"^SEARCH .*\(room_id=\? AND seq[<=]\?\)")

    async def test_a_log_that_was_shortened_by_hand_is_not_compared(self) -> None:
        await self.fill()
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("DELETE FROM entries WHERE room_id = ? AND seq < 4", (self.room_id,))
            db.execute("UPDATE heads SET first = 4 WHERE room_id = ?", (self.room_id,))
        self.assertEqual(len(self.contradictions()), 2)  # the migration notes it
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute("UPDATE rooms SET base_seq = 3 WHERE id = ?", (self.room_id,))
        self.assertEqual(self.contradictions(), [])
        await self.remove(messages=1)
        self.assertEqual(self.contradictions(), [])
        self.assertEqual((await self.bounds())[0], 18)


class Snapshots(SynchronousTestCase):
    """`snapshots`: what a room was, as text."""

    def test_a_state_is_the_same_but_for_names_of_accounts(self) -> None:
        state = RoomState(public=False, topic="x", max=5, owner_id=1, owner="Ann", preview=True)
        state.creator_id, state.keep = 2, Keep(3, 4)
        for member in ((1, "Ann", True), (-7, "Gus", False), (9, "Hal", False)):
            state.add_member(*member)
        mute = Mute("Bob", "Ann", "why", 1, 0)
        state.moderation = Moderation(
            moderated=True,
            slow=30,
            roles={1: Role("Ann", "voice")},
            mutes={5: mute},
            bans={"#5": RoomBan("Bob", "Ann", "", 1, 2, 5), "x*": RoomBan("x*", "Ann", "", 1, 2)},
        )
        text = snapshots.encode(state)
        self.assertNotIn("Bob", text)
        self.assertNotIn("Hal", text)
        found = snapshots.decode(9, text, False)
        assert found is not None
        self.assertEqual(snapshots.encode(found), text)
        self.assertEqual(found.settings.owner, "")
        self.assertEqual(found.members, {1: "", -7: "Gus", 9: ""})
        self.assertEqual(found.guests, {-7, 9})
        self.assertEqual(found.moderation.bans["x*"].name, "x*")
        self.assertEqual(found.keep, Keep(3, 4))

    def test_an_owner_without_an_account_has_a_name(self) -> None:
        found = snapshots.decode(1, snapshots.encode(RoomState(owner_id=-3, owner="Gus")), False)
        assert found is not None
        self.assertEqual((found.owner_id, found.owner), (-3, "Gus"))

    def test_what_is_not_known(self) -> None:
        cases: tuple[tuple[Any, bool], ...] = (((0, None, False), True), ((3, None, True), True))
        for arguments, is_known in (*cases, ((3, None, False), False)):
            self.assertIs(snapshots.decode(*arguments) is not None, is_known, arguments)
