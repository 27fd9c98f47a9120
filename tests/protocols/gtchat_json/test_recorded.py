"""What clients of the first version of the protocol sent, and what they were answered.

`recorded/*.jsonl` has, for each client, a session with the server before messages could change: a
line is `[connection, what, value]`. `sent` is a request as the client wrote it, `received` what
the server then sent to that connection, `lost` the end of the connection (`clean`: its user closed
the client). The same requests get the same frames: new fields only where they say something. What a
user does in a room is not pushed to the connection that asked for it, as it was then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, TestServer
from tests.frames import check

RECORDED = Path(__file__).parent / "recorded"
#: Fields that are different in each run.
_VARYING = frozenset({"id", "session_id", "epoch", "version"})
#: Cmd, type or last_cmd of a frame -> fields that it may have now, and did not have.
ADDED: dict[str, set[str]] = {
    "c_speak": {"guest"},
    "c_whisper": {"guest", "seq"},
    "whisper": {"seq"},
    "login": {"directs"},
    "resume": {"directs"},
    "hello": {"name", "registration", "guests"},
    "room": {"preview"},
    "rooms": {"preview"},
    "room_changed": {"preview"},
    "room_created": {"preview"},
    **dict.fromkeys(("create_room", "set_room", "join_room", "leave_room"), {"seq", "at"}),
    **dict.fromkeys(("add_member", "remove_member", "kick", "invite_reply"), {"seq", "at"}),
}
#: Command -> type of the event that its connection was pushed after the reply, and is no more.
NOT_PUSHED = {
    "set_room": "room_changed",
    "add_member": "join_room",
    "remove_member": "removed",
    "kick": "kicked",
    "delete_room": "room_gone",
}


class Recorded(SynchronousTestCase):
    """One test for each recording."""


def replay(lines: list[list[Any]]) -> list[list[Any]]:
    """Send the requests of a recording to a new server; return the recording of that."""
    server = TestServer()
    clients: dict[int, FakeClient] = {}
    sessions: dict[int, dict[str, str]] = {}
    found: list[list[Any]] = []
    for number, what, value in lines:
        if what == "received":
            continue
        if number not in clients:
            clients[number] = server.connect()
        client = clients[number]
        found.append([number, what, value])
        if what == "lost":
            if client.closed is None:
                client.drop(value == "clean")
        else:
            client.raw(_filled_in(value, sessions))
        server.clock.advance(1)
        server.run_pending()
        for other, receiver in clients.items():
            for frame in receiver.received():
                if "session_id" in frame:
                    sessions[other] = {key: frame[key] for key in ("session_id", "epoch")}
                found.append([other, "received", _fixed(frame)])
    return found


def _without_own(lines: list[list[Any]]) -> list[list[Any]]:
    """Return a recording without the events that are not sent any more."""
    own: dict[int, str | None] = {}
    kept = []
    for number, what, value in lines:
        if what == "received":
            if own.get(number) is not None and value.get("type") == own[number]:
                own[number] = None
                continue
            if value.get("status") == "ok":
                own[number] = NOT_PUSHED.get(value["last_cmd"])
        kept.append([number, what, value])
    return kept


def _filled_in(request: str, sessions: dict[int, dict[str, str]]) -> str:
    """Return a request with the session that it resumes, which it names by its connection."""
    frame = json.loads(request)
    if frame["cmd"] != "resume":
        return request
    return json.dumps({**frame, **sessions[frame["session_id"]]})


def _fixed(value: Any) -> Any:
    """Return a frame without the values that are different in each run."""
    if isinstance(value, list):
        return [_fixed(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: "*" if key in _VARYING else _fixed(part) for key, part in value.items()}


def _without_added(now: Any, then: Any, kind: str) -> Any:
    """Return a frame without the fields that it may have besides those of the recording."""
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [_without_added(*pair, kind) for pair in zip(now, then, strict=True)]
    if not isinstance(now, dict) or not isinstance(then, dict):
        return now
    names = [now.get(key, "") for key in ("cmd", "type", "last_cmd")]
    added = set().union(*(ADDED.get(str(name), set()) for name in names), ADDED.get(kind, set()))
    if now.get("last_cmd") == "hello":  # settings and features are added to it
        features = [one for one in now["features"] if one in then["features"]]
        limits = {key: now["limits"].get(key) for key in then["limits"]}
        kept = {key: part for key, part in now.items() if key in then or key not in ADDED["hello"]}
        return {**kept, "features": features, "limits": limits}
    return {
        key: _without_added(part, then.get(key), key)
        for key, part in now.items()
        if key in then or key not in added
    }


def _test(name: str) -> Any:
    def test(self: Recorded) -> None:
        lines = [json.loads(line) for line in (RECORDED / name).read_text().splitlines()]
        now = replay(lines)
        lines = _without_own(lines)
        self.assertEqual(len(now), len(lines), "more or fewer frames")
        for number, (found, expected) in enumerate(zip(now, lines, strict=True), 1):
            if found[1] == "received":
                frame = _without_added(found[2], expected[2], "")
                self.assertEqual(frame, expected[2], f"{name}, line {number}")
            else:
                self.assertEqual(found, expected)

    return test


class Requests(SynchronousTestCase):
    def test_all_that_were_sent_fit_the_schema(self) -> None:
        for path in RECORDED.glob("*.jsonl"):
            for line in path.read_text().splitlines():
                number, what, value = json.loads(line)
                if what == "sent" and '"nonsense"' not in value:
                    request = json.loads(value)
                    check({**request, "session_id": ""} if request["cmd"] == "resume" else request)


for _path in sorted(RECORDED.glob("*.jsonl")):
    setattr(Recorded, f"test_{_path.stem}", _test(_path.name))
