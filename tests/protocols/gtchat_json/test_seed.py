"""The seed's own examples, line by line, with the outcomes that the protocol page names."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes import FakeClient, TestServer

GENERAL: list[tuple[str, str]] = [
    ('{"cmd":"register","usr":"user1","pwd":"pwd1abcd"}', "ok"),
    ('{"cmd":"register","usr":"user2","pwd":"pwd1efgh"}', "ok"),
    (
        '{"cmd":"update_pwd", "usr":"user1", "pwd":"pwd1abcd", '
        '"new_pwd":"12345678", "new_pwd2":"12345678"}',
        "ok",
    ),
    ('{"cmd":"login", "type":"reg", "usr":"user2","pwd":"pwd1efgh"}', "ok"),
    ('{"cmd":"login", "type":"tmp", "usr":"user2"}', "already_logged_in"),
    ('{"cmd":"create_room", "room_name":"nerdhaus", "usr":"user2"}', "ok"),
    ('{"cmd":"create_room", "room_name":"nerdhaus", "usr":"user3"}', "not_you"),
    ('{"cmd":"create_room", "room_name":"nerdhaus", "usr":"user2"}', "room_exists"),
    ('{"cmd":"login", "type":"tmp", "usr":"anonymous"}', "ok"),
    ('{"cmd":"join_room", "room_name":"nerdhaus", "usr":"anonymous"}', "ok"),
    ('{"cmd":"leave_room", "room_name":"nerdhaus", "usr":"anonymous"}', "ok"),
    ('{"cmd":"leave_room", "room_name":"nerdhaus", "usr":"user2"}', "not_you"),
    ('{"cmd":"speak", "room_name":"nerdhaus", "usr":"user2", "msg":"to nerdhaus"}', "not_you"),
]

BROADCAST: list[list[str]] = [
    [
        '{"cmd":"register","usr":"user1","pwd":"pwd1abcd"}',
        '{"cmd":"login", "type":"reg", "usr":"user1", "pwd":"pwd1abcd"}',
        '{"cmd":"create_room", "room_name":"nerdhaus", "usr":"user1"}',
    ],
    [
        '{"cmd":"register","usr":"user2","pwd":"pwd1abcd"}',
        '{"cmd":"login", "type":"reg", "usr":"user2", "pwd":"pwd1abcd"}',
        '{"cmd":"join_room", "room_name":"nerdhaus", "usr":"user2"}',
    ],
    [
        '{"cmd":"register","usr":"user3","pwd":"pwd1abcd"}',
        '{"cmd":"login", "type":"reg", "usr":"user3", "pwd":"pwd1abcd"}',
    ],
]
SPEAK = '{"cmd":"speak", "room_name":"nerdhaus", "usr":"user1", "msg":"to nerdhaus only"}'
INVITE = '{"cmd":"invite", "room_name":"nerdhaus", "invitee":"user3", "usr":"user1"}'


def outcome(reply: dict[str, Any]) -> str:
    """`ok`, or the code of an error."""
    return str(reply.get("code", reply["status"]))


class GeneralTest(SynchronousTestCase):
    def test_every_line_gives_what_the_page_says(self) -> None:  # C17, C18
        line = TestServer().connect()
        for sent, expected in GENERAL:
            line.raw(sent)
            [reply] = [m for m in line.received() if m["cmd"] == "c_response"]
            self.assertEqual(outcome(reply), expected, sent)
            self.assertEqual(reply["last_cmd"], json.loads(sent)["cmd"])

    def test_all_lines_sent_at_once_give_the_same_in_the_same_order(self) -> None:
        world = TestServer()
        line = world.connect()
        for sent, _ in GENERAL:
            line.api.message(sent.encode())
        world.run_pending()
        replies = [m for m in line.received() if m["cmd"] == "c_response"]
        self.assertEqual([outcome(r) for r in replies], [expected for _, expected in GENERAL])

    def test_user2_stays_a_member_though_he_logged_out(self) -> None:
        world = TestServer()
        line = world.connect()
        for sent, _ in GENERAL:
            line.raw(sent)
        members = line.call("get_room_user_list", room_name="nerdhaus")
        self.assertEqual(members["users"], ["user2"])
        self.assertEqual(members["online"], [])


class BroadcastTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clients: list[FakeClient] = []
        world = TestServer()
        for script in BROADCAST:
            client = world.connect()
            for sent in script:
                client.raw(sent)
            self.clients.append(client)
        for client in self.clients:
            self.assertTrue(all(m.get("status", "ok") == "ok" for m in client.received()))

    def test_only_client_2_receives_the_speech(self) -> None:
        self.clients[0].raw(SPEAK)
        heard = [client.pushes() for client in self.clients]
        self.assertEqual([len(pushes) for pushes in heard], [0, 1, 0])
        self.assertEqual(heard[1][0]["msg"], "to nerdhaus only")
        self.assertEqual(heard[1][0]["usr"], "user1")

    def test_only_client_3_receives_the_invitation(self) -> None:
        self.clients[0].raw(INVITE)
        heard = [client.pushes() for client in self.clients]
        self.assertEqual([len(pushes) for pushes in heard], [0, 0, 1])
        self.assertEqual(heard[2][0]["cmd"], "c_invited")
        self.assertEqual(heard[2][0]["room_name"], "nerdhaus")
        self.assertEqual(heard[2][0]["usr"], "user1")
