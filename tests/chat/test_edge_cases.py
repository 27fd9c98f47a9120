"""What seldom happens: a store that fails, people who go while they are served, full tables."""

from __future__ import annotations

import uuid
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import limits, lockout, users
from gtchat.chat.background import run_in_background
from gtchat.chat.errors import NotStored
from gtchat.chat.events import MessageSent
from gtchat.chat.limits import BucketTable, Limits, TokenBucket
from gtchat.chat.lockout import Lockout
from gtchat.chat.rooms import Subscribers
from gtchat.chat.users import User
from tests.fakes import FakeClient, RecordingEncoder, TestServer

UUID = str(uuid.UUID(int=5, version=4))


class Held:
    """A method of the store whose answer is kept back until it is let go."""

    def __init__(self, test: SynchronousTestCase, world: TestServer, name: str) -> None:
        self._answer: Any = getattr(world.store, name)
        self._held: list[tuple[Deferred[Any], Any]] = []
        self._server = world
        test.patch(world.store, name, self._hold)

    def _hold(self, *details: Any) -> Deferred[Any]:
        kept: Deferred[Any] = Deferred()
        self._held.append((kept, self._answer(*details)))
        return kept

    def let_go(self) -> None:
        """Answer what was asked."""
        held, self._held = self._held, []
        for kept, answer in held:
            answer.chainDeferred(kept)
        self._server.run_pending()


def refuse(test: SynchronousTestCase, world: TestServer, *names: str) -> None:
    """Let methods of the store fail from now on."""
    for name in names:
        test.patch(world.store, name, lambda *_: fail(NotStored()))


def refuse_appends(test: SynchronousTestCase, world: TestServer) -> None:
    """Let nothing be appended from now on."""

    def append(append: Any) -> None:
        append.error = NotStored()
        world.clock.callLater(0, world.store.committed, [append])

    test.patch(world.store, "append", append)


class Stopping(SynchronousTestCase):
    def test_no_timer_is_left(self) -> None:
        world = TestServer()
        ann, bob = world.member("ann"), world.guest("bob")
        ann.call("whisper", target_user="bob", msg="psst")
        bob.drop()
        for number in range(users.PRESENCE_SINGLE_LIMIT + 5):
            world.guest(f"g{number}")
        for _ in range(2):
            stopped = Deferred.fromCoroutine(world.chat.stop())
            world.run_pending()
            self.successResultOf(stopped)
        self.assertEqual(world.clock.getDelayedCalls(), [])


