"""What every store does with direct conversations."""

from __future__ import annotations

from random import Random
from typing import Any

from gtchat.chat.annotations import ReplyTo
from gtchat.chat.errors import (
    Blocked,
    MessageDeleted,
    NoSuchMessage,
    NoSuchRoom,
    NoSuchUser,
    NotAllowed,
    NotInRoom,
    SlowMode,
    TxnConflict,
)
from gtchat.chat.events import Deleted, Edited, WhisperSent
from gtchat.chat.interfaces import (
    Ack,
    Arrived,
    ChangeLimits,
    Direct,
    HistoryQuery,
    PendingMessageChange,
    PendingWhisper,
    UnreadRecord,
    WhisperLimits,
)
from tests.store.contract import NETWORK, StoreCase, message, new_session

NO_LIMITS = WhisperLimits()
TOKEN = b"t" * 32


def deleted(seq: int, author: int) -> Deleted:
    """Return the deletion of a message by its author."""
    return Deleted(room_name="", usr="", subject_id=author, of=seq, by="Ann", reason="", at=2000)


class DirectCase(StoreCase):
    """Accounts that write to each other."""

    async def two_accounts(self) -> tuple[int, int]:
        """Register Ann and Bob, and return their ids."""
        return await self.account("Ann"), await self.account("Bob")

    def whisper(
        self,
        sender: int,
        target: int,
        msg: str = "psst",
        txn: str | None = None,
        limits: WhisperLimits = NO_LIMITS,
        **fields: Any,
    ) -> Any:
        """Store a direct message; return the Deferred of its ack."""
        event = WhisperSent(
            usr="Ann", msg=msg, id=f"id of {msg}", at=1000, subject_id=sender, **fields
        )
        pending = PendingWhisper(entry=event, sender_id=sender, target_id=target, txn=txn)
        return self.store.whisper(pending, limits)

    async def waiting(self, account_id: int) -> list[str]:
        """Return the texts that were not delivered to an account."""
        return [one.event.msg for one in await self.store.whispers(account_id, 0, 100)]

    async def direct(self, account_id: int, other_id: int) -> Direct:
        """Return the conversation of an account with another."""
        found = await self.store.find_direct(account_id, None, other_id)
        assert found is not None
        return found  # type: ignore[no-any-return]

    async def arrived(self, account_id: int, room_id: int, *seqs: int, read: bool = False) -> None:
        """Have messages arrive."""
        await self.store.set_delivered(Arrived(account_id, {room_id: seqs}, read=read))

    async def told(self, account_id: int, room_id: int, seq: int) -> None:
        """Tell the client of an account of all messages up to an entry."""
        await self.store.set_delivered(Arrived(account_id, told={room_id: seq}))

    async def change(self, room_id: int, entry: Any) -> PendingMessageChange:
        """Store a change of a message, which succeeds."""
        pending = PendingMessageChange(
            room_id=room_id,
            entry=entry,
            sender_id=entry.subject_id,
            is_moderator=False,
            limits=ChangeLimits(),
        )
        self.store.append(pending)
        await self.store.flush()
        self.assertIsNone(pending.error)
        return pending


