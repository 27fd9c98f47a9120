"""What both stores do with changes of a room whose rules have seen another state of it."""

from __future__ import annotations

from copy import copy

import attrs

from gtchat.chat.errors import ChatError, IsMuted, ModeratedRoom, SlowMode, Stale
from gtchat.chat.events import Entry, Invited, Kicked, Removed, RoomChanged
from gtchat.chat.interfaces import InvitationLimits, PendingEntry
from gtchat.chat.moderation_events import Muted, RoleChanged, UserBanned
from tests.store.contract import joined, left, message, room_changed
from tests.store.nodes_contract import NodesCase, Side

NAMES = ("Ann", "Bob", "Cat", "Dan")


def kicked(usr: str) -> Kicked:
    return Kicked(room_name="Garden", usr=usr, at=970, by="Ann")


def removed(usr: str) -> Removed:
    return Removed(room_name="Garden", usr=usr, at=980, by="Ann")


FOR_THREE = attrs.evolve(room_changed(owner="Ann"), max=3)
PRIVATE = attrs.evolve(room_changed(owner="Ann"), public=False)
TO_BOB = room_changed(owner="Bob")


def muted(usr: str, by: str = "Ann", until: int = 0) -> Muted:
    return Muted(room_name="Garden", usr=usr, at=980, by=by, until=until)


def role(usr: str, role: str = "moderator") -> RoleChanged:
    return RoleChanged(room_name="Garden", usr=usr, at=980, by="Ann", role=role)


def banned(pattern: str, by: str = "Ann") -> UserBanned:
    return UserBanned(room_name="Garden", usr=pattern, at=980, by=by)


SLOW = attrs.evolve(room_changed(owner="Ann"), slow=5, moderated=True)

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
    ((banned("c*"),), joined("Cat"), "Cat", False),
    ((banned("c*"),), joined("Dan"), "Dan", True),
    ((PRIVATE,), muted("Bob"), "Ann", True),
    ((left("Bob"),), muted("Bob"), "Ann", False),
    ((TO_BOB,), muted("Bob"), "Ann", False),
    ((joined("Cat"), role("Cat")), muted("Bob", "Cat"), "Cat", True),
    ((joined("Cat"), role("Cat"), role("Cat", "")), muted("Bob", "Cat"), "Cat", False),
    ((joined("Cat"), role("Cat"), role("Bob")), muted("Bob", "Cat"), "Cat", False),
    ((PRIVATE,), banned("x*"), "Ann", True),
    ((TO_BOB,), banned("x*"), "Ann", False),
    ((role("Bob"),), role("Bob", "voice"), "Ann", True),
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
                await self.first.stored(room, copy(entry), ids.get(subject_of(entry)))
            options = {"needs_invitation": own.usr == "Cat"} if own.kind == "join_room" else {}
            pending = self.second.append(
                room,
                copy(own),
                ids.get(subject_of(own)),
                checked=0,
                sender_id=None if sender is None else ids[sender],
                **options,
            )
            await self.second.store.flush()
            self.assertIsInstance(pending.error, type(None) if is_stored else Stale, number)
            self.assertEqual(pending.entry.seq, len(theirs) + 3 if is_stored else 0, number)

    async def test_messages_are_stored_by_the_moderation_that_is_stored(self) -> None:
        ids = {name: await self.first.account(name) for name in NAMES}
        room = await self.first.room(ids["Ann"])
        await self.first.stored(room, joined("Bob"), ids["Bob"])
        await self.second.store.catch_up()
        await self.first.stored(room, muted("Bob", until=1000), ids["Bob"])
        await self.first.stored(room, copy(SLOW), ids["Ann"])
        table = ((999, IsMuted), (1000, ModeratedRoom))
        for at, error in table:
            self.assertIsInstance(await self.say(room, ids["Bob"], at), error)
        await self.first.stored(room, role("Bob", "voice"), ids["Bob"])
        table = ((1000, type(None)), (5999, SlowMode), (6000, type(None)), (6001, SlowMode))
        for at, error in table:
            self.assertIsInstance(await self.say(room, ids["Bob"], at), error, str(at))
        for at in (6000, 6001):
            self.assertIsNone(await self.say(room, ids["Ann"], at, "Ann"))
        for settings in (room_changed(owner="Ann"), copy(SLOW)):
            await self.first.stored(room, settings, ids["Ann"])
        self.assertIsNone(await self.say(room, ids["Bob"], 6002), "slow mode began anew")

    async def say(self, room: int, account_id: int, at: int, usr: str = "Bob") -> ChatError | None:
        """Have a message stored by the second node, whose rules have seen nothing yet."""
        entry = attrs.evolve(message(usr=usr), at=at, id=f"{usr} {at}")
        pending = self.second.append(room, entry, account_id, checked=0)
        await self.second.store.flush()
        return pending.error

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
