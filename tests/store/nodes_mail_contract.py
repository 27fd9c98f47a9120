"""What every store does between two nodes with direct messages, invitations and blocks."""

from __future__ import annotations

from typing import Any

from gtchat.chat.errors import AlreadyInRoom, Blocked, NotAllowed, NotInRoom
from gtchat.chat.events import (
    Edited,
    InvitationEnded,
    InviteAnswered,
    Invited,
    MessageSent,
    NotifySet,
    WhisperSent,
)
from gtchat.chat.interfaces import (
    Ack,
    Arrived,
    ChangeLimits,
    InvitationLimits,
    PendingMessageChange,
    PendingWhisper,
    Told,
    WhisperLimits,
)
from gtchat.chat.node_records import BlockChanged, DirectEntry
from tests.store.contract import joined, left
from tests.store.nodes_contract import TOKEN, NodesCase, Side


class NodesMailContract(NodesCase):
    """Ann and Bob have accounts, and so has Eve."""

    async def accounts(self) -> tuple[int, int, int]:
        """Register the accounts; return their ids."""
        ann, bob, eve = [await self.first.account(name) for name in ("Ann", "Bob", "Eve")]
        return ann, bob, eve

    def whisper(
        self, side: Side, sender: int, target: int, msg: str = "psst", txn: str | None = None
    ) -> Any:
        """Store a direct message; return the Deferred of its ack."""
        event = WhisperSent(usr="x", at=1, msg=msg, id=f"id of {msg}", subject_id=sender)
        pending = PendingWhisper(
            entry=event,
            txn=txn,
            sender_id=sender,
            target_id=target,
            users=((sender, "x"), (target, "y")),
        )
        return side.store.whisper(pending, WhisperLimits())

    def invite(self, side: Side, room_id: int, account_id: int, inviter_id: int) -> Any:
        """Invite an account; return the Deferred of whether that is new."""
        event = Invited(room_name="Garden", usr=f"account {inviter_id}", msg="", at=1)
        told = Told(account_id, event, inviter_id)
        limits = InvitationLimits()
        return side.store.invite(
            room_id, account_id, inviter_id, event, False, limits, None, (told,)
        )

    async def test_direct_messages_and_changes_are_told_with_their_entries(self) -> None:
        ann, bob, _ = await self.accounts()
        await self.whisper(self.first, ann, bob, txn="one")
        await self.whisper(self.first, ann, bob, txn="one")
        [direct] = (await self.first.store.directs(bob, None, 9)).directs
        users = ((bob, "y"), (ann, "x"))
        edit = Edited(room_name="", usr="x", subject_id=ann, of=1, msg="pst", at=2)
        change = PendingMessageChange(
            room_id=direct.id,
            entry=edit,
            sender_id=ann,
            is_moderator=False,
            limits=ChangeLimits(),
            users=users,
        )
        self.first.store.append(change)
        await self.first.store.flush()
        self.assertIsNone(change.error)
        told = await self.second.told(DirectEntry)
        sent = DirectEntry(direct.id, 1, ((ann, "x"), (bob, "y")))
        self.assertEqual(told, [sent, DirectEntry(direct.id, 2, users)])
        found = {
            key: one for heard in await self.second.heard() for key, one in heard.directs.items()
        }
        message, edited = found[direct.id, 1], found[direct.id, 2]
        assert isinstance(message, MessageSent)
        assert isinstance(edited, Edited)
        self.assertEqual((message.seq, message.subject_id), (1, ann))
        self.assertEqual((edited.seq, edited.of, edited.msg), (2, 1, "pst"))
        self.assertEqual(await self.first.told(DirectEntry), [])

    async def test_a_block_at_one_node_refuses_at_the_other(self) -> None:
        ann, bob, eve = await self.accounts()
        garden = await self.first.room(ann)
        await self.first.store.block(bob, ann, True, 1, "Ann")
        for refused in (
            self.whisper(self.second, ann, bob),
            self.invite(self.second, garden, bob, ann),
        ):
            with self.assertRaises(Blocked):
                await refused
        with self.assertRaises(NotAllowed):
            await self.second.store.block(bob, eve, True, 1, "Eve")
        changed = BlockChanged(bob, ann, "Ann", True)
        self.assertEqual(await self.second.told(BlockChanged), [changed])
        await self.second.store.block(bob, ann, False, 1, "Ann")
        self.assertEqual((await self.whisper(self.first, ann, bob)).seq, 1)
        changed = BlockChanged(bob, ann, "Ann", False)
        self.assertEqual(await self.first.told(BlockChanged), [changed])

    async def test_a_block_and_a_message_at_once_are_in_one_order(self) -> None:
        ann, bob, _ = await self.accounts()
        results: list[str] = []
        block = self.first.store.block(bob, ann, True, 9, "Ann")
        sent = self.whisper(self.second, ann, bob)
        sent.addCallbacks(lambda ack: results.append("sent"), lambda _: results.append("blocked"))
        await block
        await sent
        await self.first.told()
        order = [type(entry) for one in await self.first.heard() for _, entry in one.system]
        self.assertEqual(results, ["sent" if DirectEntry in order else "blocked"])

    async def test_members_of_the_other_node_are_seen_by_invitations(self) -> None:
        ann, bob, eve = await self.accounts()
        garden = await self.first.room(ann)
        await self.second.heard()
        self.assertIs(await self.invite(self.second, garden, bob, ann), True)
        self.assertIs(await self.invite(self.second, garden, bob, ann), False)
        told = await self.first.told(Told)
        self.assertEqual([(one.account_id, one.sender_id) for one in told], [(bob, ann)])
        await self.first.stored(garden, joined("Eve"), eve)
        with self.assertRaises(AlreadyInRoom):
            await self.invite(self.second, garden, eve, ann)
        await self.first.stored(garden, left("Eve"), eve)
        with self.assertRaises(NotInRoom):
            await self.invite(self.second, garden, bob, eve)

    async def test_answers_and_levels_are_told(self) -> None:
        ann, bob, _ = await self.accounts()
        garden = await self.first.room(ann)
        await self.invite(self.first, garden, bob, ann)
        answer = InviteAnswered(room_name="Garden", usr="Bob", reply="N", at=2)
        ended = InvitationEnded(room_name="Garden", usr="Ann", at=2)
        tells = (Told(ann, answer, bob), Told(bob, ended))
        for inviter, changed in ((f"account {ann}", True), ("nemo", False)):
            answered = self.second.store.answer_invitation(garden, bob, inviter, False, None, tells)
            self.assertIs(await answered, changed)
        event = NotifySet(room_name="Garden", level="none", at=3)
        await self.second.store.set_notify(ann, garden, "none", (Told(ann, event),))
        self.assertEqual(await self.first.told(Told), [*tells, Told(ann, event)])

    async def test_an_invitation_that_is_taken_has_been_told(self) -> None:
        ann, bob, _ = await self.accounts()
        garden = await self.first.room(ann)
        await self.invite(self.first, garden, bob, ann)
        taken = await self.second.store.invitations(bob)
        self.assertEqual([one.usr for one in taken], [f"account {ann}"])
        told = [entry for one in self.second.delivered for _, entry in getattr(one, "system", ())]
        self.assertEqual([one.account_id for one in told if isinstance(one, Told)], [bob])
        self.assertEqual(list(await self.first.store.invitations(bob)), [])

    async def test_marks_of_two_nodes_do_not_wait_for_each_other(self) -> None:
        ann, bob, _ = await self.accounts()
        ids = [(await self.whisper(self.first, ann, bob)).seq for _ in range(2)]
        [direct] = (await self.first.store.directs(bob, None, 9)).directs
        marks = {(bob, direct.id): 1, (ann, direct.id): 1, (ann, self.lobby): 0}
        waiting = []
        for _ in range(5):
            waiting += [
                self.first.store.set_read(dict(sorted(marks.items()))),
                self.second.store.set_read(marks),
                self.first.store.set_delivered(Arrived(bob, {direct.id: ids}, read=True)),
                self.second.store.mark_unread(bob, TOKEN, direct.id, 1),
                self.second.store.mark_read(bob, TOKEN, direct.id, 2),
                self.whisper(self.second, bob, ann),
            ]
        results = [await one for one in waiting]
        self.assertEqual([type(one) for one in results[5::6]], [Ack] * 5)
        self.assertEqual(await self.first.store.mark_read(bob, TOKEN, direct.id, 2), 7)
