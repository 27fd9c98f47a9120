"""Random requests to several nodes of one chat.

`NodeRequests` is the machine: the requests of `RoomRequests` at whatever node the user is connected
to, and what can happen to nodes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gtchat.chat.room_loader import RELEASE_S
from gtchat.chat.rooms import Room
from tests.chat.nodes_world import NodesWorld
from tests.chat.room_world import (
    GUESTS,
    MEMBERS,
    RoomRequests,
    folded,
    names,
    rooms,
    snapshot,
)

numbers = st.integers(0, 2)


class NodeRequests(RoomRequests):
    """Users make requests at several nodes, which hear late of each other, stop and start.

    Attributes:
        size: how many nodes there are at first.
    """

    size: ClassVar[int] = 2
    world: Any

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.world = NodesWorld(self.size)
        self.world.outcomes = self.outcomes
        for room, creator in (("a", "ann"), ("b", "gus")):
            self.create(creator, room, True, 3)
        self.world.settle()

    def request(self, what: str, name: str, method: str, *args: Any) -> None:
        self.world.request(what, name, method, *args)

    def room(self, key: str) -> Room | None:
        rooms = (room for chat in self.world.chats for room in chat.rooms if room.key == key)
        return next(rooms, None)

    @rule(key=rooms, index=st.integers(0, 4))
    def speak(self, key: str, index: int) -> None:
        self.world.speak(self.member(key, index, "ann"), key)

    @rule(name=st.sampled_from(MEMBERS), other=st.sampled_from(MEMBERS))
    def whisper(self, name: str, other: str) -> None:
        if name != other:
            self.world.whisper(name, other)

    @rule(name=names, other=names, on=st.booleans())
    def block(self, name: str, other: str, on: bool) -> None:
        if name != other:
            self.world.block(name, other, on)

    @rule(name=names, key=rooms)
    def react(self, name: str, key: str) -> None:
        self.world.react(name, key)

    @rule(name=st.sampled_from(GUESTS))
    def end_guest(self, name: str) -> None:
        client = self.world.client(name)
        if client is not None:
            node, session = client.node, client.session
            client.give_up()
            client.ended = True
            self.world.start(node, "log out", node.chat.sessions.logout(session))

    @rule(name=names)
    def lose_connection(self, name: str) -> None:
        client = self.world.client(name)
        if client is not None:
            self.world.lose_connection(client)

    @rule(name=names, number=numbers, on_device=st.booleans())
    def log_in(self, name: str, number: int, on_device: bool) -> None:
        if len([one for one in self.world.clients if one.name == name and one.session]) < 2:
            self.world.log_in(name, number, on_device)

    @rule()
    def find_dead_connections(self) -> None:
        self.world.find_dead_connections()

    @rule(index=st.integers(0, 9), number=numbers, late=st.booleans())
    def resume(self, index: int, number: int, late: bool) -> None:
        found = [one for one in self.world.clients if not one.ended]
        if found:
            self.world.resume(found[index % len(found)], number)
            if late:  # the node that had the connection finds out behind the resume
                self.world.node(number).do_batch(9)
                self.world.find_dead_connections()

    @rule(key=rooms)
    def all_join(self, key: str) -> None:
        for name in (*MEMBERS, *GUESTS):
            self.request("join", name, "membership.join", key)

    @rule(name=st.sampled_from(MEMBERS), other=st.sampled_from(MEMBERS), at=numbers, number=numbers)
    def whisper_to_a_user_who_logs_in(self, name: str, other: str, at: int, number: int) -> None:
        if name != other:
            self.world.whisper(name, other)
            self.world.node(at).do_batch(9)
            self.world.log_in(other, number)

    @rule(kept=st.sets(names, max_size=2), number=numbers)
    def others_go(self, kept: set[str], number: int) -> None:
        for client in list(self.world.clients):
            if client.name not in kept and client.session is not None:
                self.world.lose_connection(client)
        self.world.wait(RELEASE_S)
        self.world.node(number).do_batch(9)

    @rule(number=numbers)
    def look(self, number: int) -> None:
        self.world.node(number).look()

    @rule(number=numbers)
    def kill(self, number: int) -> None:
        if len(self.world.alive) > 1:
            self.world.kill(self.world.node(number))

    @rule()
    def start_node(self) -> None:
        if len(self.world.alive) < self.size:
            self.world.bury()
            self.world.start_node()

    @rule(number=numbers)
    def expire(self, number: int) -> None:
        by, gone = self.world.node(number + 1).store, self.world.node(number).store
        if by is not gone and {by.node_id, gone.node_id} <= self.world.tables.nodes.keys():
            by.expire(gone)

    @rule()
    def bury(self) -> None:
        self.world.bury()

    @rule()
    def wait(self) -> None:
        self.world.wait(121)

    @rule(number=numbers, plan=st.lists(st.booleans(), max_size=4))
    def next_entries_fail(self, number: int, plan: list[bool]) -> None:
        self.world.node(number).store.failing = plan

    @rule(
        number=numbers,
        count=st.integers(1, 6),
        failing=st.sampled_from((False, False, False, True)),
    )
    def do_batch(self, number: int, count: int, failing: bool) -> None:
        self.world.node(number).do_batch(count, failing)

    @rule()
    def settle(self) -> None:
        self.world.bury()
        self.world.settle()
        self.world.check()

    @invariant()
    def rooms_are_the_fold_of_what_was_delivered_and_what_is_queued(self) -> None:
        for chat in self.world.chats:
            for room in chat.rooms:
                if not room.is_lobby:
                    seqs = range(1, room.last_seq + 1)
                    log = [self.world.entries[room.id, seq] for seq in seqs]
                    log += [change.entry for change in room.queued]
                    assert snapshot(room) == snapshot(folded(log)), room.name

    @invariant()
    def nothing_failed_and_limits_hold(self) -> None:
        assert not self.world.errors, self.world.errors
        self.world.check_limits()

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.world.problems.stop()
