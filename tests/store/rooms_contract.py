"""Tests of `IRoomStore` that every store has to pass."""

from __future__ import annotations

from typing import Any

from gtchat.chat.errors import BadSession
from gtchat.chat.interfaces import FoundRoom
from gtchat.chat.moderation_events import UserBanned
from tests.store.contract import (
    joined,
    left,
    message,
    new_session,
    room_changed,
    room_created,
)
from tests.store.direct_contract import DirectCase


class RoomsContract(DirectCase):
    """Rooms that come into memory, and lists of others.

    Ann owns `Garden`; bob is a member, and so is a guest.
    """

    async def begin(self) -> None:
        self.ann, self.bob = await self.account("Ann"), await self.account("Bob")
        self.guest = await self.store.login_guest("Gus", "gus", new_session(b"g" * 32))
        self.garden = await self.room(self.ann)
        for name, account_id in (("Gus", self.guest), ("Bob", self.bob)):
            entry = joined(name)
            entry.guest = name == "Gus"
            await self.stored(self.garden, entry, account_id)

    async def test_a_room_comes_with_its_members_in_the_order_of_joining(self) -> None:
        await self.begin()
        [room] = await self.load_rooms([self.garden])
        self.assertEqual((room.id, room.name, room.key), (self.garden, "Garden", "garden"))
        self.assertEqual((room.public, room.topic, room.max), (True, "plants", 7))
        self.assertEqual((room.owner_id, room.owner, room.creator_id), (self.ann, "Ann", self.ann))
        self.assertEqual(
            room.members,
            ((self.ann, "Ann", True), (self.guest, "Gus", False), (self.bob, "Bob", True)),
        )

    async def test_rooms_are_found_by_id_and_by_key(self) -> None:
        await self.begin()
        ids = [await self.room(self.ann, f"r{number}") for number in range(70)]
        for wanted, key, found in (
            (ids, None, ids),
            ([], None, []),
            ([], "garden", [self.garden]),
            ([self.garden], "garden", [self.garden]),
            ([self.garden, 10**6], "r0", [self.garden, ids[0]]),
            ([], "Garden", []),
        ):
            rooms = await self.load_rooms(wanted, key)
            self.assertEqual(sorted(room.id for room in rooms), sorted(found))

    async def test_a_direct_conversation_is_no_room(self) -> None:
        await self.begin()
        await self.whisper(self.ann, self.bob)
        direct = await self.store.find_direct(self.ann, None, self.bob)
        self.assertEqual(list(await self.load_rooms([direct.id])), [])
        rooms, unread = await self.store.rooms_of(self.bob, None)
        self.assertEqual(list(rooms), [self.garden])
        self.assertEqual(unread, await self.store.unread(self.bob, None))
        self.assertEqual(unread[direct.id].unread, 1)

    async def test_a_room_is_as_it_is_at_its_place_in_the_queue(self) -> None:
        """From a shared store it comes before the entries of a batch, and these on top of it."""
        await self.begin()
        if self.store.is_shared:
            return
        found = []
        self.append(self.garden, message("1"))
        found.append(self.store.load_rooms([self.garden]))
        self.append(self.garden, message("2"))
        self.append(self.garden, left("Bob"), self.bob)
        found.append(self.store.load_rooms([self.garden]))
        found.append(self.store.public_rooms(None, 9))
        self.append(self.garden, message("3"))
        (first,), (second,), (listed,) = [await one for one in found]
        self.assertEqual((first.last_seq, first.message_count, len(first.members)), (4, 1, 3))
        self.assertEqual((second.last_seq, second.message_count, len(second.members)), (6, 2, 2))
        self.assertEqual((listed.last_seq, listed.member_count), (6, 2))

    async def test_a_login_brings_the_rooms_that_are_not_known(self) -> None:
        await self.begin()
        other, left_by_owner = await self.room(self.bob, "Other"), await self.room(self.ann, "Own")
        await self.stored(other, joined("Ann", "Other"), self.ann)
        await self.stored(left_by_owner, left("Ann", "Own"), self.ann)
        await self.room(self.bob, "Foreign")
        loaded: list[Any] = []
        self.store.foreign = lambda one: loaded.append(one.loaded)
        for known in ((), (other,), (self.garden, left_by_owner)):
            session = new_session(bytes([len(known)]) * 32, known=frozenset(known))
            state = await self.store.login(self.ann, "hash", session)
            resumed = await self.store.resume(
                session.token_hash, 5, 0, {}, 1, 9, "", known=frozenset(known)
            )
            expected = [one for one in (self.garden, other, left_by_owner) if one not in known]
            if self.store.is_shared:
                self.assertEqual([[one.id for one in each] for each in loaded], [expected] * 2)
                expected = []
                loaded.clear()
            self.assertEqual([room.id for room in state.rooms], expected)
            self.assertEqual(resumed.account_state.rooms, state.rooms)
        rooms = {
            self.garden: ("Garden", "garden"),
            other: ("Other", "other"),
            left_by_owner: ("Own", "own"),
        }
        for account_id, token in ((self.ann, None), (None, session.token_hash)):
            self.assertEqual((await self.store.rooms_of(account_id, token))[0], rooms)
        await self.assertFails(self.store.rooms_of(None, b"?" * 32), BadSession)

    async def test_a_login_brings_rooms_as_they_are_at_its_place_in_the_queue(self) -> None:
        await self.begin()
        self.append(self.garden, message("1"))
        login = self.store.login(self.ann, "hash", new_session(b"1" * 32))
        self.append(self.garden, message("2"))
        rooms = (await login).rooms
        self.assertEqual([room.last_seq for room in rooms], [] if self.store.is_shared else [4])

    async def test_public_rooms_are_listed_by_pages(self) -> None:
        await self.begin()
        for name in ("b", "d", "\U0001f33b", "\uff5e", "c"):
            await self.room(self.ann, name)
        await self.stored(0, room_created("a", public=False), self.ann, key="a")
        keys, after = [], None
        while page := await self.store.public_rooms(after, 2):
            keys += [room.key for room in page]
            after = keys[-1]
        self.assertEqual(keys, ["b", "c", "d", "garden", "\uff5e", "\U0001f33b"])
        room = (await self.store.public_rooms("d", 1))[0]
        self.assertEqual(
            (room.id, room.name, room.topic, room.owner, room.last_seq, room.preview, room.public),
            (self.garden, "Garden", "plants", "Ann", 3, False, True),
        )
        self.assertEqual(room.member_count, 3)
        rooms = await self.store.find_rooms(["b", "garden"])
        event = UserBanned(room_name="Garden", usr="eve", by="Ann", at=990)
        await self.stored(self.garden, event, None)
        self.assertEqual(await self.store.find_rooms(["a", "b", "x"]), await self.found("a", "b"))
        found = await self.store.find_rooms(["garden"])
        self.assertNotEqual(found["garden"], rooms["garden"])
        self.assertEqual(found, await self.found("garden"))

    async def test_rooms_are_searched_by_name(self) -> None:
        await self.begin()
        own = await self.room(self.ann, "Own")
        created = await self.stored(0, room_created("Rose", public=False), self.ann, key="rose")
        await self.whisper(self.ann, self.bob)
        for search, after, limit, found in (
            ("", "", 9, [self.garden, self.lobby, own, created.room_id]),
            ("", "garden", 2, [self.lobby, own]),
            ("o", "lobby", 9, [own, created.room_id]),
            ("%", "", 9, []),
        ):
            self.assertEqual(await self.store.search_rooms(search, after, limit), found)

    async def found(self, *keys: str) -> dict[str, FoundRoom]:
        rooms = [(await self.load_rooms([], key))[0] for key in keys]
        return {
            room.key: FoundRoom(room.id, room.public, room.preview, room.owner_id, room.moderation)
            for room in rooms
        }

    async def test_a_start_has_the_first_public_rooms_and_their_number(self) -> None:
        await self.begin()
        await self.stored(0, room_created("a", public=False), self.ann, key="a")
        await self.room(self.ann, "b")
        orphan = await self.room(None, "c")
        state = self.store.load()
        self.assertEqual(state.ownerless, (orphan,))
        self.assertEqual([room.key for room in state.public], ["b", "c", "garden"])
        self.assertEqual(await self.store.count_public(), 3)
        self.assertEqual([room.key for room in state.rooms], ["lobby"])

    async def test_received_rooms_are_counted(self) -> None:
        await self.begin()
        for name in ("x", "y"):
            room_id = await self.room(self.ann, name)
            changed = room_changed(name, owner="Bob")
            await self.stored(room_id, changed, self.bob)
        await self.room(self.bob, "z")
        counts = await self.store.count_received([self.ann, self.bob, self.guest])
        self.assertEqual(counts, {self.bob: 2})

    async def test_names_of_members_are_listed_by_pages(self) -> None:
        await self.begin()
        for after, limit, names in (
            (None, 9, ["Ann", "Bob", "Gus"]),
            (None, 2, ["Ann", "Bob"]),
            ("Bob", 2, ["Gus"]),
            ("Gus", 2, []),
        ):
            page = await self.store.member_names(self.garden, after, limit)
            self.assertEqual(page, (names, 3))
        self.assertEqual(await self.store.member_names(10**6, None, 9), ([], 0))

    async def test_a_guest_who_ends_is_told_the_rooms_that_it_is_in_or_owns(self) -> None:
        await self.begin()
        own = await self.room(self.guest, "own")
        await self.stored(own, left("Gus", "own"), self.guest)
        self.assertEqual(await self.store.begin_ending(self.guest), (self.garden, own))
