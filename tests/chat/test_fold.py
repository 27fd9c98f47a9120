"""The state of a room is the fold of its log, after any sequence of requests."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.fold import RoomState
from gtchat.chat.interfaces import HistoryPage, HistoryQuery
from gtchat.protocols.gtchat_json.pushes import encode
from tests.fakes import FailingStore, FakeClient, TestServer

NAMES = ("ann", "bob", "eve", "guest")
ROOMS = ("a", "b")

ALL_ENTRIES = HistoryQuery(after=0, limit=100_000)

names = st.sampled_from(NAMES)
#: Whether the request comes from a user who may make it; else most would be refused.
mostly = st.sampled_from((True, True, True, False))
rooms = st.sampled_from(ROOMS)


class FoldedRoom:
    """The state of a room as a client computes it from its entries."""

    def __init__(self) -> None:
        self.seq = 0
        self.members: set[str] = set()
        self.settings: dict[str, Any] = {}
        self.roles: dict[str, str] = {}
        self.mutes: dict[str, str] = {}
        self.bans: dict[str, str] = {}

    def apply(self, entry: dict[str, Any]) -> None:
        """Apply one entry."""
        assert entry["seq"] == self.seq + 1, (entry, self.seq)
        self.seq = entry["seq"]
        kind = entry.get("type", entry["cmd"])
        if kind in ("room_created", "room_changed"):
            self.settings = {key: entry[key] for key in ("public", "topic", "max", "owner")}
            self.settings["preview"] = entry.get("preview", False)
            self.settings["moderated"] = entry.get("moderated", False)
            self.settings["slow"] = entry.get("slow", 0)
        if kind == "room_created":
            self.members = {entry["usr"]}
        elif kind == "join_room":
            self.members.add(entry["usr"])
        elif kind in ("leave_room", "kicked", "removed"):
            self.members.discard(entry["usr"])
            self.roles.pop(entry["usr"], None)
        elif kind == "role":
            self.roles.pop(entry["usr"], None)
            if entry["role"]:
                self.roles[entry["usr"]] = entry["role"]
        elif kind == "muted":
            self.mutes[entry["usr"]] = entry.get("until", "")
        elif kind == "unmuted":
            del self.mutes[entry["usr"]]
        if kind == "banned" or entry.get("banned"):
            self.bans[entry["usr"]] = entry.get("reason", "")
        elif kind == "unbanned":
            del self.bans[entry["usr"]]


class RoomMachine(RuleBasedStateMachine):
    """Four users make requests to two rooms, mostly ones that are allowed."""

    #: (command, error code or ok) -> how many.
    outcomes: Counter[tuple[str, str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.server = TestServer(store=FailingStore)
        self.clients: dict[str, FakeClient] = {}
        for name in NAMES[:3]:
            self.clients[name] = self.server.member(name)
        self.clients["guest"] = self.server.guest("guest")
        self.watcher = self.server.member("watcher")
        for room, owner, other in (("a", "ann", "bob"), ("b", "bob", "guest")):
            self.request(owner, "create_room", room)
            self.request(other, "join_room", room)

    def request(self, name: str, cmd: str, room: str, **fields: object) -> None:
        """Make a request, and count its outcome."""
        reply = self.clients[name].call(cmd, room_name=room, **fields)
        self.outcomes[cmd, reply.get("code", "ok")] += 1

    def owner(self, room: str, otherwise: str) -> str:
        """Return the owner of a room if that is one of the four, else `otherwise`."""
        found = [one.owner for one in self.server.chat.rooms if one.key == room]
        return found[0] if found and found[0] in self.clients else otherwise

    def member(self, room: str, otherwise: str) -> str:
        """Return the newest member of a room, `otherwise` if there is no room."""
        found = [one.members.values() for one in self.server.chat.rooms if one.key == room]
        return [otherwise, *found[0]][-1] if found else otherwise

    @rule(name=names, room=rooms, public=st.booleans(), max_members=st.integers(0, 3))
    def create(self, name: str, room: str, public: bool, max_members: int) -> None:
        self.request(name, "create_room", room, public=public, max=max_members)

    @rule(name=names, room=rooms)
    def join(self, name: str, room: str) -> None:
        self.request(name, "join_room", room)

    @rule(name=names, room=rooms, member=mostly)
    def leave(self, name: str, room: str, member: bool) -> None:
        self.request(self.member(room, name) if member else name, "leave_room", room)

    @rule(
        name=names,
        room=rooms,
        user=names,
        owner=mostly,
        member=mostly,
        cmd=st.sampled_from(("kick", "remove_member")),
    )
    def kick_or_remove(
        self, name: str, room: str, user: str, owner: bool, member: bool, cmd: str
    ) -> None:
        name = self.owner(room, name) if owner else name
        self.request(name, cmd, room, user=self.member(room, user) if member else user)

    @rule(
        room=rooms,
        user=names,
        owner=mostly,
        member=mostly,
        request=st.sampled_from(
            (
                ("set_role", {"role": "moderator"}),
                ("set_role", {"role": "voice"}),
                ("set_role", {"role": "voice"}),
                ("mute", {"reason": "noise"}),
                ("unmute", {}),
                ("ban", {"reason": "spam"}),
                ("unban", {}),
            )
        ),
    )
    def moderate(
        self,
        room: str,
        user: str,
        owner: bool,
        member: bool,
        request: tuple[str, dict[str, object]],
    ) -> None:
        name = self.owner(room, "eve") if owner else self.member(room, "eve")
        cmd, fields = request
        found = [one for one in self.server.chat.rooms if one.key == room]
        state = found[0] if found else RoomState()
        ends = {"unmute": state.moderation.mutes, "unban": state.moderation.bans}
        if done := list(ends.get(cmd, {}).values()):
            user = done[0].name
        elif cmd in ends or member:
            cmd = {"unmute": "mute", "unban": "ban"}.get(cmd, cmd)
            fields = {**fields, "reason": "x"} if cmd in ("mute", "ban") else fields
            others = [one for one in state.members.values() if one != name]
            user = [user, *others][-1]
        self.request(name, cmd, room, user=user, **fields)

    @rule(name=names, room=rooms, moderated=st.booleans(), slow=st.sampled_from((0, 9)))
    def set_moderation(self, name: str, room: str, moderated: bool, slow: int) -> None:
        name = self.owner(room, name)
        self.request(name, "set_room", room, moderated=moderated, slow=slow)

    @rule(name=names, room=rooms, user=names, owner=mostly)
    def add(self, name: str, room: str, user: str, owner: bool) -> None:
        self.request(self.owner(room, name) if owner else name, "add_member", room, user=user)

    @rule(
        name=names,
        room=rooms,
        topic=st.sampled_from(("", "x", "y")),
        preview=st.none() | st.booleans(),
        owner=mostly,
    )
    def change(self, name: str, room: str, topic: str, preview: bool | None, owner: bool) -> None:
        name = self.owner(room, name) if owner else name
        self.request(name, "set_room", room, topic=topic, preview=preview)

    @rule(name=names, room=rooms, user=names, owner=mostly, member=mostly)
    def change_owner(self, name: str, room: str, user: str, owner: bool, member: bool) -> None:
        name = self.owner(room, name) if owner else name
        self.request(name, "set_room", room, master=self.member(room, user) if member else user)

    @rule(name=names, room=rooms, owner=mostly)
    def delete(self, name: str, room: str, owner: bool) -> None:
        self.request(self.owner(room, name) if owner else name, "delete_room", room)

    @rule(entries=st.integers(1, 3))
    def next_writes_fail(self, entries: int) -> None:
        assert isinstance(self.server.store, FailingStore)
        self.server.store.failing = entries

    @rule(room=rooms, count=st.integers(1, 3))
    def all_speak_at_once(self, room: str, count: int) -> None:
        for client in self.clients.values():
            for _ in range(count):
                client.send("speak", room_name=room, msg="x")
        self.server.run_pending()

    @rule(name=st.sampled_from(NAMES[:3]))
    def log_in_again(self, name: str) -> None:
        self.clients[name].drop()
        self.clients[name] = self.server.connect()
        assert self.clients[name].login(name, pwd="password")["status"] == "ok"

    @rule()
    def guest_logs_out(self) -> None:
        self.writes_succeed()
        self.clients["guest"].call("logout")
        self.server.run_pending()
        assert self.clients["guest"].login("guest")["status"] == "ok"

    @rule()
    def restart(self) -> None:
        self.writes_succeed()
        for client in self.clients.values():
            client.drop()
        self.watcher.drop()
        self.server.start()
        for name, client in list(self.clients.items()):
            self.clients[name] = client = self.server.connect()
            self.server.clock.advance(0 if name != "guest" else 121)
            self.server.run_pending()
            reply = client.login(name) if name == "guest" else client.login(name, pwd="password")
            assert reply["status"] == "ok", reply
        self.watcher = self.server.connect()
        self.watcher.login("watcher", pwd="password")

    def writes_succeed(self) -> None:
        """Let all writes succeed again."""
        assert isinstance(self.server.store, FailingStore)
        self.server.store.failing = 0

    @invariant()
    def state_is_the_fold_of_the_log(self) -> None:
        self.server.run_pending()
        for room in self.server.chat.rooms:
            if room.is_lobby:
                continue
            folded = FoldedRoom()
            pages: list[HistoryPage] = []
            self.server.store.history(room.id, ALL_ENTRIES).addCallback(pages.append)
            self.server.run_pending()
            page = pages[0]
            for entry in page.entries:
                folded.apply(json.loads(encode(entry)))
            assert folded.seq == room.last_seq
            assert (
                folded.members
                == set(room.members.values())
                == set(room.member_names.page(None, 99))
            )
            assert folded.settings == {
                "public": room.public,
                "topic": room.topic,
                "max": room.max,
                "owner": room.owner,
                "preview": room.preview,
                "moderated": room.moderation.moderated,
                "slow": room.moderation.slow,
            }
            now = room.moderation
            assert folded.roles == {one.name: one.role for one in now.roles.values()}
            assert folded.mutes.keys() == {one.name for one in now.mutes.values()}
            assert folded.bans == {one.name: one.reason for one in now.bans.values()}
            for name, client in self.clients.items():
                session = client.api.session
                assert session is not None
                subscribed = session in room.subscribers
                assert subscribed == (name in folded.members), (name, room.name)
                assert (room in session.user.rooms) == subscribed


class RoomStateTests(SynchronousTestCase):
    def test_room_state_is_the_fold_of_the_log(self) -> None:
        RoomMachine.outcomes.clear()
        options = settings(max_examples=150, stateful_step_count=30, derandomize=True)
        run_state_machine_as_test(RoomMachine, settings=options)
        succeeded = {cmd for cmd, code in RoomMachine.outcomes if code == "ok"}
        self.assertEqual(succeeded, {cmd for cmd, _ in RoomMachine.outcomes}, RoomMachine.outcomes)
        failed = {cmd for cmd, code in RoomMachine.outcomes if code == "not_stored"}
        # Only few requests create a room; `test_room_state` has enough of them that fail.
        self.assertLessEqual({"leave_room", "set_room", "kick", "ban"}, failed)
