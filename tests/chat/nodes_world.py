"""Several nodes of one chat, their users, and what has to be true of them.

The nodes share `MemoryTables`. Each has a clock of its own and holds its jobs, so that a test says
which node goes on, and when it hears of the others. `node_requests` tries them at random.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Coroutine, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from gtchat.chat.chat import Chat
from gtchat.chat.conversations import DirectTarget
from gtchat.chat.devices import Device
from gtchat.chat.errors import ChatError, NotStored
from gtchat.chat.events import (
    Edited,
    Entry,
    Joined,
    Kicked,
    Left,
    MessageSent,
    Reacted,
    Removed,
    RoomChanged,
)
from gtchat.chat.fold import RoomState
from gtchat.chat.interfaces import EndedSession, Foreign, PendingEntry, PendingRoomChange
from gtchat.chat.limits import Limits
from gtchat.chat.moderation import Rank, find_ban, find_refusal, rank_of
from gtchat.chat.moderation_events import MODERATION_ENTRIES
from gtchat.chat.repeats import RoomAck
from gtchat.chat.retention import Keep, Retention
from gtchat.chat.users import Session
from gtchat.store.jobs import Job, StoreCall
from gtchat.store.memory.retention import remove_oldest
from gtchat.store.memory.store import MemoryStore
from gtchat.store.memory.tables import MemoryTables
from tests.chat.nodes_client import CheckedConnection, CheckedEncoder, Client
from tests.chat.room_world import (
    GUESTS,
    MEMBERS,
    HeldMemoryStore,
    check_registry,
    check_rooms,
    check_users,
    speak,
)
from tests.fakes import PlainPasswords, Tokens

#: Rooms that a user can have created.
ROOMS_PER_USER = 1
#: Most rounds until all nodes have nothing left to do.
ROUNDS = 100


class HeldNode(HeldMemoryStore):
    """A store of one of several nodes; it holds its jobs, and looks only when it is told to.

    Attributes:
        certain: the jobs that do not fail: who is online is told, and which connections are lost,
            or the node is lost.
        spoiled: the jobs that fail else.
    """

    def __init__(self, clock: Clock, tables: MemoryTables) -> None:
        super().__init__(clock, tables)
        self.certain: list[Job] = []
        self.spoiled: list[Job] = []

    def wake(self) -> None:
        pass

    def _begin_soon(self) -> None:
        pass

    def announce(self, came: Mapping[int, str], went: Collection[int]) -> None:
        super().announce(came, went)
        self.certain += self._queue[-1:]

    def session_lost(self, session: EndedSession, at: int) -> Deferred[None]:
        lost = super().session_lost(session, at)
        self.certain += self._queue[-1:]
        return lost

    def append(self, entry: PendingEntry) -> None:
        if self.failing and self.failing.pop(0):
            self.spoiled.append(entry)
        MemoryStore.append(self, entry)

    def do_batch(self, batch: list[Job], failing: bool) -> None:
        if failing:
            self.spoiled += batch
        if self._is_lost():
            self._fail(batch)
        else:
            super().do_batch(batch, False)
        self.certain = [job for job in self.certain if job not in batch]
        self.spoiled = [job for job in self.spoiled if job not in batch]

    def _prepare(self, batch: Sequence[Job]) -> tuple[Foreign, list[Job]]:
        foreign, todo = super()._prepare(batch)
        rooms: set[int] = set()
        for job in todo:
            is_done = isinstance(job, StoreCall) and job.function is None
            # What follows in the room relies on it: a single entry fails for no reason only here.
            relies = isinstance(job, PendingEntry) and job.room_id in rooms
            if (job in self.spoiled or relies) and job not in self.certain and not is_done:
                job.error = NotStored()
                if isinstance(job, PendingRoomChange):
                    rooms.add(job.room_id)
        return foreign, [job for job in todo if job.error is None]

    def has_work(self) -> bool:
        """Return whether it holds jobs, or has not delivered all that was written."""
        assert self._follower is not None
        known, tables = self._follower.known, self._tables
        heads = {room.id: room.last for room in tables.rooms.keys.values()}
        behind = known.behind(heads) or known.system < len(tables.system)
        return bool(self._queue or self._waiting or self._closed or behind)


@attrs.define(eq=False)
class Node:
    """A node.

    Attributes:
        world: the world that it is in.
        number: names it.
        is_alive: whether it runs.
    """

    world: NodesWorld
    number: int
    is_alive: bool = True
    clock: Clock = attrs.field(init=False, factory=Clock)
    store: HeldNode = attrs.field(init=False)
    chat: Chat = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        world = self.world
        self.clock.advance(world.time)
        self.store = HeldNode(self.clock, world.tables)
        limits = Limits(
            commands_per_second=0,
            registrations_per_minute=0,
            reactions_per_minute=0,
            rooms_per_user=ROOMS_PER_USER,
        )
        self.chat = Chat(self.store, self.clock, limits, PlainPasswords(), world.tokens)
        self.chat.on_lost = self._lose
        self.chat.start()
        self.clock.advance(0)

    def _lose(self) -> None:
        """Close all connections, because the node can't go on."""
        for client in self.world.clients:
            if client.node is self:
                client.give_up()

    def do_batch(self, size: int, failing: bool = False) -> None:
        """Let the store do the first jobs that it holds, in one batch."""
        self.clock.advance(0)
        batch, self.store.held = self.store.held[:size], self.store.held[size:]
        if batch:
            self.store.do_batch(batch, failing)
        elif self.store._waiting:
            self.store.look()
        self.world.note_entries()
        self.clock.advance(0)

    def look(self) -> None:
        """Deliver what other nodes have written; a node that was lost begins again."""
        self.clock.advance(0)
        if self.chat.available:
            self.store.look()
        else:
            self.store.begin_again()
        self.clock.advance(0)


