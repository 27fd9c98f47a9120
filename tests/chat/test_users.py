"""Coming, going, coming back."""

from __future__ import annotations

import uuid
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NoSuchUser
from gtchat.chat.limits import Limits
from gtchat.chat.users import Session
from tests.fakes import RecordingConnection, RecordingEncoder, TestServer

UUID = str(uuid.UUID(int=5, version=4))


class Registering(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = TestServer()
        self.line = self.world.connect()

    def code(self, cmd: str, **fields: object) -> str | None:
        reply = self.line.call(cmd, **fields)
        return reply.get("code")

    def test_what_is_refused(self) -> None:
        self.assertIsNone(self.code("register", usr="Ann", pwd="password"))
        for fields, code in (
            ({"usr": "ann", "pwd": "password"}, "name_taken"),
            ({"usr": "bob", "pwd": "1234567"}, "weak_password"),
            ({"usr": "bob", "pwd": "x" * 1025}, "weak_password"),
            ({"usr": "b b", "pwd": "password"}, "bad_name"),
            ({"usr": "", "pwd": "password"}, "bad_name"),
            ({"usr": "x" * 33, "pwd": "password"}, "bad_name"),
            ({"usr": "server", "pwd": "password"}, "bad_name"),
            ({"usr": "a@b", "pwd": "password"}, "bad_name"),
            ({"usr": "bob"}, "bad_request"),
            ({"pwd": "password"}, "bad_request"),
            ({"uuid": "x"}, "bad_request"),
            ({"uuid": str(uuid.UUID(int=5, version=1))}, "bad_request"),
        ):
            self.assertEqual(self.code("register", **fields), code, fields)

    def test_a_uuid_is_a_credential(self) -> None:
        self.assertIsNone(self.code("register", uuid=UUID, usr="ann"))
        self.assertEqual(self.code("register", uuid=UUID, usr="bob"), "name_taken")
        reply = self.line.call("login", type="reg", uuid=UUID)
        self.assertEqual(reply["usr"], "ann")
        self.assertEqual(
            self.code("login", type="reg", uuid=str(uuid.UUID(int=6, version=4))),
            "bad_credentials",
        )

    def test_a_uuid_without_a_name_gets_one(self) -> None:
        self.line.call("register", uuid=UUID)
        self.assertTrue(self.line.call("login", type="reg", uuid=UUID)["usr"].startswith("mobile"))

    def test_registrations_of_an_address_are_bounded(self) -> None:
        world = TestServer(
            Limits(commands_per_second=0, registrations_burst=2, registrations_per_minute=60)
        )
        line, other = world.connect(), world.connect("192.0.2.2")
        codes = [line.call("register", usr=f"u{n}", pwd="password").get("code") for n in range(3)]
        self.assertEqual(codes, [None, None, "rate_limited"])
        self.assertEqual(other.call("register", usr="u9", pwd="password")["status"], "ok")
        world.clock.advance(1)
        self.assertEqual(line.call("register", usr="u2", pwd="password")["status"], "ok")


class Passwords(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = TestServer(Limits(commands_per_second=0, failed_logins_per_minute=0))
        self.ann = self.world.member("ann")
        self.line = self.world.connect("192.0.2.2")

    def wrong(self, address: str = "192.0.2.2", name: str = "ann") -> str | None:
        line = self.world.connect(address)
        code: str | None = line.login(name, pwd="wrong password").get("code")
        return code

    def test_three_wrong_ones_lock_out_even_the_right_one(self) -> None:
        self.assertEqual([self.wrong() for _ in range(3)], ["bad_credentials"] * 3)
        reply = self.line.login("ann", pwd="password")
        self.assertEqual(reply["code"], "locked_out")
        self.assertAlmostEqual(reply["retry_after"], 60, places=1)
        self.world.clock.advance(60)
        self.assertEqual(self.line.login("ann", pwd="password")["status"], "ok")

    def test_a_lock_out_holds_for_its_address_alone(self) -> None:
        for _ in range(3):
            self.wrong()
        self.assertEqual(
            self.world.connect("192.0.2.3").login("ann", pwd="password")["status"], "ok"
        )

    def test_a_right_one_begins_the_count_anew(self) -> None:
        for _ in range(2):
            self.wrong()
        self.assertEqual(self.line.login("ann", pwd="password")["status"], "ok")
        for _ in range(2):
            self.assertEqual(self.wrong(), "bad_credentials")

    def test_an_unknown_name_is_told_and_locked_like_a_known_one(self) -> None:
        known = [self.wrong() for _ in range(4)]
        self.assertEqual([self.wrong(name="nobody") for _ in range(4)], known)
        self.assertEqual(self.wrong(name="no such name!"), "bad_credentials")

    def test_many_addresses_together_are_slowed_down_but_not_the_owner(self) -> None:  # D03
        codes = {self.wrong(f"198.51.100.{n}") for n in range(60)}
        self.assertEqual(codes, {"bad_credentials", "locked_out"})
        self.assertEqual(self.world.connect().login("ann", pwd="password")["status"], "ok")

    def test_failed_logins_of_an_address_are_bounded(self) -> None:  # D02
        self.world.limits = Limits(commands_per_second=0, failed_logins_per_minute=5)
        self.world.start()
        codes = [self.wrong(name=f"u{n}") for n in range(6)]
        self.assertEqual(codes, ["bad_credentials"] * 5 + ["rate_limited"])

    def test_changing_it(self) -> None:  # D14
        change = {"pwd": "password", "new_pwd": "new password", "new_pwd2": "new password"}
        for fields, code in (
            ({"new_pwd2": "other password"}, "password_mismatch"),
            ({"new_pwd": "short", "new_pwd2": "short"}, "weak_password"),
            ({"pwd": "wrong password"}, "bad_credentials"),
            ({"usr": "bob"}, "not_you"),
        ):
            self.assertEqual(self.ann.call("update_pwd", **{**change, **fields}).get("code"), code)
        self.assertEqual(self.ann.call("update_pwd", **change)["status"], "ok")
        self.assertEqual(self.line.login("ann", pwd="password")["code"], "bad_credentials")
        self.assertEqual(self.line.login("ann", pwd="new password")["status"], "ok")

    def test_changing_it_without_a_login_ends_sessions(self) -> None:
        change = {"pwd": "password", "new_pwd": "new password", "new_pwd2": "new password"}
        self.assertEqual(self.line.call("update_pwd", **change)["code"], "bad_request")
        self.assertEqual(self.line.call("update_pwd", usr="ann", **change)["status"], "ok")
        self.assertEqual(self.ann.closed, (4001, "the password was changed"))


class OnePlace(SynchronousTestCase):
    def test_a_login_elsewhere_replaces_the_session(self) -> None:  # D10
        world = TestServer()
        first = world.member("ann")
        second = world.connect("192.0.2.9")
        self.assertEqual(second.login("ann", pwd="password")["status"], "ok")
        [event] = first.pushes("replaced")
        self.assertEqual(event["address"], "192.0.2.9")
        self.assertEqual(first.closed, (4001, "logged in elsewhere"))

    def test_or_is_refused(self) -> None:
        world = TestServer(sessions="refuse")
        world.member("ann")
        reply = world.connect().login("ann", pwd="password")
        self.assertEqual(reply["code"], "already_logged_in")

    def test_or_shares_the_account(self) -> None:
        world = TestServer(sessions="share")
        first = world.member("ann")
        second = world.connect()
        second.login("ann", pwd="password")
        bob = world.guest("bob")
        bob.call("whisper", target_user="ann", msg="hi")
        for line in (first, second):
            self.assertEqual([p["msg"] for p in line.pushes("c_whisper")], ["hi"])
        first.call("speak", room_name="lobby", msg="from here")
        self.assertEqual([p["msg"] for p in second.pushes("c_speak")], ["from here"])
        self.assertEqual(first.pushes("c_speak"), [])

    def test_a_second_login_on_a_connection(self) -> None:  # D16
        world = TestServer()
        bob = world.guest("bob")
        line = world.member("ann")
        self.assertEqual(line.login("ann", pwd="password")["code"], "already_logged_in")
        self.assertEqual(line.login("bob")["code"], "name_taken")
        bob.received()
        self.assertEqual(line.login("eve")["status"], "ok")
        events = [(p["type"], p["usr"]) for p in bob.pushes("login", "logout")]
        self.assertEqual(events, [("logout", "ann"), ("login", "eve")])


class Guests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = TestServer()
        self.ann = self.world.member("ann")
        self.guest = self.world.guest("Guest")
        self.ann.call("create_room", room_name="r")
        self.guest.call("join_room", room_name="r")
        self.ann.received()

    def test_a_guest_can_take_no_name_that_is_taken(self) -> None:
        for name in ("ann", "ANN", "guest"):
            self.assertEqual(self.world.connect("192.0.2.2").login(name)["code"], "name_taken")

    def test_logging_out_he_leaves_his_rooms_and_his_name(self) -> None:
        self.guest.call("logout")
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])
        self.assertEqual(self.world.connect("192.0.2.2").login("guest")["status"], "ok")

    def test_closing_his_client_he_leaves(self) -> None:  # F12
        self.guest.drop(clean=True)
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])

    def test_losing_his_connection_he_is_waited_for(self) -> None:  # F12
        self.guest.drop()
        self.assertEqual([p["type"] for p in self.ann.pushes("logout")], ["logout"])
        self.world.clock.advance(119)
        self.world.run_pending()
        self.assertEqual(self.ann.pushes(), [])
        self.world.clock.advance(1)
        self.world.run_pending()
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])

    def test_from_the_same_address_he_may_come_anew(self) -> None:
        self.guest.drop()
        self.assertEqual(self.world.connect("192.0.2.2").login("guest")["code"], "name_taken")
        self.assertEqual(self.world.connect().login("guest")["status"], "ok")
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])

    def test_after_a_restart_he_is_waited_for_too(self) -> None:
        self.guest.drop()
        self.world.start()
        self.assertEqual(self.world.connect("192.0.2.2").login("guest")["code"], "name_taken")
        self.world.clock.advance(120)
        self.world.run_pending()
        self.assertEqual(self.world.connect("192.0.2.2").login("guest")["status"], "ok")


