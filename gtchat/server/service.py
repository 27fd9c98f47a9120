"""Settings -> running services: the one place where everything is put together.

Start: folder and lock, store, chat, then listening. Stop: no new connections, everything queued is
stored, clients are told 1012, the store is closed.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import resource
import secrets
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import IO, Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.stdio import StandardIO
from twisted.logger import ILogObserver, Logger
from twisted.protocols.haproxy import proxyEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from gtchat.chat.audit import audit
from gtchat.chat.chat import Chat
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Hosts, Origins, Proxies, plain_address
from gtchat.protocols.base.outbox import WriteBatcher
from gtchat.protocols.base.transport import EagerReactor
from gtchat.protocols.gtchat_json import API_Chatroom, JSONEncoder
from gtchat.protocols.gtchat_json.context import JSONTransport
from gtchat.protocols.livechat import LiveChatFactory
from gtchat.protocols.message_center import MessageCenter, MessageCenterFactory
from gtchat.protocols.pa1 import PA1, PA1Factory
from gtchat.protocols.randomchat import ProtocolNegotiator, RandomChatState
from gtchat.protocols.websocket import ChatProtocol, build_factory, text_frame
from gtchat.server.admin_console import SOCKET, ConsoleServer
from gtchat.server.config import Settings
from gtchat.server.logs import LogTarget, reopen
from gtchat.server.passwords import Passwords
from gtchat.store import MemoryStore, SQLStore, StoreError
from gtchat.web.site import build_site

RESTARTING = 1012
#: Seconds that clients get to close, at the end.
GOODBYE = 2.0
#: Exit statuses: something in the way, and a configuration or a database that can't be used.
IN_THE_WAY, UNUSABLE = 1, 78

_log = Logger()


@attrs.frozen
class StartError(Exception):
    """Why the server can't start: the one line for its operator, and the exit status."""

    text: str
    status: int = IN_THE_WAY


def static_folder() -> Path:
    """Where the page is: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


@attrs.define(eq=False)
class ProxiedFactory(Factory):
    """Takes connections from trusted proxies only: others could say what they like of theirs."""

    wrapped: Any
    proxies: Proxies
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """The wrapped factory's protocol, or none."""
        if (plain_address(getattr(addr, "host", "")) or "") not in self.proxies:
            return None
        built: Protocol | None = self.wrapped.buildProtocol(addr)
        return built

    def doStart(self) -> None:
        """Start the wrapped factory."""
        self.wrapped.doStart()

    def doStop(self) -> None:
        """Stop the wrapped factory."""
        self.wrapped.doStop()


@implementer(IStreamServerEndpoint)
@attrs.frozen
class ProxiedEndpoint:
    """An endpoint that only trusted proxies may connect to."""

    wrapped: IStreamServerEndpoint
    proxies: Proxies

    def listen(self, factory: Any) -> Deferred[IListeningPort]:
        """Listen (IStreamServerEndpoint.listen)."""
        listening: Deferred[IListeningPort] = self.wrapped.listen(
            ProxiedFactory(factory, self.proxies)
        )
        return listening


