"""What every store does with invitations."""

from __future__ import annotations

from typing import Any

from gtchat.chat.errors import (
    AlreadyInRoom,
    Blocked,
    NoSuchRoom,
    NoSuchUser,
    NotAllowed,
    NotInRoom,
    PrivateRoom,
)
from gtchat.chat.events import Invited, Kicked, Left, Removed
from gtchat.chat.interfaces import InvitationLimits, Inviter
from tests.store.contract import NETWORK, StoreCase, joined, left, message, new_session


def removal(kind: type[Kicked | Removed]) -> Kicked | Removed:
    return kind(room_name="Garden", usr="Zoe", by="Ann", at=970)


class InvitationContract(StoreCase):
    """Ann and Zoe are members of Ann's room, to which Bob can be invited."""

    async def room_and_account(self) -> tuple[int, int]:
        """Return the ids of the room and of Bob."""
        self.ids = {name: await self.account(name) for name in ("Ann", "Zoe", "Bob")}
        room = await self.room(self.ids["Ann"])
        await self.stored(room, joined("Zoe"), self.ids["Zoe"])
        return room, self.ids["Bob"]

    def invite(
        self,
        room_id: int,
        account_id: int,
        usr: str = "Ann",
        *,
        delivered: bool = False,
        at: int = 5,
        limits: InvitationLimits | None = None,
    ) -> Any:
        """Store an invitation; return the result of the store."""
        event = Invited(room_name="Garden", usr=usr, msg="", at=at)
        inviter_id = self.ids[usr]
        limits = limits or InvitationLimits()
        return self.store.invite(room_id, account_id, inviter_id, event, delivered, limits)

    async def pending(self, account_id: int) -> list[Invited]:
        """Return all pending invitations of an account."""
        token = bytes(str(next(self.numbers)), "ascii")
        return list((await self.store.login(account_id, "hash", new_session(token, 1))).invitations)

    async def test_an_invitation_is_delivered_once_and_stays_pending(self) -> None:
        room, bob = await self.room_and_account()
        self.assertIs(await self.invite(room, bob), True)
        expected = [Invited(room_name="Garden", usr="Ann", msg="", at=5)]
        self.assertEqual(list(await self.store.invitations(bob)), expected)
        self.assertEqual(list(await self.store.invitations(bob)), [])
        self.assertEqual(await self.pending(bob), expected)

    async def test_a_resumed_session_gets_the_pending_invitations(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.login(bob, "hash", new_session(b"token", 1))
        await self.invite(room, bob, delivered=True)
        resumed = await self.store.resume(b"token", 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual([one.usr for one in resumed.account_state.invitations], ["Ann"])

    async def test_an_invitation_that_was_delivered_at_once_is_not_delivered_again(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob, delivered=True)
        self.assertEqual(list(await self.store.invitations(bob)), [])

    async def test_an_equal_invitation_is_not_new(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob, delivered=True)
        self.assertIs(await self.invite(room, bob, at=6), False)
        self.assertEqual([invited.at for invited in await self.pending(bob)], [5])
        self.assertEqual(list(await self.store.invitations(bob)), [])

    async def test_the_end_of_a_membership_tells_which_invitations_end_with_it(self) -> None:
        room, bob = await self.room_and_account()
        ann, zoe = self.ids["Ann"], self.ids["Zoe"]
        eve = await self.account("Eve")
        other = await self.room(zoe, "Other")
        for kind in (left("Zoe"), Kicked, Removed):
            for account_id, inviter in ((bob, "Zoe"), (eve, "Zoe"), (bob, "Ann")):
                await self.invite(room, account_id, inviter)
            await self.invite(other, bob, "Zoe")
            entry = kind if isinstance(kind, Left) else removal(kind)
            ended = (await self.stored(room, entry, zoe)).ended
            expected = {bob: [Inviter(zoe, "Zoe")], eve: [Inviter(zoe, "Zoe")]}
            self.assertEqual({key: list(ended[key]) for key in ended}, expected)
            for account_id, inviter in ((bob, "Ann"), (bob, "Zoe")):
                self.assertEqual(
                    await self.store.is_invited(room, account_id, inviter), inviter == "Ann"
                )
            self.assertTrue(await self.store.is_invited(other, bob, "Zoe"))
            rejoined = await self.stored(room, joined("Zoe"), zoe)
            self.assertEqual(dict(rejoined.ended), {})
        ended = await self.store.delete_room(room, 9)
        self.assertEqual({key: list(ended[key]) for key in ended}, {bob: [Inviter(ann, "Ann")]})
        self.assertEqual(dict(await self.store.delete_room(room, 9)), {})

    async def test_who_invites_and_who_is_invited_is_as_stored(self) -> None:
        room, bob = await self.room_and_account()
        ann, zoe = self.ids["Ann"], self.ids["Zoe"]
        await self.store.block(bob, ann, True)
        await self.assertFails(self.invite(room, bob), Blocked)
        await self.store.block(bob, ann, False)
        await self.store.block(ann, bob, True)
        self.assertIs(await self.invite(room, bob), True)
        # In one batch: what comes first in the queue holds.
        leaving = self.append(room, left("Zoe"), zoe)
        refused = self.invite(room, bob, "Zoe")
        entering = self.append(room, joined("Bob"), bob)
        known = self.invite(room, bob)
        await self.assertFails(refused, NotInRoom)
        await self.assertFails(known, AlreadyInRoom)
        self.assertEqual((leaving.error, entering.error), (None, None))

    async def test_invitations_come_in_the_order_of_time(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob, "Zoe", at=5)
        await self.invite(room, bob, "Ann", at=6)
        for found in (await self.pending(bob), await self.store.invitations(bob)):
            self.assertEqual([invited.usr for invited in found], ["Zoe", "Ann"])

    async def test_at_most_200_are_listed_and_the_newest_of_them_last(self) -> None:
        _, bob = await self.room_and_account()
        for number in range(201):
            await self.invite(await self.room(self.ids["Ann"], f"R{number}"), bob, at=number)
        found = [invited.at for invited in await self.pending(bob)]
        self.assertEqual(found, list(range(1, 201)))

    async def test_invitations_of_blocked_users_are_not_listed(self) -> None:
        room, bob = await self.room_and_account()
        for usr in ("Ann", "Zoe"):
            await self.invite(room, bob, usr)
        await self.store.block(bob, self.ids["Ann"], True)
        for found in (await self.pending(bob), await self.store.invitations(bob)):
            self.assertEqual([invited.usr for invited in found], ["Zoe"])

    async def test_an_invitation_is_found_with_and_without_the_inviter(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob)
        self.assertIs(await self.store.is_invited(room, bob, None), True)
        self.assertIs(await self.store.is_invited(room, bob, "Ann"), True)
        self.assertIs(await self.store.is_invited(room, bob, "Zoe"), False)
        self.assertIs(await self.store.is_invited(self.lobby, bob, None), False)

    async def test_declining_an_invitation_leaves_the_others(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob, "Ann")
        await self.invite(room, bob, "Zoe")
        for changed in (True, False):
            answered = await self.store.answer_invitation(room, bob, "Ann", False)
            self.assertIs(answered, changed)
        self.assertEqual([invited.usr for invited in await self.pending(bob)], ["Zoe"])

    async def test_a_postponed_invitation_is_delivered_again_each_time(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob, delivered=True)
        for changed in (True, False):
            self.assertIs(await self.store.answer_invitation(room, bob, "Ann", True), changed)
            self.assertEqual(len(await self.store.invitations(bob)), 1)
        self.assertIs(await self.store.answer_invitation(room, bob, "Zoe", True), False)

    async def test_joining_ends_all_invitations_to_the_room(self) -> None:
        room, bob = await self.room_and_account()
        for usr in ("Ann", "Zoe"):
            await self.invite(room, bob, usr)
        await self.stored(room, joined("Bob"), bob)
        self.assertIs(await self.store.is_invited(room, bob, None), False)

    async def test_an_invitation_ends_with_the_membership_of_its_sender(self) -> None:
        room, bob = await self.room_and_account()
        other = await self.room(self.ids["Zoe"], "Shed")
        by = {"room_name": "Garden", "usr": "Zoe", "by": "Ann", "at": 7}
        for entry in (left("Zoe"), Kicked(**by), Removed(**by)):
            for room_id, usr in ((room, "Zoe"), (room, "Ann"), (other, "Zoe")):
                await self.invite(room_id, bob, usr)
            await self.stored(room, entry, self.ids["Zoe"])
            found = [
                await self.store.is_invited(room_id, bob, usr)
                for room_id, usr in ((room, "Zoe"), (room, "Ann"), (other, "Zoe"))
            ]
            self.assertEqual(found, [False, True, True], entry.kind)
            await self.stored(room, joined("Zoe"), self.ids["Zoe"])

    async def test_a_user_who_needs_an_invitation_joins_with_one_only(self) -> None:
        room, bob = await self.room_and_account()
        refused = self.append(room, joined("Bob"), bob, needs_invitation=True)
        await self.invite(room, bob)
        await self.stored(room, joined("Bob"), bob, needs_invitation=True)
        await self.stored(room, left("Bob"), bob)
        again = self.append(room, joined("Bob"), bob, needs_invitation=True)
        last = await self.stored(room, message())
        self.assertEqual([type(one.error) for one in (refused, again)], [PrivateRoom] * 2)
        self.assertEqual(last.entry.seq, 5)

    async def test_deleting_a_room_deletes_its_invitations(self) -> None:
        room, bob = await self.room_and_account()
        await self.invite(room, bob)
        await self.store.delete_room(room, 6)
        self.assertEqual(await self.pending(bob), [])

    async def test_an_invitation_needs_a_room_and_an_account(self) -> None:
        room, bob = await self.room_and_account()
        await self.assertFails(self.invite(999, bob), NoSuchRoom)
        await self.assertFails(self.invite(room, 999), NoSuchUser)

    async def test_pending_invitations_are_limited(self) -> None:
        room, bob = await self.room_and_account()
        other, third = [await self.room(self.ids["Ann"], name) for name in ("Shed", "Pond")]
        await self.stored(other, joined("Zoe", "Shed"), self.ids["Zoe"])
        cid = await self.account("Cid")
        await self.invite(room, bob)
        await self.invite(room, cid)
        for limits, room_id, account_id, usr, refused in (
            (InvitationLimits(pair=1), other, bob, "Ann", True),
            (InvitationLimits(pair=1), other, bob, "Zoe", False),
            (InvitationLimits(inviter=2), other, bob, "Ann", True),
            (InvitationLimits(inviter=3), other, bob, "Ann", False),
            (InvitationLimits(invited=3), third, bob, "Ann", True),
            (InvitationLimits(invited=4), third, bob, "Ann", False),
            (InvitationLimits(1, 1, 1), room, bob, "Ann", False),
        ):
            invited = self.invite(room_id, account_id, usr, limits=limits)
            if refused:
                await self.assertFails(invited, NotAllowed)
            else:
                await invited
