"""Requests about rooms that come again with the same txn: each is done once."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import NotStored
from gtchat.chat.events import Left
from gtchat.chat.interfaces import RepeatableRequest
from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import FakeClient, TestServer

#: Command, its fields, and others that the same txn can't be used for.
REQUESTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("create_room", {"room_name": "new", "topic": "tea"}, {"topic": "milk"}),
    ("set_room", {"room_name": "r", "topic": "tea"}, {"public": False}),
    ("delete_room", {"room_name": "r"}, {"room_name": "own"}),
    ("join_room", {"room_name": "theirs"}, {"room_name": "r"}),
    ("leave_room", {"room_name": "r"}, {"room_name": "own"}),
    ("kick", {"room_name": "r", "user": "bob"}, {"user": "cat"}),
    ("invite", {"room_name": "own", "invitee": "bob"}, {"invitee": "cat"}),
    ("invite_reply", {"room_name": "den", "inviter": "bob", "reply": "Y"}, {"reply": "N"}),
    ("invite_reply", {"room_name": "den", "inviter": "bob", "reply": "N"}, {"reply": "L"}),
    ("invite_reply", {"room_name": "den", "inviter": "bob", "reply": "L"}, {"reply": "Y"}),
    ("add_member", {"room_name": "own", "user": "bob"}, {"user": "cat"}),
    ("remove_member", {"room_name": "r", "user": "bob"}, {"user": "ann"}),
]


class RepeatTests(SynchronousTestCase):
    """Ann owns `r`, where bob is, and the private room `own`. She is invited to bob's `den`."""

    def setUp(self) -> None:
        self.server = TestServer()
        self.ann, self.bob, _ = (self.server.member(name) for name in ("ann", "bob", "cat"))
        for client, cmd, fields in (
            (self.ann, "create_room", {"room_name": "r"}),
            (self.ann, "create_room", {"room_name": "own", "public": False}),
            (self.bob, "join_room", {"room_name": "r"}),
            (self.bob, "create_room", {"room_name": "theirs"}),
            (self.bob, "create_room", {"room_name": "den", "public": False}),
            (self.bob, "invite", {"room_name": "den", "invitee": "ann"}),
        ):
            self.assertEqual(client.call(cmd, **fields)["status"], "ok", (cmd, fields))
        self.clear()

    def clear(self) -> None:
        for client in (self.ann, self.bob):
            client.received()

    def again(self) -> FakeClient:
        """Let ann log in anew, after her connection was lost and the server started again."""
        self.ann.drop()
        self.server.start()
        self.bob = self.server.connect()
        self.bob.login("bob", pwd="password")
        client = self.server.connect()
        client.login("ann", pwd="password")
        client.received(), self.bob.received()
        return client

    def test_a_request_that_comes_again_gets_the_same_reply_and_does_nothing(self) -> None:
        for cmd, fields, other in REQUESTS:
            self.setUp()
            first = self.ann.call(cmd, **fields, txn="t")
            self.assertEqual((first["status"], first.get("dup")), ("ok", None), (cmd, first))
            self.ann = self.again()
            second = self.ann.call(cmd, **fields, txn="t")
            self.assertIs(second["dup"], True, (cmd, second))
            for name in ("status", "msg", "seq", "at", "room"):
                self.assertEqual(second.get(name), first.get(name), (cmd, name))
            conflict = self.ann.call(cmd, **{**fields, **other}, txn="t")
            self.assertEqual(conflict.get("code"), "txn_conflict", cmd)
            self.assertEqual([*self.ann.pushes(), *self.bob.pushes()], [], cmd)

    def test_a_txn_is_for_one_command(self) -> None:
        self.ann.call("join_room", room_name="theirs", txn="t")
        for cmd, fields in (
            ("leave_room", {"room_name": "theirs"}),
            ("speak", {"room_name": "theirs", "msg": "x"}),
            ("whisper", {"target_user": "bob", "msg": "x"}),
        ):
            self.assertEqual(self.ann.call(cmd, **fields, txn="t")["code"], "txn_conflict", cmd)
        self.ann.call("speak", room_name="theirs", msg="x", txn="s")
        reply = self.ann.call("leave_room", room_name="theirs", txn="s")
        self.assertEqual(reply["code"], "txn_conflict")

    def test_a_txn_is_of_one_account_and_has_a_length(self) -> None:
        self.ann.call("create_room", room_name="new", txn="t")
        self.assertNotIn("dup", self.bob.call("join_room", room_name="new", txn="t"))
        for txn in ("", "x" * 65, "\0"):
            reply = self.ann.call("leave_room", room_name="new", txn=txn)
            self.assertEqual(reply["code"], "bad_request")

    def test_a_request_that_was_refused_can_come_again(self) -> None:
        request = {"room_name": "soon", "txn": "t"}
        self.assertEqual(self.ann.call("join_room", **request)["code"], "no_such_room")
        self.bob.call("create_room", room_name="soon")
        self.assertNotIn("dup", self.ann.call("join_room", **request))

    def test_a_request_that_was_not_stored_can_come_again(self) -> None:
        with patch.object(self.server.store, "delete_room", side_effect=NotStored()):
            reply = self.ann.call("delete_room", room_name="r", txn="t")
        self.assertEqual(reply["code"], "not_stored")
        self.assertEqual(self.ann.call("delete_room", room_name="r", txn="t")["status"], "ok")

    def test_the_room_is_told_as_it_is_now_and_only_to_those_who_see_it(self) -> None:
        request = {"inviter": "bob", "room_name": "den", "reply": "Y", "txn": "t"}
        first = self.ann.call("invite_reply", **request)
        self.bob.call("set_room", room_name="den", topic="new")
        second = self.ann.call("invite_reply", **request)
        self.assertEqual((second["seq"], second["room"]["topic"]), (first["seq"], "new"))
        self.bob.call("kick", room_name="den", user="ann")
        third = self.ann.call("invite_reply", **request)
        self.assertEqual((third["seq"], third["dup"]), (first["seq"], True))
        self.assertNotIn("room", third)

    def test_a_later_room_of_the_name_is_not_told(self) -> None:
        self.ann.call("create_room", room_name="new", txn="t")
        self.ann.call("delete_room", room_name="new")
        self.bob.call("create_room", room_name="new", topic="other")
        reply = self.ann.call("create_room", room_name="new", txn="t")
        self.assertEqual((reply["status"], reply["dup"]), ("ok", True))
        self.assertNotIn("room", reply)

    def test_a_request_waits_for_the_first_one_that_is_being_done(self) -> None:
        for is_lost in (False, True):
            self.setUp()
            delayed = DelayedMethod(self, self.server, "find_ack")
            other = self.server.connect()
            other.login("ann", pwd="password", device="phone")
            for client in (self.ann, other):
                client.send("join_room", room_name="theirs", txn="t", tracker="x")
            if is_lost:  # the request is done all the same
                self.ann.drop()
            for _ in "12":
                delayed.release()
            second = other.reply("x")
            self.assertEqual((second["seq"], second["dup"]), (2, True))
            self.assertEqual(len(self.bob.pushes("join_room")), 1)

    def test_a_txn_that_another_process_has_stored_takes_the_change_back(self) -> None:
        """The rules did not see it; the store does."""
        room = self.server.chat.rooms.find("r")
        ann = self.ann.api.require_session
        entry = Left(room_name="r", usr="ann", subject_id=ann.user.id, at=5)
        request = RepeatableRequest(ann.user.id, "t", "leave", 5)
        acks = []
        delivery = self.server.chat.membership._delivery
        for _ in "12":
            copy = Left(room_name="r", usr="ann", subject_id=entry.subject_id, at=5)
            done: Deferred[Any] = delivery.append_change(room, copy, ann, request=request)
            done.addCallback(acks.append)
            self.server.run_pending()
        self.assertEqual([(ack.seq, ack.dup) for ack in acks], [(3, False), (3, True)])
        self.assertEqual((room.last_seq, list(room.members.values())), (3, ["bob"]))
