"""What every store does, in the words of `IStore`: one suite for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from zope.interface.verify import verifyObject

from gtchat.chat.errors import NotStored
from gtchat.chat.events import Entry, Joined, Left, MessageSent, RoomCreated
from gtchat.chat.interfaces import IStore, PendingEntry


def spoke(
    msg: str = "hello", *, at: int = 1000, room: str = "Nest", usr: str = "Ann"
) -> MessageSent:
    return MessageSent(room_name=room, usr=usr, at=at, msg=msg, id=f"id of {msg}")


def created(room: str = "Nest", *, public: bool = True, owner: str = "Ann") -> RoomCreated:
    return RoomCreated(
        room_name=room, usr="Ann", at=900, public=public, topic="twigs", max=7, owner=owner
    )


def joined(usr: str, room: str = "Nest") -> Joined:
    return Joined(room_name=room, usr=usr, at=950)


def left(usr: str, room: str = "Nest") -> Left:
    return Left(room_name=room, usr=usr, at=960)


class Speech(PendingEntry):
    """A chat's own kind of append."""


class StoreCase:
    """A store, the lobby's number, and what was handed to `committed`, call by call.

    To be mixed with a TestCase and something that has `open_store`.
    """

    timeout = 20

    def setUp(self) -> None:
        self.numbers = count(1)
        self.store = self.open_store()
        self.calls: list[list[PendingEntry]] = []
        self.store.committed = lambda appends: self.calls.append(list(appends))
        self.contents = self.store.load()
        self.lobby = self.contents.rooms[0].id
        self.addCleanup(lambda: self.store.close())

    def append(
        self,
        room_id: int,
        entry: Entry,
        subject: int | None = None,
        txn: str | None = None,
        key: str = "",
    ) -> PendingEntry:
        append = Speech(room_id, entry, subject, txn=txn, room_key=key)
        self.store.append(append)
        return append

    async def stored(self, *args: Any, **options: Any) -> PendingEntry:
        append = self.append(*args, **options)
        await self.store.flush()
        self.assertIsNone(append.error)
        return append

    async def account(self, name: str) -> int:
        return await self.store.register(name, name.lower(), "hash", None, 100)

    async def room(self, owner: int | None, name: str = "Nest") -> int:
        append = await self.stored(0, created(name), owner, key=name.lower())
        return append.room_id

    async def record(self, room_id: int) -> Any:
        """A room as a chat finds it that starts now."""
        await self.store.flush()
        return next((one for one in self.store.load().rooms if one.id == room_id), None)

    async def texts(self, room_id: int, span: Any) -> list[str]:
        page = await self.store.history(room_id, span)
        return [getattr(entry, "msg", entry.kind) for entry in page.entries]

    async def refused(self, deferred: Any, error: type[Exception]) -> Any:
        return await self.assertFailure(deferred, error)


class QueueContract(StoreCase):
    """One queue, one order."""

    def test_it_is_a_store(self) -> None:
        verifyObject(IStore, self.store)

    def test_the_lobby_is_there_from_the_start_and_belongs_to_nobody(self) -> None:
        (lobby,) = self.contents.rooms
        self.assertEqual((lobby.key, lobby.name, lobby.public), ("lobby", "lobby", True))
        self.assertEqual((lobby.owner_id, lobby.owner), (None, ""))
        self.assertEqual((lobby.members, lobby.last_seq, lobby.message_count), ((), 0, 0))

    def test_a_chat_that_starts_again_finds_the_same_epoch(self) -> None:
        self.assertTrue(self.contents.epoch)
        self.assertEqual(self.store.load().epoch, self.contents.epoch)

    async def test_results_come_in_the_order_in_which_they_were_asked_for(self) -> None:
        heard: list[str] = []
        self.store.committed = lambda appends: heard.extend(one.entry.msg for one in appends)
        self.append(self.lobby, spoke("1"))
        self.store.register("Ann", "ann", None, None, 1).addCallback(lambda _: heard.append("2"))
        self.append(self.lobby, spoke("3"))
        self.append(self.lobby, spoke("4"))
        self.store.block(1, 1, False).addCallback(lambda _: heard.append("5"))
        self.append(self.lobby, spoke("6"))
        await self.store.flush()
        self.assertEqual(heard, ["1", "2", "3", "4", "5", "6"])

    async def test_no_call_reaches_over_another_write(self) -> None:
        first = [self.append(self.lobby, spoke(str(number))) for number in range(3)]
        between = self.store.register("Ann", "ann", None, None, 1)
        second = [self.append(self.lobby, spoke(str(number))) for number in range(2)]
        await self.store.flush()
        await between
        self.assertEqual([one for call in self.calls for one in call], first + second)
        self.assertFalse([call for call in self.calls if first[-1] in call and second[0] in call])

    async def test_nothing_is_told_before_the_caller_has_returned(self) -> None:  # H17
        append = self.append(self.lobby, spoke())
        self.assertEqual(self.calls, [])
        await self.store.flush()
        self.assertEqual(self.calls, [[append]])

    async def test_a_chat_that_fails_over_one_run_is_told_the_next(self) -> None:
        heard: Sequence[PendingEntry] = []

        def committed(appends: Sequence[PendingEntry]) -> None:
            nonlocal heard
            heard = [*heard, *appends]
            raise ZeroDivisionError

        self.store.committed = committed
        first = self.append(self.lobby, spoke("1"))
        await self.store.flush()
        second = self.append(self.lobby, spoke("2"))
        await self.store.flush()
        self.assertEqual(heard, [first, second])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    async def test_it_is_healthy(self) -> None:
        await self.stored(self.lobby, spoke())
        self.assertTrue(self.store.healthy())

    async def test_closing_finishes_the_queue(self) -> None:
        append = self.append(self.lobby, spoke())
        await self.store.close()
        self.assertEqual((append.entry.seq, self.calls), (1, [[append]]))

    async def test_nothing_is_stored_after_closing(self) -> None:
        await self.store.close()
        await self.refused(self.store.flush(), NotStored)
        append = self.append(self.lobby, spoke())
        await self.refused(self.store.register("Ann", "ann", None, None, 1), NotStored)
        await self.store.close()
        self.assertIsInstance(append.error, NotStored)
