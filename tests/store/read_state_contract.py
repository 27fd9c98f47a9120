"""What every store keeps of how far accounts have read, and what it counts as unread."""

from __future__ import annotations

from gtchat.chat.errors import BadSession, NotInRoom
from gtchat.chat.interfaces import EndedSession, MembershipRecord, UnreadRecord
from tests.store.contract import NETWORK, StoreCase, joined, left, message, new_session

TOKEN = b"t" * 32
OTHER = b"o" * 32


class ReadStateContract(StoreCase):
    """Ann has a room with this log: creation, three messages, Bob joins, a message."""

    async def ann_and_room(self, *, marks_read: bool = False) -> tuple[int, int]:
        """Return Ann's account id and the room's id."""
        ann, bob = await self.account("Ann"), await self.account("Bob")
        room = await self.room(ann)
        for text in "123":
            await self.stored(room, message(text))
        await self.stored(room, joined("Bob"), bob)
        await self.stored(room, message("4"))
        await self.store.login(ann, "hash", new_session(TOKEN, 1, marks_read=marks_read))
        return ann, room

    async def read_state(self, account_id: int) -> dict[int, int]:
        token = bytes(str(next(self.numbers)), "ascii")
        found = (await self.store.login(account_id, "hash", new_session(token, 1))).memberships
        return {row.room_id: row.read_seq for row in found}

    async def test_a_mark_is_stored_and_returned(self) -> None:
        ann, room = await self.ann_and_room()
        for seq in (2, 4, 5, 6):
            self.assertEqual(await self.store.mark_read(ann, TOKEN, room, seq), seq)
        self.assertEqual(await self.read_state(ann), {self.lobby: 0, room: 6})

    async def test_a_mark_never_moves_back(self) -> None:
        ann, room = await self.ann_and_room()
        await self.store.mark_read(ann, TOKEN, room, 4)
        self.assertEqual(await self.store.mark_read(ann, TOKEN, room, 2), 4)

    async def test_the_lobby_is_marked_without_a_membership(self) -> None:
        ann, _ = await self.ann_and_room()
        for text in "12":
            await self.stored(self.lobby, message(text))
        for seq in (2, 1):
            self.assertEqual(await self.store.mark_read(ann, TOKEN, self.lobby, seq), 2)

    async def test_a_room_cannot_be_marked_without_a_membership(self) -> None:
        ann, room = await self.ann_and_room()
        await self.stored(room, left("Ann"), ann)
        for room_id in (room, 999):
            await self.assertFails(self.store.mark_read(ann, TOKEN, room_id, 3), NotInRoom)
        await self.assertFails(self.store.mark_read(999, TOKEN, room, 3), NotInRoom)

    async def test_marks_of_many_accounts_are_stored_at_once(self) -> None:
        ann, room = await self.ann_and_room()
        bob = (await self.store.find_account("bob", None)).id
        marks = {
            (ann, room): 3,
            (bob, room): 6,
            (bob, self.lobby): 1,
            (ann, 999): 1,
            (999, room): 1,
        }
        await self.store.set_read(marks)
        await self.store.set_read({(ann, room): 2, (999, self.lobby): 1})
        self.assertEqual(await self.read_state(ann), {self.lobby: 0, room: 3})
        self.assertEqual(await self.read_state(bob), {self.lobby: 1, room: 6})

    async def test_a_user_who_joins_has_read_everything(self) -> None:
        _, room = await self.ann_and_room()
        bob = (await self.store.find_account("bob", None)).id
        self.assertEqual((await self.read_state(bob))[room], 5)

    async def test_a_session_that_marks_has_read_only_what_it_marked(self) -> None:
        ann, room = await self.ann_and_room()
        await self.stored(self.lobby, message())
        await self.store.mark_read(ann, TOKEN, room, 3)
        await self.store.session_lost(EndedSession(ann, TOKEN, {room: 9}), 5)
        self.assertEqual(await self.read_state(ann), {self.lobby: 0, room: 3})
        await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK)
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 5)
        self.assertEqual(await self.read_state(ann), {self.lobby: 0, room: 3})

    async def test_a_session_that_says_that_it_marks_has_read_nothing_else(self) -> None:
        ann, room = await self.ann_and_room(marks_read=True)
        await self.store.session_lost(EndedSession(ann, TOKEN, {room: 9}), 5)
        await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK, False)
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 5)
        self.assertEqual(await self.read_state(ann), {self.lobby: 0, room: 1})

    async def test_a_session_can_say_so_when_it_is_resumed(self) -> None:
        ann, room = await self.ann_and_room()
        await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK, True)
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 5)
        self.assertEqual(await self.read_state(ann), {self.lobby: 0, room: 1})

    async def test_a_guest_can_say_so(self) -> None:
        bob = await self.store.login_guest("Guest", "guest", new_session(TOKEN, 1, marks_read=True))
        await self.stored(self.lobby, message())
        await self.store.session_lost(EndedSession(bob, TOKEN, {self.lobby: 1}), 5)
        found = await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK)
        self.assertEqual(found.account_state.memberships, (MembershipRecord(self.lobby, 0),))

    async def test_a_session_that_does_not_mark_has_read_all_that_it_received(self) -> None:
        ann, room = await self.ann_and_room()
        await self.stored(self.lobby, message())
        await self.store.login(ann, "hash", new_session(OTHER, 1))
        await self.store.mark_read(ann, TOKEN, room, 3)
        await self.store.end_session(EndedSession(ann, OTHER, {self.lobby: 1, room: 6}), 5)
        self.assertEqual(await self.read_state(ann), {self.lobby: 1, room: 6})

    async def test_the_marks_of_a_guest_last_as_long_as_the_guest(self) -> None:
        await self.stored(self.lobby, message())
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN, 1))
        await self.stored(self.lobby, message("2"))
        await self.stored(self.lobby, message("3"))
        await self.store.mark_read(bob, TOKEN, self.lobby, 2)
        await self.store.session_lost(EndedSession(bob, TOKEN, {}), 5)
        found = await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK)
        self.assertEqual(found.account_state.memberships, (MembershipRecord(self.lobby, 2),))


