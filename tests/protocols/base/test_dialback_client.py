"""People who are called back: signs of life, consent that nobody answers, what is kept."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.base.dialback_client import HEARTBEAT_CHECK as LOOK
from gtchat.protocols.message_center import MessageCenter, MessageCenterFactory, framed
from gtchat.protocols.pa1 import ANSWER_TIMEOUT as CONSENT
from gtchat.protocols.pa1 import COMMAND_PAUSE as PAUSE
from gtchat.protocols.pa1 import PA1, PA1Factory
from tests.fakes import TestServer

PEER = IPv4Address("TCP", "192.0.2.7", 40_000)


class Transport(StringTransport):
    """A connection of a client."""

    connected = True
    aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it."""

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True


class CalledCase(SynchronousTestCase):
    """A chat whose reactor connects nowhere."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        limits = Limits(commands_per_second=0, ping_interval=0)
        self.world = TestServer(limits, clock=self.reactor)
        for name in ("ann", "bob", "eve"):
            self.world.connect().call("register", usr=name, pwd="password")
        self.web = self.world.connect()
        self.web.login("eve", pwd="password")

    def connect(self, factory: Any) -> tuple[Any, Transport]:
        """A connection to one of the protocols."""
        protocol = factory.buildProtocol(PEER)
        transport = Transport(peerAddress=PEER)
        protocol.makeConnection(transport)
        return protocol, transport

    def answer_calls(self, take: bool = True) -> list[tuple[int, bytes]]:
        """Let clients take the calls that are made, or refuse them: ports, and what was said."""
        said = []
        while self.reactor.tcpClients:
            _, port, factory, _, _ = self.reactor.tcpClients.pop(0)
            if not take:
                factory.clientConnectionFailed(None, Failure(Refused()))
                self.world.run_pending()
                continue
            protocol = factory.buildProtocol(None)
            transport = Transport()
            protocol.makeConnection(transport)
            for _ in range(3):
                self.reactor.advance(0.1)
            said.append((port, transport.value()))
            if transport.disconnecting:
                protocol.connectionLost(Failure(Refused()))
            self.world.run_pending()
        return said


class Center(CalledCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = MessageCenter(self.world.chat, self.reactor, lambda: ())
        self.factory = MessageCenterFactory(self.server)

    def log_in(self, name: str, port: int) -> str:
        """Log in; the token."""
        protocol, transport = self.connect(self.factory)
        for body in ("LIN", name, "password"):
            protocol.dataReceived(framed(body))
            self.world.run_pending()
        token = transport.value()[4 + len("LOGIN_OKAY") + 4 :].decode()
        for body in ("elsewhere.example", str(port)):
            protocol.dataReceived(framed(body))
        self.world.run_pending()
        protocol.connectionLost(None)
        return token

    def ask(self, *words: str) -> Transport:
        """Send a request."""
        protocol, transport = self.connect(self.factory)
        protocol.dataReceived(framed("|".join(words)))
        self.world.run_pending()
        return transport

    def test_only_the_logins_own_address_is_called(self) -> None:
        self.log_in("ann", 6067)
        self.assertEqual(
            [(host, port) for host, port, *_ in self.reactor.tcpClients], [("192.0.2.7", 6067)]
        )

    def test_who_gives_no_sign_of_life_is_gone_once(self) -> None:  # F13
        token = self.log_in("ann", 6067)
        self.answer_calls()
        for _ in range(10):
            self.reactor.advance(LOOK)
            self.ask("HEY", "ann", token, "")
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.web.received()
        self.reactor.pump([LOOK] * 20)
        told = [push["usr"] for push in self.web.received() if push.get("type") == "logout"]
        self.assertEqual(told, ["ann"])
        self.assertEqual(self.ask("GET", "ann", token, "eve").value(), framed("FAIL"))
        self.web.call("logout")
        self.assertEqual(self.server.clients, set())

    def test_what_does_not_arrive_waits_also_from_the_lobby(self) -> None:
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.call("whisper", target_user="ann", msg="first")
        self.answer_calls()
        for text in ("second", "third"):
            self.web.call("whisper", target_user="ann", msg=text)
        self.web.call("speak", room_name="lobby", msg="to all")
        self.answer_calls(take=False)
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])
        self.log_in("ann", 6068)
        [(port, waited), *_] = self.answer_calls()
        self.assertEqual(port, 6068)
        self.assertEqual(
            waited[4:].decode(),
            "While you were away...\n[eve]: second\n[eve]: third\n[eve]: to all\n",
        )
        self.log_in("ann", 6069)
        self.assertNotIn(b"While", b"".join(said for _, said in self.answer_calls()))

    def test_a_login_without_a_place_is_given_up(self) -> None:
        protocol, transport = self.connect(self.factory)
        for body in ("LIN", "ann", "password"):
            protocol.dataReceived(framed(body))
            self.world.run_pending()
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])
        self.reactor.advance(20)
        self.assertTrue(transport.aborted)
        protocol.connectionLost(None)
        self.world.run_pending()
        self.assertEqual(self.web.call("get_user_list")["users"], ["eve"])

    def test_who_blocks_one_is_not_seen_to_come_and_go(self) -> None:
        self.web.call("block", user="ann")
        self.web.call("logout")
        self.log_in("ann", 6067)
        self.answer_calls()
        self.web.login("eve", pwd="password")
        self.web.call("logout")
        self.assertEqual(self.answer_calls(), [])


class Words(CalledCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = PA1Factory(PA1(self.world.chat, self.reactor, lambda: ()))

    def say(self, line: str) -> Transport:
        """Send a command, and pause."""
        protocol, transport = self.connect(self.factory)
        protocol.dataReceived(line.encode())
        self.reactor.advance(PAUSE)
        self.world.run_pending()
        return transport

    def test_a_command_in_pieces_is_one_command(self) -> None:  # F02
        protocol, _ = self.connect(self.factory)
        for piece in (b"logIn a", b"nn pass", b"word 6067"):
            protocol.dataReceived(piece)
            self.reactor.advance(PAUSE / 2)
        self.reactor.advance(PAUSE)
        self.world.run_pending()
        self.assertEqual(self.answer_calls()[0], (6067, b"Ok "))

    def test_consent_that_nobody_gives_is_a_refusal(self) -> None:
        self.say("logIn ann password 6067")
        self.answer_calls()
        self.say("ann getaddress eve")
        self.assertEqual(self.answer_calls(), [])
        for _ in range(2):
            self.say("ann heartbeat 2026-11-2022:56:21")
            self.reactor.advance(CONSENT / 2)
        self.assertEqual(self.answer_calls(), [(6067, b"\nYour request is rejected\n")])

    def test_commands_from_elsewhere_do_nothing(self) -> None:
        self.say("logIn ann password 6067")
        self.answer_calls()
        protocol = self.factory.buildProtocol(PEER)
        transport = Transport(peerAddress=IPv4Address("TCP", "198.51.100.1", 1))
        protocol.makeConnection(transport)
        protocol.dataReceived(b"ann logout")
        self.reactor.advance(PAUSE)
        self.world.run_pending()
        self.assertEqual(self.web.call("get_user_list")["users"], ["ann", "eve"])

    def test_no_timer_is_left(self) -> None:
        self.say("logIn ann password 6067")
        self.answer_calls()
        self.factory.stop()
        self.world.run_pending()
        self.web.call("logout")
        self.assertEqual((self.factory.server.clients, self.factory.server._check), (set(), None))
