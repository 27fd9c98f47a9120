"""Revision 0010, which makes logs of the whispers that were not delivered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.store.sql.opening import prepare
from tests.store.sql.old_databases import create_old_database

#: Ann (1) and Bob (2) have written to each other, Ann also to Cid (3), who is a temporary user. Gus
#: (9) has ended. Of two whispers of before revision 0005 only one has a sender who is known: Bob
#: had not registered when the other was sent.
ROWS = """
INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)
    VALUES (1, 'Ann', 'ann', 1, 0, 0), (2, 'Bob', 'bob', 1, 50, 0), (3, 'Cid', 'cid', 0, 0, 0);
INSERT INTO rooms (id, key, name, public, topic, max, owner) VALUES (7, 'r', 'r', 1, '', 0, '');
INSERT INTO entries (row, room_id, seq, message_count, kind, at, usr, id, msg)
    VALUES (70, 7, 1, 1, 'speak', 0, 'Ann', 'i', 'room');
INSERT INTO heads (room_id, seq, messages, first) VALUES (7, 1, 1, 1);
INSERT INTO correspondents (account_id, target_id) VALUES (1, 2), (2, 1), (1, 3);
INSERT INTO whispers (number, target_id, at, usr, id, msg, sender_id, from_stranger) VALUES
    (3, 1, 60, 'Bob', 'c', 'from Bob', 2, 0),
    (4, 2, 61, 'Ann', 'd', 'from Ann', 1, 0),
    (5, 1, 62, 'Gus', 'e', 'from Gus', 9, 1),
    (6, 1, 63, 'Bob', 'f', 'from Bob again', 2, 0),
    (7, 1, 64, 'Bob', 'g', 'old, known', NULL, 0),
    (8, 1, 40, 'Bob', 'h', 'old, not known', NULL, 0),
    (9, 1, 41, 'Bob', 'i', 'old, not known, again', NULL, 0);
"""


class DirectMigrationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        create_old_database(self.path, "0009", ROWS)
        prepare(self.path)

    def query(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql).fetchall()

    def log(self, account: int, other: int) -> list[Any]:
        """Return the log of two accounts."""
        return self.query(
            "SELECT e.seq, e.message_count, e.usr, e.subject_id, e.id, e.msg, e.at FROM entries e "
            "JOIN directs d ON d.room_id = e.room_id "
            f"WHERE d.account_id = {account} AND d.other_id = {other} ORDER BY e.row"
        )

    def test_whispers_are_entries_in_the_order_of_their_numbers(self) -> None:
        expected = [
            (1, 1, "Bob", 2, "c", "from Bob", 60),
            (2, 2, "Ann", 1, "d", "from Ann", 61),
            (3, 3, "Bob", 2, "f", "from Bob again", 63),
            (4, 4, "Bob", 2, "g", "old, known", 64),
        ]
        self.assertEqual(self.log(1, 2), expected)
        self.assertEqual(self.log(2, 1), expected)

    def test_senders_who_ended_or_are_not_known_have_logs_of_their_own(self) -> None:
        self.assertEqual([row[2:6] for row in self.log(1, 9)], [("Gus", 9, "e", "from Gus")])
        unknown = self.log(1, -8)
        self.assertEqual(
            [row[2:6] for row in unknown],
            [
                ("Bob", None, "h", "old, not known"),
                ("Bob", None, "i", "old, not known, again"),
            ],
        )

    def test_nothing_is_delivered_yet_and_what_waits_is_counted(self) -> None:
        rows = self.query(
            "SELECT account_id, other_id, other, other_guest, wrote, read_seq, delivered_seq, "
            "pending, newest > 70 FROM directs ORDER BY 1, 2"
        )
        self.assertEqual(
            rows,
            [
                (1, -8, "Bob", 1, 0, 0, 0, 2, 1),
                (1, 2, "Bob", 0, 1, 0, 0, 3, 1),
                (1, 3, "Cid", 1, 1, 0, 0, 0, 0),
                (1, 9, "Gus", 1, 0, 0, 0, 1, 1),
                (2, 1, "Ann", 0, 1, 0, 0, 1, 1),
                (3, 1, "Ann", 0, 0, 0, 0, 0, 0),
            ],
        )

    def test_logs_have_heads_and_rooms_stay_as_they_are(self) -> None:
        heads = self.query(
            "SELECT rooms.kind, seq, messages, first FROM heads JOIN rooms ON id = room_id "
            "ORDER BY seq, kind"
        )
        self.assertEqual(
            heads,
            [
                ("direct", 1, 1, 1),
                ("room", 1, 1, 1),
                ("direct", 2, 2, 1),
                ("direct", 4, 4, 1),
            ],
        )
        self.assertEqual(self.query("SELECT key FROM rooms WHERE kind = 'room'"), [("r",)])
        tables = self.query("SELECT name FROM sqlite_schema WHERE name LIKE 'w%' OR name = 'pairs'")
        self.assertEqual(tables, [])
