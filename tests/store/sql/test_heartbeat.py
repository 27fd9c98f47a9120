"""Nodes that expire: who ends them, what becomes of their sessions and guests, who is told."""

from __future__ import annotations

from threading import Thread
from types import SimpleNamespace
from typing import Any

from tests import postgres
from tests.store.sql.test_nodes import NodeCase

if postgres.MISSING is None:
    import psycopg

    from gtchat.chat.interfaces import Account, StoredGuest
    from gtchat.chat.node_records import NodeGone
    from gtchat.store.sql import expiry, heartbeat, system_log
    from gtchat.store.sql.heartbeat import BEAT_S, LIFE_S, RETRY_S, Heartbeat
    from gtchat.store.sql.node_clock import NodeClock
    from gtchat.store.sql.node_standing import NodeStanding
    from gtchat.store.sql.nodes import NodeExpired

EXPIRE = "UPDATE nodes SET expires = clock_timestamp() - interval '1 s' WHERE name = %s"
TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"
ACCOUNT = (
    "INSERT INTO accounts (name, key, registered, created_at, lobby_read_seq)"
    " VALUES (%s, %s, %s, 1, 0) RETURNING id"
)
SESSION = (
    "INSERT INTO sessions (token_hash, account_id, began_at, expires_from, device, node_id)"
    " VALUES (%s, %s, 1, %s, %s, %s)"
)


class ExpiryCase(NodeCase):
    """Nodes `one` to `three`, of which each has loaded the chat.

    Attributes:
        nodes: their databases.
        ids: their ids.
    """

    number = 2

    def setUp(self) -> None:
        super().setUp()
        # On a busy machine the next beat may be late.
        self.patch(heartbeat, "_PROLONG", heartbeat._PROLONG.replace(f"{LIFE_S} s", "1 hour"))
        self.nodes = [self.node(name) for name in ("one", "two", "three")[: self.number]]
        self.writers = [self.open(node) for node in self.nodes]
        self.ids = [node.node_id for node in self.nodes]
        self.change("UPDATE nodes SET loaded = true")
        self.lost: list[int] = []
        self.heard: list[int] = []

    def account(self, name: str, registered: bool = False) -> int:
        """Create an account, a guest by default; return its id."""
        return self.rows(ACCOUNT, name, name.lower(), registered)[0][0]

    def session(
        self, account: int, node: int | None, lost: int | None = None, **more: Any
    ) -> bytes:
        """Create a session; return its token hash. lost: since when it is not connected."""
        token = str(len(self.rows("SELECT FROM sessions"))).encode()
        self.change(SESSION, token, account, lost, more.get("device"), node)
        return token

    def sessions(self) -> list[tuple[Any, ...]]:
        """Return since when each session is not connected, and its node."""
        return self.rows("SELECT expires_from, node_id FROM sessions ORDER BY token_hash")

    def expire(self, gone: int = 0, me: int | None = 1, **options: Any) -> int | None:
        """Have a node end another one, at the time 500; return the entry that tells it."""
        with self.nodes[1].open_expiry() as db:
            node = None if me is None else self.ids[me]
            return expiry.expire(db, self.ids[gone], node, 500, **options)

    def told(self) -> list[tuple[int, Any]]:
        """Return the system log: for each entry its node and the record."""
        found = self.rows("SELECT node_id, kind, body FROM system_log ORDER BY seq")
        return [(node, system_log.decode(kind, body)) for node, kind, body in found]

    def heart(self, node: int, **more: Any) -> Any:
        """Return the heartbeat of a node, which beats when it is told to."""
        heart = Heartbeat(
            self.nodes[node],
            self.ids[node],
            lambda: self.lost.append(node),
            self.heard.append,
            **more,
        )
        self.addCleanup(heart._disconnect)
        return heart

    def beat(self, heart: Any) -> bool:
        """Let a heart beat once, and wait for what it does besides."""
        alive = heart.beat()
        if heart._ending is not None:
            heart._ending.join()
        return alive