class ChatService(Service):
    """A whole server.

    Args:
        settings: what the operator chose.
        reactor: runs it.
        log: where the log goes; None where that is not ours to say.
    """

    def __init__(self, settings: Settings, reactor: Any, log: LogTarget | None = None) -> None:
        self.settings = settings
        self._reactor = reactor
        self._log = log
        self._ports: list[IListeningPort] = []
        self._lock: IO[str] | None = None
        self._folder: Path | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Become part of twistd's application, which asks its components for a log."""
        if self._log is not None:
            parent.setComponent(ILogObserver, self._log.observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Start, or say in one line why not, and leave."""
        try:
            self.start()
        except StartError as error:
            # twistd has made sys.stderr a part of its log.
            print(f"gtchat: {error.text}", file=sys.__stderr__, flush=True)
            raise SystemExit(error.status) from None

    def startService(self) -> None:
        """Run, until a signal says to stop: then with exit status 0, since that is no failure."""
        super().startService()
        self._reactor.callWhenRunning(self._take_signals)

    def _take_signals(self) -> None:
        log = self._log
        takes = {signal.SIGTERM: self._leave, signal.SIGINT: self._leave}
        if log is not None and log.file is not None:
            takes[signal.SIGHUP] = partial(reopen, log.file)
            takes[signal.SIGUSR1] = log.file.rotate
        elif any(map(os.isatty, range(3))):
            takes[signal.SIGHUP] = self._leave  # the terminal is gone
        else:
            takes[signal.SIGHUP] = lambda: None  # there is nothing to open anew
        for number, take in takes.items():
            # nohup has a server go on whose terminal is gone.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda *_, take=take: self._reactor.callFromThread(take))

    def _leave(self) -> None:
        # The second signal of somebody who is in a hurry finds the reactor stopping already.
        with contextlib.suppress(ReactorNotRunning):
            self._reactor.stop()

    def start(self) -> None:
        """Open everything, then listen.

        Raises:
            StartError: something is in the way; nothing is left open.
        """
        server, limits = self.settings.server, self.settings.limits
        # Twisted counts by the time of day, which somebody may set: then nothing would be due for a
        # day, or all at once.
        self._reactor.seconds = time.monotonic
        _allow_many_files()
        try:
            proxies = Proxies.named(server.trusted_proxies)
        except ValueError as error:
            raise StartError(f"trusted_proxies: {error}", UNUSABLE) from error
        self._store = self._open_store()
        self._passwords = Passwords(self._reactor, os.cpu_count() or 1)
        self.chat = Chat(
            self._store,
            self._reactor,
            limits,
            self._passwords,
            lambda: secrets.token_urlsafe(24),
            sessions=server.sessions,
            broadcast_key=server.broadcast_key or None,
            wall=time.time,
        )
        try:
            self.chat.start()
        except StoreError as error:
            raise StartError(str(error), UNUSABLE) from error
        turn = WriteBatcher(self._reactor, limits.outbox_bytes, limits.unsent_bytes_total)
        encoder = JSONEncoder(turn, text_frame)

        def build_api(connection: JSONTransport) -> API_Chatroom:
            return API_Chatroom(self.chat, encoder, connection)

        random = RandomChatState(self.chat, turn, text_frame)

        def build_first(connection: ChatProtocol) -> ProtocolNegotiator:
            return ProtocolNegotiator(connection, build_api, random)

        self._websocket = build_factory(
            self._reactor,
            turn,
            limits,
            build_first if server.randomchat else build_api,
            proxies=proxies,
        )
        self._old: dict[str, Any] = {
            "message_center": MessageCenterFactory(
                MessageCenter(self.chat, self._reactor, self._own_ports)
            ),
            "pa1": PA1Factory(PA1(self.chat, self._reactor, self._own_ports)),
            "livechat": LiveChatFactory(self.chat, self._reactor),
        }
        hosts = self._websocket.hosts = Hosts(frozenset(map(str.lower, server.allowed_hosts)))
        site = build_site(
            static_folder(),
            self._websocket,
            self._store.healthy,
            self._reactor,
            hosts.known,
            ConnectionLimiter(limits.connections_per_address, proxies),
        )
        ws_ports = [self._listen(name, self._websocket, proxies) for name in server.ws]
        web_ports = [self._listen(name, site, proxies) for name in server.web]
        for key, factory in self._old.items():
            for name in getattr(server, key):
                port = self._listen(name, factory, proxies)
                _log.info("{protocol}: {where}", protocol=key, where=_url("tcp", port))
        self._console = ConsoleServer(self.chat, self._leave)
        self._websocket.origins = Origins(
            tuple(server.allowed_origins),
            frozenset(number for port in web_ports if (number := _number(port))),
            server.file_page,
        )
        self._open_console()
        self._say_where(ws_ports, web_ports)
        # Not before all is well: a thread that hashes would keep a process that gives up.
        self._passwords.start()
        audit("started", settings=self.settings.chosen())
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)

    def _open_console(self) -> None:
        """Let the operator in: on standard input if that was wanted, and beside the data."""
        if self.settings.server.console:
            self._console.attach_terminal(StandardIO)
        if self._folder is not None:
            path = str(self._folder / SOCKET)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            try:
                port = self._reactor.listenUNIX(path, self._console, mode=0o600)
            except (CannotListenError, OSError) as error:
                _log.warn("no console: {error}", error=error)
            else:
                self._ports.append(port)

    def _open_store(self) -> Any:
        """The store, in a folder that no other server uses."""
        kind = self.settings.server.store
        if kind == "memory":
            return MemoryStore(self._reactor)
        if kind == "sqlite":
            folder = Path(self.settings.server.data).expanduser()
            file = folder / "gtchat.sqlite"
        elif kind.startswith("sqlite:///"):
            file = Path(kind.removeprefix("sqlite:///")).expanduser()
            folder = file.parent
        else:
            raise StartError(
                f"store: {kind!r} is not to be had; sqlite, memory or sqlite:///FILE are", UNUSABLE
            )
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (folder / "gtchat.lock").open("a+")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"another server uses {folder}: stop it, or choose another folder with --data"
            ) from None
        except OSError as error:
            raise StartError(
                f"can't write to {folder}: {error.strerror}; choose another folder with --data"
            ) from error
        self._folder = folder
        try:
            return SQLStore.open(file, self._reactor)
        except StoreError as error:
            raise StartError(str(error), UNUSABLE) from error

    def _listen(self, name: str, factory: Any, proxies: Proxies) -> IListeningPort:
        """Listen on an endpoint, in Twisted's words for it."""
        try:
            reactor = EagerReactor(self._reactor)
            if name.startswith("haproxy:"):
                inner = serverFromString(reactor, name.removeprefix("haproxy:"))
                endpoint = proxyEndpoint(ProxiedEndpoint(inner, proxies))
            else:
                endpoint = serverFromString(reactor, name)
            results: list[Any] = []
            endpoint.listen(factory).addBoth(results.append)
        except (ValueError, TypeError, OSError) as error:
            raise StartError(f"can't listen on {name}: {error}", UNUSABLE) from error
        if not results or isinstance(results[0], Failure):
            raise StartError(f"can't listen on {name}: {_why(results)}")
        port: IListeningPort = results[0]
        self._ports.append(port)
        return port

    def _own_ports(self) -> frozenset[int]:
        """Ports that we listen on, which no client may have us call."""
        return frozenset(number for port in self._ports if (number := _number(port)))

    def _say_where(self, ws: list[IListeningPort], web: list[IListeningPort]) -> None:
        """Tell the operator where to go."""
        for port in web:
            _log.info("page: {url}", url=_url("http", port))
        for port in ws:
            _log.info("WebSocket: {url}", url=_url("ws", port))
        kept = self.settings.server.data if self._lock is not None else "nowhere (in memory)"
        _log.info("data: {folder}", folder=kept)

    def stopService(self) -> Deferred[None]:
        """Stop: everything queued is stored, everybody is told."""
        super().stopService()
        return Deferred.fromCoroutine(self.stop())

    async def stop(self) -> None:
        """Stop listening, store what is queued, tell clients to come back, close the store."""
        for port in self._ports:
            await _done(port.stopListening())
        for factory in self._old.values():
            factory.stop()
        await self.chat.stop()
        await self._websocket.close_all(RESTARTING, "server restarting", GOODBYE)
        self._websocket.stop()
        self.chat.users.stop()
        self._passwords.stop()
        await self._store.close()
        if self._lock is not None:
            self._lock.close()


def _allow_many_files() -> None:
    """Have as many descriptors as the system lets us: the usual 1,024 are 1,000 connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _done(result: Any) -> None:
    if isinstance(result, Deferred):
        await result


def _number(port: IListeningPort) -> int | None:
    """A TCP port's number."""
    number: int | None = getattr(port.getHost(), "port", None)
    return number


def _url(scheme: str, port: IListeningPort) -> str:
    """Where a browser or a client finds a port."""
    number, name = _number(port), str(getattr(port.getHost(), "host", ""))
    if number is None:
        return str(port.getHost())
    if getattr(port, "_type", "TCP") == "TLS":
        scheme += "s"
    if name in ("0.0.0.0", "::"):
        name = "localhost"
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{number}/"


def _why(results: list[Any]) -> str:
    """Why a port can't be listened on, and what to do."""
    error = results[0].value if results else None
    if isinstance(error, CannotListenError):
        reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
        return f"{reason}; is another server running? Choose another port with --ws and --web"
    return str(error)
