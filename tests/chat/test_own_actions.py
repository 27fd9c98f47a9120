"""What a user does is told to all sessions but the one that asked for it, whose reply tells it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, TestServer

KEY = "open sesame"

#: Command, its fields, what ann's other session is pushed, what bob is. `{seq}` is ann's message.
CHANGES_OF_MESSAGES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("edit", {"room_name": "r", "seq": 4, "msg": "b"}, ["edited"], ["edited"]),
    ("delete", {"room_name": "r", "seq": 4}, ["deleted"], ["deleted"]),
    ("react", {"room_name": "r", "seq": 4, "emoji": "👍"}, ["reacted"], ["reacted"]),
    ("pin", {"room_name": "r", "seq": 4}, ["pinned"], ["pinned"]),
]
#: The same; the replies to these have the `seq` of the entry.
CHANGES_OF_ROOMS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("create_room", {"room_name": "new"}, ["room_created"], ["room_created"]),
    ("create_room", {"room_name": "new", "public": False}, ["room_created"], []),
    ("set_room", {"room_name": "r", "topic": "t"}, ["room_changed"], ["room_changed"]),
    ("set_room", {"room_name": "r", "master": "bob"}, ["room_changed"], ["room_changed"]),
    ("join_room", {"room_name": "theirs"}, ["join_room"], ["join_room"]),
    ("leave_room", {"room_name": "r"}, ["leave_room"], ["leave_room"]),
    ("kick", {"room_name": "r", "user": "cat"}, ["kicked"], ["kicked"]),
    ("remove_member", {"room_name": "r", "user": "cat"}, ["removed"], ["removed"]),
    ("remove_member", {"room_name": "r", "user": "ann"}, ["removed"], ["removed"]),
    ("add_member", {"room_name": "r", "user": "dan"}, ["join_room"], ["join_room"]),
    (
        "invite_reply",
        {"inviter": "bob", "room_name": "den", "reply": "Y"},
        ["join_room"],
        ["c_invite_reply", "join_room"],
    ),
]
OTHERS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("speak", {"room_name": "r", "msg": "hello"}, ["c_speak"], ["c_speak"]),
    ("speak", {"target_user": "bob", "msg": "hello"}, ["c_whisper"], ["c_whisper"]),
    ("whisper", {"target_user": "bob", "msg": "hello"}, ["c_whisper"], ["c_whisper"]),
    ("broadcast", {"msg": "hello", "broadcast_key": KEY}, ["c_broadcast"], ["c_broadcast"]),
    ("delete_room", {"room_name": "r"}, ["room_gone"], ["room_gone"]),
    ("delete_room", {"room_name": "own"}, ["room_gone"], []),
    ("delete_room", {"room_name": "left"}, ["room_gone"], []),
    ("invite", {"room_name": "r", "invitee": "dan"}, [], []),
    (
        "invite_reply",
        {"inviter": "bob", "room_name": "den", "reply": "N"},
        ["invitation_ended"],
        ["c_invite_reply"],
    ),
    (
        "invite_reply",
        {"inviter": "bob", "room_name": "den", "reply": "L"},
        [],
        ["c_invite_reply"],
    ),
    ("typing", {"room_name": "r"}, [], ["typing"]),  # of no use to the user's own sessions
    ("mark_read", {"room_name": "r", "seq": 5}, ["marked_read"], []),
    ("mark_unread", {"room_name": "r", "seq": 5}, ["marked_read"], []),
    ("set_notify", {"room_name": "r", "level": "none"}, ["notify"], []),
    ("block", {"user": "dan"}, [], []),
    ("unblock", {"user": "dan"}, [], []),
    ("set_address", {"port": 5000}, [], []),
]


class OwnActionTests(SynchronousTestCase):
    """Ann has two sessions, bob one. In the room `r` are ann, its owner, bob and cat.

    `theirs` is bob's public room, `den` a private one of bob's, which ann is invited to; `own` and
    `left` are private rooms of ann, who is no member of `left`. Cat and dan are offline.
    """

    def begin(self) -> tuple[FakeClient, FakeClient, FakeClient]:
        """Return the session that asks, the other one, and bob's."""
        server = TestServer(broadcast_key=KEY)
        for name in ("cat", "dan"):
            server.member(name).drop(clean=True)
        bob = server.member("bob")
        server.connect().call("register", usr="ann", pwd="password")
        asks, other = server.connect(), server.connect()
        for client, device in ((asks, "phone"), (other, "desk")):
            reply = client.login("ann", pwd="password", device=device, marks_read=True)
            self.assertEqual(reply["status"], "ok")
        for client, cmd, fields in (
            (asks, "create_room", {"room_name": "r"}),
            (asks, "add_member", {"room_name": "r", "user": "bob"}),
            (asks, "add_member", {"room_name": "r", "user": "cat"}),
            (asks, "speak", {"room_name": "r", "msg": "a"}),
            (bob, "speak", {"room_name": "r", "msg": "c"}),
            (asks, "create_room", {"room_name": "own", "public": False}),
            (asks, "create_room", {"room_name": "left", "public": False}),
            (asks, "leave_room", {"room_name": "left"}),
            (bob, "create_room", {"room_name": "theirs"}),
            (bob, "create_room", {"room_name": "den", "public": False}),
            (bob, "invite", {"room_name": "den", "invitee": "ann"}),
        ):
            self.assertEqual(client.call(cmd, **fields)["status"], "ok", (cmd, fields))
        for client in (asks, other, bob):
            client.received()
        return asks, other, bob

    def kinds(self, pushes: list[dict[str, Any]]) -> list[str]:
        return sorted(push.get("type", push["cmd"]) for push in pushes)

    def check(self, cmd: str, fields: dict[str, Any], own: list[str], others: list[str]) -> Any:
        """Let ann send a command, and check what the other two are pushed.

        Returns:
            The reply, the pushes to the session that asked, those to the other session.
        """
        asks, other, bob = self.begin()
        if cmd == "mark_unread":
            asks.call("mark_read", room_name="r", seq=5)
            other.received()
        reply = asks.call(cmd, **fields)
        self.assertEqual(reply["status"], "ok", (cmd, reply))
        pushed, told = asks.pushes(), other.pushes()
        self.assertEqual(self.kinds(told), own, (cmd, fields))
        self.assertEqual(self.kinds(bob.pushes()), others, (cmd, fields))
        return reply, pushed, told

    def test_the_session_that_asks_is_pushed_changes_of_messages_alone(self) -> None:
        for cmd, fields, own, others in CHANGES_OF_MESSAGES:
            _, pushed, told = self.check(cmd, fields, own, others)
            self.assertEqual(pushed, told, cmd)
        for cmd, fields, own, others in OTHERS:
            _, pushed, _ = self.check(cmd, fields, own, others)
            self.assertEqual(pushed, [], (cmd, fields))

    def test_the_reply_to_a_change_of_a_room_has_the_seq_that_others_are_pushed(self) -> None:
        for cmd, fields, own, others in CHANGES_OF_ROOMS:
            reply, pushed, told = self.check(cmd, fields, own, others)
            self.assertEqual(pushed, [], (cmd, fields))
            [entry] = told
            self.assertEqual((reply["seq"], reply["at"]), (entry["seq"], entry["at"]), cmd)

    def test_the_creators_other_sessions_get_the_entry_as_it_is_in_the_log(self) -> None:
        for public in (True, False):
            asks, other, _ = self.begin()
            asks.call("create_room", room_name="new", public=public, topic="tea")
            self.assertEqual(other.pushes(), other.call("history", room_name="new")["entries"])
