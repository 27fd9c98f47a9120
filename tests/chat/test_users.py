"""Users: registration, passwords, second logins, guests, presence, lists, the operator."""

from __future__ import annotations

import uuid

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import BadCredentials, NoSuchUser
from gtchat.chat.limits import Limits
from gtchat.chat.users import Session
from tests.chat.test_edge_cases import DelayedMethod, refuse
from tests.fakes import FakeClient, RecordingConnection, RecordingEncoder, TestServer

UUID = str(uuid.UUID(int=5, version=4))


class Registration(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.client = self.server.connect()

    def code(self, cmd: str, **fields: object) -> str | None:
        reply = self.client.call(cmd, **fields)
        return reply.get("code")

    def test_invalid_registrations_are_refused(self) -> None:
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
            ({"uuid": "-" * 36}, "bad_request"),
            ({"uuid": str(uuid.UUID(int=5, version=1))}, "bad_request"),
        ):
            self.assertEqual(self.code("register", **fields), code, fields)

    def test_uuid_is_a_credential(self) -> None:
        self.assertIsNone(self.code("register", uuid=UUID, usr="ann"))
        self.assertEqual(self.code("register", uuid=UUID, usr="bob"), "name_taken")
        reply = self.client.call("login", type="reg", uuid=UUID)
        self.assertEqual(reply["usr"], "ann")
        self.assertEqual(
            self.code("login", type="reg", uuid=str(uuid.UUID(int=6, version=4))),
            "bad_credentials",
        )

    def test_uuid_without_a_name_gets_one(self) -> None:
        self.client.call("register", uuid=UUID)
        self.assertTrue(
            self.client.call("login", type="reg", uuid=UUID)["usr"].startswith("mobile")
        )


