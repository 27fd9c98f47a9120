"""URLs of ports, and closing them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.base.http_access import Proxies
from gtchat.server import endpoints
from gtchat.server.endpoints import Listeners, port_url
from tests.server.fakes import FakeReactor


def port(address: object, kind: str = "TCP") -> Any:
    """Return a listening port at an address; kind: as Twisted's ports have it."""
    return SimpleNamespace(getHost=lambda: address, _type=kind)


class URLs(SynchronousTestCase):
    def test_url_leads_to_the_port_from_this_machine(self) -> None:
        for address, kind, url in (
            (IPv4Address("TCP", "127.0.0.1", 9000), "TCP", "ws://127.0.0.1:9000/"),
            (IPv4Address("TCP", "0.0.0.0", 9000), "TCP", "ws://localhost:9000/"),
            (IPv6Address("TCP", "::", 9000), "TCP", "ws://localhost:9000/"),
            (IPv6Address("TCP", "::1", 9000), "TCP", "ws://[::1]:9000/"),
            (IPv4Address("TCP", "192.0.2.1", 9443), "TLS", "wss://192.0.2.1:9443/"),
        ):
            self.assertEqual(port_url("ws", port(address, kind)), url)

    def test_unix_socket_is_shown_as_twisted_shows_it(self) -> None:
        self.assertIn("UNIXAddress", port_url("ws", port(UNIXAddress("/run/gtchat"))))


class Ports(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(endpoints, "EagerReactor", lambda reactor: reactor)
        self.reactor = FakeReactor()
        self.listeners = Listeners(self.reactor, Proxies())

    def test_numbers_are_those_of_tcp_ports(self) -> None:
        self.listeners.listen("tcp:1", Factory())
        self.listeners.listen("unix:socket", Factory())
        self.listeners.listen_unix("console", Factory(), 0o600)
        self.assertEqual(self.listeners.numbers(), {1})

    def test_close_waits_for_each_port(self) -> None:
        waiting: Deferred[None] = Deferred()
        first = self.listeners.listen("tcp:1", Factory())
        second = self.listeners.listen("tcp:2", Factory())
        closed: list[int] = []
        self.patch(first, "stopListening", lambda: waiting)
        self.patch(second, "stopListening", lambda: closed.append(2))
        done = Deferred.fromCoroutine(self.listeners.close())
        self.assertEqual(closed, [])
        waiting.callback(None)
        self.successResultOf(done)
        self.assertEqual(closed, [2])
