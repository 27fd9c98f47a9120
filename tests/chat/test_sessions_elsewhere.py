"""Sessions and temporary users on two nodes: what one node hears of the other."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import live_sessions
from gtchat.chat.errors import NoSuchUser, NotStored
from gtchat.chat.guests import GUEST_GRACE_S
from gtchat.chat.interfaces import Account, StoredGuest
from gtchat.chat.live_sessions import token_hash
from gtchat.chat.node_records import (
    AccountEnded,
    EpochBegun,
    Foreign,
    NodeGone,
    Online,
    SessionsEnded,
    SystemEntry,
)
from gtchat.chat.users import User
from gtchat.protocols.gtchat_json.api import API_Chatroom
from gtchat.store.memory.rows import SessionRow
from tests.chat.test_edge_cases import DelayedMethod, refuse
from tests.chat.test_session_races import CHANGE
from tests.fakes import FakeClient, RecordingConnection, RecordingEncoder, TestServer, nodes

REPLACED = (4001, "replaced: logged in elsewhere")
OTHER_NETWORK = "198.51.100.1"


class TwoNodes(SynchronousTestCase):
    """Two nodes, `a` and `b`, with one clock.

    Attributes:
        options: of both.
    """

    options: dict[str, Any] = {}

    def setUp(self) -> None:
        self.a, self.b = nodes(2, **self.options)
        self.tables = self.a.store._tables

    def run_pending(self) -> None:
        self.a.run_pending()

    def wait(self, seconds: float) -> None:
        self.a.clock.advance(seconds)
        self.run_pending()

    def look(self, server: TestServer) -> None:
        """Let a node hear what the other one has written, where nodes do not wake each other."""
        server.store.look()
        self.run_pending()

    def login(
        self, server: TestServer, name: str, address: str = "192.0.2.1", **fields: object
    ) -> tuple[FakeClient, dict[str, Any]]:
        """Log in at a node, as a temporary user if no password is given; return the reply too."""
        client = server.connect(address)
        return client, client.login(name, **fields)

    def member(self, server: TestServer, name: str, **fields: object) -> FakeClient:
        """Log a registered user in at a node."""
        server.connect().call("register", usr=name, pwd="password")
        client, reply = self.login(server, name, pwd="password", **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return client

    def guest(self, server: TestServer, name: str) -> tuple[FakeClient, dict[str, Any]]:
        client, reply = self.login(server, name)
        self.assertEqual(reply["status"], "ok", reply)
        return client, reply

    def resume(
        self,
        server: TestServer,
        login: dict[str, Any],
        address: str = "192.0.2.1",
        **seen: int,
    ) -> tuple[FakeClient, dict[str, Any]]:
        client = server.connect(address)
        return client, client.call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen=seen
        )

    def live_chat_guest(self, name: str) -> RecordingConnection:
        """Log in a guest who cannot resume, at node `a`."""
        connection = RecordingConnection()
        connection.resumable = False
        login = self.a.chat.logins.login_guest(name, RecordingEncoder(), connection, None)
        Deferred.fromCoroutine(login)
        self.run_pending()
        return connection

    def row(self, login: dict[str, Any]) -> SessionRow:
        """Return what is stored of the session of a login."""
        return self.tables.accounts.sessions[token_hash(login["session_id"])]

    def is_stored(self, login: dict[str, Any]) -> bool:
        return token_hash(login["session_id"]) in self.tables.accounts.sessions

    def kill(self, server: TestServer, heir: TestServer) -> None:
        """End a node as if it had been killed; another one finds that out."""
        self.patch(server.store, "wake", lambda: None)
        heir.store.expire(server.store)
        self.run_pending()


class Resume(TwoNodes):
    def setUp(self) -> None:
        super().setUp()
        self.ann, self.bob = self.member(self.a, "ann"), self.member(self.b, "bob")
        self.ann.call("logout")
        self.ann, self.login_of_ann = self.login(self.a, "ann", pwd="password")
        self.bob.received()

    def test_resume_moves_the_session(self) -> None:
        again, reply = self.resume(self.b, self.login_of_ann, "192.0.2.7", lobby=0)
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(self.ann.closed, REPLACED)
        [push] = self.ann.pushes("replaced")
        self.assertEqual(push["address"], "192.0.2.7")
        self.assertIsNone(self.a.chat.users.get("ann"))
        self.bob.call("speak", room_name="lobby", msg="hi")
        self.assertEqual([push["msg"] for push in again.pushes()], ["hi"])
        self.assertEqual(self.row(self.login_of_ann).node_id, self.b.store.node_id)
        # And back again.
        _, reply = self.resume(self.a, self.login_of_ann, lobby=0)
        self.assertEqual((reply["status"], again.closed), ("ok", REPLACED))

    def test_a_session_that_was_lost_elsewhere_is_resumed_without_a_word(self) -> None:
        self.ann.drop()
        before = len(self.tables.system)
        _, reply = self.resume(self.b, self.login_of_ann)
        self.assertEqual(reply["status"], "ok")
        told = [type(entry) for _, entry in self.tables.system[before:]]
        self.assertNotIn(SessionsEnded, told)

    def test_a_late_loss_does_not_end_the_moved_session(self) -> None:
        self.tables.wakes = False
        self.a.connect().call("register", usr="cat", pwd="password")
        for lose in (
            lambda: self.ann.drop(),
            lambda: self.ann.send("login", type="reg", usr="cat", pwd="password"),
            lambda: self.ann.send("login", type="tmp", usr="dan"),
        ):
            self.ann, login = self.login(self.a, "ann", pwd="password")
            again, reply = self.resume(self.b, login, lobby=0)
            self.assertEqual(reply["status"], "ok")
            lose()
            self.run_pending()
            self.look(self.a)
            row = self.row(login)
            self.assertEqual((row.expires_from, row.node_id), (None, self.b.store.node_id))
            self.assertEqual(again.call("get_sessions")["status"], "ok")
            self.assertIsNone(again.closed)
            again.call("logout")

    def test_a_loss_after_the_move_back_counts(self) -> None:
        _, reply = self.resume(self.b, self.login_of_ann)
        again, reply = self.resume(self.a, self.login_of_ann)
        again.drop()
        self.assertIsNotNone(self.row(self.login_of_ann).expires_from)

    def test_a_room_that_was_created_elsewhere_is_not_reset(self) -> None:
        self.tables.wakes = False
        self.ann.call("create_room", room_name="den")
        self.ann.drop()
        again, reply = self.resume(self.b, self.login_of_ann, den=1, lobby=0)
        states = {room["room_name"]: room["state"] for room in reply["resumed"]}
        self.assertEqual(states, {"den": "resumed", "lobby": "resumed"})
        self.assertEqual(again.call("speak", room_name="den", msg="x")["status"], "ok")

    def test_a_resume_that_names_known_rooms_does_not_look_for_others(self) -> None:
        self.patch(self.b.store, "catch_up", lambda: self.fail("it has looked"))
        _, reply = self.resume(self.b, self.login_of_ann, lobby=0)
        self.assertEqual(reply["status"], "ok")

    def test_who_has_no_session_lets_no_node_look(self) -> None:
        self.patch(self.b.store, "catch_up", lambda *_: self.fail("it has looked"))
        login = {**self.login_of_ann, "session_id": "x" * 22}
        _, reply = self.resume(self.b, login, nowhere=1)
        self.assertEqual(reply["code"], "bad_session")

    def test_an_epoch_that_begins_before_the_resume_counts(self) -> None:
        for method in ("find_rooms", "rooms_of"):
            do = getattr(self.b.store, method)

            def begin(*args: Any, do: Any = do) -> Any:
                self.b.store.foreign(Foreign(system=((9, EpochBegun("new")),)))
                return do(*args)

            self.patch(self.b.store, method, begin)
            self.b.chat.sessions.epoch = self.login_of_ann["epoch"]
            _, reply = self.resume(self.b, self.login_of_ann, lobby=0, nowhere=1)
            reasons = {room["room_name"]: room.get("reason") for room in reply["resumed"]}
            self.assertEqual((reply["epoch"], reasons["lobby"]), ("new", "epoch"), method)
            self.patch(self.b.store, method, do)

    def test_what_was_missed_at_another_node_is_resumed_once(self) -> None:  # H27
        self.tables.wakes = False
        self.ann.drop()
        for number in range(3):
            self.ann, _ = self.login(self.a, "ann", pwd="password", device="d")
            self.ann.call("speak", room_name="lobby", msg=str(number))
        again, reply = self.resume(self.b, self.login_of_ann, lobby=0)
        [room] = reply["resumed"]
        self.assertEqual([entry["msg"] for entry in room["entries"]], ["0", "1", "2"])
        self.ann.call("speak", room_name="lobby", msg="3")
        self.look(self.b)
        self.assertEqual([push["msg"] for push in again.pushes("c_speak")], ["3"])


class Ends(TwoNodes):
    """Ann is logged in at both nodes, on a device each."""

    def setUp(self) -> None:
        super().setUp()
        self.here = self.member(self.a, "ann", device="one")
        self.there, self.login_there = self.login(self.b, "ann", pwd="password", device="two")

    def test_password_ends_sessions_everywhere(self) -> None:
        self.assertEqual(self.here.call("update_pwd", **CHANGE)["status"], "ok")
        assert self.there.closed is not None
        self.assertIn("password", self.there.closed[1])
        self.assertEqual(self.resume(self.b, self.login_there)[1]["code"], "bad_session")
        self.assertIsNone(self.here.closed)
        self.assertIsNone(self.b.chat.users.get("ann"))

    def test_a_login_with_the_new_password_goes_on(self) -> None:
        self.tables.wakes = False
        self.here.call("update_pwd", **CHANGE)
        again, reply = self.login(self.b, "ann", pwd="new password", device="two")
        self.assertEqual(reply["status"], "ok")
        self.look(self.b)
        self.assertIsNone(again.closed)
        self.assertIsNotNone(self.there.closed)

    def test_one_or_all_others_are_ended_from_anywhere(self) -> None:
        listed = self.here.call("get_sessions")["sessions"]
        [other] = [one["id"] for one in listed if not one.get("current")]
        for cmd, fields in (("end_session", {"id": other}), ("end_other_sessions", {})):
            self.assertEqual(self.here.call(cmd, **fields)["status"], "ok")
            assert self.there.closed is not None
            self.assertIn("ended", self.there.closed[1])
            self.assertFalse(self.is_stored(self.login_there))
            self.assertIsNone(self.here.closed)
            self.there, self.login_there = self.login(self.b, "ann", pwd="password", device="two")

    def test_an_ended_session_makes_no_login_link(self) -> None:
        self.tables.wakes = False
        self.assertEqual(self.there.call("create_login_link")["status"], "ok")
        for cmd, code in (("get_sessions", None), ("end_other_sessions", "not_logged_in")):
            self.assertEqual(self.here.call(cmd)["status"], "ok")
            self.assertIsNone(self.there.closed)  # its node has not heard of it
            self.assertEqual(self.there.call("create_login_link").get("code"), code)
        self.look(self.b)
        self.assertIsNotNone(self.there.closed)

    def test_a_login_replaces_a_session_elsewhere(self) -> None:  # H27
        first, _ = self.login(self.a, "ann", pwd="password")
        _, reply = self.login(self.b, "ann", "192.0.2.8", pwd="password")
        self.assertEqual((reply["status"], first.closed), ("ok", REPLACED))
        [push] = first.pushes("replaced")
        self.assertEqual(push["address"], "192.0.2.8")
        self.assertIsNone(self.here.closed)

    def test_an_epoch_is_the_same_everywhere(self) -> None:
        self.a.store.foreign(Foreign(system=((9, EpochBegun("new")),)))
        self.assertEqual(self.here.call("hello")["epoch"], "new")


class PutOut(TwoNodes):
    """The operator at node `b` disconnects users."""

    def put_out(self, name: str) -> Deferred[str]:
        put_out = Deferred.fromCoroutine(self.b.chat.sessions.disconnect_user(name))
        self.run_pending()
        return put_out

    def test_sessions_end_wherever_they_are(self) -> None:
        self.member(self.b, "ann", device="one").call("logout")
        here, _ = self.login(self.b, "ann", pwd="password", device="one")
        there, login_there = self.login(self.a, "ann", pwd="password", device="two")
        lost, login_of_lost = self.login(self.a, "ann", pwd="password", device="three")
        lost.drop()
        self.assertEqual(self.successResultOf(self.put_out("ANN")), "ann")
        for client in (here, there):
            self.assertEqual(client.closed, (4002, "kicked: disconnected by the operator"))
        for login in (login_there, login_of_lost):
            self.assertEqual(self.resume(self.a, login)[1]["code"], "bad_session")
        self.assertEqual(list(self.b.chat.users.online.page(None, 9)), [])
        self.failureResultOf(self.put_out("ann"), NoSuchUser)
        self.assertEqual(self.login(self.a, "ann", pwd="password")[1]["status"], "ok")

    def test_a_guest_at_another_node_ends_there(self) -> None:
        gus, login = self.guest(self.a, "gus")
        self.assertEqual(self.successResultOf(self.put_out("gus")), "gus")
        self.assertIsNotNone(gus.closed)
        self.wait(1)
        self.assertEqual(self.resume(self.a, login)[1]["code"], "bad_session")
        self.assertNotIn("gus", [row.name for row in self.tables.accounts.accounts.values()])
        self.guest(self.b, "gus")

    def test_a_session_that_is_not_stored_ends_too(self) -> None:
        connection = self.live_chat_guest("hal")
        self.assertEqual(self.successResultOf(self.put_out("hal")), "hal")
        self.assertEqual(connection.close_reason, "kicked")

    def test_a_login_that_comes_later_goes_on(self) -> None:
        self.member(self.b, "ann").call("logout")
        before, _ = self.login(self.a, "ann", pwd="password")
        self.tables.wakes = False
        self.assertEqual(self.successResultOf(self.put_out("ann")), "ann")
        again, _ = self.login(self.a, "ann", pwd="password")
        self.look(self.a)
        self.assertIsNotNone(before.closed)
        self.assertIsNone(again.closed)

    def test_a_user_who_waits_or_is_offline_is_none(self) -> None:
        self.member(self.a, "ann").call("logout")
        self.guest(self.a, "gus")[0].drop()
        self.wait(1)
        for name in ("ann", "gus", "nemo"):
            self.failureResultOf(self.put_out(name), NoSuchUser)

    def test_nothing_ends_that_is_not_stored(self) -> None:
        ann = self.member(self.a, "ann")
        refuse(self, self.b, "end_other_sessions")
        self.failureResultOf(self.put_out("ann"), NotStored)
        self.assertIsNone(ann.closed)


class Refuse(TwoNodes):
    options = {"sessions": "refuse"}

    def test_refuse_counts_other_nodes(self) -> None:
        ann = self.member(self.a, "ann")
        for server in (self.a, self.b):
            _, reply = self.login(server, "ann", pwd="password")
            self.assertEqual(reply["code"], "already_logged_in")
            self.assertIn("another connection", reply["msg"])
        ann.drop()
        there, reply = self.login(self.b, "ann", pwd="password")
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(self.login(self.a, "ann", pwd="password")[1]["code"], "already_logged_in")
        self.assertIsNone(there.closed)

    def test_two_logins_at_once_are_one(self) -> None:
        self.a.connect().call("register", usr="ann", pwd="password")
        clients = [server.connect() for server in (self.a, self.a, self.b)]
        for client in clients:
            client.send("login", type="reg", usr="ann", pwd="password", tracker="1")
        self.run_pending()
        codes = [client.reply("1").get("code", "ok") for client in clients]
        self.assertEqual(codes, ["ok", "already_logged_in", "already_logged_in"])

    def test_a_connection_whose_loss_was_not_stored_refuses_nothing(self) -> None:
        for lost in ("session_lost", "end_session"):
            self.setUp()
            ann = self.member(self.a, "ann")
            self.assertEqual(ann.call("ping")["status"], "ok")
            self.patch(API_Chatroom, "resumable", lost == "session_lost")
            refuse(self, self.a, lost)
            ann.drop()
            self.doCleanups()
            self.assertEqual(self.login(self.a, "ann", pwd="password")[1]["status"], "ok")
            self.assertEqual(
                self.login(self.a, "ann", pwd="password")[1]["code"], "already_logged_in"
            )
            self.flushLoggedErrors()

    def test_only_some_such_losses_are_remembered(self) -> None:
        self.patch(live_sessions, "_MAX_UNSTORED", 1)
        clients = [self.member(self.a, name) for name in ("ann", "bob")]
        refuse(self, self.a, "session_lost")
        for client in clients:
            client.drop()
        codes = [self.login(self.a, name, pwd="password")[1].get("code") for name in ("ann", "bob")]
        self.assertEqual(codes, ["already_logged_in", None])

    def test_a_session_that_is_resumed_after_such_a_loss_refuses_others(self) -> None:
        self.member(self.a, "ann").call("logout")
        ann, login = self.login(self.a, "ann", pwd="password")
        refuse(self, self.a, "session_lost")
        ann.drop()
        again, _ = self.resume(self.a, login)
        self.assertEqual(self.login(self.a, "ann", pwd="password")[1]["code"], "already_logged_in")
        self.assertIsNone(again.closed)
        self.flushLoggedErrors()


class WaitingGuests(TwoNodes):
    """Gus, a temporary user, is in a room of Ann's, at node `a`."""

    def setUp(self) -> None:
        super().setUp()
        self.ann = self.member(self.b, "ann")
        self.ann.call("create_room", room_name="den")
        self.gus, self.login_of_gus = self.guest(self.a, "gus")
        self.gus.call("join_room", room_name="den")

    def members(self, server: TestServer) -> list[str]:
        [room] = server.store._room_lists.some([], "den")
        return [name for _, name, _ in room.members]

    def check_ended(self) -> None:
        """Check that nothing is left of gus, and that gus has left the room once."""
        for server in (self.a, self.b):
            self.assertEqual(self.members(server), ["ann"])
            self.assertIsNone(server.chat.users.get("gus"))
        names = [row.name for row in self.tables.accounts.accounts.values()]
        self.assertNotIn("gus", names)
        page = self.ann.call("history", room_name="den", kinds=["leave_room"])
        self.assertEqual([entry["usr"] for entry in page["entries"]], ["gus"])

    def test_guest_resumes_elsewhere_keeps_the_name(self) -> None:
        self.gus.drop()
        self.wait(60)
        again, reply = self.resume(self.b, self.login_of_gus)
        self.assertEqual((reply["status"], reply["usr"]), ("ok", "gus"))
        self.assertIsNone(self.a.chat.users.get("gus"))
        self.wait(2 * GUEST_GRACE_S)
        self.assertEqual(self.members(self.a), ["ann", "gus"])
        self.assertEqual(again.call("speak", room_name="den", msg="x")["status"], "ok")

    def test_the_grace_period_begins_again_with_each_loss(self) -> None:
        self.gus.drop()
        self.wait(60)
        again, _ = self.resume(self.b, self.login_of_gus)
        self.wait(40)
        again.drop()
        self.wait(GUEST_GRACE_S - 1)
        self.assertEqual(self.members(self.a), ["ann", "gus"])
        self.wait(1)
        self.check_ended()

    def test_a_guest_who_moves_without_a_loss_is_waited_for_at_one_node(self) -> None:
        again, _ = self.resume(self.b, self.login_of_gus)
        self.assertEqual(self.gus.closed, REPLACED)
        self.assertIsNone(self.a.chat.users.get("gus"))
        again.drop()
        self.wait(GUEST_GRACE_S)
        self.check_ended()

    def test_a_guest_who_ends_where_the_session_moved_to_leaves_no_account(self) -> None:
        self.tables.wakes = False
        for closes in (False, True):
            gus, login = self.guest(self.a, "hal")
            again, _ = self.resume(self.b, login)
            again.drop(clean=True) if closes else again.call("logout")
            self.run_pending()
            self.assertIsNone(gus.closed)  # its node has not heard of it yet
            names = [row.name for row in self.tables.accounts.accounts.values()]
            self.assertEqual(names, ["ann", "gus"])
            self.look(self.a)
            self.assertIsNone(self.a.chat.users.get("hal"))

    def user(self) -> User:
        """Return gus, as known at node `a`."""
        user = self.a.chat.users.get("gus")
        assert user is not None
        return user

    def tell(self, entry: SystemEntry) -> None:
        """Let node `a` hear a system entry of a third node."""
        self.a.store.foreign(Foreign(system=((9, entry),)))

    def test_a_guest_who_has_come_back_here_is_not_forgotten(self) -> None:
        user = self.user()
        self.tell(Online({user.id: "gus"}))  # late: the session has moved from there
        self.assertIs(self.user(), user)

    def test_a_guest_whose_session_goes_on_elsewhere_is_forgotten_at_once(self) -> None:
        self.tell(SessionsEnded(self.user().id, None, "replaced"))
        self.assertEqual(self.gus.closed, REPLACED)
        self.assertIsNone(self.a.chat.users.get("gus"))

    def test_a_guest_who_is_ending_here_is_not_forgotten(self) -> None:
        user, waiting = self.user(), Deferred[Any]()
        self.patch(self.a.store, "begin_ending", lambda _: waiting)
        self.gus.drop(clean=True)
        self.tell(Online({user.id: "gus"}))
        waiting.errback(NotStored())
        self.assertIs(self.user(), user)
        self.assertIsNotNone(user.grace_timer)
        self.flushLoggedErrors()

    def test_a_guest_who_is_here_is_not_taken_over_again(self) -> None:
        user = self.user()
        account = Account(user.id, "gus", "gus", False)
        self.tell(NodeGone(9, (StoredGuest(account, "", True),)))
        self.assertIs(self.user(), user)
        self.wait(2 * GUEST_GRACE_S)
        self.assertIsNone(self.gus.closed)

    def test_the_store_knows_of_a_resume_before_the_node_that_waits(self) -> None:
        self.tables.wakes = False
        self.gus.drop()
        self.resume(self.b, self.login_of_gus)
        self.wait(GUEST_GRACE_S)
        self.assertIsNone(self.a.chat.users.get("gus"))
        self.look(self.a)
        self.look(self.b)
        self.assertEqual(self.members(self.b), ["ann", "gus"])
        self.assertTrue(self.is_stored(self.login_of_gus))

    def test_guest_of_a_dead_node_ends_after_grace(self) -> None:
        self.kill(self.a, self.b)
        self.wait(GUEST_GRACE_S - 1)
        self.assertEqual(self.members(self.b), ["ann", "gus"])
        self.wait(1)
        self.a = self.b
        self.check_ended()

    def test_guest_of_a_dead_node_comes_back(self) -> None:
        self.kill(self.a, self.b)
        again, reply = self.resume(self.b, self.login_of_gus)
        self.assertEqual(reply["status"], "ok")
        self.wait(2 * GUEST_GRACE_S)
        self.assertEqual(self.members(self.b), ["ann", "gus"])
        self.assertIsNone(again.closed)

    def test_a_guest_who_is_not_announced_yet_keeps_the_name(self) -> None:
        connection = self.live_chat_guest("hal")
        self.tables.online.clear()
        self.assertEqual(self.login(self.b, "hal")[1]["code"], "name_taken")
        self.assertIsNone(connection.close_reason)

    def test_guest_of_a_dead_node_who_cannot_resume_ends_at_once(self) -> None:
        self.live_chat_guest("hal")
        self.assertIn("hal", self.ann.call("get_user_list")["users"])
        self.kill(self.a, self.b)
        names = [row.name for row in self.tables.accounts.accounts.values()]
        self.assertEqual(names, ["ann", "gus"])

    def test_both_nodes_end_a_guest_once(self) -> None:
        self.tables.wakes = False
        self.gus.drop()
        self.wait(GUEST_GRACE_S - 1)
        other = self.b.connect()
        self.a.clock.advance(1)  # the timer of the other node is due in this turn
        other.send("login", type="tmp", usr="gus", tracker="1")
        self.run_pending()
        for server in (self.a, self.b):
            self.look(server)
        self.assertEqual(other.reply("1")["status"], "ok")
        other.call("logout")
        for server in (self.a, self.b):
            self.look(server)
        self.check_ended()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_name_of_a_waiting_guest_of_the_same_network(self) -> None:
        self.gus.drop()
        self.assertEqual(self.login(self.b, "gus", OTHER_NETWORK)[1]["code"], "name_taken")
        again, reply = self.login(self.b, "gus")
        self.assertEqual(reply["status"], "ok")
        self.assertIsNone(self.a.chat.users.get("gus"))
        self.assertEqual(self.resume(self.a, self.login_of_gus)[1]["code"], "bad_session")
        again.call("logout")
        self.check_ended()

    def test_name_of_a_guest_who_is_connected_elsewhere_is_taken(self) -> None:
        self.assertEqual(self.login(self.b, "gus")[1]["code"], "name_taken")
        self.assertEqual(self.login(self.b, "Ann")[1]["code"], "name_taken")
        self.assertIsNone(self.gus.closed)

    def test_guest_who_comes_back_while_the_name_is_asked_for_keeps_it(self) -> None:
        self.gus.drop()
        delayed = DelayedMethod(self, self.b, "find_guest")
        other = self.b.connect()
        other.send("login", type="tmp", usr="gus", tracker="1")
        self.run_pending()
        again, _ = self.resume(self.a, self.login_of_gus)
        delayed.release()
        self.assertEqual(other.reply("1")["code"], "name_taken")
        self.assertIsNone(again.closed)
        self.assertEqual(self.members(self.b), ["ann", "gus"])
        self.assertIsNone(self.b.chat.users.get("gus"))

    def test_of_two_who_want_the_name_at_once_one_gets_it(self) -> None:
        self.gus.drop()
        delayed = DelayedMethod(self, self.b, "find_guest")
        others = [self.b.connect(), self.b.connect()]
        for other in others:
            other.send("login", type="tmp", usr="gus", tracker="1")
        self.run_pending()
        delayed.release()
        codes = [other.reply("1").get("code", "ok") for other in others]
        self.assertEqual(codes, ["ok", "name_taken"])
        user = self.b.chat.users.get("gus")
        assert user is not None
        self.assertEqual(len(user.sessions), 1)

    def test_logout_of_a_guest_who_has_moved_ends_the_guest(self) -> None:
        self.tables.wakes = False
        again, _ = self.resume(self.b, self.login_of_gus)
        self.gus.send("logout")
        self.run_pending()
        self.look(self.b)
        self.wait(0)
        self.look(self.a)
        assert again.closed is not None
        self.assertIn("ended", again.closed[1])
        self.check_ended()

    def test_an_account_that_ends_elsewhere_has_no_session_here(self) -> None:
        user = self.user()
        self.tell(AccountEnded(user.id))
        assert self.gus.closed is not None
        self.assertIn("ended", self.gus.closed[1])
        self.assertIsNone(self.a.chat.users.get("gus"))
        self.tell(AccountEnded(user.id))
        self.wait(GUEST_GRACE_S)

    def test_a_resume_is_refused_once_the_guest_ends(self) -> None:
        self.gus.drop()
        resume = DelayedMethod(self, self.a, "resume")
        begin_ending = DelayedMethod(self, self.a, "begin_ending")
        client = self.a.connect()
        fields = {name: self.login_of_gus[name] for name in ("session_id", "epoch")}
        client.send("resume", tracker="1", **fields)
        self.wait(GUEST_GRACE_S)
        resume.release()
        self.assertEqual(client.reply("1")["code"], "bad_session")
        begin_ending.release()
        self.check_ended()

    def test_a_node_that_is_lost_waits_for_no_guest(self) -> None:
        self.gus.drop()
        user = self.user()
        waiting: Deferred[Any] = Deferred()
        begin_ending = self.a.store.begin_ending
        self.a.store.begin_ending = lambda _: waiting  # type: ignore[method-assign]
        self.wait(GUEST_GRACE_S)
        self.a.store.begin_ending = begin_ending  # type: ignore[method-assign]
        self.b.store.expire(self.a.store)
        self.look(self.a)
        waiting.errback(NotStored())
        self.assertIsNone(user.grace_timer)
        Deferred.fromCoroutine(self.a.chat._guests.end(user))
        self.run_pending()
        self.assertTrue(self.is_stored(self.login_of_gus))
        self.assertIsNotNone(self.b.chat.users.get("gus"))
