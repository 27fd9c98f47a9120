"""What every store does when the oldest entries of logs are removed."""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.chat.admin_store import ALL_RECORDS
from gtchat.chat.annotations import ReplyTo
from gtchat.chat.errors import NoSuchMessage
from gtchat.chat.events import AnnotatedMessage
from gtchat.chat.interfaces import (
    Arrived,
    Backlog,
    HistoryPage,
    HistoryQuery,
    MessageVersion,
    UnreadRecord,
)
from gtchat.chat.retention import Keep, Retention
from gtchat.chat.storage_store import StorageQuery
from tests.store.changes_contract import LIMITS, edited, pinned, reacted
from tests.store.contract import (
    NETWORK,
    joined,
    left,
    message,
    new_session,
    room_changed,
    room_created,
)
from tests.store.search_contract import SearchCase

#: Milliseconds of an hour and of a day.
HOUR, DAY = 3_600_000, 86_400_000
TOKEN = b"t" * 32


class RetentionCase(SearchCase):
    """A room with Ann and Bob, and Zoe who writes to Ann; entries are made at about 1,000 ms."""

    async def remove(self, messages: int = 0, days: float = 0, at: int = HOUR + 2001) -> None:
        """Have the store remove all that is too much."""
        retention = Retention(at, Keep(messages, days))
        await self.store.prune(0, 0, 0, ALL_RECORDS, retention)
        for _ in range(1000):
            if not self.has_work():
                return
            await self.store.flush()
        self.fail("it does not come to an end")

    def has_work(self) -> bool:
        """Return whether the store may have more to remove."""
        cleanup = getattr(self.store, "_cleanup", None)
        return cleanup is not None and cleanup.has_work()

    async def bounds(self, room_id: int | None = None) -> tuple[int, int]:
        """Return the lowest seq that is kept, and the newest."""
        page = await self.store.history(room_id or self.room_id, HistoryQuery())
        return page.first, page.last

    async def say_all(self, *texts: str) -> None:
        for text in texts:
            await self.say(text)


