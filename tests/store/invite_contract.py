"""What every store does with links that let users register."""

from __future__ import annotations

from typing import Any

from gtchat.chat.audit import audit_record
from gtchat.chat.errors import BadInvite, NameTaken, NotAllowed
from gtchat.chat.invite_store import (
    OVER_MS,
    OVER_PER_ACCOUNT,
    Admission,
    InviteLimits,
    NewInviteLink,
)
from gtchat.store.invite_rules import OPERATOR_LINKS
from tests.store.contract import StoreCase

TOKEN, OTHER = b"t" * 32, b"o" * 32
NO_LIMITS = InviteLimits()
RECORD = audit_record("invite_link", 7, by="Ann", uses="1 use", days="1 day")


class InviteContract(StoreCase):
    """Invitations, and links for the first operator."""

    def add(
        self,
        token: bytes = TOKEN,
        maker: int | None = None,
        limits: InviteLimits = NO_LIMITS,
        uses: int = 1,
        rooms: tuple[int, ...] = (),
    ) -> Any:
        link = NewInviteLink(
            token_hash=token, maker_id=maker, at=100, expires_at=200, uses=uses, rooms=rooms
        )
        return self.store.add_invite_link(link, limits, RECORD)

    def register(self, name: str, admission: Admission, at: int = 150) -> Any:
        return self.store.register(name, name.lower(), "hash", None, at, None, None, admission)

    async def test_a_link_is_found_as_it_was_stored(self) -> None:
        ann = await self.account("Ann")
        number = await self.add(maker=ann, uses=3, rooms=(5, 7))
        found = await self.store.find_invite_link(TOKEN)
        assert found is not None
        self.assertEqual((found.id, found.maker_id, found.maker), (number, ann, "Ann"))
        self.assertEqual((found.created_at, found.expires_at), (100, 200))
        self.assertEqual((found.uses, found.used, found.rooms), (3, 0, (5, 7)))
        self.assertEqual([found.is_over(at) for at in (199, 200)], [False, True])
        self.assertIsNone(await self.store.find_invite_link(OTHER))

    async def test_links_are_listed_newest_first_in_pages(self) -> None:
        ann = await self.account("Ann")
        first, second, third = [
            await self.add(bytes([number]) * 32, maker)
            for number, maker in enumerate((ann, None, ann))
        ]
        for maker, before, limit, ids in (
            (None, None, 9, [third, second, first]),
            (None, third, 1, [second]),
            (ann, None, 9, [third, first]),
            (ann, third, 9, [first]),
        ):
            found = await self.store.invite_links(maker, 150, before, limit)
            self.assertEqual([one.id for one in found], ids)
        self.assertEqual([one.maker for one in found], ["Ann"])
        self.assertEqual(list(await self.store.invite_links(None, 200, None, 9)), [])

    async def test_a_registration_uses_a_link_as_often_as_it_is_good_for(self) -> None:
        await self.add(uses=2)
        await self.register("Ann", Admission(TOKEN))
        await self.assertFails(self.register("ANN", Admission(TOKEN)), NameTaken)
        found = await self.store.find_invite_link(TOKEN)
        self.assertEqual((found.used, found.is_over(150)), (1, False))
        await self.register("Bob", Admission(TOKEN))
        await self.assertFails(self.register("Cat", Admission(TOKEN)), BadInvite)
        self.assertIsNone(await self.store.find_account("cat", None))
        self.assertTrue((await self.store.find_invite_link(TOKEN)).is_over(150))

    async def test_of_registrations_at_the_same_time_no_more_are_let_in(self) -> None:
        await self.add(uses=1)
        calls = [self.register(name, Admission(TOKEN)) for name in ("Ann", "Bob")]
        await calls[0]
        await self.assertFails(calls[1], BadInvite)

    async def test_a_link_that_is_over_or_unknown_lets_no_one_in(self) -> None:
        await self.add()
        await self.assertFails(self.register("Ann", Admission(TOKEN), 200), BadInvite)
        await self.assertFails(self.register("Ann", Admission(OTHER)), BadInvite)

    async def test_a_revoked_link_lets_no_one_in(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        number = await self.add(maker=ann)
        await self.assertFails(self.store.revoke_invite_link(number, bob, RECORD), NotAllowed)
        await self.store.revoke_invite_link(number, ann, RECORD)
        await self.assertFails(self.store.revoke_invite_link(number, None, RECORD), NotAllowed)
        self.assertEqual((await self.store.find_invite_link(TOKEN)).expires_at, RECORD.at)
        await self.assertFails(self.register("Cat", Admission(TOKEN)), BadInvite)

    async def test_valid_links_are_limited_for_an_account_and_in_all(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        limits = InviteLimits(account=1, total=2)
        await self.add(b"1" * 32, ann, limits)
        await self.assertFails(self.add(b"2" * 32, ann, limits), NotAllowed)
        await self.register("Cat", Admission(b"1" * 32))  # used up: it does not count any more
        await self.add(b"3" * 32, ann, limits)
        await self.add(b"4" * 32, None, limits)
        await self.assertFails(self.add(b"5" * 32, bob, limits), NotAllowed)

    async def test_links_that_are_over_are_deleted_later(self) -> None:
        await self.add()
        await self.store.prune(200 + OVER_MS, 0, 0)
        self.assertIsNotNone(await self.store.find_invite_link(TOKEN))
        await self.store.prune(201 + OVER_MS, 0, 0)
        self.assertIsNone(await self.store.find_invite_link(TOKEN))

    async def test_of_the_links_of_an_account_that_are_over_the_newest_are_kept(self) -> None:
        ann = await self.account("Ann")
        tokens = [bytes([number]) * 32 for number in range(OVER_PER_ACCOUNT + 2)]
        for token in tokens:
            await self.store.revoke_invite_link(await self.add(token, ann), ann, RECORD)
        await self.add(maker=ann)
        found = [await self.store.find_invite_link(token) for token in (*tokens[:3], TOKEN)]
        self.assertEqual([one is not None for one in found], [False, False, True, True])

    async def test_an_account_keeps_its_invitation_until_its_rooms_are_joined(self) -> None:
        number = await self.add(uses=2, rooms=(5,))
        await self.add(OTHER)
        ann = await self.register("Ann", Admission(TOKEN))
        bob = await self.register("Bob", Admission(OTHER))
        self.assertEqual((await self.store.invited_with(ann)).id, number)
        self.assertIsNone(await self.store.invited_with(bob))
        accounts = [await self.store.find_account(name, None) for name in ("ann", "bob")]
        self.assertEqual([one.invite_id for one in accounts], [number, None])
        await self.store.rooms_joined(ann)
        self.assertIsNone(await self.store.invited_with(ann))
        self.assertIsNone((await self.store.find_account("ann", None)).invite_id)

    async def test_a_link_makes_one_operator_and_then_no_link_does(self) -> None:
        for token in (TOKEN, OTHER):
            await self.store.add_operator_link(token, 200, RECORD)
        self.assertTrue(await self.store.find_operator_link(TOKEN, 199))
        self.assertFalse(await self.store.find_operator_link(TOKEN, 200))
        self.assertFalse(await self.store.find_operator_link(b"x" * 32, 199))
        first = self.register("Ann", Admission(TOKEN, operator=True))
        second = self.register("Bob", Admission(OTHER, operator=True))
        await first
        await self.assertFails(second, BadInvite)
        account = await self.store.find_account("ann", None)
        self.assertTrue(account.operator)
        self.assertIsNone(await self.store.find_account("bob", None))
        self.assertFalse(await self.store.find_operator_link(OTHER, 199))
        await self.assertFails(self.store.add_operator_link(TOKEN, 200, RECORD), NotAllowed)

    async def test_a_few_of_the_newest_operator_links_are_kept(self) -> None:
        for number in range(OPERATOR_LINKS + 1):
            await self.store.add_operator_link(bytes([number]) * 32, 200, RECORD)
        valid = [
            await self.store.find_operator_link(bytes([number]) * 32, 150)
            for number in range(OPERATOR_LINKS + 1)
        ]
        self.assertEqual(valid, [False] + [True] * OPERATOR_LINKS)