class Problems:
    """Gathers what is logged as a failure, as long as it observes."""

    def __init__(self) -> None:
        self.found: list[LogEvent] = []
        globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        # A Deferred whose error no one has taken is logged when it is collected as garbage: later.
        unhandled = event.get("log_namespace") == "twisted.internet.defer"
        if event.get("log_level") in (LogLevel.error, LogLevel.critical) and not unhandled:
            self.found.append(event)

    def stop(self) -> None:
        globalLogPublisher.removeObserver(self)

    def check(self) -> None:
        """Raise the first failure."""
        for event in self.found:
            failure = event.get("log_failure")
            if failure is not None:
                failure.raiseException()
            raise AssertionError(event)


@attrs.define(eq=False)
class NodesWorld:
    """A chat of several nodes with three registered users and two guests.

    Args:
        size: how many nodes.

    Attributes:
        tables: what the nodes share.
        nodes: all nodes that there were, in the order in which they began.
        clients: the clients that have logged in, last ones last.
        outcomes: (what was asked for, error code or "ok") -> how many.
        entries: (log id, seq) -> the entry as it was stored, also of rooms that are deleted.
        acked: the texts of the messages that were acknowledged.
        running: how many requests have no outcome yet; node -> number.
    """

    size: int = 2
    tables: MemoryTables = attrs.field(init=False, factory=MemoryTables)
    tokens: Tokens = attrs.field(init=False, factory=Tokens)
    time: float = attrs.field(init=False, default=1_800_000_000)
    nodes: list[Node] = attrs.field(init=False, factory=list)
    clients: list[Client] = attrs.field(init=False, factory=list)
    outcomes: Counter[tuple[str, str]] = attrs.field(init=False, factory=Counter)
    errors: list[Failure] = attrs.field(init=False, factory=list)
    entries: dict[tuple[int, int], Entry] = attrs.field(init=False, factory=dict)
    acked: list[str] = attrs.field(init=False, factory=list)
    running: Counter[Node] = attrs.field(init=False, factory=Counter)
    encoder: CheckedEncoder = attrs.field(init=False, factory=CheckedEncoder)
    numbers: Any = attrs.field(init=False, factory=lambda: count(1))
    problems: Problems = attrs.field(init=False, factory=Problems)

    def __attrs_post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start the nodes, register users and log all users in."""
        delete = self.tables.rooms.delete

        def note_and_delete(room_id: int, at: int) -> None:
            self.note_entries()
            delete(room_id, at)

        self.tables.rooms.delete = note_and_delete  # type: ignore[method-assign]
        for _ in range(self.size):
            self.start_node()
        first = self.nodes[0]
        for name in MEMBERS:
            register = first.chat.accounts.register(name, "password", None, "::1")
            self.start(first, "register", register)
        self.settle()
        for number, name in enumerate((*MEMBERS, *GUESTS)):
            self.log_in(name, number)
        self.settle()

    # Nodes.

    @property
    def alive(self) -> list[Node]:
        """The nodes that run."""
        return [node for node in self.nodes if node.is_alive]

    @property
    def chats(self) -> list[Chat]:
        """The chats of the nodes that run."""
        return [node.chat for node in self.alive]

    @property
    def chat(self) -> Chat:
        """The chat of a node."""
        return self.alive[0].chat

    def node(self, number: int) -> Node:
        """Return a node that runs."""
        alive = self.alive
        return alive[number % len(alive)]

    def start_node(self) -> None:
        """Start one more node."""
        self.nodes.append(Node(self, len(self.nodes)))

    def kill(self, node: Node) -> None:
        """End a node at once: nothing of what it holds is done; the others do not know yet."""
        node.is_alive = False
        self.running.pop(node, None)
        for client in self.clients:
            if client.node is node:
                client.give_up()

    def bury(self) -> None:
        """Let a node end those that do not run any more."""
        for node in self.nodes:
            if not node.is_alive and node.store.node_id in self.tables.nodes:
                # One that was expired itself and has not noticed: any other may take over.
                by = self.alive[0].store.node_id
                self.tables.end_node(
                    node.store.node_id,
                    by if by in self.tables.nodes else None,
                    int(self.time * 1000),
                )

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds
        for node in self.alive:
            node.clock.advance(seconds)

    def find_dead_connections(self) -> bool:
        """Let nodes find out which connections clients have given up. Return whether any was."""
        found = False
        for node in self.alive:
            for session in [session for user in node.chat.users for session in user.sessions]:
                connection = session.connection
                assert isinstance(connection, CheckedConnection)
                # What is being resumed at the same node is ended by that.
                if connection.is_given_up and not connection.client.is_resuming(node):
                    node.chat.sessions.connection_lost(session, clean=False)
                    found = True
        return found

    def settle(self) -> None:
        """Let all nodes do and deliver all, until there is no more."""
        for _ in range(ROUNDS):
            for node in self.alive:
                node.do_batch(len(node.store.held))
                node.look()
            is_done = not any(node.store.has_work() for node in self.alive)
            if is_done and not self.find_dead_connections():
                return
        raise AssertionError("The nodes do not come to an end.")

    def cut(self, kept: int) -> None:
        """Have all but the newest messages of each log removed, and all that is before them.

        No node that lives is an hour behind: what one has still to deliver is not removed.
        """
        if not any(node.store.has_work() for node in self.alive):
            retention = Retention(2**60, Keep(messages=kept))
            remove_oldest(self.tables.rooms, self.tables.mailbox.directs, retention)

    def note_entries(self) -> None:
        """Keep the entries that are new in the logs."""
        for room in self.tables.rooms.rooms.values():
            for seq in range(room.last, 0, -1):
                if (room.id, seq) in self.entries:
                    break
                self.entries[room.id, seq] = room.log[seq - room.first]

    def find_entry(self, log_id: int, seq: int) -> Entry | None:
        """Return an entry of a log, also of one that is deleted."""
        return self.entries.get((log_id, seq))

    def direct_id(self, name: str, other: str) -> int:
        """Return the id of the conversation of two users."""
        accounts = self.tables.accounts
        own, others = accounts.find(name, None), accounts.find(other, None)
        assert own is not None and others is not None
        direct = self.tables.mailbox.directs.find(own.id, None, others.id)
        assert direct is not None
        return direct.id

    # Requests.

    def start(
        self, node: Node, what: str, request: Coroutine[Any, Any, object] | Deferred[Any]
    ) -> None:
        """Begin a request; its outcome is counted when it comes."""
        if not isinstance(request, Deferred):
            request = Deferred.fromCoroutine(request)
        self.running[node] += 1

        def ended(result: object) -> None:
            self.running[node] -= 1
            code = "ok"
            if isinstance(result, Failure):
                if not isinstance(result.value, ChatError):
                    self.errors.append(result)
                    return
                code = result.value.code
            self.outcomes[what, code] += 1

        request.addBoth(ended).addErrback(self.errors.append)

    def client(self, name: str) -> Client | None:
        """Return a client of a user that has a session, by turns; None if there is none."""
        found = [one for one in self.clients if one.name == name and one.session is not None]
        return found[next(self.numbers) % len(found)] if found else None

    def session(self, name: str) -> Session | None:
        """Return a session of a user, None if the user has none."""
        client = self.client(name)
        return None if client is None else client.session

    def request(self, what: str, name: str, method: str, *args: Any) -> None:
        """Begin a request of a user who is here; `method` names a method below the chat."""
        client = self.client(name)
        if client is not None:
            txn = f"t{next(self.numbers)}"
            client.unanswered[txn] = (what, method, args)
            self.send(client, txn)

    def send(self, client: Client, txn: str) -> None:
        """Begin a request of a client, or send it again."""
        node, session, connection = client.node, client.session, client.connection
        what, method, args = client.unanswered[txn]
        assert session is not None
        call = attrgetter(method)(node.chat)

        async def run() -> None:
            try:
                if method.startswith(("membership.", "moderators.", "room_bans.")):
                    result = await node.chat.repeats.once(
                        session,
                        txn,
                        f"{what} {args}",
                        args[0],
                        lambda request: call(session, *args, request=request),
                    )
                else:
                    result = await call(session, *args)
            except ChatError:
                if client.connection is connection:
                    client.unanswered.pop(txn, None)
                raise
            if client.connection is connection:
                client.unanswered.pop(txn, None)
                if isinstance(result, RoomAck):
                    client.answered(what, args[0], args[1:], result.ack)

        self.start(node, what, run())

    def speak(self, name: str, key: str) -> None:
        """Begin to send a message to a room, every other one with a txn."""
        client = self.client(name)
        if client is not None:
            number = next(self.numbers)
            txn = f"t{number}"
            client.unanswered[txn] = ("speak", "", (key, f"text {number}", number % 2 == 0))
            self.send_message(client, txn)

    def send_message(self, client: Client, txn: str) -> None:
        """Send a message of a client, or send it again."""
        node, session, connection = client.node, client.session, client.connection
        key, text, has_txn = client.unanswered[txn][2]
        assert session is not None

        async def run() -> None:
            try:
                ack = await speak(node.chat, session, key, text, txn if has_txn else None)
            except ChatError:
                if client.connection is connection:
                    client.unanswered.pop(txn, None)
                raise
            if client.connection is connection:
                client.unanswered.pop(txn, None)
                self.acked.append(text)
                client.answered("speak", key, (), ack)

        self.start(node, "speak", run())

    def whisper(self, name: str, other: str) -> None:
        """Begin to send a direct message."""
        client = self.client(name)
        if client is None:
            return
        node, session, connection = client.node, client.session, client.connection
        assert session is not None
        target = DirectTarget(other)

        async def run() -> None:
            ack, _ = await node.chat.whispers.send(session, target, "psst", None)
            if client.connection is connection:
                client.took_direct(other, ack.seq)

        self.start(node, "whisper", run())

    def block(self, name: str, other: str, on: bool) -> None:
        """Begin to block a user."""
        client = self.client(name)
        if client is not None:
            assert client.session is not None
            for one in self.clients:
                if one.name == name:
                    one.hidden.add(other)
            blocked = client.node.chat.blocks.set_block(client.session, other, on)
            self.start(client.node, "block", blocked)

    def react(self, name: str, key: str) -> None:
        """Begin to react to the newest message of a room."""
        client, room = self.client(name), self.tables.rooms.keys.get(key)
        messages = [] if room is None else [one for one in room.log if isinstance(one, MessageSent)]
        if client is None or not messages:
            return
        connection, seq = client.connection, messages[-1].seq
        assert client.session is not None
        on = next(self.numbers) % 2 == 0
        reacted = client.node.chat.changes.react(client.session, key, seq, "\N{THUMBS UP SIGN}", on)
        assert connection is not None
        self.start(client.node, "react", reacted)

    # Sessions.

    def log_in(self, name: str, number: int, on_device: bool = False) -> None:
        """Begin a login of a user at a node, with a new client."""
        node = self.node(number)
        client = Client(name, self.find_entry, node)
        client.hidden = next((one.hidden for one in self.clients if one.name == name), set())
        logins, connection = node.chat.logins, client.connect(node)
        device = Device(f"d{next(self.numbers)}") if on_device else None

        async def log_in() -> None:
            if name in GUESTS:
                begun = await logins.login_guest(
                    name, self.encoder, connection, None, marks_read=True
                )
            else:
                begun = await logins.login(
                    name,
                    "password",
                    None,
                    self.encoder,
                    connection,
                    None,
                    marks_read=True,
                    device=device,
                )
            if client.connection is connection:
                client.begin(begun.session, begun.session_id, node.chat.epoch)
                self.clients.append(client)

        self.start(node, "login", log_in())

    def lose_connection(self, client: Client) -> None:
        """Let a node find out that the connection of a client is lost."""
        session = client.session
        client.give_up()
        if session is not None:
            client.node.chat.sessions.connection_lost(session, clean=False)

    def resume(self, client: Client, number: int) -> None:
        """Begin to resume the session of a client at a node."""
        node = self.node(number)
        connection = client.connect(node)
        seen = {name: seen.seq for name, seen in client.rooms.items()}
        directs = {seen.id: seen.seq for seen in client.directs.values()}

        async def resume() -> None:
            try:
                resumed = await node.chat.sessions.resume(
                    client.token, client.epoch, seen, self.encoder, connection, True, directs
                )
            except ChatError as error:
                if client.connection is connection:
                    client.give_up()
                    client.ended = error.code == "bad_session"
                raise
            assert node.chat.epoch == client.epoch
            if client.connection is connection:
                client.resume(resumed)
                for txn, (what, _, args) in list(client.unanswered.items()):
                    if what != "speak":
                        self.send(client, txn)
                    elif args[2]:
                        self.send_message(client, txn)
                    else:
                        del client.unanswered[txn]

        self.start(node, "resume", resume())

    # What must be true while nothing is under way.

    def check(self) -> None:
        """Check that all nodes, the logs and the clients agree, while nothing is queued."""
        assert not self.errors, self.errors
        self.problems.check()
        assert not +self.running, self.running
        records, logs = self.tables.room_lists.all(), self.tables.rooms.rooms
        live = [one for one in self.clients if one.session is not None]
        online = sorted({one.name for one in live})
        for node in self.alive:
            chat, follower = node.chat, node.store._follower
            check_rooms(
                chat,
                records,
                lambda room: logs[room.id].after(0),
                lambda room: deepcopy(logs[room.id].base),
            )
            check_registry(chat, records)
            check_users(chat, [user for user in chat.users if user.sessions])
            assert follower is not None
            followed = {
                id_: (one.seq, one.foreign, one.loads) for id_, one in follower.known.rooms.items()
            }
            here = {room.id: (room.last_seq, room.foreign, room.loads) for room in chat.rooms}
            left = chat.loader._released.keys()  # that was not stored
            assert here == {id_: one for id_, one in followed.items() if id_ not in left}
            assert chat.users.online.page(None, len(online) + 1) == online
        heads = {log.id: log.last for log in logs.values()}
        connected = {}
        for client in live:
            assert client.session is not None
            user = client.session.user
            assert client.session in user.sessions, client.name
            connected[client.session.token_hash] = client.node.store.node_id
            assert client.rooms.keys() == {"lobby", *(room.name for room in user.rooms)}
            client.up_to_date(heads)
            directs = self.tables.mailbox.directs.newest(user.id, len(MEMBERS))
            assert {one.other for one in directs} <= client.directs.keys() | client.hidden
        rows = self.tables.accounts.sessions.items()
        assert connected == {one: row.node_id for one, row in rows if row.expires_from is None}
        self._check_texts()
        for log in logs.values():
            if log.name and log is not self.tables.rooms.lobby:
                check_log([self.entries[log.id, seq] for seq in range(1, log.last + 1)])

    def _check_texts(self) -> None:
        """Check that each message is stored once if it was acknowledged, and else at most once."""
        texts = [one.msg for one in self.entries.values() if getattr(one, "id", None)]
        stored = Counter(text for text in texts if text.startswith("text"))
        assert not stored or max(stored.values()) == 1, stored
        assert stored.keys() >= set(self.acked)

    def check_limits(self) -> None:
        """Check what must be true at any time."""
        self.problems.check()
        created = Counter(room.creator_id for room in self.tables.rooms.keys.values())
        created.pop(None, None)
        assert not created or max(created.values()) <= ROOMS_PER_USER, created


def check_log(log: list[Entry]) -> None:
    """Check that each entry of the log of a room was allowed when it was stored."""
    state = RoomState()
    for entry in log:
        before = dict(state.members)
        ids = {**{name: id_ for id_, name in before.items()}, state.owner: state.owner_id}
        ranks = partial(lambda ids, name: rank_of(state, ids.get(name), name), ids)
        if isinstance(entry, Joined):
            assert entry.subject_id not in before, entry
            assert entry.subject_id is not None
            assert find_ban(state, entry.subject_id, entry.usr, entry.at) is None, entry
            assert not state.max or len(before) < state.max, (entry, state.max)
        elif isinstance(entry, Left | Kicked | Removed):
            assert entry.subject_id in before, entry
            assert not isinstance(entry, Kicked) or ranks(entry.by) > ranks(entry.usr), entry
            assert not isinstance(entry, Kicked) or ranks(entry.by) >= Rank.MODERATOR, entry
        elif isinstance(entry, MODERATION_ENTRIES):
            assert ranks(entry.by) >= Rank.MODERATOR, entry  # type: ignore[attr-defined]
        elif isinstance(entry, RoomChanged):
            now = state.settings
            same = (now.public, now.topic, now.max, now.owner, now.preview) == (
                *(entry.public, entry.topic, entry.max, entry.owner, entry.preview),
            )
            is_allowed = same and ranks(entry.usr) >= Rank.MODERATOR
            assert entry.usr == state.owner or is_allowed, entry
            assert entry.subject_id in (None, state.owner_id, *before), entry
        elif isinstance(entry, MessageSent | Edited | Reacted):
            assert entry.subject_id in before, entry
            reacts = isinstance(entry, Reacted)
            refusal = find_refusal(state, entry.subject_id, entry.usr, entry.at, reacts)
            assert refusal is None, (entry, refusal)
        state.fold(entry)
