"""What a node loads beside others, and what it leaves to them."""

from __future__ import annotations

from typing import Any

from tests import postgres
from tests.store.sql.test_heartbeat import EXPIRE, ExpiryCase

if postgres.MISSING is None:
    import psycopg

    from gtchat.store.sql import expiry, failures, room_records, rooms
    from gtchat.store.sql.nodes import NodeExpired


class LoadCase(ExpiryCase):
    """Nodes of which none has loaded the chat."""

    def setUp(self) -> None:
        super().setUp()
        self.change("UPDATE nodes SET loaded = false")

    def load(self, node: int = 0, at: int = 1000) -> Any:
        """Let a node load at a time; return the state."""
        database, db = self.nodes[node], self.writers[node]
        database.begin_load(db)
        state = rooms.load(db, "epoch", at, self.ids[node])
        database.commit(db)
        return state

    def starts(self) -> list[int]:
        """Return the times of the starts of the chat."""
        return [at for (at,) in self.rows("SELECT at FROM starts ORDER BY id")]


class LoadTests(LoadCase):
    def test_a_second_start_is_no_new_start(self) -> None:
        first = self.load(0, 1000)
        second = self.load(1, 2000)
        self.assertEqual(self.starts(), [1000])
        self.assertEqual((first.epoch, first.rooms), (second.epoch, second.rooms))

    def test_a_start_is_new_when_no_other_node_lives(self) -> None:
        self.load(0, 1000)
        self.change(EXPIRE, "one")
        self.load(1, 2000)
        self.assertEqual(self.starts(), [1000, 2000])

    def test_a_node_that_has_expired_stores_nothing_after_a_start(self) -> None:
        self.load(0, 1000)
        self.change(EXPIRE, "one")
        begin = self.nodes[0].begin
        begin(self.writers[0])
        self.nodes[0].commit(self.writers[0])  # it has not noticed yet, nor another node
        self.load(1, 2000)
        self.assertRaises(NodeExpired, begin, self.writers[0])
        self.assertEqual(self.names(), ["one", "two"])

    def test_a_node_that_was_prolonged_meanwhile_is_not_ended(self) -> None:
        self.load(0, 1000)
        self.change(EXPIRE, "one")
        self.nodes[1].begin_load(self.writers[1])
        self.writers[1].execute("SELECT 1")
        self.change("UPDATE nodes SET expires = 'infinity' WHERE name = 'one'")
        load = rooms.load
        changed = psycopg.errors.SerializationFailure
        self.assertRaises(changed, load, self.writers[1], "epoch", 2000, self.ids[1])
        self.writers[1].execute("ROLLBACK")
        self.load(1, 3000)
        self.assertEqual(self.starts(), [1000])

    def test_nodes_that_start_together_are_one_start(self) -> None:
        self.nodes[0].begin_load(self.writers[0])
        rooms.load(self.writers[0], "epoch", 1000, self.ids[0])
        begin = self.nodes[1].begin_load
        self.assertRaises(psycopg.errors.LockNotAvailable, begin, self.writers[1])
        self.nodes[0].commit(self.writers[0])
        self.load(1, 2000)
        self.assertEqual(self.starts(), [1000])

    def test_a_node_whose_load_takes_long_lives_on(self) -> None:
        ended: list[int | None] = []

        def slow(db: Any) -> Any:
            # As late as the transaction may be, and later: by PostgreSQL's clock it has expired.
            db.execute(EXPIRE, ("one",))
            with self.nodes[1].open_expiry() as other:
                ended.append(expiry.expire(other, self.ids[0], self.ids[1], 500, forced=True))
            return lobby(db)

        lobby = room_records.lobby
        self.patch(room_records, "lobby", slow)
        self.load()
        self.assertEqual((ended, self.names()), ([None], ["one", "two"]))
        self.assertTrue(self.heart(0).beat())

    def test_a_node_that_has_waited_long_to_load_lives_on(self) -> None:
        self.change(EXPIRE, "one")
        self.load()
        self.assertTrue(self.heart(0).beat())

    def test_sessions_of_live_nodes_stay_connected(self) -> None:
        ann = self.account("Ann", registered=True)
        self.load(0)
        for node in (self.ids[0], self.ids[1], None):
            self.session(ann, node)
        self.session(ann, None, lost=5)
        self.load(1, 2000)
        mine = self.ids[1]
        self.assertEqual(
            self.sessions(), [(None, self.ids[0]), (2000, mine), (2000, mine), (5, None)]
        )

    def test_online_is_loaded(self) -> None:
        ann, bob, carl = map(self.account, ("Ann", "Bob", "Carl"))
        one, two = self.ids
        self.change(
            "INSERT INTO online VALUES (%s, %s), (%s, %s), (%s, %s)",
            *(one, ann, one, bob, two, carl),
        )
        self.assertEqual(
            self.load(1).online,
            ((ann, "Ann", frozenset({one})), (bob, "Bob", frozenset({one}))),
        )

    def test_guests_of_live_nodes_are_left_to_them(self) -> None:
        self.load(0)
        one, two = self.ids
        theirs, moved, seen, old, new, mine = map(
            self.account, ("Theirs", "Moved", "Seen", "Old", "New", "Mine")
        )
        at = 1_000_000
        self.session(theirs, one)
        self.session(moved, one)
        self.session(moved, None)
        self.session(mine, None, lost=5)
        self.change("INSERT INTO online VALUES (%s, %s)", one, seen)
        self.change("UPDATE accounts SET created_at = %s WHERE id = %s", at - 1000, new)
        guests = self.load(1, at).guests
        self.assertEqual([guest.account.id for guest in guests], [old, mine])
        self.assertEqual([guest.resumable for guest in guests], [False, True])
        self.assertEqual(self.sessions()[-1], (5, two))

    def test_a_node_that_is_alone_waits_for_all_guests(self) -> None:
        bob, carl = self.account("Bob"), self.account("Carl")
        self.session(bob, None)
        self.change("UPDATE accounts SET created_at = 5000")
        guests = self.load(0).guests
        self.assertEqual([guest.account.id for guest in guests], [bob, carl])

    def test_the_log_of_the_lobby_can_be_locked(self) -> None:
        self.load(0)
        heads = "SELECT seq, messages, first FROM heads JOIN rooms ON id = room_id"
        self.assertEqual(self.rows(heads), [(0, 0, 1)])


