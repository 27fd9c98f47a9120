"""Test cases of the protocols on TCP: a server, its clients, and what they read."""

from __future__ import annotations

import re
import struct

from gtchat.protocols.base.callback_rules import CallbackRules
from gtchat.protocols.base.dialback_server import DialbackFactory
from gtchat.protocols.livechat import WRITE_PAUSE, LiveChatFactory
from gtchat.protocols.message_center import MessageCenter, framed
from gtchat.protocols.pa1 import COMMAND_PAUSE, PA1, PENDING_PAUSE
from tests.protocols.fakes import ADDRESS, FakeConnection, TCPTestCase


class LiveChatTestCase(TCPTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = LiveChatFactory(self.chat, self.reactor)

    def connect(self, address: str = "192.0.2.7") -> FakeConnection:
        return FakeConnection(self.server, self.factory, address)

    def log_in(self, name: str) -> FakeConnection:
        """Connect and log in; what the server writes at login is taken."""
        client = self.connect()
        client.send(name.encode())
        self.assertEqual(client.received()[0], b"OK")
        self.wait()
        client.received()
        return client

    def wait(self, seconds: float = 2.0) -> None:
        """Let time pass for the pauses between writes."""
        for _ in range(int(seconds / WRITE_PAUSE) + 1):
            self.reactor.advance(WRITE_PAUSE)
        self.server.run_pending()

    def texts(self, client: FakeConnection) -> list[str]:
        """Return the lines that a client has read, without the times; a line may be a paragraph."""
        self.wait()
        read = [
            text
            for data in client.received()
            for text in re.split(r"\n(?=\[\d\d:\d\d:\d\d\] )", data.decode())
        ]
        for text in read:
            self.assertRegex(text, r"^\[\d\d:\d\d:\d\d\] ")
        return [text[11:] for text in read]


def unframe(data: bytes) -> list[str]:
    """Return the bodies of frames."""
    bodies = []
    while data:
        size = struct.unpack_from("!I", data)[0]
        bodies.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return bodies


#: The server listens on port 9000, and 192.0.2.1 is its own address.
RULES = CallbackRules(own_ports=lambda: (9000,), is_host=lambda address: address == "192.0.2.1")


class CenterTestCase(TCPTestCase):
    rules = RULES

    def setUp(self) -> None:
        super().setUp()
        self.center = MessageCenter(self.chat, self.reactor, self.rules)
        self.factory = DialbackFactory(self.center)
        self.register("ann", "bob", "eve")
        self.tokens: dict[str, str] = {}

    def connect(self, address: str = "192.0.2.7") -> FakeConnection:
        return FakeConnection(self.server, self.factory, address)

    def exchange(self, client: FakeConnection, *bodies: str) -> list[str]:
        """Send frames, one at a time; return the frames that come back."""
        for body in bodies:
            client.send(framed(body))
        return unframe(b"".join(client.received()))

    def log_in(self, name: str, port: int = 6067, address: str = "192.0.2.7") -> str:
        """Log in, and name a port; return the token."""
        client = self.connect(address)
        okay, token = self.exchange(client, "LIN", name, "password")
        self.assertEqual(okay, "LOGIN_OKAY")
        self.assertEqual(self.exchange(client, "elsewhere.example", str(port)), [])
        self.assertTrue(client.closed)
        self.tokens[name] = token
        return token

    def log_in_all(self, *names: str) -> None:
        """Log users in, each with a port of its own; what they are told of it is taken."""
        for index, name in enumerate(names):
            self.log_in(name, 6001 + index)
        self.pushed()

    def request(self, name: str, kind: str, rest: str = "") -> FakeConnection:
        """Send a request; return its connection."""
        client = self.connect()
        client.send(framed(f"{kind}|{name}|{self.tokens[name]}|{rest}"))
        return client

    def pushed(self) -> list[tuple[int, str]]:
        """Let clients take what is pushed to them; return ports and texts."""
        return [(port, text) for port, data in self.answer_calls() for text in unframe(data)]

    def online(self) -> list[str]:
        return list(self.chat.users.online.page(None, 99))


class PA1TestCase(TCPTestCase):
    rules = RULES

    def setUp(self) -> None:
        super().setUp()
        self.pa1 = PA1(self.chat, self.reactor, self.rules)
        self.factory = DialbackFactory(self.pa1)
        self.register("ann", "bob", "eve")

    def connect(self, address: str = ADDRESS) -> FakeConnection:
        return FakeConnection(self.server, self.factory, address)

    def send(self, line: str, address: str = ADDRESS) -> FakeConnection:
        """Send a command as the original does, and let it be done; return the connection."""
        client = self.connect(address)
        client.send(line.encode())
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()
        return client

    def called(self) -> list[tuple[int, str]]:
        """Let clients take their calls; return ports and texts."""
        return [(port, data.decode()) for port, data in self.answer_calls(PENDING_PAUSE)]

    def log_in_all(self, *names: str) -> None:
        """Log users in, each with a port of its own; what they are told of it is taken."""
        for index, name in enumerate(names):
            self.send(f"logIn {name} password {6001 + index}")
        self.called()
        self.assertEqual(self.online(), sorted(names))

    def online(self) -> list[str]:
        return list(self.chat.users.online.page(None, 99))
