"""What every store does when sessions and temporary accounts end, and when a copy is put back."""

from __future__ import annotations

from typing import Any

from gtchat.chat.errors import (
    BadCredentials,
    BadSession,
    NameTaken,
    NoSuchUser,
    NotStored,
)
from gtchat.chat.events import Invited
from gtchat.chat.interfaces import (
    Backlog,
    EndedSession,
    InvitationLimits,
    MembershipRecord,
    SessionRecord,
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
    room_created,
)

OTHER = b"o" * 32


class GuestContract(StoreCase):
    """Temporary accounts: where they came from, and that nothing is left of them."""

    async def test_a_guest_is_loaded_with_the_network_of_its_last_resume(self) -> None:
        await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        for network in ("198.51.100.1", "2001:db8::/64"):
            await self.store.resume(TOKEN, 2, 0, {}, 0, 1, network)
        [guest] = self.store.load().guests
        self.assertEqual((guest.network, guest.resumable), ("2001:db8::/64", True))

    async def test_logins_that_wait_together_have_the_results_of_logins_one_by_one(self) -> None:
        await self.account("Ann")
        old = await self.store.login_guest("Old", "old", new_session(OTHER))
        ended = [EndedSession(old, OTHER, {})]
        names = ["Bob", "Carl", "Ann", "\u0421arl", "Dora", "Bob", "b0b", "B\u043eb", "Eve", "Fred"]
        results: list[Any] = []
        for number, name in enumerate(names):
            session = new_session(bytes([number]) * 32, 5, ended if name == "Dora" else ())
            results.append(self.store.login_guest(name, name.lower(), session))
            if name == "Eve":
                self.append(self.lobby, message("between"))
        taken = {"Ann", "\u0421arl", "B\u043eb"}
        expected = ["Bob", "Carl", "Dora", "b0b", "Eve", "Fred"]
        ids = {}
        for number, (name, result) in enumerate(zip(names, results, strict=True)):
            if name in taken or number == 5:
                await self.assertFails(result, NameTaken)
            else:
                ids[name] = await result
                resumed = await self.store.resume(bytes([number]) * 32, 6, 0, {}, 0, 1, NETWORK)
                self.assertEqual(resumed.account_state.account.id, ids[name])
        guests = [one for one in self.store.load().guests if one.account.id != old]
        self.assertEqual([one.account.name for one in guests], expected)
        self.assertEqual([one.account.id for one in guests], [ids[name] for name in expected])
        self.assertTrue(all(one.resumable and one.network == NETWORK for one in guests))
        await self.assertFails(self.store.resume(OTHER, 7, 0, {}, 0, 1, NETWORK), BadSession)
        with_entry = await self.store.login_guest("Gus", "gus", new_session(b"g" * 32))
        self.assertGreater(with_entry, max(ids.values()))

    async def test_the_session_of_a_guest_is_kept_as_it_began(self) -> None:
        session = new_session(TOKEN, 7, protocol="randomchat", address="192.0.2.9")
        guest = await self.store.login_guest("Bob", "bob", session)
        [kept] = await self.store.sessions(guest, 0, 0)
        self.assertEqual(kept, SessionRecord(TOKEN, "randomchat", "192.0.2.9", 7, None))
        await self.stored(self.lobby, message("missed"))
        resumed = await self.store.resume(TOKEN, 9, 0, {self.lobby: 0}, 50, 1, NETWORK)
        self.assertEqual([entry.msg for entry in resumed.missed[self.lobby].entries], ["missed"])

    async def test_of_names_that_look_alike_and_wait_together_the_first_one_is_free(self) -> None:
        first = self.store.login_guest("Carl", "carl", new_session(TOKEN))
        second = self.store.login_guest("\u0421arl", "\u0441arl", new_session(OTHER))
        await first
        await self.assertFails(second, NameTaken)
        self.assertEqual(len(self.store.load().guests), 1)

    async def test_hundreds_of_logins_that_wait_together_have_an_account_each(self) -> None:
        results = [
            self.store.login_guest(f"G{number}", f"g{number}", new_session(b"%32d" % number))
            for number in range(300)
        ]
        ids = [await result for result in results]
        self.assertEqual(len(set(ids)), 300)
        guests = self.store.load().guests
        self.assertEqual(
            {one.account.name: one.account.id for one in guests},
            dict(zip((f"G{number}" for number in range(300)), ids, strict=True)),
        )

    async def test_a_guest_without_a_stored_session_cannot_come_back(self) -> None:
        await self.store.login_guest("Bob", "bob", new_session(None))
        carl = await self.store.login_guest("Carl", "carl", new_session(TOKEN))
        await self.store.end_session(EndedSession(carl, TOKEN, {}), 5)
        guests = self.store.load().guests
        self.assertEqual(
            [(guest.account.name, guest.resumable) for guest in guests],
            [("Bob", False), ("Carl", False)],
        )

    async def test_a_guest_is_not_deleted_as_long_as_it_is_a_member(self) -> None:
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        room = await self.room(None)
        await self.stored(room, joined("Bob"), bob)
        await self.assertFails(self.store.end_guest(bob), NotStored)
        self.assertEqual((await self.record(room)).members, ((bob, "Bob", False),))
        await self.stored(room, left("Bob"), bob)
        await self.store.end_guest(bob)
        self.assertIsNone(await self.store.find_account("bob", None))

    async def test_an_account_that_has_ended_gets_nothing(self) -> None:
        ann, room = await self.account("Ann"), await self.room(None)
        bob = await self.store.login_guest("Bob", "bob", new_session(TOKEN))
        ended = self.store.end_guest(bob)
        invited = Invited(room_name="Garden", usr="Ann", msg="", at=1)
        before = self.append(self.lobby, message("before"))
        refused = [
            self.append(room, joined("Bob"), bob),
            self.append(0, room_created("Den"), bob, key="den"),
            self.append(room, room_changed(owner="Bob"), bob),
        ]
        results = [
            self.store.invite(room, bob, ann, invited, True, InvitationLimits()),
            self.store.block(ann, bob, True),
            self.store.block(bob, ann, True),
        ]
        after = self.append(self.lobby, message("after"))
        for result in results:
            await self.assertFails(result, NoSuchUser)
        await self.store.flush()
        await ended
        self.assertEqual([type(pending.error) for pending in refused], [NoSuchUser] * 3)
        self.assertEqual([before.entry.seq, after.entry.seq], [1, 2])
        record = await self.record(room)
        self.assertEqual((record.members, record.last_seq, record.owner), ((), 1, "Ann"))
        rooms = await self.load_rooms(range(1, 20))
        self.assertEqual([one.key for one in rooms], ["lobby", "garden"])


