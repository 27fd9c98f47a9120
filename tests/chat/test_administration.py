"""What operators do with accounts, sessions and rooms, on one node and on two."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.account_admin import LOGIN_LINK_S
from gtchat.chat.admin_store import AccountQuery, AuditQuery
from gtchat.chat.audit import AT_CONSOLE, Actor
from gtchat.chat.errors import (
    BadCredentials,
    BadRequest,
    ChatError,
    ConfirmPassword,
    LockedOut,
    NameTaken,
    NoSuchRoom,
    NoSuchUser,
    NotAllowed,
    NotInRoom,
    NotStored,
    RateLimited,
    Stale,
    UnknownCommand,
    WeakPassword,
)
from gtchat.chat.interfaces import Account
from gtchat.chat.limits import Limits
from gtchat.chat.logins import OWN_LINK_S
from gtchat.chat.operators import CONFIRMED_S
from gtchat.chat.room_admin import RoomQuery
from gtchat.chat.storage_store import StorageQuery, StorageUse, StoredTexts
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import FakeClient, TestServer, nodes

OPERATOR = Actor("Olga", "0123456789ab", "192.0.2.9")


class Administered(SynchronousTestCase):
    """A server, and what operators do there."""

    def setUp(self) -> None:
        self.use(TestServer())

    def use(self, server: TestServer) -> None:
        self.server = server
        self.admin = server.chat.admin

    def done(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run what returns a result; return it."""
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return self.successResultOf(result)

    def refused(self, coroutine: Coroutine[Any, Any, Any], error: type[ChatError]) -> ChatError:
        """Run what fails with an error; return that."""
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        failure: ChatError = self.failureResultOf(result, error).value
        return failure

    def records(self, **query: Any) -> list[tuple[str, str, str]]:
        """Return code, who and subject of the records of the audit log, oldest first."""
        found = self.done(self.admin.audit(AuditQuery(**query)))
        return [(one.code, one.who, one.subject) for one in reversed(found)]

    def account(self, name: str) -> Account | None:
        found: Account | None = self.done(_awaited(self.server.store.find_account(name, None)))
        return found


async def _awaited(deferred: Deferred[Any]) -> Any:
    return await deferred


class Storage(Administered):
    def test_texts_are_counted_by_author(self) -> None:
        self.server.member("Ann").call("speak", room_name="lobby", msg="x" * 9)
        use, sizes = self.done(self.admin.storage(StorageQuery("accounts")))
        self.assertEqual(use, StorageUse((StoredTexts("Ann", 1, 9),), complete=True))
        self.assertEqual(sizes, {})

    def test_space_is_given_back(self) -> None:
        given = self.done(self.admin.give_back_space(OPERATOR))
        self.assertEqual((given.before, given.after, given.notes), ({}, {}, ()))
        self.assertEqual(self.records(), [("space_given_back", "Olga", "")])


class OwnLinks(Administered):
    def test_a_user_takes_the_session_to_another_device_once(self) -> None:
        ann = self.server.member("Ann")
        link = ann.call("create_login_link")["link"]
        phone = self.server.connect("192.0.2.7")
        reply = phone.call("login", type="link", link=link, device="phone")
        self.assertEqual((reply["status"], reply["usr"]), ("ok", "Ann"))
        again = self.server.connect().call("login", type="link", link=link)
        self.assertEqual(again["code"], "bad_credentials")
        self.assertEqual(self.records(code="own_login_link"), [("own_login_link", "Ann", "")])

    def test_it_is_good_for_two_minutes_and_for_registered_users(self) -> None:
        ann = self.server.member("Ann")
        link = ann.call("create_login_link")["link"]
        self.server.clock.advance(OWN_LINK_S)
        late = self.server.connect().call("login", type="link", link=link)
        self.assertEqual(late["code"], "bad_credentials")
        for _ in range(6):
            self.assertNotIn("code", ann.call("create_login_link"))
        reply = ann.call("create_login_link")
        self.assertEqual((reply["code"], round(reply["retry_after"])), ("rate_limited", 10))
        refused = self.server.guest("Gus").call("create_login_link")
        self.assertEqual(refused["code"], "not_allowed")