class UnreadContract(StoreCase):
    """Ann has a room; Bob, Cid and Ann speak in it."""

    async def ann_and_room(self, senders: str) -> tuple[int, int]:
        """Let users speak, and one leave (l). Return Ann's account id and the room's id."""
        ann = await self.account("Ann")
        self.others = {name: await self.account(name) for name in ("Bob", "Cid")}
        room = await self.room(ann)
        names = {"a": "Ann", "b": "Bob", "c": "Cid"}
        for letter in senders:
            entry = left("Dan") if letter == "l" else message(usr=names[letter])
            self.append(room, entry, None)
        await self.store.flush()
        return ann, room

    async def unread(self, account_id: int) -> dict[int, int]:
        await self.store.flush()
        counted = await self.store.unread(account_id, None)
        return {room_id: record.unread for room_id, record in counted.items()}

    async def test_messages_after_the_mark_are_unread(self) -> None:
        ann, room = await self.ann_and_room("bblbc")
        self.assertEqual(await self.unread(ann), {room: 4})
        await self.store.set_read({(ann, room): 3})
        self.assertEqual(await self.store.unread(ann, None), {room: UnreadRecord(2, 4)})
        await self.store.set_read({(ann, room): 6})
        self.assertEqual(await self.unread(ann), {})

    async def test_the_lobby_and_several_rooms_are_counted(self) -> None:
        ann, room = await self.ann_and_room("b")
        other = await self.room(ann, "Shed")
        for _ in range(2):
            await self.stored(other, message(usr="Bob"))
        for _ in range(3):
            await self.stored(self.lobby, message(usr="Bob"))
        await self.store.set_read({(ann, self.lobby): 1})
        self.assertEqual(await self.unread(ann), {self.lobby: 2, room: 1, other: 2})

    async def test_own_messages_and_those_of_blocked_users_are_not_unread(self) -> None:
        ann, room = await self.ann_and_room("abclaabcc")
        self.assertEqual(await self.unread(ann), {room: 5})
        await self.store.block(ann, self.others["Cid"], True)
        self.assertEqual(await self.unread(ann), {room: 2})
        await self.store.block(self.others["Bob"], ann, True)
        self.assertEqual(await self.unread(ann), {room: 2})
        await self.store.block(ann, self.others["Bob"], True)
        self.assertEqual(await self.unread(ann), {})

    async def test_the_count_is_exact_up_to_99(self) -> None:
        ann, room = await self.ann_and_room("ab" * 49 + "b")
        self.assertEqual(await self.unread(ann), {room: 50})
        await self.stored(room, message(usr="Ann"))
        self.assertEqual(await self.unread(ann), {room: 100})

    async def test_only_the_newest_entries_are_read(self) -> None:
        ann, room = await self.ann_and_room("ab" + "l" * 200 + "ab")
        self.assertEqual(await self.unread(ann), {room: 3})

    async def test_the_account_of_a_session_is_counted(self) -> None:
        ann, room = await self.ann_and_room("b")
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        self.assertEqual(await self.store.unread(None, TOKEN), {room: UnreadRecord(1, 1)})
        await self.assertFailure(self.store.unread(None, OTHER), BadSession)
        self.assertEqual(await self.store.unread(999, None), {})