class DirectMentionsContract(DirectCase):
    """Mentions in direct conversations, marks that are set back, levels."""

    async def counts(self, account_id: int) -> list[tuple[int, int]]:
        """Return the unread messages and mentions of each conversation, newest first.

        Both ways to count them have the same result.
        """
        await self.store.flush()
        listed = (await self.store.directs(account_id, None, 10)).directs
        counted = await self.store.unread(account_id, None)
        found = [(one.unread, one.mentions) for one in listed]
        both = [counted.get(one.id, UnreadRecord(0, 0)) for one in listed]
        self.assertEqual([(one.unread, one.mentions) for one in both], found)
        return found

    async def mentions(self, account_id: int) -> list[str]:
        """Return the texts that mention an account, newest first."""
        await self.store.flush()
        page = await self.store.mentions(account_id, None, 10)
        return [entry.msg for entry in page.entries]

    async def test_the_other_user_is_mentioned(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        for text in ("@bob", "@ann", "@cid", "@room", "bob", "hi @BOB!"):
            await self.whisper(ann, bob, text)
        self.assertEqual(await self.counts(bob), [(6, 2)])
        self.assertEqual(await self.mentions(bob), ["hi @BOB!", "@bob"])
        for account in (ann, cid):
            self.assertEqual(await self.mentions(account), [])

    async def test_those_of_rooms_and_of_several_conversations_are_one_list(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.whisper(ann, bob, "@bob 1")
        await self.stored(self.lobby, message("@bob 2", usr="Ann"), ann)
        await self.whisper(cid, bob, "@bob 3")
        await self.whisper(ann, bob, "@bob 4")
        self.assertEqual(await self.mentions(bob), [f"@bob {n}" for n in (4, 3, 2, 1)])
        first = await self.store.mentions(bob, None, 3)
        rest = await self.store.mentions(bob, first.next, 3)
        texts = [[one.msg for one in page.entries] for page in (first, rest)]
        self.assertEqual(texts, [["@bob 4", "@bob 3", "@bob 2"], ["@bob 1"]])
        self.assertEqual(await self.counts(bob), [(2, 2), (1, 1)])

    async def test_what_is_read_blocked_edited_or_deleted_is_not_counted(self) -> None:
        ann, bob = await self.two_accounts()
        for number in range(4):
            await self.whisper(ann, bob, f"@bob {number}")
        direct = await self.direct(bob, ann)
        await self.store.mark_read(bob, TOKEN, direct.id, 1)
        self.assertEqual(await self.counts(bob), [(3, 3)])
        edit = Edited(room_name="", usr="Ann", subject_id=ann, of=2, msg="no", at=2000)
        await self.change(direct.id, edit)
        self.assertEqual(await self.counts(bob), [(3, 2)])
        deletion = Deleted(room_name="", usr="", subject_id=ann, of=3, by="Ann", reason="", at=2000)
        await self.change(direct.id, deletion)
        self.assertEqual(await self.counts(bob), [(2, 1)])
        self.assertEqual(await self.mentions(bob), ["@bob 3", "@bob 0"])
        await self.store.block(bob, ann, True)
        self.assertEqual(await self.counts(bob), [(0, 0)])
        self.assertEqual(await self.mentions(bob), [])

    async def test_a_mark_is_set_back(self) -> None:
        ann, bob = await self.two_accounts()
        for text in ("@bob a", "@bob b", "c"):
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        await self.store.mark_read(bob, TOKEN, room, 3)
        for seq, read_seq in ((1, 1), (2, 1), (0, 0)):
            self.assertEqual(await self.store.mark_unread(bob, TOKEN, room, seq), read_seq)
            self.assertEqual((await self.direct(bob, ann)).read_seq, read_seq)
        self.assertEqual(await self.counts(bob), [(3, 2)])
        self.assertEqual((await self.direct(ann, bob)).read_seq, 3)

    async def test_a_level_is_kept_of_each_of_the_two(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob)
        room = (await self.direct(bob, ann)).id
        for level in ("none", "mentions", "all"):
            await self.store.set_notify(bob, room, level)
            found = [(await self.direct(*pair)).notify for pair in ((bob, ann), (ann, bob))]
            self.assertEqual(found, [level, "all"])
            [listed] = (await self.store.directs(bob, None, 10)).directs
            self.assertEqual(listed.notify, level)

    async def test_others_have_no_mark_and_no_level(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.whisper(ann, bob)
        room = (await self.direct(bob, ann)).id
        await self.assertFails(self.store.mark_unread(cid, TOKEN, room, 0), NotInRoom)
        await self.assertFails(self.store.set_notify(cid, room, "none"), NotInRoom)


class WhisperContract(DirectCase):
    """Direct messages that wait until they are delivered."""

    async def test_a_message_waits_until_it_is_delivered(self) -> None:
        ann, bob = await self.two_accounts()
        ack = await self.whisper(ann, bob)
        self.assertEqual(ack, Ack("id of psst", 1, 1000))
        [waiting] = await self.store.whispers(bob, 0, 10)
        self.assertEqual((waiting.seq, waiting.event.usr, waiting.event.to), (1, "Ann", ""))
        await self.arrived(bob, waiting.room_id, 1)
        self.assertEqual(await self.waiting(bob), [])

    async def test_messages_of_all_senders_come_in_order_page_by_page(self) -> None:
        (ann, bob), cid = await self.two_accounts(), await self.account("Cid")
        for sender, text in zip((ann, cid, ann, cid), "abcd", strict=True):
            await self.whisper(sender, bob, text)
        first = await self.store.whispers(bob, 0, 3)
        rest = await self.store.whispers(bob, first[-1].number, 3)
        texts = [[whisper.event.msg for whisper in page] for page in (first, rest)]
        self.assertEqual(texts, [["a", "b", "c"], ["d"]])

    async def test_a_page_has_as_much_text_as_a_reply(self) -> None:
        ann, bob = await self.two_accounts()
        for number in range(20):
            await self.whisper(ann, bob, f"{number:02}" + chr(0x1F600) * 3_998)
        first = await self.store.whispers(bob, 0, 100)
        rest = await self.store.whispers(bob, first[-1].number, 100)
        self.assertEqual([len(first), len(rest)], [16, 4])
        texts = [int(whisper.event.msg[:2]) for whisper in (*first, *rest)]
        self.assertEqual(texts, list(range(20)))

    async def test_own_messages_and_deleted_ones_do_not_wait(self) -> None:
        ann, bob = await self.two_accounts()
        for sender, text in ((ann, "a"), (bob, "b"), (ann, "c")):
            await self.whisper(sender, {ann: bob, bob: ann}[sender], text)
        room = (await self.direct(bob, ann)).id
        await self.change(room, deleted(1, ann))
        self.assertEqual((await self.waiting(bob), await self.waiting(ann)), (["c"], ["b"]))
        self.assertEqual((await self.direct(bob, ann)).pending, 1)

    async def test_a_deleted_message_counts_no_more(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abcd":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        await self.arrived(bob, room, 1, 3)  # 2 is missed, 4 lies behind the mark
        for seq, pending in ((1, 2), (2, 1), (4, 0)):
            await self.change(room, deleted(seq, ann))
            self.assertEqual((await self.direct(bob, ann)).pending, pending)
        self.assertEqual((await self.direct(ann, bob)).pending, 0)
        await self.whisper(ann, bob, "e")
        await self.told(bob, room, 3)  # counts again
        self.assertEqual((await self.direct(bob, ann)).pending, 1)
        self.assertIs(await self.refused(ann, bob, WhisperLimits(pair=2)), False)
        await self.whisper(bob, bob, "a note")
        note = (await self.direct(bob, bob)).id
        await self.change(note, deleted(1, bob))
        self.assertEqual((await self.direct(bob, bob)).pending, 0)

    async def test_a_deleted_message_of_a_room_is_missed_no_more(self) -> None:
        ann, bob = await self.two_accounts()
        garden = await self.room(ann)
        await self.stored(garden, message("x"), ann)
        await self.store.add_missed(bob, garden, 2, 1)
        await self.change(garden, deleted(2, ann))
        await self.stored(garden, message("y"), ann)
        await self.store.add_missed(bob, garden, 4, 1)
        self.assertEqual(await self.waiting(bob), ["y"])

    async def test_an_edited_message_waits_with_its_present_text(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob)
        room = (await self.direct(bob, ann)).id
        edit = Edited(room_name="", usr="Ann", subject_id=ann, of=1, msg="hey", at=2000)
        await self.change(room, edit)
        self.assertEqual(await self.waiting(bob), ["hey"])

    async def test_what_has_arrived_is_not_taken_back(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abc":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        for have_arrived, *seqs in ((self.arrived, 1, 2), (self.told, 1), (self.arrived, 1)):
            await have_arrived(bob, room, *seqs)
            self.assertEqual(await self.waiting(bob), ["c"])
            direct = await self.direct(bob, ann)
            self.assertEqual((direct.delivered_seq, direct.pending), (2, 1))

    async def test_a_message_that_does_not_arrive_neither_stops_the_others_nor_is_lost(
        self,
    ) -> None:
        ann, bob = await self.two_accounts()
        for text in "abcd":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        await self.arrived(bob, room, 1, 3, read=True)
        self.assertEqual(await self.waiting(bob), ["b", "d"])
        direct = await self.direct(bob, ann)
        self.assertEqual((direct.delivered_seq, direct.read_seq, direct.pending), (3, 1, 2))
        self.assertIs(await self.refused(ann, bob, WhisperLimits(pair=2)), True)
        await self.arrived(bob, room, 4)
        [missed] = await self.store.whispers(bob, 0, 10)
        self.assertEqual((missed.seq, missed.event.seq, missed.event.msg), (2, 2, "b"))
        await self.arrived(bob, room, 2)
        self.assertEqual(await self.waiting(bob), [])
        self.assertEqual((await self.direct(bob, ann)).pending, 0)

    async def test_what_waits_is_what_has_not_arrived(self) -> None:
        ann, bob = await self.two_accounts()
        random, texts, room = Random(1), dict[int, str](), 0
        for number in range(120):
            step = random.choice(["ann", "ann", "ann", "bob", "arrive", "arrive", "tell", "delete"])
            some = random.sample(sorted(texts), min(len(texts), random.randrange(1, 4)))
            if step in ("ann", "bob"):
                pair = (ann, bob) if step == "ann" else (bob, ann)
                ack = await self.whisper(*pair, f"{number}")
                room = room or (await self.direct(bob, ann)).id
                if step == "ann":
                    texts[ack.seq] = f"{number}"
            elif some and step == "arrive":
                await self.arrived(bob, room, *some)
                texts = {seq: text for seq, text in texts.items() if seq not in some}
            elif some and step == "tell":
                await self.told(bob, room, min(some))
                texts = {seq: text for seq, text in texts.items() if seq > min(some)}
            elif some:
                entry = Deleted(
                    room_name="", usr="", subject_id=ann, of=some[0], by="Ann", reason="", at=2000
                )
                await self.change(room, entry)
                del texts[some[0]]
            self.assertEqual(await self.waiting(bob), list(texts.values()), step)

    async def test_who_looks_for_what_waits_need_not_read_own_messages(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abc":
            await self.whisper(bob, ann, text)
        for text in "de":
            await self.whisper(ann, bob, text)
        self.assertEqual((await self.direct(bob, ann)).delivered_seq, 3)
        self.assertEqual(await self.waiting(bob), ["d", "e"])

    async def test_nothing_arrives_for_other_accounts(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob)
        room = (await self.direct(bob, ann)).id
        for account in (ann, await self.account("Cid")):
            await self.arrived(account, room, 1)
        self.assertEqual(await self.waiting(bob), ["psst"])

    async def test_what_arrives_counts_as_read_if_that_is_asked(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "ab":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        await self.arrived(bob, room, 1)
        self.assertEqual((await self.direct(bob, ann)).read_seq, 0)
        await self.arrived(bob, room, 2, read=True)
        self.assertEqual((await self.direct(bob, ann)).read_seq, 2)

    async def test_a_repeated_txn_gets_the_first_ack(self) -> None:
        ann, bob = await self.two_accounts()
        limits = WhisperLimits(pair=1)
        await self.whisper(ann, bob, txn="t", limits=limits)
        again = await self.whisper(ann, bob, txn="t", limits=limits)
        self.assertEqual(again, Ack("id of psst", 1, 1000, dup=True))
        self.assertEqual(await self.waiting(bob), ["psst"])

    async def test_a_repeated_txn_with_other_content_is_a_conflict(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.whisper(ann, bob, txn="t")
        for target, fields in ((bob, {"msg": "hey"}), (cid, {}), (bob, {"style": "action"})):
            await self.assertFails(self.whisper(ann, target, txn="t", **fields), TxnConflict)

    async def test_a_refusal_is_given_to_what_was_not_sent_before(self) -> None:
        ann, bob = await self.two_accounts()
        refused = {"sender_id": ann, "target_id": bob, "refusal": SlowMode()}
        event = WhisperSent(usr="Ann", msg="psst", id="x", at=1000, subject_id=ann)
        first = PendingWhisper(entry=event, txn="t", **refused)
        await self.assertFails(self.store.whisper(first, NO_LIMITS), SlowMode)
        self.assertIsNone(await self.store.find_direct(ann, None, bob))
        await self.whisper(ann, bob, txn="t")
        again = await self.store.whisper(PendingWhisper(entry=event, txn="t", **refused), NO_LIMITS)
        self.assertEqual(again, Ack("id of psst", 1, 1000, dup=True))

    async def refused(self, sender: int, target: int, limits: WhisperLimits) -> bool:
        """Send a message, and return whether a limit refuses it."""
        try:
            await self.whisper(sender, target, limits=limits)
        except NotAllowed:
            return True
        return False

    async def test_messages_of_a_pair_are_limited(self) -> None:
        (ann, bob), cid = await self.two_accounts(), await self.account("Cid")
        limits = WhisperLimits(pair=2)
        self.assertEqual(
            [await self.refused(ann, bob, limits) for _ in "123"], [False, False, True]
        )
        self.assertEqual(
            [await self.refused(*pair, limits) for pair in ((cid, bob), (ann, cid))], [False] * 2
        )
        await self.arrived(bob, (await self.direct(bob, ann)).id, 1)
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
        await self.whisper(bob, ann, limits=limits)
        self.assertEqual(
            [await self.refused(cid, bob, limits) for _ in "123"], [False, False, True]
        )
        self.assertEqual([await self.refused(ann, bob, limits) for _ in "1234"], [False] * 4)
        dan = await self.account("Dan")
        self.assertIs(await self.refused(dan, bob, limits), True)

    async def test_messages_of_a_sender_who_is_known_now_do_not_count(self) -> None:
        (ann, bob), cid = await self.two_accounts(), await self.account("Cid")
        limits = WhisperLimits(strangers=1)
        self.assertEqual(
            [await self.refused(one, bob, limits) for one in (ann, cid)], [False, True]
        )
        await self.whisper(bob, ann, limits=limits)
        self.assertEqual(
            [await self.refused(one, bob, limits) for one in (cid, cid)], [False, True]
        )

    async def test_guests_are_strangers_again_under_their_old_names(self) -> None:
        ann = await self.account("Ann")
        limits = WhisperLimits(stranger=1)
        for token in (b"1", b"2"):
            bob = await self.store.login_guest("Bob", "bob", new_session(token, 1))
            self.assertEqual([await self.refused(bob, ann, limits) for _ in "12"], [False, True])
            await self.whisper(ann, bob, limits=limits)
            self.assertIs(await self.refused(bob, ann, limits), False)
            await self.store.end_guest(bob)

    async def test_a_block_that_comes_first_refuses(self) -> None:
        ann, bob = await self.two_accounts()
        sent = await self.whisper(ann, bob, "a", "one")
        self.store.block(bob, ann, True)  # not waited for: what comes first in the queue holds
        await self.assertFails(self.whisper(ann, bob, "b", "two"), Blocked)
        self.assertEqual(await self.waiting(bob), ["a"])
        again = await self.whisper(ann, bob, "a", "one")
        self.assertEqual(again, Ack(sent.id, sent.seq, sent.at, dup=True))
        self.assertEqual((await self.whisper(bob, ann, "c")).seq, 2)
        self.store.block(bob, ann, False)
        self.assertEqual((await self.whisper(ann, bob, "b", "two")).seq, 3)

    async def test_a_message_to_an_unknown_account_fails(self) -> None:
        ann = await self.account("Ann")
        await self.assertFails(self.whisper(ann, 999), NoSuchUser)

    async def test_a_message_of_a_room_that_did_not_arrive_waits_with_the_others(self) -> None:
        ann, bob = await self.two_accounts()
        room = await self.room(ann)
        said = await self.stored(room, message("in the room"), ann)
        seq = said.entry.seq
        for _ in "12":
            await self.store.add_missed(bob, room, seq, 1)
        await self.store.add_missed(bob, room, seq + 1, 1)  # beyond the limit
        await self.whisper(ann, bob, "direct")
        waiting = await self.store.whispers(bob, 0, 10)
        self.assertEqual(
            [(one.event.msg, one.event.seq, one.seq) for one in waiting],
            [("in the room", 0, seq), ("direct", 1, 1)],
        )
        await self.store.set_delivered(Arrived(bob, {room: [seq]}))
        self.assertEqual(await self.waiting(bob), ["direct"])

    async def test_nothing_is_missed_by_accounts_or_in_rooms_that_are_gone(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.assertFails(self.store.add_missed(999, room, 1, 0), NoSuchUser)
        await self.assertFails(self.store.add_missed(ann, 999, 1, 0), NoSuchRoom)


class DirectContract(DirectCase):
    """Direct conversations, which are logs of two accounts."""

    async def test_both_accounts_have_one_log(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob, "a")
        await self.whisper(bob, ann, "b")
        of_ann, of_bob = await self.direct(ann, bob), await self.direct(bob, ann)
        self.assertEqual(of_ann.id, of_bob.id)
        self.assertEqual((of_ann.other, of_bob.other), ("Bob", "Ann"))
        page = await self.store.history(of_ann.id, HistoryQuery())
        self.assertEqual([(one.seq, one.msg) for one in page.entries], [(1, "a"), (2, "b")])
        self.assertEqual((page.first, page.last), (1, 2))

    async def test_an_account_has_one_log_with_itself(self) -> None:
        ann = await self.account("Ann")
        for text in "ab":
            await self.whisper(ann, ann, text, limits=WhisperLimits(pair=1))
        direct = await self.direct(ann, ann)
        self.assertEqual((direct.last_seq, direct.read_seq, direct.pending), (2, 2, 0))
        self.assertEqual(await self.waiting(ann), [])

    async def test_a_conversation_is_no_room(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob)
        rooms = await self.load_rooms(range(1, 20))
        self.assertEqual([room.key for room in rooms], ["lobby"])
        account = await self.store.find_account("ann", None)
        assert account is not None
        self.assertEqual(account.memberships, 0)

    async def test_others_find_nothing(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.whisper(ann, bob)
        room = (await self.direct(ann, bob)).id
        self.assertIsNone(await self.store.find_direct(cid, room, None))
        self.assertIsNone(await self.store.find_direct(cid, None, bob))
        await self.assertFails(self.store.mark_read(cid, b"", room, 1), NotInRoom)

    async def test_a_reply_names_the_author(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob, "a")
        await self.whisper(bob, ann, "b", reply=ReplyTo(1))
        page = await self.store.history((await self.direct(ann, bob)).id, HistoryQuery(after=1))
        self.assertEqual(page.entries[0].reply, ReplyTo(1, "Ann"))

    async def test_a_reply_to_nothing_begins_no_conversation(self) -> None:
        ann, bob = await self.two_accounts()
        await self.assertFails(self.whisper(ann, bob, reply=ReplyTo(1)), NoSuchMessage)
        self.assertIsNone(await self.store.find_direct(ann, None, bob))
        await self.whisper(ann, bob)
        await self.assertFails(self.whisper(bob, ann, reply=ReplyTo(2)), NoSuchMessage)
        deletion = Deleted(room_name="", usr="", subject_id=ann, of=1, by="Ann", reason="", at=2000)
        await self.change((await self.direct(ann, bob)).id, deletion)
        await self.assertFails(self.whisper(bob, ann, reply=ReplyTo(1)), MessageDeleted)

    async def test_what_is_not_read_is_counted_and_sending_reads(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abc":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        self.assertEqual((await self.store.unread(bob, None))[room].unread, 3)
        self.assertNotIn(room, await self.store.unread(ann, None))
        self.assertEqual(await self.store.mark_read(bob, b"", room, 2), 2)
        [listed] = (await self.store.directs(bob, None, 10)).directs
        self.assertEqual((listed.unread, listed.read_seq, listed.last_seq), (1, 2, 3))
        await self.whisper(bob, ann, "d")
        self.assertNotIn(room, await self.store.unread(bob, None))

    async def test_messages_of_blocked_users_are_not_unread(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob)
        await self.store.block(bob, ann, True)
        self.assertEqual((await self.store.directs(bob, None, 10)).directs[0].unread, 0)

    async def test_conversations_are_listed_newest_first_page_by_page(self) -> None:
        ann, bob = await self.two_accounts()
        cid, dan = await self.account("Cid"), await self.account("Dan")
        for other in (bob, cid, dan):
            await self.whisper(ann, other)
        await self.whisper(bob, ann)
        first = await self.store.directs(ann, None, 2)
        rest = await self.store.directs(ann, first.next, 2)
        names = [[one.other for one in page.directs] for page in (first, rest)]
        self.assertEqual(names, [["Bob", "Dan"], ["Cid"]])
        self.assertIsNone(rest.next)
        self.assertEqual(first.directs[0].at, 1000)

    async def test_a_login_lists_conversations(self) -> None:
        ann, bob = await self.two_accounts()
        await self.whisper(ann, bob)
        state = await self.store.login(bob, "hash", new_session(b"b", 1))
        self.assertEqual([(one.other, one.last_seq) for one in state.directs], [("Ann", 1)])

    async def test_a_resumed_session_gets_what_it_missed_of_its_own_conversations(self) -> None:
        ann, bob = await self.two_accounts()
        cid = await self.account("Cid")
        await self.store.login(cid, "hash", new_session(b"c", 1))
        await self.store.login(bob, "hash", new_session(b"b", 1))
        for text in "abc":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        for token, texts in ((b"b", ["b", "c"]), (b"c", [])):
            result = await self.store.resume(token, 2, 0, {room: 1}, 0, 10, NETWORK)
            self.assertEqual([one.msg for one in result.missed[room].entries], texts)
            self.assertEqual([one.id for one in result.directs], [room] if texts else [])
            self.assertEqual(result.missed[room].reset, "" if texts else "unknown")

    async def test_a_conversation_stays_when_the_other_user_ends(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(b"t", 1))
        await self.whisper(ann, bob)
        await self.store.end_guest(bob)
        direct = await self.direct(ann, bob)
        self.assertEqual((direct.other, direct.guest, direct.ended), ("Bob", True, True))
        page = await self.store.history(direct.id, HistoryQuery())
        self.assertEqual(len(page.entries), 1)
        self.assertIsNone(await self.store.find_direct(bob, direct.id, None))

    async def test_a_log_ends_with_its_last_account(self) -> None:
        ann = await self.store.login_guest("Ann", "ann", new_session(b"a", 1))
        bob = await self.store.login_guest("Bob", "bob", new_session(b"b", 1))
        await self.whisper(ann, bob)
        room = (await self.direct(ann, bob)).id
        for guest in (ann, bob):
            await self.store.end_guest(guest)
        self.assertEqual((await self.store.history(room, HistoryQuery())).entries, ())
