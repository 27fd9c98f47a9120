"""RandomChat on the real server: transcripts, bad input, and messages to other protocols."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Client, Closed, Server, masked


class RandomChatClient:
    """A client of RandomChat on the port of a server."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.ws = Client(port, address=address)

    def send(self, kind: str, **fields: object) -> None:
        """Send a request."""
        self.ws.frame(json.dumps({"type": kind, **fields}).encode())

    def read(self) -> dict[str, Any]:
        """Return the next object."""
        while True:
            opcode, payload = self.ws.next_frame()
            if opcode == 8:
                raise Closed(int.from_bytes(payload[:2], "big"))
            if opcode == 1:
                assert payload.isascii()
                return dict(json.loads(payload))

    def call(self, kind: str, **fields: object) -> dict[str, Any]:
        """Send a request and return the next object."""
        self.send(kind, **fields)
        return self.read()

    def register(self, name: str, phone: str) -> list[dict[str, Any]]:
        """Register; return the chats of the state."""
        state = self.call("register", user={"name": name, "phone": phone})
        assert state["type"] == "state", state
        return list(state["chats"])


class RandomChatCase(SynchronousTestCase):
    """Tests with a server that has RandomChat."""

    options: tuple[str, ...] = ("--randomchat",)

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0", *self.options).start()
        self.addCleanup(self.server.kill)

    def client(self, name: str = "", phone: str = "") -> RandomChatClient:
        """Return a client, registered if there is a name."""
        client = RandomChatClient(self.server.ws_port)
        self.addCleanup(client.ws.close)
        if name:
            self.assertEqual(client.register(name, phone), [])
        return client

    def web(self, name: str) -> Client:
        """Return a client of the JSON API, logged in as a guest."""
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client


