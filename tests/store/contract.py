"""Tests of `IStore` that every store has to pass: helpers, and the queue of writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from typing import Any

import attrs
from zope.interface.verify import verifyObject

from gtchat.chat.errors import NotStored
from gtchat.chat.events import (
    Entry,
    Joined,
    Left,
    MessageSent,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.interfaces import (
    Backlog,
    EndedSession,
    IStore,
    NewSession,
    PendingEntry,
    PendingRoomChange,
)
from gtchat.chat.node_records import ROOM_CHANGES


def message(
    msg: str = "hello", *, at: int = 1000, room: str = "Garden", usr: str = "Ann"
) -> MessageSent:
    return MessageSent(room_name=room, usr=usr, at=at, msg=msg, id=f"id of {msg}")


def room_created(room: str = "Garden", *, public: bool = True, owner: str = "Ann") -> RoomCreated:
    return RoomCreated(
        room_name=room, usr="Ann", at=900, public=public, topic="plants", max=7, owner=owner
    )


def room_changed(room: str = "Garden", *, owner: str) -> RoomChanged:
    return RoomChanged(
        room_name=room, usr="Ann", at=930, public=True, topic="plants", max=7, owner=owner
    )


def joined(usr: str, room: str = "Garden") -> Joined:
    return Joined(room_name=room, usr=usr, at=950)


def left(usr: str, room: str = "Garden") -> Left:
    return Left(room_name=room, usr=usr, at=960)


#: Where the clients of the tests connect from.
NETWORK = "192.0.2.1"
#: Token hash of a session.
TOKEN = b"t" * 32


def new_session(
    token_hash: bytes | None,
    at: int = 1,
    ended: Sequence[EndedSession] = (),
    marks_read: bool = False,
    **more: Any,
) -> NewSession:
    return NewSession(token_hash, at, NETWORK, tuple(ended), marks_read, **more)


class ChatEntry(PendingEntry):
    """An entry of a class of the chat's own, as the chat queues them."""


class ChatChange(PendingRoomChange):
    """The same for a change of a room."""


def pending_entry(room_id: int, entry: Entry, **options: Any) -> PendingEntry:
    """Return an entry as the chat queues it; options of changes of rooms are for those only."""
    if isinstance(entry, ROOM_CHANGES):
        return ChatChange(room_id, entry, **options)
    return ChatEntry(room_id, entry, **options)


class StoreCase:
    """Helpers for tests of a store; for a TestCase that has `open_store`.

    Attributes:
        store: the store.
        state: what it loaded at first.
        lobby: the id of the lobby.
        calls: the entries that `committed` got, call by call.
    """

    timeout = 60

    def setUp(self) -> None:
        self.numbers = count(1)
        self.store = self.open_store()
        # Whatever happens from here on: threads of an open store would keep the process running.
        self.addCleanup(lambda: self.store.close())
        self.calls: list[list[PendingEntry]] = []
        self.store.committed = lambda entries: self.calls.append(list(entries))
        self.state = self.store.load()
        self.lobby = self.state.rooms[0].id

    def append(
        self,
        room_id: int,
        entry: Entry,
        subject: int | None = None,
        txn: str | None = None,
        key: str = "",
        **options: Any,
    ) -> PendingEntry:
        """Queue an entry about an account, which is the sender if it has a txn, and return it."""
        entry.subject_id = subject
        if key:
            options["room_key"] = key
        sender_id = None if txn is None else subject
        pending = pending_entry(room_id, entry, txn=txn, sender_id=sender_id, **options)
        self.store.append(pending)
        return pending

    async def stored(self, *args: Any, **options: Any) -> PendingEntry:
        """Store an entry, with the arguments of `append`, and return it."""
        pending = self.append(*args, **options)
        await self.store.flush()
        self.assertIsNone(pending.error)
        return pending

    async def account(self, name: str) -> int:
        """Register an account and return its id."""
        return await self.store.register(name, name.lower(), "hash", None, 100)

    async def room(self, owner: int | None, name: str = "Garden") -> int:
        """Create a room and return its id."""
        pending = await self.stored(0, room_created(name), owner, key=name.lower())
        return pending.room_id

    async def record(self, room_id: int) -> Any:
        """Return a room as it would come into memory now, None if there is none."""
        return next(iter(await self.load_rooms([room_id])), None)

    async def load_rooms(self, ids: Collection[int], key: str | None = None) -> Sequence[Any]:
        """Bring rooms into memory; return their records."""
        loaded: list[Any] = []
        foreign = self.store.foreign
        self.store.foreign = lambda one: loaded.extend(one.loaded)
        found = await self.store.load_rooms(ids, key)
        self.store.foreign = foreign
        self.assertFalse(self.store.is_shared and found)
        return [*found, *(attrs.evolve(one, foreign=0, loads=0) for one in loaded)]

    async def texts(self, room_id: int, query: Any) -> list[str]:
        """Return the messages of a query, with the kind in place of other entries."""
        page = await self.store.history(room_id, query)
        return [getattr(entry, "msg", entry.kind) for entry in page.entries]

    async def assertFails(self, deferred: Any, error: type[Exception]) -> Any:
        """Wait for a failure, check its type and return it."""
        return await self.assertFailure(deferred, error)


