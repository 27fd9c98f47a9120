"""Logins, password changes and ends of guests that overtake each other, and restarts."""

from __future__ import annotations

from itertools import product
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NoSuchUser, NotStored
from gtchat.chat.interfaces import AccountState
from gtchat.chat.ownership import RoomSettings
from gtchat.chat.users import Session
from tests.chat.test_edge_cases import UUID, DelayedMethod
from tests.chat.test_messages import RoomTestCase
from tests.fakes import (
    FakeClient,
    RecordingConnection,
    RecordingEncoder,
    TestServer,
    bring_in_all,
)

CHANGE = {"pwd": "password", "new_pwd": "new password", "new_pwd2": "new password"}


class PasswordChanges(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.ann = self.server.member("ann")
        self.other = self.server.connect("192.0.2.9")
        self.held = self.server.passwords.held = []

    def finish(self, index: int) -> None:
        """Finish a check of a password that is held back."""
        self.held.pop(index).callback(None)
        self.server.run_pending()

    def send(self, client: FakeClient, cmd: str, **fields: object) -> None:
        client.send(cmd, tracker=cmd, **fields)
        self.server.run_pending()

    def test_login_proved_with_the_old_password_is_refused_after_the_change(self) -> None:  # D28
        for mode in ("replace", "share"):
            self.server = TestServer(sessions=mode)
            self.ann = self.server.member("ann")
            self.other = self.server.connect("192.0.2.9")
            self.held = self.server.passwords.held = []
            self.send(self.other, "login", type="reg", usr="ann", pwd="password")
            self.send(self.ann, "update_pwd", **CHANGE)
            self.finish(1)
            self.finish(1)
            self.assertEqual(self.ann.reply("update_pwd")["status"], "ok")
            self.finish(0)
            self.assertEqual(self.other.reply("login")["code"], "bad_credentials")
            self.assertIsNone(self.other.api.session)
            self.assertEqual(self.ann.call("ping")["status"], "ok")
            self.assertIsNone(self.ann.closed)

    def test_change_is_answered_before_a_login_replaces_its_session(self) -> None:  # D28
        self.send(self.ann, "update_pwd", **CHANGE)
        self.send(self.other, "login", type="reg", usr="ann", pwd="password")
        self.finish(1)
        self.assertIsNone(self.ann.closed)
        self.finish(0)
        self.finish(0)
        self.assertEqual(self.ann.reply("update_pwd")["status"], "ok")
        self.assertEqual(self.other.reply("login")["code"], "bad_credentials")
        self.assertIsNone(self.ann.closed)

    def test_login_that_waited_for_a_refused_change_succeeds(self) -> None:
        self.send(self.ann, "update_pwd", **CHANGE | {"pwd": "wrong password"})
        self.send(self.other, "login", type="reg", usr="ann", pwd="password")
        lost = self.server.connect()
        self.send(lost, "login", type="reg", usr="ann", pwd="password")
        self.finish(2)
        self.finish(1)
        lost.drop()
        self.finish(0)
        self.assertEqual(self.ann.reply("update_pwd")["code"], "bad_credentials")
        self.assertEqual(self.other.reply("login")["status"], "ok")
        self.assertEqual(self.ann.closed, (4001, "replaced: logged in elsewhere"))
        self.assertIsNone(self.other.closed)
        self.assertIsNone(lost.api.session)

    def test_of_two_changes_at_once_the_second_needs_the_new_password(self) -> None:
        self.server.passwords.held = None
        self.server = TestServer(sessions="share")
        ann, second = self.server.member("ann"), self.server.connect()
        second.login("ann", pwd="password")
        ann.send("update_pwd", tracker="1", **CHANGE)
        second.send("update_pwd", tracker="2", **CHANGE)
        third = self.server.connect()
        third.send("update_pwd", tracker="3", usr="ann", **CHANGE)
        self.server.run_pending()
        self.assertEqual(ann.reply("1")["status"], "ok")
        self.assertEqual(third.reply("3")["code"], "bad_credentials")
        self.assertEqual(second.closed, (4001, "password_changed: log in with the new password"))

    def test_session_that_is_resumed_elsewhere_during_the_change_goes_on(self) -> None:
        self.server.passwords.held = None
        login = self.other.login("ann", pwd="password")
        self.held = self.server.passwords.held = []
        self.send(self.other, "update_pwd", **CHANGE)
        resumed = self.server.connect()
        reply = resumed.call("resume", session_id=login["session_id"], epoch=login["epoch"])
        self.assertEqual(reply["status"], "ok")
        self.finish(0)
        self.finish(0)
        self.assertIsNone(resumed.closed)
        self.server.passwords.held = None
        client = self.server.connect()
        self.assertEqual(client.login("ann", pwd="new password")["status"], "ok")


class RefusedLogins(SynchronousTestCase):
    """A login on a connection that has a session changes nothing unless it succeeds."""

    def test_session_goes_on_after_a_refused_login(self) -> None:  # D29
        server = TestServer()
        client, bob = server.member("ann"), server.member("bob")
        bob.received()
        refused: list[tuple[dict[str, object], str]] = [
            ({"type": "reg", "usr": "bob", "pwd": "wrong password"}, "bad_credentials"),
            ({"type": "reg", "uuid": UUID}, "bad_credentials"),
            ({"type": "tmp", "usr": "Bob"}, "name_taken"),
            ({"type": "tmp", "usr": "a b"}, "bad_name"),
            ({"type": "tmp", "usr": "ANN"}, "already_logged_in"),
            ({"type": "reg", "usr": "ann", "pwd": "password"}, "already_logged_in"),
        ]
        for fields, code in refused:
            self.assertEqual(client.call("login", **fields)["code"], code)
        for name in ("login", "login_guest"):
            self.patch(server.store, name, lambda *_: fail(NotStored()))
        for fields in ({"usr": "bob", "pwd": "password"}, {"type": "tmp", "usr": "eve"}):
            self.assertEqual(client.call("login", **{"type": "reg"} | fields)["code"], "not_stored")
        self.assertEqual(bob.received(), [])
        self.assertEqual(client.call("speak", room_name="lobby", msg="x")["status"], "ok")

    def test_session_that_another_login_ends_is_not_replaced_as_well(self) -> None:
        server = TestServer()
        client, other = server.member("ann"), server.connect()
        delayed = DelayedMethod(self, server, "login_guest")
        client.send("login", type="tmp", usr="eve", tracker="1")
        server.run_pending()
        self.assertEqual(other.login("ann", pwd="password")["status"], "ok")
        delayed.release()
        self.assertEqual(client.reply("1")["usr"], "eve")
        self.assertEqual(client.pushes("replaced"), [])
        for name, one in (("eve", client), ("ann", other)):
            self.assertEqual(one.call("get_sessions")["sessions_total"], 1)
            assert one.api.session is not None
            self.assertEqual(one.api.session.user.name, name)

    def test_guest_of_a_connection_ends_when_another_logs_in_on_it(self) -> None:
        server = TestServer()
        ann, client = server.member("ann"), server.guest("gus")
        client.call("create_room", room_name="r")
        ann.received()
        self.assertEqual(client.login("hal")["status"], "ok")
        events = [(push["type"], push["usr"]) for push in ann.pushes("logout", "login")]
        self.assertEqual(events, [("logout", "gus"), ("login", "hal")])
        self.assertEqual(ann.call("join_room", room_name="r")["code"], "no_such_room")
        self.assertEqual(server.connect("198.51.100.1").login("gus")["status"], "ok")


class ReplacedSessions(RoomTestCase):
    """What a session was sent counts as read when it is replaced, as when it is lost."""

    def setUp(self) -> None:
        super().setUp()
        for room in ("r", "lobby"):
            self.ann.call("speak", room_name=room, msg="heard")

    def unread(self, client: FakeClient, pwd: str = "password") -> dict[str, int]:
        reply = client.login("bob", pwd=pwd)
        return {room["room_name"]: room["unread"] for room in reply["rooms"]}

    def test_messages_that_were_sent_are_read(self) -> None:
        self.assertEqual(self.unread(self.server.connect()), {"lobby": 0, "r": 0})

    def test_messages_that_did_not_leave_are_unread(self) -> None:
        self.bob.outbox.buffered_bytes = 1
        self.assertEqual(self.unread(self.server.connect()), {"lobby": 1, "r": 1})

    def test_messages_are_unread_that_a_session_with_marks_has_not_marked(self) -> None:
        self.bob.call("mark_read", room_name="lobby", seq=1)
        self.assertEqual(self.unread(self.server.connect()), {"lobby": 0, "r": 1})

    def test_messages_on_their_way_are_unread(self) -> None:
        login = self.server.store.login

        def login_after_a_message(*details: Any) -> Deferred[AccountState]:
            self.ann.send("speak", room_name="r", msg="on its way")
            return login(*details)

        self.patch(self.server.store, "login", login_after_a_message)
        self.assertEqual(self.unread(self.server.connect()), {"lobby": 0, "r": 1})

    def test_sessions_that_end_by_a_new_password_have_read_what_they_were_sent(self) -> None:
        self.server.connect().call("update_pwd", usr="bob", **CHANGE)
        self.assertEqual(self.unread(self.server.connect(), "new password"), {"lobby": 0, "r": 0})

    def test_user_who_is_disconnected_by_the_operator_has_read_what_was_sent(self) -> None:
        Deferred.fromCoroutine(self.server.chat.sessions.disconnect_user("bob"))
        self.server.run_pending()
        self.assertEqual(self.unread(self.server.connect()), {"lobby": 0, "r": 0})

    def test_login_of_another_user_on_the_connection_leaves_nothing_unread(self) -> None:
        self.assertEqual(self.bob.login("guest")["status"], "ok")
        self.assertEqual(self.unread(self.server.connect()), {"lobby": 0, "r": 0})

    def test_resume_counts_what_its_client_has_received(self) -> None:
        self.bob.outbox.buffered_bytes = 1
        _, reply = self.resume("bob", r=4, lobby=0)
        unread = {room["room_name"]: room["unread"] for room in reply["rooms"]}
        self.assertEqual(unread, {"lobby": 1, "r": 0})


class EndingGuests(SynchronousTestCase):
    """A guest whose end has begun and is not stored yet."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann, self.gus = self.server.member("ann"), self.server.guest("gus")
        for name in ("quiet", "garden"):
            self.ann.call("create_room", room_name=name)
        self.gus.call("join_room", room_name="garden")
        session = self.gus.api.session
        assert session is not None
        self.session: Session = session

    def begin_end(self) -> DelayedMethod:
        delayed = DelayedMethod(self, self.server, "begin_ending")
        self.gus.drop(clean=True)
        self.assertTrue(self.session.user.ending)
        return delayed

    def test_requests_about_the_guest_are_refused(self) -> None:
        delayed = self.begin_end()
        for cmd, fields in (
            ("add_member", {"room_name": "quiet", "user": "gus"}),
            ("invite", {"room_name": "quiet", "invitee": "gus"}),
            ("set_room", {"room_name": "garden", "master": "gus"}),
            ("block", {"user": "gus"}),
            ("whisper", {"target_user": "gus", "msg": "x"}),
        ):
            self.assertEqual(self.ann.call(cmd, **fields)["code"], "no_such_user", cmd)
        delayed.release()
        self.assertIsNone(self.server.chat.users.get("gus"))

    def test_requests_by_the_guest_are_refused(self) -> None:
        delayed = self.begin_end()
        for _ in range(2):
            for request in (
                self.server.chat.membership.create(self.session, "new", RoomSettings()),
                self.server.chat.membership.join(self.session, "quiet"),
            ):
                asked = Deferred.fromCoroutine(request)
                self.server.run_pending()  # who has ended is known to the store alone
                self.failureResultOf(asked, NoSuchUser)
            delayed.release()  # the same when the end is stored
        rooms = {room.name: list(room.members.values()) for room in self.server.chat.rooms}
        self.assertEqual(rooms, {"lobby": [], "quiet": ["ann"], "garden": ["ann"]})

    def test_guest_who_ends_while_the_name_is_looked_up_is_unknown(self) -> None:
        self.gus.drop()
        found = self.server.store._accounts.find("gus", None)
        self.server.clock.advance(120)
        self.server.run_pending()
        looked_up: Deferred[Any] = Deferred()
        self.patch(self.server.store, "find_account", lambda *_: looked_up)
        self.ann.send("block", user="gus", tracker="1")
        looked_up.callback(found)
        self.server.run_pending()
        self.assertEqual(self.ann.reply("1")["code"], "no_such_user")

    def test_blocks_end_with_the_guest(self) -> None:
        for name in ("online", "offline"):
            user = self.server.member(name)
            user.call("block", user="gus")
            self.gus.call("block", user=name)
            if name == "offline":
                user.call("logout")
        online = self.server.chat.users.get("online")
        assert online is not None
        self.assertEqual((len(online.blocked), len(online.blocked_by)), (1, 1))
        self.gus.call("logout")
        self.assertEqual((online.blocked, online.blocked_by), ({}, frozenset()))

    def test_login_waits_until_the_name_is_free(self) -> None:
        delayed = self.begin_end()
        other = self.server.connect("198.51.100.1")
        other.send("login", type="tmp", usr="Gus", tracker="1")
        self.server.run_pending()
        self.assertEqual(other.received(), [])
        delayed.release()
        self.assertEqual(other.reply("1")["usr"], "Gus")

    def test_member_whose_change_fails_after_a_kick_is_no_member(self) -> None:
        eve = self.server.member("eve")
        eve.send("join_room", room_name="quiet", tracker="1")
        self.ann.send("kick", room_name="quiet", user="eve", tracker="2")
        self.server.store._accounts.accounts.pop(eve.api.session.user.id)  # type: ignore[union-attr]
        self.server.run_pending()
        self.assertEqual(eve.reply("1")["code"], "no_such_user")
        self.assertEqual(list(self.server.chat.rooms.find("quiet").members.values()), ["ann"])

    def test_user_who_joins_a_room_that_is_deleted_gets_no_such_room(self) -> None:
        self.ann.send("delete_room", room_name="quiet")
        room = self.server.chat.rooms._by_key["quiet"]
        room.deleted = False
        self.gus.send("join_room", room_name="quiet", tracker="1")
        room.deleted = True
        self.server.run_pending()
        self.assertEqual(self.gus.reply("1")["code"], "no_such_room")


class Restarts(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()
        self.ann = self.server.member("ann")

    def live_chat_guest(self, name: str, address: str = "192.0.2.1") -> Session:
        """Log in a guest over a protocol without resume."""
        connection = RecordingConnection(address)
        connection.resumable = False
        login = self.server.chat.logins.login_guest(name, RecordingEncoder(), connection, None)
        waiting = Deferred.fromCoroutine(login)
        self.server.run_pending()
        return self.successResultOf(waiting).session

    def restart(self) -> None:
        """Start on the same store as after a kill: no session has ended."""
        self.ann = self.server.connect()
        self.server.start()

    def test_guest_has_the_name_again_at_once_from_the_same_network(self) -> None:  # H32
        for restarted, (address, same, other) in product(
            (True, False),
            (
                ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
                ("2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1"),
            ),
        ):
            gus = self.server.connect(address)
            gus.login("gus")
            if restarted:
                self.restart()
            else:
                gus.drop()
            self.assertEqual(self.server.connect(other).login("gus")["code"], "name_taken")
            again = self.server.connect(same)
            self.assertEqual(again.login("gus")["status"], "ok")
            again.call("logout")

    def test_guest_who_resumed_from_another_network_is_expected_there(self) -> None:
        login = self.server.connect().login("gus")
        moved = self.server.connect("198.51.100.1")
        moved.call("resume", session_id=login["session_id"], epoch=login["epoch"])
        self.restart()
        self.assertEqual(self.server.connect().login("gus")["code"], "name_taken")
        self.assertEqual(self.server.connect("198.51.100.1").login("gus")["status"], "ok")

    def test_guest_of_a_protocol_without_resume_ends_at_the_start(self) -> None:  # H32
        gus = self.live_chat_guest("gus")
        waiting = Deferred.fromCoroutine(
            self.server.chat.membership.create(gus, "den", RoomSettings())
        )
        self.server.run_pending()
        self.successResultOf(waiting)
        self.ann.call("join_room", room_name="den")
        self.restart()
        self.assertIsNone(self.server.chat.users.get("gus"))
        room = self.server.chat.rooms.find("den")
        self.assertEqual((list(room.members.values()), room.owner), (["ann"], "ann"))

    def test_names_are_free_before_all_guests_of_the_last_run_have_ended(self) -> None:
        for number in range(5):
            self.live_chat_guest(f"g{number}")
        held: list[Deferred[Any]] = []
        begin_ending = self.server.store.begin_ending

        def hold(account_id: int) -> Deferred[Any]:
            held.append(begin_ending(account_id))
            return held[-1] if len(held) > 1 else Deferred()

        self.patch(self.server.store, "begin_ending", hold)
        self.restart()
        self.assertEqual(self.live_chat_guest("g4", "198.51.100.1").user.name, "g4")

    def test_rooms_without_an_owner_get_one_or_are_deleted(self) -> None:  # H31
        guest = self.server.guest("gus")
        for name, others in (("a", [self.ann]), ("b", []), ("c", [guest])):
            self.ann.call("create_room", room_name=name)
            for other in others:
                other.call("join_room", room_name=name)
            if self.ann not in others:
                self.ann.call("leave_room", room_name=name)
        table = self.server.store._rooms
        for name in "abc":
            table.set_owner(table.keys[name], None)
        self.restart()
        bring_in_all(self.server)
        owners = {room.name: room.owner for room in self.server.chat.rooms if not room.is_lobby}
        self.assertEqual(owners, {"a": "ann", "c": "ann"})
        self.assertIsNone(self.server.chat.rooms.find("c").owner_id)
        self.server.clock.advance(120)
        self.server.run_pending()
        bring_in_all(self.server)
        self.assertEqual([room.name for room in self.server.chat.rooms], ["lobby", "a"])


class CopyPutBack(RoomTestCase):
    """The database is older than what a client was told."""

    def test_client_that_knows_more_begins_a_new_epoch(self) -> None:  # H33
        epoch = self.server.chat.epoch
        for _ in range(2):
            self.ann.call("speak", room_name="r", msg="lost with the newer database")
        old = self.server.store._rooms.keys["r"]
        del old.log[3:]
        old.message_count = 0
        self.server.start()
        ann = self.server.connect()
        ann.login("ann", pwd="password")
        for number in range(5):
            ann.call("speak", room_name="r", msg=str(number))
        with capturedLogs() as logs:
            _, reply = self.resume("bob", r=5, lobby=0)
            _, other = self.resume("eve", r=3, lobby=0)
        for answer in (reply, other):
            self.assertEqual({room["state"] for room in answer["resumed"]}, {"reset"})
        self.assertNotEqual(reply["epoch"], epoch)
        self.assertEqual({other["epoch"], ann.call("hello")["epoch"]}, {reply["epoch"]})
        warnings = [log["log_format"] for log in logs if log["log_level"].name == "warn"]
        self.assertEqual(len(warnings), 1)
        self.assertIn("copy of the database", warnings[0])
        self.server.start()
        self.assertEqual(self.server.chat.epoch, reply["epoch"])
        self.logins["bob"] = reply
        _, again = self.resume("bob", r=8, lobby=0)
        self.assertEqual({room["state"] for room in again["resumed"]}, {"resumed"})
