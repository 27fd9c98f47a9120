"""The index of messages while several nodes store: rows that come late, edits, turns."""

from __future__ import annotations

from threading import Thread
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.sql import search_index
from gtchat.store.sql.search_horizon import Horizon, Rest
from gtchat.store.sql.search_index import Indexer, add_slice, read_state, replace_text
from tests import postgres

if postgres.MISSING is None:
    import psycopg

#: A row gets its number when this is executed, and becomes visible when its transaction ends.
SAY = (
    "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, msg)"
    " VALUES (1, %s, 0, 'speak', 0, 'Ann', %s)"
)
ACCOUNT = (
    "INSERT INTO accounts (key, name, registered, created_at, lobby_read_seq)"
    " VALUES ('ann', 'Ann', true, 0, 0) RETURNING id"
)


class HorizonCase(SynchronousTestCase):
    """Three nodes with a connection each; `self.a` indexes."""

    if postgres.MISSING:
        skip = postgres.MISSING

    def setUp(self) -> None:
        self.database = postgres.QuickDatabase()
        self.a, self.b, self.c = (self.connected() for _ in range(3))
        self.horizon = Horizon()

    def connected(self) -> Any:
        db = self.database._connect({"lock_timeout": "50ms"})
        self.addCleanup(db.close)
        return db

    def say(self, db: Any, seq: int, text: str = "tea") -> None:
        db.execute(SAY, (seq, text))

    def begin(self, db: Any) -> None:
        """Begin a transaction that has an id, as those of the writer have."""
        db.execute("BEGIN")
        db.execute("SELECT pg_current_xact_id()")

    def look(self) -> Rest:
        """Index a slice in a transaction of its own."""
        self.begin(self.a)
        rest = add_slice(self.a, self.horizon)
        self.a.execute("COMMIT")
        return rest

    def indexed(self) -> list[int]:
        """Return the numbers of the messages that the index has."""
        return [
            seq
            for (seq,) in self.a.execute(
                "SELECT seq FROM message_index JOIN entries USING (row) ORDER BY seq"
            )
        ]


class HorizonTests(HorizonCase):
    def test_it_takes_two_transactions_to_move_on(self) -> None:
        self.say(self.b, 1)
        self.assertEqual((self.look(), self.indexed()), (Rest.MORE, []))
        self.say(self.b, 2)
        self.assertEqual((self.look(), self.indexed()), (Rest.MORE, [1]))
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [1, 2]))
        self.assertEqual(self.look(), Rest.NOTHING)

    def test_a_row_that_is_committed_late_is_indexed(self) -> None:
        self.say(self.a, 1)
        self.b.execute("BEGIN")
        self.say(self.b, 2)
        self.say(self.a, 3)
        looks = [self.look() for _ in range(3)]
        self.assertEqual((looks, self.indexed()), ([Rest.MORE, Rest.LATER, Rest.LATER], []))
        self.b.execute("COMMIT")
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [1, 2, 3]))

    def test_a_transaction_later_than_all_that_have_ended_is_waited_for(self) -> None:
        """Its id is not below the `xmax` of a snapshot: that is behind the newest that ended."""
        for db in (self.c, self.b):
            self.begin(db)
        self.say(self.b, 1)
        self.say(self.c, 2)
        self.c.execute("COMMIT")
        looks = [self.look() for _ in range(2)]
        self.assertEqual((looks, self.indexed()), ([Rest.MORE, Rest.LATER], []))
        self.b.execute("COMMIT")
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [1, 2]))

    def test_a_transaction_that_looks_twice_does_not_move_on(self) -> None:
        self.begin(self.a)
        self.begin(self.b)
        self.say(self.b, 1)
        self.say(self.c, 2)
        looks = [add_slice(self.a, self.horizon) for _ in range(2)]
        self.a.execute("COMMIT")
        self.assertEqual((looks, self.look()), ([Rest.MORE, Rest.LATER], Rest.LATER))
        self.b.execute("COMMIT")
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [1, 2]))

    def test_a_transaction_that_is_rolled_back_holds_nothing_up(self) -> None:
        self.b.execute("BEGIN")
        self.say(self.b, 1)
        self.say(self.a, 2)
        self.look()
        self.b.execute("ROLLBACK")
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [2]))

    def test_others_that_only_read_hold_nothing_up(self) -> None:
        self.b.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.b.execute("SELECT max(row) FROM entries")
        self.addCleanup(self.b.execute, "ROLLBACK")
        self.say(self.a, 1)
        self.look()
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [1]))

    def test_rows_that_are_deleted_meanwhile_end_it(self) -> None:
        self.say(self.a, 1)
        self.look()
        self.a.execute("DELETE FROM entries")
        self.assertEqual((self.look(), self.look()), (Rest.NOTHING, Rest.NOTHING))

    def test_an_account_that_ends_meanwhile_has_no_sum(self) -> None:
        [ann] = self.a.execute(ACCOUNT).fetchone()
        self.say(self.b, 1)
        self.b.execute("UPDATE entries SET subject_id = %s", (ann,))
        for _ in range(3):
            self.look()
        self.a.execute("DELETE FROM account_usage")
        self.a.execute("UPDATE index_state SET counted = 0")
        self.a.execute("SET lock_timeout = 0")
        self.begin(self.b)
        self.b.execute("DELETE FROM accounts")
        looks: list[Rest] = []
        thread = Thread(target=lambda: looks.append(self.look()))
        thread.start()
        waits = f"SELECT 1 WHERE pg_blocking_pids({self.a.info.backend_pid}) <> '{{}}'"
        while self.c.execute(waits).fetchone() is None:
            self.assertTrue(thread.is_alive())
        self.b.execute("COMMIT")
        thread.join()
        self.assertEqual(looks, [Rest.NOTHING])
        self.assertEqual(self.a.execute("SELECT count(*) FROM account_usage").fetchone(), (0,))

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.sampled_from("bcaxyi"), max_size=20))
    def test_whatever_the_order_all_is_indexed_once(self, steps: list[str]) -> None:
        """a: a row at once; b, c: a row in an open transaction; x, y: its end; i: a slice."""
        nodes = {"b": self.b, "c": self.c}
        for table in ("entries", "message_index", "index_state"):
            self.a.execute(f"DELETE FROM {table}")
        self.horizon = Horizon()
        ends = {"x": "b", "y": "c"}
        begun: set[str] = set()
        seq = 0
        for step in [*steps, "x", "y"]:
            if step == "i":
                self.look()
            elif step in ends:
                if ends[step] in begun:
                    nodes[ends[step]].execute("COMMIT")
                    begun.discard(ends[step])
            else:
                seq += 1
                if step in nodes and step not in begun:
                    nodes[step].execute("BEGIN")
                    begun.add(step)
                self.say(nodes.get(step, self.a), seq)
        while self.look() is not Rest.NOTHING:
            pass
        self.assertEqual(self.indexed(), list(range(1, seq + 1)))


