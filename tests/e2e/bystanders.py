"""Two users who talk in a room of their own while a test does something bad to the server.

They send numbers to each other, about twenty per second. Afterwards none may be lost, repeated or
reordered, for them and for a third user who joins later; the server uses no more memory and
descriptors than before; and its log has no traceback, no secret and no control character.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

from tests.e2e.server import SECONDS, Client, Server

ROOM = "garden"
#: Seconds between two of their messages.
INTERVAL = 0.05
#: Bytes by which the memory of a server may grow.
MAX_GROWTH = 10 * 1024 * 1024
_pause = Event()
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Bystanders:
    """A context manager: what happens inside must not affect the two users.

    Args:
        server: running.
        secrets: texts that must not be in its log.
        watch: whether memory and descriptors are checked.

    Raises:
        AssertionError: at the end, if a requirement is violated.
    """

    def __init__(self, server: Server, *secrets: str, watch: bool = True) -> None:
        self.server = server
        self.secrets = list(secrets)
        self._watch = watch
        self._stop = Event()
        self._sent = 0
        self._error: Exception | None = None
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Bystanders:
        self._ann, self._bob = self._log_in("bystander-ann"), self._log_in("bystander-bob")
        self._ann.call("create_room", room_name=ROOM)
        self._bob.call("join_room", room_name=ROOM)
        self._ann.taken.clear()
        self._bob.taken.clear()
        self._talk()
        self._memory, self._files = memory(self.server), files(self.server)
        self._thread.start()
        return self

    def _log_in(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        reply = client.call("login", type="tmp", usr=name)
        assert reply["status"] == "ok", reply
        self.secrets.append(reply["session_id"])
        return client

    def _run(self) -> None:
        try:
            while not self._stop.wait(INTERVAL):
                self._talk()
        except Exception as error:
            self._error = error

    def _talk(self) -> None:
        """Let one user send the next number; the other must receive it and nothing else."""
        pair = (self._ann, self._bob)
        sender, receiver = pair if self._sent % 2 else pair[::-1]
        self._sent += 1
        reply = sender.call("speak", room_name=ROOM, msg=str(self._sent))
        assert reply["status"] == "ok", reply
        while not (received := [message for message in receiver.taken if _is_ours(message)]):
            receiver.taken.append(receiver.message())
        assert [m.get("msg") for m in received] == [str(self._sent)], received
        pair[0].taken.clear()
        pair[1].taken.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(SECONDS)
        try:
            if kind is None:
                self._check()
        finally:
            self._ann.close()
            self._bob.close()

    def _check(self) -> None:
        if self._error is not None:
            raise AssertionError(f"a bystander was affected: {self._error!r}") from self._error
        self._talk()
        carol = self._log_in("bystander-carol")
        carol.call("join_room", room_name=ROOM)
        wanted = [str(number) for number in range(1, self._sent + 1)]
        assert self._history(carol) == wanted, "the history is not what was sent"
        carol.call("logout")
        carol.close()
        if self._watch:
            until(lambda: files(self.server) <= self._files, "descriptors stay open")
            until(lambda: memory(self.server) < self._memory + MAX_GROWTH, "memory stays taken")
        self.check_log()

    def _history(self, client: Client) -> list[str]:
        found: list[str] = []
        after, more = 0, True
        while more:
            page = client.call("history", room_name=ROOM, after=after, limit=200)
            found += [entry["msg"] for entry in page["entries"] if entry["cmd"] == "c_speak"]
            after, more = page["entries"][-1]["seq"], page["more"]
        return found

    def check_log(self) -> None:
        """Check that the log has no traceback, no secret, no control character."""
        check_log("".join(self.server.lines), self.secrets)


def _is_ours(message: dict[str, Any]) -> bool:
    return message["cmd"] == "c_speak" and message["room_name"] == ROOM


def check_log(log: str, secrets: Sequence[str] = ()) -> None:
    """Check that a log has no traceback, no secret, no control character.

    Args:
        log: its text.
        secrets: texts that must not be in it.
    """
    for word in ("Traceback", "Unhandled", *secrets):
        assert word not in log, f"{word!r} is in the log:\n{log[-3000:]}"
    found = _CONTROL.search(log)
    assert found is None, f"{found} is in the log"


def process(server: Server) -> Path:
    """Return the folder in /proc of a server's process."""
    assert server.process is not None
    return Path(f"/proc/{server.process.pid}")


def files(server: Server) -> int:
    """Return the number of descriptors that a server has open."""
    return len(os.listdir(process(server) / "fd"))


def memory(server: Server) -> int:
    """Return the resident memory of a server in bytes."""
    status = (process(server) / "status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until a condition is true.

    Args:
        condition: called every few milliseconds.
        what: the message of the error.

    Raises:
        AssertionError: it was not true within `SECONDS`.
    """
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        _pause.wait(INTERVAL / 5)