class FailingStore(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = TestServer()

    def test_what_waits_is_given_another_time(self) -> None:
        ann, bob = self.world.member("ann"), self.world.member("bob")
        bob.call("logout")
        ann.call("whisper", target_user="bob", msg="later")
        with patch.object(self.world.store, "whispers", lambda *_: fail(NotStored())):
            self.assertEqual(bob.login("bob", pwd="password")["status"], "ok")
        self.assertEqual(bob.pushes(), [])
        bob.call("logout")
        bob.login("bob", pwd="password")
        self.assertEqual([push["msg"] for push in bob.pushes()], ["later"])

    def test_a_member_who_can_not_be_removed_stays(self) -> None:
        ann, bob = self.world.member("ann"), self.world.member("bob")
        ann.call("create_room", room_name="den")
        ann.call("add_member", room_name="den", user="bob")
        for here in (True, False):
            if not here:
                bob.call("logout")
            with patch.object(self.world.store, "append"):
                refuse_appends(self, self.world)
                reply = ann.call("remove_member", room_name="den", user="bob")
            self.assertEqual(reply["code"], "not_stored")
            users = ann.call("get_room_user_list", room_name="den")["users"]
            self.assertEqual(users, ["ann", "bob"])

    def test_a_room_that_can_not_pass_on_keeps_its_owner(self) -> None:
        owner, next_owner = self.world.guest("owner"), self.world.member("heir")
        owner.call("create_room", room_name="den")
        next_owner.call("join_room", room_name="den")
        append = self.world.store.append

        def once(left: Any) -> None:
            append(left)
            refuse_appends(self, self.world)

        self.patch(self.world.store, "append", once)
        owner.call("leave_room", room_name="den")
        room = self.world.chat.rooms.find("den")
        self.assertEqual(room.owner, "owner")

    def test_what_nobody_waits_for_is_logged(self) -> None:
        run_in_background(fail(NotStored()), "tidying")
        run_in_background(fail(ZeroDivisionError()), "dividing")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class GoneMeanwhile(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = TestServer()

    def test_a_session_that_ends_while_its_whispers_are_read(self) -> None:
        ann, bob = self.world.member("ann"), self.world.member("bob")
        bob.call("logout")
        ann.call("whisper", target_user="bob", msg="later")
        held = Held(self, self.world, "whispers")
        bob.login("bob", pwd="password")
        bob.drop()
        held.let_go()
        self.assertEqual(bob.pushes(), [])

    def test_a_room_that_goes_while_an_invitation_is_looked_up(self) -> None:
        ann, bob = self.world.member("ann"), self.world.member("bob")
        ann.call("create_room", room_name="den")
        ann.call("invite", room_name="den", invitee="bob")
        held = Held(self, self.world, "is_invited")
        bob.send("invite_reply", inviter="ann", room_name="den", reply="Y", tracker="1")
        self.world.run_pending()
        ann.call("delete_room", room_name="den")
        held.let_go()
        self.assertEqual(bob.reply("1")["code"], "no_such_room")

    def test_a_temporary_user_who_is_going_is_not_resumed(self) -> None:
        bob = self.world.connect()
        login = bob.login("bob")
        bob.call("create_room", room_name="den")
        parting: list[Any] = []
        append = self.world.store.append
        self.patch(self.world.store, "append", parting.append)
        bob.drop(clean=True)
        self.assertEqual(len(parting), 1)
        reply = self.world.connect().call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen={}
        )
        self.assertEqual(reply["code"], "bad_session")
        append(parting[0])
        self.world.run_pending()
        self.assertIsNone(self.world.chat.users.get("bob"))

    def test_a_logout_that_is_overtaken_by_a_login_elsewhere(self) -> None:
        ann = self.world.member("ann")
        held = Held(self, self.world, "end_session")
        ann.send("logout", tracker="1")
        self.world.run_pending()
        other = self.world.connect()
        self.assertEqual(other.login("ann", pwd="password")["status"], "ok")
        held.let_go()
        self.assertEqual(other.call("ping")["status"], "ok")

    def test_a_session_ends_once(self) -> None:
        ann = self.world.member("ann")
        session = ann.api.session
        assert session is not None
        self.world.chat.sessions.connection_lost(session, clean=False)
        self.world.chat.sessions.connection_lost(session, clean=False)
        self.assertEqual(session.user.sessions, [])

    def test_a_user_is_forgotten_once(self) -> None:
        user = User(id=1, name="x", key="x", registered=False)
        everybody = self.world.chat.users
        everybody.add(user)
        everybody.discard(user)
        everybody.discard(user)
        self.assertIsNone(everybody.get("x"))

    def test_nobody_listens_to_an_audience_that_never_was(self) -> None:
        session = self.world.guest("ann").api.session
        assert session is not None
        listeners = Subscribers()
        listeners.discard(session)
        listeners.add(session)
        session.encoder = RecordingEncoder()
        listeners.discard(session)
        self.assertEqual(sum(len(found) for _, found in listeners), 1)


class Sharing(SynchronousTestCase):
    """Several places at once, and refused second places."""

    def test_one_of_two_places_is_left(self) -> None:
        world = TestServer(sessions="share")
        ann, bob = world.member("ann"), world.guest("bob")
        second = world.connect()
        second.login("ann", pwd="password")
        bob.received()
        ann.call("logout")
        self.assertEqual(bob.received(), [])
        self.assertEqual(bob.call("get_user_list")["users"], ["ann", "bob"])
        second.drop()
        self.assertEqual([push["type"] for push in bob.received()], ["logout"])

    def test_one_place_is_resumed_and_the_other_stays(self) -> None:
        world = TestServer(sessions="share")
        ann, second = world.member("ann"), world.connect()
        login = second.login("ann", pwd="password")
        reply = world.connect().call(
            "resume", session_id=login["session_id"], epoch=login["epoch"], seen={}
        )
        self.assertEqual(reply["status"], "ok")
        self.assertEqual(second.closed, (4001, second.closed and second.closed[1]))
        self.assertEqual(ann.call("ping")["status"], "ok")

    def test_another_user_logs_in_on_a_connection(self) -> None:
        world = TestServer()
        line, bob = world.member("ann"), world.guest("bob")
        line.call("register", usr="carol", pwd="password")
        self.assertEqual(line.login("carol", pwd="password")["status"], "ok")
        self.assertEqual(bob.call("get_user_list")["users"], ["bob", "carol"])

    def test_a_uuid_logs_in_once_on_a_connection(self) -> None:
        world = TestServer()
        line = world.connect()
        line.call("register", uuid=UUID, usr="ann")
        line.call("login", type="reg", uuid=UUID)
        self.assertEqual(line.call("login", type="reg", uuid=UUID)["code"], "already_logged_in")

    def test_what_a_login_needs(self) -> None:
        world = TestServer()
        line = world.guest("ann")
        for fields in ({"type": "reg", "usr": "bob"}, {"type": "reg", "pwd": "password"}):
            self.assertEqual(line.call("login", **fields)["code"], "bad_request")
        self.assertEqual(line.login("Ann")["code"], "already_logged_in")
        world.member("bob")
        self.assertEqual(line.login("bob")["code"], "name_taken")


class Absent(SynchronousTestCase):
    """Things done to people who are not here."""

    def setUp(self) -> None:
        self.world = TestServer()
        self.ann, self.bob = self.world.member("ann"), self.world.member("bob")

    def test_blocking(self) -> None:
        self.bob.call("logout")
        self.assertEqual(self.ann.call("block", user="bob")["blocked"], ["bob"])
        self.bob.login("bob", pwd="password")
        self.assertEqual(self.bob.call("whisper", target_user="ann", msg="hi")["code"], "blocked")
        self.bob.call("logout")
        self.assertEqual(self.ann.call("unblock", user="bob")["blocked"], [])

    def test_answering_an_invitation(self) -> None:
        self.ann.call("create_room", room_name="den", public=False)
        self.ann.call("invite", room_name="den", invitee="bob")
        self.ann.call("logout")
        reply = self.bob.call("invite_reply", inviter="ann", room_name="den", reply="Y")
        self.assertEqual(reply["room"]["users"], ["ann", "bob"])


class Order(SynchronousTestCase):
    def test_messages_to_several_rooms_are_answered_as_they_were_asked(self) -> None:
        world = TestServer()
        ann, bob = world.guest("ann"), world.guest("bob")
        for room in ("one", "two"):
            ann.call("create_room", room_name=room)
            bob.call("join_room", room_name=room)
        ann.received()
        bob.received()
        wanted = [("one", "1"), ("two", "2"), ("one", "3"), ("two", "4")]
        for room, text in wanted:
            ann.send("speak", room_name=room, msg=text, tracker=text)
        world.run_pending()
        self.assertEqual([reply["tracker"] for reply in ann.received()], ["1", "2", "3", "4"])
        self.assertEqual([(push["room_name"], push["msg"]) for push in bob.received()], wanted)

    def test_somebody_who_comes_back_within_a_second_of_a_storm_did_not_go(self) -> None:
        world = TestServer()
        ann = world.guest("ann")
        bob = world.member("bob")
        for number in range(users.PRESENCE_SINGLE_LIMIT + 5):
            world.guest(f"g{number}")
        world.clock.advance(1)
        ann.received()
        bob.call("logout")
        bob.login("bob", pwd="password")
        world.clock.advance(1)
        told = [push for push in ann.received() if push.get("type") in ("logout", "presence")]
        self.assertEqual([push for push in told if "bob" in push.get("logins", ())], [])
        self.assertEqual([push for push in told if "bob" in push.get("logouts", ())], [])


class FullTables(SynchronousTestCase):
    """Tables that grow with what anybody makes up are bounded."""

    def test_registrations(self) -> None:  # G11
        self.patch(limits, "TABLE_LIMIT", 2)
        world = TestServer(Limits(commands_per_second=0, registrations_per_minute=60))
        for number in range(6):
            world.connect(f"192.0.2.{number}").call("register", usr=f"u{number}", pwd="password")
            world.clock.advance(2)
        self.assertLessEqual(len(world.chat.accounts._registrations), 2)

    def test_wrong_and_right_passwords(self) -> None:  # G11
        self.patch(limits, "TABLE_LIMIT", 2)
        self.patch(lockout, "TABLE_LIMIT", 2)
        now = [0.0]
        guard = Lockout(Limits(), lambda: now[0])
        for number in range(6):
            guard.failed(f"name{number}", f"192.0.2.{number}")
            guard.succeeded(f"friend{number}", f"192.0.2.{number}")
            now[0] += 3600
        for table in (guard._attempts, guard._by_name, guard._by_address, guard._known_good):
            self.assertLessEqual(len(table), 2)

    def test_a_table_of_buckets_keeps_those_in_use(self) -> None:
        self.patch(limits, "TABLE_LIMIT", 2)
        now = [0.0]
        table = BucketTable(1.0, 2, lambda: now[0])
        for key in "abcde":
            self.assertEqual(table.take(key), 0.0)
        self.assertEqual(len(table), 5)
        now[0] += 1.0
        self.assertEqual([table.take("e"), table.take("e"), table.take("e")], [0.0, 0.0, 1.0])
        for key in "fghi":
            table.take(key)
        self.assertLessEqual(len(table), 5)
        self.assertEqual(table.wait("e"), 1.0)
        self.assertEqual(table.wait("unknown"), 0.0)

    def test_a_bucket_is_lowered_to_another(self) -> None:
        used, fresh = TokenBucket(1.0, 3), TokenBucket(1.0, 3)
        for _ in range(3):
            used.take(0.0)
        fresh.lower_to(used, 1.0)
        self.assertEqual([fresh.take(1.0), fresh.take(1.0)], [0.0, 1.0])

    def test_a_bucket_that_nobody_uses_is_full(self) -> None:
        bucket = TokenBucket(1.0, 2)
        self.assertTrue(bucket.full(0.0))
        bucket.take(0.0)
        self.assertFalse(bucket.full(0.5))
        self.assertTrue(bucket.full(1.0))
        self.assertTrue(TokenBucket(0.0, 2).full(0.0))

    def test_no_burst_is_no_limit(self) -> None:
        bucket = TokenBucket(1.0, 0)
        self.assertEqual([bucket.take(0.0) for _ in range(3)], [0.0] * 3)


class Names(SynchronousTestCase):
    def test_names_of_all_scripts(self) -> None:
        world = TestServer()
        line: FakeClient = world.connect()
        for name in ("ännchen", "王芳", "مريم", "раура", "王a"):
            self.assertEqual(line.login(name)["usr"], name)

    def test_names_that_could_be_taken_for_others(self) -> None:  # D08
        line: FakeClient = TestServer().connect()
        for name in ("раураl", "αnn", "\u0301ann"):
            self.assertEqual(line.login(name)["code"], "bad_name")

    def test_texts_that_nobody_sees(self) -> None:
        line: FakeClient = TestServer().guest("ann")
        for text in ("", " \n\t", "\u00a0", "\u200b\u200d\ufeff", "\u3164", "\u2800\ufe0f "):
            self.assertEqual(line.call("speak", room_name="lobby", msg=text)["code"], "bad_request")
        for text in ("\u200bé", "\U0001f469\u200d\U0001f469", "."):
            self.assertEqual(line.call("speak", room_name="lobby", msg=text)["status"], "ok")


class Proven(SynchronousTestCase):
    """A protocol that knows what has arrived, and what has not."""

    def setUp(self) -> None:
        self.world = TestServer()
        self.ann, self.bob = self.world.member("ann"), self.world.member("bob")

    def waiting(self) -> list[str]:
        """What bob is given when he comes again after a lost connection."""
        self.bob.drop()
        self.bob = self.world.connect()
        self.bob.login("bob", pwd="password")
        return [push["msg"] for push in self.bob.pushes("c_whisper")]

    def test_what_is_confirmed_does_not_come_again(self) -> None:
        ids = [
            self.ann.call("whisper", target_user="bob", msg=text)["id"] for text in ("one", "two")
        ]
        session = self.bob.api.session
        assert session is not None
        self.world.chat.whispers.confirm(session, ids[:1])
        self.world.run_pending()
        self.assertEqual(self.waiting(), ["two"])

    def test_what_was_said_in_a_room_is_kept_as_a_whisper(self) -> None:
        session = self.bob.api.session
        assert session is not None
        said = MessageSent(room_name="lobby", usr="ann", msg="to all", id="x", at=1)
        keeping = Deferred.fromCoroutine(self.world.chat.whispers.keep(session.user, said))
        self.world.run_pending()
        self.successResultOf(keeping)
        self.assertEqual(self.waiting(), ["to all"])

    def test_tries_are_counted_down(self) -> None:
        line = self.world.connect("192.0.2.9")
        accounts = self.world.chat.accounts
        self.assertEqual(accounts.attempts_left("ann", "192.0.2.9"), 0)
        for left in (2, 1, 0):
            line.login("ann", pwd="wrong password")
            self.assertEqual(accounts.attempts_left("ann", "192.0.2.9"), left)