class RetentionContract(RetentionCase):
    """What is removed, and what goes with it."""

    async def test_nothing_is_removed_without_a_limit(self) -> None:
        await self.prepare()
        await self.remove(at=1000 * DAY)
        self.assertEqual(await self.bounds(), (1, 4))

    async def test_so_many_of_the_newest_messages_are_kept(self) -> None:
        await self.prepare()
        await self.say_all("a", "b", "c")
        await self.stored(self.room_id, joined("Cid"), await self.account("Cid"))
        await self.remove(messages=2)
        self.assertEqual(await self.bounds(), (6, 8))
        self.assertEqual(await self.texts(self.room_id, HistoryQuery()), ["b", "c", "join_room"])
        record = await self.record(self.room_id)
        self.assertEqual((record.last_seq, record.message_count), (8, 5))
        self.assertEqual([name for _, name, _ in record.members], ["Ann", "Bob", "Cid"])
        await self.remove(messages=2)
        self.assertEqual(await self.bounds(), (6, 8))

    async def test_what_is_removed_takes_nothing(self) -> None:
        await self.prepare()
        await self.say_all("a", "bb", "ccc")
        await self.store.storage(StorageQuery("rooms"))  # counts
        await self.remove(messages=2)
        taken = await self.store.stored_texts("rooms", self.room_id)
        self.assertEqual((taken.messages, taken.bytes), (2, 5))
        [account, *_] = (await self.store.storage(StorageQuery("accounts"))).texts
        self.assertEqual((account.messages, account.bytes), (2, 5))

    async def test_what_is_older_than_some_days_is_removed(self) -> None:
        await self.prepare()
        await self.say("old", at=2 * DAY)
        await self.say("new", at=2 * DAY + 1)
        await self.remove(days=1.5, at=int(3.5 * DAY) + 1)
        self.assertEqual(await self.bounds(), (6, 6))
        await self.remove(days=1.5, at=100 * DAY)
        empty = await self.store.history(self.room_id, HistoryQuery())
        self.assertEqual(empty, HistoryPage((), 7, 6, False))
        self.assertEqual(await self.say("next", at=100 * DAY), 7)
        self.assertEqual((await self.record(self.room_id)).message_count, 5)

    async def test_the_last_hour_is_always_kept(self) -> None:
        await self.prepare()
        await self.say("now", at=HOUR)
        await self.say("earlier", at=900)  # by another clock: what is before it stays
        await self.remove(messages=1, at=HOUR + 999)
        self.assertEqual(await self.bounds(), (3, 6))
        await self.remove(messages=1, at=2 * HOUR)
        self.assertEqual(await self.bounds(), (5, 6))
        await self.remove(messages=1, at=2 * HOUR + 1)
        self.assertEqual(await self.bounds(), (6, 6))

    async def test_a_room_keeps_what_both_limits_allow(self) -> None:
        await self.prepare()
        other = await self.room(self.ann, "Other")
        for room_id in (self.room_id, other):
            for text in "abcdef":
                await self.say(text, room_id=room_id)
        changed = attrs.evolve(room_changed(owner="Ann"), keep_messages=3, keep_days=9)
        await self.stored(self.room_id, changed, self.ann)
        record = await self.record(self.room_id)
        self.assertEqual(record.keep, Keep(3, 9))
        await self.remove()
        self.assertEqual(await self.bounds(), (8, 11))
        self.assertEqual(await self.bounds(other), (1, 7))
        await self.remove(messages=5)
        self.assertEqual(await self.bounds(), (8, 11))
        self.assertEqual(await self.bounds(other), (3, 7))
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(), (10, 11))
        await self.remove(at=10 * DAY)
        self.assertEqual(await self.bounds(), (12, 11))
        self.assertEqual(await self.bounds(other), (7, 7))

    async def test_a_room_is_created_with_all_its_settings(self) -> None:
        ann = await self.account("Ann")
        settings: dict[str, Any] = {"moderated": True, "slow": 30}
        settings |= {"keep_messages": 3, "keep_days": 9}
        created = attrs.evolve(room_created(), **settings)
        pending = await self.stored(0, created, ann, key="garden")
        record = await self.record(pending.room_id)
        self.assertEqual(record.keep, Keep(3, 9))
        self.assertEqual((record.moderation.moderated, record.moderation.slow), (True, 30))
        [entry] = (await self.store.history(pending.room_id, HistoryQuery())).entries
        self.assertEqual({name: getattr(entry, name) for name in settings}, settings)

    async def test_the_lobby_is_a_log_as_others_are(self) -> None:
        for text in "abc":
            await self.stored(self.lobby, message(text))
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(self.lobby), (3, 3))

    async def test_what_belongs_to_removed_messages_goes_with_them(self) -> None:
        await self.prepare()
        keep = attrs.evolve(LIMITS, keep_versions=True)
        await self.changed(edited(3, "@Bob x"), self.ann, limits=keep)
        await self.changed(reacted(3, "\N{THUMBS UP SIGN}"), self.ann)
        await self.changed(pinned(3), self.ann, is_moderator=True)
        await self.say("@Bob kept")
        [first, second] = (await self.store.mentions(self.bob, None, 9)).entries
        self.assertEqual((first.seq, second.seq), (8, 3))
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(), (8, 8))
        page = await self.store.mentions(self.bob, None, 9)
        self.assertEqual([entry.seq for entry in page.entries], [8])
        await self.assertFails(self.store.versions(self.room_id, 3), NoSuchMessage)
        for change in (edited(3, "z"), reacted(3, "\N{THUMBS UP SIGN}"), pinned(3)):
            await self.refused(NoSuchMessage, change, self.ann, is_moderator=True)
        await self.changed(pinned(8), self.ann, is_moderator=True)  # of the one that is allowed

    async def test_changes_of_removed_messages_stay_in_the_log(self) -> None:
        await self.prepare()
        keep = attrs.evolve(LIMITS, keep_versions=True)
        await self.say("kept")
        await self.changed(edited(3, "later", at=2 * HOUR), self.ann)
        await self.changed(edited(5, "better", at=2 * HOUR), self.ann, limits=keep)
        await self.remove(messages=1, at=2 * HOUR)
        self.assertEqual(await self.bounds(), (5, 7))
        kinds = frozenset({"edited"})
        page = await self.store.history(self.room_id, HistoryQuery(kinds=kinds))
        found = [(one.seq, getattr(one, "msg", None)) for one in page.entries]
        self.assertEqual(found, [(6, ""), (7, "better")])
        versions = (await self.store.versions(self.room_id, 5)).versions
        kept = (MessageVersion(5, 1000, "kept"), MessageVersion(7, 2 * HOUR, "better"))
        self.assertEqual(versions, kept)

    async def test_a_reply_stays_and_none_can_be_made_to_what_is_gone(self) -> None:
        await self.prepare()
        options = {"usr": "Ann", "msg": "re", "id": "1", "at": 1000, "room_name": "Garden"}
        reply = AnnotatedMessage(reply=ReplyTo(3, ""), **options)
        await self.stored(self.room_id, reply, self.ann)
        await self.remove(messages=1)
        [found] = (await self.store.history(self.room_id, HistoryQuery())).entries
        self.assertEqual((found.seq, found.reply), (5, ReplyTo(3, "Ann")))
        pending = self.append(
            self.room_id, AnnotatedMessage(reply=ReplyTo(3, ""), **options), self.ann
        )
        await self.store.flush()
        self.assertIsInstance(pending.error, NoSuchMessage)

    async def test_a_search_finds_what_is_kept(self) -> None:
        await self.prepare()
        await self.say_all("green tea", "green water", "green leaf")
        self.assertEqual(len(await self.find("green")), 3)
        await self.remove(messages=1)
        self.assertEqual(await self.find("green"), ["green leaf"])
        await self.say("green new")
        await self.remove(messages=1)  # before the new one is in the index
        self.assertEqual(await self.find("green"), ["green new"])

    async def test_only_what_is_kept_is_unread(self) -> None:
        await self.prepare()
        for text in ("a", "@Ann b", "@Ann c"):
            await self.say(text, self.bob, usr="Bob")
        before = (await self.store.unread(self.ann, None))[self.room_id]
        self.assertEqual(before, UnreadRecord(4, 5, 2))
        await self.remove(messages=2)
        after = (await self.store.unread(self.ann, None))[self.room_id]
        self.assertEqual(after, UnreadRecord(2, 5, 2))
        await self.remove(messages=1)
        after = (await self.store.unread(self.ann, None))[self.room_id]
        self.assertEqual(after, UnreadRecord(1, 5, 1))

    async def test_a_mark_before_the_log_stays_and_can_be_set(self) -> None:
        await self.prepare()
        await self.say_all("a", "b", "c")
        await self.store.login(self.bob, "hash", new_session(TOKEN, 1, marks_read=True))
        await self.remove(messages=1)
        self.assertEqual(await self.store.mark_read(self.bob, TOKEN, self.room_id, 3), 3)
        self.assertEqual((await self.store.unread(self.bob, None))[self.room_id].unread, 1)
        self.assertEqual(await self.store.mark_read(self.bob, TOKEN, self.room_id, 7), 7)
        self.assertEqual(await self.store.mark_unread(self.bob, TOKEN, self.room_id, 2), 2)
        self.assertEqual((await self.store.unread(self.bob, None))[self.room_id].unread, 1)

    async def test_a_client_is_told_where_the_log_begins(self) -> None:
        await self.prepare()
        await self.say_all("a", "b", "c")
        await self.store.login(self.bob, "hash", new_session(TOKEN, 1))
        await self.remove(messages=2)
        for seen, missed in ((4, Backlog(behind=True, first=6)), (5, None)):
            found = await self.store.resume(TOKEN, 9, 0, {self.room_id: seen}, 50, 500, NETWORK)
            backlog = found.missed[self.room_id]
            if missed is None:
                self.assertEqual([one.seq for one in backlog.entries], [6, 7])
            else:
                self.assertEqual(backlog, missed)

    async def test_members_before_the_log_stay_members(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, left("Bob"), self.bob)
        await self.say("a")
        await self.remove(messages=1)
        record = await self.record(self.room_id)
        self.assertEqual([name for _, name, _ in record.members], ["Ann"])
        self.assertEqual((record.owner, record.topic, record.max), ("Ann", "plants", 7))