class EndTests(ExpiryCase):
    """What the end of a node means."""

    def test_sessions_of_an_expired_node_can_be_resumed(self) -> None:  # H26
        ann = self.account("Ann", registered=True)
        self.change(
            "INSERT INTO devices (account_id, device, name, created_at, last_seen)"
            " VALUES (%s, 'd', '', 1, 1), (%s, 'e', '', 1, 1)",
            ann,
            ann,
        )
        self.session(ann, self.ids[0], device="d")
        self.session(ann, self.ids[0], lost=400)
        self.session(ann, self.ids[1], device="e")
        self.change(EXPIRE, "one")
        seq = self.expire()
        mine = self.ids[1]
        self.assertEqual(self.sessions(), [(500, mine), (400, mine), (None, mine)])
        seen = self.rows("SELECT device, last_seen FROM devices ORDER BY device")
        self.assertEqual(seen, [("d", 500), ("e", 1)])
        self.assertEqual(self.told(), [(mine, NodeGone(self.ids[0]))])
        self.assertEqual((self.names(), seq), (["two"], 1))

    def test_guests_go_to_the_node_that_expired_theirs(self) -> None:
        gone, mine = self.ids
        bob, carl, dora, eve, fred = map(self.account, ("Bob", "Carl", "Dora", "Eve", "Fred"))
        self.session(bob, gone, lost=400)
        self.session(dora, gone)
        self.session(dora, mine)
        self.session(fred, mine)
        self.change(
            "INSERT INTO online (node_id, account_id) VALUES (%s, %s), (%s, %s), (%s, %s)",
            *(gone, carl, gone, eve, mine, eve),
        )
        self.change("INSERT INTO account_networks VALUES (%s, '192.0.2.1', 1)", bob)
        self.change(EXPIRE, "one")
        self.expire()
        guests = (
            StoredGuest(Account(bob, "Bob", "bob", False), "192.0.2.1", True),
            StoredGuest(Account(carl, "Carl", "carl", False), "", False),
        )
        self.assertEqual(self.told(), [(mine, NodeGone(gone, guests))])
        self.assertEqual(self.rows("SELECT node_id, account_id FROM online"), [(mine, eve)])

    def test_a_node_that_lives_is_not_ended(self) -> None:
        self.assertIsNone(self.expire())
        self.assertEqual((self.names(), self.told()), (["one", "two"], []))

    def test_a_node_that_leaves_ends_itself(self) -> None:
        self.session(self.account("Bob"), self.ids[0])
        self.nodes[0].leave(self.writers[0])
        self.assertEqual(self.names(), ["two"])
        [(node, entry)] = self.told()
        self.assertEqual((node, len(entry.guests)), (self.ids[1], 1))
        self.assertEqual([node for _, node in self.sessions()], [self.ids[1]])

    def test_the_last_node_leaves_its_sessions_to_the_next_start(self) -> None:
        self.session(self.account("Bob"), self.ids[0])
        self.change("DELETE FROM nodes WHERE name = 'two'")
        self.nodes[0].leave(self.writers[0])
        self.assertEqual((self.names(), self.told()), ([], []))
        self.assertEqual(self.sessions(), [(None, None)])

    def test_an_expired_node_commits_nothing(self) -> None:  # H42
        self.change(EXPIRE, "one")
        self.expire()
        self.assertRaises(NodeExpired, self.nodes[0].begin, self.writers[0])
        self.assertRaises(NodeExpired, self.nodes[0].was_committed)

    def test_a_batch_of_the_expired_node_is_waited_for(self) -> None:
        ann = self.account("Ann", registered=True)
        self.nodes[0].begin(self.writers[0])
        # A session that has moved to the node refers to its row.
        self.writers[0].execute(SESSION, (b"t", ann, None, None, self.ids[0]))
        self.change(EXPIRE, "one")
        seqs: list[int | None] = []
        thread = Thread(target=lambda: seqs.append(self.expire()))
        thread.start()
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
        while not self.rows(waiting):
            self.assertTrue(thread.is_alive())
        self.nodes[0].commit(self.writers[0])
        thread.join()
        self.assertEqual((seqs, self.sessions()), ([1], [(500, self.ids[1])]))

    def test_orphans_are_taken_over(self) -> None:
        bob, carl, dora, eve = map(self.account, ("Bob", "Carl", "Dora", "Eve"))
        at = expiry.ORPHAN_MS + 100
        for guest, lost in ((bob, 50), (bob, 99), (carl, 50), (carl, 100), (dora, None)):
            self.session(guest, self.ids[0], lost=lost)
        self.change("INSERT INTO online VALUES (%s, %s)", self.ids[0], eve)
        ann = self.account("Ann", registered=True)
        self.session(ann, self.ids[0], lost=1)
        with self.nodes[1].open_expiry() as db:
            self.assertEqual(expiry.adopt_orphans(db, self.ids[1], at), 1)
        [(node, entry)] = self.told()
        self.assertEqual((node, entry.node_id), (self.ids[1], 0))
        self.assertEqual([guest.account.name for guest in entry.guests], ["Bob"])
        owners = [node for _, node in self.sessions()]
        self.assertEqual(owners, [self.ids[1]] * 2 + [self.ids[0]] * 4)


