"""D of docs/robustness.md: identity and permissions."""

from __future__ import annotations

import json
import uuid
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import BadName
from gtchat.chat.limits import Limits
from gtchat.chat.names import user_name
from tests.e2e.bystanders import Bystanders
from tests.e2e.old_protocols import ACCOUNTS, OldProtocolsCase
from tests.e2e.server import Client
from tests.fakes import FakeClient, TestServer

PASSWORD = "one-that-no-log-has"

#: Names -> an existing name that they are equal to.
SAME = [
    ("ADMIN", "admin"),  # D07
    ("\uff21dmin", "admin"),
    ("\u212aate", "kate"),
    ("E\u0301va", "\u00e9va"),
]
#: Names with difficult rules for case and normalization.
DIFFICULT = [
    "\u0130bo",
    "ibo",
    "I\u0307bo",
    "stra\u00dfe",
    "STRASSE",
    "\u1e9e",
    "\u03c3\u03c2",
    "\u00c5",
]

#: Passwords to register with -> code.
PASSWORDS = [
    ("1234567", "weak_password"),  # D05
    ("x" * 1_025, "weak_password"),
    ("12345678", None),
    ("x" * 1_024, None),
    ("pass\0word", None),
]


class Names(SynchronousTestCase):
    def test_name_is_taken_in_every_case_and_form(self) -> None:
        server = TestServer()
        client = server.connect()
        for name, existing in SAME:
            client.call("register", usr=existing, pwd=PASSWORD)
            self.assertEqual(client.call("register", usr=name, pwd=PASSWORD)["code"], "name_taken")
            self.assertEqual(client.login(name)["code"], "name_taken")
            self.assertEqual(server.connect().login(name, pwd=PASSWORD)["usr"], existing)

    def test_key_of_a_name_is_stable(self) -> None:  # D09
        for name in DIFFICULT:
            key = user_name(name).key
            self.assertEqual(user_name(key).key, key)
            self.assertEqual(user_name(user_name(name).display).key, key)
        self.assertRaises(BadName, user_name, "\ufb03")  # a ligature is not a letter

    def test_one_of_two_concurrent_registrations_gets_the_name(self) -> None:  # D06
        server = TestServer(Limits(commands_per_second=0, registrations_per_minute=0))
        first, second = server.connect(), server.connect()
        for number in range(100):
            server.passwords.held = []
            for client in (first, second):
                client.send("register", usr=f"name{number}", pwd=PASSWORD, tracker="r")
            server.run_pending()
            for waiting in server.passwords.held:
                waiting.callback(None)
            server.run_pending()
            codes = [client.reply("r").get("code") for client in (first, second)]
            self.assertEqual(sorted(map(str, codes)), ["None", "name_taken"])


