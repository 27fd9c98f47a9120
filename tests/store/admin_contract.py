"""What every store does for operators, and with the audit log."""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.chat.admin_store import (
    AUDIT_NAMES,
    RESERVED_MS,
    AccountQuery,
    AuditLimits,
    AuditQuery,
    Scanned,
    ScanQuery,
)
from gtchat.chat.audit import AuditRecord, audit_record
from gtchat.chat.ban_records import Ban, NamePattern
from gtchat.chat.errors import (
    BadCredentials,
    NameTaken,
    NoSuchRoom,
    NoSuchUser,
    NotAllowed,
    NotLoggedIn,
    NotStored,
    TooMany,
)
from gtchat.chat.interfaces import EndedSession, NewDevice
from gtchat.chat.storage_store import DIRECT_MESSAGES, StorageLimits, StorageQuery, StoredTexts
from tests.store.changes_contract import deleted, edited
from tests.store.contract import StoreCase, joined, message, new_session, room_changed
from tests.store.direct_contract import DirectCase

TOKEN, OTHER, LINK = b"t" * 32, b"o" * 32, b"l" * 32


def record(code: str = "password_set", at: int = 1000, **fields: Any) -> AuditRecord:
    return audit_record(code, at, **{"by": "Zoe", "name": "Ann", **fields})


class Recorded(StoreCase):
    """A store with an audit log."""

    async def codes(self, **query: Any) -> list[str]:
        """Return the codes of records, newest first."""
        return [one.code for one in await self.store.audit_records(AuditQuery(**query))]


class AuditContract(Recorded):
    """The audit log."""

    async def test_records_are_returned_as_they_were_stored(self) -> None:
        first = audit_record("room_set", 7, room="Garden", public=True, max=7, owner="Ann", by="Bo")
        second = audit_record("login", 9, name="Ann", address="192.0.2.1")
        await self.store.record(first)
        await self.store.record(second)
        newest, oldest = await self.store.audit_records(AuditQuery())
        self.assertEqual((newest.at, newest.code, newest.who), (9, "login", "Ann"))
        self.assertEqual((newest.address, newest.subject), ("192.0.2.1", ""))
        self.assertEqual((oldest.who, oldest.subject), ("Bo", "Ann"))
        self.assertEqual(dict(oldest.what), dict(first.what))
        self.assertLess(oldest.id, newest.id)

    async def test_records_are_found_by_time_account_and_code(self) -> None:
        for at, (code, name) in enumerate(
            [("login", "Ann"), ("login", "Bob"), ("kicked", "Ann"), ("kicked", "Cat")], 1
        ):
            await self.store.record(record(code, at, name=name))
        self.assertEqual(await self.codes(since=2, until=4), ["kicked", "login"])
        self.assertEqual(await self.codes(names=("Ann",)), ["kicked", "login"])
        self.assertEqual(await self.codes(names=("Zoe",), code="kicked"), ["kicked", "kicked"])
        names = ("Cat", *map(str, range(AUDIT_NAMES - 2)), "Bob")
        self.assertEqual(await self.codes(names=names), ["kicked", "login"])
        self.assertEqual(await self.codes(code="locked_out"), [])

    async def test_records_come_in_pages(self) -> None:
        for at in range(5):
            await self.store.record(record(at=at))
        first = await self.store.audit_records(AuditQuery(limit=2))
        rest = await self.store.audit_records(AuditQuery(before=first[-1].id, limit=9))
        self.assertEqual([one.at for one in (*first, *rest)], [4, 3, 2, 1, 0])

    async def test_a_change_that_is_stored_has_its_record(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", None, 1, None, record("registered"))
        bob = await self.store.register_phone("Bob", "bob", "1", b"p" * 32, 1, record("blocked"))
        await self.store.block(ann, bob, True, 0, "Bob", record("unblocked"))
        await self.store.login(ann, "hash", new_session(TOKEN, audit=record("login")))
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 2, False, record("put_out"))
        await self.store.end_other_sessions(ann, None, (), audit=record("sessions_ended"))
        await self.store.forget_device(ann, "phone", record("kicked"))
        await self.store.set_password(ann, "hash", "new", None, (), None, record())
        garden = await self.room(ann)
        change = room_changed(owner="Ann")
        await self.stored(garden, change, ann, audit=lambda: record("room_set", owner="Ann"))
        await self.store.delete_room(garden, 3, None, None, "", record("room_deleted"))
        self.assertEqual(
            (await self.codes())[::-1],
            [
                *("registered", "blocked", "unblocked", "login", "put_out", "sessions_ended"),
                *("kicked", "password_set", "room_set", "room_deleted"),
            ],
        )

    async def test_what_is_refused_has_no_record(self) -> None:
        ann = await self.account("Ann")
        taken = self.store.register("Ann", "ann", "hash", None, 1, None, record("registered"))
        await self.assertFails(taken, NameTaken)
        changed = self.store.set_password(ann, "other", "new", None, (), None, record())
        await self.assertFails(changed, BadCredentials)
        lost = self.append(99, joined("Ann"), ann, audit=lambda: record("kicked"))
        await self.store.flush()
        self.assertIsNotNone(lost.error)
        self.assertEqual(await self.codes(), [])

    async def test_a_repeated_request_has_one_record(self) -> None:
        ann = await self.account("Ann")
        for _ in range(2):
            self.append(self.lobby, message(), ann, "txn", audit=lambda: record("kicked"))
        await self.store.flush()
        self.assertEqual(await self.codes(), ["kicked"])

    async def test_a_record_may_say_that_there_is_none(self) -> None:
        await self.stored(self.lobby, message(), audit=lambda: None)
        self.assertEqual(await self.codes(), [])

    async def test_old_records_are_deleted(self) -> None:
        for at in range(700):
            self.store.record(record(at=at))
        await self.prune(AuditLimits(before=650))
        found = await self.store.audit_records(AuditQuery(limit=1000))
        self.assertEqual([one.at for one in found], list(range(699, 649, -1)))

    async def test_of_what_users_cause_a_number_is_kept(self) -> None:
        await self.store.record(record("operator_on", 1))
        for at in range(2, 12):
            await self.store.record(record("login_failed", at))
        await self.prune(AuditLimits(records=3))
        found = await self.store.audit_records(AuditQuery())
        self.assertEqual([one.at for one in found], [11, 10, 9, 1])
        await self.prune(AuditLimits())
        self.assertEqual(len(await self.codes()), 4)

    async def prune(self, limits: AuditLimits) -> None:
        """Prune, and wait until the slices are done."""
        await self.store.prune(0, 0, 0, limits)
        for _ in range(20):
            await self.store.flush()


