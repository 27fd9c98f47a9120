"""What a command costs does not grow with what others have: counted, not timed.

Each test plants three thousand of one thing and runs one command of each kind. Work in Python is
counted in bytecodes. Work in C, such as a copy of a list, shows in the memory that it takes. What
the store does is not counted, since the one on disk works in threads.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Collection, Sequence
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gtchat.chat import lockout, peer_address
from gtchat.chat.arrivals import Sent
from gtchat.chat.events import Event, Invited, WhisperSent
from gtchat.chat.interfaces import (
    EndedSession,
    IEncodedBatch,
    IEncoder,
    InvitationLimits,
    NewSession,
    PendingWhisper,
    WhisperLimits,
)
from gtchat.chat.limits import Limits
from gtchat.chat.node_records import AddressAsked
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.users import Session
from gtchat.store.jobs import NO_PLAN, Plan
from gtchat.store.memory.store import MemoryStore
from tests.fakes import FakeClient, RecordingConnection, TestServer

#: FEW are more than a list in a reply has at most.
FEW, MANY = 300, 3_000
#: A command may execute so many more bytecodes with many things than with few: caches, log n.
MORE_BYTECODES = 400
#: Bytes that a command may take more with many things than with few; a list of MANY has 24,000.
MORE_BYTES = 8_000
LIMITS = Limits(
    commands_per_second=0,
    registrations_per_minute=0,
    failed_logins_per_minute=600,
    rooms_per_user=0,
    stored_whispers_per_user=0,
    typing_interval=0,
)

Plant = Callable[["World", int], None]


@implementer(IEncodedBatch, IEncoder)
class Silent:
    """An encoder that sends nothing: the outboxes are counted in tests/test_cost.py."""

    def encode(self, events: Sequence[Event]) -> Silent:
        return self

    def send(self, connections: Collection[Any]) -> None:
        pass

    def send_part(self, connection: Any, start: int, stop: int) -> None:
        pass


class Meter:
    """Counts bytecodes, and the peak of memory in bytes, except for what `pause` runs."""

    def __init__(self) -> None:
        self.bytecodes = self.peak = self._start = 0
        self._running = False

    def run(self, work: Callable[[], object]) -> tuple[int, int]:
        """Return what some work costs: bytecodes, and bytes."""
        gc.disable()  # callbacks of the garbage collector are not part of the work
        before = sys.gettrace()
        self.bytecodes = self.peak = 0
        self._resume()
        try:
            work()
        finally:
            self._pause()
            sys.settrace(before)
            gc.enable()
        return self.bytecodes, self.peak

    def pause(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and is not counted."""

        def uncounted(*args: Any) -> Any:
            if not self._running:
                return function(*args)
            self._pause()
            try:
                return function(*args)
            finally:
                self._resume()

        return uncounted

    def _resume(self) -> None:
        self._running = True
        tracemalloc.reset_peak()
        self._start, _ = tracemalloc.get_traced_memory()
        sys.settrace(self._trace)

    def _pause(self) -> None:
        sys.settrace(None)
        self._running = False
        _, peak = tracemalloc.get_traced_memory()
        self.peak = max(self.peak, peak - self._start)

    def _trace(self, frame: Any, event: str, arg: object) -> Any:
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.bytecodes += 1
        return self._trace


METER = Meter()


class UncountedStore(MemoryStore):
    """A store whose work is not counted."""

    def _write(
        self, function: Callable[..., Any], *args: Any, plan: Plan = NO_PLAN
    ) -> Deferred[Any]:
        return super()._write(METER.pause(function), *args, plan=plan)

    def _read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return super()._read(METER.pause(function), *args)


class World:
    """A server with ann, who sends commands, and bob, the user that they are about, in room `r`."""

    def __init__(self) -> None:
        self.server = TestServer(LIMITS, store=UncountedStore)
        self.chat = self.server.chat
        self.encoder = Silent()
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")
        self.server.connect().call("register", usr="cam", pwd="password")
        self.ann.call("create_room", room_name="r")
        self.ann.call("add_member", room_name="r", user="bob")

    def run(self, work: Sequence[Any]) -> list[Any]:
        """Return the results of coroutines or Deferreds."""
        deferreds = [
            one if isinstance(one, Deferred) else Deferred.fromCoroutine(one) for one in work
        ]
        for _ in range(100):
            self.server.clock.advance(0)
        return [one.result for one in deferreds]

    def sessions(self, count: int) -> list[Session]:
        """Log in so many guests."""
        logins = [
            self.chat.logins.login_guest(
                f"guest{number}", self.encoder, RecordingConnection(), None
            )
            for number in range(count)
        ]
        return [begun.session for begun in self.run(logins)]

    def accounts(self, count: int) -> list[int]:
        """Register so many accounts."""
        register = self.server.store.register
        return self.run([register(f"A{n}", f"a{n}", "hash", None, 1) for n in range(count)])