class Credentials(SynchronousTestCase):
    def test_length_of_passwords_is_limited(self) -> None:
        for number, (password, code) in enumerate(PASSWORDS):
            server = TestServer()
            client = server.connect()
            self.assertEqual(
                client.call("register", usr=f"u{number}", pwd=password).get("code"),
                code,
                password[:9],
            )
            if code is None:
                self.assertEqual(client.login(f"u{number}", pwd=password)["status"], "ok")

    def test_password_matches_in_every_unicode_form(self) -> None:  # D05
        client = TestServer().connect()
        client.call("register", usr="ann", pwd="caf\u00e9 au lait")
        self.assertEqual(client.login("ann", pwd="cafe\u0301 au lait")["status"], "ok")

    def test_unknown_name_costs_as_much_as_a_wrong_password(self) -> None:  # D01
        server = TestServer()
        server.connect().call("register", usr="ann", pwd=PASSWORD)
        replies = []
        for name in ("ann", "unknown", "not a name!"):
            server.passwords.held = []
            client = server.connect(f"192.0.2.{len(replies) + 1}")
            client.send("login", type="reg", usr=name, pwd="wrong password", tracker="x")
            server.run_pending()
            self.assertEqual(len(server.passwords.held), 1, name)
            server.passwords.held[0].callback(None)
            server.run_pending()
            replies.append(client.reply("x"))
        self.assertEqual(replies[0]["code"], "bad_credentials")
        self.assertEqual(replies, [replies[0]] * 3)

    def test_invalid_session_ids_are_rejected(self) -> None:  # D12
        server = TestServer(sessions="share")
        ann = server.member("ann")
        token, epoch = self.log_in(server, "ann")
        changed, _ = self.log_in(server, "ann")
        out = server.connect()
        ended = out.login("ann", pwd="password")["session_id"]
        out.call("logout")
        change = {"pwd": "password", "new_pwd": PASSWORD, "new_pwd2": PASSWORD}
        self.assertEqual(ann.call("update_pwd", **change)["status"], "ok")
        for invalid in (
            ended,
            changed,
            token,
            token[:-1],
            token + "0",
            "",
            "0" * 32,
            "\u00e9",
            "x" * 999,
        ):
            reply = server.connect().call("resume", session_id=invalid, epoch=epoch, seen={})
            self.assertEqual(reply["code"], "bad_session", invalid[:40])
        self.assertIsNone(ann.closed)

    def log_in(self, server: TestServer, name: str) -> tuple[str, str]:
        """Log in on a new connection; return the session id and the epoch."""
        reply = server.connect().login(name, pwd="password")
        return reply["session_id"], reply["epoch"]

    def test_session_id_is_sent_once(self) -> None:  # D13
        server = TestServer()
        ann, bob = server.member("ann"), server.member("bob")
        token = server.connect().login("ann", pwd="password")["session_id"]
        received: list[Any] = []
        for client in (bob, server.guest("eve")):
            received += [client.call(cmd) for cmd in ("get_user_list", "get_room_list", "hello")]
            received.append(client.call("get_room_user_list", room_name="lobby"))
            received.append(client.call("history", room_name="lobby"))
            received += client.received()
        self.assertNotIn(token, json.dumps([*received, *ann.received()]))