class SessionEndContract(StoreCase):
    """Sessions that end with a login or a new password, and what they were sent."""

    async def test_sessions_are_found_by_their_address(self) -> None:
        at = {}
        for number, address in enumerate(
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.11", "2001:db8::1", "2001:db8:0:1::1")
        ):
            at[address] = await self.account(f"User{number}")
            session = new_session(bytes([number]) * 32, number + 5, address=address)
            await self.store.login(at[address], "hash", session)
        for network, names in (
            ("192.0.2.1", ["User1", "User0"]),
            ("2001:db8::/64", ["User3"]),
            ("203.0.113.1", []),
        ):
            found = await self.store.sessions_at(network, 0)
            self.assertEqual([name for name, _ in found], names)
        [(_, record)] = await self.store.sessions_at("2001:db8::/64", 0)
        self.assertEqual((record.began_at, record.seen_at), (8, None))
        self.assertEqual((record.address, record.protocol), ("2001:db8::1", ""))

    async def read_seqs(self, account_id: int) -> dict[int, int]:
        token = bytes(str(next(self.numbers)), "ascii")
        found = await self.store.login(account_id, "hash", new_session(token))
        return {membership.room_id: membership.read_seq for membership in found.memberships}

    async def test_what_a_session_was_sent_is_read_when_another_replaces_it(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.store.login(ann, "hash", new_session(TOKEN))
        for text in ("read", "unread"):
            await self.stored(room, message(text))
        ended = [EndedSession(ann, TOKEN, {room: 2})]
        found = await self.store.login(ann, "hash", new_session(OTHER, 2, ended))
        self.assertEqual(found.memberships[1], MembershipRecord(room, 2))
        await self.store.mark_read(ann, OTHER, room, 2)
        ended = [EndedSession(ann, OTHER, {room: 3})]
        found = await self.store.login(ann, "hash", new_session(TOKEN, 3, ended))
        self.assertEqual(found.memberships[1], MembershipRecord(room, 2))
        await self.store.set_password(
            ann, "hash", "new", None, [EndedSession(ann, TOKEN, {room: 3})]
        )
        found = await self.store.login(ann, "new", new_session(OTHER))
        self.assertEqual(found.memberships[1], MembershipRecord(room, 3))

    async def test_a_login_ends_the_session_of_another_account(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.login(ann, "hash", new_session(TOKEN))
        await self.store.login(bob, "hash", new_session(OTHER))
        await self.stored(self.lobby, message())
        ended = [EndedSession(ann, TOKEN, {self.lobby: 1})]
        await self.store.login(bob, "hash", new_session(b"third", 2, ended))
        await self.assertFails(self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK), BadSession)
        self.assertEqual(await self.read_seqs(ann), {self.lobby: 1})
        ended = [EndedSession(bob, OTHER, {self.lobby: 1})]
        await self.store.login_guest("Carl", "carl", new_session(b"fourth", 2, ended))
        await self.assertFails(self.store.resume(OTHER, 2, 0, {}, 0, 1, NETWORK), BadSession)
        self.assertEqual(await self.read_seqs(bob), {self.lobby: 1})

    async def test_a_refused_login_ends_nothing(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN))
        await self.stored(self.lobby, message())
        new = new_session(OTHER, 2, [EndedSession(ann, TOKEN, {self.lobby: 1})])
        await self.assertFails(self.store.login(ann, "old hash", new), BadCredentials)
        await self.assertFails(self.store.login(ann, None, new), BadCredentials)
        await self.assertFails(self.store.login_guest("Ann", "ann", new), NameTaken)
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        await self.assertFails(self.store.resume(OTHER, 2, 0, {}, 0, 1, NETWORK), BadSession)
        self.assertEqual(await self.read_seqs(ann), {self.lobby: 0})

    async def test_what_a_client_says_it_received_is_read(self) -> None:
        ann = await self.account("Ann")
        room = await self.room(ann)
        await self.store.login(ann, "hash", new_session(TOKEN))
        for text in "12":
            await self.stored(room, message(text))
        for seen, read_seq in ((2, 2), (4, 2), (3, 3)):
            resumed = await self.store.resume(TOKEN, 2, 0, {room: seen}, 0, 9, NETWORK)
            [_, membership] = resumed.account_state.memberships
            self.assertEqual(membership.read_seq, read_seq)

    async def test_a_password_is_changed_from_the_one_that_was_proved(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN))
        first = self.store.set_password(ann, "hash", "first", TOKEN, [])
        second = self.store.set_password(ann, "hash", "second", None, [])
        late = self.store.login(ann, "hash", new_session(OTHER))
        await first
        await self.assertFails(second, BadCredentials)
        await self.assertFails(late, BadCredentials)
        self.assertEqual((await self.store.find_account("ann", None)).password_hash, "first")
        await self.store.resume(TOKEN, 2, 0, {}, 0, 1, NETWORK)
        await self.assertFails(self.store.set_password(999, "hash", "x", None, []), NoSuchUser)