class Accounts(Administered):
    def test_an_account_is_created(self) -> None:
        name = self.done(self.admin.accounts.create("Ann", "password", OPERATOR))
        self.assertEqual(name, "Ann")
        self.assertEqual(self.server.connect().login("ann", pwd="password")["status"], "ok")
        self.refused(self.admin.accounts.create("ANN", "password", OPERATOR), NameTaken)
        self.refused(self.admin.accounts.create("Bob", "short", OPERATOR), WeakPassword)
        self.assertEqual(self.records(code="account_created"), [("account_created", "Olga", "Ann")])

    def test_nothing_is_created_on_a_full_disk(self) -> None:
        self.server.chat.quota.disk_full = True
        self.refused(self.admin.accounts.create("Ann", "password", OPERATOR), NotStored)

    def test_accounts_are_listed_and_searched(self) -> None:
        for name in ("Ann", "Bob", "Joann"):
            self.server.member(name)
        self.server.guest("Gus")
        for query, names in (
            (AccountQuery(), ["Ann", "Bob", "Joann"]),
            (AccountQuery(search="ANN"), ["Ann", "Joann"]),
            (AccountQuery(search="!"), []),
            (AccountQuery(after="Ann", limit=1), ["Bob"]),
            (AccountQuery(guests=True, after="BOB"), ["Gus", "Joann"]),
        ):
            found = self.done(self.admin.accounts.listed(query))
            self.assertEqual([one.name for one in found], names)

    def test_an_account_is_shown(self) -> None:
        self.server.guest("Gus")
        self.assertFalse(self.done(self.admin.accounts.show("GUS")).registered)
        self.refused(self.admin.accounts.show("nowhere"), NoSuchUser)

    def test_a_new_password_ends_the_sessions(self) -> None:
        ann = self.server.member("Ann")
        self.done(self.admin.accounts.set_password("ann", "another one", OPERATOR))
        self.assertEqual(ann.closed and ann.closed[0], 4001)
        client = self.server.connect()
        self.assertEqual(client.login("ann", pwd="password")["code"], "bad_credentials")
        self.assertEqual(client.login("ann", pwd="another one")["status"], "ok")
        self.refused(self.admin.accounts.set_password("ann", "short", OPERATOR), WeakPassword)
        self.server.guest("Gus")
        self.refused(self.admin.accounts.set_password("Gus", "password", OPERATOR), NoSuchUser)
        self.assertEqual(self.records(code="password_set"), [("password_set", "Olga", "Ann")])

    def test_a_password_that_changes_at_the_same_time_wins(self) -> None:
        ann = self.server.member("Ann")
        found = DelayedMethod(self, self.server, "find_account")
        result = Deferred.fromCoroutine(
            self.admin.accounts.set_password("ann", "another one", OPERATOR)
        )
        self.server.run_pending()
        changes = self.server.chat.sessions.change_password(
            ann.api.session, None, "password", "new password", "new password", "192.0.2.1"
        )
        changed = Deferred.fromCoroutine(changes)
        found._held.reverse()
        held, found._held = found._held, []
        for waiting, actual in held[:1]:
            actual.chainDeferred(waiting)
        self.server.run_pending()
        self.assertNoResult(result)
        for waiting, actual in held[1:]:
            actual.chainDeferred(waiting)
        self.server.run_pending()
        self.successResultOf(changed)
        self.failureResultOf(result, NotStored)

    def test_a_login_link_logs_in_once(self) -> None:
        self.server.member("Ann")
        link = self.done(self.admin.accounts.login_link("ANN", OPERATOR))
        self.assertEqual(link.name, "Ann")
        reply = self.server.connect().call("login", type="link", link=link.token)
        self.assertEqual((reply["status"], reply["usr"]), ("ok", "Ann"))
        again = self.server.connect().call("login", type="link", link=link.token)
        self.assertEqual(again["code"], "bad_credentials")
        self.refused(self.admin.accounts.login_link("nowhere", OPERATOR), NoSuchUser)

    def test_a_login_link_expires(self) -> None:
        self.server.member("Ann")
        link = self.done(self.admin.accounts.login_link("Ann", OPERATOR))
        self.server.clock.advance(LOGIN_LINK_S)
        reply = self.server.connect().call("login", type="link", link=link.token)
        self.assertEqual(reply["code"], "bad_credentials")

    def test_guessed_links_are_counted(self) -> None:
        self.use(TestServer(Limits(commands_per_second=0, lockout_tries=0)))
        codes = [
            self.server.connect().call("login", type="link", link=f"guess {number}")["code"]
            for number in range(12)
        ]
        self.assertEqual(codes[0], "bad_credentials")
        self.assertEqual(codes[-1], "rate_limited")
        self.assertNotIn("guess", str(self.done(self.admin.audit(AuditQuery()))))

    def test_an_operator_elsewhere_cannot_take_the_account_of_another(self) -> None:
        self.server.member("Ann")
        self.done(self.admin.accounts.set_operator("ann", True, AT_CONSOLE))
        for refused in (
            self.admin.accounts.set_password("ann", "another one", OPERATOR),
            self.admin.accounts.login_link("ann", OPERATOR),
        ):
            self.refused(refused, NotAllowed)
        self.done(self.admin.accounts.set_password("ann", "another one", AT_CONSOLE))
        self.done(self.admin.accounts.set_operator("ann", False, AT_CONSOLE))
        self.done(self.admin.accounts.login_link("ann", OPERATOR))

    def test_an_operator_has_a_password(self) -> None:
        client = self.server.connect()
        client.call("register", usr="Ann", uuid="00000000-0000-4000-8000-000000000007")
        self.refused(self.admin.accounts.set_operator("ann", True, AT_CONSOLE), NotAllowed)
        self.done(self.admin.accounts.set_password("ann", "password", AT_CONSOLE))
        self.done(self.admin.accounts.set_operator("ann", True, AT_CONSOLE))
        self.assertTrue(self.account("ann").operator)
        self.assertTrue(self.server.connect().login("ann", pwd="password")["operator"])

    def test_a_renamed_member_has_the_new_name_in_rooms(self) -> None:
        ann, bob = self.server.member("Ann"), self.server.guest("Bob")
        ann.call("create_room", room_name="Garden")
        bob.call("join_room", room_name="Garden")
        bob.call("create_room", room_name="Shed")
        self.refused(self.admin.accounts.rename("ann", "Anna", OPERATOR), NotAllowed)
        ann.drop()
        self.assertEqual(self.done(self.admin.accounts.rename("ANN", "Anna", OPERATOR)), "Anna")
        listed = bob.call("get_room_user_list", room_name="Garden")
        self.assertEqual(listed["users"], ["Anna", "Bob"])
        rooms = {room["room_name"]: room for room in bob.call("get_room_list")["rooms"]}
        self.assertEqual((rooms["Garden"]["owner"], rooms["Shed"]["owner"]), ("Anna", "Bob"))
        self.assertEqual(self.server.connect().login("ann")["code"], "name_taken")
        self.assertEqual(self.server.connect().login("anna", pwd="password")["usr"], "Anna")
        self.assertEqual(self.records(code="account_renamed"), [("account_renamed", "Olga", "Ann")])


