"""Users for `commands`: of the JSON API, which are compared closely, and of the other protocols.

All are blocking; nothing waits for a fixed time.
"""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from queue import Empty
from typing import Any

from tests.e2e import dialback
from tests.e2e.server import SECONDS, Client, Closed

LOBBY = "lobby"
PASSWORD = "long-enough"
Entry = dict[str, Any]


class JSONUser:
    """A user of the JSON API, with a record of what was pushed.

    Args:
        name: the user name.
        guest: whether it is a temporary user.

    Attributes:
        online: whether the user is logged in.
        ever_blocked: users that this one has blocked at some time.
    """

    def __init__(self, name: str, guest: bool) -> None:
        self.name = name
        self.guest = guest
        self.online = False
        self.ever_blocked: set[str] = set()
        self._client: Client | None = None
        self._login: dict[str, Any] | None = None
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._replies: dict[str, dict[str, Any]] = {}
        #: Room -> seq -> entry, since `_from`; and the seq from which on all have to come.
        self._entries: dict[str, dict[int, Entry]] = {}
        self._from: dict[str, int] = {}
        #: Room, in folded case, and seq of the entries that replies have told of.
        self._own: set[tuple[str, int]] = set()
        self._problems: list[str] = []
        self._registered = False

    # Connecting.

    def start(self, ports: dict[str, int], resume: bool = True, elsewhere: bool = False) -> None:
        """Connect, and log in or resume.

        Args:
            ports: protocol -> port.
            resume: whether to resume the session if there is one.
            elsewhere: whether the connection before is left open, for the server to close.
        """
        before = self._client
        self._client = Client(ports["WebSocket"])
        self._waiting.clear()
        self._replies.clear()
        if not self.guest and not self._registered:
            self._registered = True
            self.call("register", usr=self.name, pwd=PASSWORD)
        if resume and not elsewhere and self._login is not None and self._resume():
            return
        self._entries, self._from = {}, {}
        fields = {"type": "tmp"} if self.guest else {"type": "reg", "pwd": PASSWORD}
        reply = self.call("login", usr=self.name, **fields)
        assert reply["status"] == "ok", (self.name, reply)
        self._logged_in(reply)
        if elsewhere and before is not None:
            before.wait_closed()
            before.close()

    def _logged_in(self, reply: dict[str, Any]) -> None:
        self._login = reply
        self.online = True
        for room in reply["rooms"]:
            if room["joined"]:
                self._from.setdefault(room["room_name"], room["last_seq"])

    def _resume(self) -> bool:
        """Resume the session; return whether that was possible."""
        assert self._login is not None
        seen = {
            room: max(self._entries.get(room, {0: {}}) | {at: {}})
            for room, at in self._from.items()
        }
        reply = self.call(
            "resume",
            session_id=self._login["session_id"],
            epoch=self._login["epoch"],
            seen=seen,
        )
        if reply["status"] != "ok":
            return False
        for room in reply["resumed"]:
            name = room["room_name"]
            if room["state"] == "resumed":
                for entry in room["entries"]:
                    self._take(entry)
            else:  # of a room that was deleted or left, and of one with too many entries
                self._entries.pop(name, None)
                self._from.pop(name, None)
        self._login = {**self._login, "session_id": reply["session_id"], "epoch": reply["epoch"]}
        self._logged_in(reply)
        return True

    def disconnect(self, clean: bool = False) -> None:
        """Close the connection. clean: whether with a closing handshake."""
        if self._client is None:
            return
        self.online = False
        try:
            if clean:
                self._client.frame(struct.pack("!H", 1001), 8)
                self._client.wait_closed()
        except OSError:
            pass
        self._client.close()

    # Requests.

    def send(self, cmd: str, **fields: object) -> str:
        """Send a request; return its tracker."""
        assert self._client is not None
        tracker = self._client.send(cmd, **fields)
        self._waiting.append((tracker, {"cmd": cmd, **fields}))
        return tracker

    def reply(self, tracker: str) -> dict[str, Any]:
        """Return the reply to a request."""
        while tracker not in self._replies:
            self._read()
        return self._replies.pop(tracker)

    def call(self, cmd: str, **fields: object) -> dict[str, Any]:
        """Send a request and return its reply."""
        return self.reply(self.send(cmd, **fields))

    def drain(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Read until the connection ends; return the requests that were answered."""
        requests = dict(self._waiting)
        try:
            while True:
                self._read()
        except (Closed, OSError):
            pass
        return [(requests[t], reply) for t, reply in self._replies.items() if t in requests]

    def _read(self) -> None:
        """Take a message of the server."""
        assert self._client is not None
        message = self._client.message()
        if message["cmd"] != "c_response":
            self._take(message)
            return
        tracker, request = self._waiting.popleft()
        if message["tracker"] != tracker:
            self._problems.append(f"{self.name}: {request} was answered out of order")
        self._replies[message["tracker"]] = message
        if message["status"] == "ok":
            self._follow(request, message)

    def _follow(self, request: dict[str, Any], reply: dict[str, Any]) -> None:
        """Note from where on the entries of a room are pushed, or that they are not any more.

        The entry of a reply is not pushed to the connection that asked for it.
        """
        cmd = request["cmd"]
        if reply.get("seq"):
            changed = reply.get("room", request).get("room_name", "")
            self._own.add((changed.casefold(), reply["seq"]))
        if cmd in ("join_room", "create_room", "invite_reply") and "room" in reply:
            name = reply["room"]["room_name"]
            self._entries.pop(name, None)
            self._from[name] = reply["room"]["last_seq"]
        elif cmd in ("leave_room", "delete_room") or (
            cmd == "remove_member" and request["user"] == self.name
        ):
            self._forget(request["room_name"])

    def _forget(self, room: str) -> None:
        self._entries.pop(room, None)
        self._from.pop(room, None)

    def _take(self, push: Entry) -> None:
        """Take a push or a missed entry."""
        room, seq, kind = push.get("room_name", ""), push.get("seq"), push.get("type")
        if kind == "room_gone":
            self._forget(room)
        if not seq or kind == "marked_read":
            return
        if kind in ("leave_room", "kicked", "removed") and push["usr"] == self.name:
            self._forget(room)
            return
        if room not in self._from:
            if kind == "join_room" and push["usr"] == self.name:  # added by another user
                self._from[room] = seq
            return
        known = self._entries.setdefault(room, {})
        last = max(known, default=self._from[room])
        if seq <= last:
            self._problems.append(f"{self.name} received {seq} of {room} after {last}")
        known[seq] = {key: value for key, value in push.items() if key != "tracker"}

    def wait_for_text(self, text: str) -> None:
        """Read until a message of the lobby has come."""
        while all(entry.get("msg") != text for entry in self._entries.get(LOBBY, {}).values()):
            self._read()

    def wait_for(self, room: str, seq: int) -> None:
        """Read until an entry has come."""
        while seq not in self._entries.get(room, {}):
            self._read()

    # What is compared.

    def read_log(self, room: str) -> list[Entry] | None:
        """Return the log of a room, None if the user may not read it."""
        log: list[Entry] = []
        while True:
            after = log[-1]["seq"] if log else 0
            page = self.call("history", room_name=room, after=after, limit=200)
            if page["status"] != "ok":
                return None
            for entry in page["entries"]:
                entry.pop("blocked", None)  # differs between the readers
                log.append({key: value for key, value in entry.items() if key != "tracker"})
            if not page["more"]:
                return log

    def describe(self, room: str) -> dict[str, Any]:
        """Return what the server says about a room: of its lists, all names."""
        found = self.call("get_room_user_list", room_name=room, limit=1000)
        listed = self.call("get_room_list", limit=1000)["rooms"]
        [described] = [one for one in listed if one["room_name"] == room]
        return {**described, "users": found["users"]}

    def missing_pushes(self, room: str, log: Sequence[Entry]) -> list[str]:
        """Return what is wrong with the pushes of a room, and with the order of replies.

        Args:
            room: the room.
            log: its log, which the user can read.
        """
        problems, self._problems = self._problems, []
        if room not in self._from:
            return [*problems, f"{self.name} can read {room} and does not know of a membership"]
        known = self._entries.get(room, {})
        for entry in log[self._from[room] :]:
            pushed = known.get(entry["seq"])
            if pushed is not None and pushed != entry:
                problems.append(f"{self.name} received {pushed} of {room}, which is {entry}")
            own = self.name in (entry["usr"], entry.get("by"))
            own = own or (room.casefold(), entry["seq"]) in self._own
            if pushed is None and not own and entry["usr"] not in self.ever_blocked:
                problems.append(f"{self.name} did not receive {entry} of {room}")
        # What was checked need not be kept.
        self._from[room] = len(log)
        self._entries.pop(room, None)
        self._own = {one for one in self._own if one[0] != room.casefold()}
        return problems


class RandomChatUser:
    """A user of RandomChat.

    Args:
        name: the name.
        phone: the number.
    """

    def __init__(self, name: str, phone: str) -> None:
        self.name = name
        self._phone = phone
        self._client: Client | None = None

    def start(self, ports: dict[str, int]) -> None:
        """Connect and register."""
        self._client = Client(ports["WebSocket"])
        self._send("register", user={"name": self.name, "phone": self._phone})
        while self._client.message().get("type") != "state":
            pass

    def _send(self, kind: str, **fields: object) -> None:
        assert self._client is not None
        self._client.frame(json.dumps({"type": kind, **fields}).encode())

    def act(self, choose: random.Random, text: str, rooms: Sequence[str]) -> None:
        """Send a random request, and wait until it is answered."""
        room = choose.choice(rooms)
        kind, fields = choose.choice(
            [
                ("send_message", {"chat": LOBBY, "message": text}),
                ("send_message", {"chat": room, "message": text}),
                ("create_chat", {"name": room}),
                ("add_member", {"chat": room, "phone": choose.choice(("4911", "4922"))}),
                ("remove_member", {"chat": room, "phone": self._phone}),
            ]
        )
        self._send(kind, **fields)
        self._send(text)  # is answered with an error that names it: the request before is done
        assert self._client is not None
        while (answer := self._client.message()).get("code") != "unknown_cmd":
            assert answer.get("code") != "internal", answer

    def disconnect(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()


class LobbyListener:
    """What a user of a plain protocol has heard in the lobby.

    Args:
        name: the user name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._heard: list[str] = []

    def take(self) -> bool:
        """Take what has come; return False if nothing comes for long."""
        raise NotImplementedError

    def wait_for(self, text: str) -> bool:
        """Wait until a message is heard; return whether it was."""
        end = time.monotonic() + SECONDS
        while text not in self._heard:
            if not self.take() or time.monotonic() > end:
                return False
        return True

    def gaps(self, said: Sequence[tuple[str, str]]) -> list[str]:
        """Return what is wrong with what was heard, and forget it.

        Args:
            said: senders and texts of all messages of the lobby, in order.
        """
        heard, self._heard = self._heard, []
        others = [text for sender, text in said if sender != self.name]
        if not heard:
            return []
        if heard[0] not in others:
            return [f"{self.name} heard {heard[0]}, which is not in the log"]
        first = others.index(heard[0])
        expected = others[first : first + len(heard)]
        return [] if heard == expected else [f"{self.name} heard {heard}, not {expected}"]


class PlainUser(LobbyListener):
    """A user of a protocol of plain text, who sends to the lobby."""

    def start(self, ports: dict[str, int]) -> None:
        """Log in."""
        raise NotImplementedError

    def act(self, choose: random.Random, text: str, rooms: Sequence[str]) -> None:
        """Send a message to the lobby, or another command."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Close the connection."""


class TelnetUser(PlainUser):
    """A user of Live chat."""

    _MESSAGE = re.compile(r"^\[\d\d:\d\d:\d\d\] (\S+) > (\S+)$", re.MULTILINE)

    _socket: socket.socket | None = None
    _text = ""

    def start(self, ports: dict[str, int]) -> None:
        self._heard, self._text = [], ""
        self._socket = socket.create_connection(("127.0.0.1", ports["livechat"]), SECONDS)
        self._socket.sendall(self.name.encode())
        data = b""
        while not data.endswith(b"&" + self.name.encode()):
            more = self._socket.recv(4096)
            assert more, f"{self.name} is refused: {data!r}"
            data += more

    def act(self, choose: random.Random, text: str, rooms: Sequence[str]) -> None:
        assert self._socket is not None
        self._socket.sendall(text.encode())

    def take(self) -> bool:
        assert self._socket is not None
        data = self._socket.recv(65536)
        # Writes have no end; each message has a line of its own here.
        self._text += re.sub(r"(?<!^)(?=\[\d\d:\d\d:\d\d\] )", "\n", data.decode())
        lines = self._text.split("\n")
        found = [pair for line in lines for pair in self._MESSAGE.findall(line)]
        self._heard += [text for sender, text in found if sender != "server"]
        self._text = ""
        return bool(data)

    def disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()


class DialbackUser(PlainUser):
    """A user of a protocol in which the server connects to the client."""

    _client: Any = None
    _pushed: re.Pattern[str]

    def take(self) -> bool:
        try:
            call = self._client._calls.get(timeout=SECONDS)
        except Empty:
            return False
        self._heard += self._pushed.findall(self._decode(b"".join(call)))
        return True

    def _decode(self, data: bytes) -> str:
        return data.decode()

    def disconnect(self) -> None:
        if self._client is not None:
            self._client.die()


class MessageCenterUser(DialbackUser):
    """A user of Message Center."""

    _pushed = re.compile(r"^\[\w+\]: (\w+-\d+)$", re.MULTILINE)

    def start(self, ports: dict[str, int]) -> None:
        self._heard = []
        self._client = dialback.MessageCenterClient(ports["message_center"])
        answers = self._client.log_in(self.name.encode(), PASSWORD.encode())
        assert answers == [b"LOGIN_OKAY"], answers

    def act(self, choose: random.Random, text: str, rooms: Sequence[str]) -> None:
        kind, rest = choose.choice(((b"BRD", text), (b"BRD", text), (b"ONL", ""), (b"HEY", "")))
        self._client.request(kind, rest.encode())

    def _decode(self, data: bytes) -> str:
        return data[4:].decode()


class PA1User(DialbackUser):
    """A user of PA1."""

    _pushed = re.compile(r"^\w+ said: (\S+)$", re.MULTILINE)

    def start(self, ports: dict[str, int]) -> None:
        self._heard = []
        self._client = dialback.PA1Client(ports["pa1"])
        answer = self._client.log_in(self.name, PASSWORD)
        assert answer.startswith(b"Ok"), answer

    def act(self, choose: random.Random, text: str, rooms: Sequence[str]) -> None:
        command = choose.choice((f"broadcast {text}", f"broadcast {text}", "online"))
        self._client.request(f"{self.name} {command}")