def users(world: World, count: int) -> None:
    world.sessions(count)


def rooms(world: World, count: int) -> None:
    [host] = world.sessions(1)
    create = world.chat.membership.create
    world.run([create(host, f"room{number}", RoomSettings()) for number in range(count)])


def members(world: World, count: int) -> None:
    room = world.chat.rooms.find("r")
    for number in range(count):
        room.add_member(1_000 + number, f"member{number}", number % 2 == 0)


def guests_in_a_room_without_owner(world: World, count: int) -> None:
    room = world.chat.rooms.find("r")
    world.bob.call("leave_room", room_name="r")
    room.owner_id = None
    for number in range(count):
        room.add_member(1_000 + number, f"member{number}", False)


def stored_whispers(world: World, count: int) -> None:
    [sender, target] = world.accounts(2)
    bob = world.bob.api.session
    assert bob is not None
    store = world.server.store
    world.run(
        [
            store.whisper(
                PendingWhisper(
                    entry=WhisperSent(
                        usr="A0", msg="x", id=f"{receiver}-{n}", at=1, subject_id=sender
                    ),
                    sender_id=sender,
                    target_id=receiver,
                ),
                WhisperLimits(),
            )
            for receiver in (target, bob.user.id)
            for n in range(count // 2)
        ]
    )


def unconfirmed_whispers(world: World, count: int) -> None:
    [session] = world.sessions(1)
    for number in range(count):
        world.chat.whispers._add_unconfirmed(session, str(number), Sent(9, number))


def address_requests(world: World, count: int) -> None:
    side = int(count**0.5)
    now = world.chat.users.now()
    for session in world.sessions(side):
        for target in range(side):
            asker, token = session.user, session.token_hash
            asked = AddressAsked(asker.id, asker.name, token, 1_000 + target, now)
            world.chat.peer_address._requests.add(asked, now)


def invitations(world: World, count: int) -> None:
    """Plant invitations of a third user: what ann and bob sent themselves ends when they leave."""
    room = world.chat.rooms.find("r")
    [inviter, *invited] = world.accounts(count + 1)
    world.ann.call("add_member", room_name="r", user="A0")
    event, limits = Invited(room_name="r", usr="A0", msg="", at=1), InvitationLimits()
    invite = world.server.store.invite
    world.run([invite(room.id, one, inviter, event, True, limits) for one in invited])


def lost_sessions(world: World, count: int) -> None:
    store, number = world.server.store, 0
    for account in world.accounts(count // 10):
        for _ in range(10):
            number += 1
            token = number.to_bytes(32, "big")
            store.login(account, "hash", NewSession(token, 1, "192.0.2.1"))
            store.session_lost(EndedSession(account, token, {}), 2)
    world.run([store.flush()])


def blocks(world: World, count: int) -> None:
    """Both are blocked by many who are not here, and many who are here block others."""
    block = world.server.store.block
    clients = [world.ann.api.session, world.bob.api.session]
    accounts = world.accounts(count // 2)
    for client in clients:
        assert client is not None
        client.user.blocked_by = frozenset(accounts)
        world.run([block(account, client.user.id, True) for account in accounts])
    sessions = world.sessions(count // 2)
    for number, session in enumerate(sessions):
        session.user.blocked[number + 5_000] = "x"
        world.chat.users.set_block(session.user, number + 5_000, True)


def failed_logins(world: World, count: int) -> None:
    for number in range(count):
        world.chat.accounts.guesses.own.failed(f"name{number}", f"198.51.100.{number}")


def rates(world: World, count: int) -> None:
    tables = [world.chat.rates, world.chat.guest_bursts, world.chat.accounts._registrations]
    quota = world.chat.quota
    tables += [quota._accounts, quota._guests, quota._networks]
    for table in tables:
        for number in range(count):
            table.take(number + 1_000)


#: Commands in an order in which each succeeds.
COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("ping", {}),
    ("speak", {"room_name": "lobby", "msg": "hello"}),
    ("speak", {"room_name": "r", "msg": "hello", "txn": "1"}),
    ("whisper", {"target_user": "bob", "msg": "hello"}),
    ("whisper", {"target_user": "cam", "msg": "hello"}),
    ("history", {"room_name": "lobby", "limit": 5}),
    ("mark_read", {"room_name": "lobby", "seq": 1}),
    ("typing", {"room_name": "r"}),
    ("get_room_list", {"limit": 5}),
    ("get_user_list", {"limit": 5}),
    ("get_room_user_list", {"room_name": "r", "limit": 5}),
    ("create_room", {"room_name": "den"}),
    ("set_room", {"room_name": "den", "topic": "words"}),
    ("add_member", {"room_name": "den", "user": "bob"}),
    ("kick", {"room_name": "den", "user": "bob"}),
    ("invite", {"room_name": "den", "invitee": "bob"}),
    ("leave_room", {"room_name": "den"}),
    ("join_room", {"room_name": "den"}),
    ("delete_room", {"room_name": "den"}),
    ("block", {"user": "cam"}),
    ("unblock", {"user": "cam"}),
    ("set_address", {"port": 5_000}),
    ("get_address", {"user": "bob"}),
    ("leave_room", {"room_name": "r"}),
    ("logout", {}),
    ("register", {"usr": "dan", "pwd": "password"}),
    ("login", {"type": "reg", "usr": "dan", "pwd": "password"}),
    ("logout", {}),
    ("login", {"type": "tmp", "usr": "eve"}),
    ("join_room", {"room_name": "r"}),
    ("logout", {}),
    ("login", {"type": "reg", "usr": "ann", "pwd": "password"}),
]
#: Commands of bob afterwards, and one that is refused.
ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("deny", {"user": "ann"}),
    ("get_address", {"user": "ann"}),
    ("logout", {}),
    ("login", {"type": "reg", "usr": "cam", "pwd": "wrong password"}),
    ("login", {"type": "reg", "usr": "cam", "pwd": "password"}),
]


def costs(client: FakeClient, commands: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, int]]:
    """Return for each command the bytecodes and the peak of memory in bytes."""
    found: list[tuple[int, int]] = []
    clock = client._server.clock
    for cmd, fields in commands:
        client.received()

        def work(cmd: str = cmd, fields: dict[str, Any] = fields) -> None:
            client.send(cmd, tracker="t", **fields)
            for _ in range(5):
                clock.advance(0)

        found.append(METER.run(work))
        client._server.run_pending()
        client.reply("t")
    return found


class Scaling(SynchronousTestCase):
    def check(self, plant: Plant) -> None:
        """Compare each command in a world with few things and in one with many."""
        measured = []
        for count in (FEW, MANY):
            world = World()
            plant(world, count)
            world.server.clock.advance(1)
            world.server.run_pending()
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            measured.append(costs(world.ann, COMMANDS) + costs(world.bob, ANSWERS))
            tracemalloc.stop()
        for (cmd, fields), few, many in zip(COMMANDS + ANSWERS, *measured, strict=True):
            what = f"{cmd} {fields}: {few} with few, {many} with many"
            self.assertLessEqual(many[0] - few[0], MORE_BYTECODES, what)
            self.assertLessEqual(many[1] - few[1], MORE_BYTES, what)

    def test_users_online(self) -> None:  # G23
        self.check(users)

    def test_rooms(self) -> None:
        self.check(rooms)

    def test_members_of_a_room(self) -> None:
        self.check(members)

    def test_guests_in_a_room_without_owner(self) -> None:
        self.check(guests_in_a_room_without_owner)

    def test_stored_whispers(self) -> None:
        self.check(stored_whispers)

    def test_unconfirmed_whispers(self) -> None:
        self.check(unconfirmed_whispers)

    def test_address_requests(self) -> None:  # G23
        self.check(address_requests)

    def test_invitations(self) -> None:
        self.check(invitations)

    def test_lost_sessions(self) -> None:
        self.check(lost_sessions)

    def test_blocks(self) -> None:
        self.check(blocks)

    def test_failed_logins(self) -> None:
        self.check(failed_logins)

    def test_rates(self) -> None:  # G23
        self.check(rates)

    def test_full_tables(self) -> None:
        """A table at its bound drops what is oldest, without a look at the rest."""
        with (
            patch.object(lockout, "MAX_PAIRS", MANY),
            patch.object(peer_address, "MAX_IN_ALL", MANY),
        ):
            self.check(failed_logins)
            self.check(address_requests)