class TurnTests(HorizonCase):
    """One node indexes at a time, and not while messages are changed."""

    def index_all(self) -> None:
        while self.look() is not Rest.NOTHING:
            pass

    def test_an_edit_while_another_node_indexes(self) -> None:
        self.say(self.a, 1)
        self.index_all()
        self.say(self.a, 2, "cake")
        self.look()
        self.begin(self.a)
        add_slice(self.a, self.horizon)
        with self.assertRaises(psycopg.errors.LockNotAvailable):
            replace_text(self.b, 1, 2, "coffee")
        self.a.execute("COMMIT")
        replace_text(self.b, 1, 2, "coffee")
        self.assertEqual(self.words(2), ["coffee"])

    def test_nothing_is_indexed_while_a_message_is_edited(self) -> None:
        self.say(self.a, 1)
        self.look()
        self.b.execute("BEGIN")
        replace_text(self.b, 1, 1, "coffee")
        self.b.execute("UPDATE entries SET msg = 'coffee'")
        self.assertEqual((self.look(), self.indexed()), (Rest.LATER, []))
        self.b.execute("COMMIT")
        self.index_all()
        self.assertEqual(self.words(1), ["coffee"])

    def test_two_edits_at_once_do_not_wait_for_each_other(self) -> None:
        for seq in (1, 2):
            self.say(self.a, seq)
        self.index_all()
        for seq, db in enumerate((self.a, self.b), 1):
            db.execute("BEGIN")
            replace_text(db, 1, seq, f"coffee{seq}")
        for db in (self.a, self.b):
            db.execute("COMMIT")
        self.assertEqual([self.words(seq) for seq in (1, 2)], [["coffee1"], ["coffee2"]])

    def test_two_nodes_do_not_index_at_once(self) -> None:
        self.say(self.a, 1)
        self.look()
        self.b.execute("BEGIN")
        self.assertEqual(add_slice(self.b, Horizon()), Rest.MORE)
        self.assertEqual(self.look(), Rest.LATER)
        self.b.execute("COMMIT")
        self.assertEqual((self.look(), self.indexed()), (Rest.NOTHING, [1]))

    def test_an_index_of_another_version_is_made_again_by_one_of_them(self) -> None:
        self.say(self.a, 1)
        self.index_all()
        self.a.execute("UPDATE index_state SET version = ''")
        self.look()
        self.assertEqual((self.indexed(), read_state(self.b).row > 0), ([1], True))

    def words(self, seq: int) -> list[str]:
        """Return the words of a message in the index."""
        row = self.a.execute(
            "SELECT tsvector_to_array(words) FROM message_index JOIN entries USING (row)"
            " WHERE seq = %s",
            (seq,),
        ).fetchone()
        return list(row[0])


