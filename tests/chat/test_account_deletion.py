"""Deletion of accounts: what it takes to begin it, what ends, how it goes on."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred

from gtchat.chat.access import AccessSettings
from gtchat.chat.account_deletion import KNOWN_S, LONGEST_RETRY_S, RETRY_S
from gtchat.chat.admin_store import ALL_RECORDS
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.deletion_rules import DELETED_USER
from gtchat.chat.errors import BadRequest, NoSuchUser, NotAllowed, NotStored
from gtchat.chat.limits import Limits
from gtchat.chat.retention import Keep, Retention
from tests.chat.test_administration import OPERATOR, Administered
from tests.chat.test_edge_cases import DelayedMethod, refuse, refuse_appends
from tests.fakes import FakeClient, TestServer, nodes

UUID = "6b1d1a3e-5f0e-4b8e-9a3d-0d6a3b5c7e11"
ENDED = (4001, "session_ended: by another session of the user")


class Deletions(Administered):
    """Ann, Bob and Cat; Ann owns the garden, Bob is a member."""

    def use(self, server: TestServer) -> None:
        super().use(server)
        self.ann, self.bob, self.cat = map(server.member, ("Ann", "Bob", "Cat"))
        self.call(self.ann, "create_room", room_name="Garden")
        self.call(self.bob, "join_room", room_name="Garden")
        self.call(self.ann, "speak", room_name="Garden", msg="hi")
        self.clear()

    def clear(self) -> None:
        for client in (self.ann, self.bob, self.cat):
            client.received()

    def call(self, client: FakeClient, cmd: str, **fields: object) -> dict[str, Any]:
        """Let a client ask for something that is done. Return the reply."""
        reply = client.call(cmd, **fields)
        self.assertEqual(reply["status"], "ok", reply)
        return reply

    def delete(self, client: FakeClient, **fields: object) -> dict[str, Any]:
        """Let a user delete the own account. Return the reply."""
        return client.call("delete_account", **{"pwd": "password", **fields})

    def entries(self, room: str = "Garden") -> list[tuple[str, str]]:
        """Return kind and name of the entries of a room that Bob is in."""
        reply = self.call(self.bob, "history", room_name=room, limit=50)
        return [(one.get("type", one["cmd"]), one["usr"]) for one in reply["entries"]]

    def is_gone(self, name: str = "ann") -> bool:
        return self.account(name) is None


class OwnDeletion(Deletions):
    def test_the_user_leaves_and_is_not_known_any_more(self) -> None:
        self.assertEqual(self.delete(self.ann)["status"], "ok")
        self.assertEqual(self.ann.closed, ENDED)
        pushes = [(one.get("type"), one["usr"]) for one in self.bob.pushes()]
        self.assertEqual(pushes, [("leave_room", "Ann"), ("room_changed", "Ann")])
        self.assertTrue(self.is_gone())
        self.assertEqual(
            self.entries(),
            [
                *(("room_created", DELETED_USER), ("join_room", "Bob"), ("c_speak", DELETED_USER)),
                *(("leave_room", DELETED_USER), ("room_changed", DELETED_USER)),
            ],
        )
        self.assertEqual(self.call(self.bob, "set_room", room_name="Garden", topic="x")["seq"], 6)
        for name in ("Ann", "ann", "ANN"):
            taken = self.server.connect().call("register", usr=name, pwd="password")
            self.assertEqual(taken["code"], "name_taken")
            guest = self.server.connect().login(name)
            self.assertEqual(guest["code"], "name_taken")
            member = self.server.connect().login(name, pwd="password")
            self.assertEqual(member["code"], "bad_credentials")
        self.assertEqual(
            self.cat.call("whisper", target_user="Ann", msg="x")["code"], "no_such_user"
        )
        self.assertEqual(
            self.records(code="own_account_deleted"), [("own_account_deleted", "Ann", "")]
        )

    def test_a_room_without_other_members_is_deleted(self) -> None:
        self.call(self.ann, "create_room", room_name="Alone", public=False)
        self.delete(self.ann)
        self.assertEqual(self.cat.call("join_room", room_name="Alone")["code"], "no_such_room")

    def test_a_room_of_an_owner_who_is_no_member_gets_another_one(self) -> None:
        self.call(self.ann, "leave_room", room_name="Garden")
        self.delete(self.ann)
        self.assertEqual(
            self.call(self.bob, "set_room", room_name="Garden", topic="x")["status"], "ok"
        )

    def test_the_password_is_asked_again(self) -> None:
        for fields in ({"pwd": "wrong password"}, {"pwd": None, "uuid": UUID}):
            refused = self.delete(self.ann, **fields)
            self.assertEqual(refused["code"], "bad_credentials")
        self.assertEqual(self.delete(self.ann, pwd=None)["code"], "bad_request")
        self.assertEqual(self.delete(self.server.guest("Gus"))["code"], "not_allowed")
        self.assertEqual(self.delete(self.ann, messages="burn")["code"], "bad_request")
        self.assertFalse(self.is_gone())
        self.assertEqual(self.delete(self.server.connect())["code"], "not_logged_in")

    def test_the_uuid_is_asked_again(self) -> None:
        phone = self.server.connect()
        phone.call("register", usr="Uma", uuid=UUID)
        self.assertEqual(phone.call("login", type="reg", uuid=UUID)["status"], "ok")
        self.assertEqual(self.delete(self.ann, pwd=None, uuid=UUID)["code"], "bad_credentials")
        self.assertEqual(self.delete(phone, pwd=None, uuid=UUID)["status"], "ok")
        again = self.server.connect().call("login", type="reg", uuid=UUID)
        self.assertEqual(again["code"], "bad_credentials")

    def test_messages_are_kept_or_erased_as_the_user_says(self) -> None:
        self.call(self.ann, "whisper", target_user="Bob", msg="psst")
        self.delete(self.ann, messages="erase")
        garden = self.call(self.bob, "history", room_name="Garden", limit=50)["entries"]
        self.assertEqual([one["msg"] for one in garden if one["cmd"] == "c_speak"], [""])
        [direct] = self.call(self.bob, "get_direct_list")["directs"]
        self.assertEqual((direct["usr"], direct["ended"]), (DELETED_USER, True))
        said = self.call(self.bob, "history", direct=direct["id"], limit=9)["entries"]
        self.assertEqual([(one["usr"], one["msg"]) for one in said], [(DELETED_USER, "psst")])

    def test_the_name_is_nowhere_in_the_logs(self) -> None:
        def seq(client: FakeClient, cmd: str, **fields: object) -> int:
            return int(self.call(client, cmd, room_name="Garden", **fields)["seq"])

        theirs, own = seq(self.bob, "speak", msg="x"), seq(self.ann, "speak", msg="y")
        seq(self.bob, "speak", msg="a reply", reply=own)
        seq(self.ann, "speak", msg="another", reply=theirs)
        for one in (theirs, own):
            seq(self.ann, "react", seq=one, emoji="\N{THUMBS UP SIGN}")
        seq(self.bob, "react", seq=theirs, emoji="\N{THUMBS UP SIGN}")
        again = seq(self.bob, "speak", msg="w")
        for on in (True, False):
            seq(self.ann, "react", seq=again, emoji="\N{EYES}", on=on)
        seq(self.ann, "pin", seq=theirs)
        seq(self.ann, "delete", seq=seq(self.ann, "speak", msg="z"))
        seq(self.ann, "edit", seq=own, msg="new")
        seq(self.ann, "set_room", topic="roses")
        self.done(self.admin.rooms.set_owner("Garden", "Bob", AT_CONSOLE))
        self.done(self.admin.rooms.set_owner("Garden", "Ann", AT_CONSOLE))
        seq(self.ann, "set_room", master="Bob")
        seq(self.ann, "remove_member", user="Ann")
        self.call(self.ann, "join_room", room_name="Garden")
        self.delete(self.ann)
        for more in ({}, {"kinds": ["all"]}):
            page = self.call(self.bob, "history", room_name="Garden", limit=100, **more)
            self.assertNotIn("Ann", json.dumps(page))
            self.assertIn("a reply", json.dumps(page))

    def test_replies_to_messages_that_were_removed_lose_the_name(self) -> None:
        self.call(self.bob, "speak", room_name="Garden", msg="yes")
        for number in (3, 4):
            self.call(self.bob, "speak", room_name="Garden", msg="re", reply=number)
        retention = Retention(10**15, Keep(messages=2))
        self.server.store.prune(0, 0, 0, ALL_RECORDS, retention)
        self.delete(self.ann)
        reply = self.call(self.bob, "history", room_name="Garden")
        replies = [one["reply"] for one in reply["entries"] if "reply" in one]
        self.assertEqual([one["usr"] for one in replies], [DELETED_USER, "Bob"])

    def test_a_session_that_has_ended_is_left_alone(self) -> None:
        session = self.ann.api.session
        assert session is not None
        self.ann.drop()
        self.server.chat.deletions.leave(session)

    def test_the_operator_may_decide_for_all(self) -> None:
        for mode, other, text in (("keep", "erase", "hi"), ("erase", "keep", "")):
            self.use(TestServer(access=AccessSettings(deleted_messages=mode)))
            self.assertEqual(self.delete(self.ann, messages=other)["code"], "not_allowed")
            self.assertEqual(self.delete(self.ann, directs=mode)["status"], "ok")
            garden = self.call(self.bob, "history", room_name="Garden", limit=50)["entries"]
            self.assertEqual([one["msg"] for one in garden if one["cmd"] == "c_speak"], [text])

    def test_all_sessions_end(self) -> None:
        other = self.server.connect()
        other.login("Ann", pwd="password", device="second")
        self.delete(self.ann)
        self.assertEqual(other.closed, ENDED)

    def test_a_role_in_the_lobby_is_taken(self) -> None:
        lobby = self.server.chat.rooms.lobby
        self.done(self.server.chat.moderators.appoint("lobby", "Ann", "moderator", OPERATOR))
        self.assertEqual(len(lobby.moderation.roles), 1)
        self.delete(self.ann)
        self.assertEqual(lobby.moderation.roles, {})

    def test_a_user_who_is_gone_already_is_not_closed_twice(self) -> None:
        held = DelayedMethod(self, self.server, "begin_deletion")
        self.ann.send("delete_account", pwd="password")
        self.server.run_pending()
        self.ann.drop()
        held.release()
        self.assertTrue(self.is_gone())


class OperatorDeletion(Deletions):
    def test_an_operator_deletes_an_account(self) -> None:
        name = self.done(self.admin.accounts.delete("ANN", None, None, OPERATOR))
        self.assertEqual(name, "Ann")
        self.assertEqual(self.ann.closed, ENDED)
        self.assertTrue(self.is_gone())
        self.assertEqual(self.records(code="account_deleted"), [("account_deleted", "Olga", "Ann")])
        self.refused(self.admin.accounts.delete("Ann", None, None, OPERATOR), NoSuchUser)
        self.refused(self.admin.accounts.delete("Bob", "burn", None, OPERATOR), BadRequest)

    def test_the_account_of_an_operator_is_deleted_at_the_server_only(self) -> None:
        self.done(self.admin.accounts.set_operator("Bob", True, AT_CONSOLE))
        self.refused(self.admin.accounts.delete("Bob", None, None, OPERATOR), NotAllowed)
        self.done(self.admin.accounts.delete("Bob", None, None, AT_CONSOLE))
        self.assertTrue(self.is_gone("bob"))


class GoingOn(Deletions):
    """Deletions that could not go on at once."""

    def restart(self) -> None:
        """Kill the server, and start it again."""
        self.server.start()
        self.bob = self.server.connect()
        self.bob.login("Bob", pwd="password")

    def test_it_goes_on_after_each_step(self) -> None:
        for steps in range(2):
            self.use(TestServer())
            kept = self.server.store.append
            left = [steps]

            def append(entry: Any, left: list[int] = left, kept: Any = kept) -> None:
                if left[0]:
                    left[0] -= 1
                    kept(entry)

            self.patch(self.server.store, "append", append)  # what is not done, is lost
            self.delete(self.ann)
            self.assertFalse(self.is_gone())
            self.patch(self.server.store, "append", kept)
            self.restart()
            self.assertTrue(self.is_gone())
            kinds = [kind for kind, _ in self.entries()]
            self.assertEqual(kinds[3:], ["leave_room", "room_changed"])

    def test_it_goes_on_after_the_last_step(self) -> None:
        kept = self.server.store.end_guest
        self.patch(self.server.store, "end_guest", lambda account_id: Deferred())
        self.delete(self.ann)
        self.assertFalse(self.is_gone())
        self.patch(self.server.store, "end_guest", kept)
        self.restart()
        self.assertTrue(self.is_gone())

    def test_what_could_not_be_stored_is_tried_again(self) -> None:
        store = self.server.store
        kept = store.begin_ending
        refuse(self, self.server, "begin_ending")
        self.delete(self.ann)
        self.assertFalse(self.is_gone())
        self.patch(store, "begin_ending", kept)
        self.server.chat.deletions.resume()  # it is under way
        self.server.clock.advance(RETRY_S)
        self.server.run_pending()
        self.assertTrue(self.is_gone())

    def test_what_fails_otherwise_is_logged_and_tried_again_later_each_time(self) -> None:
        kept, tries = self.server.store.begin_ending, []

        def begin_ending(account_id: int) -> Any:
            tries.append(self.server.clock.seconds())
            raise KeyError(account_id)

        self.patch(self.server.store, "begin_ending", begin_ending)
        self.delete(self.ann)
        waits = [60, 120, 240, 480, 960, 1920, LONGEST_RETRY_S, LONGEST_RETRY_S]
        for wait in waits:
            self.server.clock.advance(wait)
            self.server.run_pending()
        self.assertEqual([after - before for before, after in pairwise(tries)], waits)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), len(tries))
        self.patch(self.server.store, "begin_ending", kept)
        self.server.clock.advance(LONGEST_RETRY_S)
        self.server.run_pending()
        self.assertTrue(self.is_gone())

    def test_nothing_is_tried_after_the_stop(self) -> None:
        held = DelayedMethod(self, self.server, "begin_ending")
        self.delete(self.ann)
        self.done(self.server.chat.stop())
        held.release()
        self.assertEqual(self.server.chat.deletions._under_way, {1: None})

    def test_a_retry_ends_with_the_server(self) -> None:
        refuse_appends(self, self.server)
        self.delete(self.ann)
        [timer] = self.server.chat.deletions._under_way.values()
        assert timer is not None
        self.done(self.server.chat.stop())
        self.assertFalse(timer.active())

    def test_nothing_begins_that_is_not_stored(self) -> None:
        refuse(self, self.server, "begin_deletion")
        self.assertEqual(self.delete(self.ann)["code"], "not_stored")
        self.assertIsNone(self.ann.closed)
        self.refused(self.admin.accounts.delete("Bob", None, None, OPERATOR), NotStored)

    def test_two_who_are_deleted_at_once_leave_no_room(self) -> None:
        held = DelayedMethod(self, self.server, "begin_ending")
        self.delete(self.ann)
        self.delete(self.bob)
        held.release()
        self.server.clock.advance(RETRY_S)
        self.server.run_pending()
        self.assertTrue(self.is_gone() and self.is_gone("bob"))
        self.assertEqual(self.cat.call("join_room", room_name="Garden")["code"], "no_such_room")

    def test_a_room_that_is_deleted_meanwhile_is_left_out(self) -> None:
        held = DelayedMethod(self, self.server, "begin_ending")
        self.delete(self.ann)
        self.done(self.admin.rooms.delete("Garden", AT_CONSOLE))
        held.release()
        self.assertTrue(self.is_gone())


class AtSeveralNodes(Deletions):
    """Ann is at the first node, Bob and Cat at the second one."""

    def setUp(self) -> None:
        self.first, self.second = nodes(2, Limits(commands_per_second=0))
        self.server, self.admin = self.first, self.first.chat.admin
        self.ann = self.first.member("Ann")
        self.bob, self.cat = self.second.member("Bob"), self.second.member("Cat")
        self.call(self.ann, "create_room", room_name="Garden")
        self.call(self.bob, "join_room", room_name="Garden")
        self.clear()

    def test_it_ends_once_all_nodes_know_of_it(self) -> None:
        again = self.second.connect()
        again.login("Ann", pwd="password", device="second")
        self.delete(self.ann)
        self.assertEqual(again.closed, ENDED)
        pushes = [(one.get("type"), one["usr"]) for one in self.bob.pushes()]
        self.assertEqual(pushes, [("leave_room", "Ann"), ("room_changed", "Ann")])
        self.assertFalse(self.is_gone())
        self.first.clock.advance(KNOWN_S)
        self.first.run_pending()
        self.assertTrue(self.is_gone())
        self.assertEqual(self.call(self.bob, "set_room", room_name="Garden", topic="x")["seq"], 5)

    def test_moderators_see_the_name_no_more_at_any_node(self) -> None:
        self.call(self.bob, "create_room", room_name="Shed")
        dan = self.first.member("Dan")
        for client in (self.ann, dan):
            self.call(client, "join_room", room_name="Shed")
        self.call(self.bob, "set_role", room_name="Shed", user="Dan", role="moderator")
        self.call(self.bob, "mute", room_name="Shed", user="Ann")
        self.delete(self.ann)
        self.first.clock.advance(KNOWN_S)
        self.first.run_pending()
        for client in (self.bob, dan):
            found = self.call(client, "get_moderation", room_name="Shed")
            self.assertEqual([one["usr"] for one in found["mutes"]], [DELETED_USER])

    def test_another_node_goes_on_when_one_is_gone(self) -> None:
        refuse_appends(self, self.first)
        self.delete(self.ann)
        self.second.store.expire(self.first.store)
        self.second.run_pending()
        self.second.clock.advance(KNOWN_S)
        self.second.run_pending()
        self.server = self.second
        self.assertTrue(self.is_gone())

    def test_two_nodes_may_do_it_at_once(self) -> None:
        self.delete(self.ann)
        self.second.chat.deletions.resume()
        self.first.clock.advance(KNOWN_S)
        self.first.run_pending()
        self.assertTrue(self.is_gone())
        kinds = [kind for kind, _ in self.entries()]
        self.assertEqual(kinds.count("leave_room"), 1)
