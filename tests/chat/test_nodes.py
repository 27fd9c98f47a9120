"""All nodes, the logs and the clients agree, whatever happens; see `nodes_world`."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.chat.nodes_world import NodeRequests


def run(examples: int, steps: int, size: int = 2) -> Counter[tuple[str, str]]:
    """Let users make random requests at several nodes. Return the outcomes.

    Args:
        examples, steps: how many examples, and rules in each.
        size: how many nodes.
    """

    class Machine(NodeRequests):
        outcomes: Counter[tuple[str, str]] = Counter()

    Machine.size = size
    options = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True
    )
    run_state_machine_as_test(Machine, settings=options)
    return Machine.outcomes


class Requests(SynchronousTestCase):
    def test_nodes_agree_whatever_happens(self) -> None:
        outcomes = run(20, 40)
        succeeded = {what for what, code in outcomes if code == "ok"}
        self.assertEqual(succeeded, {what for what, _ in outcomes}, outcomes)
