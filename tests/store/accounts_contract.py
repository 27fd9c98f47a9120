"""What every store does with accounts and sessions."""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.chat.errors import BadSession, NameTaken, NoSuchUser, NotStored
from gtchat.chat.interfaces import Account, Backlog, MembershipRecord, PhoneAccount
from tests.store.contract import StoreCase, joined, left, spoke

TOKEN = b"t" * 32
OTHER = b"o" * 32
UUID = b"u" * 32


class AccountContract(StoreCase):
    """Accounts and blocks."""

    async def test_a_registered_account_is_found_by_its_name(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", None, 1)
        found = await self.store.find_account("ann", None)
        self.assertEqual(found, Account(ann, "Ann", "ann", True, "hash"))

    async def test_a_name_that_nobody_has_is_not_found(self) -> None:
        self.assertIsNone(await self.store.find_account("ann", None))

    async def test_an_account_is_found_by_its_uuid(self) -> None:
        ann = await self.store.register("Ann", "ann", None, UUID, 1)
        found = await self.store.find_by_uuid(UUID)
        self.assertEqual(found, Account(ann, "Ann", "ann", True, None))
        self.assertIsNone(await self.store.find_by_uuid(OTHER))

    async def test_a_name_is_given_once(self) -> None:
        await self.account("Ann")
        await self.refused(self.store.register("ANN", "ann", None, None, 1), NameTaken)
        await self.refused(self.store.login_guest("ANN", "ann", TOKEN, 1), NameTaken)

    async def test_a_name_given_twice_at_once_is_given_to_the_first(self) -> None:
        first = self.store.register("Ann", "ann", "1", None, 1)
        second = self.store.register("Ann", "ann", "2", None, 1)
        append = self.append(self.lobby, spoke())
        await self.refused(second, NameTaken)
        self.assertEqual((await self.store.find_account("ann", None)).id, await first)
        await self.store.flush()
        self.assertEqual(append.entry.seq, 1)

    async def test_a_temporary_users_name_can_not_be_registered(self) -> None:
        await self.store.login_guest("Ann", "ann", TOKEN, 1)
        await self.refused(self.store.register("Ann", "ann", None, None, 1), NameTaken)

    async def test_a_uuid_is_one_account(self) -> None:
        await self.store.register("Ann", "ann", None, UUID, 1)
        await self.refused(self.store.register("Bob", "bob", None, UUID, 1), NameTaken)
        self.assertIsNone(await self.store.find_account("bob", None))

    async def test_numbers_are_never_given_again(self) -> None:
        first = await self.store.login_guest("Ann", "ann", TOKEN, 1)
        await self.store.end_guest(first)
        second = await self.store.login_guest("Ann", "ann", TOKEN, 1)
        self.assertGreater(second, first)

    async def test_temporary_accounts_are_among_the_contents(self) -> None:
        await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", TOKEN, 1)
        self.assertEqual(self.store.load().guests, (Account(bob, "Bob", "bob", False),))

    async def test_a_temporary_account_goes_with_all_that_belongs_to_it(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.login_guest("Bob", "bob", TOKEN, 1)
        nest = await self.room(ann)
        await self.store.block(ann, bob, True)
        await self.store.block(bob, ann, True)
        await self.store.invite(nest, bob, "Ann", False, 1)
        await self.stored(nest, joined("Bob"), bob)
        await self.store.end_guest(bob)
        self.assertIsNone(await self.store.find_account("bob", None))
        self.assertEqual((await self.record(nest)).members, ((ann, "Ann", True),))
        await self.refused(self.store.resume(TOKEN, 2, 0, {}, 0, 1), BadSession)
        found = await self.store.login(ann, TOKEN, False, 3)
        self.assertEqual((found.blocked, found.blocked_by), ({}, frozenset()))

    async def test_a_room_of_a_temporary_account_that_is_gone_has_no_owner(self) -> None:
        bob = await self.store.login_guest("Bob", "bob", TOKEN, 1)
        nest = await self.room(bob)
        await self.store.end_guest(bob)
        self.assertIsNone((await self.record(nest)).owner_id)

    async def test_a_registered_account_does_not_end_like_a_temporary_one(self) -> None:
        ann = await self.account("Ann")
        await self.store.end_guest(ann)
        self.assertIsNotNone(await self.store.find_account("ann", None))

    async def test_blocks(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.block(ann, bob, True)
        await self.store.block(ann, bob, True)
        self.assertTrue((await self.store.find_account("ann", bob)).blocks_asker)
        self.assertFalse((await self.store.find_account("bob", ann)).blocks_asker)
        self.assertEqual((await self.store.login(ann, TOKEN, True, 1)).blocked, {bob: "Bob"})
        self.assertEqual((await self.store.login(bob, OTHER, True, 1)).blocked_by, {ann})
        await self.store.block(ann, bob, False)
        self.assertFalse((await self.store.find_account("ann", bob)).blocks_asker)

    async def test_nobody_can_be_blocked_who_is_not_there(self) -> None:
        ann = await self.account("Ann")
        await self.refused(self.store.block(ann, 999, True), NotStored)


class SessionContract(StoreCase):
    """Sessions, and what was read in them."""

    async def seen(self, account_id: int) -> dict[int, int]:
        token = bytes(str(next(self.numbers)), "ascii")
        found = await self.store.login(account_id, token, False, 1)
        return {place.room_id: place.messages_read for place in found.memberships}

    async def test_a_login_finds_what_the_account_has(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        found = await self.store.login(ann, TOKEN, True, 1)
        self.assertEqual(found.account, await self.store.find_account("ann", None))
        self.assertEqual(
            found.memberships, (MembershipRecord(self.lobby, 0, 0), MembershipRecord(nest, 1, 0))
        )
        self.assertEqual((found.blocked, found.blocked_by), ({}, frozenset()))

    async def test_nobody_logs_in_who_is_not_there(self) -> None:
        await self.refused(self.store.login(999, TOKEN, True, 1), NoSuchUser)

    async def test_a_new_account_has_read_everything(self) -> None:
        await self.stored(self.lobby, spoke())
        self.assertEqual(await self.seen(await self.account("Ann")), {self.lobby: 1})

    async def test_a_new_member_has_read_everything(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        nest = await self.room(ann)
        await self.stored(nest, spoke("1"))
        await self.stored(nest, joined("Bob"), bob)
        await self.stored(nest, spoke("2"))
        self.assertEqual(await self.seen(bob), {self.lobby: 0, nest: 1})

    async def test_what_comes_after_a_session_is_unread(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.store.login(ann, TOKEN, True, 1)
        await self.stored(nest, spoke("read"))
        self.append(self.lobby, spoke("read"))
        await self.store.end_session(ann, TOKEN)
        self.assertEqual(await self.seen(ann), {self.lobby: 1, nest: 1})
        await self.stored(nest, spoke("unread"))
        self.assertEqual(await self.seen(ann), {self.lobby: 1, nest: 1})

    async def test_what_a_lost_session_did_not_hear_is_unread(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.store.login(ann, TOKEN, True, 1)
        for room in (nest, self.lobby):
            for text in ("heard", "on its way"):
                self.append(room, spoke(text))
        await self.store.session_lost(ann, TOKEN, 5, {nest: 2, self.lobby: 1, 999: 7})
        self.assertEqual(await self.seen(ann), {self.lobby: 1, nest: 1})
        await self.store.session_lost(ann, TOKEN, 5, {nest: 0, self.lobby: 0})
        self.assertEqual(await self.seen(ann), {self.lobby: 1, nest: 1})
        await self.store.session_lost(999, TOKEN, 5, {nest: 3})

    async def test_a_membership_that_ended_is_not_found(self) -> None:
        ann = await self.account("Ann")
        nest = await self.room(ann)
        await self.stored(nest, left("Ann"), ann)
        self.assertEqual(await self.seen(ann), {self.lobby: 0})

    async def test_a_login_may_end_the_others(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1)
        await self.store.login(ann, OTHER, False, 1)
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1)
        await self.store.login(ann, b"third", True, 3)
        await self.refused(self.store.resume(TOKEN, 4, 0, {}, 0, 1), BadSession)
        await self.refused(self.store.resume(OTHER, 4, 0, {}, 0, 1), BadSession)
        await self.store.resume(b"third", 4, 0, {}, 0, 1)

    async def test_a_new_password_ends_all_sessions_but_one(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1)
        await self.store.login(ann, OTHER, False, 1)
        await self.store.set_password(ann, "new", OTHER)
        self.assertEqual((await self.store.find_account("ann", None)).password_hash, "new")
        await self.refused(self.store.resume(TOKEN, 2, 0, {}, 0, 1), BadSession)
        await self.store.resume(OTHER, 2, 0, {}, 0, 1)

    async def test_a_new_password_may_end_all_sessions(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1)
        await self.store.set_password(ann, "new", None)
        await self.refused(self.store.resume(TOKEN, 2, 0, {}, 0, 1), BadSession)

    async def test_an_ended_session_can_not_be_resumed(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1)
        await self.store.end_session(ann, TOKEN)
        await self.refused(self.store.resume(TOKEN, 2, 0, {}, 0, 1), BadSession)

    async def test_a_session_is_ended_by_its_own_account_alone(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.login(ann, TOKEN, False, 1)
        await self.store.end_session(bob, TOKEN)
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1)

    async def test_a_session_that_was_lost_too_long_ago_can_not_be_resumed(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1000)
        await self.store.session_lost(ann, TOKEN, 2000, {})
        await self.refused(self.store.resume(TOKEN, 9000, 2000, {}, 0, 1), BadSession)
        await self.store.resume(TOKEN, 9000, 1999, {}, 0, 1)

    async def test_a_session_that_is_connected_does_not_grow_old(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1000)
        await self.store.prune(5000, 0)
        await self.store.resume(TOKEN, 9000, 5000, {}, 0, 1)

    async def test_old_sessions_are_forgotten(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1000)
        await self.store.login(ann, OTHER, False, 1000)
        await self.store.session_lost(ann, TOKEN, 2000, {})
        await self.store.session_lost(ann, OTHER, 3000, {})
        await self.store.prune(3000, 0)
        await self.refused(self.store.resume(TOKEN, 9000, 0, {}, 0, 1), BadSession)
        await self.store.resume(OTHER, 9000, 0, {}, 0, 1)

    async def test_after_a_restart_connected_sessions_begin_to_grow_old(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1000)
        self.store.load()
        await self.refused(self.store.resume(TOKEN, 0, 2**50, {}, 0, 1), BadSession)
        await self.store.resume(TOKEN, 0, 5000, {}, 0, 1)

    async def test_a_temporary_user_may_resume(self) -> None:
        bob = await self.store.login_guest("Bob", "bob", TOKEN, 1)
        found = await self.store.resume(TOKEN, 2, 0, {}, 0, 1)
        self.assertEqual(found.belongings.account, Account(bob, "Bob", "bob", False))
        self.assertEqual(found.belongings.memberships, (MembershipRecord(self.lobby, 0, 0),))


class ResumeContract(StoreCase):
    """What a session missed: it began at 1,000, and the lobby has five messages."""

    async def missed(self, seen: dict[int, int], **options: Any) -> dict[int, Backlog]:
        if not getattr(self, "ann", None):
            self.ann = await self.account("Ann")
            await self.store.login(self.ann, TOKEN, False, 1000)
        for text in "abcde":
            self.append(self.lobby, spoke(text, room="lobby"))
        options = {"at": 9000, "oldest": 0, "liveness_ms": 50, "limit": 500} | options
        return dict((await self.store.resume(TOKEN, seen=seen, **options)).missed)

    async def test_the_entries_after_the_last_one_seen_come_in_order(self) -> None:
        missed = await self.missed({self.lobby: 3})
        expected = [
            attrs.evolve(spoke(text, room="lobby"), seq=seq) for seq, text in ((4, "d"), (5, "e"))
        ]
        self.assertEqual(missed, {self.lobby: Backlog(tuple(expected))})

    async def test_who_has_seen_all_missed_nothing(self) -> None:
        self.assertEqual(await self.missed({self.lobby: 5}), {self.lobby: Backlog()})

    async def test_who_has_seen_nothing_gets_all(self) -> None:
        missed = await self.missed({self.lobby: 0})
        self.assertEqual(len(missed[self.lobby].entries), 5)

    async def test_more_than_the_most_is_behind(self) -> None:
        missed = await self.missed({self.lobby: 1}, limit=3)
        self.assertEqual(missed, {self.lobby: Backlog(behind=True)})

    async def test_more_than_2000_in_all_is_behind(self) -> None:
        nests = [await self.room(None, f"Nest {number}") for number in range(3)]
        for nest in nests:
            for number in range(900):
                self.append(nest, spoke(str(number)))
        missed = await self.missed(dict.fromkeys([*nests, self.lobby], 1), limit=1000)
        lengths = [len(one.entries) for one in missed.values()]
        self.assertEqual(lengths, [900, 900, 0, 4])
        self.assertTrue(missed[nests[2]].behind)

    async def test_a_number_that_the_log_does_not_have_is_a_reset(self) -> None:
        for wrong in (6, 10**30, -1):
            missed = await self.missed({self.lobby: wrong + 5 * (wrong == 6)})
            self.assertEqual(missed, {self.lobby: Backlog(reset=True)})
            self.lobby = await self.room(None, f"Nest {wrong}")

    async def test_a_room_that_is_gone_is_a_reset(self) -> None:
        nest = await self.room(None)
        await self.store.delete_room(nest, 500)
        self.assertEqual(await self.missed({nest: 1}), {nest: Backlog(reset=True)})

    async def again(self, deleted_at: int) -> int:
        """A room whose name had another log until then."""
        await self.store.delete_room(await self.room(None), deleted_at)
        return await self.room(None)

    async def test_a_name_that_had_another_log_is_a_reset(self) -> None:
        await self.missed({})
        await self.store.session_lost(self.ann, TOKEN, 1500, {})
        nest = await self.again(10000)
        self.assertTrue((await self.missed({nest: 1}))[nest].reset)

    async def test_who_began_after_the_old_log_went_means_the_new_one(self) -> None:
        nest = await self.again(999)
        self.assertEqual((await self.missed({nest: 1}))[nest], Backlog())

    async def test_who_was_lost_surely_later_means_the_new_one(self) -> None:
        await self.missed({}, at=1000)
        nest = await self.again(2000)
        await self.store.session_lost(self.ann, TOKEN, 2050, {})
        self.assertEqual((await self.missed({nest: 1}))[nest], Backlog())

    async def test_who_was_lost_a_little_later_may_mean_the_old_one(self) -> None:
        await self.missed({}, at=1000)
        nest = await self.again(2000)
        await self.store.session_lost(self.ann, TOKEN, 2049, {})
        self.assertTrue((await self.missed({nest: 1}))[nest].reset)

    async def test_whose_loss_nobody_noticed_may_mean_the_old_one(self) -> None:
        await self.missed({}, at=1000)
        nest = await self.again(2000)
        self.assertTrue((await self.missed({nest: 1}))[nest].reset)

    async def test_a_deleted_log_is_remembered_as_long_as_a_session_needs_it(self) -> None:
        await self.missed({}, at=1000)
        nest = await self.again(2000)
        await self.store.prune(9000, 0)
        self.assertTrue((await self.missed({nest: 1}))[nest].reset)

    async def test_a_resumed_session_counts_as_connected_again(self) -> None:
        await self.missed({}, at=1000)
        await self.store.session_lost(self.ann, TOKEN, 1500, {})
        await self.missed({}, at=7000)
        await self.missed({}, oldest=6000)

    async def test_a_session_that_nobody_knows(self) -> None:
        await self.refused(self.store.resume(OTHER, 1, 0, {}, 0, 1), BadSession)

    async def test_resuming_sees_what_was_asked_for_before_and_nothing_later(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, TOKEN, False, 1000)
        self.append(self.lobby, spoke("before"))
        resumed = self.store.resume(TOKEN, 2000, 0, {self.lobby: 0}, 0, 500)
        self.append(self.lobby, spoke("after"))
        entries = (await resumed).missed[self.lobby].entries
        self.assertEqual([entry.msg for entry in entries], ["before"])


class PhoneContract(StoreCase):
    """Accounts that come by a telephone number."""

    async def test_they_are_kept_with_when_they_were_here_last(self) -> None:
        first = await self.store.register_phone("Ana", "ana", "111", b"a" * 32, 5)
        second = await self.store.register_phone("Bob", "bob", "222", b"b" * 32, 6)
        await self.store.set_phone_left(first, 9)
        await self.store.set_phone_left(12345, 9)
        self.assertEqual(
            await self.store.phones(),
            [PhoneAccount(first, "Ana", "111", 9), PhoneAccount(second, "Bob", "222", 6)],
        )
        found = await self.store.find_by_uuid(b"a" * 32)
        self.assertEqual((found.id, found.password_hash), (first, None))

    async def test_a_number_or_a_name_that_is_taken(self) -> None:
        await self.store.register_phone("Ana", "ana", "111", b"a" * 32, 5)
        for name, number, credential in (("ana", "333", b"c" * 32), ("Bob", "111", b"a" * 32)):
            await self.refused(
                self.store.register_phone(name, name.lower(), number, credential, 6), NameTaken
            )
        self.assertEqual(len(await self.store.phones()), 1)