class CleanupTests(LoadCase):
    """What nodes delete by turns."""

    def cleanup(self, **work: Any) -> Any:
        """Return a cleanup with work to do, after one slice."""
        return self.slice(rooms.Cleanup(**work))

    def slice(self, cleanup: Any) -> Any:
        """Let a cleanup do a slice."""
        database, db = self.nodes[0], self.writers[0]
        database.begin(db)
        cleanup.do_slice(db)
        database.commit(db)
        return cleanup

    def logged(self) -> list[int]:
        return [seq for (seq,) in self.rows("SELECT seq FROM system_log ORDER BY seq")]

    def test_the_system_log_is_kept_for_an_hour_without_gaps(self) -> None:
        self.patch(rooms, "SLICE", 2)
        now = "extract(epoch FROM clock_timestamp()) * 1000"
        for seq, minutes in enumerate((90, 61, 50, 61, 80, 59, 59, 80), 1):
            self.change(
                "INSERT INTO system_log (seq, node_id, at, kind, body)"
                f" VALUES (%s, 1, {now} - %s * 60000, 'epoch', '')",
                seq,
                minutes,
            )
        cleanup = self.cleanup(system_log=True)
        self.assertEqual((self.logged(), cleanup.has_work()), ([3, 4, 5, 6, 7, 8], True))
        self.slice(self.slice(cleanup))
        # A slice does not look at the rows behind it: there are a million of them.
        self.assertEqual((self.logged(), cleanup.has_work()), ([6, 7, 8], False))

    def test_counts_of_wrong_guesses_are_kept_for_an_hour(self) -> None:
        self.patch(rooms, "SLICE", 2)
        self.patch(failures, "MAX_ROWS", 2)
        now = "extract(epoch FROM clock_timestamp()) * 1000"
        minutes = ((90, 70), (90, 10), (30, 61), (20, 90), (10, -1), (65, 65))
        for number, (at, until) in enumerate(minutes):
            self.change(
                "INSERT INTO login_failures (key, address, failures, until, at)"
                f" VALUES (%s, '', 1, {now} - %s * 60000, {now} - %s * 60000)",
                str(number),
                until,
                at,
            )
        cleanup = self.cleanup(failures=True)
        self.assertTrue(cleanup.has_work())
        while cleanup.has_work():
            self.slice(cleanup)
        kept = self.rows("SELECT key FROM login_failures ORDER BY key")
        self.assertEqual(kept, [("3",), ("4",)])

    def test_one_node_at_a_time_deletes(self) -> None:
        self.change("INSERT INTO pending_deletes VALUES (7)")
        with psycopg.connect(self.url) as other:
            other.execute(rooms._TRY_CLEANUP)
            self.assertFalse(self.cleanup(pending_deletes=True).has_work())
        pending = "SELECT room_id FROM pending_deletes"
        self.assertEqual(self.rows(pending), [(7,)])
        self.cleanup(pending_deletes=True)
        self.assertEqual(self.rows(pending), [])

    def test_what_other_nodes_have_left_undone_is_looked_for(self) -> None:
        cleanup = rooms.Cleanup()
        database, db = self.nodes[0], self.writers[0]
        database.begin(db)
        cleanup.prune(db, 0, 0, 0)
        database.commit(db)
        self.assertTrue(cleanup.pending_deletes)
        self.assertTrue(cleanup.system_log)
        self.assertTrue(cleanup.failures)