class StartTests(ExpiryCase):
    """A node that ends another one before it has loaded the chat."""

    number = 3

    def setUp(self) -> None:
        super().setUp()
        self.session(self.account("Bob"), self.ids[0])
        self.change("UPDATE nodes SET loaded = false WHERE name = 'two'")

    def check_told(self, adopter: int) -> None:
        """Check that the other node is told, and that a node takes over."""
        self.assertIsNotNone(self.expire(forced=True))
        [(node, entry)] = self.told()
        self.assertEqual((node, entry.node_id), (self.ids[adopter], self.ids[0]))
        self.assertEqual([node for _, node in self.sessions()], [self.ids[adopter]])

    def test_a_node_that_has_loaded_takes_over(self) -> None:
        self.check_told(2)

    def test_a_node_that_may_have_loaded_half_of_it_is_told(self) -> None:
        self.change("UPDATE nodes SET loaded = false")
        self.check_told(1)

    def test_a_node_that_loads_at_this_moment_is_waited_for(self) -> None:
        self.nodes[2].begin_load(self.writers[2])
        self.change(EXPIRE, "three")
        error = psycopg.errors.LockNotAvailable
        self.patch(expiry, "_BEGIN", "BEGIN; SET LOCAL lock_timeout = '1ms'")
        self.assertRaises(error, self.expire, forced=True)
        self.assertEqual(self.names(), ["one", "three", "two"])

    def test_its_load_does_the_rest_where_there_is_no_other(self) -> None:
        self.change(EXPIRE, "three")
        self.assertIsNone(self.expire(forced=True))
        self.assertEqual((self.told(), self.sessions()), ([], [(None, None)]))


