"""The old protocols at two servers behind HAProxy, with the configuration of docs/scaling.md."""

from __future__ import annotations

import re
import socket
import time

from twisted.trial.unittest import SynchronousTestCase

from tests import postgres
from tests.e2e import haproxy
from tests.e2e.dialback import MessageCenterClient
from tests.e2e.old_protocols import OldProtocols, port_of
from tests.e2e.server import SECONDS, TOP, Server

#: Where the nodes listen: as in docs/scaling.md, on free ports.
ENDPOINT = "haproxy:tcp:0:interface=127.0.0.1"
#: Addresses of clients, of which there is one for each node.
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 30)]
#: The port of each protocol in the configuration.
PORTS = {"message_center": 6001, "pa1": 7001, "livechat": 3001, "websocket": 8765}


class ProxiedServer(Server):
    """A server whose WebSocket port speaks the PROXY protocol, too."""

    def command(self) -> list[str]:
        words = super().command()
        place = words.index("--ws") + 1
        return [*words[:place], f"haproxy:{words[place]}", *words[place + 1 :]]


class BehindHAProxy(SynchronousTestCase):
    skip = postgres.MISSING or haproxy.MISSING or None

    def setUp(self) -> None:
        url = postgres.create_empty()
        options = (
            *("--store", url, "--randomchat"),
            *("--message-center", ENDPOINT, "--pa1", ENDPOINT, "--livechat", ENDPOINT),
            *("--trusted-proxies", "127.0.0.1", "--callback-allow", "127.0.0.0/8"),
        )
        self.servers = [ProxiedServer(*options) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.kill)
            server.start()
        self.ports = {protocol: haproxy.free_port() for protocol in PORTS}
        self.proxy = haproxy.start(self.addCleanup, self.configuration())
        self.wait_for(self.ports["message_center"])

    def configuration(self) -> str:
        """Return the configuration of docs/scaling.md, with the ports of this test."""
        page = (TOP / "docs" / "scaling.md").read_text(encoding="utf-8")
        [text] = re.findall(r"```haproxy\n(.*?)```", page, re.DOTALL)
        for protocol, port in PORTS.items():
            text = text.replace(f"bind :{port}\n", f"bind 127.0.0.1:{self.ports[protocol]}\n")
            for number, server in enumerate(self.servers, 1):
                at = server.ws_port if protocol == "websocket" else port_of(server, protocol)
                line = f"10.0.0.{number}:{port} port 8080"
                text = text.replace(line, f"127.0.0.1:{at} port {server.web_port}")
        assert "10.0.0" not in text, text
        return text

    def wait_for(self, port: int) -> None:
        """Wait until something listens at a port."""
        began = time.monotonic()
        with socket.socket() as connection:
            while connection.connect_ex(("127.0.0.1", port)):
                assert self.proxy.poll() is None
                assert time.monotonic() < began + SECONDS
                time.sleep(0.05)

    def find_node(self, address: str) -> int:
        """Return which node a client at an address comes to; the node logs that address."""
        client = MessageCenterClient(self.ports["message_center"], address)
        with client.listening:
            client.log_in(b"unknown", b"wrong")
        began = time.monotonic()
        while time.monotonic() < began + SECONDS:
            for number, server in enumerate(self.servers):
                if any(line.rstrip().endswith(f" {address}") for line in server.lines):
                    return number
        raise AssertionError(f"{address} has come to no node")

    def test_users_at_both_nodes_see_each_other(self) -> None:
        found: dict[int, str] = {}
        for address in ADDRESSES:
            found.setdefault(self.find_node(address), address)
            if len(found) == 2:
                break
        clients = [found[number] for number in (0, 1)]
        places = {name: [(port, one) for one in clients] for name, port in self.ports.items()}
        OldProtocols(self, places).check()