class Sessions(Administered):
    def test_sessions_are_listed(self) -> None:
        self.server.member("Ann")
        [listed] = self.done(self.admin.sessions.listed("ann"))
        self.assertEqual((listed.record.protocol, listed.is_current), ("gtchat", False))
        self.refused(self.admin.sessions.listed("nowhere"), NoSuchUser)

    def test_all_sessions_of_an_account_end_with_their_devices(self) -> None:
        client = self.server.connect()
        client.call("register", usr="Ann", pwd="password")
        token = client.login("Ann", pwd="password", device="d", remember=True)["device_token"]
        other = self.server.connect()
        other.login("Ann", pwd="password")
        self.assertEqual(self.done(self.admin.sessions.end("ann", "", OPERATOR)), "Ann")
        for one in (client, other):
            self.assertEqual(one.closed and one.closed[0], 4002)
        again = self.server.connect()
        reply = again.call("login", type="device", device="d", device_token=token)
        self.assertEqual(reply["code"], "bad_credentials")
        self.assertEqual(
            self.records(code="admin_sessions_ended"), [("admin_sessions_ended", "Olga", "Ann")]
        )

    def test_one_session_ends(self) -> None:
        self.server.member("Ann")
        other = self.server.connect()
        other.login("Ann", pwd="password", device="d")
        listed = self.done(self.admin.sessions.listed("ann"))
        [on_device] = [one for one in listed if one.record.device]
        self.done(self.admin.sessions.end("ann", on_device.id, OPERATOR))
        self.assertEqual(other.closed and other.closed[0], 4002)
        self.assertEqual(len(self.done(self.admin.sessions.listed("ann"))), 1)
        self.refused(self.admin.sessions.end("ann", on_device.id, OPERATOR), BadRequest)

    def test_a_session_without_a_connection_ends(self) -> None:
        ann = self.server.member("Ann")
        ann.drop()
        [listed] = self.done(self.admin.sessions.listed("ann"))
        self.done(self.admin.sessions.end("ann", listed.id, OPERATOR))
        self.assertEqual(self.done(self.admin.sessions.listed("ann")), [])

    def test_a_device_without_a_session_is_forgotten(self) -> None:
        client = self.server.connect()
        client.call("register", usr="Ann", pwd="password")
        client.login("Ann", pwd="password", device="d", remember=True)
        client.call("logout")
        [listed] = self.done(self.admin.sessions.listed("ann"))
        self.done(self.admin.sessions.end("ann", listed.id, OPERATOR))
        self.assertEqual(self.done(self.admin.sessions.listed("ann")), [])

    def test_a_guest_ends_with_the_session(self) -> None:
        gus = self.server.guest("Gus")
        self.done(self.admin.sessions.end("gus", "", OPERATOR))
        self.assertEqual(gus.closed and gus.closed[0], 4002)
        self.assertIsNone(self.account("gus"))


