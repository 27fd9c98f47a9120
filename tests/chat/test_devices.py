"""Devices: logins without the password, the list of sessions, and how they are ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.gtchat_json import reply_size
from tests.chat.test_edge_cases import DelayedMethod
from tests.chat.test_session_races import CHANGE
from tests.fakes import FakeClient, TestServer

DAY_S = 24 * 3600


class DeviceTestCase(SynchronousTestCase):
    """Ann on several devices.

    Attributes:
        options: of the server.
        limits: of the server.
    """

    options: dict[str, Any] = {}
    limits = Limits(commands_per_second=0)

    def setUp(self) -> None:
        self.server = TestServer(self.limits, **self.options)
        self.server.connect().call("register", usr="ann", pwd="password")
        self.tokens: dict[str, str] = {}

    def login(
        self, device: str | None = None, remember: bool = False, **fields: object
    ) -> FakeClient:
        """Log Ann in with the password, on a device; keep the token that it gets."""
        client = self.server.connect()
        if device is not None:
            fields |= {"device": device, "remember": remember}
        reply = client.login("ann", pwd="password", **fields)
        self.assertEqual(reply["status"], "ok", reply)
        if "device_token" in reply and device is not None:
            self.tokens[device] = reply["device_token"]
        return client

    def login_device(
        self, device: str, token: str | None = None, address: str = "192.0.2.1"
    ) -> tuple[FakeClient, dict[str, Any]]:
        """Log in with the token of a device, its own if it has one."""
        client = self.server.connect(address)
        token = self.tokens.get(device, "no token") if token is None else token
        fields = {"type": "device", "device": device, "device_token": token}
        return client, client.call("login", **fields)

    def code(self, device: str, token: str | None = None, address: str = "192.0.2.1") -> str:
        """Return the error code of a login with a token, "" for none."""
        code: str = self.login_device(device, token, address)[1].get("code", "")
        return code

    def listed(self, client: FakeClient) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = client.call("get_sessions")["sessions"]
        return listed


class Tokens(DeviceTestCase):
    def test_a_token_is_only_given_to_a_device_that_asks(self) -> None:
        for fields, expected in (
            ({"device": "phone", "remember": True}, True),
            ({"device": "phone"}, False),
            ({"remember": True}, False),
            ({"device": "phone", "device_name": "Phone", "remember": False}, False),
        ):
            reply = self.server.connect().login("ann", pwd="password", **fields)
            self.assertEqual("device_token" in reply, expected)

    def test_a_token_begins_sessions_with_ids_of_their_own(self) -> None:
        first = self.login("phone", remember=True)
        bob = self.server.guest("bob")
        second, reply = self.login_device("phone")
        self.assertEqual((reply["status"], reply["usr"]), ("ok", "ann"))
        self.assertNotIn("device_token", reply)
        self.assertIsNone(first.closed)
        bob.call("whisper", target_user="ann", msg="hi")
        for client in (first, second):
            self.assertEqual([push["msg"] for push in client.pushes("c_whisper")], ["hi"])
        third, other = self.login_device("phone")
        self.assertNotEqual(reply["session_id"], other["session_id"])
        second.drop()
        resumed = self.server.connect().call(
            "resume", session_id=reply["session_id"], epoch=reply["epoch"], seen={}
        )
        self.assertEqual(resumed["status"], "ok")
        self.assertIsNone(third.closed)

    def test_a_session_begun_by_a_token_marks_what_was_read(self) -> None:
        self.login("phone", remember=True)
        client = self.server.connect()
        reply = client.call(
            "login",
            type="device",
            device="phone",
            device_token=self.tokens["phone"],
            marks_read=True,
        )
        self.assertEqual(reply["status"], "ok")
        assert client.api.session is not None
        self.assertTrue(client.api.session.marks_read)

    def test_a_token_is_for_one_device(self) -> None:
        self.login("phone", remember=True)
        self.login("laptop", remember=True)
        self.assertEqual(self.code("phone", self.tokens["laptop"]), "bad_credentials")
        self.assertEqual(self.code("laptop", self.tokens["phone"]), "bad_credentials")
        self.assertEqual(self.code("phone"), "")

    def test_wrong_tokens_are_failed_logins(self) -> None:
        self.login("phone", remember=True)
        for _ in range(3):
            self.assertEqual(self.code("phone", "guess"), "bad_credentials")
        self.assertEqual(self.code("phone", "guess"), "locked_out")
        self.assertEqual(self.code("phone"), "locked_out")
        self.assertEqual(self.code("phone", address="198.51.100.1"), "")
        self.server.clock.advance(61)
        self.assertEqual(self.code("phone", "guess"), "bad_credentials")
        self.assertEqual(self.code("phone"), "")
        for _ in range(2):  # the right one has reset the count
            self.assertEqual(self.code("phone", "guess"), "bad_credentials")
        self.assertEqual(self.code("phone"), "")

    def test_wrong_tokens_have_a_rate_for_each_network_that_a_right_one_ignores(self) -> None:
        self.login("phone", remember=True)
        codes = [self.code(f"device-{number}", "guess") for number in range(11)]
        self.assertEqual(codes, ["bad_credentials"] * 10 + ["rate_limited"])
        self.assertEqual(self.code("phone"), "")
        client = self.server.connect()
        self.assertEqual(client.login("unknown", pwd="wrong password")["code"], "rate_limited")

    def test_guesses_at_once_do_not_pass_the_lockout(self) -> None:
        self.login("phone", remember=True)
        found = DelayedMethod(self, self.server, "find_device")
        fields = {"type": "device", "device": "phone"}
        clients = [self.server.connect() for _ in range(5)]
        for client in clients[:4]:
            client.send("login", tracker="1", device_token="guess", **fields)
        clients[4].send("login", tracker="1", device_token=self.tokens["phone"], **fields)
        self.server.run_pending()
        found.release()
        codes = [client.reply("1").get("code") for client in clients]
        self.assertEqual(codes, ["bad_credentials"] * 3 + ["locked_out"] * 2)

    def test_fields_are_checked(self) -> None:
        login = {"type": "reg", "usr": "ann", "pwd": "password"}
        token = {"type": "device", "device_token": "t"}
        for fields, code in (
            (login | {"device": ""}, "bad_request"),
            (login | {"device": "a b"}, "bad_request"),
            (login | {"device": "é"}, "bad_request"),
            (login | {"device": "x" * 65}, "bad_request"),
            (login | {"device": "x" * 64, "device_name": "x" * 64}, None),
            (login | {"device": "x", "device_name": "x" * 65}, "too_long"),
            (login | {"device": "x", "device_name": "a\nb"}, "bad_request"),
            (login | {"device": "x", "device_name": ""}, None),
            (token, "bad_request"),
            ({"type": "device", "device": "x"}, "bad_request"),
            (token | {"device": "a b"}, "bad_request"),
        ):
            reply = self.server.connect().call("login", **fields)
            self.assertEqual(reply.get("code"), code, fields)

    def test_a_token_expires_after_days_without_its_device(self) -> None:
        client = self.login("phone", remember=True)
        self.server.clock.advance(40 * DAY_S)  # it is connected
        self.assertEqual(self.code("phone"), "")
        client.drop()
        user = self.server.chat.users.get("ann")
        assert user is not None
        user.sessions[0].connection.transport.drop()  # type: ignore[attr-defined]
        self.server.clock.advance(30 * DAY_S - 1)
        again, reply = self.login_device("phone")
        self.assertEqual(reply["status"], "ok")
        again.drop()
        self.server.clock.advance(30 * DAY_S + 1)
        self.assertEqual(self.code("phone"), "bad_credentials")

    def test_a_token_is_good_after_a_restart(self) -> None:
        self.login("phone", remember=True)
        self.server.start()
        self.assertEqual(self.code("phone"), "")

    def test_guests_have_one_session_and_no_device(self) -> None:
        guest = self.server.connect()
        reply = guest.call("login", type="tmp", usr="gus", device="phone", remember=True)
        self.assertNotIn("device_token", reply)
        [session] = self.listed(guest)
        self.assertNotIn("device", session)

    def test_a_token_proved_before_the_password_changed_begins_no_session(self) -> None:
        ann = self.login()
        self.login("phone", remember=True)
        found = DelayedMethod(self, self.server, "find_device")
        client = self.server.connect()
        fields = {"type": "device", "device": "phone", "device_token": self.tokens["phone"]}
        client.send("login", tracker="1", **fields)
        self.server.run_pending()
        self.assertEqual(ann.call("update_pwd", **CHANGE)["status"], "ok")
        found.release()
        self.assertEqual(client.reply("1")["code"], "bad_credentials")


class WithoutExpiry(DeviceTestCase):
    limits = Limits(commands_per_second=0, session_days=0)

    def test_a_token_without_a_limit_in_days_does_not_expire(self) -> None:
        self.login("phone", remember=True).drop()
        self.server.clock.advance(4000 * DAY_S)
        self.assertEqual(self.code("phone"), "")


class OtherModes(SynchronousTestCase):
    def test_devices_are_ignored(self) -> None:
        for mode, feature in (
            ("devices", True),
            ("replace", False),
            ("refuse", False),
            ("share", False),
        ):
            server = TestServer(sessions=mode)
            server.connect().call("register", usr="ann", pwd="password")
            client = server.connect()
            self.assertEqual("devices" in client.call("hello")["features"], feature)
            reply = client.login("ann", pwd="password", device="phone", remember=True)
            self.assertEqual((reply["status"], "device_token" in reply), ("ok", feature))
            [session] = client.call("get_sessions")["sessions"]
            self.assertEqual("device" in session, feature)
            if not feature:
                token = {"type": "device", "device": "phone", "device_token": "t"}
                reply = server.connect().call("login", **token)
                self.assertEqual(reply["code"], "not_allowed")


class Limited(DeviceTestCase):
    limits = Limits(commands_per_second=0, devices_per_account=2, sessions_per_device=2)

    def test_a_login_beyond_the_limits_ends_the_oldest(self) -> None:
        phone = [self.login("phone", remember=True)]
        for _ in range(2):
            self.server.clock.advance(1)
            phone.append(self.login_device("phone")[0])
        self.assertEqual(
            [client.closed for client in phone],
            [(4001, "replaced: logged in elsewhere"), *[None] * 2],
        )
        laptop = self.login("laptop", remember=True)
        tablet = self.login("tablet")
        self.assertEqual([client.closed is None for client in phone], [False] * 3)
        self.assertEqual((laptop.closed, tablet.closed), (None, None))
        self.assertEqual((self.code("phone"), self.code("laptop")), ("bad_credentials", ""))
        [event] = phone[2].pushes("replaced")
        self.assertEqual(event["usr"], "ann")

    def test_the_defaults_are_twenty_of_each(self) -> None:
        limits = Limits()
        found = (limits.devices_per_account, limits.sessions_per_device, limits.session_days)
        self.assertEqual(found, (20, 20, 30))


class Lists(DeviceTestCase):
    def test_sessions_are_listed(self) -> None:
        self.login("phone", remember=True, device_name="My phone").drop()
        self.server.clock.advance(60)
        laptop = self.login("laptop")
        ann = self.login()
        self.login_device("phone")
        first, second, third, fourth = listed = self.listed(ann)
        self.assertEqual(len({session.pop("id") for session in listed}), 4)
        began = "2027-01-15T08:00:00.000Z"
        later = "2027-01-15T08:01:00.000Z"
        client = {"protocol": "gtchat", "address": "192.0.2.1"}
        phone = {"device": "phone", "device_name": "My phone", "remembered": True, **client}
        self.assertEqual(first, {**phone, "began": began, "last_seen": began})
        now = {"began": later, "last_seen": later, "online": True}
        self.assertIn({"device": "laptop", **client, **now}, (second, third, fourth))
        self.assertIn({**client, **now, "current": True}, (second, third, fourth))
        self.assertIn({**phone, **now}, (second, third, fourth))
        self.assertEqual(laptop.call("get_sessions")["sessions_total"], 4)

    def test_other_users_are_not_listed(self) -> None:
        self.login()
        self.assertEqual(len(self.listed(self.server.member("bob"))), 1)

    def test_sessions_end_in_the_list_when_they_can_not_be_resumed(self) -> None:
        self.login("phone", remember=True).drop()
        self.login("laptop").drop()
        self.server.clock.advance(DAY_S - 1)
        ann = self.login()
        self.assertEqual(len(self.listed(ann)), 3)
        self.server.clock.advance(2)
        phone, own = sorted(self.listed(ann), key=lambda one: "current" in one)
        self.assertEqual((phone["device"], "protocol" in phone), ("phone", False))
        self.assertTrue(own["current"])

    def test_a_list_that_is_too_long_has_the_newest(self) -> None:
        for number in range(15):
            self.login(f"{number:064}", device_name="\U00010000" * 64)
        ann = self.login()
        self.patch(reply_size, "REPLY_BYTES", 3_000)
        reply = ann.call("get_sessions")
        self.assertEqual(reply["sessions_total"], 16)
        self.assertIn(len(reply["sessions"]), range(2, 8))
        self.assertLess(len(json.dumps(reply, ensure_ascii=False).encode()), 3_000)
        self.assertTrue(reply["sessions"][-1])


class Ends(DeviceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.phone = self.login("phone", remember=True)
        self.laptop = self.login("laptop", remember=True)
        self.ann = self.login()

    def id_of(self, device: str | None) -> str:
        [found] = [one["id"] for one in self.listed(self.ann) if one.get("device") == device]
        return str(found)

    def test_a_session_is_ended_for_good_and_its_device_forgotten(self) -> None:
        with capturedLogs() as logs:
            reply = self.ann.call("end_session", id=self.id_of("phone"))
        self.assertEqual(reply["status"], "ok")
        [line] = [one for one in logs if one.get("log_namespace", "").endswith("audit")]
        self.assertEqual((line["name"], line["address"]), ("ann", "192.0.2.1"))
        self.assertEqual(self.phone.closed, (4001, "session_ended: by another session of the user"))
        self.assertEqual((self.code("phone"), self.code("laptop")), ("bad_credentials", ""))
        self.assertIsNone(self.ann.closed)

    def test_a_session_that_is_not_connected_is_ended(self) -> None:
        self.laptop.drop()
        with capturedLogs() as logs:
            self.ann.call("end_session", id=self.id_of("laptop"))
        self.assertIn("sessions_ended", [one.get("code") for one in logs])
        left = {one.get("device") for one in self.listed(self.ann)}
        self.assertEqual(left, {"phone", None})
        self.assertEqual(self.code("laptop"), "bad_credentials")

    def test_a_remembered_device_alone_is_forgotten(self) -> None:
        self.phone.call("logout")
        entry = self.id_of("phone")
        self.assertEqual(self.ann.call("end_session", id=entry)["status"], "ok")
        self.assertEqual(self.code("phone"), "bad_credentials")
        self.assertEqual(self.ann.call("end_session", id=entry)["status"], "ok")

    def test_the_session_that_asks_is_not_ended(self) -> None:
        self.assertEqual(self.ann.call("end_session", id=self.id_of(None))["code"], "self_target")
        self.assertIsNone(self.ann.closed)

    def test_a_session_of_another_user_is_not_ended(self) -> None:
        bob = self.server.member("bob")
        self.assertEqual(bob.call("end_session", id=self.id_of("phone"))["status"], "ok")
        self.assertIsNone(self.phone.closed)
        self.assertEqual(self.code("phone"), "")

    def test_all_others_are_ended(self) -> None:
        self.assertEqual(self.laptop.call("end_other_sessions")["status"], "ok")
        ended = (4001, "session_ended: by another session of the user")
        self.assertEqual(
            (self.phone.closed, self.ann.closed, self.laptop.closed), (ended, ended, None)
        )
        self.assertEqual((self.code("phone"), self.code("laptop")), ("bad_credentials", ""))

    def test_a_session_that_begins_meanwhile_goes_on(self) -> None:
        end = DelayedMethod(self, self.server, "end_other_sessions")
        self.ann.send("end_other_sessions", tracker="1")
        self.server.run_pending()
        begun = self.login("tablet")
        end.release()
        self.assertIsNone(begun.closed)
        self.assertIsNotNone(self.phone.closed)

    def test_logout_forgets_the_device_if_it_is_told_to(self) -> None:
        self.laptop.call("logout")
        self.phone.call("logout", forget=True)
        self.ann.call("logout", forget=True)
        self.assertEqual((self.code("phone"), self.code("laptop")), ("bad_credentials", ""))

    def test_a_changed_password_revokes_all_tokens(self) -> None:
        reply = self.phone.call("update_pwd", **CHANGE)
        self.assertEqual(reply["status"], "ok")
        changed = (4001, "password_changed: log in with the new password")
        self.assertEqual(
            (self.phone.closed, self.laptop.closed, self.ann.closed), (None, changed, changed)
        )
        self.assertEqual((self.code("phone"), self.code("laptop")), ("bad_credentials",) * 2)
        self.assertEqual(self.code("phone", reply["device_token"]), "")

    def test_a_session_without_a_token_gets_none_with_a_new_password(self) -> None:
        self.assertNotIn("device_token", self.ann.call("update_pwd", **CHANGE))

    def test_disconnected_users_keep_their_tokens(self) -> None:
        disconnecting = Deferred.fromCoroutine(self.server.chat.sessions.disconnect_user("ann"))
        self.server.run_pending()
        self.successResultOf(disconnecting)
        self.assertEqual(self.code("phone"), "")


class Reading(DeviceTestCase):
    """What a session was sent counts as read when it is replaced or ended by another one."""

    def unread(self, client: FakeClient, **fields: object) -> int:
        """Log Ann in again; return her unread messages in the lobby."""
        reply = client.login("ann", pwd="password", **fields)
        return int(reply["rooms"][0]["unread"])

    def test_what_ended_sessions_were_sent_is_read(self) -> None:
        ends: dict[str, Callable[[FakeClient], object]] = {
            "replaced by the next login": lambda other: None,
            "ended by another session": lambda other: other.call("end_other_sessions"),
            "ended by a changed password": lambda other: other.call(
                "update_pwd", pwd="password", new_pwd="password", new_pwd2="password"
            ),
        }
        for how, end in ends.items():
            for marks_read, buffered, expected in ((False, 0, 0), (False, 1, 1), (True, 0, 1)):
                for stays in (True, False):
                    self.setUp()
                    ann = self.login(marks_read=marks_read)
                    other = self.login("phone", marks_read=True)
                    self.server.guest("bob").call("speak", room_name="lobby", msg="hello")
                    ann.outbox.buffered_bytes = buffered
                    end(other)
                    if not stays:
                        other.drop()
                    unread = self.unread(self.server.connect(), marks_read=True)
                    self.assertEqual(unread, expected, (how, marks_read, buffered, stays))
