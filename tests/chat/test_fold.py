"""A room's state is the fold of its log, whatever people do, in whatever order."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.interfaces import Page, Span
from gtchat.protocols.gtchat_json.audience import encode
from tests.fakes import Line, World

NAMES = ("ann", "bob", "eve", "guest")
ROOMS = ("a", "b")

WHOLE = Span(after=0, limit=100_000)

names = st.sampled_from(NAMES)
rooms = st.sampled_from(ROOMS)


class Shadow:
    """What a client makes of a room's entries."""

    def __init__(self) -> None:
        self.seq = 0
        self.members: set[str] = set()
        self.settings: dict[str, Any] = {}

    def take(self, entry: dict[str, Any]) -> None:
        """Fold one entry."""
        assert entry["seq"] == self.seq + 1, (entry, self.seq)
        self.seq = entry["seq"]
        kind = entry.get("type", entry["cmd"])
        if kind in ("room_created", "room_changed"):
            self.settings = {key: entry[key] for key in ("public", "topic", "max", "owner")}
        if kind == "room_created":
            self.members = {entry["usr"]}
        elif kind == "join_room":
            self.members.add(entry["usr"])
        elif kind in ("leave_room", "kicked", "removed"):
            self.members.discard(entry["usr"])


class People(RuleBasedStateMachine):
    """Four people do what they like in two rooms."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.lines: dict[str, Line] = {}
        for name in NAMES[:3]:
            self.lines[name] = self.world.member(name)
        self.lines["guest"] = self.world.guest("guest")
        self.watcher = self.world.member("watcher")

    @rule(name=names, room=rooms, public=st.booleans(), most=st.integers(0, 3))
    def create(self, name: str, room: str, public: bool, most: int) -> None:
        self.lines[name].say("create_room", room_name=room, public=public, max=most)

    @rule(name=names, room=rooms)
    def join(self, name: str, room: str) -> None:
        self.lines[name].say("join_room", room_name=room)

    @rule(name=names, room=rooms)
    def leave(self, name: str, room: str) -> None:
        self.lines[name].say("leave_room", room_name=room)

    @rule(name=names, room=rooms, user=names, cmd=st.sampled_from(("kick", "remove_member")))
    def expel(self, name: str, room: str, user: str, cmd: str) -> None:
        self.lines[name].say(cmd, room_name=room, user=user)

    @rule(name=names, room=rooms, user=names)
    def add(self, name: str, room: str, user: str) -> None:
        self.lines[name].say("add_member", room_name=room, user=user)

    @rule(name=names, room=rooms, user=names, topic=st.sampled_from(("", "x", "y")))
    def change(self, name: str, room: str, user: str, topic: str) -> None:
        self.lines[name].say("set_room", room_name=room, master=user, topic=topic)

    @rule(name=names, room=rooms)
    def delete(self, name: str, room: str) -> None:
        self.lines[name].say("delete_room", room_name=room)

    @rule(room=rooms, count=st.integers(1, 3))
    def all_speak_at_once(self, room: str, count: int) -> None:
        for line in self.lines.values():
            for _ in range(count):
                line.send("speak", room_name=room, msg="x")
        self.world.settle()

    @rule(name=st.sampled_from(NAMES[:3]))
    def come_anew(self, name: str) -> None:
        self.lines[name].drop()
        self.lines[name] = self.world.line()
        assert self.lines[name].login(name, pwd="password")["status"] == "ok"

    @rule()
    def guest_goes(self) -> None:
        self.lines["guest"].say("logout")
        self.world.settle()
        assert self.lines["guest"].login("guest")["status"] == "ok"

    @rule()
    def restart(self) -> None:
        for line in self.lines.values():
            line.drop()
        self.watcher.drop()
        self.world.start()
        for name, line in list(self.lines.items()):
            self.lines[name] = line = self.world.line()
            self.world.clock.advance(0 if name != "guest" else 121)
            self.world.settle()
            reply = line.login(name) if name == "guest" else line.login(name, pwd="password")
            assert reply["status"] == "ok", reply
        self.watcher = self.world.line()
        self.watcher.login("watcher", pwd="password")

    @invariant()
    def state_is_the_fold_of_the_log(self) -> None:
        self.world.settle()
        for room in self.world.chat.rooms:
            if room.is_lobby:
                continue
            shadow = Shadow()
            pages: list[Page] = []
            self.world.store.history(room.id, WHOLE).addCallback(pages.append)
            self.world.settle()
            page = pages[0]
            for entry in page.entries:
                shadow.take(json.loads(encode(entry)))
            assert shadow.seq == room.last_seq
            assert shadow.members == set(room.members.values()) == set(room.roster.page(None, 99))
            assert shadow.settings == {
                "public": room.public,
                "topic": room.topic,
                "max": room.max,
                "owner": room.owner,
            }
            for name, line in self.lines.items():
                session = line.api.session
                assert session is not None
                listens = session in room.listeners
                assert listens == (name in shadow.members), (name, room.name)
                assert (room in session.user.rooms) == listens


class Fold(SynchronousTestCase):
    def test_state_is_the_fold_of_the_log(self) -> None:
        run_state_machine_as_test(
            People, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
        )