class DirectRetentionContract(RetentionCase):
    """Direct conversations: what was not delivered stays."""

    async def test_what_both_have_is_removed(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abc":
            await self.whisper(ann, bob, text)
        direct = await self.store.find_direct(bob, None, ann)
        await self.store.set_delivered(Arrived(bob, {}, {direct.id: 3}, False))
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(direct.id), (3, 3))
        await self.remove(days=1, at=9 * DAY)
        self.assertEqual(await self.bounds(direct.id), (4, 3))
        [listed] = (await self.store.directs(bob, None, 9)).directs
        self.assertEqual((listed.last_seq, listed.unread, listed.at), (3, 0, 0))
        self.assertEqual((await self.whisper(bob, ann, "again")).seq, 4)

    async def test_what_waits_is_kept_until_it_is_delivered(self) -> None:
        ann, bob = await self.two_accounts()
        for text in "abc":
            await self.whisper(ann, bob, text)
        await self.whisper(bob, ann, "d")
        direct = await self.store.find_direct(bob, None, ann)
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(direct.id), (1, 4))
        await self.store.set_delivered(Arrived(bob, {direct.id: (1, 3)}, {}, False))
        self.assertEqual(await self.waiting(bob), ["b"])
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(direct.id), (2, 4))
        self.assertEqual(await self.waiting(bob), ["b"])
        await self.store.set_delivered(Arrived(bob, {direct.id: (2,)}, {}, False))
        await self.remove(messages=1)
        self.assertEqual(await self.bounds(direct.id), (4, 4))
        self.assertEqual(await self.waiting(ann), ["d"])

    async def test_what_a_room_owes_a_client_goes_with_the_log(self) -> None:
        await self.prepare()
        await self.store.add_missed(self.bob, self.room_id, 3, 0)
        await self.store.add_missed(self.bob, self.room_id, 4, 0)
        await self.remove(messages=1)
        waiting: list[Any] = list(await self.store.whispers(self.bob, 0, 9))
        self.assertEqual([one.seq for one in waiting], [4])