class Rooms(Administered):
    def setUp(self) -> None:
        super().setUp()
        self.ann = self.server.member("Ann")
        for name in ("Garden", "Attic"):
            self.ann.call("create_room", room_name=name, public=False)

    def test_rooms_are_listed(self) -> None:
        for query, names in (
            (RoomQuery(), ["Attic", "Garden", "lobby"]),
            (RoomQuery(search="A", limit=1), ["Attic"]),
            (RoomQuery(search="A", after="ATTIC"), ["Garden"]),
            (RoomQuery(after="H"), ["lobby"]),
            (RoomQuery(after="G\a"), ["Garden", "lobby"]),  # no name of a room can be that
        ):
            self.assertEqual(
                [room.name for room in self.done(self.admin.rooms.listed(query))], names
            )

    def test_a_room_is_shown(self) -> None:
        self.assertEqual(self.done(self.admin.rooms.show("garden")).name, "Garden")
        self.refused(self.admin.rooms.show("x"), NoSuchRoom)

    def test_a_room_is_deleted(self) -> None:
        for actor, by in ((OPERATOR, "Olga"), (AT_CONSOLE, "Host")):
            name = "garden" if actor is OPERATOR else "attic"
            self.done(self.admin.rooms.delete(name, actor))
            [event] = self.ann.pushes("room_gone")
            self.assertEqual(event["usr"], by)
        self.refused(self.admin.rooms.delete("garden", OPERATOR), NoSuchRoom)
        self.refused(self.admin.rooms.delete("lobby", OPERATOR), NotAllowed)
        self.assertEqual(
            self.records(code="admin_room_deleted"),
            [("admin_room_deleted", "Olga", ""), ("admin_room_deleted", "(console)", "")],
        )

    def test_a_member_becomes_the_owner(self) -> None:
        self.server.member("Bob")
        for name in ("Bob", "Gus"):
            if name == "Gus":
                self.server.guest(name)
            self.refused(self.admin.rooms.set_owner("garden", name, OPERATOR), NotInRoom)
            self.ann.call("add_member", room_name="Garden", user=name)
        self.refused(self.admin.rooms.set_owner("garden", "Gus", OPERATOR), NotAllowed)
        room = self.done(self.admin.rooms.set_owner("garden", "bob", OPERATOR))
        self.assertEqual(room.owner, "Bob")
        [event] = self.ann.pushes("room_changed")
        self.assertEqual((event["owner"], event["usr"]), ("Bob", "Olga"))
        self.refused(self.admin.rooms.set_owner("garden", "nowhere", OPERATOR), NoSuchUser)
        self.refused(self.admin.rooms.set_owner("lobby", "bob", OPERATOR), NotAllowed)
        self.assertEqual(self.records(code="admin_room_set"), [("admin_room_set", "Olga", "Bob")])

    def test_a_change_that_is_stale_is_made_again(self) -> None:
        delete, tries = self.server.store.delete_room, 0

        def stale_once(*args: Any) -> Deferred[Any]:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise Stale()
            return delete(*args)

        self.patch(self.server.store, "delete_room", stale_once)
        self.done(self.admin.rooms.delete("garden", OPERATOR))
        self.assertEqual(tries, 2)

    def test_an_announcement_reaches_all(self) -> None:
        bob = self.server.guest("Bob")
        self.assertEqual(self.admin.rooms.announce("Down at noon", OPERATOR), 2)
        for client in (self.ann, bob):
            [push] = client.pushes("c_broadcast")
            self.assertEqual((push["usr"], push["msg"]), ("Host", "Down at noon"))
        self.assertRaises(BadRequest, self.admin.rooms.announce, "", OPERATOR)
        self.server.run_pending()
        self.assertEqual(self.records(code="announced"), [("announced", "Olga", "")])


