"""A short run of nodes.py with the users of nodes_old.py, and tests of what it detects."""

from __future__ import annotations

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from tests import postgres
from tests.e2e.server import ON_POSTGRES
from tests.stress.judge import Stored
from tests.stress.nodes import Nodes
from tests.stress.roaming_dialback import Session, check_sessions

A, B, C = (f"ann whispers {number}" for number in range(3))
SAID = "eve says 0"


def session(*told: str, owed: tuple[str, ...] = (), calm: bool = True) -> Session:
    """Return a session in which the user was told something."""
    return Session([*owed], [], [*told], calm)


class CheckSessions(SynchronousTestCase):
    """`check_sessions`."""

    def check(self, *sessions: Session) -> str:
        return "; ".join(check_sessions("seas", sessions, [A, B, C], [Stored(1, "eve", SAID)]))

    def test_what_waits_comes_once(self) -> None:
        told = session(A, B, SAID, owed=(A, B))
        self.assertEqual(self.check(told, session(), session(C, owed=(C,))), "")
        self.assertIn("was told 'ann whispers 0' again", self.check(told, session(A)))
        self.assertIn("was told 'eve says 0' again", self.check(told, session(SAID)))
        self.assertIn("was told 'ann whispers 0' again", self.check(session(A, A)))

    def test_what_was_said_in_the_lobby_meanwhile_does_not_come_again(self) -> None:
        live = Session([], [SAID], [], calm=True)
        self.assertIn("was told 'eve says 0' again", self.check(live, session(SAID)))

    def test_what_came_during_a_fault_may_come_again(self) -> None:
        self.assertEqual(self.check(session(A, calm=False), session(A, owed=(A,))), "")

    def test_what_waits_comes_at_the_next_login(self) -> None:
        late = self.check(session(owed=(A,)), session(A, owed=(A,)))
        self.assertEqual(late, "seas was not told ['ann whispers 0'] at the login after it")
        self.assertEqual(self.check(session(owed=(A,), calm=False), session(A)), "")

    def test_the_order_is_that_of_the_log(self) -> None:
        self.assertIn("in another order", self.check(session(B, A)))

    def test_what_is_not_stored_is_not_told(self) -> None:
        self.assertIn("'eve says 1', which is not stored", self.check(session("eve says 1")))


class OldUsersAtTwoNodes(SynchronousTestCase):
    skip = postgres.MISSING or (None if ON_POSTGRES else "only with TESTS_POSTGRES=1")

    def test_they_go_on_at_the_other_node_and_are_told_once(self) -> None:
        only = ("node", "cut")
        result = asyncio.run(Nodes(nodes=2, kills=2, seed=7, only=only, old=True).run())
        self.assertEqual(result.violations, [])

    def test_what_a_client_has_read_and_gets_again_is_noticed(self) -> None:
        run = Nodes(2, 1, 7, only=("bus",), mutant="no-confirmation", old=True)
        found = " ".join(asyncio.run(run.run()).violations)
        self.assertRegex(found, r"(seas|google) was told 'ann whispers \d+' again")