class Presence(SynchronousTestCase):
    def test_a_few_are_told_one_by_one_and_many_together(self) -> None:  # G06
        world = TestServer()
        ann = world.guest("ann")
        world.clock.advance(2)
        ann.received()
        lines = [world.guest(f"u{n:02}") for n in range(30)]
        told = ann.pushes("login")
        self.assertEqual([p["usr"] for p in told], [f"u{n:02}" for n in range(20)])
        lines[29].call("logout")
        world.clock.advance(1)
        world.run_pending()
        [many] = ann.pushes("presence")
        self.assertEqual(many["logins"], [f"u{n:02}" for n in range(20, 29)])
        self.assertEqual(many["logouts"], [])
        lines[0].call("logout")
        world.clock.advance(1)
        [many] = ann.pushes("presence")
        self.assertEqual(many["logouts"], ["u00"])
        world.clock.advance(1)
        lines[1].call("logout")
        self.assertEqual([p["usr"] for p in ann.pushes("logout")], ["u01"])


class Lists(SynchronousTestCase):
    def test_long_lists_are_paged(self) -> None:  # G05
        world = TestServer()
        lines = [world.guest(f"u{n:03}") for n in range(230)]
        reply = lines[0].call("get_user_list")
        self.assertEqual((len(reply["users"]), reply["users_total"]), (200, 230))
        rest = lines[0].call("get_user_list", after=reply["users"][-1], limit=1000)
        self.assertEqual(rest["users"], [f"u{n:03}" for n in range(200, 230)])
        self.assertEqual(lines[0].call("get_user_list", limit=0)["code"], "bad_request")
        for n in range(230):
            lines[n].call("create_room", room_name=f"r{n:03}")
        page = lines[7].call("get_room_list", limit=3)
        names = [room["room_name"] for room in page["rooms"]]
        self.assertEqual(names, ["lobby", "r007", "r000"])
        self.assertEqual(page["rooms_total"], 231)
        found, after = [], None
        while True:
            fields = {"after": after} if after else {}
            rooms = lines[7].call("get_room_list", limit=50, **fields)["rooms"]
            if not rooms:
                break
            found += [room["room_name"] for room in rooms]
            after = found[-1]
        self.assertEqual(sorted(found), ["lobby", *(f"r{n:03}" for n in range(230))])


