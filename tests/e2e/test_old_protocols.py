"""The transcripts of the old protocols at two servers, each user at another one than the last.

The servers are behind HAProxy with the configuration of docs/scaling.md. Where HAProxy is not
installed, users connect to the servers themselves.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import re
import select
import socket

import attrs

from tests import postgres
from tests.e2e import haproxy, transcripts
from tests.e2e.dialback import MessageCenterClient
from tests.e2e.names import Names
from tests.e2e.old_protocols import OldProtocolsCase, Stage, endpoints, port_of
from tests.e2e.server import SECONDS, TOP, Client, Server

#: Whether the servers are behind HAProxy.
PROXIED = not haproxy.MISSING
#: Where the servers listen.
ENDPOINT = f"{'haproxy:' if PROXIED else ''}tcp:0:interface=127.0.0.1"
#: Addresses of clients, of which HAProxy sends some to each server.
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 30)]
#: The port of each protocol in the configuration.
PORTS = {"message_center": 6001, "pa1": 7001, "livechat": 3001, "websocket": 8765}
#: Options of the servers. All transcripts register and fail to log in from a few addresses.
OPTIONS = (
    *("--commands-per-second", "0", "--callback-allow", "127.0.0.0/8"),
    *("--registrations-per-minute", "0", "--failed-logins-per-minute", "0"),
    *endpoints(ENDPOINT),
)
#: Who finds out to which server addresses come.
FINDER, PASSWORD = "finder", "find-it-out"
#: A user at each server, who sees who else is there; transcripts do not see them.
HOST, WATCHERS = "Host", ["zwatcher1", "zwatcher2"]


class ProxiedServer(Server):
    """A server whose WebSocket port speaks the PROXY protocol, too."""

    def command(self) -> list[str]:
        words = super().command()
        place = words.index("--ws") + 1
        return [*words[:place], f"haproxy:{words[place]}", *words[place + 1 :]]


def configuration(servers: list[Server], sockets: dict[str, socket.socket]) -> str:
    """Return the configuration of docs/scaling.md, with the ports of servers.

    Args:
        servers: two.
        sockets: protocol -> the socket on which HAProxy listens.
    """
    page = (TOP / "docs" / "scaling.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```haproxy\n(.*?)```", page, re.DOTALL)
    for protocol, port in PORTS.items():
        text = text.replace(f"bind :{port}\n", f"bind fd@{sockets[protocol].fileno()}\n")
        for number, server in enumerate(servers, 1):
            line = f"10.0.0.{number}:{port} port 8080"
            at = port_of(server, protocol)
            text = text.replace(line, f"127.0.0.1:{at} port {server.web_port}")
    assert "10.0.0" not in text, text
    return text


@attrs.frozen
class TwoServers:
    """Two servers on one database, for all transcripts.

    Attributes:
        url: of the database.
        servers: both.
        ports: protocol -> the port for users at each of them.
        addresses: of users who come to the first and to the second.
        watchers: their connections.
    """

    url: str
    servers: list[Server]
    ports: dict[str, list[int]]
    addresses: list[str]
    watchers: list[Client]

    @classmethod
    def watched(
        cls, url: str, servers: list[Server], ports: dict[str, list[int]], addresses: list[str]
    ) -> TwoServers:
        """Return two servers with their watchers."""
        places = zip(WATCHERS, ports["websocket"], addresses, strict=True)
        watchers = []
        for name, port, address in places:
            watchers.append(Client(port, address=address))
            assert watchers[-1].call("login", type="tmp", usr=name)["status"] == "ok"
        return cls(url, servers, ports, addresses, watchers)


@functools.cache
def two_servers() -> TwoServers:
    """Start the servers, and HAProxy if it is installed; they end with the process."""
    url = postgres.create_empty()
    kind, options = Server, OPTIONS
    if PROXIED:
        kind, options = ProxiedServer, ("--trusted-proxies", "127.0.0.1", *OPTIONS)
    servers = [kind("--store", url, *options) for _ in range(2)]
    for server in servers:
        atexit.register(server.kill)
        server.start()
    if not PROXIED:
        ports = {name: [port_of(server, name) for server in servers] for name in PORTS}
        return TwoServers.watched(url, servers, ports, ADDRESSES[:2])
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in PORTS}
    ports = {name: [one.getsockname()[1]] * 2 for name, one in sockets.items()}
    haproxy.start(atexit.register, configuration(servers, sockets), list(sockets.values()))
    return TwoServers.watched(url, servers, ports, find_addresses(url, ports))


def find_addresses(url: str, ports: dict[str, list[int]]) -> list[str]:
    """Return an address whose connections HAProxy sends to one server, and one of the other."""
    web = Client(ports["websocket"][0])
    assert web.call("register", usr=FINDER, pwd=PASSWORD)["status"] == "ok"
    web.close()
    found: dict[int, str] = {}
    for address in ADDRESSES:
        client = MessageCenterClient(ports["message_center"][0], address)
        with postgres.connect(url) as db:
            client.log_in(FINDER.encode(), PASSWORD.encode())
            client.next_push()
            [[node]] = db.execute("SELECT node_id FROM sessions WHERE node_id > 0").fetchall()
            client.log_out()
        client.die()
        found.setdefault(node, address)
        if len(found) == 2:
            return list(found.values())
    raise AssertionError(f"all addresses come to one server: {found}")


_numbers = itertools.count()


class TwoServersCase(OldProtocolsCase):
    """A transcript at both servers."""

    skip = postgres.MISSING

    def open_stage(self) -> Stage:
        both, suffix = two_servers(), f"555{next(_numbers):04}"
        self.addCleanup(self.wait_for_users, WATCHERS)
        return Stage(
            both.servers,
            both.addresses,
            lambda protocol, number: both.ports[protocol][number],
            Names(suffix.encode()),
            shared=True,
        )

    def settle(self) -> None:
        self.wait_for_users(None)
        watchers = two_servers().watchers
        for sender, reader, name in zip(watchers, watchers[::-1], WATCHERS[::-1], strict=True):
            sender.call("whisper", target_user=name, msg="ready")
            while all(message["cmd"] != "c_whisper" for message in reader.taken):
                reader.taken.append(reader.message())
            reader.taken.clear()

    def wait_for_users(self, wanted: list[str] | None) -> None:
        """Wait until both servers know the same users: those wanted, or any."""
        watchers = two_servers().watchers
        while True:
            lists = [one.call("get_user_list")["users"] for one in watchers]
            for users in lists:
                users[:] = (name for name in users if name != HOST)  # since a console was open
            if all(users == (lists[0] if wanted is None else wanted) for users in lists):
                return
            if not any(one.taken or one.peek() for one in watchers):
                select.select([one.socket for one in watchers], [], [], SECONDS)
            for one in watchers:
                one.taken.clear()


def await_beats(url: str) -> None:
    """Wait until all servers have told where they listen, and have read it of each other."""
    with postgres.connect(url) as db:
        while db.execute("SELECT FROM nodes WHERE url = ''").fetchone():
            pass
        beats = "SELECT id, expires FROM nodes ORDER BY id"
        for _ in range(2):  # the first one may have begun before
            before = db.execute(beats).fetchall()
            while set(before) & set(db.execute(beats).fetchall()):
                pass


class MessageCenter(TwoServersCase, transcripts.MessageCenter):
    """At two servers."""

    def test_no_client_is_called_at_a_port_of_any_server(self) -> None:
        """F06."""
        await_beats(two_servers().url)
        seas, refused = self.message_center("seas"), "names a port that is not called"
        for server, _ in itertools.product(self.stage.servers, self.stage.addresses):
            google = self.message_center()
            google.port = port_of(server, "websocket")
            google.log_in(b"google", b"hasglasses")
            self.assertEqual(seas.next_push(), "google has logged on.")
            self.assertEqual(seas.next_push(), "google is offline.")
        for server in self.stage.servers:
            self.assertEqual("".join(server.lines).count(refused), 2)


class PA1(TwoServersCase, transcripts.PA1):
    """At two servers."""


class AllProtocols(TwoServersCase, transcripts.AllProtocols):
    """At two servers."""


class LiveChat(TwoServersCase, transcripts.LiveChat):
    """At two servers."""


class RandomChat(TwoServersCase, transcripts.RandomChat):
    """At two servers."""
