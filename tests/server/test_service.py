"""The life of the server, on a reactor in memory: what it listens on, how it stops, what fails."""

from __future__ import annotations

import os
import signal
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import attrs
from twisted.application.service import Application
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import StringTransport
from twisted.logger import FileLogObserver, ILogObserver
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import audit
from gtchat.chat.errors import NotStored
from gtchat.protocols.websocket import context
from gtchat.protocols.websocket.context import CLOSING_TIMEOUT_S
from gtchat.server import daemon, endpoints, process, service, storage
from gtchat.server.admin.console import SOCKET, ConsoleServer
from gtchat.server.config import load
from gtchat.server.factories import STREAM_PROTOCOLS
from gtchat.server.logs import LogTarget, text_line
from gtchat.server.process import EXIT_CONFIG, EXIT_UNAVAILABLE, StartError
from gtchat.server.service import CLOSE_TIMEOUT_S, ChatService
from gtchat.server.settings import USUAL_PORTS, SettingsError
from gtchat.server.storage import LOCK
from gtchat.store import StoreError
from gtchat.store.memory.store import MemoryStore
from tests.server.fakes import FakePasswords, FakeReactor, RecordingLog

LOCAL = IPv4Address("TCP", "127.0.0.1", 1)


class Transport(StringTransport):
    """A connection to the server in memory."""

    protocol: Any  # Autobahn's resource puts the WebSocket protocol here

    def __init__(self) -> None:
        super().__init__(peerAddress=LOCAL)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing (ITCPTransport.setTcpNoDelay)."""


class ServiceCase(SynchronousTestCase):
    """A service on a reactor in memory."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.log = RecordingLog()
        self.terminals: list[Any] = []
        self.patch(endpoints, "EagerReactor", lambda reactor: reactor)
        self.patch(service, "Passwords", FakePasswords)
        self.patch(service, "StandardIO", self.terminals.append)
        self.patch(service, "_log", self.log.logger)
        self.patch(audit, "_log", self.log.logger)

    def service(self, log: LogTarget | None = None, **options: str) -> ChatService:
        """Return a service with a store in memory, not started yet."""
        settings = load({"store": "memory", **options}, {})
        return ChatService(settings, self.reactor, log)

    def started(self, **options: str) -> ChatService:
        """Return a service that has started."""
        made = self.service(**options)
        made.start()
        return made

    def connect(self, port: int) -> tuple[Any, Transport]:
        """Connect to a port; return the server's protocol and the transport."""
        protocol: Any = self.reactor.factory(port).buildProtocol(LOCAL)
        transport = Transport()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol, transport

    def handshake(self, port: int, path: str = "/", **headers: str) -> tuple[Any, Transport]:
        """Open a WebSocket connection; return the server's protocol and the transport."""
        protocol, transport = self.connect(port)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {headers.pop('host', '127.0.0.1')}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        protocol.dataReceived("\r\n".join([*lines, "", ""]).encode())
        self.reactor.advance(0)
        return protocol, transport

    def status(self, port: int, **headers: str) -> int:
        """Return the HTTP status that a WebSocket handshake gets."""
        return int(self.handshake(port, **headers)[1].value().split()[1])