class RecordedCommands:
    """A table of commands that records what is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def run(self, actor: Actor, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls.append((actor.name, name))
        return {"done": arguments}


class OperatorsOfAccounts(Administered):
    def setUp(self) -> None:
        super().setUp()
        self.operators = self.admin.operators
        self.operators.commands = self.table = RecordedCommands()
        self.ann = self.server.member("Ann")
        self.done(self.admin.accounts.set_operator("ann", True, AT_CONSOLE))

    def run_as(self, client: FakeClient, secret: str | None = None) -> Coroutine[Any, Any, Any]:
        assert client.api.session is not None
        return self.operators.run(client.api.session, "audit", {"limit": 1}, secret)

    def test_a_password_is_wanted_again_each_ten_minutes(self) -> None:
        self.refused(self.run_as(self.ann), ConfirmPassword)
        self.refused(self.run_as(self.ann, "wrong"), BadCredentials)
        self.refused(self.run_as(self.ann), ConfirmPassword)
        self.assertEqual(self.done(self.run_as(self.ann, "password")), {"done": {"limit": 1}})
        self.server.clock.advance(CONFIRMED_S - 1)
        self.done(self.run_as(self.ann))
        self.server.clock.advance(1)
        self.refused(self.run_as(self.ann), ConfirmPassword)
        self.assertEqual(self.table.calls, [("Ann", "audit")] * 2)

    def test_a_password_is_given_for_one_session(self) -> None:
        self.done(self.run_as(self.ann, "password"))
        other = self.server.connect()
        other.login("Ann", pwd="password", device="d")
        self.refused(self.run_as(other), ConfirmPassword)

    def test_wrong_passwords_lock_out(self) -> None:
        for _ in range(3):
            self.refused(self.run_as(self.ann, "wrong"), BadCredentials)
        self.refused(self.run_as(self.ann, "password"), LockedOut)

    def test_others_are_refused_and_recorded(self) -> None:
        bob, gus = self.server.member("Bob"), self.server.guest("Gus")
        for client in (bob, gus):
            self.refused(self.run_as(client, "password"), NotAllowed)
        self.assertEqual(
            self.records(code="admin_refused"),
            [("admin_refused", "Bob", ""), ("admin_refused", "Gus", "")],
        )
        [record] = self.done(self.admin.audit(AuditQuery(code="admin_refused"), "BOB"))
        self.assertEqual(record.address, "192.0.2.1")
        self.assertEqual(record.what["reason"], "not_allowed")
        self.assertNotEqual(record.session, "")

    def test_records_are_found_however_a_name_was_written(self) -> None:
        self.server.member("bob").drop()
        for name in ("BOB", "Bob"):
            self.done(self.admin.accounts.rename("bob", name, AT_CONSOLE))
        for typed in ("bob", "BOB", "Bob"):
            found = self.done(self.admin.audit(AuditQuery(), typed))
            codes = ["account_renamed", "account_renamed", "login", "registered"]
            self.assertEqual([one.code for one in found], codes, typed)
        self.done(self.admin.accounts.rename("bob", "Zoe", AT_CONSOLE))
        found = self.done(self.admin.audit(AuditQuery(), "zoe"))
        self.assertEqual(found, [])  # others may have had the names before

    def test_the_mark_counts_as_it_is_stored(self) -> None:
        self.done(self.run_as(self.ann, "password"))
        self.done(self.admin.accounts.set_operator("ann", False, AT_CONSOLE))
        self.refused(self.run_as(self.ann), NotAllowed)

    def test_commands_have_a_rate(self) -> None:
        self.use(TestServer(Limits(commands_per_second=0, admin_commands_per_minute=2)))
        self.operators = self.admin.operators
        bob = self.server.member("Bob")
        for _ in range(2):
            self.refused(self.run_as(bob), NotAllowed)
        error = self.refused(self.run_as(bob), RateLimited)
        self.assertAlmostEqual(error.retry_after or 0, 30, delta=1)

    def test_a_server_without_a_table_has_no_commands(self) -> None:
        self.operators.commands = None
        self.refused(self.run_as(self.ann, "password"), UnknownCommand)


class Addresses(Administered):
    def test_sessions_of_an_address_are_listed(self) -> None:
        self.server.member("Ann")
        self.server.guest("Gus")
        for address in ("2001:db8::5", "2001:db8::6", "2001:db8:0:1::5"):
            self.server.connect(address).login("Guest" + address[-1] + str(len(address)))
        sessions = self.admin.sessions
        found = self.done(sessions.at_address("192.0.2.1"))
        self.assertEqual(sorted(name for name, _ in found), ["Ann", "Gus"])
        found = self.done(sessions.at_address("2001:db8::1"))
        self.assertEqual(sorted(name for name, _ in found), ["Guest511", "Guest611"])
        self.refused(sessions.at_address("nowhere"), BadRequest)


class TwoNodes(SynchronousTestCase):
    """An operator at one node, and users at another."""

    def setUp(self) -> None:
        self.a, self.b = nodes(2)
        self.ann = self.b.member("Ann")

    def done(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        result = Deferred.fromCoroutine(coroutine)
        self.a.run_pending()
        return self.successResultOf(result)

    def test_sessions_end_at_the_other_node(self) -> None:
        [listed] = self.done(self.a.chat.admin.sessions.listed("ann"))
        self.done(self.a.chat.admin.sessions.end("ann", listed.id, OPERATOR))
        self.assertEqual(self.ann.closed and self.ann.closed[0], 4002)
        again = self.b.connect()
        again.login("ann", pwd="password")
        self.done(self.a.chat.admin.sessions.end("ann", "", OPERATOR))
        self.assertEqual(again.closed and again.closed[0], 4002)

    def test_a_new_password_counts_at_the_other_node(self) -> None:
        self.done(self.a.chat.admin.accounts.set_password("ann", "another one", OPERATOR))
        self.assertEqual(self.ann.closed and self.ann.closed[0], 4001)
        self.assertEqual(self.b.connect().login("ann", pwd="another one")["status"], "ok")

    def test_the_operator_mark_counts_at_the_other_node(self) -> None:
        user = self.b.chat.users.get("ann")
        assert user is not None
        [session] = user.sessions
        for on in (True, False):
            self.done(self.a.chat.admin.accounts.set_operator("ann", on, OPERATOR))
            self.assertIs(session.operator, on)

    def test_a_new_name_is_seen_at_the_other_node(self) -> None:
        self.ann.call("create_room", room_name="Garden")
        bob = self.b.guest("Bob")
        bob.call("join_room", room_name="Garden")
        result = Deferred.fromCoroutine(self.a.chat.admin.accounts.rename("ann", "Zoe", OPERATOR))
        self.a.run_pending()
        self.failureResultOf(result, NotAllowed)
        self.ann.drop()
        self.done(self.a.chat.admin.accounts.rename("ann", "Zoe", OPERATOR))
        self.assertEqual(
            bob.call("get_room_user_list", room_name="Garden")["users"], ["Bob", "Zoe"]
        )

    def test_a_new_name_is_seen_where_a_room_is_behind(self) -> None:
        bob = self.b.guest("Bob")
        bob.call("create_room", room_name="Garden")
        self.a.store._tables.wakes = False
        cat = self.a.member("Cat")
        self.assertEqual(cat.call("join_room", room_name="Garden")["status"], "ok")
        cat.drop()
        self.done(self.a.chat.admin.accounts.rename("cat", "Zoe", OPERATOR))
        self.done(self.b.chat.admin.access.rename("Chat", OPERATOR))  # it hears of the name
        self.assertEqual(bob.call("get_room_user_list", room_name="Garden")["users"], ["Bob"])
        self.b.store.look()
        self.b.run_pending()
        self.assertEqual(
            bob.call("get_room_user_list", room_name="Garden")["users"], ["Bob", "Zoe"]
        )

    def test_an_announcement_is_heard_at_the_other_node(self) -> None:
        self.assertEqual(self.a.chat.admin.rooms.announce("Down at noon", OPERATOR), 1)
        self.a.run_pending()
        self.assertEqual(len(self.ann.pushes("c_broadcast")), 1)

    def test_a_room_is_deleted_at_the_other_node(self) -> None:
        self.ann.call("create_room", room_name="Garden")
        self.done(self.a.chat.admin.rooms.delete("garden", OPERATOR))
        self.assertEqual(self.ann.pushes("room_gone")[0]["usr"], "Olga")