class Operator(SynchronousTestCase):
    """The server speaks itself, and puts people out."""

    def setUp(self) -> None:
        self.world = TestServer()

    def login_host(self, world: TestServer) -> Session:
        connection = RecordingConnection("")
        entering = Deferred.fromCoroutine(
            world.chat.sessions.login_host(RecordingEncoder(), connection)
        )
        world.run_pending()
        return self.successResultOf(entering)

    def test_the_host_has_a_name_that_nobody_else_gets(self) -> None:
        ann = self.world.guest("ann")
        host = self.login_host(self.world)
        self.assertEqual([push["usr"] for push in ann.received()], ["Host"])
        self.world.chat.speak(host, "lobby", "hello", None, lambda result: None)
        self.world.run_pending()
        self.assertEqual([push["msg"] for push in ann.pushes("c_speak")], ["hello"])
        self.assertEqual(self.world.connect().login("host")["code"], "bad_name")
        self.world.start()
        self.login_host(self.world)

    def disconnect_user(self, name: str) -> Deferred[str]:
        putting = Deferred.fromCoroutine(self.world.chat.sessions.disconnect_user(name))
        self.world.run_pending()
        return putting

    def test_people_are_put_out(self) -> None:
        ann, bob = self.world.member("ann"), self.world.guest("bob")
        self.assertEqual(self.successResultOf(self.disconnect_user("BOB")), "bob")
        self.assertEqual(bob.closed, (4002, "disconnected by the operator"))
        self.assertEqual([push["type"] for push in ann.received() if "type" in push][-1], "logout")
        self.assertEqual(self.world.connect().login("bob")["status"], "ok")
        self.successResultOf(self.disconnect_user("ann"))
        self.assertEqual(ann.closed, (4002, "disconnected by the operator"))
        for name in ("ann", "nobody", "no name"):
            self.failureResultOf(self.disconnect_user(name), NoSuchUser)

    def test_one_who_goes_while_he_is_put_out(self) -> None:
        ann = self.world.member("ann")
        end_session = self.world.store.end_session
        answers: list[Deferred[None]] = []

        def held(*details: Any) -> Deferred[None]:
            end_session(*details)
            answers.append(Deferred())
            return answers[-1]

        self.patch(self.world.store, "end_session", held)
        putting = self.disconnect_user("ann")
        ann.drop()
        answers[0].callback(None)
        self.assertEqual(self.successResultOf(putting), "ann")
