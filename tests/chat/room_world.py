"""A chat whose store does what the test says when the test says it, and random requests to it.

The store holds its jobs until `World.do_batch`, so that many requests wait for their results at the
same time. Entries fail alone, and batches as a whole. `RoomRequests` is the machine; the store on
disk runs it in tests/store/sql.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from copy import deepcopy
from operator import attrgetter
from typing import Any, ClassVar

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from gtchat.chat.admin_store import ALL_RECORDS
from gtchat.chat.authority import Sanction
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError, NotStored
from gtchat.chat.events import Entry
from gtchat.chat.fold import RoomState
from gtchat.chat.interfaces import (
    Ack,
    Foreign,
    HistoryQuery,
    ListedRoom,
    PendingEntry,
    PendingRoomChange,
    RoomRecord,
)
from gtchat.chat.limits import Limits
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.retention import Keep, Retention
from gtchat.chat.room_loader import RELEASE_S
from gtchat.chat.rooms import LOBBY, Room
from gtchat.chat.users import Session, User
from gtchat.protocols.gtchat_json.room_info import outside_info
from gtchat.store.jobs import Job
from gtchat.store.memory.store import MemoryStore
from gtchat.store.memory.tables import MemoryTables
from gtchat.store.sql.snapshots import encode
from tests.fakes import PlainPasswords, RecordingConnection, RecordingEncoder, Tokens

MEMBERS, GUESTS = ("ann", "bob", "eve"), ("gus", "hal")
ROOMS = ("a", "b")
#: Seconds after which a guest whose connection was lost has ended.
GRACE_S = 121


def spoil(entry: PendingEntry, failing: list[bool]) -> None:
    """Make an entry fail if it is its turn: no room has such an id, another has the name."""
    if failing and failing.pop(0):
        entry.room_id = -1
        if isinstance(entry, PendingRoomChange):
            entry.room_key = LOBBY


class HeldMemoryStore(MemoryStore):
    """A store in memory that holds its jobs.

    Attributes:
        held: the jobs, oldest first.
        failing: for each of the next entries, whether it fails.
    """

    def __init__(self, clock: Clock, tables: MemoryTables | None = None) -> None:
        super().__init__(clock, tables)
        self.failing: list[bool] = []

    @property
    def held(self) -> list[Job]:
        return self._queue

    @held.setter
    def held(self, jobs: list[Job]) -> None:
        self._queue = jobs

    def _enqueue(self, job: Job) -> None:
        self._queue.append(job)

    def append(self, entry: PendingEntry) -> None:
        spoil(entry, self.failing)
        super().append(entry)

    def do_batch(self, batch: list[Job], failing: bool) -> None:
        """Do jobs that are not held any more and deliver their results; all fail if `failing`."""
        if failing:
            for job in batch:
                if isinstance(job, PendingEntry) or job.function is not None:
                    job.error = NotStored()
            self._deliver(Foreign(), batch)
        else:
            later, self._queue = self._queue, batch
            self._do_batch()
            self._queue = later + self._queue


def snapshot(state: RoomState) -> dict[str, object]:
    """Return all that a state has, with the order of the members."""
    return {
        "settings": state.settings,
        "creator_id": state.creator_id,
        "members": list(state.members.items()),
        "guests": sorted(state.guests),
        "names": state.member_names.page(None, len(state.members) + 1),
        "moderation": state.moderation,
    }


def folded(entries: Sequence[Entry], base: RoomState | None = None) -> RoomState:
    """Return the state that a log gives; base: what the room was before, which changes."""
    state = RoomState() if base is None else base
    for entry in entries:
        state.fold(entry)
    return state


def base_of(store: MemoryStore, room_id: int) -> RoomState:
    """Return what a room was before the first entry that is kept, for the test to change."""
    return deepcopy(store._rooms.rooms[room_id].base)


@attrs.define(eq=False)
class World:
    """A chat with three registered users and two guests.

    Args:
        store: the store, which has `held`, `failing` and `do_batch` as `HeldMemoryStore` has.
        clock: its clock.
        read_rooms: returns all rooms of the store, which holds no jobs.
        read_base: returns what a room was before its first entry that is kept.

    Attributes:
        chat: the chat.
        sessions: name of a user -> the last session.
        outcomes: (what was asked for, error code or "ok") -> how many.
        errors: what went wrong otherwise.
    """

    store: Any
    clock: Clock
    read_rooms: Callable[[Any], Sequence[RoomRecord]] = lambda store: store._room_lists.all()
    read_base: Callable[[Any, int], RoomState] = lambda store, id_: base_of(store, id_)
    chat: Chat = attrs.field(init=False)
    sessions: dict[str, Session] = attrs.field(init=False, factory=dict)
    outcomes: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    errors: list[Failure] = attrs.field(init=False, factory=list)
    encoder: RecordingEncoder = attrs.field(init=False, factory=RecordingEncoder)
    tokens: Tokens = attrs.field(init=False, factory=Tokens)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(1_800_000_000)
        self.begin()
        for name in MEMBERS:
            self.start("register", self.chat.accounts.register(name, "password", None, "::1"))
            self.settle()
        for name in (*MEMBERS, *GUESTS):
            self.log_in(name)
            self.settle()

    def begin(self) -> None:
        """Start a chat on the store."""
        limits = Limits(commands_per_second=0, registrations_per_minute=0)
        self.chat = Chat(self.store, self.clock, limits, PlainPasswords(), self.tokens)
        self.chat.start()
        self.sessions = {}

    def restart(self) -> None:
        """Stop the chat in order, and start another one on its store."""
        self.settle()
        stopped = Deferred.fromCoroutine(self.chat.stop())
        self.settle()
        assert stopped.called
        self.begin()
        self.settle()

    @property
    def chats(self) -> list[Chat]:
        """All chats that there are."""
        return [self.chat]

    def start(self, what: str, request: Coroutine[Any, Any, object] | Deferred[Any]) -> None:
        """Begin a request; its outcome is counted when it comes."""
        if not isinstance(request, Deferred):
            request = Deferred.fromCoroutine(request)
        request.addCallbacks(
            lambda _: self.outcomes.update([(what, "ok")]), self._failed, errbackArgs=(what,)
        )
        request.addErrback(self.errors.append)

    def _failed(self, failure: Failure, what: str) -> None:
        failure.trap(ChatError)
        assert isinstance(failure.value, ChatError)
        self.outcomes[what, failure.value.code] += 1

    def session(self, name: str) -> Session | None:
        """Return the session of a user, None if the user is not here."""
        session = self.sessions.get(name)
        return session if session is not None and session in session.user.sessions else None

    def log_in(self, name: str) -> None:
        """Begin a login of a user."""
        logins, connection = self.chat.logins, RecordingConnection()

        async def log_in() -> None:
            if name in GUESTS:
                found = await logins.login_guest(name, self.encoder, connection, None)
            else:
                found = await logins.login(name, "password", None, self.encoder, connection, None)
            self.sessions[name] = found.session

        self.start("login", log_in())

    def do_batch(self, count: int, failing: bool = False) -> None:
        """Let the store do the first jobs that it holds, in one batch."""
        self.clock.advance(0)
        batch, self.store.held = self.store.held[:count], self.store.held[count:]
        if batch:
            self.store.do_batch(batch, failing)
        self.clock.advance(0)

    def settle(self) -> None:
        """Let the store do all jobs, until there are no more."""
        self.do_batch(0)
        while self.store.held:
            self.do_batch(len(self.store.held))

    def read_log(self, room: Room) -> list[Entry]:
        """Return the log of a room from the store, which holds no jobs."""
        log: list[Entry] = []
        while True:
            pages: list[Any] = []
            query = HistoryQuery(after=log[-1].seq if log else 0, limit=200)
            self.store.history(room.id, query).addCallback(pages.append)
            self.settle()
            log += pages[0].entries
            if not pages[0].more:
                return log

    def cut(self, kept: int) -> None:
        """Have all but the newest messages of each log removed, and all that is before them."""
        at = int(self.clock.seconds() * 1000) + 2 * 3_600_000
        retention = Retention(at, Keep(messages=kept))
        self.start("cut", self.store.prune(0, 0, 0, ALL_RECORDS, retention))

    def check(self) -> None:
        """Check that memory, logs and store agree, while nothing is queued."""
        assert not self.errors, self.errors
        records = self.read_rooms(self.store)
        check_rooms(
            self.chat, records, self.read_log, lambda room: self.read_base(self.store, room.id)
        )
        check_registry(self.chat, records)
        # The rooms of guests who were waited for at a start are in memory once they come back.
        check_users(self.chat, [user for user in self.chat.users if user.sessions])


def check_rooms(
    chat: Chat,
    records: Iterable[RoomRecord],
    read_log: Callable[[Room], Sequence[Entry]],
    read_base: Callable[[Room], RoomState],
) -> None:
    """Check that the rooms of a chat, their records and their logs agree, and which are there.

    Names of accounts that have ended are in no base: they are compared where the log is whole.
    """
    by_id = {record.id: record for record in records}
    here = {user.id for user in chat.users if user.sessions}
    used = {
        record.id
        for record in by_id.values()
        if record.key == LOBBY
        or here & {record.owner_id, *(member[0] for member in record.members)}
    }
    assert used <= {room.id for room in chat.rooms} <= by_id.keys()
    for room in chat.rooms:
        assert not room.queued
        record, log = by_id[room.id], read_log(room)
        assert snapshot(room) == snapshot(Room.from_record(record)), room.name
        assert (room.last_seq, room.message_count) == (record.last_seq, record.message_count)
        first = log[0].seq if log else room.last_seq + 1
        assert [entry.seq for entry in log] == list(range(first, room.last_seq + 1))
        counted = sum(entry.kind == "speak" for entry in log)
        assert room.message_count == counted if first == 1 else room.message_count >= counted
        if not room.is_lobby:
            shape = snapshot if first == 1 else encode
            assert shape(room) == shape(folded(log, read_base(room))), room.name


def check_registry(chat: Chat, records: Iterable[RoomRecord]) -> None:
    """Check the lists of rooms that a chat keeps."""
    stored = {one.key: one for one in records if one.public and one.key != LOBBY}
    public = chat.rooms.public
    assert public.page(None, len(stored) + 1) == sorted(stored)
    assert public.total == len(stored)
    is_shared = chat._state.store.is_shared
    for listed in chat.rooms.listed(stored):
        record = stored[listed.key]
        if is_shared and isinstance(listed, ListedRoom):  # members and entries are not told
            seen = attrs.evolve(listed, last_seq=record.last_seq, member_count=len(record.members))
        else:
            seen = listed
        assert outside_info(seen) == outside_info(Room.from_record(record)), listed
        assert (listed.id, listed.public) == (record.id, record.public), listed
    owned: defaultdict[int | None, set[Room]] = defaultdict(set)
    for room in chat.rooms:
        owned[room.owner_id].add(room)
    assert {owner: set(found) for owner, found in chat.rooms._owned.items()} == owned


def check_users(chat: Chat, users: Iterable[User]) -> None:
    """Check in which rooms users are, and what their sessions are subscribed to."""
    live = {s.connection for user in chat.users for s in user.sessions}
    for room in chat.rooms:
        assert {one for _, found in room.subscribers for one in found} <= live, room.name
    for user in users:
        member_of = {room for room in chat.rooms if user.id in room.members}
        assert user.rooms.keys() == member_of, user.name
        for session in user.sessions:
            subscribed = {room for room in chat.rooms if session in room.subscribers}
            assert subscribed == {*member_of, chat.rooms.lobby}, user.name


async def speak(chat: Chat, session: Session, room: str, msg: str, txn: str | None) -> Ack:
    """Send a message to a room and return its ack."""
    done: Deferred[Ack | ChatError] = Deferred()
    chat.speak(session, room, msg, txn, done.callback)
    result = await done
    if isinstance(result, ChatError):
        raise result
    return result


names = st.sampled_from((*MEMBERS, *GUESTS))
rooms = st.sampled_from(ROOMS)
#: Whether the request comes from a user who may make it; else most would be refused.
mostly = st.sampled_from((True, True, True, False))


class RoomRequests(RuleBasedStateMachine):
    """Five users make requests to two rooms, while the store works, fails and waits.

    Attributes:
        new_world: returns the world of an example.
        outcomes: those of all examples.
    """

    new_world: ClassVar[Callable[[], World]]
    outcomes: ClassVar[Counter[tuple[str, str]]]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).new_world()
        self.world.outcomes = self.outcomes
        for room, creator, days in zip(ROOMS, ("ann", "gus"), (0, 9), strict=True):
            wanted = RoomSettings(keep_days=days)
            self.request("create", creator, "membership.create", room, wanted)
            self.world.settle()

    def request(self, what: str, name: str, method: str, *args: Any) -> None:
        """Begin a request of a user who is here; `method` names a method below the chat."""
        session = self.world.session(name)
        if session is not None:
            self.world.start(what, attrgetter(method)(self.world.chat)(session, *args))

    def room(self, key: str) -> Room | None:
        """Return a room, None if there is none."""
        return next((room for room in self.world.chat.rooms if room.key == key), None)

    def owner(self, key: str, otherwise: str) -> str:
        """Return the owner of a room, `otherwise` if there is none."""
        room = self.room(key)
        return room.owner if room is not None and room.owner else otherwise

    def member(self, key: str, index: int, otherwise: str, but: str = "") -> str:
        """Return a member of a room but one, `otherwise` if there is none."""
        room = self.room(key)
        members = list(room.members.values()) if room is not None else []
        members = [name for name in members if name != but]
        return members[index % len(members)] if members else otherwise

    def other_member(self, key: str, index: int, name: str) -> str:
        """Return a member of a room other than `name`; if there is none, let a user join first."""
        other = MEMBERS[MEMBERS[0] == name]
        user = self.member(key, index, other, but=name)
        if user == other and self.room(key) is not None:
            self.request("join", other, "membership.join", key)
        return user

    @rule(name=names, key=rooms, public=st.booleans(), most=st.integers(0, 3))
    def create(self, name: str, key: str, public: bool, most: int) -> None:
        wanted = RoomSettings(public=public, max=most)
        self.request("create", name, "membership.create", key, wanted)

    @rule(name=names, key=rooms)
    def join(self, name: str, key: str) -> None:
        self.request("join", name, "membership.join", key)

    @rule(name=names, key=rooms, index=st.integers(0, 4), member=mostly)
    def leave(self, name: str, key: str, index: int, member: bool) -> None:
        name = self.member(key, index, name) if member else name
        self.request("leave", name, "membership.leave", key)

    @rule(name=names, key=rooms, index=st.integers(0, 4), owner=mostly)
    def kick(self, name: str, key: str, index: int, owner: bool) -> None:
        name = self.owner(key, name) if owner else name
        user = self.member(key, index, name, but=name if owner else "")
        self.request("kick", name, "room_bans.kick", key, user)

    def moderator(self, key: str, name: str, owner: bool) -> str:
        """Return a moderator of a room, or the owner; `name` if there is none."""
        room = self.room(key)
        roles = list(room.moderation.roles.values()) if room is not None else []
        moderators = [one.name for one in roles if one.role == "moderator"]
        return self.owner(key, name) if owner or not moderators else moderators[0]

    @rule(
        name=names,
        key=rooms,
        index=st.integers(0, 4),
        owner=st.booleans(),
        what=st.sampled_from(("moderators.mute", "room_bans.ban")),
        pattern=st.sampled_from(("", "", "*us", "b*")),
        seconds=st.sampled_from((0, 60)),
    )
    def punish(
        self,
        name: str,
        key: str,
        index: int,
        owner: bool,
        what: str,
        pattern: str,
        seconds: int,
    ) -> None:
        name = self.moderator(key, name, owner)
        user = self.other_member(key, index, name)
        if pattern and what == "room_bans.ban":
            user = pattern
        self.request("punish", name, what, key, user, Sanction("why", seconds))

    @rule(
        key=rooms,
        owner=st.booleans(),
        index=st.integers(0, 4),
        what=st.sampled_from(("voice", "moderator", "", "forgive", "on", "on", "slow", "slow")),
    )
    def moderate(self, key: str, owner: bool, index: int, what: str) -> None:
        name = self.moderator(key, "ann", owner)
        if what in ("on", "slow"):
            wanted = RoomSettings(moderated=what == "on", slow=30 * (what == "slow"))
            self.request("moderate", name, "membership.change", key, wanted, None)
        elif what == "forgive":
            self.forgive(key, name, index)
        else:
            user = self.other_member(key, index, name)
            self.request("role", name, "moderators.set_role", key, user, what)

    def forgive(self, key: str, name: str, index: int) -> None:
        """End a mute or a ban, if there is one."""
        room = self.room(key)
        mutes = {} if room is None else room.moderation.mutes
        bans = {} if room is None else room.moderation.bans
        found = [("moderators.unmute", one.name) for one in mutes.values()]
        found += [("room_bans.unban", one.name) for one in bans.values()]
        if found:
            what, user = found[index % len(found)]
            self.request("forgive", name, what, key, user)

    @rule(name=names, key=rooms, index=st.integers(0, 4), owner=mostly)
    def remove(self, name: str, key: str, index: int, owner: bool) -> None:
        user = self.member(key, index, name)
        name = self.owner(key, name) if owner else user
        self.request("remove", name, "membership.remove", key, user)

    @rule(key=rooms, index=st.integers(0, 4), user=names)
    def add(self, key: str, index: int, user: str) -> None:
        self.request("add", self.member(key, index, user), "membership.add", key, user)

    @rule(
        name=names,
        key=rooms,
        owner=mostly,
        topic=st.none() | st.sampled_from(("x", "y")),
        public=st.none() | st.booleans(),
        preview=st.none() | st.booleans(),
    )
    def change(
        self,
        name: str,
        key: str,
        owner: bool,
        topic: str | None,
        public: bool | None,
        preview: bool | None,
    ) -> None:
        name = self.owner(key, name) if owner else name
        wanted = RoomSettings(topic=topic, public=public, preview=preview)
        self.request("set", name, "membership.change", key, wanted, None)

    @rule(key=rooms, index=st.integers(0, 4))
    def hand_over(self, key: str, index: int) -> None:
        name = self.owner(key, "ann")
        next_owner = self.member(key, index, name)
        self.request("hand over", name, "membership.change", key, RoomSettings(), next_owner)

    @rule(name=names, key=rooms, owner=mostly)
    def delete(self, name: str, key: str, owner: bool) -> None:
        name = self.owner(key, name) if owner else name
        self.request("delete", name, "membership.delete", key)

    @rule(key=rooms, index=st.integers(0, 4))
    def speak(self, key: str, index: int) -> None:
        session = self.world.session(self.member(key, index, "ann"))
        if session is not None:
            self.world.start("speak", speak(self.world.chat, session, key, "x", None))

    @rule(kept=st.integers(1, 3))
    def cut(self, kept: int) -> None:
        self.world.cut(kept)

    @rule(name=st.sampled_from(GUESTS))
    def end_guest(self, name: str) -> None:
        self.request("log out", name, "sessions.logout")

    @rule(name=names)
    def lose_connection(self, name: str) -> None:
        session = self.world.session(name)
        if session is not None:
            self.world.chat.sessions.connection_lost(session, clean=False)

    @rule(name=names)
    def log_in(self, name: str) -> None:
        if self.world.session(name) is None:
            self.world.log_in(name)

    @rule()
    def wait(self) -> None:
        self.world.clock.advance(GRACE_S)

    @rule(plan=st.lists(st.booleans(), max_size=4))
    def next_entries_fail(self, plan: list[bool]) -> None:
        self.world.store.failing = plan

    @rule(count=st.integers(1, 6), failing=st.sampled_from((False, False, True)))
    def do_batch(self, count: int, failing: bool) -> None:
        self.world.do_batch(count, failing)

    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.world.check()

    @invariant()
    def what_a_list_entry_shows_is_as_it_was_when_the_entry_was_kept(self) -> None:
        for chat in self.world.chats:
            for room in chat.rooms:
                shown = [outside_info(room)]
                assert room.list_entry in (None, shown), room.name
                room.list_entry = shown

    def teardown(self) -> None:
        self.settle()


class LoneRoomRequests(RoomRequests):
    """The same on a server that is alone: rooms leave memory, and it is stopped and started."""

    @rule(kept=st.sets(names, max_size=2))
    def others_go(self, kept: set[str]) -> None:
        for name in {*MEMBERS, *GUESTS} - kept:
            self.lose_connection(name)
        self.world.clock.advance(RELEASE_S)

    @precondition(lambda self: not self.world.store.held)
    @rule()
    def restart(self) -> None:
        self.world.restart()


class QueuedRoomRequests(RoomRequests):
    """Requests, with a look at each room also while changes are queued; for the memory store."""

    @invariant()
    def state_is_the_fold_of_the_log_and_what_is_queued(self) -> None:
        stored = self.world.store._rooms.rooms
        for room in self.world.chat.rooms:
            if not room.is_lobby:
                queued = [change.entry for change in room.queued]
                log = [*stored[room.id].log, *queued]
                state = folded(log, base_of(self.world.store, room.id))
                assert snapshot(room) == snapshot(state)
