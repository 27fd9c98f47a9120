"""What both stores do with changes of a room whose rules have seen another state of it."""

from __future__ import annotations

from copy import copy

import attrs

from gtchat.chat.errors import Stale
from gtchat.chat.events import Entry, Invited, Kicked, Removed, RoomChanged
from gtchat.chat.interfaces import InvitationLimits, PendingEntry
from tests.store.contract import joined, left, room_changed
from tests.store.nodes_contract import NodesCase, Side

NAMES = ("Ann", "Bob", "Cat", "Dan")


def kicked(usr: str) -> Kicked:
    return Kicked(room_name="Garden", usr=usr, at=970, by="Ann")


def removed(usr: str) -> Removed:
    return Removed(room_name="Garden", usr=usr, at=980, by="Ann")


FOR_THREE = attrs.evolve(room_changed(owner="Ann"), max=3)
PRIVATE = attrs.evolve(room_changed(owner="Ann"), public=False)
TO_BOB = room_changed(owner="Bob")

#: What the first node stores in a room of Ann with the member Bob, what the second one has queued
#: by then, who asks for that (None: the chat), and whether it is stored.
TABLE: list[tuple[tuple[Entry, ...], Entry, str | None, bool]] = [
    ((joined("Cat"),), joined("Dan"), "Dan", True),
    ((joined("Cat"),), joined("Dan"), "Bob", True),
    ((joined("Cat"),), joined("Dan"), None, False),
    ((joined("Cat"),), joined("Cat"), "Cat", False),
    ((left("Bob"),), joined("Dan"), "Bob", False),
    ((FOR_THREE,), joined("Dan"), "Dan", True),
    ((FOR_THREE, joined("Cat")), joined("Dan"), "Dan", False),
    ((PRIVATE,), joined("Dan"), "Dan", False),
    ((PRIVATE,), joined("Cat"), "Cat", True),  # who is invited
    ((PRIVATE, left("Ann")), joined("Ann"), "Ann", True),
    ((FOR_THREE, joined("Cat")), left("Bob"), "Bob", True),
    ((FOR_THREE, joined("Cat")), left("Bob"), None, True),
    ((left("Bob"),), left("Bob"), "Bob", False),
    ((PRIVATE,), kicked("Bob"), "Ann", True),
    ((TO_BOB,), kicked("Bob"), "Ann", False),
    ((left("Bob"),), kicked("Bob"), "Ann", False),
    ((PRIVATE,), removed("Bob"), "Ann", True),
    ((PRIVATE,), removed("Bob"), "Bob", True),
    ((TO_BOB,), removed("Bob"), "Ann", False),
    ((left("Ann"),), removed("Bob"), "Ann", False),
    ((left("Bob"),), removed("Bob"), "Ann", False),
    ((joined("Cat"),), PRIVATE, "Ann", True),
    ((joined("Cat"),), PRIVATE, None, False),
    ((left("Ann"),), PRIVATE, "Ann", True),
    ((left("Bob"),), TO_BOB, "Ann", False),
    ((PRIVATE,), FOR_THREE, "Ann", False),
]


class StaleContract(NodesCase):
    """Changes that are queued at one node while the other one stores something."""

    async def test_a_stale_change_is_stored_if_what_is_stored_allows_it(self) -> None:
        ids = {name: await self.first.account(name) for name in NAMES}
        for number, (theirs, own, sender, is_stored) in enumerate(TABLE):
            room = await self.first.room(ids["Ann"], f"room {number}")
            await self.first.stored(room, joined("Bob"), ids["Bob"])
            await self.second.follow(room)
            invited = Invited(room_name=f"room {number}", usr="Ann", msg="", at=1)
            await self.first.store.invite(
                room, ids["Cat"], ids["Ann"], invited, True, InvitationLimits()
            )
            for entry in theirs:
                await self.first.stored(room, copy(entry), ids[subject_of(entry)])
            options = {"needs_invitation": own.usr == "Cat"} if own.kind == "join_room" else {}
            pending = self.second.append(
                room,
                copy(own),
                ids[subject_of(own)],
                checked=0,
                sender_id=None if sender is None else ids[sender],
                **options,
            )
            await self.second.store.flush()
            self.assertIsInstance(pending.error, type(None) if is_stored else Stale, number)
            self.assertEqual(pending.entry.seq, len(theirs) + 3 if is_stored else 0, number)

    async def test_a_batch_fills_a_room_and_no_more(self) -> None:
        ids = {name: await self.first.account(name) for name in NAMES}
        garden = await self.first.room(ids["Ann"])
        await self.second.follow(garden)
        await self.first.stored(garden, copy(FOR_THREE), ids["Ann"])
        queued = [self.join(self.second, garden, name, ids) for name in ("Bob", "Cat", "Dan")]
        await self.second.store.flush()
        self.assertEqual([one.entry.seq for one in queued], [3, 4, 0])
        self.assertIsInstance(queued[2].error, Stale)

    def join(self, side: Side, room_id: int, name: str, ids: dict[str, int]) -> PendingEntry:
        """Queue a join whose rules have seen only the first entry of the room."""
        return side.append(room_id, joined(name), ids[name], checked=0, sender_id=ids[name])


def subject_of(entry: Entry) -> str:
    """Return the name of the account that a change is about."""
    return entry.owner if isinstance(entry, RoomChanged) else entry.usr