class Passwords(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer(Limits(commands_per_second=0, failed_logins_per_minute=0))
        self.ann = self.server.member("ann")
        self.client = self.server.connect("192.0.2.2")

    def test_a_protocol_has_a_lockout_of_its_own(self) -> None:
        connection = RecordingConnection("192.0.2.2")
        for _ in range(3):
            login = self.server.chat.logins.login(
                "ann", "wrong", None, RecordingEncoder(), connection, None, lockout_seconds=30
            )
            done = Deferred.fromCoroutine(login)
            self.server.run_pending()
            self.failureResultOf(done, BadCredentials)
        self.assertAlmostEqual(self.client.login("ann", pwd="password")["retry_after"], 30, 1)
        self.server.clock.advance(30)
        self.assertEqual(self.client.login("ann", pwd="password")["status"], "ok")

    def test_password_change_checks_its_input(self) -> None:  # D14
        change = {"pwd": "password", "new_pwd": "new password", "new_pwd2": "new password"}
        for fields, code in (
            ({"new_pwd2": "other password"}, "password_mismatch"),
            ({"new_pwd": "short", "new_pwd2": "short"}, "weak_password"),
            ({"pwd": "wrong password"}, "bad_credentials"),
            ({"usr": "bob"}, "not_you"),
        ):
            self.assertEqual(self.ann.call("update_pwd", **{**change, **fields}).get("code"), code)
        self.assertEqual(self.ann.call("update_pwd", **change)["status"], "ok")
        self.assertEqual(self.client.login("ann", pwd="password")["code"], "bad_credentials")
        self.assertEqual(self.client.login("ann", pwd="new password")["status"], "ok")

    def test_password_change_without_a_session_ends_all_sessions(self) -> None:
        change = {"pwd": "password", "new_pwd": "new password", "new_pwd2": "new password"}
        self.assertEqual(self.client.call("update_pwd", **change)["code"], "bad_request")
        self.assertEqual(self.client.call("update_pwd", usr="ann", **change)["status"], "ok")
        self.assertEqual(self.ann.closed, (4001, "password_changed: log in with the new password"))


class SecondLogin(SynchronousTestCase):
    def test_login_elsewhere_replaces_the_session(self) -> None:  # D10
        server = TestServer()
        first = server.member("ann")
        second = server.connect("192.0.2.9")
        self.assertEqual(second.login("ann", pwd="password")["status"], "ok")
        [event] = first.pushes("replaced")
        self.assertEqual(event["address"], "192.0.2.9")
        self.assertEqual(first.closed, (4001, "replaced: logged in elsewhere"))

    def test_login_elsewhere_can_be_refused(self) -> None:
        server = TestServer(sessions="refuse")
        server.member("ann")
        reply = server.connect().login("ann", pwd="password")
        self.assertEqual(reply["code"], "already_logged_in")

    def test_a_session_that_was_lost_ends_with_the_next_login(self) -> None:
        for mode, code in (("replace", "bad_session"), ("refuse", "bad_session"), ("share", None)):
            server = TestServer(sessions=mode)
            server.member("ann").call("logout")
            first = server.connect()
            login = first.login("ann", pwd="password")
            first.drop()
            second = server.connect()
            self.assertEqual(second.login("ann", pwd="password")["status"], "ok")
            seen = {"session_id": login["session_id"], "epoch": login["epoch"]}
            self.assertEqual(server.connect().call("resume", **seen).get("code"), code)
            self.assertEqual(second.call("ping")["status"], "ok")

    def test_of_two_logins_at_once_one_session_stays(self) -> None:
        for mode, count in (("replace", 1), ("refuse", 1), ("share", 2)):
            server = TestServer(sessions=mode)
            server.member("ann").call("logout")
            clients = [server.connect() for _ in range(2)]
            for client in clients:
                client.send("login", type="reg", usr="ann", pwd="password", tracker="1")
            server.run_pending()
            replies = [client.reply("1") for client in clients]
            sessions = [reply["session_id"] for reply in replies if reply["status"] == "ok"]
            self.assertEqual(len(sessions), 1 if mode == "refuse" else 2)
            server.start()
            codes = [
                server.connect().call("resume", session_id=one, epoch=server.chat.epoch).get("code")
                for one in sessions
            ]
            self.assertEqual(codes.count(None), count, mode)

    def test_sessions_can_share_an_account(self) -> None:
        server = TestServer(sessions="share")
        first = server.member("ann")
        second = server.connect()
        second.login("ann", pwd="password")
        bob = server.guest("bob")
        bob.call("whisper", target_user="ann", msg="hi")
        for client in (first, second):
            self.assertEqual([p["msg"] for p in client.pushes("c_whisper")], ["hi"])
        first.call("speak", room_name="lobby", msg="from here")
        self.assertEqual([p["msg"] for p in second.pushes("c_speak")], ["from here"])
        self.assertEqual(first.pushes("c_speak"), [])

    def test_second_login_on_a_connection_ends_the_first_session(self) -> None:  # D16
        server = TestServer()
        bob = server.guest("bob")
        client = server.member("ann")
        self.assertEqual(client.login("ann", pwd="password")["code"], "already_logged_in")
        self.assertEqual(client.login("bob")["code"], "name_taken")
        bob.received()
        self.assertEqual(client.login("eve")["status"], "ok")
        events = [(p["type"], p["usr"]) for p in bob.pushes("login", "logout")]
        self.assertEqual(events, [("logout", "ann"), ("login", "eve")])

    def test_refused_name_does_not_end_the_first_session(self) -> None:
        server = TestServer()
        server.member("eve")
        cop, guest = server.member("cop"), server.guest("BEP")
        similar, own = "\u0441\u043e\u0440", "\u0412\u0415\u0420"
        for client, name in ((cop, similar), (guest, similar), (guest, own)):
            self.assertEqual(client.login(name)["code"], "name_taken")
            self.assertEqual(client.call("ping")["status"], "ok")
        self.assertEqual(server.chat.users.online.page(None, 9), ["BEP", "cop", "eve"])


class Guests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.ann = self.server.member("ann")
        self.guest = self.server.guest("Guest")
        self.ann.call("create_room", room_name="r")
        self.guest.call("join_room", room_name="r")
        self.ann.received()

    def test_guest_cannot_take_a_name_in_use(self) -> None:
        for name in ("ann", "ANN", "guest"):
            self.assertEqual(self.server.connect("192.0.2.2").login(name)["code"], "name_taken")

    def test_name_that_looks_like_one_in_use_is_refused(self) -> None:  # D08
        self.server.guest("cop")
        other = self.server.connect("192.0.2.2")
        for name in ("\u0441\u043e\u0440", "\u0421\u041e\u0420"):
            self.assertEqual(other.login(name)["code"], "name_taken")
            self.assertEqual(other.call("register", usr=name, pwd="password")["code"], "name_taken")
        self.assertEqual(other.login("c0p")["status"], "ok")

    def test_guest_who_logs_out_leaves_rooms_and_name(self) -> None:
        self.guest.call("logout")
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])
        self.assertEqual(self.server.connect("192.0.2.2").login("guest")["status"], "ok")

    def test_guest_who_closes_the_client_leaves(self) -> None:  # F12
        self.guest.drop(clean=True)
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])

    def test_guest_with_a_lost_connection_has_a_grace_period(self) -> None:  # F12
        self.guest.drop()
        self.assertEqual([p["type"] for p in self.ann.pushes("logout")], ["logout"])
        self.server.clock.advance(119)
        self.server.run_pending()
        self.assertEqual(self.ann.pushes(), [])
        self.server.clock.advance(1)
        self.server.run_pending()
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])

    def test_guest_can_log_in_again_from_the_same_address(self) -> None:
        self.guest.drop()
        self.assertEqual(self.server.connect("192.0.2.2").login("guest")["code"], "name_taken")
        self.assertEqual(self.server.connect().login("guest")["status"], "ok")
        self.assertEqual([p["type"] for p in self.ann.pushes()], ["leave_room"])

    def test_guest_has_a_grace_period_after_a_restart(self) -> None:
        self.guest.drop()
        self.server.start()
        self.assertEqual(self.server.connect("192.0.2.2").login("guest")["code"], "name_taken")
        self.server.clock.advance(120)
        self.server.run_pending()
        self.assertEqual(self.server.connect("192.0.2.2").login("guest")["status"], "ok")

    def test_guests_who_can_come_back_are_limited_by_network(self) -> None:
        server = TestServer(Limits(commands_per_second=0, connections_per_address=3))
        watcher = server.connect("198.51.100.1")
        watcher.login("watcher")
        clients = {}
        for number in range(1, 7):
            clients[number] = server.connect(f"2001:db8::{number}")
            clients[number].login(f"g{number}")
        other = server.connect("2001:db8:0:1::1")
        other.login("other")
        watcher.received()

        def lost(client: FakeClient) -> list[str]:
            """Lose a connection. Return who is not waited for any more."""
            names = [user.name for user in server.chat.users]
            client.drop()
            known = [user.name for user in server.chat.users]
            return [name for name in names if name not in known]

        self.assertEqual([lost(clients[n]) for n in (2, 1, 3)], [[], [], []])
        self.assertEqual(lost(other), [])
        self.assertEqual(lost(clients[4]), ["g2"])
        back = server.connect("2001:db8::9")
        self.assertEqual(back.login("g1")["status"], "ok")
        self.assertEqual(lost(clients[5]), [])
        self.assertEqual(lost(clients[6]), ["g3"])
        clients[7] = server.connect("2001:db8::7")
        clients[7].login("g7")
        clients[7].drop(clean=True)
        server.clock.advance(1)
        self.assertEqual(
            {user.name for user in server.chat.users}, {"watcher", "other", "g1", "g4", "g5", "g6"}
        )
        server.clock.advance(120)
        server.run_pending()
        self.assertEqual({user.name for user in server.chat.users}, {"watcher", "g1"})
        self.assertEqual(server.chat._guests._waiting, {})

    def test_without_a_limit_of_connections_all_guests_can_come_back(self) -> None:
        server = TestServer(Limits(commands_per_second=0, connections_per_address=0))
        for number in range(300):
            server.guest(f"g{number}").drop()
        self.assertEqual(len(list(server.chat.users)), 300)

    def test_guests_who_can_not_be_ended_are_kept(self) -> None:
        server = TestServer(Limits(commands_per_second=0, connections_per_address=1))
        end_guest = server.store.end_guest
        refuse(self, server, "end_guest")
        for number in range(3):
            server.guest(f"g{number}").drop()
        self.assertEqual(len(list(server.chat.users)), 3)
        server.store.end_guest = end_guest  # type: ignore[method-assign]
        server.clock.advance(121)
        server.run_pending()
        self.assertEqual(list(server.chat.users), [])