class Starting(ServiceCase):
    def test_server_listens_on_the_endpoints_of_the_settings(self) -> None:
        self.started(ws="tcp:1,tcp:2:interface=127.0.0.1", web="tcp:3", pa1="tcp:4")
        listening = [(port, interface) for port, _, _, interface in self.reactor.tcpServers]
        self.assertEqual(sorted(listening), [(1, ""), (2, "127.0.0.1"), (3, ""), (4, "")])

    def test_log_says_where_the_server_is(self) -> None:
        self.started(ws="tcp:1", web="tcp:2:interface=\\:\\:1", livechat="tcp:3")
        self.assertEqual(
            self.log.lines,
            [
                "page: http://[::1]:2/",
                "WebSocket: ws://localhost:1/",
                "livechat: tcp://localhost:3/",
                "data: none (in memory)",
                'started: started with livechat ["tcp:3"], store "memory", '
                r'web ["tcp:2:interface=\\:\\:1"], ws ["tcp:1"]',
            ],
        )

    def test_a_short_broadcast_key_gives_one_warning(self) -> None:
        for key, warnings in (("x" * 15, 1), ("x" * 16, 0), ("", 0)):
            self.setUp()
            self.started(broadcast_key=key)
            found = [line for line in self.log.lines if line.startswith("broadcast_key is short")]
            self.assertEqual(len(found), warnings, key)

    def test_the_look_of_the_page_is_checked(self) -> None:
        error = self.assertRaises(StartError, self.service(logo="nowhere.svg").check)
        self.assertIn("cannot read nowhere.svg", error.text)
        for name in ("", "a\tb", " a", "x" * 65):
            self.assertRaises(SettingsError, load, {"chat_name": name}, {})
        self.assertEqual(self.started(chat_name="The Garden").chat.access.name, "The Garden")

    def test_live_chat_without_guests_gives_a_warning(self) -> None:
        for options, warnings in (
            ({"guests": "no", "livechat": "tcp:3"}, 1),
            ({"livechat": "tcp:3"}, 0),
            ({"guests": "no"}, 0),
        ):
            self.setUp()
            self.started(**options)
            found = [line for line in self.log.lines if line.startswith("Live chat clients cannot")]
            self.assertEqual(len(found), warnings, options)

    def test_every_protocol_with_an_endpoint_setting_is_built(self) -> None:
        self.assertEqual(set(STREAM_PROTOCOLS), set(USUAL_PORTS))
        self.started(all_protocols="true")
        ports = {port for port, *_ in self.reactor.tcpServers}
        self.assertEqual(ports, {8080, 9000, *USUAL_PORTS.values()})
        for port in USUAL_PORTS.values():
            self.assertIsNotNone(self.reactor.factory(port).buildProtocol(LOCAL))

    def test_websocket_is_served_on_both_ports(self) -> None:
        self.started()
        self.assertEqual(self.status(9000), 101)
        protocol, transport = self.handshake(8080, "/ws")
        self.assertEqual(int(transport.value().split()[1]), 101)

    def test_pages_of_the_web_ports_may_connect(self) -> None:
        self.started()
        self.assertEqual(self.status(9000, Origin="http://127.0.0.1:8080"), 101)
        self.assertEqual(self.status(9000, Origin="http://127.0.0.1:8081"), 403)
        self.assertEqual(self.status(9000, Origin="null"), 403)

    def test_allowed_hosts_apply_to_websocket_and_site(self) -> None:
        self.started(allowed_hosts="Chat.example")
        self.assertEqual(self.status(9000, host="chat.example"), 101)
        self.assertNotEqual(self.status(9000, host="other.example"), 101)
        site, transport = self.connect(8080)
        site.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: other.example\r\n\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 421"))

    def test_health_check_asks_the_store(self) -> None:
        self.started()
        site, transport = self.connect(8080)
        site.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b'"status":"ok"', transport.value())

    def test_first_message_selects_the_api_when_randomchat_is_on(self) -> None:
        payload = b'{"type":"nonsense"}'
        frame = b"\x81" + bytes([128 | len(payload)]) + bytes(4) + payload  # mask 0
        for randomchat, expected in (("false", b'"cmd"'), ("true", b'"error"')):
            self.reactor = FakeReactor()
            self.started(randomchat=randomchat)
            protocol, transport = self.handshake(9000)
            transport.clear()
            protocol.dataReceived(frame)
            self.reactor.advance(0)
            self.assertIn(expected, transport.value())

    def test_proxy_protocol_is_accepted_from_trusted_proxies_only(self) -> None:
        self.started(ws="haproxy:tcp:1", trusted_proxies="10.0.0.0/8")
        factory = self.reactor.factory(1)
        self.assertIsNone(factory.buildProtocol(LOCAL))
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "10.1.2.3", 1)))
        factory.doStart()
        factory.doStop()

    def test_settings_say_which_clients_are_called(self) -> None:
        for settings, refused in (
            ({}, ["10.0.0.5"]),
            ({"loopback_callbacks": "false"}, ["10.0.0.5", "127.0.0.1", "::1"]),
            ({"callback_allow": "10.0.0.0/8"}, []),
            ({"callback_allow": "10.0.0.5,::1", "loopback_callbacks": "false"}, ["127.0.0.1"]),
        ):
            made = self.started(message_center="tcp:1", trusted_proxies="10.0.0.5", **settings)
            factory: Any = made._factories["message_center"]
            rules = factory.server.rules
            addresses = ("10.0.0.5", "127.0.0.1", "::1")
            self.assertEqual([one for one in addresses if rules.refusal(one)], refused, settings)
            self.assertFalse(rules.permits_port(8080))

    def test_passwords_are_hashed_once_everything_else_has_started(self) -> None:
        made = self.service(ws="nonsense:1")
        self.assertRaises(StartError, made.start)
        self.assertFalse(made._passwords.running)
        self.assertTrue(self.started()._passwords.running)


