"""The long run of the rules at several nodes; see `tests.chat.nodes_world`.

It runs where STRESS_EXAMPLES says how many examples, each of 60 steps, with two and with three
nodes: `STRESS_EXAMPLES=2000 python -m twisted.trial tests.stress.test_nodes_rules`.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.chat.test_nodes import run

EXAMPLES = int(os.environ.get("STRESS_EXAMPLES", "0"))


class LongRun(SynchronousTestCase):
    if not EXAMPLES:
        skip = "STRESS_EXAMPLES is not set"

    timeout = 24 * 3600

    def test_two_nodes_agree(self) -> None:
        run(EXAMPLES, 60, derandomize=False)

    def test_three_nodes_agree(self) -> None:
        run(EXAMPLES, 60, size=3, derandomize=False)
