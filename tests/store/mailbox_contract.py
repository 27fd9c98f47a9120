"""What every store does with whispers and invitations."""

from __future__ import annotations

from gtchat.chat.errors import NoSuchUser, NotAllowed, NotStored, TxnConflict
from gtchat.chat.events import Invited, WhisperSent
from gtchat.chat.interfaces import Ack, StoredWhisper
from tests.store.contract import StoreCase, joined


def whispered(msg: str = "psst") -> WhisperSent:
    return WhisperSent(usr="Ann", msg=msg, id=f"id of {msg}", at=1000)


class WhisperContract(StoreCase):
    """Whispers that wait."""

    async def two(self) -> tuple[int, int]:
        return await self.account("Ann"), await self.account("Bob")

    async def test_a_whisper_waits_until_it_is_forgotten(self) -> None:
        ann, bob = await self.two()
        receipt, number = await self.store.whisper(ann, bob, whispered(), None, 0)
        self.assertEqual(receipt, Ack("id of psst", 0, 1000))
        waiting = await self.store.whispers(bob, 0, 10)
        self.assertEqual(list(waiting), [StoredWhisper(number, whispered())])
        await self.store.delete_whispers(bob, [number])
        self.assertEqual(list(await self.store.whispers(bob, 0, 10)), [])

    async def test_whispers_come_in_order_page_by_page(self) -> None:
        ann, bob = await self.two()
        for text in "abcd":
            await self.store.whisper(ann, bob, whispered(text), None, 0)
        first = await self.store.whispers(bob, 0, 3)
        rest = await self.store.whispers(bob, first[-1].number, 3)
        texts = [[whisper.event.msg for whisper in page] for page in (first, rest)]
        self.assertEqual(texts, [["a", "b", "c"], ["d"]])

    async def test_nobody_forgets_another_ones_whispers(self) -> None:
        ann, bob = await self.two()
        _, number = await self.store.whisper(ann, bob, whispered(), None, 0)
        await self.store.delete_whispers(ann, {number})
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 1)

    async def test_a_number_is_never_given_again(self) -> None:
        ann, bob = await self.two()
        _, first = await self.store.whisper(ann, bob, whispered(), None, 0)
        await self.store.delete_whispers(bob, [first])
        _, second = await self.store.whisper(ann, bob, whispered(), None, 0)
        self.assertGreater(second, first)

    async def test_a_double_gets_the_first_receipt(self) -> None:
        ann, bob = await self.two()
        await self.store.whisper(ann, bob, whispered(), "t", 1)
        receipt, number = await self.store.whisper(ann, bob, whispered(), "t", 1)
        self.assertEqual((receipt, number), (Ack("id of psst", 0, 1000, dup=True), 0))
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 1)

    async def test_the_same_txn_with_other_content_is_a_conflict(self) -> None:
        ann, bob = await self.two()
        cid = await self.account("Cid")
        await self.store.whisper(ann, bob, whispered(), "t", 0)
        other_text = self.store.whisper(ann, bob, whispered("hey"), "t", 0)
        await self.refused(other_text, TxnConflict)
        other_target = self.store.whisper(ann, cid, whispered(), "t", 0)
        await self.refused(other_target, TxnConflict)

    async def test_only_so_many_wait(self) -> None:
        ann, bob = await self.two()
        for text in "ab":
            await self.store.whisper(ann, bob, whispered(text), None, 2)
        await self.refused(self.store.whisper(ann, bob, whispered("c"), None, 2), NotAllowed)
        self.assertEqual(len(await self.store.whispers(bob, 0, 10)), 2)

    async def test_nobody_is_whispered_to_who_is_not_there(self) -> None:
        ann = await self.account("Ann")
        await self.refused(self.store.whisper(ann, 999, whispered(), None, 0), NoSuchUser)

    async def test_whispers_to_a_temporary_user_go_with_him(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", b"t", 1)
        await self.store.whisper(ann, bob, whispered(), None, 0)
        await self.store.end_guest(bob)
        self.assertEqual(list(await self.store.whispers(bob, 0, 10)), [])


class InvitationContract(StoreCase):
    """Ann has a room, and Bob may be invited into it."""

    async def two(self) -> tuple[int, int]:
        nest = await self.room(await self.account("Ann"))
        return nest, await self.account("Bob")

    async def test_an_invitation_is_kept_and_told_once(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", False, 5)
        expected = [Invited(room_name="Nest", usr="Ann", msg="", at=5)]
        self.assertEqual(list(await self.store.invitations(bob, True)), expected)
        self.assertEqual(list(await self.store.invitations(bob, True)), [])
        self.assertEqual(list(await self.store.invitations(bob, False)), expected)

    async def test_one_that_was_told_at_once_is_not_told_again(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", True, 5)
        self.assertEqual(list(await self.store.invitations(bob, True)), [])

    async def test_the_last_one_of_a_room_and_inviter_counts(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", True, 5)
        await self.store.invite(nest, bob, "Ann", False, 6)
        found = await self.store.invitations(bob, True)
        self.assertEqual([one.at for one in found], [6])

    async def test_they_come_in_the_order_of_time(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Zoe", False, 5)
        await self.store.invite(nest, bob, "Ann", False, 6)
        found = await self.store.invitations(bob, True)
        self.assertEqual([one.usr for one in found], ["Zoe", "Ann"])

    async def test_whether_somebody_or_one_has_invited(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", False, 5)
        self.assertIs(await self.store.is_invited(nest, bob, None), True)
        self.assertIs(await self.store.is_invited(nest, bob, "Ann"), True)
        self.assertIs(await self.store.is_invited(nest, bob, "Zoe"), False)
        self.assertIs(await self.store.is_invited(self.lobby, bob, None), False)

    async def test_one_is_taken_back_and_others_stay(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", False, 5)
        await self.store.invite(nest, bob, "Zoe", False, 6)
        await self.store.end_invitations(nest, bob, "Ann", False)
        found = await self.store.invitations(bob, False)
        self.assertEqual([one.usr for one in found], ["Zoe"])

    async def test_later_keeps_it_and_tells_it_again(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", True, 5)
        await self.store.end_invitations(nest, bob, "Ann", True)
        self.assertEqual(len(await self.store.invitations(bob, True)), 1)

    async def test_joining_takes_back_all_invitations_into_the_room(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", False, 5)
        await self.store.invite(nest, bob, "Zoe", False, 5)
        await self.stored(nest, joined("Bob"), bob)
        self.assertIs(await self.store.is_invited(nest, bob, None), False)

    async def test_deleting_a_room_takes_back_its_invitations(self) -> None:
        nest, bob = await self.two()
        await self.store.invite(nest, bob, "Ann", False, 5)
        await self.store.delete_room(nest, 6)
        self.assertEqual(list(await self.store.invitations(bob, False)), [])

    async def test_an_invitation_needs_a_room_and_an_account(self) -> None:
        nest, bob = await self.two()
        await self.refused(self.store.invite(999, bob, "Ann", False, 5), NotStored)
        await self.refused(self.store.invite(nest, 999, "Ann", False, 5), NotStored)
