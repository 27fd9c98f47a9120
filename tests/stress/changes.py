"""SIGKILL at random moments while users change messages; afterwards nothing may be half done.

In each cycle all users send many requests at once, the server is killed at a random moment and
starts again, and what has no reply is sent again with its txn. At the end the log of the room is
read. Each request is an entry once or, by its reply, none; and each message is the fold of its
entries.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import Any

import attrs

from tests.e2e.server import Client, Closed, Server

ROOM = "garden"
USERS = ("ann", "ben", "rob")
EMOJI = ("\u2764\ufe0f", "\U0001f44d", "\U0001f600")
#: Requests of a user in a cycle.
REQUESTS = 40
#: Seconds from the requests until the kill, at most.
KILL_AFTER = 0.25
#: Cycles at most, for each one that is wanted.
MOST = 5
CHANGES = ("edited", "deleted", "reacted", "pinned", "unpinned")
PASSWORD = "long enough"


@attrs.define(eq=False)
class Request:
    """A request with its txn; `reply` is None until it has one."""

    cmd: str
    fields: dict[str, Any]
    reply: dict[str, Any] | None = None


@attrs.define(eq=False)
class Changes:
    """Cycles on one data folder.

    Attributes:
        server: not started yet; its rate limits are off.
        random: the source of what is random.
        requests: those of each user, in order.
        violations: what is wrong, one line each.
    """

    server: Server
    random: random.Random
    requests: dict[str, list[Request]] = attrs.field(factory=lambda: {user: [] for user in USERS})
    violations: list[str] = attrs.field(factory=list)

    def run(self, cycles: int) -> None:
        """Run the cycles, and further ones until a reply was lost; compare log and replies.

        A kill may come when all requests are answered, or none is done.
        """
        self.server.start()
        self._register()
        for number in range(MOST * cycles):
            if number >= cycles and self.repeated():
                break
            self._cycle(killed=True)
        self._cycle(killed=False)
        self._check()

    def repeated(self) -> list[Request]:
        """Return the requests that were done when they were sent again."""
        every = (one for user in self.requests.values() for one in user)
        return [one for one in every if one.reply is not None and one.reply.get("dup")]

    def _register(self) -> None:
        for user in USERS:
            client = Client(self.server.ws_port)
            client.call("register", usr=user, pwd=PASSWORD)
            client.call("login", type="reg", usr=user, pwd=PASSWORD)
            cmd = "create_room" if user == USERS[0] else "join_room"
            assert client.call(cmd, room_name=ROOM)["status"] == "ok"
            client.close()

    def _cycle(self, killed: bool) -> None:
        clients = {}
        for user in USERS:
            clients[user] = client = Client(self.server.ws_port)
            reply = client.call("login", type="reg", usr=user, pwd=PASSWORD)
            [last] = [one["last_seq"] for one in reply["rooms"] if one["room_name"] == ROOM]
            self.requests[user] += [self._request(user, last) for _ in range(REQUESTS)]
        waiting = {}
        for user, client in clients.items():
            open_ones = [one for one in self.requests[user] if one.reply is None]
            waiting[user] = {client.send(one.cmd, **one.fields): one for one in open_ones}
        if killed:
            time.sleep(self.random.uniform(0, KILL_AFTER))
            self.server.kill()
        for user, client in clients.items():
            with suppress(Closed, ConnectionError):
                while any(one.reply is None for one in waiting[user].values()):
                    message = client.message()
                    if message["cmd"] == "c_response":
                        waiting[user][message["tracker"]].reply = message
            client.close()
        if killed:
            self.server.start()

    def _request(self, user: str, last: int) -> Request:
        """Return a random request about one of the newest entries."""
        fields: dict[str, Any] = {"room_name": ROOM, "txn": f"{self.random.getrandbits(96):x}"}
        weights = {"speak": 8, "edit": 5, "react": 6, "delete": 1}
        if user == USERS[0]:
            weights |= {"pin": 4, "unpin": 4}
        [cmd] = self.random.choices(list(weights), list(weights.values()))
        seq = self.random.randint(max(1, last - 20), last + 60)
        if cmd in ("pin", "unpin"):  # of few messages, so that some are pinned
            seq = last + self.random.randint(1, 4)
        text = f"{user} {self.random.getrandbits(48):x}"
        if cmd == "speak":
            fields["msg"] = text
            if self.random.random() < 0.3:
                fields["reply"] = seq
            return Request(cmd, fields)
        fields["seq"] = seq
        if cmd == "edit":
            fields["msg"] = text
        elif cmd == "react":
            fields |= {"emoji": self.random.choice(EMOJI), "on": self.random.random() < 0.7}
        return Request(cmd, fields)

    # The check.

    def _check(self) -> None:
        client = Client(self.server.ws_port)
        client.call("login", type="reg", usr=USERS[1], pwd=PASSWORD)
        log = {one["seq"]: one for one in self._log(client)}
        client.close()
        if list(log) != list(range(1, len(log) + 1)):
            self.violations.append(f"the log has gaps: {len(log)} entries, {max(log)} is the last")
        asked: dict[int, Request] = {}
        for user, requests in self.requests.items():
            for request in requests:
                self._check_reply(user, request, log, asked)
        extra = [
            seq
            for seq, one in log.items()
            if seq not in asked and (one["cmd"] == "c_speak" or one["type"] in CHANGES)
        ]
        if extra:
            self.violations.append(f"{extra} are entries that no request has")
        if self.violations:
            return  # messages can be compared only where the entries are those of requests
        for seq, message in log.items():
            if message["cmd"] == "c_speak":
                changes = [one for one in log.values() if one.get("of") == seq]
                self._check_message(message, asked[seq], changes, asked)

    def _log(self, client: Client) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        kinds = ["c_speak", "room_created", "join_room", *CHANGES]
        while True:
            after = entries[-1]["seq"] if entries else 0
            page = client.call("history", room_name=ROOM, after=after, limit=200, kinds=kinds)
            entries += page["entries"]
            if not page["more"]:
                return entries

    def _check_reply(
        self,
        user: str,
        request: Request,
        log: dict[int, dict[str, Any]],
        asked: dict[int, Request],
    ) -> None:
        reply = request.reply
        assert reply is not None
        seq = reply.get("seq")
        if seq is None:
            return
        if seq in asked or seq not in log:
            self.violations.append(f"{request} is not one entry")
            return
        asked[seq] = request
        entry = log[seq]
        kind = {"speak": "c_speak", "edit": "edited", "delete": "deleted", "react": "reacted"}
        kind |= {"pin": "pinned", "unpin": "unpinned"}
        found = entry.get("type", entry["cmd"])
        by = entry["by"] if found == "deleted" else entry["usr"]
        if (found, by, entry.get("of")) != (kind[request.cmd], user, request.fields.get("seq")):
            self.violations.append(f"{request} is {entry}")

    def _check_message(
        self,
        message: dict[str, Any],
        spoken: Request,
        changes: list[dict[str, Any]],
        asked: dict[int, Request],
    ) -> None:
        """Compare a message with the fold of its changes."""
        expected = {"msg": spoken.fields["msg"], "reactions": {}}
        if "reply" in spoken.fields:
            expected["reply"] = spoken.fields["reply"]
        for change in changes:
            kind, request = change["type"], asked[change["seq"]]
            expected["changed"] = change["seq"]
            if kind == "edited":
                expected |= {"msg": request.fields["msg"], "edited": True}
            elif kind == "deleted":
                deletion = {"by": change["by"], "reason": ""}
                expected = {
                    "msg": "",
                    "reactions": {},
                    "deleted": deletion,
                    "changed": change["seq"],
                }
            elif kind == "reacted":
                users = expected["reactions"].setdefault(change["emoji"], [])
                (users.append if change["on"] else users.remove)(change["usr"])
            elif kind == "pinned":
                expected["pinned"] = True
            else:
                expected.pop("pinned")
        found = {
            name: message[name]
            for name in ("msg", "edited", "deleted", "changed", "pinned")
            if name in message
        }
        found["reactions"] = {one["emoji"]: one["users"] for one in message.get("reactions", [])}
        if "reply" in message:
            found["reply"] = message["reply"]["seq"]
        expected["reactions"] = {
            emoji: users for emoji, users in expected["reactions"].items() if users
        }
        if found != expected:
            self.violations.append(f"{message['seq']} is {found}, and should be {expected}")
