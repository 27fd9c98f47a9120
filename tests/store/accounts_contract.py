"""What every store does with accounts, sessions and resuming."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import BadSession, NameTaken, NoSuchUser, NotAllowed, NotStored
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import (
    Account,
    Backlog,
    EndedSession,
    InvitationLimits,
    MembershipRecord,
    PhoneAccount,
    Replaces,
    StoredGuest,
)
from tests.store.contract import (
    NETWORK,
    TOKEN,
    ResumeCase,
    StoreCase,
    joined,
    left,
    message,
    new_session,
    room_changed,
)

OTHER = b"o" * 32
UUID = b"u" * 32


class AccountContract(StoreCase):
    """Accounts and blocks."""

    async def test_memberships_are_counted(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        for number, owner in enumerate((ann, ann, bob)):
            await self.room(owner, f"Garden {number}")
        counts = [(await self.store.find_account(one, None)).memberships for one in ("ann", "bob")]
        self.assertEqual(counts, [2, 1])

    async def test_a_registered_account_is_found_by_its_name(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", None, 1)
        found = await self.store.find_account("ann", None)
        self.assertEqual(found, Account(ann, "Ann", "ann", True, "hash"))

    async def test_an_unknown_name_is_not_found(self) -> None:
        self.assertIsNone(await self.store.find_account("ann", None))

    async def test_an_account_is_found_by_its_uuid(self) -> None:
        ann = await self.store.register("Ann", "ann", None, UUID, 1)
        found = await self.store.find_by_uuid(UUID)
        self.assertEqual(found, Account(ann, "Ann", "ann", True, None))
        self.assertIsNone(await self.store.find_by_uuid(OTHER))

    async def test_a_name_belongs_to_one_account(self) -> None:
        await self.account("Ann")
        await self.assertFails(self.store.register("ANN", "ann", None, None, 1), NameTaken)
        await self.assertFails(
            self.store.login_guest("ANN", "ann", new_session(TOKEN, 1)), NameTaken
        )

    async def test_of_two_registrations_at_once_the_first_gets_the_name(self) -> None:
        first = self.store.register("Ann", "ann", "1", None, 1)
        second = self.store.register("Ann", "ann", "2", None, 1)
        pending = self.append(self.lobby, message())
        await self.assertFails(second, NameTaken)
        self.assertEqual((await self.store.find_account("ann", None)).id, await first)
        await self.store.flush()
        self.assertEqual(pending.entry.seq, 1)

    async def test_the_name_of_a_guest_cannot_be_registered(self) -> None:
        await self.store.login_guest("Ann", "ann", new_session(TOKEN, 1))
        await self.assertFails(self.store.register("Ann", "ann", None, None, 1), NameTaken)

    async def test_a_name_that_looks_like_one_in_use_is_taken(self) -> None:
        await self.account("cop")
        for name in ("\u0441\u043e\u0440", "\u0421\u043e\u0440"):
            taken = self.store.register(name, name.lower(), None, None, 1)
            await self.assertFails(taken, NameTaken)
            await self.assertFails(
                self.store.login_guest(name, name.lower(), new_session(TOKEN, 1)), NameTaken
            )
            phone = self.store.register_phone(name, name.lower(), "111", UUID, 1)
            await self.assertFails(phone, NameTaken)
            self.assertTrue(await self.store.is_name_taken(name, name.lower()))
        self.assertTrue(await self.store.is_name_taken("COP", "cop"))
        for name in ("c0p", "COPS", "c\u00f3p"):
            self.assertFalse(await self.store.is_name_taken(name, name.lower()))
            await self.account(name)
        self.assertIsNone(await self.store.find_by_uuid(UUID))

    async def test_the_name_of_a_guest_who_left_is_free_with_what_looks_like_it(self) -> None:
        first = await self.store.login_guest(
            "\u0441\u043e\u0440", "\u0441\u043e\u0440", new_session(TOKEN, 1)
        )
        for name in ("cop", "\u0441op"):
            await self.assertFails(self.store.register(name, name, None, None, 1), NameTaken)
        await self.store.end_guest(first)
        await self.store.end_guest(
            await self.store.login_guest("cop", "cop", new_session(TOKEN, 1))
        )
        await self.account("\u0441\u043e\u0440")

    async def test_a_name_that_looks_like_the_server_does_not_lock_the_server_out(self) -> None:
        await self.account("h\u1d0fst")
        await self.store.login_guest("Host", "host", new_session(TOKEN, 1))

    async def test_a_uuid_belongs_to_one_account(self) -> None:
        await self.store.register("Ann", "ann", None, UUID, 1)
        await self.assertFails(self.store.register("Bob", "bob", None, UUID, 1), NameTaken)
        self.assertIsNone(await self.store.find_account("bob", None))

    async def test_account_ids_are_never_reused(self) -> None:
        first = await self.store.login_guest("Ann", "ann", new_session(TOKEN, 1))
        await self.store.end_guest(first)
        second = await self.store.login_guest("Ann", "ann", new_session(TOKEN, 1))
        self.assertGreater(second, first)

    async def test_guests_are_loaded(self) -> None:
        await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN, 1))
        account = Account(bob, "Bob", "bob", False)
        self.assertEqual(self.store.load().guests, (StoredGuest(account, NETWORK, True),))

    async def test_a_guest_is_deleted_with_all_that_belongs_to_it(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN, 1))
        room = await self.room(ann)
        event = Invited(room_name="Garden", usr="Ann", msg="", at=1)
        await self.store.invite(room, bob, ann, event, False, InvitationLimits())
        await self.store.block(ann, bob, True)
        await self.store.block(bob, ann, True)
        await self.stored(room, joined("Bob"), bob)
        await self.stored(room, left("Bob"), bob)
        await self.store.end_guest(bob)
        self.assertIsNone(await self.store.find_account("bob", None))
        self.assertEqual((await self.record(room)).members, ((ann, "Ann", True),))
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)
        found = await self.store.login(ann, "hash", new_session(TOKEN, 3))
        self.assertEqual((found.blocked, found.blocked_by), ({}, frozenset()))

    async def test_a_guest_who_owns_a_room_is_not_deleted_before_it_has_another_owner(self) -> None:
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN, 1))
        room = await self.room(bob)
        await self.stored(room, left("Bob"), bob)
        await self.assertFails(self.store.end_guest(bob), NotStored)
        self.assertEqual((await self.record(room)).owner_id, bob)
        await self.stored(room, room_changed(owner=""), None)
        await self.store.end_guest(bob)
        self.assertIsNone(await self.store.find_account("bob", None))

    async def test_end_guest_does_not_delete_a_registered_account(self) -> None:
        ann = await self.account("Ann")
        await self.store.end_guest(ann)
        self.assertIsNotNone(await self.store.find_account("ann", None))

    async def test_an_account_is_blocked_and_unblocked(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.block(ann, bob, True)
        await self.store.block(ann, bob, True)
        self.assertTrue((await self.store.find_account("ann", bob)).blocks_asker)
        self.assertFalse((await self.store.find_account("bob", ann)).blocks_asker)
        self.assertEqual(
            (await self.store.login(ann, "hash", new_session(TOKEN, 1))).blocked,
            {bob: "Bob"},
        )
        self.assertEqual(
            (await self.store.login(bob, "hash", new_session(OTHER, 1))).blocked_by,
            {ann},
        )
        await self.store.block(ann, bob, False)
        self.assertFalse((await self.store.find_account("ann", bob)).blocks_asker)

    async def test_blocks_of_an_account_are_limited(self) -> None:
        ann, bob, eve = [await self.account(name) for name in ("Ann", "Bob", "Eve")]
        both = [self.store.block(ann, one, True, 1) for one in (bob, eve)]
        await both[0]
        await self.assertFails(both[1], NotAllowed)
        await self.store.block(ann, bob, True, 1)  # which is no more than there was
        await self.store.block(bob, eve, True, 1)
        await self.store.block(ann, bob, False, 1)
        await self.store.block(ann, eve, True, 1)
        found = (await self.store.login(ann, "hash", new_session(TOKEN, 1))).blocked
        self.assertEqual(dict(found), {eve: "Eve"})

    async def test_blocking_an_unknown_account_fails(self) -> None:
        ann = await self.account("Ann")
        await self.assertFails(self.store.block(ann, 999, True), NoSuchUser)


class SessionContract(StoreCase):
    """Sessions, and what is read in them."""

    async def read_seqs(self, account_id: int) -> dict[int, int]:
        token = bytes(str(next(self.numbers)), "ascii")
        found = await self.store.login(account_id, "hash", new_session(token, 1))
        return {membership.room_id: membership.read_seq for membership in found.memberships}

    async def test_a_login_returns_the_state_of_the_account(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        found = await self.store.login(ann, "hash", new_session(TOKEN, 1))
        account = attrs.evolve(found.account, memberships=1)
        self.assertEqual(account, await self.store.find_account("ann", None))
        self.assertEqual(
            found.memberships, (MembershipRecord(self.lobby, 0), MembershipRecord(room, 1))
        )
        self.assertEqual((found.blocked, found.blocked_by), ({}, frozenset()))

    async def test_a_login_of_an_unknown_account_fails(self) -> None:
        await self.assertFails(self.store.login(999, "hash", new_session(TOKEN, 1)), NoSuchUser)

    async def test_a_new_account_has_read_everything(self) -> None:
        await self.stored(self.lobby, message())
        self.assertEqual(await self.read_seqs(await self.account("Ann")), {self.lobby: 1})

    async def test_a_new_member_has_read_everything(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        room = await self.room(ann)
        await self.stored(room, message("1"))
        await self.stored(room, joined("Bob"), bob)
        await self.stored(room, message("2"))
        self.assertEqual(await self.read_seqs(bob), {self.lobby: 0, room: 3})

    async def test_messages_after_a_session_are_unread(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.store.login(ann, "hash", new_session(TOKEN))
        await self.stored(room, message("read"))
        await self.stored(self.lobby, message("read"))
        for seq in (1, 0):
            sent = {self.lobby: seq, room: seq * 2}
            await self.store.end_session(EndedSession(ann, TOKEN, sent), 5)
            self.assertEqual(await self.read_seqs(ann), {self.lobby: 1, room: 2})
        await self.stored(room, message("unread"))
        self.assertEqual(await self.read_seqs(ann), {self.lobby: 1, room: 2})

    async def test_messages_that_a_lost_session_did_not_receive_are_unread(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        for room_id in (room, self.lobby):
            for text in ("received", "on its way"):
                self.append(room_id, message(text))
        await self.store.session_lost(EndedSession(ann, TOKEN, {room: 2, self.lobby: 1, 999: 7}), 5)
        self.assertEqual(await self.read_seqs(ann), {self.lobby: 1, room: 2})
        await self.store.session_lost(EndedSession(ann, TOKEN, {room: 0, self.lobby: 0}), 5)
        self.assertEqual(await self.read_seqs(ann), {self.lobby: 1, room: 2})
        await self.store.session_lost(EndedSession(999, TOKEN, {room: 3}), 5)

    async def test_a_membership_that_ended_is_not_returned(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.stored(room, left("Ann"), ann)
        self.assertEqual(await self.read_seqs(ann), {self.lobby: 0})

    async def test_a_login_can_end_the_other_sessions(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        await self.store.login(ann, "hash", new_session(OTHER, 1))
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        await self.store.login(ann, "hash", new_session(b"third", 3, replaces=Replaces.ALL))
        await self.assertFails(self.store.resume(TOKEN, 4, 0, {}, 0, 1, NETWORK), BadSession)
        await self.assertFails(self.store.resume(OTHER, 4, 0, {}, 0, 1, NETWORK), BadSession)
        await self.store.resume(b"third", 4, 0, {}, 0, 1, NETWORK)

    async def test_a_new_password_ends_all_sessions_but_one(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        await self.store.login(ann, "hash", new_session(OTHER, 1))
        await self.store.set_password(ann, "hash", "new", OTHER, [])
        self.assertEqual((await self.store.find_account("ann", None)).password_hash, "new")
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)
        await self.store.resume(OTHER, 2, 0, {}, 0, 1, NETWORK)

    async def test_a_new_password_can_end_all_sessions(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        await self.store.set_password(ann, "hash", "new", None, [])
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)

    async def test_an_ended_session_cannot_be_resumed(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 5)
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)

    async def test_an_account_ends_only_its_own_sessions(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.login(ann, "hash", new_session(TOKEN, 1))
        await self.store.end_session(EndedSession(bob, TOKEN, {}), 5)
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)

    async def test_a_session_that_was_lost_too_long_ago_cannot_be_resumed(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1000))
        await self.store.session_lost(EndedSession(ann, TOKEN, {}), 2000)
        await self.assertFails(self.store.resume(TOKEN, 9000, 2000, {}, 0, 1, NETWORK), BadSession)
        await self.store.resume(TOKEN, 9000, 1999, {}, 0, 1, NETWORK)

    async def test_a_connected_session_does_not_expire(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1000))
        await self.store.prune(5000, 0, 0)
        await self.store.resume(TOKEN, 9000, 5000, {}, 0, 1, NETWORK)

    async def test_expired_sessions_are_deleted(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1000))
        await self.store.login(ann, "hash", new_session(OTHER, 1000))
        await self.store.session_lost(EndedSession(ann, TOKEN, {}), 2000)
        await self.store.session_lost(EndedSession(ann, OTHER, {}), 3000)
        await self.store.prune(3000, 0, 0)
        await self.assertFails(self.store.resume(TOKEN, 9000, 0, {}, 0, 1, NETWORK), BadSession)
        await self.store.resume(OTHER, 9000, 0, {}, 0, 1, NETWORK)

    async def test_sessions_that_were_connected_at_a_restart_expire_from_then_on(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1000))
        self.store.load()
        await self.assertFails(self.store.resume(TOKEN, 0, 2**50, {}, 0, 1, NETWORK), BadSession)
        await self.store.resume(TOKEN, 0, 5000, {}, 0, 1, NETWORK)

    async def test_a_guest_can_resume(self) -> None:
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN, 1))
        found = await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        self.assertEqual(found.account_state.account, Account(bob, "Bob", "bob", False))
        self.assertEqual(found.account_state.memberships, (MembershipRecord(self.lobby, 0),))


class ResumeContract(ResumeCase):
    """What a session missed that began at 1,000; five messages are in the lobby."""

    async def test_missed_entries_come_in_order(self) -> None:
        missed = await self.missed({self.lobby: 3})
        expected = [
            attrs.evolve(message(text, room="lobby"), seq=seq) for seq, text in ((4, "d"), (5, "e"))
        ]
        self.assertEqual(missed, {self.lobby: Backlog(tuple(expected))})

    async def test_a_client_that_has_seen_all_missed_nothing(self) -> None:
        self.assertEqual(await self.missed({self.lobby: 5}), {self.lobby: Backlog()})

    async def test_a_client_that_has_seen_nothing_gets_all(self) -> None:
        missed = await self.missed({self.lobby: 0})
        self.assertEqual(len(missed[self.lobby].entries), 5)

    async def test_a_room_with_more_than_the_limit_is_behind(self) -> None:
        missed = await self.missed({self.lobby: 1}, limit=3)
        self.assertEqual(missed, {self.lobby: Backlog(behind=True)})

    async def test_rooms_with_most_entries_beyond_the_size_of_a_reply_are_behind(self) -> None:
        rooms = [await self.room(None, f"Garden {number}") for number in range(5)]
        for room, number in zip(rooms, (30, 12, 3, 60, 0), strict=True):
            for _ in range(number):
                self.append(room, message(chr(0x1F600) * 4_000))
        missed = await self.missed(dict.fromkeys([*rooms, self.lobby], 1))
        found = {room: (len(missed[room].entries), missed[room].behind) for room in missed}
        expected = [(0, True), (12, False), (3, False), (0, True), (0, False), (4, False)]
        self.assertEqual(found, dict(zip([*rooms, self.lobby], expected, strict=True)))

    async def test_a_seq_that_the_log_does_not_have_is_a_reset(self) -> None:
        for wrong in (6, 10**30, -1):
            missed = await self.missed({self.lobby: wrong + 5 * (wrong == 6)})
            self.assertEqual(missed, {self.lobby: Backlog(reset="unknown")})
            self.lobby = await self.room(None, f"Garden {wrong}")

    async def test_a_deleted_room_is_a_reset(self) -> None:
        room = await self.room(None)
        await self.store.delete_room(room, 500)
        self.assertEqual(await self.missed({room: 1}), {room: Backlog(reset="unknown")})

    async def recreated_room(self, deleted_at: int) -> int:
        """Create a room after an earlier one of its name was deleted. Return its id."""
        await self.store.delete_room(await self.room(None), deleted_at)
        return await self.room(None)

    async def test_a_room_created_again_is_a_reset(self) -> None:
        await self.missed({})
        await self.store.session_lost(EndedSession(self.ann, TOKEN, {}), 1500)
        room = await self.recreated_room(10000)
        self.assertEqual((await self.missed({room: 1}))[room].reset, "recreated")

    async def test_a_session_that_began_after_the_deletion_is_of_the_new_log(self) -> None:
        room = await self.recreated_room(999)
        self.assertEqual((await self.missed({room: 1}))[room], Backlog())

    async def test_a_session_lost_long_enough_after_the_deletion_is_of_the_new_log(self) -> None:
        await self.missed({}, at=1000)
        room = await self.recreated_room(2000)
        await self.store.session_lost(EndedSession(self.ann, TOKEN, {}), 2050)
        self.assertEqual((await self.missed({room: 1}))[room], Backlog())

    async def test_a_session_lost_shortly_after_the_deletion_is_a_reset(self) -> None:
        await self.missed({}, at=1000)
        room = await self.recreated_room(2000)
        await self.store.session_lost(EndedSession(self.ann, TOKEN, {}), 2049)
        self.assertEqual((await self.missed({room: 1}))[room].reset, "recreated")

    async def test_a_session_lost_at_an_unknown_time_is_a_reset(self) -> None:
        await self.missed({}, at=1000)
        room = await self.recreated_room(2000)
        self.assertEqual((await self.missed({room: 1}))[room].reset, "recreated")

    async def test_a_deletion_is_remembered_as_long_as_a_session_needs_it(self) -> None:
        await self.missed({}, at=1000)
        room = await self.recreated_room(2000)
        await self.store.prune(9000, 0, 0)
        self.assertEqual((await self.missed({room: 1}))[room].reset, "recreated")

    async def test_a_resumed_session_counts_as_connected_again(self) -> None:
        await self.missed({}, at=1000)
        await self.store.session_lost(EndedSession(self.ann, TOKEN, {}), 1500)
        await self.missed({}, at=7000)
        await self.missed({}, oldest=6000)

    async def test_an_unknown_session_cannot_be_resumed(self) -> None:
        await self.assertFails(self.store.resume(OTHER, 1, 0, {}, 0, 1, NETWORK), BadSession)

    async def test_resuming_returns_what_was_written_before_and_nothing_later(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN, 1000))
        self.append(self.lobby, message("before"))
        resumed = self.store.resume(TOKEN, 2000, 0, {self.lobby: 0}, 0, 500, NETWORK)
        self.append(self.lobby, message("after"))
        entries = (await resumed).missed[self.lobby].entries
        self.assertEqual([entry.msg for entry in entries], ["before"])


class PhoneContract(StoreCase):
    """Accounts with telephone numbers."""

    async def test_a_telephone_number_is_stored_with_the_time_of_the_last_visit(self) -> None:
        first = await self.store.register_phone("Ana", "ana", "111", b"a" * 32, 5)
        second = await self.store.register_phone("Bob", "bob", "222", b"b" * 32, 6)
        await self.store.set_phone_left(PhoneAccount(first, "Ana", "111", 9))
        await self.store.set_phone_left(PhoneAccount(12345, "Cat", "333", 9))
        self.assertEqual(
            await self.store.phones(),
            [PhoneAccount(first, "Ana", "111", 9), PhoneAccount(second, "Bob", "222", 6)],
        )
        found = await self.store.find_by_uuid(b"a" * 32)
        self.assertEqual((found.id, found.password_hash), (first, None))

    async def test_a_taken_number_or_name_is_refused(self) -> None:
        await self.store.register_phone("Ana", "ana", "111", b"a" * 32, 5)
        for name, number, credential in (("ana", "333", b"c" * 32), ("Bob", "111", b"a" * 32)):
            await self.assertFails(
                self.store.register_phone(name, name.lower(), number, credential, 6), NameTaken
            )
        self.assertEqual(len(await self.store.phones()), 1)