class VersionTests(HorizonCase):
    """Nodes of two versions: `self.a` is the older one, `self.b` the newer one."""

    def setUp(self) -> None:
        super().setUp()
        self.now = 0.0
        self.older = Indexer(lambda: self.now)
        self.newer = Indexer(lambda: self.now)

    def index(self, indexer: Indexer, version: str = "9 15.0.0") -> None:
        """Let a node index what it can."""
        with patch.object(search_index, "SEARCH_FORM", version):
            for _ in range(4):
                self.begin(self.a)
                indexer.add_waiting(self.a)
                self.a.execute("COMMIT")

    def version(self) -> str:
        return read_state(self.a).version

    def test_the_newest_version_makes_the_index_once(self) -> None:
        self.say(self.a, 1)
        made: list[str] = []
        real = search_index.begin_again

        def begin_again(db: Any) -> None:
            made.append(search_index.SEARCH_FORM)
            real(db)

        self.patch(search_index, "begin_again", begin_again)
        for seq in range(2, 5):
            for indexer, version in ((self.older, "9 15.0.0"), (self.newer, "9 15.1.0")):
                self.index(indexer, version)
                self.now += search_index.TAKE_OVER_S / 2
                self.say(self.a, 2 * seq + (indexer is self.newer))
        self.index(self.newer, "10 15.0.0")
        self.index(self.older, "9 15.1.0")
        self.assertEqual(made, ["9 15.0.0", "9 15.1.0", "10 15.0.0"])
        self.assertEqual((self.version(), len(self.indexed())), ("10 15.0.0", 7))

    def test_an_older_version_takes_over_where_no_newer_one_goes_on(self) -> None:
        self.say(self.a, 1)
        self.index(self.newer, "9 15.1.0")
        self.now += 2 * search_index.TAKE_OVER_S  # without anything to index
        self.index(self.older)
        self.now += 2 * search_index.TAKE_OVER_S
        self.index(self.older)
        self.say(self.a, 2)
        self.index(self.older)
        self.assertEqual((self.version(), self.indexed()), ("9 15.1.0", [1]))
        self.now += search_index.TAKE_OVER_S
        self.index(self.older)
        self.assertEqual((self.version(), self.indexed()), ("9 15.0.0", [1, 2]))

    def test_a_text_is_taken_out_of_an_index_of_another_version(self) -> None:
        for seq in (1, 2):
            self.say(self.a, seq, "secret")
        self.index(self.newer, "9 15.1.0")
        with patch.object(search_index, "SEARCH_FORM", "9 15.0.0"):
            replace_text(self.a, 1, 1, "")
            replace_text(self.a, 1, 2, "tea")
        words = "SELECT tsvector_to_array(words) FROM message_index"
        self.assertEqual(self.a.execute(words).fetchall(), [(["tea"],)])

    def test_versions_are_numbers(self) -> None:
        versions = ["", "1 9.0.0", "1 13.0.0", "1 15.1.0", "2 13.0.0", "10 13.0.0"]
        found = sorted({*versions}, key=search_index._order)
        self.assertEqual(found, versions)


class PauseTests(SynchronousTestCase):
    """An indexer that waits for other nodes."""

    def test_it_looks_some_times_then_makes_a_pause(self) -> None:
        rests = [Rest.LATER] * (search_index.LOOKS + 1) + [Rest.MORE, Rest.NOTHING]
        self.patch(search_index, "add_slice", lambda *_: rests.pop(0))
        indexer = Indexer(lambda: 100.0)
        db: Any = None
        seen = [(indexer.add_waiting(db), indexer.wait()) for _ in range(len(rests))]
        at_once, nothing = (Rest.MORE, 0.0), (Rest.NOTHING, None)
        pause = (Rest.LATER, search_index.DELAY_S)
        expected = [at_once] * (search_index.LOOKS - 1) + [pause, at_once, at_once, nothing]
        self.assertEqual([(one, wait and round(wait, 6)) for one, wait in seen], expected)