class Presence(SynchronousTestCase):
    def test_few_logins_are_announced_singly_and_many_together(self) -> None:  # G06
        server = TestServer()
        ann = server.guest("ann")
        server.clock.advance(2)
        ann.received()
        clients = [server.guest(f"u{n:02}") for n in range(30)]
        events = ann.pushes("login")
        self.assertEqual([p["usr"] for p in events], [f"u{n:02}" for n in range(20)])
        clients[29].call("logout")
        server.clock.advance(1)
        server.run_pending()
        [event] = ann.pushes("presence")
        self.assertEqual(event["logins"], [f"u{n:02}" for n in range(20, 29)])
        self.assertEqual(event["logouts"], ["u29"])
        clients[0].call("logout")
        server.clock.advance(1)
        [event] = ann.pushes("presence")
        self.assertEqual(event["logouts"], ["u00"])
        server.clock.advance(1)
        clients[1].call("logout")
        self.assertEqual([p["usr"] for p in ann.pushes("logout")], ["u01"])


class Lists(SynchronousTestCase):
    def test_long_lists_are_paged(self) -> None:  # G05
        server = TestServer()
        clients = [server.guest(f"u{n:03}") for n in range(230)]
        reply = clients[0].call("get_user_list")
        self.assertEqual((len(reply["users"]), reply["users_total"]), (200, 230))
        rest = clients[0].call("get_user_list", after=reply["users"][-1], limit=1000)
        self.assertEqual(rest["users"], [f"u{n:03}" for n in range(200, 230)])
        self.assertEqual(clients[0].call("get_user_list", limit=0)["code"], "bad_request")
        for n in range(230):
            clients[n].call("create_room", room_name=f"r{n:03}")
        page = clients[7].call("get_room_list", limit=3)
        names = [room["room_name"] for room in page["rooms"]]
        self.assertEqual(names, ["lobby", "r007", "r000"])
        self.assertEqual(page["rooms_total"], 231)
        found, after = [], None
        while True:
            fields = {"after": after} if after else {}
            rooms = clients[7].call("get_room_list", limit=50, **fields)["rooms"]
            if not rooms:
                break
            found += [room["room_name"] for room in rooms]
            after = found[-1]
        self.assertEqual(sorted(found), ["lobby", *(f"r{n:03}" for n in range(230))])


