"""Ids of messages: unique for ever, across restarts and restored backups, and cheap to make."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import attrs


@attrs.define
class Ids:
    """A source of ids: an unguessable prefix for every start of the server, and a number."""

    _prefix: str
    _numbers: count[int] = attrs.field(factory=lambda: count(1))

    @classmethod
    def started(cls, token: Callable[[], str]) -> Ids:
        """A new source. token: makes an unguessable string."""
        return cls(token()[:12])

    def next(self) -> str:
        """An id that never was before."""
        return f"{self._prefix}-{next(self._numbers):x}"