class StoreWithoutFile:
    """Stands for the store on disk."""

    @staticmethod
    def open(path: Path, reactor: Any) -> MemoryStore:
        return MemoryStore(reactor)


class Console(ServiceCase):
    """Where the admin console is."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(storage, "SQLStore", StoreWithoutFile)
        self.directory = Path(self.mktemp()).resolve()

    def start_on_disk(self) -> ChatService:
        return self.started(store="sqlite", data=str(self.directory))

    def test_console_is_on_standard_input_if_set(self) -> None:
        self.started()
        self.assertEqual(self.terminals, [])
        self.started(console="true")
        self.assertEqual(len(self.terminals), 1)

    def test_console_socket_is_in_the_data_directory(self) -> None:
        self.directory.mkdir()
        (self.directory / SOCKET).write_text("left by a killed server")
        self.start_on_disk()
        self.assertFalse((self.directory / SOCKET).exists())
        [(path, factory, _, mode, _)] = self.reactor.unixServers
        self.assertEqual((path, mode), (str(self.directory / SOCKET), 0o600))
        self.assertIsInstance(factory, ConsoleServer)
        self.assertIn(f"data: {self.directory}", self.log.lines)

    def test_server_starts_without_a_console_socket(self) -> None:
        self.reactor.no_unix = True
        self.start_on_disk()
        [warning] = self.log.warnings
        self.assertIn("the admin console is not available", warning)
        self.assertIn("File name too long", warning)

    def test_exit_stops_the_reactor_once(self) -> None:
        made = self.started()
        made._stop_reactor()
        self.assertTrue(self.reactor.hasStopped)

        def stopped() -> None:
            raise ReactorNotRunning

        self.patch(self.reactor, "stop", stopped)
        made._stop_reactor()


class Failing(ServiceCase):
    """What prevents a start, and the exit status that tells why."""

    def assertFails(self, status: int, words: str, **options: str) -> None:
        with self.assertRaises(StartError) as caught:
            self.started(**options)
        self.assertEqual((caught.exception.status, "\n" in str(caught.exception)), (status, False))
        self.assertIn(words, str(caught.exception))

    def test_port_in_use(self) -> None:
        self.reactor.taken = {8080}
        self.assertFails(
            EXIT_UNAVAILABLE,
            "cannot listen on tcp:8080: Address already in use; is another server running? "
            "Choose another port",
            web="tcp:8080",
        )

    def test_endpoint_of_unknown_type(self) -> None:
        self.assertFails(EXIT_CONFIG, "cannot listen on nonsense:1", ws="nonsense:1")

    def test_endpoint_that_fails_otherwise(self) -> None:
        def refuse(*args: object, **options: object) -> None:
            raise RuntimeError("no network")

        self.patch(self.reactor, "listenTCP", refuse)
        self.assertFails(EXIT_UNAVAILABLE, "cannot listen on tcp:1: no network", web="tcp:1")

    def test_endpoint_without_a_result(self) -> None:
        class Silent:
            def listen(self, factory: object) -> Deferred[Any]:
                return Deferred()

        self.patch(endpoints, "serverFromString", lambda reactor, description: Silent())
        self.assertFails(EXIT_UNAVAILABLE, "does not listen at once")

    def test_check_finds_invalid_settings_and_listens_on_nothing(self) -> None:
        for options, words in (
            ({"ws": "tcp:abc"}, "cannot listen on tcp:abc: 'abc' is no TCP port"),
            ({"web": "tcp:70000"}, "no TCP port"),
            ({"pa1": "tcp"}, "needs one port"),
            ({"ws": "systemd:domain=INET:index=9"}, "cannot listen on systemd:"),
            ({"ws": "ssl:1:privateKey=/none"}, "cannot read /none: No such file"),
            ({"ws": "haproxy:tcp:x"}, "no TCP port"),
            ({"store": "mysql://x"}, "use sqlite, memory"),
        ):
            with self.assertRaises(StartError) as caught:
                self.service(**options).check()
            self.assertEqual(caught.exception.status, EXIT_CONFIG)
            self.assertIn(words, str(caught.exception))
        self.service(ws="tcp:1").check()
        self.assertEqual(self.reactor.tcpServers, [])

    def test_unsupported_store(self) -> None:
        self.assertFails(EXIT_CONFIG, "use sqlite, memory, sqlite:///FILE", store="mysql://x")

    def test_data_directory_that_is_a_file(self) -> None:
        file = Path(self.mktemp()).resolve()
        file.write_text("")
        self.assertFails(
            EXIT_UNAVAILABLE, "choose another directory", store="sqlite", data=str(file)
        )

    def test_data_directory_in_use(self) -> None:
        directory = Path(self.mktemp()).resolve()
        self.patch(storage, "SQLStore", StoreWithoutFile)
        first = self.started(store="sqlite", data=str(directory))
        options = {"store": f"sqlite:///{directory}/other"}
        self.assertFails(EXIT_UNAVAILABLE, f"another server uses {directory}", **options)
        stopped = first.stopService()
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.started(**options)

    def test_file_system_without_locks(self) -> None:
        def no_locks(*args: object) -> None:
            raise OSError(37, "No locks available")

        self.patch(storage.fcntl, "flock", no_locks)
        self.assertFails(EXIT_UNAVAILABLE, "No locks available", store="sqlite", data=self.mktemp())

    def test_damaged_database(self) -> None:
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        (directory / "gtchat.sqlite").write_bytes(b"no database" * 1000)
        options = {"store": "sqlite", "data": str(directory)}
        self.assertFails(EXIT_CONFIG, "not a database", **options)
        self.assertFails(EXIT_CONFIG, "not a database", **options)  # the lock was released
        self.assertTrue((directory / LOCK).exists())

    def test_store_that_cannot_be_loaded(self) -> None:
        def load_fails(store: object) -> None:
            raise StoreError("the database is from a newer version")

        self.patch(MemoryStore, "load", load_fails)
        self.assertFails(EXIT_CONFIG, "newer version")


class Stopping(ServiceCase):
    def test_clients_are_closed_with_1012_and_everything_ends(self) -> None:
        made = self.started(all_protocols="true")
        protocol, transport = self.handshake(9000)
        transport.clear()
        stopped = made.stopService()
        self.reactor.advance(0)
        self.assertIn(b"\x88", transport.value())
        self.assertIn((1012).to_bytes(2, "big") + b"restart: ", transport.value())
        self.assertNoResult(stopped)
        self.reactor.advance(CLOSE_TIMEOUT_S)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(None)
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertFalse(made._passwords.running)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def health(self) -> tuple[int, bytes]:
        """Return the status and the body of the health check."""
        protocol, transport = self.connect(8080)
        protocol.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.reactor.advance(0)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def test_sigterm_gives_proxies_time_where_other_servers_go_on(self) -> None:
        stops: list[float] = []
        self.patch(self.reactor, "stop", lambda: stops.append(self.reactor.seconds()))
        for has_nodes, others, seconds, again, stopped in (
            (True, succeed(True), "5", None, 5),
            (True, succeed(True), "5", 2, 2),
            (True, succeed(False), "5", None, 0),
            (True, fail(NotStored()), "5", None, 5),
            (True, Deferred(), "5", None, 5),
            (True, succeed(True), "0", None, 0),
            (False, succeed(False), "5", None, 0),
        ):
            made = self.started(drain_seconds=seconds)
            made._storage = attrs.evolve(made._storage, has_nodes=has_nodes)
            self.patch(made._storage.store, "has_others", lambda others=others: others)
            stops.clear()
            began = self.reactor.seconds()
            self.assertEqual(self.health()[0], 200)
            made._drain()
            self.assertEqual(made._storage.standing.draining, has_nodes and seconds != "0")
            if stopped:
                self.assertEqual(stops, [])
                code, body = self.health()
                self.assertEqual(code, 503)
                self.assertIn(b'"stopping"', body)
                self.assertEqual(self.status(9000), 101)
            if again is not None:
                self.reactor.advance(again)
                made._drain()
            else:
                self.reactor.advance(stopped)
            self.assertEqual([at - began for at in stops], [stopped])
            if made._draining is not None and made._draining.active():
                made._draining.cancel()
            self.reactor.tcpServers.clear()

    def test_clients_go_to_other_servers_little_by_little(self) -> None:
        self.patch(context, "SLICE", 1)
        made = self.started()
        made._storage = attrs.evolve(made._storage, has_nodes=True)
        self.patch(made._storage.store, "has_others", lambda: succeed(True))
        clients = [self.handshake(9000) for _ in range(3)]
        made._drain()
        stopped = made.stopService()
        closed = []
        for _ in clients:
            closed.append(sum(b"restart: " in transport.value() for _, transport in clients))
            self.assertTrue(made.chat.available)
            self.reactor.advance(context.SLICE_S)
        self.assertEqual(closed, [1, 2, 3])
        for protocol, _ in clients:
            protocol.connectionLost(None)
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_store_is_open_until_what_was_not_delivered_is_stored(self) -> None:
        made = self.started(message_center="tcp:1")
        held: Deferred[None] = Deferred()
        made._factories["message_center"].stop = lambda: held  # type: ignore[method-assign]
        stopped = made.stopService()
        self.reactor.advance(CLOSE_TIMEOUT_S)
        self.assertTrue(made._passwords.running)
        self.assertNoResult(stopped)
        held.callback(None)
        self.reactor.advance(CLOSE_TIMEOUT_S)
        self.successResultOf(stopped)


class Losing(ServiceCase):
    """The store can't go on as this node."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.started(all_protocols="true")
        self.store: Any = self.made._storage.store

    def test_connections_are_closed_at_once_without_replies(self) -> None:
        protocol, transport = self.handshake(9000)
        opening, _ = self.connect(9000)  # has sent nothing yet
        caller, call = self.connect(USUAL_PORTS["livechat"])
        caller.dataReceived(b"ann")
        self.reactor.advance(1)
        login = b'{"cmd":"login","type":"tmp","usr":"bob","tracker":1}'
        protocol.dataReceived(b"\x81" + bytes([128 | len(login)]) + bytes(4) + login)  # mask 0
        transport.clear()
        self.store.lost()
        self.reactor.advance(0)
        self.assertEqual(transport.value()[:1], b"\x88")
        self.assertEqual(transport.value()[2:], b"\x03\xf4restart: the server has to begin again")
        self.assertTrue(call.disconnecting or call.disconnected)
        self.assertEqual(self.made._websocket.context.connections, {protocol, opening})
        self.reactor.advance(CLOSING_TIMEOUT_S + 1)
        self.assertTrue(transport.disconnecting)
        self.assertTrue(opening.transport.disconnecting)

    def test_clients_are_refused_until_the_store_goes_on(self) -> None:
        for lost in (True, False):
            self.store.lost() if lost else self.store.restored(self.store.load())
            self.reactor.advance(0)
            site, transport = self.connect(8080)
            site.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"not_stored" if lost else b'"ok"', transport.value())
            self.assertEqual(self.status(9000), 503 if lost else 101)
            for name in STREAM_PROTOCOLS:
                _, transport = self.connect(USUAL_PORTS[name])
                self.assertEqual(transport.disconnected, lost, name)

    def test_host_logs_in_again(self) -> None:
        console = self.made._console
        first = console.host()
        self.reactor.advance(0)
        self.store.lost()
        self.store.restored(self.store.load())
        second = console.host()
        self.reactor.advance(0)
        self.assertIsNot(self.successResultOf(first), self.successResultOf(second))


