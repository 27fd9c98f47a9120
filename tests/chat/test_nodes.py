"""All nodes, the logs and the clients agree, whatever happens; see `nodes_world`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import attrs
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import foreign_joins
from gtchat.chat.events import Entry, Left
from gtchat.chat.foreign import NotDelivered
from gtchat.chat.foreign_joins import ForeignJoins
from gtchat.chat.interfaces import EndedSession, Foreign
from gtchat.chat.rooms import Room
from gtchat.chat.users import User
from gtchat.store.following import Known
from gtchat.store.job_tells import locks_of
from gtchat.store.jobs import Job, Locks, deliver_results
from gtchat.store.memory import follower
from gtchat.store.memory.follower import MemoryFollower
from gtchat.store.memory.node_calls import MemoryNodeCalls
from gtchat.store.memory.sessions import SessionTable
from gtchat.store.stale_check import ALLOWED, StaleCheck
from tests.chat.node_requests import NodeRequests


class Machine(NodeRequests):
    outcomes: Counter[tuple[str, str]] = Counter()


def run(examples: int, steps: int, size: int = 2, derandomize: bool = True) -> None:
    """Let users make random requests at several nodes.

    Args:
        examples, steps: how many examples, and rules in each.
        size: how many nodes.
        derandomize: whether they are the same each time.
    """
    Machine.size, Machine.outcomes = size, Counter()
    options = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=options)


class Requests(SynchronousTestCase):
    def test_nodes_agree_whatever_happens(self) -> None:
        run(40, 40)
        found = Machine.outcomes
        succeeded = {what for what, code in found if code == "ok"}
        self.assertLessEqual({"login", "resume", "join", "speak", "whisper"}, succeeded)
        self.assertTrue({"set", "moderate"} & succeeded, succeeded)  # both are `Membership.change`
        self.assertIn(("join", "room_full"), found)


#: One thing that happens.
Step = Callable[[Machine], object]


class PlayedCase(SynchronousTestCase):
    def play(self, *steps: Step) -> Machine:
        """Do some steps with two nodes, then check all."""
        machine = Machine()
        self.addCleanup(machine.world.problems.stop)
        for step in steps:
            step(machine)
            machine.nothing_failed_and_limits_hold()
            machine.rooms_are_the_fold_of_what_was_delivered_and_what_is_queued()
        machine.settle()
        return machine


class Examples(PlayedCase):
    """What the machine has found."""

    def test_rules_that_run_again_do_not_see_what_failed_in_their_batch(self) -> None:
        """The second change that fails comes behind a result that is none of the room."""
        self.play(
            lambda one: one.all_join("b"),
            lambda one: one.resume(0, 1, False),
            lambda one: one.leave("ann", "b", 0, True),
        )

    def test_rules_that_run_again_do_not_rely_on_what_fails_later(self) -> None:
        """The user removes the own membership in the next batch, and joins again before it."""
        self.play(
            lambda one: one.add("a", 0, "bob"),
            lambda one: one.wait(),
            lambda one: one.all_join("a"),
            lambda one: one.hand_over("a", 1),
            lambda one: one.wait(),
            lambda one: one.remove("ann", "a", 0, True),
            lambda one: one.remove("ann", "a", 1, True),
        )

    def test_a_node_that_was_given_up_begins_again(self) -> None:
        machine = self.play(
            lambda one: one.expire(0),
            lambda one: one.add("a", 0, "bob"),
            lambda one: one.end_guest("hal"),
        )
        self.assertEqual(Machine.outcomes["log out", "not_stored"], 1)
        self.assertTrue(all(node.chat.available for node in machine.world.alive))


PREPARE = MemoryFollower.prepare


def never_stale(known: Known, room_id: int, checked: int | None) -> bool:
    """Let all pass."""
    return False


def own_results_first(self: Any, foreign: Foreign, jobs: Sequence[Job]) -> None:
    """Deliver foreign entries behind the results of the batch that has read them."""
    deliver_results(jobs, self.committed, self._log, self.failed)
    if foreign != Foreign():
        self.foreign(foreign)


def prepare_without_system(self: Any, batch: Sequence[Job]) -> Any:
    """Prepare a batch; logins and resumes do not lock the system log."""

    def locks(job: Job) -> Locks:
        found = locks_of(job)
        return attrs.evolve(found, system=found.system and not found.begins)

    with patch.object(follower, "locks_of", locks):
        return PREPARE(self, batch)


def subscribe_only(user: User, room: Room, entries: Sequence[Entry]) -> None:
    """Subscribe the sessions of a user to a room, without what they have missed."""
    user.add_room(room, room.last_seq)


def lost_anyway(self: Any, session: EndedSession, at: int) -> None:
    """Take any session for one of this node."""
    row = self._sessions.get(session.token_hash)
    if row is not None:
        row.lost_at = row.expires_from = at


#: Users of both nodes are in the room: it is in the memory of both.
BOTH_IN_A: tuple[Step, ...] = (lambda one: one.add("a", 0, "bob"), lambda one: one.settle())
#: What goes wrong -> how, and steps after which that is seen.
MUTANTS: dict[str, tuple[Any, tuple[Step, ...]]] = {
    "no stale check": (
        lambda: patch.object(Known, "is_stale", never_stale),
        (*BOTH_IN_A, lambda one: one.all_join("a")),
    ),
    "no places": (
        lambda: patch.object(StaleCheck, "is_full", lambda *_: False),
        (*BOTH_IN_A, lambda one: one.all_join("a")),
    ),
    "no members": (
        lambda: patch.dict(ALLOWED, {Left: lambda *_: True}),
        (
            lambda one: one.add("a", 0, "bob"),
            lambda one: one.settle(),
            lambda one: one.kick("ann", "a", 0, True),
            lambda one: one.leave("bob", "a", 0, False),
        ),
    ),
    "foreign entries last": (
        lambda: patch.object(MemoryNodeCalls, "_deliver", own_results_first),
        (lambda one: one.resume(4, 1, False), lambda one: one.whisper("eve", "bob")),
    ),
    "no system lock": (
        lambda: patch.object(MemoryFollower, "prepare", prepare_without_system),
        (
            lambda one: one.whisper("eve", "bob"),
            lambda one: one.do_batch(0, 9, False),
            lambda one: one.resume(4, 1, False),
            lambda one: one.do_batch(1, 9, False),
        ),
    ),
    "members are not told": (
        lambda: patch.object(ForeignJoins, "joined", lambda joins, entry: None),
        BOTH_IN_A,
    ),
    "what was missed is not sent": (
        lambda: patch.object(foreign_joins, "_begin", subscribe_only),
        BOTH_IN_A,
    ),
    "rooms are not followed": (
        lambda: patch.object(Known, "hand_out", lambda known, record: record),
        BOTH_IN_A,
    ),
    "all is released": (
        lambda: patch.object(Known, "release", lambda known, rooms: known.rooms.clear()),
        (lambda one: one.others_go({"ann"}, 0), lambda one: one.all_join("a")),
    ),
    "session lost anyway": (
        lambda: patch.object(SessionTable, "session_lost", lost_anyway),
        (lambda one: one.resume(0, 1, True),),
    ),
}


class NegativeControls(PlayedCase):
    def test_each_mutant_is_caught(self) -> None:
        for name, (mutate, steps) in MUTANTS.items():
            self.play(*steps)
            try:
                with mutate():
                    self.play(*steps)
            except (AssertionError, NotDelivered):
                self.flushLoggedErrors()
            else:
                self.fail(name)