class BeatTests(ExpiryCase):
    """What a heartbeat does."""

    number = 3

    def test_a_row_that_is_not_prolonged_expires(self) -> None:
        heart = self.heart(0)
        later = "clock_timestamp() + interval '{} minutes'"
        lives = f"SELECT expires > {later.format(30)} FROM nodes WHERE name = 'one'"
        self.change(f"UPDATE nodes SET expires = {later.format(10)}")
        self.assertTrue(self.beat(heart))
        self.assertEqual(self.rows(lives), [(True,)])
        self.change(EXPIRE, "one")
        self.assertFalse(self.beat(heart))
        self.assertEqual(self.names(), ["one", "three", "two"])

    def test_nodes_tell_each_other_where_they_listen(self) -> None:
        told = ("ws://localhost:9000/ http://[::1]:8080/", "tcp://10.0.0.2:6066/ /run/x", "")
        hearts = [self.heart(number) for number in range(3)]
        for node, urls in zip(self.nodes, told, strict=True):
            node.ports.told = urls
        for heart in (*hearts, *hearts):
            self.beat(heart)
        others = [node.ports.others for node in self.nodes]
        self.assertEqual(others, [{6066}, {9000, 8080}, {9000, 8080, 6066}])

    def test_a_beat_tells_how_a_node_stands(self) -> None:
        stands = "SELECT lag, draining FROM nodes WHERE name = 'one'"
        self.assertEqual(self.rows(stands), [(0.0, False)])
        standing = self.nodes[0].standing = NodeStanding(lambda: 7.5, True, 5.0)
        self.beat(self.heart(0))
        self.assertEqual(self.rows(stands), [(2.5, True)])
        standing.behind_since = None
        self.beat(self.heart(0))
        self.assertEqual(self.rows(stands), [(0.0, True)])

    def test_two_nodes_expire_a_third_once(self) -> None:
        self.change(EXPIRE, "three")
        hearts = [self.heart(0), self.heart(1)]
        for heart in hearts:
            self.assertTrue(heart.beat())
        for heart in hearts:
            if heart._ending is not None:
                heart._ending.join()
        self.assertEqual(self.names(), ["one", "two"])
        self.assertEqual([entry.node_id for _, entry in self.told()], [self.ids[2]])
        self.assertEqual(self.heard, [1])

    def test_lock_wait_of_the_writer_expires_nobody(self) -> None:
        self.change("UPDATE nodes SET expires = clock_timestamp() + interval '1 minute'")
        with psycopg.connect(self.url) as other:
            other.execute("SELECT FROM heads FOR UPDATE")
            self.nodes[0].begin(self.writers[0])
            update = "UPDATE heads SET seq = 0"
            self.assertRaises(psycopg.errors.LockNotAvailable, self.writers[0].execute, update)
            heart = self.heart(0)
            self.assertTrue(self.beat(heart))
        self.assertEqual(self.lost, [])

    def test_lost_after_three_seconds(self) -> None:
        now = [0.0]
        heart = self.heart(0, seconds=lambda: now[0])
        now[0] = 1.0
        self.beat(heart)
        now[0] = 1.0 + LIFE_S
        self.assertFalse(heart.is_overdue())
        now[0] += 0.1
        self.assertTrue(heart.is_overdue())
        self.beat(heart)
        self.assertFalse(heart.is_overdue())

    def test_the_thread_says_once_that_the_row_is_gone(self) -> None:
        self.patch(heartbeat, "BEAT_S", 0)
        heart = self.heart(0)
        self.change(EXPIRE, "one")
        heart._run()
        self.assertEqual(self.lost, [0])

    def test_a_beat_measures_the_clock_of_the_machine(self) -> None:  # H47
        clock = self.nodes[0].wall = NodeClock(lambda: 1000.0)
        [(before,)] = self.rows(TIME)
        self.beat(self.heart(0))
        [(after,)] = self.rows(TIME)
        self.assertTrue(before - 0.01 < clock() < after + 0.01, (before, clock(), after))

    def test_a_connection_that_writes_measures_it_before_it_enters(self) -> None:
        late = self.node("late")
        late.wall._wall = lambda: 1000.0
        self.change(EXPIRE, "three")  # is ended by what enters
        [(before,)] = self.rows(TIME)
        self.open(late)
        [(at,)] = self.rows("SELECT max(at) FROM system_log")
        self.assertGreaterEqual(at, int(before * 1000) - 1)

    def test_an_error_is_tried_again(self) -> None:
        self.patch(heartbeat, "RETRY_S", 0)
        heart = self.heart(0)
        self.change(EXPIRE, "one")
        heart._db = self.nodes[0].open_heartbeat()
        postgres.server().execute(
            f"SELECT pg_terminate_backend({heart._db.info.backend_pid}, 60000)"
        )
        heart._run()
        self.assertEqual(self.lost, [0])

    def test_after_an_error_the_next_beat_comes_sooner(self) -> None:
        heart = self.heart(0)
        beats = [True, False, False, True]
        waits: list[float] = []

        def beat() -> bool:
            if not beats.pop(0):
                raise psycopg.OperationalError("away")
            return True

        def wait(seconds: float) -> bool:
            waits.append(seconds)
            return not beats

        self.patch(heart, "beat", beat)
        self.patch(heart._stopped, "wait", wait)
        warned: list[str] = []
        self.patch(
            Heartbeat, "_log", SimpleNamespace(warn=lambda text, reason: warned.append(reason))
        )
        heart._run()
        self.assertEqual(waits, [BEAT_S, RETRY_S, RETRY_S, BEAT_S])
        self.assertEqual(warned, ["away"])

    def test_a_bug_does_not_end_the_thread(self) -> None:
        self.patch(heartbeat, "BEAT_S", 0)
        heart = self.heart(0)
        bugs = [ZeroDivisionError, ZeroDivisionError]
        beat = heart.beat

        def fail() -> bool:
            if bugs:
                raise bugs.pop()
            self.change(EXPIRE, "one")
            return bool(beat())

        self.patch(heart, "beat", fail)
        heart._run()
        self.assertEqual(self.lost, [0])
        heart._end(lambda db, at: 1 // 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_orphans_are_looked_for_now_and_then(self) -> None:
        self.session(self.account("Bob"), None, lost=1)
        self.patch(heartbeat, "ORPHANS", 2)
        heart = self.heart(0)
        self.beat(heart)
        self.assertEqual(self.heard, [])
        self.beat(heart)
        self.assertEqual(self.heard, [1])
