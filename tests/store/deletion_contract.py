"""What every store does with accounts that are deleted, and with what they have said."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gtchat.chat.admin_store import ALL_RECORDS, RESERVED_MS, AccountQuery, OwnRoom
from gtchat.chat.annotations import Deletion, Reaction, ReplyTo
from gtchat.chat.deletion_rules import DELETED_USER, Erasure
from gtchat.chat.errors import (
    BadCredentials,
    BadSession,
    NameTaken,
    NoSuchUser,
    NotStored,
)
from gtchat.chat.events import AnnotatedMessage, MessageSent, Removed
from gtchat.chat.interfaces import EndedSession, HistoryQuery, NewDevice
from gtchat.chat.invite_store import InviteLimits, NewInviteLink
from gtchat.chat.message_rules import annotated
from gtchat.chat.moderation_events import RoleChanged
from gtchat.chat.profile_store import NO_PROFILE, Profile
from gtchat.chat.retention import Keep, Retention
from tests.store.admin_contract import LINK, OTHER, TOKEN, Recorded, record
from tests.store.changes_contract import ChangeCase, deleted, edited, pinned, reacted
from tests.store.contract import NETWORK, joined, left, message, new_session, room_changed
from tests.store.direct_contract import DirectCase

KEEP, ERASE = Erasure(), Erasure(rooms=True, directs=True)
UUID = b"u" * 32


class DeletionCase(Recorded, DirectCase):
    """Accounts that are deleted."""

    def begin(
        self, account_id: int, erasure: Erasure = KEEP, proved: str | None = "hash"
    ) -> Deferred[None]:
        """Begin to delete an account."""
        deletion = record("account_deleted")
        begun: Deferred[None]
        begun = self.store.begin_deletion(account_id, proved, erasure, (), deletion)
        return begun

    async def end(self, account_id: int) -> None:
        """End an account, and wait until nothing is left to do."""
        await self.store.end_guest(account_id)
        for _ in range(10):  # each is followed by a slice
            await self.store.flush()

    async def delete(self, account_id: int, erasure: Erasure = KEEP) -> None:
        """Delete an account that is in no room."""
        await self.begin(account_id, erasure)
        await self.end(account_id)


class DeletionContract(DeletionCase):
    """How an account ends."""

    async def test_nothing_is_left_to_come_in_with(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", UUID, 100)
        device = NewDevice("phone", token_hash=b"d" * 32)
        await self.store.login(ann, "hash", new_session(TOKEN, device=device))
        await self.store.add_login_link(ann, LINK, 9000, record("login_link"))
        await self.store.set_operator(ann, True, record("operator_on"))
        await self.begin(ann)
        found = await self.store.find_account("ann", None)
        self.assertEqual((found.password_hash, found.operator), (None, False))
        self.assertIsNone(await self.store.find_by_uuid(UUID))
        self.assertIsNone(await self.store.find_device(b"d" * 32, 0))
        self.assertIsNone(await self.store.find_login_link(LINK, 0))
        await self.assertFails(self.store.login(ann, "hash", new_session(OTHER)), BadCredentials)
        resumed = self.store.resume(TOKEN, 2, 0, {}, 1, 10, "net")
        await self.assertFails(resumed, BadSession)
        self.assertEqual(list(await self.store.list_accounts(AccountQuery())), [])
        self.assertIsNone(await self.store.listed_account(ann))
        self.assertEqual((await self.codes())[0], "account_deleted")

    async def test_the_password_must_be_the_one_that_was_checked(self) -> None:
        ann = await self.account("Ann")
        await self.assertFails(self.begin(ann, proved="other"), BadCredentials)
        guest = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        await self.assertFails(self.begin(guest, proved=None), NoSuchUser)
        await self.assertFails(self.begin(99), NoSuchUser)
        await self.store.login(ann, "hash", new_session(OTHER))
        await self.begin(ann)
        await self.assertFails(self.begin(ann, proved=None), NoSuchUser)
        self.assertEqual(await self.codes(), ["account_deleted"])

    async def test_a_uuid_that_was_checked_before_lets_no_one_in(self) -> None:
        """There is no hash that could have changed since."""
        ann = await self.store.register("Ann", "ann", None, UUID, 100)
        await self.begin(ann, proved=None)
        await self.assertFails(self.store.login(ann, None, new_session(TOKEN)), NoSuchUser)
        changed = self.store.set_password(ann, None, "new", None, ())
        await self.assertFails(changed, NoSuchUser)

    async def test_operators_give_it_nothing_any_more(self) -> None:
        ann = await self.account("Ann")
        await self.begin(ann)
        for call in (
            self.store.add_login_link(ann, LINK, 9000, record("login_link")),
            self.store.set_operator(ann, True, record("operator_on")),
            self.store.rename(ann, "Ann", "Dora", "dora", 1000, record()),
        ):
            await self.assertFails(call, NoSuchUser)
        self.assertEqual(await self.codes(), ["account_deleted"])

    async def test_it_is_found_until_it_has_ended(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        garden = await self.room(ann)
        self.assertEqual(list(await self.store.deletions()), [])
        self.assertIsNone(await self.store.begin_ending(ann))
        await self.begin(ann)
        [account] = await self.store.deletions()
        self.assertEqual((account.id, account.name), (ann, "Ann"))
        self.assertEqual(await self.store.begin_ending(ann), (garden,))
        await self.assertFails(self.store.end_guest(ann), NotStored)
        await self.assertFails(self.store.end_guest(ann), NotStored)
        await self.stored(garden, joined("Bob"), bob)
        await self.stored(garden, left("Ann"), ann)
        await self.assertFails(self.store.end_guest(ann), NotStored)
        await self.stored(garden, room_changed(owner="Bob"), bob)
        self.assertEqual(await self.store.begin_ending(ann), ())
        await self.end(ann)
        self.assertEqual(list(await self.store.deletions()), [])
        self.assertIsNone(await self.store.begin_ending(ann))
        self.assertIsNone(await self.store.find_account("ann", None))
        await self.store.end_guest(ann)
        self.flushLoggedErrors()

    async def test_a_registered_account_does_not_end_like_a_guest(self) -> None:
        ann = await self.account("Ann")
        await self.store.end_guest(ann)
        self.assertIsNotNone(await self.store.find_account("ann", None))

    async def test_it_becomes_no_member_and_no_owner(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        garden = await self.room(bob)
        await self.begin(ann)
        for entry in (joined("Ann"), room_changed(owner="Ann")):
            refused = self.append(garden, entry, ann)
            await self.store.flush()
            self.assertIsInstance(refused.error, NoSuchUser)

    async def test_its_names_are_reserved_for_ever(self) -> None:
        ann = await self.account("Ann")
        await self.store.rename(ann, "Ann", "Dora", "dora", 1000, record())
        await self.begin(ann)
        bob = await self.account("Bob")
        for is_gone in (False, True):
            if is_gone:
                await self.end(ann)
                await self.store.prune(10**15 + RESERVED_MS, 0, 0)
            for name in ("Ann", "DORA", "\u0391nn"):
                key = name.lower()
                self.assertTrue(await self.store.is_name_taken(name, key))
                await self.assertFails(self.store.register(name, key, None, None, 1), NameTaken)
                guest = self.store.login_guest(name, key, new_session(TOKEN))
                await self.assertFails(guest, NameTaken)
                phone = self.store.register_phone(name, key, "1", UUID, 1)
                await self.assertFails(phone, NameTaken)
                renamed = self.store.rename(bob, "Bob", name, key, 1, record())
                await self.assertFails(renamed, NameTaken)

    async def test_phones_and_invitations_end_with_it(self) -> None:
        ann = await self.store.register_phone("Ann", "ann", "123", UUID, 1)
        link = NewInviteLink(token_hash=b"i" * 32, maker_id=ann, at=1, expires_at=9000, uses=1)
        await self.store.add_invite_link(link, InviteLimits(), record("invite_link"))
        await self.store.begin_deletion(ann, None, KEEP, (), record("account_deleted"))
        self.assertEqual(list(await self.store.phones()), [])
        self.assertIsNone(await self.store.find_by_uuid(UUID))
        self.assertIsNone(await self.store.find_invite_link(b"i" * 32))

    async def test_what_was_sent_to_its_sessions_does_not_keep_it(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN))
        sent = (EndedSession(ann, TOKEN, {self.lobby: 1}),)
        await self.store.begin_deletion(ann, "hash", KEEP, sent, record("account_deleted"))
        await self.store.session_lost(sent[0], 3)
        await self.end(ann)


class OwnDataContract(ChangeCase, DeletionCase):
    """What is stored of an account, as it is exported."""

    async def test_what_is_stored_of_an_account(self) -> None:
        await self.prepare()
        await self.store.block(self.ann, self.bob, True)
        await self.store.set_notify(self.ann, self.room_id, "none")
        await self.store.login(self.ann, "hash", new_session(TOKEN, 7))
        await self.store.rename(self.bob, "Bob", "Bill", "bill", 1000, record())
        facts = await self.store.own_facts(self.ann)
        self.assertEqual(facts.rooms, (OwnRoom("Garden", 1, 1, "none"),))
        self.assertEqual((facts.blocked, facts.number, facts.reserved), (("Bill",), "", ()))
        self.assertEqual(facts.networks, ((NETWORK, 7),))
        self.assertEqual((await self.store.own_facts(self.bob)).reserved, ("bob",))
        pia = await self.store.register_phone("Pia", "pia", "123", UUID, 1)
        self.assertEqual((await self.store.own_facts(pia)).number, "123")
        await self.assertFails(self.store.own_facts(99), NoSuchUser)

    async def test_a_profile_is_kept_until_the_account_ends(self) -> None:
        ann = await self.account("Ann")
        self.assertEqual(await self.store.find_profile(ann), (NO_PROFILE, 0))
        for profile in (Profile("hello\nthere", 240, True), Profile()):
            await self.store.set_profile(ann, profile)
            self.assertEqual((await self.store.find_profile(ann))[0], profile)
        await self.assertFails(self.store.set_profile(99, NO_PROFILE), NoSuchUser)
        await self.delete(ann)
        self.assertEqual(await self.store.find_profile(ann), (NO_PROFILE, 0))

    async def test_a_user_was_seen_when_a_session_began_or_was_lost(self) -> None:
        ann = await self.account("Ann")
        device = NewDevice("phone", token_hash=b"d" * 32)
        await self.store.login(ann, "hash", new_session(TOKEN, 5, device=device))
        self.assertEqual((await self.store.find_profile(ann))[1], 5)
        await self.store.session_lost(EndedSession(ann, TOKEN, {}), 8)
        self.assertEqual((await self.store.find_profile(ann))[1], 8)
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 9)
        self.assertEqual((await self.store.find_profile(ann))[1], 9)

    async def test_its_entries_are_those_of_rooms(self) -> None:
        await self.prepare()
        await self.whisper(self.ann, self.bob, "psst")
        await self.changed(edited(3, "new"), self.ann)
        await self.stored(self.lobby, message("z", room="lobby"), self.ann)
        found, after = [], 0
        while after is not None:
            page = await self.store.own_entries(self.ann, after)
            found += page.entries
            after = page.next
        said = [(one.room_name, one.kind, getattr(one, "msg", "")) for one in found]
        self.assertEqual(
            said,
            [
                *(("Garden", "room_created", ""), ("Garden", "speak", "new")),
                *(("Garden", "edited", "new"), ("lobby", "speak", "z")),
            ],
        )


class DeletedWordsContract(ChangeCase, DeletionCase):
    """What is left of what a deleted account has said."""

    async def test_direct_messages_that_are_erased_wait_no_more(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        for text in "abc":
            await self.whisper(ann, bob, text)
        room = (await self.direct(bob, ann)).id
        await self.arrived(bob, room, 2)
        self.assertEqual((await self.direct(bob, ann)).pending, 2)
        await self.delete(ann, ERASE)
        self.assertEqual((await self.direct(bob, ann)).pending, 0)
        self.assertEqual(await self.waiting(bob), [])

    async def leave(self, erasure: Erasure) -> None:
        """Delete Ann, whose room Bob gets."""
        await self.begin(self.ann, erasure)
        await self.stored(self.room_id, left("Ann"), self.ann)
        await self.stored(self.room_id, room_changed(owner="Bob"), self.bob)
        await self.end(self.ann)

    async def test_messages_stay_without_the_name(self) -> None:
        await self.prepare()
        action = message("waves")
        action = annotated(action)
        action.style = "action"
        await self.stored(self.room_id, action, self.ann)
        await self.changed(edited(3, "new"), self.ann)
        await self.leave(KEEP)
        found = await self.found(3)
        self.assertEqual((found.usr, found.msg, found.guest), (DELETED_USER, "new", False))
        self.assertEqual((await self.found(5)).style, "action")
        self.assertEqual((await self.found(4)).usr, "Bob")
        names = [(one.kind, one.usr) for one in await self.entries(limit=20)]
        self.assertEqual(
            names,
            [
                *(("room_created", DELETED_USER), ("join_room", "Bob"), ("speak", DELETED_USER)),
                *(("speak", "Bob"), ("speak", DELETED_USER), ("leave_room", DELETED_USER)),
                ("room_changed", DELETED_USER),
            ],
        )
        self.assertEqual((await self.entries(limit=20))[0].owner, DELETED_USER)
        plain = await self.store.history(self.room_id, HistoryQuery(limit=20))
        self.assertNotIn("'Ann'", str(plain))

    async def test_a_plain_message_stays_one(self) -> None:
        await self.prepare()
        await self.leave(KEEP)
        entry = next(one for one in await self.entries(limit=20) if one.seq == 3)
        self.assertEqual((type(entry), entry.usr), (MessageSent, DELETED_USER))

    async def test_messages_are_erased(self) -> None:
        await self.prepare()
        await self.changed(reacted(3, "x", usr="Bob"), self.bob)
        await self.changed(pinned(3), self.bob, is_moderator=True)
        await self.changed(edited(3, "later"), self.ann)
        await self.leave(ERASE)
        found = await self.found(3)
        self.assertEqual((found.usr, found.msg), (DELETED_USER, ""))
        self.assertEqual(found.deleted, Deletion(DELETED_USER, ""))
        self.assertEqual((found.reactions, found.pinned, found.guest), ((), False, False))
        self.assertEqual((await self.found(4)).msg, "y")
        versions = await self.store.versions(self.room_id, 3)
        self.assertEqual([one.msg for one in versions.versions], [""])

    async def test_direct_messages_are_kept_or_erased_by_themselves(self) -> None:
        for erasure, texts in (
            (Erasure(rooms=True), ["own", "other"]),
            (Erasure(directs=True), ["", "other"]),
        ):
            cat, ann = await self.account(f"Cat{texts[0]}"), await self.account(f"Ann{texts[0]}")
            await self.whisper(ann, cat, "own")
            await self.whisper(cat, ann, "other")
            conversation = await self.direct(cat, ann)
            await self.delete(ann, erasure)
            found = await self.store.history(conversation.id, HistoryQuery(limit=9))
            self.assertEqual([one.msg for one in found.entries], texts)
            self.assertEqual(found.entries[0].usr, DELETED_USER)
            after = await self.direct(cat, ann)
            self.assertEqual((after.other, after.ended, after.guest), (DELETED_USER, True, False))

    async def test_replies_and_reactions_lose_the_name(self) -> None:
        await self.prepare()
        for target, usr, account in ((3, "Bob", self.bob), (4, "Ann", self.ann)):
            reply = annotated(message(f"re {target}", usr=usr))
            reply.reply = ReplyTo(target)
            await self.stored(self.room_id, reply, account)
        await self.changed(reacted(4, "x"), self.ann)
        await self.changed(reacted(4, "x", usr="Bob"), self.bob)
        await self.changed(reacted(4, "z"), self.ann)
        await self.changed(reacted(4, "z", on=False), self.ann)
        await self.leave(KEEP)
        self.assertEqual((await self.found(5)).reply, ReplyTo(3, DELETED_USER))
        self.assertEqual((await self.found(6)).reply, ReplyTo(4, "Bob"))
        reactions = (await self.found(4)).reactions
        self.assertEqual(reactions, (Reaction("x", 2, (DELETED_USER, "Bob")),))

    async def test_replies_to_removed_messages_lose_the_name(self) -> None:
        await self.prepare()
        for target in (3, 4):
            reply = annotated(message(f"re {target}", usr="Bob"))
            reply.reply = ReplyTo(target)
            await self.stored(self.room_id, reply, self.bob)
        retention = Retention(2 * 3_600_000, Keep(messages=2))
        await self.store.prune(0, 0, 0, ALL_RECORDS, retention)
        for _ in range(10):  # each is followed by a slice
            await self.store.flush()
        page = await self.store.history(self.room_id, HistoryQuery())
        self.assertEqual(page.first, 5)
        await self.leave(KEEP)
        self.assertEqual((await self.found(5)).reply, ReplyTo(3, DELETED_USER))
        self.assertEqual((await self.found(6)).reply, ReplyTo(4, "Bob"))

    async def test_own_deletions_and_removals_lose_the_name(self) -> None:
        await self.prepare()
        own, other = deleted(3), deleted(4)
        own.by = other.by = "Ann"
        await self.changed(own, self.ann)
        await self.changed(other, self.ann, is_moderator=True)
        removed = Removed(room_name="Garden", usr="Ann", by="Ann", at=1)
        await self.begin(self.ann)
        await self.stored(self.room_id, removed, self.ann)
        await self.stored(self.room_id, room_changed(owner="Bob"), self.bob)
        await self.end(self.ann)
        self.assertEqual((await self.found(3)).deleted, Deletion(DELETED_USER, "why"))
        self.assertEqual((await self.found(4)).deleted, Deletion("Ann", "why"))
        entry = next(one for one in await self.entries(limit=20) if one.kind == "removed")
        self.assertEqual((entry.usr, entry.by), (DELETED_USER, DELETED_USER))

    async def test_settings_that_it_made_lose_the_name(self) -> None:
        await self.prepare()
        await self.stored(self.room_id, room_changed(owner="Bob"), self.bob)
        await self.stored(self.room_id, room_changed(owner="Bob"), self.bob)
        self.assertEqual((await self.entries(limit=1))[0].usr, "Ann")
        await self.begin(self.ann)
        await self.stored(self.room_id, left("Ann"), self.ann)
        await self.end(self.ann)
        settings = [one for one in await self.entries(limit=20) if one.kind == "room_changed"]
        self.assertEqual({(one.usr, one.owner) for one in settings}, {(DELETED_USER, "Bob")})

    async def test_roles_and_bans_lose_the_name(self) -> None:
        await self.prepare()
        role = RoleChanged(room_name="lobby", usr="Ann", role="moderator", by="Host", at=1)
        await self.stored(self.lobby, role, self.ann)
        await self.leave(KEEP)
        moderation = (await self.record(self.lobby)).moderation
        self.assertEqual([one.name for one in moderation.roles.values()], [DELETED_USER])

    async def test_nothing_of_others_changes(self) -> None:
        await self.prepare()
        guest = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        await self.stored(self.lobby, message("guest", usr="Gus"), guest)
        await self.store.end_guest(guest)
        before = [one for one in await self.entries(limit=20) if one.subject_id == self.bob]
        await self.leave(ERASE)
        after = [one for one in await self.entries(limit=20) if one.subject_id == self.bob]
        self.assertEqual(after[: len(before)], before)
        [said] = (await self.store.history(self.lobby, HistoryQuery(limit=9))).entries
        self.assertEqual((said.usr, said.msg), ("Gus", "guest"))
        self.assertNotIsInstance(said, AnnotatedMessage)
