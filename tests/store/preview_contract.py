"""What every store shows of a public room to users who are not members."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gtchat.chat.events import Entry, MessageSent, RoomChanged, RoomCreated, RoomSettingsEntry
from gtchat.chat.history_records import PREVIEW_ENTRIES
from gtchat.chat.interfaces import HistoryQuery
from tests.store.contract import StoreCase, joined, left, message

EVERYTHING = HistoryQuery(after=0, limit=10_000)
#: Where a query can begin, and what it can select: a preview is the same with all of them.
POSITIONS = ({}, {"before": 3}, {"after": 0}, {"around": 2}, {"kinds": frozenset({"join_room"})})


def shown(entries: Sequence[Entry]) -> list[Entry]:
    """Return what the entries of a room alone say that its preview shows."""
    since, public, preview = 0, True, False
    for entry in entries:
        if isinstance(entry, RoomSettingsEntry):
            if entry.public and not public:
                since = entry.seq
            public, preview = entry.public, entry.preview
    if not (public and preview):
        return []
    first = max(entries[-1].seq - PREVIEW_ENTRIES, since)
    return [one for one in entries if isinstance(one, MessageSent) and one.seq > first]


def created(public: bool, preview: bool) -> RoomCreated:
    """Return the first entry of a room of Ann."""
    return RoomCreated(
        room_name="Garden",
        usr="Ann",
        at=900,
        topic="",
        max=0,
        owner="Ann",
        public=public,
        preview=preview,
    )


def changed(public: bool, preview: bool) -> RoomChanged:
    """Return an entry with which Ann sets both."""
    return RoomChanged(
        room_name="Garden",
        usr="Ann",
        at=930,
        topic="",
        max=0,
        owner="Ann",
        public=public,
        preview=preview,
    )


class PreviewContract(StoreCase):
    """See `HistoryQuery.preview`."""

    async def preview(self, room: int, **query: object) -> list[Entry]:
        """Return the entries of a preview, which is the same for all positions."""
        pages = [
            await self.store.history(room, HistoryQuery(**{"limit": 200, **fields, **query}))
            for fields in ({"preview": True, **position} for position in POSITIONS)
        ]
        self.assertEqual(pages[1:], pages[:1] * (len(POSITIONS) - 1))
        self.assertEqual(pages[0].more, len(pages[0].entries) == query.get("limit"))
        return list(pages[0].entries)

    async def test_a_preview_is_what_the_entries_alone_say(self) -> None:
        ann = await self.account("Ann")
        seen = set()
        for seed in range(6):
            random = Random(seed)
            public, preview = random.random() < 0.5, random.random() < 0.5
            pending = await self.stored(0, created(public, preview), ann, key=f"garden {seed}")
            room = pending.room_id
            for _ in range(8):
                for _ in range(random.randrange(1, 40)):
                    kind = random.choices(("say", "join", "leave", "set"), (20, 5, 5, 1))[0]
                    if kind == "set":
                        entry: Entry = changed(random.random() < 0.6, random.random() < 0.7)
                        self.append(room, entry, ann)
                    else:
                        make = {"say": message, "join": joined, "leave": left}[kind]
                        self.append(room, make("Bob"))
                await self.store.flush()
                page = await self.store.history(room, EVERYTHING)
                expected = shown(page.entries)
                self.assertEqual(await self.preview(room), expected, seed)
                self.assertEqual(await self.preview(room, limit=3), expected[-3:], seed)
                record = await self.record(room)
                settings = [one for one in page.entries if isinstance(one, RoomSettingsEntry)][-1]
                self.assertEqual(
                    (record.public, record.preview), (settings.public, settings.preview)
                )
                seen.add(min(len(expected), 1) if len(expected) < 40 else 2)
        self.assertEqual(seen, {0, 1, 2}, "the logs are too much alike")

    async def test_what_was_said_while_the_room_was_private_is_not_shown(self) -> None:
        ann = await self.account("Ann")
        pending = await self.stored(0, created(False, True), ann, key="garden")
        room = pending.room_id
        await self.stored(room, message("secret"))
        self.assertEqual(await self.preview(room), [])
        for _ in range(2):  # the second change leaves it public
            await self.stored(room, changed(True, True), ann)
        self.assertEqual(await self.preview(room), [])
        said = await self.stored(room, message("open"))
        self.assertEqual(await self.preview(room), [said.entry])
        await self.stored(room, changed(False, True), ann)
        self.assertEqual(await self.preview(room), [])

    async def test_there_is_no_preview_of_other_logs(self) -> None:
        await self.stored(self.lobby, message())
        for room in (self.lobby, 999):
            self.assertEqual(await self.preview(room), [])
