"""What a connection is told when it is made."""

from __future__ import annotations

from collections.abc import Callable
from random import Random, SystemRandom
from typing import Literal

import attrs
from twisted.internet.defer import Deferred

from gtchat.client.credentials import User
from gtchat.client.handlers import Spawn

State = Literal["up", "lost", "closed"]


@attrs.frozen
class Options:
    """What a connection is told.

    Attributes:
        user: who is logged in at first; None: the program logs in.
        device: names the device of the session; None for none.
        pace: whether to send no faster than the server allows.
        call_timeout: seconds after which a connection on which a command is not answered is
            given up.
        on_state: called with each new state of the connection.
        spawn: runs the coroutine of a handler.
        random: source of the jitter and of transaction ids.
    """

    user: User | None = None
    device: str | None = None
    pace: bool = True
    call_timeout: float = 30.0
    on_state: Callable[[State], None] | None = None
    spawn: Spawn = Deferred.fromCoroutine
    random: Random = attrs.field(factory=SystemRandom)