class AccountAdminContract(Recorded):
    """What operators do with accounts."""

    async def names(self, **query: Any) -> list[str]:
        """Return the names of listed accounts."""
        return [one.name for one in await self.store.list_accounts(AccountQuery(**query))]

    async def test_accounts_are_listed_by_name_in_pages(self) -> None:
        for name in ("Bob", "Ann", "Cat", "An_n"):
            await self.account(name)
        await self.store.login_guest("Gus", "gus", new_session(OTHER))
        self.assertEqual(await self.names(), ["An_n", "Ann", "Bob", "Cat"])
        self.assertEqual(await self.names(limit=2), ["An_n", "Ann"])
        self.assertEqual(await self.names(after="ann", limit=2), ["Bob", "Cat"])
        self.assertEqual(await self.names(after="cat", guests=True), ["Gus"])

    async def test_accounts_are_found_by_a_part_of_the_name(self) -> None:
        for name in ("Ann", "An_n", "Joanna", "a%b", "a\\b"):
            await self.store.register(name, name.lower(), None, None, 1)
        for search, names in (
            ("ann", ["Ann", "Joanna"]),
            ("_", ["An_n"]),
            ("%", ["a%b"]),
            ("\\", ["a\\b"]),
            ("x", []),
        ):
            self.assertEqual(await self.names(search=search), names)

    async def test_a_listed_account_says_what_it_has(self) -> None:
        ann = await self.account("Ann")
        bob = await self.store.register("Bob", "bob", None, b"u" * 32, 7)
        await self.room(ann)
        found = await self.store.listed_account(ann)
        self.assertEqual((found.id, found.key, found.registered), (ann, "ann", True))
        self.assertEqual((found.has_password, found.has_key, found.rooms), (True, False, 1))
        found = await self.store.listed_account(bob)
        self.assertEqual((found.has_password, found.has_key, found.created_at), (False, True, 7))
        self.assertIsNone(await self.store.listed_account(99))

    async def test_the_operator_mark_is_given_and_taken(self) -> None:
        ann, gus = (
            await self.account("Ann"),
            await self.store.login_guest("G", "g", new_session(OTHER)),
        )
        for on in (True, False):
            await self.store.set_operator(ann, on, record(f"operator_{'on' if on else 'off'}"))
            self.assertEqual((await self.store.find_account("ann", None)).operator, on)
            self.assertEqual((await self.store.listed_account(ann)).operator, on)
            self.assertEqual(await self.names(operators=True), ["Ann"] if on else [])
            state = await self.store.login(ann, "hash", new_session(TOKEN + bytes([on])))
            self.assertEqual(state.account.operator, on)
        for account_id in (gus, 99):
            await self.assertFails(self.store.set_operator(account_id, True, record()), NoSuchUser)
        self.assertEqual(await self.codes(), ["operator_off", "operator_on"])

    async def test_a_renamed_account_keeps_what_it_has(self) -> None:
        ann = await self.account("Ann")
        garden = await self.room(ann)
        await self.store.rename(ann, "Ann", "Anna", "anna", 1000, record("account_renamed"))
        self.assertIsNone(await self.store.find_account("ann", None))
        self.assertEqual((await self.store.find_account("anna", None)).id, ann)
        room = await self.record(garden)
        self.assertEqual((room.owner, room.members), ("Anna", ((ann, "Anna", True),)))
        self.assertEqual(await self.codes(), ["account_renamed"])

    async def test_a_former_name_is_reserved(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.rename(ann, "Ann", "Dora", "dora", 1000, record())
        for name in ("Ann", "ANN", "\u0391nn"):
            key = name.lower()
            await self.assertFails(self.store.register(name, key, None, None, 1), NameTaken)
            await self.assertFails(self.store.login_guest(name, key, new_session(TOKEN)), NameTaken)
            await self.assertFails(self.store.rename(bob, "Bob", name, key, 1, record()), NameTaken)
            self.assertTrue(await self.store.is_name_taken(name, key))
        await self.store.login_guest("Eve", "eve", new_session(OTHER))
        await self.store.rename(ann, "Dora", "Ann", "ann", 2000, record())
        await self.assertFails(self.store.register("Dora", "dora", None, None, 1), NameTaken)

    async def test_a_former_name_is_free_in_the_end(self) -> None:
        ann = await self.account("Ann")
        await self.store.rename(ann, "Ann", "Dora", "dora", 1000, record())
        for after, is_free in ((-1, False), (1, True)):
            await self.store.prune(1000 + RESERVED_MS + after, 0, 0)
            self.assertEqual(await self.store.is_name_taken("Ann", "ann"), not is_free)
        await self.account("Ann")

    async def test_a_name_can_be_written_in_another_way(self) -> None:
        ann = await self.account("Ann")
        await self.store.rename(ann, "Ann", "ANN", "ann", 1000, record())
        self.assertEqual((await self.store.find_account("ann", None)).name, "ANN")
        refused = self.store.rename(ann, "Ann", "Dora", "dora", 1000, record())
        await self.assertFails(refused, NoSuchUser)
        await self.store.rename(ann, "ANN", "Dora", "dora", 1000, record())

    async def test_a_taken_name_is_refused(self) -> None:
        ann, _ = await self.account("Ann"), await self.account("Bob")
        for name in ("Bob", "B\u03bfb"):
            renamed = self.store.rename(ann, "Ann", name, name.lower(), 1, record())
            await self.assertFails(renamed, NameTaken)
        self.assertEqual(await self.names(), ["Ann", "Bob"])
        await self.assertFails(self.store.register("Ann", "ann", None, None, 1), NameTaken)

    async def test_who_is_logged_in_is_not_renamed(self) -> None:
        ann = await self.account("Ann")
        await self.store.login(ann, "hash", new_session(TOKEN))
        await self.assertFails(
            self.store.rename(ann, "Ann", "Dora", "dora", 1, record()), NotAllowed
        )
        await self.store.session_lost(EndedSession(ann, TOKEN, {}), 2)
        await self.store.rename(ann, "Ann", "Dora", "dora", 1, record())

    async def test_a_guest_is_not_renamed(self) -> None:
        gus = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        for account_id in (gus, 99):
            renamed = self.store.rename(account_id, "Gus", "Dora", "dora", 1, record())
            await self.assertFails(renamed, NoSuchUser)

    async def test_a_login_link_begins_one_session(self) -> None:
        ann = await self.store.register("Ann", "ann", None, None, 1)
        await self.store.add_login_link(ann, LINK, 1000, record("login_link"))
        self.assertEqual((await self.store.find_login_link(LINK, 999)).id, ann)
        self.assertIsNone(await self.store.find_login_link(LINK, 1000))
        self.assertIsNone(await self.store.find_login_link(OTHER, 1))
        state = await self.store.login(ann, None, new_session(TOKEN, 5, link=LINK))
        self.assertEqual(state.account.id, ann)
        again = self.store.login(ann, None, new_session(OTHER, 5, link=LINK))
        await self.assertFails(again, BadCredentials)
        self.assertIsNone(await self.store.find_login_link(LINK, 5))
        self.assertEqual(await self.codes(), ["login_link"])

    async def test_a_login_link_ends_with_time_a_new_one_and_a_new_password(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.add_login_link(ann, LINK, 1000, record())
        late = self.store.login(ann, "hash", new_session(TOKEN, 1000, link=LINK))
        await self.assertFails(late, BadCredentials)
        wrong = self.store.login(bob, "hash", new_session(TOKEN, 5, link=LINK))
        await self.assertFails(wrong, BadCredentials)
        await self.store.add_login_link(ann, OTHER, 1000, record())
        self.assertIsNone(await self.store.find_login_link(LINK, 5))
        await self.store.set_password(ann, "hash", "new", None, ())
        self.assertIsNone(await self.store.find_login_link(OTHER, 5))
        await self.store.add_login_link(ann, LINK, 1000, record())
        await self.store.end_other_sessions(ann, None, (), 5)
        self.assertIsNotNone(await self.store.find_login_link(LINK, 5))
        await self.store.end_other_sessions(ann, TOKEN, ())
        self.assertIsNone(await self.store.find_login_link(LINK, 5))
        await self.store.add_login_link(ann, LINK, 1000, record())
        await self.store.prune(1001, 0, 0)
        self.assertIsNone(await self.store.find_login_link(LINK, 5))

    async def test_a_session_that_has_ended_makes_no_login_link(self) -> None:
        ann, bob = await self.account("Ann"), await self.account("Bob")
        await self.store.login(ann, "hash", new_session(TOKEN, 5))
        await self.store.add_login_link(ann, LINK, 1000, record("login_link"), TOKEN)
        of_another = self.store.add_login_link(bob, OTHER, 1000, record(), TOKEN)
        await self.assertFails(of_another, NotLoggedIn)
        await self.store.end_session(EndedSession(ann, TOKEN, {}), 6)
        late = self.store.add_login_link(ann, OTHER, 1000, record(), TOKEN)
        await self.assertFails(late, NotLoggedIn)
        self.assertIsNotNone(await self.store.find_login_link(LINK, 7))
        self.assertEqual(await self.codes(), ["login_link"])

    async def test_a_guest_has_no_login_link(self) -> None:
        gus = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        for account_id in (gus, 99):
            made = self.store.add_login_link(account_id, LINK, 9, record())
            await self.assertFails(made, NoSuchUser)

    async def test_an_account_without_a_password_gets_one(self) -> None:
        ann = await self.store.register("Ann", "ann", None, b"u" * 32, 1)
        await self.store.set_password(ann, None, "hash", None, ())
        self.assertTrue((await self.store.listed_account(ann)).has_password)

    async def test_the_first_account_since_a_time(self) -> None:
        self.assertIsNone(await self.store.first_account(0))
        for at, name in ((5, "ann"), (7, "bob"), (9, "cat")):
            await self.store.register(name, name, "hash", None, at)
        found = [await self.store.first_account(at) for at in (0, 6, 7, 10)]
        ids = [(await self.store.find_account(name, None)).id for name in ("ann", "bob")]
        self.assertEqual(found, [ids[0], ids[1], ids[1], None])

    async def test_a_closed_store_records_nothing(self) -> None:
        await self.store.close()
        await self.assertFails(self.store.record(record()), NotStored)

    async def test_choices_are_loaded_as_they_were_stored_last(self) -> None:
        self.assertEqual(dict(self.store.load().choices), {})
        for name, value in (
            ("guests", "off"),
            ("registration", "open"),
            ("registration", "closed"),
        ):
            await self.store.choose(name, value, audit_record("chosen", 7))
        self.assertEqual(
            dict(self.store.load().choices), {"guests": "off", "registration": "closed"}
        )
        await self.store.choose("guests", None, audit_record("chosen", 8))
        self.assertEqual(dict(self.store.load().choices), {"registration": "closed"})
        self.assertEqual(await self.codes(), ["chosen"] * 4)


class StorageContract(DirectCase):
    """What the texts of messages take, and quotas."""

    async def use(self, by: Any, **query: Any) -> list[tuple[Any, ...]]:
        """Return name, messages, bytes and quota, the largest sum first."""
        found = await self.store.storage(StorageQuery(by, **query))
        self.assertTrue(found.complete)
        return [attrs.astuple(one) for one in found.texts]

    async def garden(self) -> None:
        """Ann and Bob write in the room Garden."""
        self.ann, self.bob = await self.account("Ann"), await self.account("Bob")
        self.garden_id = await self.room(self.ann)
        await self.stored(self.garden_id, joined("Bob"), self.bob)
        await self.stored(self.garden_id, message("four"), self.ann)
        await self.stored(self.garden_id, message("\u20ac\\", usr="Bob"), self.bob)

    async def edit(self, of: int, text: str, author: int) -> None:
        """Change the text of a message in the garden, "" to delete it."""
        entry: Any = edited(of, text) if text else deleted(of)
        entry.subject_id = author
        await self.change(self.garden_id, entry)

    async def over(self, account: int = 0, room: int = 0) -> tuple[Any, Any]:
        await self.store.storage(StorageQuery("rooms"))  # counts
        found = await self.store.over_quota(StorageLimits(account, room))
        return dict(found.accounts), dict(found.rooms)

    async def test_an_empty_chat_has_nothing(self) -> None:
        for by in ("rooms", "accounts"):
            self.assertEqual(await self.use(by), [])
            self.assertEqual(await self.store.stored_texts(by, 999), StoredTexts("", 0, 0))

    async def test_texts_are_counted_by_room_and_by_account(self) -> None:
        await self.garden()
        shed = await self.room(self.ann, "Shed")
        guest = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        await self.stored(shed, message("three words long", room="Shed"), self.bob)
        await self.stored(self.garden_id, message("none", usr="Gus"), guest)
        rooms = [("Shed", 1, 16, None), ("Garden", 3, 12, None)]
        self.assertEqual(await self.use("rooms"), rooms)
        self.assertEqual(await self.use("rooms", limit=1), rooms[:1])
        self.assertEqual(await self.use("accounts"), [("Bob", 2, 20, None), ("Ann", 1, 4, None)])
        found = await self.store.stored_texts("rooms", self.garden_id)
        self.assertEqual(found, StoredTexts("Garden", 3, 12))

    async def test_direct_messages_are_one_sum(self) -> None:
        ann, bob, cat = [await self.account(name) for name in ("Ann", "Bob", "Cat")]
        for other in (bob, cat):
            await self.whisper(ann, other, "secret")
        self.assertEqual(await self.use("rooms"), [(DIRECT_MESSAGES, 2, 12, None)])
        self.assertEqual(await self.use("accounts"), [("Ann", 2, 12, None)])
        self.assertEqual(await self.over(room=1), ({}, {}))

    async def test_changed_and_deleted_texts_are_counted_as_they_are(self) -> None:
        await self.garden()
        await self.edit(3, "fourteen bytes", self.ann)
        self.assertEqual(await self.use("accounts"), [("Ann", 1, 14, None), ("Bob", 1, 4, None)])
        await self.edit(3, "x", self.ann)
        await self.edit(4, "", self.bob)
        self.assertEqual(await self.use("accounts"), [("Ann", 1, 1, None), ("Bob", 1, 0, None)])
        self.assertEqual(await self.use("rooms"), [("Garden", 2, 1, None)])

    async def test_the_texts_of_a_deleted_room_are_taken_off(self) -> None:
        await self.garden()
        self.assertEqual(len(await self.use("accounts")), 2)
        await self.store.delete_room(self.garden_id, 1000)
        self.assertEqual(await self.use("rooms"), [])
        while await self.use("accounts"):
            await self.store.flush()  # its log is deleted in idle time

    async def test_what_is_over_its_quota(self) -> None:
        await self.garden()
        shed = await self.room(self.ann, "Shed")
        await self.stored(shed, message("three words long", room="Shed"), self.bob)
        await self.stored(self.lobby, message("more than all", room="lobby"), self.ann)
        self.assertEqual(await self.over(), ({}, {}))
        self.assertEqual(await self.over(account=20), ({self.bob: (20, 20)}, {}))
        self.assertEqual(await self.over(room=8), ({}, {self.garden_id: (8, 8), shed: (16, 8)}))
        for by, owner, quota in (
            ("accounts", self.ann, 5),
            ("accounts", self.bob, 0),
            ("rooms", shed, 17),
            ("rooms", self.lobby, 13),
        ):
            await self.store.set_quota(by, owner, quota, record("account_quota", quota="x"))
        accounts, rooms = await self.over(account=20, room=8)
        self.assertEqual(accounts, {self.ann: (17, 5)})
        self.assertEqual(rooms, {self.garden_id: (8, 8), self.lobby: (13, 13)})
        listed = [("Bob", 2, 20, 0), ("Ann", 2, 17, 5)]
        self.assertEqual(await self.use("accounts", exceptions=True), listed)
        names = [name for name, *_ in await self.use("rooms", exceptions=True)]
        self.assertEqual(names, ["Shed", "lobby"])
        await self.store.set_quota("rooms", shed, None, record("account_quota", quota="x"))
        self.assertEqual((await self.store.stored_texts("rooms", shed)).quota, None)
        self.assertIn(shed, (await self.over(room=8))[1])

    async def test_only_rooms_and_registered_accounts_have_a_quota(self) -> None:
        guest = await self.store.login_guest("Gus", "gus", new_session(TOKEN))
        audit = record("account_quota", quota="x")
        for by, owner, error in (
            ("accounts", guest, NoSuchUser),
            ("accounts", 999, NoSuchUser),
            ("rooms", 999, NoSuchRoom),
        ):
            await self.assertFails(self.store.set_quota(by, owner, 5, audit), error)
        self.assertEqual(await self.store.audit_records(AuditQuery(code="account_quota")), [])


class ScanContract(DirectCase):
    """Which messages match, a part of all logs at a time."""

    async def scan(self, **query: Any) -> Scanned:
        found: Scanned = await self.store.scan(
            ScanQuery(**{"since": 0, **query}), lambda msg: "spam" in msg
        )
        return found

    async def fill(self) -> None:
        self.ann, self.bob = await self.account("Ann"), await self.account("Bob")
        self.garden = await self.room(self.ann)
        shed = await self.room(self.ann, "Shed")
        await self.stored(self.garden, message("spam"), self.ann)
        await self.stored(self.garden, joined("Bob"), self.bob)
        await self.stored(shed, message("spam again", at=2000, room="Shed"), self.bob)
        await self.stored(shed, message("eggs", at=3000, room="Shed"), self.bob)
        await self.whisper(self.ann, self.bob, "secret spam")

    async def test_an_empty_chat_has_nothing(self) -> None:
        self.assertEqual(await self.scan(), Scanned(0, 0, frozenset(), None))

    async def test_messages_of_rooms_are_compared(self) -> None:
        await self.fill()
        users = frozenset({self.ann, self.bob})
        self.assertEqual(await self.scan(), Scanned(3, 2, users, None))
        self.assertEqual(await self.scan(directs=True), Scanned(4, 3, users, None))
        ann = frozenset({self.ann})
        self.assertEqual(await self.scan(room_id=self.garden), Scanned(1, 1, ann, None))
        bob = frozenset({self.bob})
        self.assertEqual(await self.scan(since=2000), Scanned(2, 1, bob, None))

    async def test_parts_have_all_messages_once_newest_first(self) -> None:
        await self.fill()
        found = [await self.scan(limit=2, directs=True)]
        while found[-1].before is not None:
            found.append(await self.scan(limit=2, directs=True, before=found[-1].before))
        counts = [(one.messages, one.matching) for one in found]
        self.assertEqual(counts, [(2, 1), (1, 1), (1, 1), (0, 0)])

    async def test_it_ends_with_a_part_that_is_too_old(self) -> None:
        await self.fill()
        self.assertIsNotNone((await self.scan(since=2000, limit=3)).before)
        first = await self.scan(since=10_000, limit=3)
        self.assertEqual(first, Scanned(0, 0, frozenset(), None))

    async def test_a_message_without_an_account_counts_by_its_name(self) -> None:
        garden = await self.room(await self.account("Ann"))
        await self.stored(garden, message("spam", usr="Host"))
        self.assertEqual((await self.scan()).users, {"Host"})

    async def test_messages_have_records(self) -> None:
        ann = await self.account("Ann")
        garden = await self.room(ann)
        flagged = message("spam")

        def made() -> AuditRecord:
            return record("filter_flagged", room="Garden", rule="x", seq=flagged.seq)

        await self.stored(garden, flagged, ann, audit=made)
        [found] = await self.store.audit_records(AuditQuery())
        self.assertEqual(found.what["seq"], flagged.seq)
        self.assertGreater(flagged.seq, 0)


def ban(target: str = "192.0.2.1", until: int | None = None, account: int | None = None) -> Ban:
    kind = "network" if account is None else "account"
    return Ban(0, kind, target, account, "spam", "Zoe", 1000, until)


class BansContract(Recorded):
    """Bans from the server."""

    async def add(self, added: Ban, limit: int = 0) -> Ban:
        banned = record("ban_added", kind=added.kind, name=added.target, end="", reason="")
        return await self.store.add_ban(added, limit, (), banned)

    async def test_bans_are_kept_until_they_are_removed(self) -> None:
        first = await self.add(ban())
        second = await self.add(ban("spam*", 9_000_000_000_000))
        self.assertEqual(self.store.load().bans, (first, second))
        await self.store.remove_ban(first.id, record("ban_removed", kind="network"))
        await self.store.remove_ban(first.id, record("ban_removed", kind="network"))
        self.assertEqual(self.store.load().bans, (second,))
        self.assertEqual((await self.codes())[:2], ["ban_removed", "ban_removed"])

    async def test_there_is_one_ban_of_each(self) -> None:
        first = await self.add(ban(until=2000))
        second = await self.add(ban())
        self.assertEqual((second.id, second.until), (first.id, None))
        self.assertEqual(self.store.load().bans, (second,))

    async def test_bans_that_are_over_do_not_count(self) -> None:
        await self.add(ban("192.0.2.1", 1001), 1)
        with self.assertRaises(TooMany):
            await self.add(ban("192.0.2.2"), 1)
        self.assertEqual((await self.codes()), ["ban_added"])
        await self.add(attrs.evolve(ban("192.0.2.2"), at=1001), 1)
        await self.add(attrs.evolve(ban("192.0.2.2"), at=1002), 1)
        await self.add(attrs.evolve(ban("192.0.2.3", 1500), at=1002))
        await self.store.prune(1500, 0, 0)
        self.assertEqual([one.target for one in self.store.load().bans], ["192.0.2.2"])

    async def test_the_sessions_of_a_banned_account_end(self) -> None:
        ann = await self.store.register("Ann", "ann", "hash", None, 1, None, None)
        device = NewDevice("phone", "", b"d" * 32, None)
        await self.store.login(ann, "hash", new_session(TOKEN, device=device))
        banned = await self.add(ban("Ann", account=ann))
        self.assertEqual(await self.store.sessions(ann, 0, 0), [])
        self.assertIsNone(await self.store.find_device(b"d" * 32, 0))
        self.assertEqual(self.store.load().bans, (banned,))
        guest = await self.store.login_guest("Gus", "gus", new_session(OTHER))
        for account in (guest, 999_999):
            with self.assertRaises(NoSuchUser):
                await self.add(ban("Gus", account=account))

    async def test_names_are_counted_as_patterns_match(self) -> None:
        names = ("Spam1", "spam_2", "Sp\u0430m", "Notspam", "spamx", "SPA%M")
        ids = [
            await self.store.register(name, name.lower(), "hash", None, 1, None, None)
            for name in names
        ]
        await self.store.set_operator(ids[4], True, record("operator_on"))
        for raw in ("spam*", "*spam*", "spam_*", "sp\u0430m*", "*m", "s*", "spam1", "x*"):
            pattern = NamePattern.parse(raw)
            wanted = sum(pattern.matches(name) for name in names if name != "spamx")
            self.assertEqual(await self.store.count_names(pattern), wanted, raw)
