"""What every store keeps of mentions, of read marks that are set back, of levels."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from gtchat.chat.annotations import ReplyTo
from gtchat.chat.errors import NotInRoom
from gtchat.chat.events import Deleted, Edited, Joined, MessageSent
from gtchat.chat.interfaces import (
    ChangeLimits,
    MembershipRecord,
    MentionLimits,
    PendingMessageChange,
)
from gtchat.chat.message_rules import annotated
from gtchat.chat.moderation_events import RoleChanged
from tests.store.contract import StoreCase, joined, left, message, new_session

TOKEN = b"t" * 32


class MentionCase(StoreCase):
    """A room of Ann with Bob, and Cid who is in the lobby only: 1 created, 2 Bob joins."""

    async def prepare(self, kept: int = 0, limit: int = 0) -> None:
        self.store.mention_limits = MentionLimits(message=limit, kept=kept)
        self.ids = {name: await self.account(name) for name in ("Ann", "Bob", "Cid")}
        self.room_id = await self.room(self.ids["Ann"])
        await self.stored(self.room_id, joined("Bob"), self.ids["Bob"])

    async def say(self, usr: str, msg: str, room_id: int | None = None) -> int:
        """Store a message; return its seq."""
        entry = message(msg, usr=usr)
        pending = await self.stored(room_id or self.room_id, entry, self.ids.get(usr))
        return pending.entry.seq

    async def change(self, entry: Any, usr: str) -> None:
        """Store a change of a message."""
        entry.subject_id = self.ids[usr]
        pending = PendingMessageChange(
            room_id=self.room_id,
            entry=entry,
            sender_id=self.ids[usr],
            is_moderator=False,
            limits=ChangeLimits(),
        )
        self.store.append(pending)
        await self.store.flush()
        self.assertIsNone(pending.error)

    async def edit(self, usr: str, seq: int, msg: str) -> None:
        await self.change(Edited(room_name="Garden", usr=usr, at=2000, of=seq, msg=msg), usr)

    async def mentions(self, usr: str) -> list[int]:
        """Return the seqs of the messages that mention a user, newest mention first."""
        await self.store.flush()
        page = await self.store.mentions(self.ids[usr], None, 200)
        self.assertIsNone(page.next)
        return [entry.seq for entry in page.entries]

    async def unread(self, usr: str) -> dict[int, tuple[int, int]]:
        """Return the unread messages and mentions of a user, by room id."""
        await self.store.flush()
        counted = await self.store.unread(self.ids[usr], None)
        return {room_id: (one.unread, one.mentions) for room_id, one in counted.items()}


class MentionsContract(MentionCase):
    """Mentions."""

    async def test_members_are_mentioned_by_their_names(self) -> None:
        await self.prepare()
        for msg, found in (
            ("hi @bob!", True),
            ("hi bob", False),
            ("@BOB", True),
            ("@ann", False),
            ("@bobby", False),
            ("`@bob`", False),
            ("x@bob", False),
        ):
            seq = await self.say("Ann", msg)
            self.assertEqual(seq in await self.mentions("Bob"), found, msg)
        self.assertEqual(await self.unread("Bob"), {self.room_id: (7, 2)})

    async def test_the_members_of_the_moment_count_in_a_batch(self) -> None:
        await self.prepare()
        ann, bob = self.ids["Ann"], self.ids["Bob"]
        for entry, account in (
            (message("@bob 1", usr="Ann"), ann),
            (left("Bob"), bob),
            (message("@bob 2", usr="Ann"), ann),
            (joined("Bob"), bob),
            (message("@bob 3 @bobby", usr="Ann"), ann),
        ):
            self.append(self.room_id, entry, account)
        self.assertEqual(await self.mentions("Bob"), [7, 3])

    async def test_authors_do_not_mention_themselves(self) -> None:
        await self.prepare()
        await self.say("Bob", "@bob @room")
        self.assertEqual((await self.mentions("Bob"), await self.unread("Bob")), ([], {}))

    async def test_users_who_are_not_members_are_not_mentioned(self) -> None:
        await self.prepare()
        await self.say("Ann", "@cid @dan")
        await self.stored(self.room_id, joined("Cid"), self.ids["Cid"])
        self.assertEqual(await self.mentions("Cid"), [])
        seq = await self.say("Ann", "@cid")
        self.assertEqual(await self.mentions("Cid"), [seq])
        await self.stored(self.room_id, left("Cid"), self.ids["Cid"])
        self.assertEqual(await self.mentions("Cid"), [])

    async def test_registered_users_are_mentioned_in_the_lobby(self) -> None:
        await self.prepare()
        self.ids["Gus"] = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        seq = await self.say("Ann", "@cid @gus", self.lobby)
        self.assertEqual(await self.mentions("Cid"), [seq])
        self.assertEqual(await self.mentions("Gus"), [])

    async def test_guests_are_mentioned_in_their_rooms_until_they_end(self) -> None:
        await self.prepare()
        gus = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        await self.stored(self.room_id, joined("Gus"), gus)
        seq = await self.say("Ann", "@gus")
        self.ids["Gus"] = gus
        self.assertEqual(await self.mentions("Gus"), [seq])
        await self.stored(self.room_id, left("Gus"), gus)
        await self.store.end_guest(gus)
        self.assertEqual(await self.mentions("Gus"), [])

    async def test_the_owner_mentions_all_who_are_members_then(self) -> None:
        await self.prepare()
        first = await self.say("Ann", "@room @bob")
        await self.say("Bob", "@room")
        await self.stored(self.room_id, joined("Cid"), self.ids["Cid"])
        last = await self.say("Ann", "@room")
        self.assertEqual(await self.mentions("Bob"), [last, first])
        self.assertEqual(await self.mentions("Cid"), [last])
        self.assertEqual(await self.mentions("Ann"), [])
        self.assertEqual(await self.unread("Bob"), {self.room_id: (2, 2)})

    async def test_moderators_mention_all_while_they_are_moderators(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, joined("Cid"), self.ids["Cid"])
        for room_id in (self.room_id, self.lobby):
            seqs = {}
            for role in ("", "voice", "moderator", ""):
                event = RoleChanged(room_name="Garden", usr="Bob", role=role, by="Ann", at=990)
                await self.stored(room_id, event, self.ids["Bob"])
                seqs[await self.say("Bob", "@room", room_id)] = role
            mentioned = set(await self.mentions("Cid")) & seqs.keys()
            self.assertEqual({seqs[seq] for seq in mentioned}, {"moderator"})

    async def test_the_operator_mentions_all_in_the_lobby(self) -> None:
        await self.prepare()
        entry = message("@room", usr="Host", at=99)
        await self.stored(self.lobby, entry, None)
        entry = message("@room", usr="Host", at=100)
        await self.stored(self.lobby, entry, None)
        self.assertEqual(await self.mentions("Bob"), [2])
        await self.say("Ann", "@room", self.lobby)
        self.assertEqual(await self.mentions("Bob"), [2])

    async def test_an_edit_adds_and_removes_mentions(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, joined("Cid"), self.ids["Cid"])
        seq = await self.say("Ann", "x")
        other = await self.say("Ann", "@bob")
        for msg, bob, cid in (
            ("@bob", [seq, other], []),
            ("@bob @cid", [seq, other], [seq]),
            ("@cid", [other], [seq]),
            ("@room", [seq, other], [seq]),
            ("y", [other], []),
        ):
            await self.edit("Ann", seq, msg)
            self.assertEqual(await self.mentions("Bob"), bob, msg)
            self.assertEqual(await self.mentions("Cid"), cid, msg)

    async def test_a_deletion_removes_mentions(self) -> None:
        await self.prepare()
        seq = await self.say("Ann", "@bob @room")
        deleted = Deleted(room_name="Garden", usr="", at=2000, of=seq, by="Ann", reason="")
        await self.change(deleted, "Ann")
        self.assertEqual((await self.mentions("Bob"), await self.unread("Bob")), ([], {}))

    async def test_replies_and_actions_mention_too(self) -> None:
        await self.prepare()
        seq = await self.say("Ann", "x")
        entry = attrs.evolve(annotated(message("@bob")), reply=ReplyTo(seq), style="action")
        pending = await self.stored(self.room_id, entry, self.ids["Ann"])
        self.assertEqual(await self.mentions("Bob"), [pending.entry.seq])

    async def test_mentions_by_blocked_users_do_not_count(self) -> None:
        await self.prepare()
        seq = await self.say("Ann", "@bob")
        await self.store.block(self.ids["Bob"], self.ids["Ann"], True)
        self.assertEqual((await self.mentions("Bob"), await self.unread("Bob")), ([], {}))
        await self.store.block(self.ids["Bob"], self.ids["Ann"], False)
        self.assertEqual(await self.mentions("Bob"), [seq])

    async def test_a_message_mentions_so_many(self) -> None:
        await self.prepare(limit=1)
        await self.stored(self.room_id, joined("Cid"), self.ids["Cid"])
        seq = await self.say("Ann", "@bob @cid")
        self.assertEqual([await self.mentions(usr) for usr in ("Bob", "Cid")], [[seq], []])

    async def test_the_newest_mentions_are_kept(self) -> None:
        await self.prepare(kept=2)
        seqs = [await self.say("Ann", "@bob") for _ in range(3)]
        self.assertEqual(await self.mentions("Bob"), [seqs[2], seqs[1]])
        all_seqs = [await self.say("Ann", "@room") for _ in range(3)]
        expected = [all_seqs[2], all_seqs[1], seqs[2], seqs[1]]
        self.assertEqual(await self.mentions("Bob"), expected)

    async def test_mentions_end_with_their_room(self) -> None:
        await self.prepare()
        await self.say("Ann", "@bob @room")
        await self.store.delete_room(self.room_id, 5)
        self.assertEqual((await self.mentions("Bob"), await self.unread("Bob")), ([], {}))

    async def test_pages_follow_each_other(self) -> None:
        await self.prepare()
        seqs = [await self.say("Ann", "@bob" if n % 2 else "@room") for n in range(5)]
        found, before = [], None
        for size in (2, 2, 1):
            page = await self.store.mentions(self.ids["Bob"], before, 2)
            self.assertEqual(len(page.entries), size)
            found += [entry.seq for entry in page.entries]
            before = page.next
        self.assertEqual((found, before), (seqs[::-1], None))
        self.assertEqual((await self.store.mentions(999, None, 2)).entries, ())

    async def test_entries_are_messages_as_they_are_now(self) -> None:
        await self.prepare()
        seq = await self.say("Ann", "@bob")
        await self.edit("Ann", seq, "@bob again")
        [entry] = (await self.store.mentions(self.ids["Bob"], None, 2)).entries
        self.assertIsInstance(entry, MessageSent)
        self.assertEqual((entry.msg, entry.room_name), ("@bob again", "Garden"))

    async def test_mentions_after_random_edits_are_those_of_the_texts(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, joined("Cid"), self.ids["Cid"])
        seqs = [await self.say("Ann", "x") for _ in range(3)]
        pieces = st.lists(st.sampled_from(("@bob", "@cid", "@room", "`@bob`", "@ann", "y")))
        edits: list[list[tuple[int, str]]] = []

        @settings(max_examples=15, deadline=None, database=None)
        @given(st.lists(st.tuples(st.integers(0, 2), pieces.map(" ".join)), max_size=6))
        def choose(run: list[tuple[int, str]]) -> None:
            edits.append(run)

        choose()
        for run in edits:
            texts: dict[int, str] = {}
            for index, msg in run:
                await self.edit("Ann", seqs[index], msg or "z")
                texts[index] = msg
            for usr in ("Bob", "Cid"):
                wanted = {f"@{usr.lower()}", "@room"}
                expected = {seqs[n] for n, msg in texts.items() if wanted & set(msg.split())}
                found = set(await self.mentions(usr)) & {seqs[n] for n in texts}
                self.assertEqual(found, expected, run)


class NotifyContract(MentionCase):
    """Read marks that are set back, and levels of notifications."""

    async def memberships(self, usr: str) -> dict[int, MembershipRecord]:
        token = bytes(str(next(self.numbers)), "ascii")
        state = await self.store.login(self.ids[usr], "hash", new_session(token, 1))
        return {one.room_id: one for one in state.memberships}

    async def test_a_mark_is_set_back(self) -> None:
        await self.prepare()
        bob = self.ids["Bob"]
        await self.store.login(bob, "hash", new_session(TOKEN))
        for msg in ("@bob", "x"):
            await self.say("Ann", msg)
            await self.say("Ann", msg, self.lobby)
        for room_id, last in ((self.room_id, 4), (self.lobby, 2)):
            await self.store.mark_read(bob, TOKEN, room_id, last)
            for seq, read_seq in ((last, last), (last - 1, last - 1), (last, last - 1)):
                found = await self.store.mark_unread(bob, TOKEN, room_id, seq)
                self.assertEqual(found, read_seq)
            await self.store.mark_unread(bob, TOKEN, room_id, last - 2)
        expected = {self.room_id: (2, 1), self.lobby: (2, 1)}
        self.assertEqual(await self.unread("Bob"), expected)

    async def test_only_a_member_marks_and_sets_levels(self) -> None:
        await self.prepare()
        cid = self.ids["Cid"]
        for room_id in (self.room_id, 999):
            await self.assertFails(self.store.mark_unread(cid, TOKEN, room_id, 1), NotInRoom)
            await self.assertFails(self.store.set_notify(cid, room_id, "none"), NotInRoom)

    async def test_a_level_is_kept_as_long_as_the_membership(self) -> None:
        await self.prepare()
        bob = self.ids["Bob"]
        for level in ("none", "mentions", "all", "none"):
            for room_id in (self.room_id, self.lobby):
                await self.store.set_notify(bob, room_id, level)
                self.assertEqual((await self.memberships("Bob"))[room_id].notify, level)
        self.assertEqual((await self.memberships("Ann"))[self.room_id].notify, "all")
        await self.stored(self.room_id, left("Bob"), bob)
        entry = Joined(room_name="Garden", usr="Bob", at=970)
        await self.stored(self.room_id, entry, bob)
        found = await self.memberships("Bob")
        self.assertEqual((found[self.room_id].notify, found[self.lobby].notify), ("all", "none"))
        await self.store.set_notify(bob, self.room_id, "none")
        await self.store.delete_room(self.room_id, 5)
        self.assertNotIn(self.room_id, await self.memberships("Bob"))
