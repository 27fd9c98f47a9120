"""Two innocent users who talk in a room of their own while something bad happens elsewhere.

They say numbers to each other, about twenty a second. Afterwards nothing of it may be lost,
repeated or in another order, for them and for a third who comes later; the server holds no more
memory and descriptors than before; and its log has no traceback, no secret and no control
character.
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
PACE = 0.05
#: Bytes that a server may hold more than before.
GROWTH = 10 * 1024 * 1024
_pause = Event()
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Bystanders:
    """To be used with `with`: what goes on inside must not touch them.

    Args:
        server: it runs. secrets: what its log must not have.
        watch: whether memory and descriptors are looked at.
    """

    def __init__(self, server: Server, *secrets: str, watch: bool = True) -> None:
        self.server = server
        self.secrets = list(secrets)
        self._watch = watch
        self._stop = Event()
        self._said = 0
        self._error: Exception | None = None
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Bystanders:
        self._ann, self._bob = self._come("bystander-ann"), self._come("bystander-bob")
        self._ann.say("create_room", room_name=ROOM)
        self._bob.say("join_room", room_name=ROOM)
        self._ann.taken.clear()
        self._bob.taken.clear()
        self._talk()
        self._memory, self._files = memory(self.server), files(self.server)
        self._thread.start()
        return self

    def _come(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        reply = client.say("login", type="tmp", usr=name)
        assert reply["status"] == "ok", reply
        self.secrets.append(reply["session_id"])
        return client

    def _run(self) -> None:
        try:
            while not self._stop.wait(PACE):
                self._talk()
        except Exception as error:
            self._error = error

    def _talk(self) -> None:
        """One says the next number, and the other has to hear just that."""
        pair = (self._ann, self._bob)
        speaker, hearer = pair if self._said % 2 else pair[::-1]
        self._said += 1
        reply = speaker.say("speak", room_name=ROOM, msg=str(self._said))
        assert reply["status"] == "ok", reply
        while not (heard := [message for message in hearer.taken if _is_ours(message)]):
            hearer.taken.append(hearer.message())
        assert [m.get("msg") for m in heard] == [str(self._said)], heard
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
            raise AssertionError(f"a bystander was hurt: {self._error!r}") from self._error
        self._talk()
        carol = self._come("bystander-carol")
        carol.say("join_room", room_name=ROOM)
        wanted = [str(number) for number in range(1, self._said + 1)]
        assert self._history(carol) == wanted, "the history is not what was said"
        carol.say("logout")
        carol.close()
        if self._watch:
            until(lambda: files(self.server) <= self._files, "descriptors stay open")
            until(lambda: memory(self.server) < self._memory + GROWTH, "memory stays taken")
        self.check_log()

    def _history(self, client: Client) -> list[str]:
        found: list[str] = []
        after, more = 0, True
        while more:
            page = client.say("history", room_name=ROOM, after=after, limit=200)
            found += [entry["msg"] for entry in page["entries"] if entry["cmd"] == "c_speak"]
            after, more = page["entries"][-1]["seq"], page["more"]
        return found

    def check_log(self) -> None:
        """The log has no traceback, no secret, no control character."""
        check_log("".join(self.server.lines), self.secrets)


def _is_ours(message: dict[str, Any]) -> bool:
    return message["cmd"] == "c_speak" and message["room_name"] == ROOM


def check_log(log: str, secrets: Sequence[str] = ()) -> None:
    """See that a log has no traceback, no secret, no control character."""
    for word in ("Traceback", "Unhandled", *secrets):
        assert word not in log, f"{word!r} is in the log:\n{log[-3000:]}"
    found = _CONTROL.search(log)
    assert found is None, f"{found} is in the log"


def process(server: Server) -> Path:
    """Where the system tells of a server's process."""
    assert server.process is not None
    return Path(f"/proc/{server.process.pid}")


def files(server: Server) -> int:
    """How many descriptors a server has open."""
    return len(os.listdir(process(server) / "fd"))


def memory(server: Server) -> int:
    """Bytes of memory that a server has."""
    status = (process(server) / "status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def until(condition: Callable[[], Any], what: str) -> None:
    """Look until something is so, as long as anybody would wait for it."""
    late = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < late, what
        _pause.wait(PACE / 5)