class EpochContract(ResumeCase):
    """A session of Ann that began at 1,000 in an earlier start; each resume adds five messages."""

    async def test_a_client_that_knows_more_than_was_kept_begins_a_new_epoch(self) -> None:
        await self.missed({})
        room = await self.room(None)
        epoch = self.store.load().epoch
        for text in ("f", "g"):
            await self.stored(self.lobby, message(text))
        missed = await self.missed({self.lobby: 6, room: 1})
        self.assertEqual(missed, {self.lobby: Backlog(reset="epoch"), room: Backlog(reset="epoch")})
        new = self.resumed.epoch
        self.assertNotIn(new, (None, epoch))
        self.assertEqual(self.store.load().epoch, new)

    async def test_a_client_that_knows_more_than_the_log_has_begins_a_new_epoch(self) -> None:
        await self.missed({})
        self.store.load()
        await self.missed({self.lobby: 99})
        self.assertIsNotNone(self.resumed.epoch)

    async def test_an_epoch_begins_once_in_a_start(self) -> None:
        await self.missed({})
        for number in range(3):
            other, token = await self.account(f"Other{number}"), bytes([number]) * 32
            await self.store.login(other, "hash", new_session(token, 1000))
            self.store.load()
            epochs = [self.store.load().epoch]
            for hashed in (TOKEN, token):
                resumed = await self.store.resume(hashed, 9000, 0, {self.lobby: 10**15}, 50, 1, "n")
                self.assertEqual(resumed.missed, {self.lobby: Backlog(reset="epoch")})
                epochs.append(resumed.epoch)
            self.assertNotIn(epochs[1], (None, epochs[0]))
            self.assertIsNone(epochs[2])

    async def test_a_temporary_account_begins_no_epoch(self) -> None:
        await self.missed({})
        await self.store.login_guest("Gus", "gus", new_session(OTHER, 1000))
        epoch = self.store.load().epoch
        resumed = await self.store.resume(OTHER, 9000, 0, {self.lobby: 10**15}, 50, 1, NETWORK)
        self.assertEqual(resumed.missed, {self.lobby: Backlog(reset="epoch")})
        self.assertIsNone(resumed.epoch)
        await self.missed({self.lobby: 10**15})
        self.assertNotIn(self.resumed.epoch, (None, epoch))

    async def test_a_client_that_knows_no_more_than_was_kept_is_resumed(self) -> None:
        await self.missed({})
        epoch = self.store.load().epoch
        for _ in range(2):
            await self.stored(self.lobby, message("f"))
            missed = await self.missed({self.lobby: 5, 999: 7})
            self.assertIsNone(self.resumed.epoch)
            self.assertEqual(missed[self.lobby].entries[0].msg, "f")
            # It was connected in this start, and knows what was stored in it.
            await self.missed({self.lobby: 7})
            self.assertIsNone(self.resumed.epoch)
            self.lobby = await self.room(None, f"Meadow {next(self.numbers)}")
            for text in "abcd":
                await self.stored(self.lobby, message(text))
            self.store.load()
        self.assertEqual(self.store.load().epoch, epoch)

    async def test_the_first_start_after_the_session_counts(self) -> None:
        await self.missed({})
        self.store.load()
        await self.stored(self.lobby, message("f"))
        self.store.load()
        await self.store.prune(1, 0, 0)
        self.assertTrue((await self.missed({self.lobby: 6}))[self.lobby].reset)

    async def test_a_room_created_again_is_no_reason_for_a_new_epoch(self) -> None:
        await self.missed({})
        room = await self.room(None)
        for text in "abc":
            await self.stored(room, message(text))
        await self.store.session_lost(EndedSession(self.ann, TOKEN, {}), 1500)
        self.store.load()
        await self.store.delete_room(room, 20_000)
        room = await self.room(None)
        self.assertTrue((await self.missed({room: 4}))[room].reset)
        self.assertIsNone(self.resumed.epoch)
