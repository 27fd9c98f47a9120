"""Clients that are called back: heartbeats, answers that never come, what is kept."""

from __future__ import annotations

from gtchat.protocols.base.dialback import ANSWER_TIMEOUT
from gtchat.protocols.base.dialback_client import HEARTBEAT_CHECK, DialbackClient, DialbackServer
from gtchat.protocols.message_center import MessageCenter, MessageCenterFactory, framed
from gtchat.protocols.pa1 import COMMAND_PAUSE, PA1, PA1Factory
from tests.protocols.fakes import ADDRESS, FakeConnection, FakeTransport, TCPTestCase


class DialbackTestCase(TCPTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.register("ann", "bob", "eve")
        self.web = self.log_in_web("eve")


class MessageCenterClients(DialbackTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.center = MessageCenter(self.chat, self.reactor, lambda: ())
        self.factory = MessageCenterFactory(self.center)

    def log_in(self, name: str, port: int) -> str:
        """Log in; return the token."""
        client = FakeConnection(self.server, self.factory)
        for body in ("LIN", name, "password"):
            client.send(framed(body))
        token = client.transport.value()[4 + len("LOGIN_OKAY") + 4 :].decode()
        for body in ("elsewhere.example", str(port)):
            client.send(framed(body))
        client.drop()
        return token

    def request(self, *words: str) -> FakeTransport:
        """Send a request; return its connection."""
        client = FakeConnection(self.server, self.factory)
        client.send(framed("|".join(words)))
        return client.transport

    def test_only_the_address_of_the_login_is_called(self) -> None:
        self.log_in("ann", 6067)
        self.assertEqual(
            [(host, port) for host, port, *_ in self.reactor.tcpClients], [(ADDRESS, 6067)]
        )

    def test_a_client_without_heartbeats_is_logged_out_once(self) -> None:  # F13
        token = self.log_in("ann", 6067)
        self.answer_calls()
        for _ in range(10):
            self.reactor.advance(HEARTBEAT_CHECK)
            self.request("HEY", "ann", token, "")
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.web.received()
        self.reactor.pump([HEARTBEAT_CHECK] * 20)
        told = [push["usr"] for push in self.web.received() if push.get("type") == "logout"]
        self.assertEqual(told, ["ann"])
        self.assertEqual(self.request("GET", "ann", token, "eve").value(), framed("FAIL"))
        self.web.call("logout")
        self.assertEqual(self.center.clients, set())

    def test_what_is_not_delivered_is_kept_also_from_the_lobby(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="first")
        self.answer_calls()
        for text in ("second", "third"):
            self.web.call("whisper", target_user="ann", msg=text)
        self.web.call("speak", room_name="lobby", msg="to all")
        while self.reactor.tcpClients:
            self.refuse()
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
        self.log_in("ann", 6068)
        [(port, kept), *_] = self.answer_calls()
        self.assertEqual(port, 6068)
        self.assertEqual(
            kept[4:].decode(),
            "While you were away...\n[eve]: second\n[eve]: third\n[eve]: to all\n",
        )
        self.log_in("ann", 6069)
        self.assertNotIn(b"While", b"".join(said for _, said in self.answer_calls()))

    def test_a_login_without_a_port_is_given_up(self) -> None:
        client = FakeConnection(self.server, self.factory)
        for body in ("LIN", "ann", "password"):
            client.send(framed(body))
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.reactor.advance(20)
        self.assertTrue(client.transport.aborted)
        client.drop()
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])

    def test_a_user_does_not_see_the_presence_of_users_who_block_them(self) -> None:
        self.web.call("block", user="ann")
        self.web.call("logout")
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.login("eve", pwd="password")
        self.web.call("logout")
        self.assertEqual(self.answer_calls(), [])


class PA1Clients(DialbackTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = PA1Factory(PA1(self.chat, self.reactor, lambda: ()))

    def send(self, line: str, address: str = ADDRESS) -> FakeConnection:
        """Send a command, and pause."""
        client = FakeConnection(self.server, self.factory, address)
        client.write(line.encode())
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        return client

    def called(self) -> list[tuple[int, bytes]]:
        return self.answer_calls(0.3)

    def test_a_command_in_pieces_is_one_command(self) -> None:  # F02
        client = FakeConnection(self.server, self.factory)
        for piece in (b"logIn a", b"nn pass", b"word 6067"):
            client.write(piece)
            self.reactor.advance(COMMAND_PAUSE / 2)
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        self.assertEqual(self.called()[0], (6067, b"Ok "))

    def test_a_request_that_is_not_answered_is_rejected(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.send("ann getaddress eve")
        self.assertEqual(self.called(), [])
        for _ in range(2):
            self.send("ann heartbeat 2026-11-2022:56:21")
            self.reactor.advance(ANSWER_TIMEOUT / 2)
        self.assertEqual(self.called(), [(6067, b"\nYour request is rejected\n")])

    def test_commands_from_another_address_do_nothing(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.send("ann logout", "198.51.100.1")
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])

    def test_no_timer_is_left(self) -> None:
        self.send("logIn ann password 6067")
        self.called()
        self.factory.stop()
        self.server.run_pending()
        self.web.call("logout")
        self.assertEqual((self.factory.server.clients, self.factory.server._check), (set(), None))


class Clients(DialbackTestCase):
    """A client without a protocol."""

    def setUp(self) -> None:
        super().setUp()
        self.all = DialbackServer(self.chat, self.reactor, lambda: ())
        self.client = DialbackClient(self.all, ADDRESS)

    def test_a_client_that_is_not_called_yet_may_be_closed(self) -> None:
        self.assertEqual(self.client.name, "")
        self.client.close(None, "replaced")
        self.client.disconnect()
        self.client.push("text")
        self.server.run_pending()
        self.assertEqual(self.reactor.tcpClients, [])

    def test_a_closed_client_runs_nothing(self) -> None:
        ran: list[str] = []

        async def run() -> None:
            ran.append("run")

        self.client.close(None, "replaced")
        self.client.submit(run, lambda: ran.append("done"))
        self.server.run_pending()
        self.assertEqual(ran, ["done"])

    def test_a_protocol_says_how_it_writes(self) -> None:
        self.assertRaises(NotImplementedError, self.all.encode, "text")
        self.assertRaises(NotImplementedError, self.all.presence_text, "ann", True)
        self.assertEqual(self.all.closing_text(None), "")