class ResumeCase(StoreCase):
    """A session of Ann that began at 1,000; each resume adds five messages to the lobby.

    Attributes:
        ann: the account of Ann, from the first resume on.
        resumed: the result of the last resume.
    """

    async def missed(self, seen: dict[int, int], **options: Any) -> dict[int, Backlog]:
        if not getattr(self, "ann", None):
            self.ann = await self.account("Ann")
            await self.store.login(self.ann, "hash", new_session(TOKEN, 1000))
        for text in "abcde":
            self.append(self.lobby, message(text, room="lobby"))
        defaults = {"at": 9000, "oldest": 0, "liveness_ms": 50, "limit": 500, "network": NETWORK}
        self.resumed = await self.store.resume(TOKEN, seen=seen, **(defaults | options))
        return dict(self.resumed.missed)


class GuestsTogether(StoreCase):
    """Guests who log in within one transaction of a database."""

    async def test_a_guest_who_cannot_be_stored_fails_alone(self) -> None:
        tokens = [b"a" * 32, b"b" * 32, b"a" * 32, b"c" * 32]
        logins = [
            self.store.login_guest(f"G{number}", f"g{number}", new_session(token))
            for number, token in enumerate(tokens)
        ]
        await self.assertFails(logins.pop(2), NotStored)
        ids = [await login for login in logins]
        self.assertEqual([one.account.id for one in self.store.load().guests], ids)
        self.flushLoggedErrors()


class QueueContract(StoreCase):
    """The order of writes and their results."""

    def test_it_provides_the_interface(self) -> None:
        verifyObject(IStore, self.store)

    async def test_sizes_are_of_the_database_and_its_log(self) -> None:
        await self.store.flush()
        sizes = await self.store.sizes()
        self.assertLessEqual(set(sizes), {"database", "wal", "free"})
        self.assertTrue(all(sizes[part] > 0 for part in sizes.keys() - {"free"}), sizes)
        self.assertEqual(bool(sizes), hasattr(self.store, "_database"))

    async def test_writes_that_wait_are_counted(self) -> None:
        self.append(self.lobby, message("1"))
        self.append(self.lobby, message("2"))
        self.assertEqual(self.store.waiting(), 2)
        await self.store.flush()
        self.assertEqual(self.store.waiting(), 0)

    def test_a_new_store_has_a_lobby_without_an_owner(self) -> None:
        (lobby,) = self.state.rooms
        self.assertEqual((lobby.key, lobby.name, lobby.public), ("lobby", "lobby", True))
        self.assertEqual((lobby.owner_id, lobby.owner), (None, ""))
        self.assertEqual((lobby.members, lobby.last_seq, lobby.message_count), ((), 0, 0))

    def test_the_epoch_stays_the_same_after_a_restart(self) -> None:
        self.assertTrue(self.state.epoch)
        self.assertEqual(self.store.load().epoch, self.state.epoch)

    async def test_results_come_in_the_order_of_the_calls(self) -> None:
        received: list[str] = []
        self.store.committed = lambda entries: received.extend(
            pending.entry.msg for pending in entries
        )
        self.append(self.lobby, message("1"))
        self.store.register("Ann", "ann", None, None, 1).addCallback(lambda _: received.append("2"))
        self.append(self.lobby, message("3"))
        self.append(self.lobby, message("4"))
        self.store.block(1, 1, False).addCallback(lambda _: received.append("5"))
        self.append(self.lobby, message("6"))
        await self.store.flush()
        self.assertEqual(received, ["1", "2", "3", "4", "5", "6"])

    async def test_entries_before_and_after_another_write_come_in_separate_calls(self) -> None:
        first = [self.append(self.lobby, message(str(number))) for number in range(3)]
        between = self.store.register("Ann", "ann", None, None, 1)
        second = [self.append(self.lobby, message(str(number))) for number in range(2)]
        await self.store.flush()
        await between
        self.assertEqual([pending for call in self.calls for pending in call], first + second)
        self.assertFalse([call for call in self.calls if first[-1] in call and second[0] in call])

    async def test_nothing_is_delivered_before_the_call_has_returned(self) -> None:  # H17
        pending = self.append(self.lobby, message())
        self.assertEqual(self.calls, [])
        await self.store.flush()
        self.assertEqual(self.calls, [[pending]])

    async def test_entries_are_delivered_after_the_chat_failed_on_earlier_ones(self) -> None:
        received: Sequence[PendingEntry] = []

        def committed(entries: Sequence[PendingEntry]) -> None:
            nonlocal received
            received = [*received, *entries]
            raise ZeroDivisionError

        self.store.committed = committed
        first = self.append(self.lobby, message("1"))
        await self.store.flush()
        second = self.append(self.lobby, message("2"))
        await self.store.flush()
        self.assertEqual(received, [first, second])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    async def test_it_is_healthy_after_a_write(self) -> None:
        await self.stored(self.lobby, message())
        self.assertTrue(self.store.healthy())

    async def test_closing_finishes_the_queue(self) -> None:
        pending = self.append(self.lobby, message())
        await self.store.close()
        self.assertEqual((pending.entry.seq, self.calls), (1, [[pending]]))

    async def test_nothing_is_stored_after_closing(self) -> None:
        await self.store.close()
        await self.assertFails(self.store.flush(), NotStored)
        pending = self.append(self.lobby, message())
        await self.assertFails(self.store.register("Ann", "ann", None, None, 1), NotStored)
        await self.store.close()
        self.assertIsInstance(pending.error, NotStored)
