"""Rules that run again when another node has changed what they saw."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import CODES, ChatError, NotStored, RoomFull, Stale
from gtchat.chat.repetition import TRIES, repeated


class Rules:
    """Rules that meet an error in each of their first runs.

    Attributes:
        runs: the arguments of each run.
    """

    def __init__(self, *errors: ChatError) -> None:
        self.errors = list(errors)
        self.runs: list[tuple[str, int]] = []

    @repeated
    async def run(self, name: str, times: int = 1) -> str:
        """Return a name so many times."""
        self.runs.append((name, times))
        if self.errors:
            raise self.errors.pop(0)
        return name * times


class RepetitionTests(SynchronousTestCase):
    def test_rules_run_again_with_the_same_arguments_until_they_are_not_stale(self) -> None:
        rules = Rules(*(Stale() for _ in range(TRIES - 1)))
        ran = Deferred.fromCoroutine(rules.run("ann", times=2))
        self.assertEqual(self.successResultOf(ran), "annann")
        self.assertEqual(rules.runs, [("ann", 2)] * TRIES)

    def test_rules_that_are_stale_each_time_are_not_stored(self) -> None:
        rules = Rules(*(Stale() for _ in range(TRIES + 1)))
        failure = self.failureResultOf(Deferred.fromCoroutine(rules.run("ann")), NotStored)
        self.assertIs(failure.type, NotStored)
        self.assertEqual(len(rules.runs), TRIES)

    def test_any_other_error_is_passed_on_at_once(self) -> None:
        for error in (RoomFull(), NotStored()):
            rules = Rules(error, Stale())
            failure = self.failureResultOf(Deferred.fromCoroutine(rules.run("ann")), ChatError)
            self.assertIs(failure.value, error)
            self.assertEqual(len(rules.runs), 1)

    def test_a_stale_change_that_reaches_a_client_was_not_stored(self) -> None:
        self.assertEqual(Stale().code, NotStored.code)
        self.assertIs(CODES[Stale.code], NotStored)

    def test_a_method_keeps_its_name_and_its_description(self) -> None:
        self.assertEqual(Rules.run.__name__, "run")
        self.assertEqual(Rules.run.__doc__, "Return a name so many times.")
