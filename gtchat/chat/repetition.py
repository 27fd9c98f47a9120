"""How rules run again when another node has changed what they saw."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from gtchat.chat.errors import NotStored, Stale

#: How often rules run on a state that another node has changed meanwhile.
TRIES = 6

P = ParamSpec("P")
T = TypeVar("T")


def repeated(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a method check its rules again while what it stores is `Stale`.

    What has made it stale is delivered before the error, so that the next run sees it. Until it
    stores something a method may only read. Only the outermost of several methods is decorated.

    Args:
        method: the method; it is called at most `TRIES` times.

    Returns:
        The method; it raises NotStored if it was stale each time.
    """

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES):
            with suppress(Stale):
                return await method(*args, **kwargs)
        raise NotStored()

    return run
