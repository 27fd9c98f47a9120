"""Ids of messages: unique for ever, across restarts and restored backups, and cheap to make."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count


def ids(token: Callable[[], str]) -> Callable[[], str]:
    """A source of ids: an unguessable prefix for every start of the server, and a number.

    Args:
        token: makes an unguessable string.

    Returns:
        Makes an id that never was before, at every call.
    """
    return map(f"{token()[:12]}-{{:x}}".format, count(1)).__next__
