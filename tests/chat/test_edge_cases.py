"""Rare cases: errors of the store, changes during a request, full tables, unusual names."""

from __future__ import annotations

import uuid
from itertools import product
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import presence
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import NotStored
from gtchat.chat.interfaces import Foreign
from gtchat.chat.limits import Limits
from gtchat.chat.subscribers import Subscribers
from gtchat.chat.users import User
from tests.fakes import FakeClient, RecordingEncoder, TestServer

UUID = str(uuid.UUID(int=5, version=4))


class DelayedMethod:
    """A method of the store whose results are held back until `release`."""

    def __init__(self, test: SynchronousTestCase, server: TestServer, name: str) -> None:
        self._method: Any = getattr(server.store, name)
        self._held: list[tuple[Deferred[Any], Any]] = []
        self._server = server
        test.patch(server.store, name, self._hold)

    def _hold(self, *details: Any, **more: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self._held.append((result, self._method(*details, **more)))
        return result

    def fire(self) -> None:
        """Deliver the results that are held back, and run nothing else."""
        held, self._held = self._held, []
        for result, actual in held:
            actual.chainDeferred(result)

    def release(self) -> None:
        """Deliver the results that are held back, and run what they cause."""
        self.fire()
        self._server.run_pending()


def refuse(test: SynchronousTestCase, server: TestServer, *names: str) -> None:
    """Make methods of the store fail from now on."""
    for name in names:
        test.patch(server.store, name, lambda *_, **more: fail(NotStored()))


def refuse_appends(test: SynchronousTestCase, server: TestServer) -> None:
    """Make all appends fail from now on."""

    def append(append: Any) -> None:
        append.error = NotStored()
        server.clock.callLater(0, server.store._deliver, Foreign(), [append])

    test.patch(server.store, "append", append)


class Shutdown(SynchronousTestCase):
    def test_stop_cancels_all_timers(self) -> None:
        server = TestServer()
        ann, bob = server.member("ann"), server.guest("bob")
        ann.call("whisper", target_user="bob", msg="psst")
        bob.drop()
        for number in range(presence.PRESENCE_SINGLE_LIMIT + 5):
            server.guest(f"g{number}")
        for _ in range(2):
            stopped = Deferred.fromCoroutine(server.chat.stop())
            server.run_pending()
            self.successResultOf(stopped)
        self.assertEqual(server.clock.getDelayedCalls(), [])


class StoreErrors(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()

    def test_pending_whispers_that_cannot_be_read_come_at_the_next_login(self) -> None:
        ann, bob = self.server.member("ann"), self.server.member("bob")
        bob.call("logout")
        ann.call("whisper", target_user="bob", msg="later")
        with patch.object(self.server.store, "whispers", lambda *_: fail(NotStored())):
            self.assertEqual(bob.login("bob", pwd="password")["status"], "ok")
        self.assertEqual(bob.pushes(), [])
        bob.call("logout")
        bob.login("bob", pwd="password")
        self.assertEqual([push["msg"] for push in bob.pushes()], ["later"])

    def test_member_stays_when_the_removal_is_not_stored(self) -> None:
        ann, bob = self.server.member("ann"), self.server.member("bob")
        ann.call("create_room", room_name="den")
        ann.call("add_member", room_name="den", user="bob")
        for here in (True, False):
            if not here:
                bob.call("logout")
            with patch.object(self.server.store, "append"):
                refuse_appends(self, self.server)
                reply = ann.call("remove_member", room_name="den", user="bob")
            self.assertEqual(reply["code"], "not_stored")
            users = ann.call("get_room_user_list", room_name="den")["users"]
            self.assertEqual(users, ["ann", "bob"])

    def test_room_keeps_its_owner_when_the_change_is_not_stored(self) -> None:
        owner, next_owner = self.server.guest("owner"), self.server.member("next")
        owner.call("create_room", room_name="den")
        next_owner.call("join_room", room_name="den")
        append = self.server.store.append

        def append_once(left: Any) -> None:
            append(left)
            refuse_appends(self, self.server)

        self.patch(self.server.store, "append", append_once)
        owner.call("leave_room", room_name="den")
        room = self.server.chat.rooms.find("den")
        self.assertEqual(room.owner, "owner")

    def test_errors_of_background_work_are_logged(self) -> None:
        run_in_background(fail(NotStored()), "cleaning up")
        run_in_background(fail(ZeroDivisionError()), "dividing")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ConcurrentChanges(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()

    def test_session_that_ends_while_its_whispers_are_read_gets_none(self) -> None:
        ann, bob = self.server.member("ann"), self.server.member("bob")
        bob.call("logout")
        ann.call("whisper", target_user="bob", msg="later")
        delayed = DelayedMethod(self, self.server, "whispers")
        bob.login("bob", pwd="password")
        bob.drop()
        delayed.release()
        self.assertEqual(bob.pushes(), [])

    def test_block_by_a_user_who_has_left_meanwhile(self) -> None:
        self.server.member("ann")
        bob = self.server.member("bob")
        delayed = DelayedMethod(self, self.server, "block")
        bob.send("block", user="ann", tracker="1")
        self.server.run_pending()
        bob.drop()
        delayed.release()
        self.assertEqual(self.server.chat.users._blocking, {})

    def test_block_by_a_user_who_comes_back_meanwhile_holds(self) -> None:
        for name, online in (("find_account", False), ("block", True)):
            self.setUp()
            ann, bob = self.server.member("ann"), self.server.member("bob")
            bob.call("logout")
            login = bob.login("bob", pwd="password")
            if not online:
                ann.call("logout")
            delayed = DelayedMethod(self, self.server, name)
            bob.send("block", user="ann", tracker="1")
            self.server.run_pending()
            bob.drop()
            bob = self.server.connect()
            bob.call("resume", session_id=login["session_id"], epoch=login["epoch"])
            delayed.release()
            self.doCleanups()
            if not online:
                ann.login("ann", pwd="password")
            bob.received()
            ann.call("speak", room_name="lobby", msg="x")
            self.assertEqual(bob.pushes(), [])
            self.assertEqual(bob.call("unblock", user="ann")["blocked"], [])

    def test_room_deleted_during_an_invite_reply_cannot_be_joined(self) -> None:
        ann, bob = self.server.member("ann"), self.server.member("bob")
        ann.call("create_room", room_name="den")
        ann.call("invite", room_name="den", invitee="bob")
        delayed = DelayedMethod(self, self.server, "is_invited")
        bob.send("invite_reply", inviter="ann", room_name="den", reply="Y", tracker="1")
        self.server.run_pending()
        ann.call("delete_room", room_name="den")
        delayed.release()
        self.assertEqual(bob.reply("1")["code"], "no_such_room")

    def test_guest_who_is_leaving_cannot_be_resumed(self) -> None:
        bob = self.server.connect()
        login = bob.login("bob")
        bob.call("create_room", room_name="den")
        queued: list[Any] = []
        append = self.server.store.append
        self.patch(self.server.store, "append", queued.append)
        bob.drop(clean=True)
        self.assertEqual(len(queued), 1)
        reply = self.server.connect().call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen={}
        )
        self.assertEqual(reply["code"], "bad_session")
        append(queued[0])
        self.server.run_pending()
        self.assertIsNone(self.server.chat.users.get("bob"))

    def test_logout_overtaken_by_a_login_elsewhere_ends_only_its_own_session(self) -> None:
        ann = self.server.member("ann")
        delayed = DelayedMethod(self, self.server, "end_session")
        ann.send("logout", tracker="1")
        self.server.run_pending()
        other = self.server.connect()
        self.assertEqual(other.login("ann", pwd="password")["status"], "ok")
        delayed.release()
        self.assertEqual(other.call("ping")["status"], "ok")

    def test_logout_of_a_connection_that_is_lost_meanwhile_ends_the_session_once(self) -> None:
        ann = self.server.member("ann")
        delayed = DelayedMethod(self, self.server, "end_session")
        ann.send("logout", tracker="1")
        self.server.run_pending()
        ann.drop()
        delayed.release()
        self.assertIsNone(self.server.chat.users.get("ann"))
        self.assertEqual(self.server.connect().login("ann", pwd="password")["status"], "ok")

    def test_connection_lost_twice_ends_the_session_once(self) -> None:
        ann = self.server.member("ann")
        session = ann.api.session
        assert session is not None
        self.server.chat.sessions.connection_lost(session, clean=False)
        self.server.chat.sessions.connection_lost(session, clean=False)
        self.assertEqual(session.user.sessions, [])

    def test_user_can_be_discarded_twice(self) -> None:
        user = User(id=1, name="x", key="x", registered=False)
        registry = self.server.chat.users
        registry.add(user)
        registry.discard(user)
        registry.discard(user)
        self.assertIsNone(registry.get("x"))

    def test_discard_ignores_an_encoder_without_subscribers(self) -> None:
        session = self.server.guest("ann").api.session
        assert session is not None
        subscribers = Subscribers()
        subscribers.discard(session)
        subscribers.add(session)
        session.encoder = RecordingEncoder()
        subscribers.discard(session)
        self.assertEqual(sum(len(found) for _, found in subscribers), 1)


class SharedSessions(SynchronousTestCase):
    """Several sessions of one account."""

    def test_user_is_online_until_the_last_session_ends(self) -> None:
        server = TestServer(sessions="share")
        ann, bob = server.member("ann"), server.guest("bob")
        second = server.connect()
        second.login("ann", pwd="password")
        bob.received()
        ann.call("logout")
        self.assertEqual(bob.received(), [])
        self.assertEqual(bob.call("get_user_list")["users"], ["ann", "bob"])
        second.drop()
        self.assertEqual([push["type"] for push in bob.received()], ["logout"])

    def test_resume_of_one_session_leaves_the_other(self) -> None:
        server = TestServer(sessions="share")
        ann, second = server.member("ann"), server.connect()
        login = second.login("ann", pwd="password")
        reply = server.connect().call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen={}
        )
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(second.closed, (4001, second.closed and second.closed[1]))
        self.assertEqual(ann.call("ping")["status"], "ok")

    def test_login_of_another_user_on_a_connection_ends_the_first_session(self) -> None:
        server = TestServer()
        client, bob = server.member("ann"), server.guest("bob")
        client.call("register", usr="carol", pwd="password")
        self.assertEqual(client.login("carol", pwd="password")["status"], "ok")
        self.assertEqual(bob.call("get_user_list")["users"], ["bob", "carol"])

    def test_uuid_logs_in_once_on_a_connection(self) -> None:
        server = TestServer()
        client = server.connect()
        client.call("register", uuid=UUID, usr="ann")
        client.call("login", type="reg", uuid=UUID)
        self.assertEqual(client.call("login", type="reg", uuid=UUID)["code"], "already_logged_in")

    def test_incomplete_logins_are_refused(self) -> None:
        server = TestServer()
        client = server.guest("ann")
        for fields in ({"type": "reg", "usr": "bob"}, {"type": "reg", "pwd": "password"}):
            self.assertEqual(client.call("login", **fields)["code"], "bad_request")
        self.assertEqual(client.login("Ann")["code"], "already_logged_in")
        server.member("bob")
        self.assertEqual(client.login("bob")["code"], "name_taken")


class OfflineUsers(SynchronousTestCase):
    """Requests about users who are not logged in."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann, self.bob = self.server.member("ann"), self.server.member("bob")

    def test_blocks_end_with_a_temporary_user(self) -> None:
        gus = self.server.guest("gus")
        self.assertEqual(self.ann.call("block", user="gus")["blocked"], ["gus"])
        self.assertEqual(gus.call("block", user="ann")["blocked"], ["ann"])
        gus.call("logout")
        self.server.run_pending()
        ann = self.server.chat.users.get("ann")
        assert ann is not None
        self.assertEqual((dict(ann.blocked), set(ann.blocked_by)), ({}, set()))

    def test_offline_user_can_be_blocked(self) -> None:
        self.bob.call("logout")
        self.assertEqual(self.ann.call("block", user="bob")["blocked"], ["bob"])
        self.bob.login("bob", pwd="password")
        self.assertEqual(self.bob.call("whisper", target_user="ann", msg="hi")["code"], "blocked")
        self.bob.call("logout")
        self.assertEqual(self.ann.call("unblock", user="bob")["blocked"], [])

    def test_invitation_of_an_offline_user_can_be_answered(self) -> None:
        self.ann.call("create_room", room_name="den", public=False)
        self.ann.call("invite", room_name="den", invitee="bob")
        self.ann.call("logout")
        reply = self.bob.call("invite_reply", inviter="ann", room_name="den", reply="Y")
        self.assertEqual(reply["room"]["users"], ["ann", "bob"])


class EventOrder(SynchronousTestCase):
    def test_receipts_for_several_rooms_come_in_the_order_of_the_requests(self) -> None:
        server = TestServer()
        ann, bob = server.guest("ann"), server.guest("bob")
        for room in ("one", "two"):
            ann.call("create_room", room_name=room)
            bob.call("join_room", room_name=room)
        ann.received()
        bob.received()
        expected = [("one", "1"), ("two", "2"), ("one", "3"), ("two", "4")]
        for room, text in expected:
            ann.send("speak", room_name=room, msg=text, tracker=text)
        server.run_pending()
        self.assertEqual([reply["tracker"] for reply in ann.received()], ["1", "2", "3", "4"])
        self.assertEqual([(push["room_name"], push["msg"]) for push in bob.received()], expected)

    def test_who_logs_in_among_many_changes_learns_who_is_online_in_the_end(self) -> None:
        for bob_is_online, *steps in product((True, False), *["bj"] * 4):
            server = TestServer(Limits(commands_per_second=0, registrations_per_minute=0))
            bob = server.member("bob")
            if not bob_is_online:
                bob.call("logout")
            for number in range(presence.PRESENCE_SINGLE_LIMIT + 1):
                server.guest(f"g{number}")
            server.clock.advance(1)
            server.guest("first")
            watching: dict[FakeClient, set[str]] = {}
            for number, step in enumerate(["j", *steps]):
                if step == "j":
                    client = server.guest(f"j{number}")
                    watching[client] = set(client.call("get_user_list")["users"])
                    client.received()
                elif bob_is_online:
                    bob.call("logout")
                else:
                    bob.login("bob", pwd="password")
                bob_is_online ^= step == "b"
            server.clock.advance(1)
            for client, known in watching.items():
                [change] = client.pushes("presence")
                known = known.union(change["logins"]).difference(change["logouts"])
                self.assertEqual(known, set(client.call("get_user_list")["users"]), steps)
                self.assertEqual("bob" in known, bob_is_online)


class Names(SynchronousTestCase):
    def test_names_of_all_scripts_are_accepted(self) -> None:
        server = TestServer()
        client: FakeClient = server.connect()
        for name in ("ännchen", "王芳", "مريم", "раура", "王a"):
            self.assertEqual(client.login(name)["usr"], name)

    def test_names_with_confusable_letters_are_refused(self) -> None:  # D08
        client: FakeClient = TestServer().connect()
        for name in ("раураl", "αnn", "\u0301ann"):
            self.assertEqual(client.login(name)["code"], "bad_name")

    def test_invisible_texts_are_refused(self) -> None:
        client: FakeClient = TestServer().guest("ann")
        for text in ("", " \n\t", "\u00a0", "\u200b\u200d\ufeff", "\u3164", "\u2800\ufe0f "):
            self.assertEqual(
                client.call("speak", room_name="lobby", msg=text)["code"], "bad_request"
            )
        for text in ("\u200bé", "\U0001f469\u200d\U0001f469", "."):
            self.assertEqual(client.call("speak", room_name="lobby", msg=text)["status"], "ok")
