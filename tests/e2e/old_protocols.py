"""What tests of the old protocols have in common: servers, places of users, names, clients.

The transcripts that run with it are in `transcripts`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.dialback import MessageCenterClient, PA1Client
from tests.e2e.names import AS_WRITTEN, Names
from tests.e2e.server import Server
from tests.e2e.stream_clients import TIME, LiveChatClient, RandomChatClient, WebClient

#: The accounts of transcripts.
ACCOUNTS = {"seas": "summerisover", "google": "hasglasses", "columbia": "116bway.u"}
#: The protocols over TCP that have a port each.
TCP_PROTOCOLS = ("message_center", "pa1", "livechat")


def endpoints(endpoint: str) -> tuple[str, ...]:
    """Return the options for all old protocols, those over TCP at an endpoint each."""
    places = (("--" + name.replace("_", "-"), endpoint) for name in TCP_PROTOCOLS)
    return ("--randomchat", *itertools.chain.from_iterable(places))


def port_of(server: Server, protocol: str) -> int:
    """Return the port of an old protocol over TCP, or of "websocket"."""
    if protocol == "websocket":
        return server.ws_port
    return int(re.findall(rf"{protocol}: tcp://[^:]+:(\d+)", "".join(server.lines))[-1])


@attrs.define
class Stage:
    """The servers of one chat, and where users come to them.

    Attributes:
        servers: one or several.
        addresses: IP addresses of users, each of which comes to another server.
        port: returns the port for a protocol and the number of an address.
        names: what the users are called.
        shared: whether other tests follow, so that users have to log out.
    """

    servers: Sequence[Server]
    addresses: Sequence[str]
    port: Callable[[str, int], int]
    names: Names = AS_WRITTEN
    shared: bool = False


class OldProtocolsCase(SynchronousTestCase):
    """Tests with users of the old protocols, by default at one server.

    Each client that a test makes has the next address of the stage, and then the first again: so
    users of one transcript are at different servers if there are several.

    Attributes:
        accounts: name -> password of the accounts that there are.
        protocols: options of the server for the old protocols.
        options: others.
        stage: where the test runs.
        server: the first of its servers.
    """

    accounts: Mapping[str, str] = ACCOUNTS
    protocols = endpoints("tcp:0:interface=127.0.0.1")
    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self._count = itertools.count()
        self.stage = self.open_stage()
        self.server = self.stage.servers[0]
        if self.accounts:
            self._register(WebClient(*self._place("websocket", 0)))

    def _register(self, web: WebClient) -> None:
        for name, password in self.accounts.items():
            reply = web.call("register", usr=name, pwd=password)
            self.assertEqual(reply["status"], "ok", reply)
        web.close()

    def open_stage(self) -> Stage:
        """Start a server; return the stage with it."""
        server = Server("--commands-per-second", "0", *self.protocols, *self.options)
        self.addCleanup(server.kill)
        server.start()
        return Stage([server], ["127.0.0.1"], lambda protocol, _: port_of(server, protocol))

    def settle(self) -> None:
        """Wait until all servers of the stage know of each login, logout and block."""

    def port(self, protocol: str) -> int:
        """Return the port of a protocol at the first address."""
        return self.stage.port(protocol, 0)

    def _place(self, protocol: str, number: int | None = None) -> tuple[int, str, Names]:
        """Return the arguments of a client.

        Args:
            protocol: as in `port_of`.
            number: of its address, None for the next one.
        """
        stage = self.stage
        self.settle()
        number = (next(self._count) if number is None else number) % len(stage.addresses)
        return stage.port(protocol, number), stage.addresses[number], stage.names

    def assertReads(self, client: LiveChatClient, *texts: bytes) -> None:
        """The next messages of a client of Live chat are a time and one of the texts each."""
        for expected in texts:
            self.assertRegex(client.read(), rb"^" + TIME + b" " + re.escape(expected) + b"$")

    def _leave_by(self, log_out: Callable[[], None]) -> None:
        if self.stage.shared:
            self.addCleanup(log_out)

    def connect(self) -> WebClient:
        """Return a client of the JSON API."""
        client = WebClient(*self._place("websocket"))
        self.addCleanup(client.close)
        return client

    def web(self, name: str) -> WebClient:
        """Return a client of the JSON API, logged in as a guest."""
        client = self.connect()
        self._leave_by(client.log_out)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def message_center(self, name: str | None = None) -> MessageCenterClient:
        """Return a client of Message Center, logged in if there is a name."""
        client = MessageCenterClient(*self._place("message_center"))
        self.addCleanup(client.die)
        self._leave_by(client.log_out)
        if name is not None:
            password = ACCOUNTS[name].encode()
            self.assertEqual(client.log_in(name.encode(), password), [b"LOGIN_OKAY"])
            self.assertEqual(client.next_push(), f"{name} has logged on.")
        return client

    def pa1(self, name: str | None = None) -> PA1Client:
        """Return a client of PA1, logged in if there is a name."""
        client = PA1Client(*self._place("pa1"))
        self.addCleanup(client.die)
        self._leave_by(client.log_out)
        if name is not None:
            self.assertEqual(client.log_in(name, ACCOUNTS[name]), b"Ok ")
            self.assertEqual(client.next_push(), f">>>{name}<<<logs in\n")
        return client

    def live(self, name: bytes | None) -> LiveChatClient:
        """Return a client of Live chat, which has sent its name if there is one."""
        client = LiveChatClient(*self._place("livechat"))
        self.addCleanup(client.close)
        if name is not None:
            client.send(name)
        return client

    def phone(self, name: str = "", phone: str = "") -> RandomChatClient:
        """Return a client of RandomChat, registered if there is a name."""
        client = RandomChatClient(*self._place("websocket"))
        self.addCleanup(client.ws.close)
        if name:
            self.assertEqual(client.register(name, phone), [])
        return client
