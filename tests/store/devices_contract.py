"""What every store does with devices and with several sessions of an account."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gtchat.chat.errors import AlreadyLoggedIn, BadCredentials, BadSession, NoSuchUser
from gtchat.chat.interfaces import (
    AccountState,
    EndedSession,
    MembershipRecord,
    NewDevice,
    Replaces,
    SessionLimits,
    SessionRecord,
)
from tests.store.contract import NETWORK, StoreCase, message, new_session

#: A token of a device, and the one that follows it.
TOKEN, NEXT = b"T" * 32, b"N" * 32


def ended(account: int, name: bytes, **sent: int) -> EndedSession:
    """Return the record of a session that ends. sent: room id with an `r` before it -> `seq`."""
    return EndedSession(account, name, {int(room[1:]): seq for room, seq in sent.items()})


class DeviceCase(StoreCase):
    """Sessions and devices of one account.

    Attributes:
        ann: the account.
    """

    ann: int

    async def begin(
        self, name: str, device: NewDevice | str | None = None, at: int = 10, **more: Any
    ) -> AccountState:
        """Begin a session of Ann.

        Args:
            name: names the session.
            device: its device.
            at: now.
            more: more fields of `NewSession`.
        """
        if not hasattr(self, "ann"):
            self.ann = await self.account("Ann")
        if isinstance(device, str):
            device = NewDevice(device)
        more = {"protocol": "gtchat", **more}
        new = new_session(name.encode(), at, device=device, **more)
        state: AccountState = await self.store.login(self.ann, "hash", new)
        return state

    async def remember(self, name: str, device: str, token: bytes = TOKEN, at: int = 10) -> None:
        """Begin a session of Ann on a device that gets a token."""
        await self.begin(name, NewDevice(device, token_hash=token), at)

    async def listed(self, oldest: int = 0, tokens_after: int = 0) -> list[SessionRecord]:
        return list(await self.store.sessions(self.ann, oldest, tokens_after))

    async def names(self) -> list[str]:
        """Return the sessions of Ann by name, and `device` and its name for the others."""
        return [
            one.token_hash.decode() if one.token_hash else f"device {one.device}"
            for one in await self.listed()
        ]

    async def valid(self, token: bytes, tokens_after: int = 0) -> bool:
        """Return whether a device has a token."""
        return await self.store.find_device(token, tokens_after) is not None


class TokenContract(DeviceCase):
    """The tokens of devices: what they are good for, and what revokes them."""

    async def test_a_token_begins_a_further_session_without_the_password(self) -> None:
        await self.remember("1", "phone")
        account, device = await self.store.find_device(TOKEN, 0)
        self.assertEqual((account.id, account.name, device), (self.ann, "Ann", "phone"))
        new = new_session(b"2", 20, device=NewDevice("phone", proved=TOKEN))
        state = await self.store.login(self.ann, "another hash", new)
        self.assertEqual((state.account.id, state.ended), (self.ann, frozenset()))
        self.assertEqual(await self.names(), ["1", "2"])
        self.assertTrue(await self.valid(TOKEN))
        self.assertIsNone(await self.store.find_device(NEXT, 0))

    async def test_a_login_with_a_token_that_is_not_the_device_s_changes_nothing(self) -> None:
        await self.remember("1", "phone")
        await self.remember("2", "laptop", NEXT)
        for device, token, error, account in (
            ("phone", NEXT, BadCredentials, self.ann),
            ("tablet", TOKEN, BadCredentials, self.ann),
            ("phone", TOKEN, BadCredentials, await self.account("Bob")),
            ("phone", TOKEN, NoSuchUser, 999),
        ):
            new = new_session(
                b"3", 20, [ended(self.ann, b"1")], device=NewDevice(device, proved=token)
            )
            await self.assertFails(self.store.login(account, "hash", new), error)
        await self.store.forget_device(self.ann, "phone")
        new = new_session(b"3", 20, device=NewDevice("phone", proved=TOKEN))
        await self.assertFails(self.store.login(self.ann, "hash", new), BadCredentials)
        self.assertEqual(await self.names(), ["1", "2"])

    async def test_a_token_expires_some_time_after_its_device_was_connected(self) -> None:
        for end in (self.store.session_lost, self.store.end_session):
            name = f"of {end.__name__}"
            await self.remember(name, "phone", at=1000)
            self.assertTrue(await self.valid(TOKEN, 9000))  # it is connected
            await end(ended(self.ann, name.encode()), 2000)
            self.assertTrue(await self.valid(TOKEN, 1999))
            self.assertFalse(await self.valid(TOKEN, 2000))
            new = new_session(
                b"3",
                3000,
                device=NewDevice("phone", proved=TOKEN),
                limits=SessionLimits(tokens_after=2000),
            )
            await self.assertFails(self.store.login(self.ann, "hash", new), BadCredentials)

    async def test_a_start_counts_as_the_end_of_connections(self) -> None:
        await self.remember("1", "phone", at=1)
        started = int(time.time() * 1000)
        self.store.load()
        self.assertTrue(await self.valid(TOKEN, started - 60_000))
        self.assertFalse(await self.valid(TOKEN, 1 << 50))

    async def test_a_login_with_the_password_replaces_the_token_only_if_it_brings_one(self) -> None:
        await self.remember("1", "phone")
        await self.begin("2", "phone")
        self.assertTrue(await self.valid(TOKEN))
        await self.remember("3", "phone", NEXT)
        self.assertEqual((await self.valid(TOKEN), await self.valid(NEXT)), (False, True))

    async def test_what_revokes_tokens(self) -> None:
        """Each row: a call, and whether phone (which has session 1) and laptop (2) keep theirs."""
        store = self.store
        calls: list[tuple[Callable[[int], Any], bool, bool]] = [
            (lambda ann: store.end_session(ended(ann, b"1"), 20), True, True),
            (lambda ann: store.end_session(ended(ann, b"1"), 20, True), False, True),
            (lambda ann: store.end_session(ended(ann, b"?"), 20, True), True, True),
            (lambda ann: store.end_session(ended(ann + 1, b"1"), 20, True), True, True),
            (lambda ann: store.session_lost(ended(ann, b"1"), 20), True, True),
            (lambda ann: store.forget_device(ann, "laptop"), True, False),
            (lambda ann: store.forget_device(ann, "tablet"), True, True),
            (lambda ann: store.end_other_sessions(ann, b"1", ()), True, False),
            (lambda ann: store.end_other_sessions(ann, b"?", ()), False, False),
            (lambda ann: store.end_other_sessions(ann, None, ()), False, False),
            (lambda ann: store.end_other_sessions(ann, None, (), 20, "kicked"), True, True),
            (lambda ann: store.set_password(ann, "hash", "hash", b"1", ()), False, False),
            (lambda ann: store.set_password(ann, "hash", "hash", None, ()), False, False),
        ]
        self.ann = await self.account("Ann")
        for number, (call, phone, laptop) in enumerate(calls):
            await self.remember("1", "phone")
            await self.remember("2", "laptop", NEXT)
            await call(self.ann)
            kept = (await self.valid(TOKEN), await self.valid(NEXT))
            self.assertEqual(kept, (phone, laptop), number)
            await store.end_other_sessions(self.ann, b"?", ())

    async def test_a_changed_password_gives_the_device_that_goes_on_another_token(self) -> None:
        await self.remember("1", "phone")
        await self.begin("2", "laptop")
        changed = await self.store.set_password(self.ann, "hash", "hash", b"1", (), NEXT)
        self.assertEqual(
            (changed, await self.valid(TOKEN), await self.valid(NEXT)), (True, False, True)
        )
        self.assertEqual(await self.names(), ["1"])
        await self.begin("2", "laptop")
        for kept in (b"2", None):
            self.assertFalse(
                await self.store.set_password(self.ann, "hash", "hash", kept, (), TOKEN)
            )
        self.assertEqual((await self.valid(TOKEN), await self.valid(NEXT)), (False, False))

    async def test_pruning_deletes_devices_that_begin_no_session_any_more(self) -> None:
        for device, token, last_seen in (
            ("unused", None, 100),
            ("recent", None, 200),
            ("expired", b"e" * 32, 100),
            ("valid", b"v" * 32, 200),
        ):
            await self.begin(device, NewDevice(device, token_hash=token), 50)
            await self.store.end_session(ended(self.ann, device.encode()), last_seen)
        await self.remember("connected", "connected", b"c" * 32, at=50)
        await self.store.prune(150, 0, 150)
        self.assertEqual(await self.names(), ["connected", "device valid"])
        await self.store.prune(0, 0, 201)
        self.assertEqual(await self.names(), ["connected"])


class SeveralSessionsContract(DeviceCase):
    """Several sessions of an account: which end with a login, and how they are listed."""

    async def test_which_sessions_a_login_replaces(self) -> None:
        """The sessions are named by protocol and device; one of each kind is not connected."""
        for replaces, on_device, gone in (
            (Replaces.NOTHING, False, ""),
            (Replaces.WITHOUT_DEVICE, False, "j j-"),
            (Replaces.PROTOCOL, False, "j j- jd jd-"),
            (Replaces.PROTOCOL, True, "j j- jd jd-"),
            (Replaces.ALL, False, "j j- jd jd- p p- pd pd-"),
        ):
            for name in ["j", "j-", "jd", "jd-", "p", "p-", "pd", "pd-"]:
                device = "phone" if "d" in name else None
                await self.begin(name, device, protocol=name[0])
                if name.endswith("-"):
                    await self.store.session_lost(ended(self.ann, name.encode()), 15)
            state = await self.begin(
                "new", "phone" if on_device else None, 20, protocol="j", replaces=replaces
            )
            self.assertEqual(state.ended, {one.encode() for one in gone.split()}, replaces)
            kept = await self.names()
            self.assertEqual(len(kept), 9 - len(gone.split()))
            self.assertTrue(set(kept).isdisjoint(gone.split()))
            await self.store.end_other_sessions(self.ann, b"?", ())

    async def test_a_login_is_refused_while_another_session_is_connected(self) -> None:
        await self.begin("1", "phone", protocol="pa1")
        guest = await self.store.login_guest("Gus", "gus", new_session(b"g"))
        previous = (ended(guest, b"g"),)
        more: dict[str, Any] = {"refuses": True, "replaces": Replaces.ALL, "ended": previous}
        new = new_session(b"2", 20, **more)
        await self.assertFails(self.store.login(self.ann, "hash", new), AlreadyLoggedIn)
        self.assertEqual(await self.names(), ["1"])
        self.assertEqual(len(await self.store.sessions(guest, 0, 0)), 1)
        wrong = new_session(b"2", 20, refuses=True)
        await self.assertFails(self.store.login(self.ann, "wrong", wrong), BadCredentials)
        # Nor does it count that ends with the login: the session that its connection had.
        of_connection = (*previous, ended(self.ann, b"1"))
        await self.begin("2", at=30, **more | {"ended": of_connection})
        await self.store.session_lost(ended(self.ann, b"2"), 40)
        state = await self.begin("3", at=50, refuses=True, replaces=Replaces.ALL)
        self.assertEqual(state.ended, {b"2"})
        self.assertEqual(await self.names(), ["3"])

    async def test_only_connected_sessions_that_end_have_read_something(self) -> None:
        self.ann = await self.account("Ann")
        room = await self.room(self.ann)
        for text in "123":
            await self.stored(room, message(text))
        for marks_read, expected in ((True, 1), (False, 3)):
            await self.begin("1", at=10, marks_read=marks_read)
            connected = (ended(self.ann, b"1", **{f"r{room}": 3}),)
            kept = await self.begin("on a device", "phone", 11, connected=connected)
            self.assertEqual(kept.memberships[1], MembershipRecord(room, 1))
            state = await self.begin(
                "2", at=12, connected=connected, replaces=Replaces.WITHOUT_DEVICE
            )
            self.assertEqual(state.ended, {b"1"})
            self.assertEqual(state.memberships[1], MembershipRecord(room, expected))
            await self.store.end_other_sessions(self.ann, b"?", ())

    async def test_a_device_with_too_many_sessions_loses_the_one_connected_longest_ago(
        self,
    ) -> None:
        limits = SessionLimits(sessions=3)
        for at, name in enumerate(("a", "b", "c"), 10):
            await self.begin(name, "phone", at)
            await self.begin(f"without {name}", None, at)
        await self.store.session_lost(ended(self.ann, b"c"), 20)
        for number, gone in enumerate((b"c", b"a", b"b")):
            state = await self.begin(f"new {number}", "phone", 30 + number, limits=limits)
            self.assertEqual(state.ended, {gone})
        state = await self.begin("without d", None, 40, limits=limits)
        self.assertEqual(state.ended, {b"without a"})
        self.assertEqual(len(await self.names()), 6)

    async def test_an_account_with_too_many_devices_loses_the_one_connected_longest_ago(
        self,
    ) -> None:
        limits = SessionLimits(devices=3)
        await self.remember("a", "phone", at=10)
        await self.begin("also a", "phone", 11)
        await self.begin("b", "laptop", 12)
        await self.begin("c", "tablet", 13)
        await self.begin("without", None, 14, limits=limits)
        await self.store.session_lost(ended(self.ann, b"c"), 20)
        self.assertEqual((await self.begin("d", "tv", 30, limits=limits)).ended, {b"c"})
        self.assertEqual((await self.begin("e", "tv", 31, limits=limits)).ended, frozenset())
        state = await self.begin("f", "car", 32, limits=limits)
        self.assertEqual(state.ended, {b"a", b"also a"})
        self.assertFalse(await self.valid(TOKEN))
        self.assertEqual(await self.names(), ["b", "without", "d", "e", "f"])

    async def test_devices_that_are_only_remembered_count_until_they_expire(self) -> None:
        await self.remember("a", "phone", at=10)
        await self.store.end_session(ended(self.ann, b"a"), 20)
        for after, kept in ((19, True), (20, False)):
            await self.begin("b", "laptop", 30, limits=SessionLimits(2, tokens_after=after))
            self.assertEqual(await self.valid(TOKEN), kept)
            await self.store.end_session(ended(self.ann, b"b"), 40)
        await self.remember("a", "phone", at=50)
        await self.store.end_session(ended(self.ann, b"a"), 60)
        await self.begin("b", "laptop", 70, limits=SessionLimits(1))
        self.assertFalse(await self.valid(TOKEN))

    async def test_sessions_and_devices_are_listed_oldest_first(self) -> None:
        await self.begin("3", NewDevice("phone", "My phone", TOKEN), 30)
        await self.begin("2", NewDevice("laptop", "Laptop"), 20, protocol="pa1", address="1.2.3.4")
        await self.begin("1", None, 10)
        await self.begin("4", NewDevice("phone"), 40)
        await self.store.session_lost(ended(self.ann, b"4"), 45)
        self.assertEqual(
            await self.listed(),
            [
                SessionRecord(b"1", "gtchat", "", 10, None),
                SessionRecord(b"2", "pa1", "1.2.3.4", 20, None, "laptop", "Laptop"),
                SessionRecord(b"3", "gtchat", "", 30, None, "phone", "My phone", True),
                SessionRecord(b"4", "gtchat", "", 40, 45, "phone", "My phone", True),
            ],
        )
        await self.store.resume(b"2", 50, 0, {}, 0, 1, NETWORK, address="5.6.7.8")
        await self.store.session_lost(ended(self.ann, b"3"), 60)
        self.assertEqual(
            await self.listed(oldest=60),
            [
                SessionRecord(b"1", "gtchat", "", 10, None),
                SessionRecord(b"2", "pa1", "5.6.7.8", 20, None, "laptop", "Laptop"),
                SessionRecord(None, "", "", 30, 60, "phone", "My phone", True),
            ],
        )
        self.assertEqual(len(await self.listed(oldest=60, tokens_after=60)), 2)
        self.assertEqual(list(await self.store.sessions(999, 0, 0)), [])

    async def test_a_device_keeps_its_name_until_it_gets_another(self) -> None:
        for name, expected in (("Phone", "Phone"), (None, "Phone"), ("", ""), ("New", "New")):
            await self.begin(f"named {name}", NewDevice("phone", name))
            names = {record.device_name for record in await self.listed()}
            self.assertEqual(names, {expected})

    async def test_all_sessions_but_one_end(self) -> None:
        self.ann = await self.account("Ann")
        room = await self.room(self.ann)
        await self.stored(room, message())
        for name in "123":
            await self.begin(name, "phone" if name == "3" else None)
        connected = [ended(self.ann, b"1", **{f"r{room}": 2})]
        found = await self.store.end_other_sessions(self.ann, b"3", connected)
        self.assertEqual(found, {b"1", b"2"})
        await self.assertFails(self.store.resume(b"1", 30, 0, {}, 0, 1, NETWORK), BadSession)
        state = await self.begin("4")
        self.assertEqual(state.memberships[1], MembershipRecord(room, 2))
        self.assertEqual(await self.store.end_other_sessions(999, b"3", ()), frozenset())