class Sessions(SynchronousTestCase):
    def test_fifty_concurrent_logins_leave_one_session(self) -> None:  # D11
        server = TestServer()
        server.connect().call("register", usr="ann", pwd="password")
        watcher = server.guest("watcher")
        server.passwords.held = []
        clients = [server.connect() for _ in range(50)]
        for client in clients:
            client.send("login", type="reg", usr="ann", pwd="password")
        server.run_pending()
        for waiting in server.passwords.held:
            waiting.callback(None)
        server.run_pending()
        left = [client for client in clients if client.closed is None]
        self.assertEqual(len(left), 1)
        self.assertEqual({client.closed[0] for client in clients if client.closed}, {4001})
        self.assertEqual(watcher.call("get_user_list")["users"], ["ann", "watcher"])
        left[0].drop(clean=True)
        self.assertEqual(watcher.call("get_user_list")["users"], ["watcher"])

    def test_session_resumes_from_another_address(self) -> None:  # N12
        server = TestServer()
        old = server.connect("192.0.2.1")
        old.call("register", usr="ann", pwd="password")
        login = old.login("ann", pwd="password")
        old.received()
        new = server.connect("203.0.113.9")
        reply = new.call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen={"lobby": 0}
        )
        self.assertEqual(reply["resumed"][0]["state"], "resumed")
        [event] = old.pushes()
        self.assertEqual((event["type"], event["address"]), ("replaced", "203.0.113.9"))
        self.assertEqual(old.closed, (4001, "replaced: logged in elsewhere"))

    def test_reused_guest_name_inherits_nothing(self) -> None:  # D17
        server = TestServer()
        ann = server.member("ann")
        self.assertEqual(server.connect().login("Ann")["code"], "name_taken")
        first = server.guest("guest")
        ann.call("create_room", room_name="secret", public=False)
        ann.call("add_member", room_name="secret", user="guest")
        first.call("logout")
        self.assertEqual(ann.call("whisper", target_user="guest", msg="x")["code"], "no_such_user")
        second = server.guest("guest")
        self.assertEqual(second.pushes("c_whisper", "c_invited"), [])
        self.assertEqual(second.call("history", room_name="secret")["code"], "not_in_room")
        self.assertEqual(second.call("join_room", room_name="secret")["code"], "private_room")
        rooms = [room["room_name"] for room in second.call("get_room_list")["rooms"]]
        self.assertEqual(rooms, ["lobby"])

    def test_requests_of_non_members_are_rejected(self) -> None:  # D19
        server = TestServer()
        ann, bob = server.member("ann"), server.member("bob")
        for room in ("private", "left", "kicked"):
            ann.call("create_room", room_name=room, public=room != "private")
        ann.call("create_room", room_name="gone")
        for room in ("left", "kicked", "gone"):
            bob.call("join_room", room_name=room)
        bob.call("leave_room", room_name="left")
        ann.call("kick", room_name="kicked", user="bob")
        ann.call("delete_room", room_name="gone")
        self.assertAllFail(bob, ("private", "left", "kicked"), "not_in_room")
        self.assertAllFail(bob, ("gone", "never"), "no_such_room")
        reply = bob.call("get_room_user_list", room_name="private")
        self.assertEqual((reply["code"], "users" in reply), ("not_in_room", False))

    def assertAllFail(self, client: FakeClient, rooms: tuple[str, ...], code: str) -> None:
        """All commands of members fail.

        Args:
            client: who tries.
            rooms: tried one after the other.
            code: of the errors.
        """
        for room in rooms:
            for cmd, fields in (
                ("speak", {"msg": "x"}),
                ("history", {}),
                ("typing", {}),
                ("mark_read", {"seq": 0}),
                ("invite", {"invitee": "ann"}),
                ("add_member", {"user": "ann"}),
                ("leave_room", {}),
            ):
                self.assertEqual(
                    client.call(cmd, room_name=room, **fields)["code"], code, (room, cmd)
                )

    def test_only_the_owner_manages_a_room(self) -> None:  # D20
        server = TestServer()
        ann, bob = server.member("ann"), server.member("bob")
        ann.call("create_room", room_name="r")
        bob.call("join_room", room_name="r")
        for cmd, fields in (
            ("delete_room", {}),
            ("set_room", {"topic": "x"}),
            ("kick", {"user": "ann"}),
            ("remove_member", {"user": "ann"}),
        ):
            self.assertEqual(bob.call(cmd, room_name="r", **fields)["code"], "not_owner", cmd)
        self.assertEqual(ann.call("kick", room_name="r", user="ann")["code"], "self_target")
        self.assertEqual(ann.call("remove_member", room_name="r", user="ann")["status"], "ok")
        self.assertEqual(ann.call("set_room", room_name="r", topic="still mine")["status"], "ok")


class AcrossProtocols(OldProtocolsCase):
    def test_failed_logins_count_across_protocols(self) -> None:  # D04
        with Bystanders(self.server, *ACCOUNTS.values(), watch=False):
            web = self.connect()
            wrong = web.call("login", type="reg", usr="seas", pwd="wrong password")
            self.assertEqual(wrong["code"], "bad_credentials")
            self.assertEqual(self.pa1().log_in("seas", "wrong"), b"wrong password")
            third = self.message_center().log_in(b"seas", b"wrong")
            self.assertRegex(third[0], b"^JUST_PENNED")
            right = web.call("login", type="reg", usr="seas", pwd=ACCOUNTS["seas"])
            self.assertEqual(right["code"], "locked_out")
            self.assertEqual(self.pa1().log_in("seas", ACCOUNTS["seas"]), b"BLOCK")

    def test_wrong_broadcast_keys_are_rejected(self) -> None:  # D18
        with Bystanders(self.server, "guessed-key", watch=False):
            web: Client = self.web("mallory")
            keys = ("guessed-key", "guessed-key" * 100, "\u00e9", "", str(uuid.uuid4()))
            codes = [web.call("broadcast", msg="x", broadcast_key=key)["code"] for key in keys]
            self.assertEqual(codes, ["bad_key"] * 3 + ["locked_out"] * 2)
