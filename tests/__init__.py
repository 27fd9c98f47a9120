"""The tests. Examples of a rule have no time limit: a busy machine makes no test fail."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("gtchat", deadline=None)
settings.load_profile("gtchat")


def example_count(most: int) -> int:
    """Return how many examples of a rule are tried, whose examples take long.

    Args:
        most: how many with TESTS_ALL_EXAMPLES=1 in the environment; else it is a third of them.
    """
    return most if os.environ.get("TESTS_ALL_EXAMPLES") == "1" else most // 3