class Twistd(ServiceCase):
    """What twistd calls."""

    def setUp(self) -> None:
        super().setUp()
        self.tuned: list[str] = []
        for name in ("raise_descriptor_limit", "tune_garbage_collector"):
            self.patch(service, name, lambda name=name: self.tuned.append(name))

    def test_process_is_tuned_around_a_start(self) -> None:
        self.service().privilegedStartService()
        self.assertEqual(self.tuned, ["raise_descriptor_limit", "tune_garbage_collector"])

    def test_failed_start_prints_one_line_and_exits(self) -> None:
        said = StringIO()
        self.patch(sys, "__stderr__", said)
        made = self.service(store="mysql://x")
        with self.assertRaises(SystemExit) as caught:
            made.privilegedStartService()
        self.assertEqual(caught.exception.code, EXIT_CONFIG)
        self.assertRegex(said.getvalue(), r"^gtchat: store: .+\n$")

    def test_failed_start_is_in_the_log_file(self) -> None:
        self.patch(sys, "__stderr__", StringIO())
        path = Path(self.mktemp()).resolve()
        file = LogFile.fromFullPath(str(path))
        self.addCleanup(file.close)
        target = LogTarget(FileLogObserver(file, text_line), file)
        made = self.service(target, store="mysql://x")
        self.assertRaises(SystemExit, made.privilegedStartService)
        self.assertEqual(len(self.log.warnings), 1)
        self.assertIn("the server cannot start: store: 'mysql://x'", self.log.warnings[0])

    def test_failed_start_of_a_daemon_goes_through_its_pipe(self) -> None:
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        pid_file = Path(self.mktemp()).resolve()
        pid_file.write_text("1")
        made = self.service(store="mysql://x")
        made._twistd = {"statusPipe": writer, "pidfile": str(pid_file)}
        self.assertRaises(SystemExit, made.privilegedStartService)
        said = StringIO()
        self.patch(sys, "__stderr__", said)
        self.assertEqual(daemon._wait_for_start(made, reader), EXIT_CONFIG)
        self.assertRegex(said.getvalue(), r"^gtchat: store: .+\n$")
        self.assertFalse(pid_file.exists())

    def test_first_process_waits_for_the_start_of_a_daemon(self) -> None:
        for report, status, words in (
            (b"0", 0, ""),
            (b"1 OSError: no space", EXIT_UNAVAILABLE, "gtchat: OSError: no space\n"),
            (b"", EXIT_UNAVAILABLE, "gtchat: the server ended while it started\n"),
        ):
            reader, writer = os.pipe()
            os.write(writer, report)
            said = StringIO()
            self.patch(sys, "__stderr__", said)
            self.assertEqual(daemon._wait_for_start(None, reader), status)
            self.assertEqual(said.getvalue(), words)
            os.close(reader)

    def test_twist_starts_the_server_too(self) -> None:
        self.patch(process.signal, "signal", lambda *handler: None)
        made = self.service()
        made.startService()
        self.assertEqual(self.tuned, ["raise_descriptor_limit", "tune_garbage_collector"])
        made = self.service(ws="tcp:1", web="tcp:2")
        made.privilegedStartService()
        made.startService()
        self.assertEqual(len(self.tuned), 4)

    def test_signals_stop_a_running_server(self) -> None:
        handlers: dict[int, Any] = {}
        self.patch(process.signal, "signal", handlers.__setitem__)
        self.patch(process.signal, "getsignal", lambda number: signal.SIG_DFL)
        self.service().startService()
        for run in (lambda: None, self.reactor.run):  # the reactor installs its own as it starts
            run()
            self.reactor.hasStopped = False
            handlers.pop(signal.SIGTERM)(signal.SIGTERM, None)
            self.assertTrue(self.reactor.hasStopped)

    def test_log_of_the_service_becomes_that_of_the_application(self) -> None:
        application = Application("gtchat")
        self.service().setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver))
        target = LogTarget(FileLogObserver(StringIO(), text_line))
        self.service(target).setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver), target.observer)
