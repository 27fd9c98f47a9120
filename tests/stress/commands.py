"""Random commands of users of five protocols at once, with kills of the server in between.

After every few rounds all is compared, with no command under way:

* all members of a room read the same log, without gaps;
* the log folded is what the server says: members, owner, topic, whether the room is public;
* each session of the JSON API was pushed every entry of its rooms once and in order, but its own
  and what blocked users said;
* clients of the plain protocols heard every message of the lobby once and in order;
* everything acknowledged is in the log, also after SIGKILL and a start;
* there was no traceback and no `internal`.

The choices follow from a seed; what the server makes of simultaneous commands does not.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import Any

import attrs

from tests.e2e.server import Server
from tests.stress.command_users import (
    LOBBY,
    PASSWORD,
    Entry,
    JSONUser,
    LobbyListener,
    MessageCenterUser,
    PA1User,
    PlainUser,
    RandomChatUser,
    TelnetUser,
)
from tests.stress.crash import OPTIONS as CRASH_OPTIONS
from tests.stress.folding import RoomState, fold

OPTIONS = (
    *CRASH_OPTIONS,
    *("--connections-per-address", "0"),
    *("--failed-logins-per-minute", "0"),
    *("--daily-bytes-account", "0"),
    *("--daily-bytes-guest", "0"),
    *("--daily-bytes-guests-address", "0"),
)
REGISTERED, GUESTS = ("ann", "ben", "cay"), ("gus", "guy")
ROOMS = ("garden", "attic", "cellar", "porch")
#: Commands that are sent before their replies are read.
AT_ONCE = 6
#: Rounds between two comparisons, and percentage of the comparisons before a kill.
ROUNDS, KILL_PERCENT = 12, 25


@attrs.define
class Result:
    """The result of a run.

    Attributes:
        rounds, commands, checks, kills: how many.
        entries: those compared in all logs.
        violations: one line each.
    """

    rounds: int = 0
    commands: int = 0
    checks: int = 0
    kills: int = 0
    entries: int = 0
    violations: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.commands} commands in {self.rounds} rounds, {self.checks} checks of "
            f"{self.entries} entries, {self.kills} kills, {len(self.violations)} violations"
        )


class Commands:
    """One run.

    Args:
        server: started with `OPTIONS`.
        seed: of the choices.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self._server = server
        self._random = random.Random(seed)
        self.result = Result()
        self._numbers = iter(range(10**9))
        #: Room -> text -> seq and time of its acknowledgement.
        self._acknowledged: dict[str, dict[str, tuple[int, str]]] = {}
        self._json: dict[str, JSONUser] = {}
        self._others: list[PlainUser | RandomChatUser] = []
        self._log_lines = 0

    def run(self, seconds: float, progress: Callable[[int], None] = lambda done: None) -> Result:
        """Run for some seconds, at least two comparisons with a kill between them.

        Args:
            seconds: how long.
            progress: called with the number of seconds so far.
        """
        try:
            self._server.start()
            self._run(seconds, progress)
        finally:
            self._server.kill()
        self._check_log()
        progress(int(seconds))
        return self.result

    def _run(self, seconds: float, progress: Callable[[int], None]) -> None:
        self._connect_all()
        began = time.monotonic()
        while (spent := time.monotonic() - began) < seconds or self.result.kills < 1:
            progress(min(int(spent), int(seconds)))
            for _ in range(ROUNDS):
                self._round()
            self._check()
            if self._random.randrange(100) < KILL_PERCENT or spent > seconds:
                self._kill()
                self._check()
            if len(self.result.violations) > 20:
                break
        for user in [*self._json.values(), *self._others]:
            user.disconnect()

    # Users.

    def _connect_all(self) -> None:
        for name in REGISTERED:
            self._json[name] = JSONUser(name, guest=False)
        for name in GUESTS:
            self._json[name] = JSONUser(name, guest=True)
        ports = self._ports()
        for user in self._json.values():
            user.start(ports)
        admin = self._json["ann"]
        for name in ("mac", "pam"):
            admin.call("register", usr=name, pwd=PASSWORD)
        self._others = [
            RandomChatUser("Rea", "4911"),
            RandomChatUser("Rob", "4922"),
            TelnetUser("liv"),
            MessageCenterUser("mac"),
            PA1User("pam"),
        ]
        for other in self._others:
            other.start(ports)

    def _ports(self) -> dict[str, int]:
        """Return the port of each protocol, from the server's output."""
        ports = {}
        for line in self._server.lines:
            if found := re.search(r"(\w+): \w+://[^:]+:(\d+)/", line):
                ports[found[1]] = int(found[2])
        return ports

    # Rounds.

    def _round(self) -> None:
        """Let some users send commands at once, then read the replies."""
        self.result.rounds += 1
        users = [user for user in self._json.values() if user.online]
        sent: list[tuple[JSONUser, str, dict[str, Any]]] = []
        for _ in range(self._random.randint(1, AT_ONCE)):
            if self._random.random() < 0.15:
                other = self._random.choice(self._others)
                text = self._text(other.name)
                other.act(self._random, text, ROOMS)
                if isinstance(other, TelnetUser):
                    # Two texts in one read would be one message.
                    self._json["ann"].wait_for_text(text)
                self.result.commands += 1
                continue
            user = self._random.choice(users)
            cmd, fields = self._request(user)
            sent.append((user, user.send(cmd, **fields), {"cmd": cmd, **fields}))
            self.result.commands += 1
        for user, tracker, request in sent:
            self._note(user, request, user.reply(tracker))
        if self._random.random() < 0.08:
            self._reconnect(self._random.choice(users))

    def _text(self, name: str) -> str:
        return f"{name}-{next(self._numbers)}"

    def _request(self, user: JSONUser) -> tuple[str, dict[str, Any]]:
        """Return a random command of a user."""
        pick, room = self._random.choice, self._random.choice(ROOMS)
        other = pick([name for name in (*REGISTERED, *GUESTS, "mac", "Rea") if name != user.name])
        speak = "speak", {"room_name": pick((LOBBY, *ROOMS)), "msg": self._text(user.name)}
        table: list[tuple[int, tuple[str, dict[str, Any]]]] = [
            (30, speak),
            (8, ("join_room", {"room_name": room})),
            (4, ("leave_room", {"room_name": room})),
            (5, ("create_room", {"room_name": room, "public": pick((True, True, False))})),
            (1, ("delete_room", {"room_name": room})),
            (4, ("add_member", {"room_name": room, "user": other})),
            (3, ("remove_member", {"room_name": room, "user": other})),
            (3, ("kick", {"room_name": room, "user": other})),
            (3, ("set_room", {"room_name": room, "topic": self._text("topic")})),
            (2, ("set_room", {"room_name": room, "master": other})),
            (1, ("set_room", {"room_name": room, "public": pick((True, False))})),
            (3, ("invite", {"room_name": room, "invitee": other})),
            (3, ("invite_reply", {"room_name": room, "inviter": other, "reply": pick("YNL")})),
            (3, ("whisper", {"target_user": other, "msg": self._text(f"{user.name}-w")})),
            (1, ("block", {"user": pick([name for name in REGISTERED if name != user.name])})),
            (2, ("unblock", {"user": other})),
            (2, ("mark_read", {"room_name": room, "seq": 1})),
            (1, ("get_address", {"user": other})),
            (1, ("get_room_list", {})),
        ]
        weights = [weight for weight, _ in table]
        cmd, fields = self._random.choices([request for _, request in table], weights)[0]
        if cmd in ("speak", "whisper") and self._random.random() < 0.3:
            fields["txn"] = fields["msg"]
        return cmd, fields

    def _note(self, user: JSONUser, request: dict[str, Any], reply: dict[str, Any]) -> None:
        """Take note of what a reply means."""
        if reply.get("code") == "internal":
            self._violation(f"{user.name}: {request}: {reply}")
        if reply["status"] != "ok":
            return
        if request["cmd"] == "speak":
            said = self._acknowledged.setdefault(request["room_name"], {})
            said[request["msg"]] = reply["seq"], reply["at"]
        elif request["cmd"] == "block":
            user.ever_blocked.add(request["user"])

    def _reconnect(self, user: JSONUser) -> None:
        """End a connection in one of several ways, and come back."""
        how = self._random.choice(("drop", "close", "logout", "elsewhere"))
        if how == "logout":
            user.call("logout")
        if how == "elsewhere" and not user.guest:
            user.start(self._ports(), elsewhere=True)
            return
        user.disconnect(clean=how == "close")
        user.start(self._ports(), resume=how != "logout")

    def _kill(self) -> None:
        """Kill the server while commands are under way, start it, and connect all users again."""
        for user in self._json.values():
            for _ in range(3):
                cmd, fields = self._request(user)
                if cmd != "delete_room":
                    user.send(cmd, **fields)
        self._server.kill()
        self.result.kills += 1
        for user in self._json.values():
            for request, reply in user.drain():
                self._note(user, request, reply)
        for one in (*self._json.values(), *self._others):
            one.disconnect()
        self._server.start()
        ports = self._ports()
        for one in (*self._json.values(), *self._others):
            one.start(ports)

    # Comparisons.

    def _violation(self, text: str) -> None:
        self.result.violations.append(text)

    def _check(self) -> None:
        """Compare logs, states, pushes and what was heard."""
        self.result.checks += 1
        self._settle()
        for room in (LOBBY, *ROOMS):
            self._check_room(room)
        self._check_log()

    def _settle(self) -> None:
        """Say something in the lobby, and wait until all have heard it: then all is delivered."""
        marker = self._text("ann")
        reply = self._json["ann"].call("speak", room_name=LOBBY, msg=marker)
        self._acknowledged.setdefault(LOBBY, {})[marker] = reply["seq"], reply["at"]
        for user in self._json.values():
            user.call("ping")
            if user.name != "ann" and "ann" not in user.ever_blocked:
                user.wait_for(LOBBY, reply["seq"])
        for other in self._others:
            if isinstance(other, LobbyListener) and not other.wait_for(marker):
                self._violation(f"{other.name} did not hear {marker}")

    def _check_room(self, room: str) -> None:
        logs: dict[str, list[Entry]] = {}
        states: dict[str, dict[str, Any]] = {}
        for user in self._json.values():
            log = user.read_log(room)
            if log is not None:
                logs[user.name] = log
                states[user.name] = user.describe(room)
        if not logs:
            return
        reader, log = next(iter(logs.items()))
        self.result.entries += len(log)
        for name, other in logs.items():
            if other != log:
                self._violation(f"{room}: {name} and {reader} read different logs")
            self._violations_of(room, name, states[name], log)
            for text in self._json[name].missing_pushes(room, log):
                self._violation(text)
        if [entry["seq"] for entry in log] != list(range(1, len(log) + 1)):
            self._violation(f"{room}: the log has a gap")
        texts = {entry.get("msg"): entry["seq"] for entry in log if entry["cmd"] == "c_speak"}
        began = log[0]["at"] if log[0].get("type") == "room_created" else ""
        for text, (seq, at) in self._acknowledged.get(room, {}).items():
            # What was said in a room of that name that was deleted is gone.
            if at > began and texts.get(text) != seq:
                self._violation(f"{room}: {text} was acknowledged as {seq}: {texts.get(text)}")
        if room == LOBBY:
            said = [(e["usr"], e["msg"]) for e in log if e["cmd"] == "c_speak"]
            for listener in self._others:
                if isinstance(listener, LobbyListener):
                    for text in listener.gaps(said):
                        self._violation(text)

    def _violations_of(self, room: str, name: str, state: dict[str, Any], log: list[Entry]) -> None:
        """Compare what the server says about a room with its log."""
        if room == LOBBY:
            return
        folded: RoomState = fold(log)
        for field in ("public", "topic", "owner"):
            if state[field] != getattr(folded, field):
                self._violation(
                    f"{room}: {name} is told the {field} {state[field]!r}, the log says "
                    f"{getattr(folded, field)!r}"
                )
        if set(state["users"]) != folded.members or state["members"] != len(folded.members):
            self._violation(
                f"{room}: {name} is told {state['members']} members {sorted(state['users'])}, "
                f"the log says {sorted(folded.members)}"
            )

    def _check_log(self) -> None:
        """Look for tracebacks in the server's output since the last time."""
        lines = self._server.lines[self._log_lines :]
        self._log_lines += len(lines)
        for line in lines:
            if "Traceback" in line or "Unhandled" in line or "FOREIGN KEY" in line:
                self._violation(line.strip())
