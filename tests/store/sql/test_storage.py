"""The sums of what texts take, as SQLite keeps them; the contract has what every store does."""

from __future__ import annotations

from gtchat.store.sql import search_index, storage
from gtchat.store.sql.search_horizon import Horizon
from tests.store.sql.test_search_index import IndexCase

ROOM = (
    "INSERT INTO rooms (id, key, name, public, topic, max, owner) VALUES (?, ?, 'r', 1, '', 0, '')"
)


class Sums(IndexCase):
    def setUp(self) -> None:
        super().setUp()
        self.db.execute("DELETE FROM rooms")
        self.db.execute(ROOM, (1, "r"))

    def sums(self) -> list[tuple[int, int, int]]:
        found = self.db.execute("SELECT room_id, messages, bytes FROM room_usage ORDER BY room_id")
        return list(found)

    def counted(self) -> int:
        return search_index.read_state(self.db).counted

    def add_all(self) -> None:
        while search_index.add_slice(self.db, Horizon()).value:
            pass

    def test_each_message_is_counted_once(self) -> None:
        self.say("one", "three")
        self.say("joins", kind="join_room")
        self.add_all()
        self.say("\u20ac")
        self.add_all()
        self.add_all()
        self.assertEqual(self.sums(), [(1, 3, 11)])

    def test_rows_of_an_earlier_revision_are_counted_in_slices(self) -> None:
        self.patch(storage, "SLICE", 2)
        self.say("a", "b", "c", "d", "e")
        self.add_all()
        self.db.execute("DELETE FROM room_usage")
        self.db.execute("UPDATE index_state SET counted = 0")
        search_index.add_slice(self.db, Horizon())
        self.assertEqual((self.sums(), self.counted()), ([(1, 2, 2)], 2))
        self.add_all()
        self.assertEqual((self.sums(), self.counted()), ([(1, 5, 5)], 5))

    def test_an_index_that_is_made_again_counts_nothing_twice(self) -> None:
        self.say("one")
        self.add_all()
        self.db.execute("UPDATE index_state SET version = ''")
        self.add_all()
        self.assertEqual(self.sums(), [(1, 1, 3)])

    def test_a_change_of_what_is_not_counted_yet_takes_nothing_off(self) -> None:
        self.say("long text")
        search_index.replace_text(self.db, 1, 1, "")
        self.assertEqual(self.sums(), [])
        self.add_all()
        search_index.replace_text(self.db, 1, 1, "now")
        self.assertEqual(self.sums(), [(1, 1, 3)])

    def test_sums_that_stay_as_they_are_are_not_written(self) -> None:
        self.say("text")
        self.add_all()
        written: list[str] = []
        self.db.set_trace_callback(written.append)
        for more, count in (({5: (0, 0)}, 0), ({5: (0, 2), None: (0, -2)}, 1), ({5: (1, 0)}, 2)):
            written.clear()
            storage.change(self.db, 1, more)
            self.assertEqual(len([one for one in written if "UPDATE" in one]), count, more)

    def test_logs_without_a_room_are_not_counted(self) -> None:
        self.db.execute("DELETE FROM rooms WHERE id = 1")
        self.say("text")
        self.add_all()
        self.assertEqual((self.sums(), self.counted()), ([], 1))

    def test_finding_what_is_over_reads_no_sums_below(self) -> None:
        for by in ("rooms", "accounts"):
            own, general = storage._OVER[by]  # type: ignore[index]
            for statement, values in ((own, {}), (general, {"allowed": 1})):
                plan = self.db.execute(
                    f"EXPLAIN QUERY PLAN {statement.sql}", {**statement.constants, **values}
                )
                steps = [step for *_, step in plan]
                scanned = [one for one in steps if one.startswith("SCAN")]
                quotas = f"SCAN {by} USING INDEX {by}_quota"
                self.assertEqual(scanned, [quotas] if statement is own else [], steps)
