"""RandomChat on the real server: transcripts, bad input, and messages to other protocols."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.e2e import transcripts
from tests.e2e.old_protocols import OldProtocolsCase
from tests.e2e.server import Client


class RandomChatCase(OldProtocolsCase):
    accounts: Mapping[str, str] = {}


class Transcript(transcripts.RandomChat):
    """At one server."""

    def test_messages_survive_a_restart(self) -> None:
        ana, bob = self.phone("Ana", "111"), self.phone("Bob", "222")
        ana.call("create_chat", name="den")
        ana.call("add_member", chat="den", phone="222")
        bob.read()
        bob.close()
        for number in range(250):
            ana.call("send_message", chat="den", message=str(number))
        self.server.kill()
        self.server.start()
        [chat] = self.phone().register("Bob", "222")
        self.assertEqual([one["message"] for one in chat["messages"]], [str(n) for n in range(250)])


class BadInput(RandomChatCase):
    def test_invalid_requests_get_errors(self) -> None:
        client = self.phone()
        for request, code in (
            ({"type": "create_chat", "name": "x"}, "not_logged_in"),
            ({"type": "write_message"}, "unknown_cmd"),
            ({"type": "_send_error", "detail": "x"}, "unknown_cmd"),
            ({"type": ["ping"]}, "unknown_cmd"),
            ({"type": "register"}, "bad_request"),
            ({"type": "register", "user": {"name": "x"}}, "bad_request"),
            ({"type": "register", "user": {"name": "x", "phone": "12"}}, "bad_request"),
            ({"type": "register", "user": {"name": "x", "phone": 123456}}, "bad_request"),
            ({"type": "register", "user": {"name": "<>", "phone": "123456"}}, "bad_name"),
        ):
            client.ws.frame(json.dumps(request).encode())
            error = client.read()
            self.assertEqual((request, error["type"], error["code"]), (request, "error", code))
        for malformed in (b"hello", b"[]", b"1", b'"x"'):
            client.ws.frame(malformed)
            self.assertEqual(client.read()["code"], "bad_request")
        self.assertEqual(client.register("Ana", "111"), [])
        client.send("create_chat", name="den")
        client.read()
        self.assertEqual(client.call("create_chat", name="den")["code"], "room_exists")

    def test_phone_cannot_log_in_to_a_password_account(self) -> None:  # D22
        web = Client(self.server.ws_port)
        self.addCleanup(web.close)
        web.call("register", usr="Ana", pwd="long enough")
        ana = self.phone("Ana", "111")
        ana.send("create_chat", name="den")
        self.assertEqual(ana.read()["user"]["name"], "Ana-2")
        code = web.call("login", type="reg", usr="Ana-2", pwd="long enough")["code"]
        self.assertEqual(code, "bad_credentials")

    def test_first_message_selects_the_protocol_for_good(self) -> None:
        ana = self.phone("Ana", "111")
        ana.ws.frame(b'{"cmd":"ping"}')
        self.assertEqual(ana.read()["code"], "unknown_cmd")
        web = self.web("ann")
        web.frame(b'{"type":"register","user":{"name":"x","phone":"123"}}')
        self.assertEqual(web.message()["code"], "bad_request")


class Disabled(RandomChatCase):
    protocols = ()

    def test_randomchat_is_off_by_default(self) -> None:
        client = self.phone()
        client.send("register", user={"name": "Ana", "phone": "111"})
        self.assertEqual(client.read()["cmd"], "c_response")
