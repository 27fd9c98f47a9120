"""The table of wrong guesses that nodes share has a bound, which a flood cannot use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from tests import postgres
from tests.store.sql.test_nodes import NodeCase

if postgres.MISSING is None:
    from gtchat.chat.node_records import FailureCount
    from gtchat.store.sql import failures
    from gtchat.store.sql.failures import Failures

#: Suspended for long, by the clock of PostgreSQL.
FAR = 10**15


class BoundTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.db = self.open(self.node("one"))
        self.failures = Failures()
        self.at = count(1)
        self.patch(failures, "CHECKED", 10)

    def guess(self, name: str, network: str, until: int = 0, wrong: int = 1) -> None:
        """Count a wrong guess, as `Guesses` does: the name alone and the network have rates."""

        def change(before: Sequence[Any]) -> Any:
            return None, [FailureCount(wrong, until), *before[1:]]

        keys = [(f"pair {name}", network), (f"name {name}", ""), ("network", network)]
        self.failures.count(self.db, keys, next(self.at), change)

    def names(self, network: str = "") -> list[str]:
        """Return the names that are counted from a network, or all, as they came."""
        found = self.rows("SELECT key, address FROM login_failures ORDER BY at")
        return [key[5:] for key, address in found if network in ("", address)]

    def test_the_oldest_of_too_many_are_deleted_with_the_guess_that_adds_one(self) -> None:
        self.patch(failures, "MAX_ROWS", 5)
        for number in range(9):
            self.guess(str(number), f"192.0.2.{number}")
        self.assertEqual(len(self.names()), 9)
        self.guess("9", "192.0.2.9")
        self.assertEqual(self.names(), ["5", "6", "7", "8", "9"])
        self.guess("9", "192.0.2.9", wrong=2)  # adds none

    def test_a_suspension_in_force_is_the_last_to_be_deleted(self) -> None:
        self.patch(failures, "MAX_ROWS", 5)
        self.guess("ann", "192.0.2.1", FAR)
        self.guess("bob", "192.0.2.1", 1)  # it is over
        for number in range(8):
            self.guess(str(number), f"198.51.100.{number}")
        self.assertEqual(self.names(), ["ann", "4", "5", "6", "7"])
        # The bound holds all the same.
        for number in range(10):
            self.guess(f"x{number}", f"198.51.100.{number}", FAR)
        self.assertEqual(self.names(), ["x5", "x6", "x7", "x8", "x9"])

    def test_a_network_has_a_bound_of_its_own(self) -> None:
        self.patch(failures, "MAX_OF_NETWORK", 3)
        self.guess("ann", "192.0.2.1")
        for number in range(9):
            self.guess(str(number), "2001:db8::/64", FAR if number == 2 else 0)
        self.assertEqual(self.names("2001:db8::/64"), ["2", "7", "8"])
        self.assertEqual(self.names("192.0.2.1"), ["ann"])

    def test_counts_of_names_are_of_no_network(self) -> None:
        self.patch(failures, "MAX_OF_NETWORK", 3)
        for number in range(10):
            self.change("INSERT INTO login_failures VALUES (%s, '', 0, 1, 1)", f"name {number}")
        failures.evict(self.db)
        self.assertEqual(len(self.names()), 10)