class Transcript(RandomChatCase):
    def test_register_talk_and_missed_messages(self) -> None:
        ana = self.client("Ana", "111")
        created = ana.call("create_chat", name="room1")
        self.assertEqual((created["type"], created["user"]["phone"]), ("new_member", "111"))
        error = ana.call("add_member", chat="room1", phone="999")
        self.assertEqual((error["type"], error["detail"]), ("error", "User not found"))
        bob = self.client("Bob", "222")
        ana.send("add_member", chat="room1", phone="222")
        for push in (ana.read(), bob.read()):
            self.assertEqual(push["type"], "new_member")
            self.assertEqual(push["user"]["name"], "Bob")
            self.assertEqual([one["phone"] for one in push["chat"]["members"]], ["111", "222"])
            self.assertEqual(push["chat"]["owner"]["name"], "Ana")
        ana.send("send_message", chat="room1", message="hola Bob \u00f1")
        for push in (ana.read(), bob.read()):
            self.assertEqual((push["type"], push["message"]), ("message", "hola Bob \u00f1"))
            self.assertEqual(push["from"]["phone"], "111")
            self.assertIsNone(push["from"]["disconnection_date"])
            self.assertRegex(push["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        bob.send("send_message", chat="room1", message="hi")
        self.assertEqual([ana.read()["message"], bob.read()["message"]], ["hi", "hi"])
        bob.ws.close()
        carl = self.client("Carl", "333")
        ana.send("add_member", chat="room1", phone="333")
        date = carl.read()["chat"]["members"][1]["disconnection_date"]
        ana.read()
        for text in ("while you", "were out"):
            ana.call("send_message", chat="room1", message=text)
        self.assertRegex(date, r"Z$")
        for missed in (["while you", "were out"], []):
            bob = self.client()
            [chat] = bob.register("Bobby", "222")
            self.assertEqual(chat["chat"]["name"], "room1")
            self.assertEqual([one["message"] for one in chat["messages"]], missed)
            bob.ws.frame(b"\x03\xe8", 8)
            self.assertRaises(Closed, bob.read)

    def test_missed_messages_come_again_after_an_early_disconnect(self) -> None:
        ana, bob = self.client("Ana", "111"), self.client("Bob", "222")
        ana.call("create_chat", name="room1")
        ana.call("add_member", chat="room1", phone="222")
        bob.read()
        bob.ws.frame(b"\x03\xe8", 8)
        self.assertRaises(Closed, bob.read)
        ana.call("send_message", chat="room1", message="while you were out")
        register = json.dumps({"type": "register", "user": {"name": "Bob", "phone": "222"}})
        bob = self.client()
        bob.ws.socket.sendall(masked(register.encode()) + masked(b"\x03\xe8", 8))
        self.assertRaises(Closed, bob.read)
        [chat] = self.client().register("Bob", "222")
        self.assertEqual([one["message"] for one in chat["messages"]], ["while you were out"])

    def test_remove_member_and_delete_chat(self) -> None:
        ana, bob = self.client("Ana", "111"), self.client("Bob", "222")
        ana.call("create_chat", name="den")
        ana.call("add_member", chat="den", phone="222")
        bob.read()
        error = bob.call("remove_member", chat="den", phone="111")
        self.assertIn("Only the chat owner is able to remove", error["detail"])
        error = bob.call("delete_chat", chat="den")
        self.assertEqual(error["detail"], "Only the chat owner is able to delete it")
        ana.send("remove_member", chat="den", phone="222")
        for push in (ana.read(), bob.read()):
            self.assertEqual((push["type"], push["user"]["phone"]), ("member_removed", "222"))
        self.assertEqual(bob.call("send_message", chat="den", message="x")["code"], "not_in_room")
        ana.send("delete_chat", chat="den")
        self.assertEqual(ana.read()["type"], "chat_deleted")
        self.assertEqual(ana.call("send_message", chat="den", message="x")["code"], "no_such_room")

    def test_second_login_closes_the_first(self) -> None:
        first = self.client("Ana", "111")
        second = self.client("Ana", "+1 11".replace("+", ""))
        with self.assertRaises(Closed) as closed:
            first.read()
        self.assertEqual(closed.exception.code, 4409)
        self.assertEqual(second.call("create_chat", name="still here")["type"], "new_member")

    def test_messages_survive_a_restart(self) -> None:
        ana, bob = self.client("Ana", "111"), self.client("Bob", "222")
        ana.call("create_chat", name="den")
        ana.call("add_member", chat="den", phone="222")
        bob.read()
        bob.ws.frame(b"\x03\xe8", 8)
        self.assertRaises(Closed, bob.read)
        for number in range(250):
            ana.call("send_message", chat="den", message=str(number))
        self.server.kill()
        self.server.start()
        [chat] = self.client().register("Bob", "222")
        self.assertEqual([one["message"] for one in chat["messages"]], [str(n) for n in range(250)])


class BadInput(RandomChatCase):
    def test_invalid_requests_get_errors(self) -> None:
        client = self.client()
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
        ana = self.client("Ana", "111")
        ana.send("create_chat", name="den")
        self.assertEqual(ana.read()["user"]["name"], "Ana-2")
        code = web.call("login", type="reg", usr="Ana-2", pwd="long enough")["code"]
        self.assertEqual(code, "bad_credentials")

    def test_first_message_selects_the_protocol_for_good(self) -> None:
        ana = self.client("Ana", "111")
        ana.ws.frame(b'{"cmd":"ping"}')
        self.assertEqual(ana.read()["code"], "unknown_cmd")
        web = self.web("ann")
        web.frame(b'{"type":"register","user":{"name":"x","phone":"123"}}')
        self.assertEqual(web.message()["code"], "bad_request")


class AcrossProtocols(RandomChatCase):
    def test_lobby_is_shared(self) -> None:
        ann, ana = self.web("ann"), self.client("Ana", "111")
        ann.call("speak", room_name="lobby", msg="hello phones")
        push = ana.read()
        self.assertEqual((push["chat"]["name"], push["message"]), ("lobby", "hello phones"))
        self.assertEqual(push["from"], {"name": "ann", "phone": "", "disconnection_date": None})
        ana.call("send_message", chat="lobby", message="hello web")
        self.assertEqual(ann.taken[0]["usr"], "Ana")
        self.assertEqual(ann.message()["msg"], "hello web")
        ann.call("whisper", target_user="Ana", msg="psst")
        self.assertEqual(ana.read()["message"], "psst")


class Disabled(RandomChatCase):
    options = ()

    def test_randomchat_is_off_by_default(self) -> None:
        client = self.client()
        client.send("register", user={"name": "Ana", "phone": "111"})
        self.assertEqual(client.read()["cmd"], "c_response")
