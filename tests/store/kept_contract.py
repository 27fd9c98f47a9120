"""What every store does with a log whose oldest entries were deleted: its numbering goes on."""

from __future__ import annotations

from typing import Any

from gtchat.chat.interfaces import Backlog, HistoryPage, HistoryQuery, UnreadRecord
from tests.store.contract import NETWORK, StoreCase, joined, message, new_session

TOKEN = b"t" * 32


class KeptContract(StoreCase):
    """Ann's room has this log: creation, Bob joins, messages of Bob as 3 to 6.

    The class that uses it has `delete_entries(room_id, count)`, which deletes the oldest entries.
    """

    async def shortened(self, count: int, texts: str = "abcd") -> int:
        """Return the id of a room of Ann without the oldest entries."""
        self.ann, bob = await self.account("Ann"), await self.account("Bob")
        room = await self.room(self.ann)
        await self.stored(room, joined("Bob"), bob)
        for text in texts:
            await self.stored(room, message(text, usr="Bob"), bob)
        self.delete_entries(room, count)
        return room

    async def seqs(self, room: int, **query: Any) -> tuple[list[int], bool]:
        page = await self.store.history(room, HistoryQuery(**query))
        return [entry.seq for entry in page.entries], page.more

    async def test_an_emptied_log_goes_on_with_the_next_number(self) -> None:
        room = await self.shortened(6)
        empty = await self.store.history(room, HistoryQuery())
        self.assertEqual(empty, HistoryPage((), 7, 6, False))
        record = await self.record(room)
        self.assertEqual((record.last_seq, record.message_count), (6, 4))
        await self.stored(room, message("e"))
        page = await self.store.history(room, HistoryQuery())
        self.assertEqual((page.first, page.last, page.entries[0].seq), (7, 7, 7))
        record = await self.record(room)
        self.assertEqual((record.last_seq, record.message_count), (7, 5))

    async def test_an_emptied_lobby_goes_on_for_new_accounts(self) -> None:
        for text in "abc":
            await self.stored(self.lobby, message(text))
        self.delete_entries(self.lobby, 3)
        ann = await self.account("Ann")
        state = await self.store.login(ann, "hash", new_session(TOKEN))
        self.assertEqual([row.read_seq for row in state.memberships], [3])
        self.assertEqual((await self.stored(self.lobby, message("d"))).entry.seq, 4)

    async def test_pages_end_at_the_first_entry_that_is_kept(self) -> None:
        room = await self.shortened(3)
        self.assertEqual(await self.seqs(room), ([4, 5, 6], False))
        self.assertEqual(await self.seqs(room, before=6, limit=1), ([5], True))
        self.assertEqual(await self.seqs(room, before=6, limit=2), ([4, 5], False))
        self.assertEqual(await self.seqs(room, before=4), ([], False))
        self.assertEqual(await self.seqs(room, after=0, limit=2), ([4, 5], True))
        self.assertEqual(await self.seqs(room, around=2, limit=2), ([4, 5], True))
        page = await self.store.history(room, HistoryQuery(limit=1))
        self.assertEqual((page.first, page.last), (4, 6))

    async def test_a_client_is_behind_if_not_all_that_it_missed_is_kept(self) -> None:
        room = await self.shortened(3)
        await self.store.login(self.ann, "hash", new_session(TOKEN, 1))
        for seen, missed in ((1, None), (2, None), (3, [4, 5, 6]), (6, [])):
            resumed = await self.store.resume(TOKEN, 9, 0, {room: seen}, 50, 500, NETWORK)
            backlog = resumed.missed[room]
            if missed is None:
                self.assertEqual(backlog, Backlog(behind=True, first=4), seen)
            else:
                self.assertEqual([entry.seq for entry in backlog.entries], missed, seen)
            self.assertIsNone(resumed.epoch)

    async def test_what_is_not_kept_is_no_reason_for_a_new_epoch(self) -> None:
        room = await self.shortened(0)
        await self.store.login(self.ann, "hash", new_session(TOKEN, 1))
        self.store.load()
        await self.stored(room, message("e"))
        self.delete_entries(room, 7)
        resumed = await self.store.resume(TOKEN, 9, 0, {room: 6}, 50, 500, NETWORK)
        self.assertEqual(
            (resumed.epoch, resumed.missed), (None, {room: Backlog(behind=True, first=8)})
        )

    async def test_only_messages_that_are_kept_are_unread(self) -> None:
        unread = {0: 4, 1: 4, 2: 4, 3: 3, 4: 2, 5: 1, 6: 0}
        room = await self.shortened(0)
        for count, expected in unread.items():
            found = (await self.store.unread(self.ann, None)).get(room)
            self.assertEqual(found, UnreadRecord(expected, 4) if expected else None, count)
            self.delete_entries(room, 1)
