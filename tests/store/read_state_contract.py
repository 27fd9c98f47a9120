"""What every store does with how far somebody has read."""

from __future__ import annotations

from gtchat.chat.errors import NotInRoom
from gtchat.chat.interfaces import MembershipRecord
from tests.store.contract import StoreCase, joined, left, spoke

TOKEN = b"t" * 32
OTHER = b"o" * 32


class ReadingContract(StoreCase):
    """Ann has a room whose log is: it was created, three messages, Bob joined, a message."""

    async def nest(self) -> tuple[int, int]:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        nest = await self.room(ann)
        for text in "123":
            await self.stored(nest, spoke(text))
        await self.stored(nest, joined("Bob"), bob)
        await self.stored(nest, spoke("4"))
        await self.store.login(ann, TOKEN, False, 1)
        return ann, nest

    async def places(self, account_id: int) -> dict[int, tuple[int, int]]:
        token = bytes(str(next(self.numbers)), "ascii")
        found = (await self.store.login(account_id, token, False, 1)).memberships
        return {place.room_id: (place.read_seq, place.messages_read) for place in found}

    async def test_a_mark_is_kept_with_how_many_messages_there_are_up_to_it(self) -> None:
        ann, nest = await self.nest()
        for seq, spoken in ((2, 1), (4, 3), (5, 3), (6, 4)):
            place = await self.store.mark_read(ann, TOKEN, nest, seq)
            self.assertEqual(place, MembershipRecord(nest, seq, spoken))
        self.assertEqual(await self.places(ann), {self.lobby: (0, 0), nest: (6, 4)})

    async def test_a_mark_never_goes_back(self) -> None:
        ann, nest = await self.nest()
        await self.store.mark_read(ann, TOKEN, nest, 4)
        place = await self.store.mark_read(ann, TOKEN, nest, 2)
        self.assertEqual(place, MembershipRecord(nest, 4, 3))

    async def test_the_lobby_is_marked_without_being_a_member(self) -> None:
        ann, _ = await self.nest()
        for text in "12":
            await self.stored(self.lobby, spoke(text))
        place = await self.store.mark_read(ann, TOKEN, self.lobby, 2)
        self.assertEqual(place, MembershipRecord(self.lobby, 2, 2))
        place = await self.store.mark_read(ann, TOKEN, self.lobby, 1)
        self.assertEqual(place, MembershipRecord(self.lobby, 2, 2))

    async def test_nobody_marks_a_room_that_he_is_not_in(self) -> None:
        ann, nest = await self.nest()
        await self.stored(nest, left("Ann"), ann)
        for room in (nest, 999):
            await self.refused(self.store.mark_read(ann, TOKEN, room, 3), NotInRoom)
        await self.refused(self.store.mark_read(999, TOKEN, nest, 3), NotInRoom)

    async def test_who_enters_has_read_everything(self) -> None:
        _, nest = await self.nest()
        bob = (await self.store.find_account("bob", None)).id
        self.assertEqual((await self.places(bob))[nest], (5, 3))

    async def test_a_session_that_marks_has_read_only_what_it_marked(self) -> None:
        ann, nest = await self.nest()
        await self.stored(self.lobby, spoke())
        await self.store.mark_read(ann, TOKEN, nest, 3)
        await self.store.session_lost(ann, TOKEN, 5, {nest: 9})
        self.assertEqual(await self.places(ann), {self.lobby: (0, 0), nest: (3, 2)})
        await self.store.resume(TOKEN, 6, 0, {}, 0, 1)
        await self.store.end_session(ann, TOKEN)
        self.assertEqual(await self.places(ann), {self.lobby: (0, 0), nest: (3, 2)})

    async def test_a_session_that_does_not_has_read_all_that_it_was_told(self) -> None:
        ann, nest = await self.nest()
        await self.stored(self.lobby, spoke())
        await self.store.login(ann, OTHER, False, 1)
        await self.store.mark_read(ann, TOKEN, nest, 3)
        await self.store.end_session(ann, OTHER)
        self.assertEqual(await self.places(ann), {self.lobby: (1, 1), nest: (6, 4)})

    async def test_a_temporary_user_has_marks_as_long_as_he_lives(self) -> None:
        await self.stored(self.lobby, spoke())
        bob = await self.store.login_guest("Bob", "bob", TOKEN, 1)
        await self.stored(self.lobby, spoke("2"))
        await self.stored(self.lobby, spoke("3"))
        await self.store.mark_read(bob, TOKEN, self.lobby, 2)
        await self.store.session_lost(bob, TOKEN, 5, {})
        found = await self.store.resume(TOKEN, 6, 0, {}, 0, 1)
        self.assertEqual(found.belongings.memberships, (MembershipRecord(self.lobby, 2, 2),))
