"""A room's state is the fold of its log, whatever people do, in whatever order."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.interfaces import HistoryPage, HistoryQuery
from gtchat.protocols.gtchat_json.encoder import encode
from tests.fakes import FailingStore, FakeClient, TestServer

NAMES = ("ann", "bob", "eve", "guest")
ROOMS = ("a", "b")

WHOLE = HistoryQuery(after=0, limit=100_000)

names = st.sampled_from(NAMES)
#: Whether somebody does it who may: else hardly anything would be done.
often = st.sampled_from((True, True, True, False))
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
    """Four people do what they like in two rooms, mostly what they may."""

    #: (command, code or ok) -> how often.
    reached: Counter[tuple[str, str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.server = TestServer(store=FailingStore)
        self.clients: dict[str, FakeClient] = {}
        for name in NAMES[:3]:
            self.clients[name] = self.server.member(name)
        self.clients["guest"] = self.server.guest("guest")
        self.watcher = self.server.member("watcher")
        for room, owner, other in (("a", "ann", "bob"), ("b", "bob", "guest")):
            self.say(owner, "create_room", room)
            self.say(other, "join_room", room)

    def say(self, name: str, cmd: str, room: str, **fields: object) -> None:
        """One of them asks for something."""
        reply = self.clients[name].call(cmd, room_name=room, **fields)
        self.reached[cmd, reply.get("code", "ok")] += 1

    def owner(self, room: str, otherwise: str) -> str:
        """Who may change a room, where one of the four may."""
        found = [one.owner for one in self.server.chat.rooms if one.key == room]
        return found[0] if found and found[0] in self.clients else otherwise

    def member(self, room: str, otherwise: str) -> str:
        """The youngest member of a room."""
        found = [one.members.values() for one in self.server.chat.rooms if one.key == room]
        return [otherwise, *found[0]][-1] if found else otherwise

    @rule(name=names, room=rooms, public=st.booleans(), most=st.integers(0, 3))
    def create(self, name: str, room: str, public: bool, most: int) -> None:
        self.say(name, "create_room", room, public=public, max=most)

    @rule(name=names, room=rooms)
    def join(self, name: str, room: str) -> None:
        self.say(name, "join_room", room)

    @rule(name=names, room=rooms, member=often)
    def leave(self, name: str, room: str, member: bool) -> None:
        self.say(self.member(room, name) if member else name, "leave_room", room)

    @rule(
        name=names,
        room=rooms,
        user=names,
        owner=often,
        member=often,
        cmd=st.sampled_from(("kick", "remove_member")),
    )
    def expel(self, name: str, room: str, user: str, owner: bool, member: bool, cmd: str) -> None:
        name = self.owner(room, name) if owner else name
        self.say(name, cmd, room, user=self.member(room, user) if member else user)

    @rule(name=names, room=rooms, user=names, owner=often)
    def add(self, name: str, room: str, user: str, owner: bool) -> None:
        self.say(self.owner(room, name) if owner else name, "add_member", room, user=user)

    @rule(name=names, room=rooms, topic=st.sampled_from(("", "x", "y")), owner=often)
    def change(self, name: str, room: str, topic: str, owner: bool) -> None:
        self.say(self.owner(room, name) if owner else name, "set_room", room, topic=topic)

    @rule(name=names, room=rooms, user=names, owner=often, member=often)
    def hand_over(self, name: str, room: str, user: str, owner: bool, member: bool) -> None:
        name = self.owner(room, name) if owner else name
        self.say(name, "set_room", room, master=self.member(room, user) if member else user)

    @rule(name=names, room=rooms, owner=often)
    def delete(self, name: str, room: str, owner: bool) -> None:
        self.say(self.owner(room, name) if owner else name, "delete_room", room)

    @rule(entries=st.integers(1, 3))
    def the_disk_is_full(self, entries: int) -> None:
        assert isinstance(self.server.store, FailingStore)
        self.server.store.failing = entries

    @rule(room=rooms, count=st.integers(1, 3))
    def all_speak_at_once(self, room: str, count: int) -> None:
        for client in self.clients.values():
            for _ in range(count):
                client.send("speak", room_name=room, msg="x")
        self.server.run_pending()

    @rule(name=st.sampled_from(NAMES[:3]))
    def come_anew(self, name: str) -> None:
        self.clients[name].drop()
        self.clients[name] = self.server.connect()
        assert self.clients[name].login(name, pwd="password")["status"] == "ok"

    @rule()
    def guest_goes(self) -> None:
        self.there_is_room_again()
        self.clients["guest"].call("logout")
        self.server.run_pending()
        assert self.clients["guest"].login("guest")["status"] == "ok"

    @rule()
    def restart(self) -> None:
        self.there_is_room_again()
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

    def there_is_room_again(self) -> None:
        """The disk takes everything."""
        assert isinstance(self.server.store, FailingStore)
        self.server.store.failing = 0

    @invariant()
    def state_is_the_fold_of_the_log(self) -> None:
        self.server.run_pending()
        for room in self.server.chat.rooms:
            if room.is_lobby:
                continue
            shadow = Shadow()
            pages: list[HistoryPage] = []
            self.server.store.history(room.id, WHOLE).addCallback(pages.append)
            self.server.run_pending()
            page = pages[0]
            for entry in page.entries:
                shadow.take(json.loads(encode(entry)))
            assert shadow.seq == room.last_seq
            assert (
                shadow.members
                == set(room.members.values())
                == set(room.member_names.page(None, 99))
            )
            assert shadow.settings == {
                "public": room.public,
                "topic": room.topic,
                "max": room.max,
                "owner": room.owner,
            }
            for name, client in self.clients.items():
                session = client.api.session
                assert session is not None
                listens = session in room.subscribers
                assert listens == (name in shadow.members), (name, room.name)
                assert (room in session.user.rooms) == listens


class RoomState(SynchronousTestCase):
    def test_room_state_is_the_fold_of_the_log(self) -> None:
        People.reached.clear()
        wanted = settings(max_examples=150, stateful_step_count=30, deadline=None, derandomize=True)
        run_state_machine_as_test(People, settings=wanted)
        done = {cmd for cmd, code in People.reached if code == "ok"}
        self.assertEqual(done, {cmd for cmd, _ in People.reached}, People.reached)
        failed = {cmd for cmd, code in People.reached if code == "not_stored"}
        self.assertLessEqual({"join_room", "leave_room", "set_room", "create_room"}, failed)
