"""What every store keeps of how far accounts have read."""

from __future__ import annotations

from gtchat.chat.errors import NotInRoom
from gtchat.chat.interfaces import EndedSession, MembershipRecord
from tests.store.contract import NETWORK, StoreCase, joined, left, message, new_session

TOKEN = b"t" * 32
OTHER = b"o" * 32


class ReadStateContract(StoreCase):
    """Ann has a room with this log: creation, three messages, Bob joins, a message."""

    async def ann_and_room(self) -> tuple[int, int]:
        """Return Ann's account id and the room's id."""
        ann, bob = await self.account("Ann"), await self.account("Bob")
        room = await self.room(ann)
        for text in "123":
            await self.stored(room, message(text))
        await self.stored(room, joined("Bob"), bob)
        await self.stored(room, message("4"))
        await self.store.login(ann, "hash", new_session(TOKEN, 1), False)
        return ann, room

    async def read_state(self, account_id: int) -> dict[int, tuple[int, int]]:
        token = bytes(str(next(self.numbers)), "ascii")
        found = (
            await self.store.login(account_id, "hash", new_session(token, 1), False)
        ).memberships
        return {row.room_id: (row.read_seq, row.messages_read) for row in found}

    async def test_a_mark_is_stored_and_returns_the_number_of_messages_up_to_it(self) -> None:
        ann, room = await self.ann_and_room()
        for seq, messages_read in ((2, 1), (4, 3), (5, 3), (6, 4)):
            membership = await self.store.mark_read(ann, TOKEN, room, seq)
            self.assertEqual(membership, MembershipRecord(room, seq, messages_read))
        self.assertEqual(await self.read_state(ann), {self.lobby: (0, 0), room: (6, 4)})

    async def test_a_mark_never_moves_back(self) -> None:
        ann, room = await self.ann_and_room()
        await self.store.mark_read(ann, TOKEN, room, 4)
        membership = await self.store.mark_read(ann, TOKEN, room, 2)
        self.assertEqual(membership, MembershipRecord(room, 4, 3))

    async def test_the_lobby_is_marked_without_a_membership(self) -> None:
        ann, _ = await self.ann_and_room()
        for text in "12":
            await self.stored(self.lobby, message(text))
        membership = await self.store.mark_read(ann, TOKEN, self.lobby, 2)
        self.assertEqual(membership, MembershipRecord(self.lobby, 2, 2))
        membership = await self.store.mark_read(ann, TOKEN, self.lobby, 1)
        self.assertEqual(membership, MembershipRecord(self.lobby, 2, 2))

    async def test_a_room_cannot_be_marked_without_a_membership(self) -> None:
        ann, room = await self.ann_and_room()
        await self.stored(room, left("Ann"), ann)
        for room_id in (room, 999):
            await self.assertFails(self.store.mark_read(ann, TOKEN, room_id, 3), NotInRoom)
        await self.assertFails(self.store.mark_read(999, TOKEN, room, 3), NotInRoom)

    async def test_a_user_who_joins_has_read_everything(self) -> None:
        _, room = await self.ann_and_room()
        bob = (await self.store.find_account("bob", None)).id
        self.assertEqual((await self.read_state(bob))[room], (5, 3))

    async def test_a_session_that_marks_has_read_only_what_it_marked(self) -> None:
        ann, room = await self.ann_and_room()
        await self.stored(self.lobby, message())
        await self.store.mark_read(ann, TOKEN, room, 3)
        await self.store.session_lost(EndedSession(ann, TOKEN, {room: 9}), 5)
        self.assertEqual(await self.read_state(ann), {self.lobby: (0, 0), room: (3, 2)})
        await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK)
        await self.store.end_session(EndedSession(ann, TOKEN, {}))
        self.assertEqual(await self.read_state(ann), {self.lobby: (0, 0), room: (3, 2)})

    async def test_a_session_that_does_not_mark_has_read_all_that_it_received(self) -> None:
        ann, room = await self.ann_and_room()
        await self.stored(self.lobby, message())
        await self.store.login(ann, "hash", new_session(OTHER, 1), False)
        await self.store.mark_read(ann, TOKEN, room, 3)
        await self.store.end_session(EndedSession(ann, OTHER, {self.lobby: 1, room: 6}))
        self.assertEqual(await self.read_state(ann), {self.lobby: (1, 1), room: (6, 4)})

    async def test_the_marks_of_a_guest_last_as_long_as_the_guest(self) -> None:
        await self.stored(self.lobby, message())
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN, 1))
        await self.stored(self.lobby, message("2"))
        await self.stored(self.lobby, message("3"))
        await self.store.mark_read(bob, TOKEN, self.lobby, 2)
        await self.store.session_lost(EndedSession(bob, TOKEN, {}), 5)
        found = await self.store.resume(TOKEN, 6, 0, {}, 0, 1, NETWORK)
        self.assertEqual(found.account_state.memberships, (MembershipRecord(self.lobby, 2, 2),))
