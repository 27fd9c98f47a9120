"""Runs clients of the library gtchat.client for test_scenarios.py, as scenario_driver.mjs does.

Commands and observations are lines of JSON; `Driver` in scenario_peers.py describes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet import stdio
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from gtchat.client import (
    CannotConnect,
    CloseReason,
    CommandFailed,
    Connection,
    ConnectionClosed,
    ConnectionLost,
    ConnectionRestored,
    Event,
    Guest,
    Message,
    Registered,
    RoomReset,
    Unanswered,
    Whisper,
    backoff,
    connect,
    event_stream,
    reconnecting,
)

#: The first word of the server's close reason.
WORDS = {
    CloseReason.REPLACED: "replaced",
    CloseReason.PASSWORD_CHANGED: "password_changed",
    CloseReason.SESSION_OVER: "session_ended",
    CloseReason.KICKED: "kicked",
}
#: The events that are reported, as what, and their fields.
REPORTED: dict[type[Event], tuple[str, tuple[str, ...]]] = {
    Message: ("message", ("room", "seq", "epoch", "user", "text")),
    Whisper: ("whisper", ("user", "text")),
    ConnectionLost: ("lost", ("retry_in",)),
    ConnectionRestored: ("restored", ()),
    RoomReset: ("reset", ("room", "reason")),
}


def translate(event: Event) -> dict[str, Any] | None:
    """Return what is reported of an event; None for one that the tests do not look at."""
    if type(event) not in REPORTED:
        return None
    saw, names = REPORTED[type(event)]
    found = {name: getattr(event, name) for name in names}
    if isinstance(event, ConnectionLost):
        found["code"] = event.code or 1006
    return {"saw": saw, **found}


def failure(error: BaseException) -> str:
    """Return how the failure of a command is reported."""
    match error:
        case CommandFailed(code=code):
            return code
        case ConnectionClosed() | CannotConnect():
            return "closed"
        case Unanswered():
            return "unanswered"
    return repr(error)


class Client:
    """One client.

    Args:
        name: of the client in the test.
        write: sends a line to the test. (Standard output does not block: `print` would lose some.)
    """

    def __init__(self, name: str, write: Callable[[bytes], None]) -> None:
        self.name = name
        self._write = write
        self.connection: Connection | None = None
        self._gate: Deferred[None] | None = None

    def tell(self, **observation: Any) -> None:
        """Report an observation."""
        self._write(json.dumps({"client": self.name, **observation}).encode())

    async def read(self) -> None:
        """Report the events."""
        assert self.connection is not None
        try:
            async for event in self.connection.events():
                if self._gate is not None:
                    await self._gate
                if observation := translate(event):
                    self.tell(**observation)
            self.tell(saw="closed", code=1000)
        except ConnectionClosed as error:
            known = error.code in (4001, 4002)  # the other codes say all
            self.tell(
                saw="closed", code=error.code, **({"reason": WORDS[error.reason]} if known else {})
            )

    async def follow(self, room: str, after: str) -> None:
        """Report what happened in a room since a position, and what happens."""
        assert self.connection is not None
        async for event in self.connection.follow(room, after=after):
            if observation := translate(event):
                self.tell(**observation)

    async def do_open(
        self,
        url: str,
        login: dict[str, Any],
        timeout: float,
        after: dict[str, dict[str, Any]] | None = None,
        **_: Any,
    ) -> Any:
        user = Guest(login["usr"]) if login["type"] == "tmp" else None
        self.connection = await connect(
            url,
            user=user or Registered(login["usr"], login["pwd"]),
            device=login.get("device"),
            call_timeout=timeout,
        )
        for room, position in (after or {}).items():
            Deferred.fromCoroutine(self.follow(room, "{epoch}:{seq}".format(**position)))
        if not after:
            Deferred.fromCoroutine(self.read())
        return {"user": self.connection.user}

    async def do_call(self, cmd: str, fields: dict[str, Any]) -> Any:
        assert self.connection is not None
        return (await self.connection.call(cmd, **fields)).raw

    async def do_close(self, timeout: float = 2) -> None:
        if self.connection is not None:
            await self.connection.close(timeout)

    async def do_end(self) -> None:
        await self.do_close(0)

    async def do_hold(self) -> None:
        self._gate = Deferred()

    async def do_release(self) -> None:
        gate, self._gate = self._gate, None
        assert gate is not None
        gate.callback(None)

    async def do_rooms(self) -> int:
        assert self.connection is not None
        return len([room async for room in self.connection.rooms() if room.joined])


class Commands(LineOnlyReceiver):
    """Standard input."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()
        self._clients: dict[str, Client] = {}

    def lineReceived(self, line: bytes) -> None:
        """Run a command, and report its result."""
        command = json.loads(line)
        do, name, number = (command.pop(key) for key in ("do", "client", "id"))
        client = self._clients.setdefault(name, Client(name, self.sendLine))
        result = maybeDeferred(getattr(client, f"do_{do}"), **command)
        result.addCallbacks(
            lambda value: client.tell(id=number, ok=value),
            lambda failed: client.tell(id=number, error=failure(failed.value)),
        )

    def connectionLost(self, reason: object = None) -> None:
        """End: the test is done."""
        self.done.callback(None)


def main(reactor: object) -> Deferred[None]:
    """Run commands until standard input ends."""
    # Short delays, and few events that wait, so that the scenarios need little time.
    backoff.FIRST_DELAY, backoff.MAX_DELAY = 0.05, 0.2
    event_stream.FULL, event_stream.BRIMFUL = reconnecting.FULL, reconnecting.BRIMFUL = 300, 400
    commands = Commands()
    stdio.StandardIO(commands)
    return commands.done


if __name__ == "__main__":
    react(main)
