"""What every store does with whispers and invitations."""

from __future__ import annotations

from typing import Any

from gtchat.chat.errors import NoSuchRoom, NoSuchUser, NotAllowed, PrivateRoom, TxnConflict
from gtchat.chat.events import Invited, Kicked, Removed, WhisperSent
from gtchat.chat.interfaces import Ack, InvitationLimits, StoredWhisper, WhisperLimits
from tests.store.contract import NETWORK, StoreCase, joined, left, message, new_session

NO_LIMITS = WhisperLimits()


def whisper_sent(msg: str = "psst") -> WhisperSent:
    return WhisperSent(usr="Ann", msg=msg, id=f"id of {msg}", at=1000)


class WhisperContract(StoreCase):
    """Whispers that wait for their targets."""

    async def two_accounts(self) -> tuple[int, int]:
        """Register Ann and Bob, and return their ids."""
        return await self.account("Ann"), await self.account("Bob")

    async def test_a_whisper_waits_until_it_is_deleted(self) -> None:
        ann, bob = await self.two_accounts()
        ack, number = await self.store.whisper(ann, bob, whisper_sent(), None, NO_LIMITS)
        self.assertEqual(ack, Ack("id of psst", 0, 1000))
        waiting = await self.store.whispers(bob, 0, 10)
        self.assertEqual(list(waiting), [StoredWhisper(number, whisper_sent())])
        await self.store.delete_whispers(bob, [number])
        self.assertEqual(list(await self.store.whispers(bob, 0, 10)), [])

    async def test_whispers_come_in_order_page_by_page(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abcd":
            await self.store.whisper(ann, bob, whisper_sent(text), None, NO_LIMITS)
        first = await self.store.whispers(bob, 0, 3)
        rest = await self.store.whispers(bob, first[-1].number, 3)
        texts = [[whisper.event.msg for whisper in page] for page in (first, rest)]
        self.assertEqual(texts, [["a", "b", "c"], ["d"]])

    async def test_a_page_of_whispers_has_as_much_text_as_a_reply(self) -> None:
        ann, bob = await self.two_accounts()
        for number in range(20):
            text = f"{number:02}" + chr(0x1F600) * 3_998
            await self.store.whisper(ann, bob, whisper_sent(text), None, NO_LIMITS)
        first = await self.store.whispers(bob, 0, 100)
        rest = await self.store.whispers(bob, first[-1].number, 100)
        self.assertEqual([len(first), len(rest)], [16, 4])
        texts = [int(whisper.event.msg[:2]) for whisper in (*first, *rest)]
        self.assertEqual(texts, list(range(20)))

    async def test_an_account_deletes_only_its_own_whispers(self) -> None:
        ann, bob = await self.two_accounts()
        _, number = await self.store.whisper(ann, bob, whisper_sent(), None, NO_LIMITS)
        await self.store.delete_whispers(ann, {number})
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 1)

    async def test_the_number_of_a_whisper_is_never_reused(self) -> None:
        ann, bob = await self.two_accounts()
        _, first = await self.store.whisper(ann, bob, whisper_sent(), None, NO_LIMITS)
        await self.store.delete_whispers(bob, [first])
        _, second = await self.store.whisper(ann, bob, whisper_sent(), None, NO_LIMITS)
        self.assertGreater(second, first)

    async def test_a_repeated_txn_gets_the_first_ack(self) -> None:
        ann, bob = await self.two_accounts()
        await self.store.whisper(ann, bob, whisper_sent(), "t", WhisperLimits(pair=1))
        ack, number = await self.store.whisper(ann, bob, whisper_sent(), "t", WhisperLimits(pair=1))
        self.assertEqual((ack, number), (Ack("id of psst", 0, 1000, dup=True), 0))
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 1)

    async def test_a_repeated_txn_with_other_content_is_a_conflict(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.store.whisper(ann, bob, whisper_sent(), "t", NO_LIMITS)
        other_text = self.store.whisper(ann, bob, whisper_sent("hey"), "t", NO_LIMITS)
        await self.assertFails(other_text, TxnConflict)
        other_target = self.store.whisper(ann, cid, whisper_sent(), "t", NO_LIMITS)
        await self.assertFails(other_target, TxnConflict)

    async def refused(
        self, sender: int, target: int, limits: WhisperLimits, *, direct: bool = True
    ) -> bool:
        """Send a whisper, and return whether a limit refuses it."""
        try:
            await self.store.whisper(sender, target, whisper_sent(), None, limits, direct)
        except NotAllowed:
            return True
        return False

    async def test_whispers_of_a_pair_are_limited(self) -> None:
        (ann, bob), cid = await self.two_accounts(), await self.account("Cid")
        limits = WhisperLimits(pair=2)
        self.assertEqual(
            [await self.refused(ann, bob, limits) for _ in "123"], [False, False, True]
        )
        self.assertEqual(
            [await self.refused(*pair, limits) for pair in ((cid, bob), (ann, cid))], [False] * 2
        )
        [first, *_] = await self.store.whispers(bob, 0, 10)
        await self.store.delete_whispers(bob, [first.number])
        self.assertEqual([await self.refused(ann, bob, limits) for _ in "12"], [False, True])

    async def test_a_stranger_may_send_fewer_until_the_target_writes(self) -> None:
        ann, bob = await self.two_accounts()
        limits = WhisperLimits(pair=3, stranger=1)
        self.assertEqual([await self.refused(ann, bob, limits) for _ in "12"], [False, True])
        self.assertIs(await self.refused(bob, ann, limits), False)
        self.assertEqual(
            [await self.refused(ann, bob, limits) for _ in "123"], [False, False, True]
        )

    async def test_strangers_do_not_use_up_the_place_of_known_senders(self) -> None:
        (ann, bob), cid = await self.two_accounts(), await self.account("Cid")
        limits = WhisperLimits(strangers=2)
        await self.store.whisper(bob, ann, whisper_sent(), None, limits)
        self.assertEqual(
            [await self.refused(cid, bob, limits) for _ in "123"], [False, False, True]
        )
        self.assertEqual([await self.refused(ann, bob, limits) for _ in "1234"], [False] * 4)
        dan = await self.account("Dan")
        self.assertIs(await self.refused(dan, bob, limits), True)

    async def test_whispers_of_a_sender_who_is_known_now_do_not_count(self) -> None:
        (ann, bob), cid = await self.two_accounts(), await self.account("Cid")
        limits = WhisperLimits(strangers=1)
        self.assertEqual(
            [await self.refused(one, bob, limits) for one in (ann, cid)], [False, True]
        )
        await self.store.whisper(bob, ann, whisper_sent(), None, limits)
        self.assertEqual(
            [await self.refused(one, bob, limits) for one in (cid, cid)], [False, True]
        )

    async def test_a_message_that_is_kept_makes_no_sender_known(self) -> None:
        ann, bob = await self.two_accounts()
        limits = WhisperLimits(stranger=1)
        self.assertIs(await self.refused(bob, ann, limits, direct=False), False)
        self.assertEqual([await self.refused(ann, bob, limits) for _ in "12"], [False, True])

    async def test_guests_are_strangers_again_under_their_old_names(self) -> None:
        ann = await self.account("Ann")
        limits = WhisperLimits(stranger=1)
        for token in (b"1", b"2"):
            bob = await self.store.login_guest("Bob", "bob", new_session(token, 1))
            self.assertEqual([await self.refused(bob, ann, limits) for _ in "12"], [False, True])
            await self.store.whisper(ann, bob, whisper_sent(), None, limits)
            self.assertIs(await self.refused(bob, ann, limits), False)
            await self.store.end_guest(bob)

    async def test_a_whisper_to_an_unknown_account_fails(self) -> None:
        ann = await self.account("Ann")
        await self.assertFails(
            self.store.whisper(ann, 999, whisper_sent(), None, NO_LIMITS), NoSuchUser
        )

    async def test_whispers_to_a_guest_are_deleted_with_the_guest(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(b"t", 1))
        await self.store.whisper(ann, bob, whisper_sent(), None, NO_LIMITS)
        await self.store.end_guest(bob)
        self.assertEqual(list(await self.store.whispers(bob, 0, 10)), [])


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