class Operator(SynchronousTestCase):
    """The session of the server itself, and disconnecting users."""

    def setUp(self) -> None:
        self.server = TestServer()

    def login_host(self, server: TestServer) -> Session:
        connection = RecordingConnection("")
        login = Deferred.fromCoroutine(
            server.chat.logins.login_host(RecordingEncoder(), connection)
        )
        server.run_pending()
        return self.successResultOf(login)

    def test_host_name_is_reserved(self) -> None:
        ann = self.server.guest("ann")
        host = self.login_host(self.server)
        self.assertEqual([push["usr"] for push in ann.received()], ["Host"])
        self.server.chat.speak(host, "lobby", "hello", None, lambda result: None)
        self.server.run_pending()
        self.assertEqual([push["msg"] for push in ann.pushes("c_speak")], ["hello"])
        self.assertEqual(self.server.connect().login("host")["code"], "bad_name")
        self.server.start()
        self.login_host(self.server)

    def disconnect_user(self, name: str) -> Deferred[str]:
        disconnecting = Deferred.fromCoroutine(self.server.chat.sessions.disconnect_user(name))
        self.server.run_pending()
        return disconnecting

    def test_operator_can_disconnect_users(self) -> None:
        ann, bob = self.server.member("ann"), self.server.guest("bob")
        self.assertEqual(self.successResultOf(self.disconnect_user("BOB")), "bob")
        self.assertEqual(bob.closed, (4002, "kicked: disconnected by the operator"))
        self.assertEqual([push["type"] for push in ann.received() if "type" in push][-1], "logout")
        self.assertEqual(self.server.connect().login("bob")["status"], "ok")
        self.successResultOf(self.disconnect_user("ann"))
        self.assertEqual(ann.closed, (4002, "kicked: disconnected by the operator"))
        for name in ("ann", "unknown", "no name"):
            self.failureResultOf(self.disconnect_user(name), NoSuchUser)

    def test_user_who_leaves_while_being_disconnected(self) -> None:
        ann = self.server.member("ann")
        end = DelayedMethod(self, self.server, "end_other_sessions")
        disconnecting = self.disconnect_user("ann")
        ann.drop()
        end.release()
        self.assertEqual(self.successResultOf(disconnecting), "ann")
