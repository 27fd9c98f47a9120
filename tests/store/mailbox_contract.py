"""What every store does with whispers and invitations."""

from __future__ import annotations

from gtchat.chat.errors import NoSuchRoom, NoSuchUser, NotAllowed, TxnConflict
from gtchat.chat.events import Invited, WhisperSent
from gtchat.chat.interfaces import Ack, StoredWhisper
from tests.store.contract import StoreCase, joined, new_session


def whisper_sent(msg: str = "psst") -> WhisperSent:
    return WhisperSent(usr="Ann", msg=msg, id=f"id of {msg}", at=1000)


class WhisperContract(StoreCase):
    """Whispers that wait for their targets."""

    async def two_accounts(self) -> tuple[int, int]:
        """Register Ann and Bob, and return their ids."""
        return await self.account("Ann"), await self.account("Bob")

    async def test_a_whisper_waits_until_it_is_deleted(self) -> None:
        ann, bob = await self.two_accounts()
        ack, number = await self.store.whisper(ann, bob, whisper_sent(), None, 0)
        self.assertEqual(ack, Ack("id of psst", 0, 1000))
        waiting = await self.store.whispers(bob, 0, 10)
        self.assertEqual(list(waiting), [StoredWhisper(number, whisper_sent())])
        await self.store.delete_whispers(bob, [number])
        self.assertEqual(list(await self.store.whispers(bob, 0, 10)), [])

    async def test_whispers_come_in_order_page_by_page(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abcd":
            await self.store.whisper(ann, bob, whisper_sent(text), None, 0)
        first = await self.store.whispers(bob, 0, 3)
        rest = await self.store.whispers(bob, first[-1].number, 3)
        texts = [[whisper.event.msg for whisper in page] for page in (first, rest)]
        self.assertEqual(texts, [["a", "b", "c"], ["d"]])

    async def test_a_page_of_whispers_has_as_much_text_as_a_reply(self) -> None:
        ann, bob = await self.two_accounts()
        for number in range(20):
            text = f"{number:02}" + chr(0x1F600) * 3_998
            await self.store.whisper(ann, bob, whisper_sent(text), None, 0)
        first = await self.store.whispers(bob, 0, 100)
        rest = await self.store.whispers(bob, first[-1].number, 100)
        self.assertEqual([len(first), len(rest)], [16, 4])
        texts = [int(whisper.event.msg[:2]) for whisper in (*first, *rest)]
        self.assertEqual(texts, list(range(20)))

    async def test_an_account_deletes_only_its_own_whispers(self) -> None:
        ann, bob = await self.two_accounts()
        _, number = await self.store.whisper(ann, bob, whisper_sent(), None, 0)
        await self.store.delete_whispers(ann, {number})
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 1)

    async def test_the_number_of_a_whisper_is_never_reused(self) -> None:
        ann, bob = await self.two_accounts()
        _, first = await self.store.whisper(ann, bob, whisper_sent(), None, 0)
        await self.store.delete_whispers(bob, [first])
        _, second = await self.store.whisper(ann, bob, whisper_sent(), None, 0)
        self.assertGreater(second, first)

    async def test_a_repeated_txn_gets_the_first_ack(self) -> None:
        ann, bob = await self.two_accounts()
        await self.store.whisper(ann, bob, whisper_sent(), "t", 1)
        ack, number = await self.store.whisper(ann, bob, whisper_sent(), "t", 1)
        self.assertEqual((ack, number), (Ack("id of psst", 0, 1000, dup=True), 0))
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 1)

    async def test_a_repeated_txn_with_other_content_is_a_conflict(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.store.whisper(ann, bob, whisper_sent(), "t", 0)
        other_text = self.store.whisper(ann, bob, whisper_sent("hey"), "t", 0)
        await self.assertFails(other_text, TxnConflict)
        other_target = self.store.whisper(ann, cid, whisper_sent(), "t", 0)
        await self.assertFails(other_target, TxnConflict)

    async def test_a_whisper_beyond_the_limit_is_refused(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "ab":
            await self.store.whisper(ann, bob, whisper_sent(text), None, 2)
        await self.assertFails(self.store.whisper(ann, bob, whisper_sent("c"), None, 2), NotAllowed)
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 2)

    async def test_a_whisper_to_an_unknown_account_fails(self) -> None:
        ann = await self.account("Ann")
        await self.assertFails(self.store.whisper(ann, 999, whisper_sent(), None, 0), NoSuchUser)

    async def test_whispers_to_a_guest_are_deleted_with_the_guest(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(b"t", 1))
        await self.store.whisper(ann, bob, whisper_sent(), None, 0)
        await self.store.end_guest(bob)
        self.assertEqual(list(await self.store.whispers(bob, 0, 10)), [])


class InvitationContract(StoreCase):
    """Ann has a room, to which Bob can be invited."""

    async def room_and_account(self) -> tuple[int, int]:
        """Return the ids of Ann's room and of Bob."""
        room = await self.room(await self.account("Ann"))
        return room, await self.account("Bob")

    async def test_an_invitation_is_stored_and_delivered_once(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", False, 5)
        expected = [Invited(room_name="Garden", usr="Ann", msg="", at=5)]
        self.assertEqual(list(await self.store.invitations(bob, True)), expected)
        self.assertEqual(list(await self.store.invitations(bob, True)), [])
        self.assertEqual(list(await self.store.invitations(bob, False)), expected)

    async def test_an_invitation_that_was_delivered_at_once_is_not_delivered_again(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", True, 5)
        self.assertEqual(list(await self.store.invitations(bob, True)), [])

    async def test_a_later_invitation_replaces_an_earlier_one(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", True, 5)
        await self.store.invite(room, bob, "Ann", False, 6)
        found = await self.store.invitations(bob, True)
        self.assertEqual([invited.at for invited in found], [6])

    async def test_invitations_come_in_the_order_of_time(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Zoe", False, 5)
        await self.store.invite(room, bob, "Ann", False, 6)
        found = await self.store.invitations(bob, True)
        self.assertEqual([invited.usr for invited in found], ["Zoe", "Ann"])

    async def test_an_invitation_is_found_with_and_without_the_inviter(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", False, 5)
        self.assertIs(await self.store.is_invited(room, bob, None), True)
        self.assertIs(await self.store.is_invited(room, bob, "Ann"), True)
        self.assertIs(await self.store.is_invited(room, bob, "Zoe"), False)
        self.assertIs(await self.store.is_invited(self.lobby, bob, None), False)

    async def test_ending_one_invitation_leaves_the_others(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", False, 5)
        await self.store.invite(room, bob, "Zoe", False, 6)
        await self.store.end_invitations(room, bob, "Ann", False)
        found = await self.store.invitations(bob, False)
        self.assertEqual([invited.usr for invited in found], ["Zoe"])

    async def test_a_postponed_invitation_is_delivered_again(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", True, 5)
        await self.store.end_invitations(room, bob, "Ann", True)
        self.assertEqual(len(await self.store.invitations(bob, True)), 1)

    async def test_joining_deletes_all_invitations_to_the_room(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", False, 5)
        await self.store.invite(room, bob, "Zoe", False, 5)
        await self.stored(room, joined("Bob"), bob)
        self.assertIs(await self.store.is_invited(room, bob, None), False)

    async def test_deleting_a_room_deletes_its_invitations(self) -> None:
        room, bob = await self.room_and_account()
        await self.store.invite(room, bob, "Ann", False, 5)
        await self.store.delete_room(room, 6)
        self.assertEqual(list(await self.store.invitations(bob, False)), [])

    async def test_an_invitation_needs_a_room_and_an_account(self) -> None:
        room, bob = await self.room_and_account()
        await self.assertFails(self.store.invite(999, bob, "Ann", False, 5), NoSuchRoom)
        await self.assertFails(self.store.invite(room, 999, "Ann", False, 5), NoSuchUser)
