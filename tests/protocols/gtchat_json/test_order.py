"""docs/protocol.md, "Order": no entry of a room is missing, repeated or out of order.

Clients send requests at once, in rooms that they join and leave. A model of a client, which knows
what the page says and nothing else, reads all that each of them is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from tests.fakes import FakeClient, TestServer

ROOMS, USERS = ("a", "b"), ("ann", "bob", "eve")
#: Commands whose entry is pushed to the connection that asked for it, too.
CHANGES = frozenset({"edit", "delete", "react", "pin", "unpin"})
#: Commands that an owner may send without being a member.
OF_OWNER = frozenset({"set_room", "kick"})
#: Limits that the clients of these tests do not reach.
LIMITS = Limits(commands_per_second=0, reactions_per_minute=0, typing_interval=0)

rooms, users = st.sampled_from(ROOMS), st.sampled_from(USERS)
seqs = st.integers(3, 9)


def fields(cmd: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for requests of a command to one of the rooms."""
    return st.fixed_dictionaries({"cmd": st.just(cmd), "room_name": rooms, **values})


#: The more often a command is listed, the more often it is sent.
requests = st.one_of(
    *[fields("speak", msg=st.just("x"))] * 4,
    *[fields("join_room")] * 3,
    *[fields("leave_room")] * 2,
    fields("create_room", public=st.booleans()),
    fields("set_room", topic=st.sampled_from(["x", "y"])),
    fields("set_room", master=users),
    fields("delete_room"),
    fields("kick", user=users),
    fields("add_member", user=users),
    fields("remove_member", user=users),
    fields("edit", seq=seqs, msg=st.sampled_from(["y", "z"])),
    fields("react", seq=seqs, emoji=st.just("👍")),
    fields("delete", seq=seqs),
    fields("mark_read", seq=seqs),
    st.just({"cmd": "get_room_list"}),
)
#: Requests with which the rooms begin, by the index of a session.
BEGINNING: tuple[tuple[int, dict[str, Any]], ...] = (
    (0, {"cmd": "create_room", "room_name": "a"}),
    (1, {"cmd": "create_room", "room_name": "b"}),
    (1, {"cmd": "join_room", "room_name": "a"}),
    (2, {"cmd": "join_room", "room_name": "a"}),
    (3, {"cmd": "join_room", "room_name": "b"}),
    *((index, {"cmd": "speak", "room_name": "a", "msg": "x"}) for index in (0, 1, 2)),
)
#: Requests that are sent at once, each by one of four sessions, two of which are of one account.
turns = st.lists(st.lists(st.tuples(st.integers(0, 3), requests), max_size=8), max_size=8)


@attrs.define(eq=False)
class Reader:
    """A client that follows the logs of its rooms.

    Attributes:
        name: its user.
        client: what it is sent.
        positions: room -> seq of the last entry that it knows.
        sent: tracker -> request that has no reply.
    """

    name: str
    client: FakeClient
    positions: dict[str, int] = attrs.field(factory=dict)
    sent: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    trackers: Iterator[int] = attrs.field(factory=lambda: count(1))

    def send(self, request: dict[str, Any]) -> None:
        """Send a request."""
        tracker = f"{next(self.trackers)}"
        self.sent[tracker] = request
        self.client.send(**request, tracker=tracker)

    def read(self) -> None:
        """Read what the server has sent."""
        for frame in self.client.received():
            if frame["cmd"] == "c_response":
                request = self.sent.pop(frame["tracker"])
                if frame["status"] == "ok":
                    self.reply(frame, request)
            elif "seq" in frame and frame.get("type") != "marked_read":
                self.entry(frame)
            elif frame.get("type") == "room_gone":
                self.positions.pop(frame["room_name"], None)

    def reply(self, frame: dict[str, Any], request: dict[str, Any]) -> None:
        """Take the reply to a request that was done."""
        cmd, room = request["cmd"], request.get("room_name", "")
        joined = room in self.positions
        if cmd in ("create_room", "join_room"):
            assert not joined, frame
            self.positions[room] = frame["seq"]
        elif "seq" in frame and cmd not in CHANGES and (joined or cmd not in OF_OWNER):
            self.follow(room, frame["seq"], frame)
        if cmd == "leave_room" or (cmd == "remove_member" and request["user"] == self.name):
            del self.positions[room]
        elif "room" in frame and joined:
            assert frame["room"]["last_seq"] == self.positions[room], frame
        if cmd == "get_room_list":
            listed = {one["room_name"]: one["last_seq"] for one in frame["rooms"] if one["joined"]}
            assert listed == self.positions, (listed, self.positions)
        elif cmd == "delete_room":
            self.positions.pop(room, None)

    def entry(self, frame: dict[str, Any]) -> None:
        """Take the push of an entry."""
        room, kind = frame["room_name"], frame.get("type")
        if kind == "room_created" and frame["usr"] != self.name:
            return  # of a room that the user is not in
        own = frame["usr"] == self.name
        if own and kind in ("join_room", "room_created"):
            assert room not in self.positions, frame
            self.positions[room] = frame["seq"]
            return
        self.follow(room, frame["seq"], frame)
        if own and kind in ("leave_room", "kicked", "removed"):
            del self.positions[room]

    def follow(self, room: str, seq: int, frame: dict[str, Any]) -> None:
        """Take the next entry of a room."""
        assert seq == self.positions[room] + 1, (self.name, self.positions, frame)
        self.positions[room] = seq


class Order(SynchronousTestCase):
    def run_turns(self, all_turns: Sequence[Sequence[tuple[int, dict[str, Any]]]]) -> None:
        server = TestServer(LIMITS)
        second = server.connect()
        readers = [*(Reader(name, server.member(name)) for name in USERS), Reader("eve", second)]
        second.login("eve", pwd="password", device="second")
        for reader in readers:
            reader.client.received()
            reader.positions["lobby"] = 0
        for turn in (*([one] for one in BEGINNING), *all_turns):
            for index, request in turn:
                readers[index].send(request)
            server.run_pending()
            for reader in readers:
                reader.read()
                self.assertEqual(reader.sent, {})

    @settings(max_examples=30, deadline=None)
    @given(turns)
    def test_each_entry_comes_once_and_in_order(
        self, all_turns: list[list[tuple[int, dict[str, Any]]]]
    ) -> None:
        self.run_turns(all_turns)
