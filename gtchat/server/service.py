"""The life of the server: settings in, a running server out, and an orderly end.

Start: data directory and store, chat, protocols, then listening. Stop: where other servers go on,
wait until proxies know; no new connections, store what is queued, close the WebSocket connections
with 1012, close the store. How each part is made is in `storage`, `factories` and `endpoints`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.stdio import StandardIO
from twisted.logger import ILogObserver, Logger
from twisted.python.usage import UsageError

from gtchat.chat.audit import NO_ACTOR, Actor
from gtchat.chat.background import run_in_background
from gtchat.chat.bans import LOOPBACK
from gtchat.chat.chat import Chat
from gtchat.chat.errors import BadRequest
from gtchat.protocols.base.callback_rules import CallbackRules, parse_networks
from gtchat.protocols.base.closing import CloseReason
from gtchat.protocols.base.connection_limit import ConnectionLimiter
from gtchat.protocols.base.http_access import Proxies
from gtchat.protocols.websocket import ChatFactory
from gtchat.server.admin.console import SOCKET, ConsoleServer
from gtchat.server.build_chat import apply_settings, branding_of, build_chat, trust_proxies
from gtchat.server.certificates import CertificateError
from gtchat.server.daemon import fail
from gtchat.server.endpoints import Listeners, port_number, port_url
from gtchat.server.factories import STREAM_PROTOCOLS, StreamFactory, build_websocket, set_access
from gtchat.server.first_start import greet_first_operator, open_terminal
from gtchat.server.logs import LogTarget
from gtchat.server.metrics import Metrics
from gtchat.server.passwords import Passwords
from gtchat.server.process import (
    StartError,
    handle_signals,
    raise_descriptor_limit,
    tune_garbage_collector,
)
from gtchat.server.reload import Reloaded, compare, merge
from gtchat.server.settings import Settings, SettingsError
from gtchat.server.storage import FreeSpace, Storage, database_of, open_storage
from gtchat.web.exports import EXPORT, Exports
from gtchat.web.metrics import MetricsPage
from gtchat.web.site import build_metrics_site, build_site, static_directory

#: Characters of a broadcast key below which there is a warning.
SAFE_KEY_CHARS = 16
#: Seconds that clients get to answer a close frame when the server stops.
CLOSE_TIMEOUT_S = 2.0
#: Seconds over which connections are closed where clients go to other servers.
SPREAD_S = 2.0

_log = Logger()


class ChatService(Service):
    """A whole server.

    Args:
        settings: what the operator chose.
        reactor: runs the server; its clock must not go backwards, see `use_monotonic_clock`.
        log: where the log goes; None where twistd decides.
        twistd: options of twistd.
        reread: returns the settings as they are now, or raises SettingsError or UsageError; None
            if they do not change.

    Attributes:
        chat: the chat, once the service has started.
    """

    chat: Chat
    _proxies: Proxies
    _storage: Storage
    _free_space: FreeSpace
    _passwords: Passwords
    _listeners: Listeners
    _websocket: ChatFactory
    _factories: dict[str, StreamFactory]
    _console: ConsoleServer
    _site_limiter: ConnectionLimiter
    _metrics: Metrics
    _web_ports: frozenset[int]

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        log: LogTarget | None = None,
        twistd: Mapping[str, Any] | None = None,
        reread: Callable[[], Settings] | None = None,
    ) -> None:
        self.settings = settings
        self._reactor = reactor
        self._log = log
        self._twistd = twistd or {}
        self._reread = reread or (lambda: self.settings)
        self._urls: list[str] = []
        self._metrics_allowed = Proxies()
        #: Stops the server; there since the first SIGTERM: other servers take over.
        self._draining: IDelayedCall | None = None

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Become part of twistd's application, which asks its components for a log."""
        if self._log is not None:
            parent.setComponent(ILogObserver, self._log.observer)  # type: ignore[attr-defined]
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Start, or report the reason why not in one line and exit.

        Raises:
            SystemExit: the server cannot start.
        """
        raise_descriptor_limit()
        try:
            self.start()
        except StartError as error:
            if self._log is not None and self._log.file is not None:
                _log.critical("the server cannot start: {reason}", reason=error.text)
            raise fail(error, self._twistd) from None
        tune_garbage_collector()

    def startService(self) -> None:
        """Stop on signals from now on, with exit status 0, since that is no failure.

        `twist` calls this alone, twistd has called `privilegedStartService` before.
        """
        if not hasattr(self, "chat"):
            self.privilegedStartService()
        super().startService()
        self._handle_signals()
        # When the reactor begins to run, it installs handlers of its own.
        self._reactor.callWhenRunning(self._handle_signals)

    def _handle_signals(self) -> None:
        handle_signals(self._reactor, self._drain, self._stop_reactor, self._reload, self._log)

    def check(self) -> None:
        """Check the endpoints and the files that they name, without starting anything.

        Raises:
            StartError: one is invalid.
        """
        server = self.settings.server
        listeners = Listeners(self._reactor, Proxies.named(server.trusted_proxies))
        for name in ("web", "ws", "metrics", *STREAM_PROTOCOLS):
            for description in getattr(server, name):
                listeners.check(description)
        database_of(server)
        branding_of(self.settings)

    def start(self) -> None:
        """Open the store, build the chat and its protocols, and listen.

        Raises:
            StartError: something is not available or invalid. What was opened before it stays
                open: the process is expected to exit.
        """
        self._proxies = Proxies.named(self.settings.server.trusted_proxies)
        self._listeners = Listeners(self._reactor, self._proxies)
        self._storage = open_storage(self.settings.server, self._reactor)
        self._build_chat()
        self._build_protocols()
        self._listen()
        self._open_console()
        if self.settings.server.livechat and not self.chat.access.guests:
            _log.warn("Live chat clients cannot log in: they are guests, and guests are off")
        _log.info("data: {where}", where=self._storage.directory or "none (in memory)")
        # Last, since its threads would keep a process alive that could not start.
        self._passwords.start()
        self.chat.audit.note("started", settings=self.settings.chosen())
        folder, terminal = self._storage.directory, open_terminal()
        greet_first_operator(self.chat, self._console.page(), terminal, folder)

    def _build_chat(self) -> None:
        server = self.settings.server
        if 0 < len(server.broadcast_key) < SAFE_KEY_CHARS:
            _log.warn(
                "broadcast_key is short and can be guessed: use at least {chars} characters",
                chars=SAFE_KEY_CHARS,
            )
        self._passwords = Passwords(self._reactor, os.cpu_count() or 1)
        self.chat = build_chat(self.settings, self._storage, self._reactor, self._passwords)
        self._free_space = FreeSpace(
            self._reactor,
            self._written_folders(),
            self.chat.limits,
            self.chat.quota,
        )
        self._free_space.start()

    def _written_folders(self) -> list[Path]:
        """Return the folders of the data and of the log, none if the data is in memory."""
        if self._storage.directory is None:
            return []
        log = self._log.file if self._log is not None else None
        return [self._storage.directory, *([Path(log.path).parent] if log is not None else [])]

    def _health(self) -> str:
        """Return "ok" if users can store something, and the server is not about to stop."""
        if self._draining is not None:
            return "stopping"
        stores = self.chat.available and self._storage.store.healthy()
        return "ok" if stores and not self.chat.quota.disk_full else "not_stored"

    def _build_protocols(self) -> None:
        self._websocket = build_websocket(self.chat, self._reactor, self.settings, self._proxies)
        rules = CallbackRules(
            own_ports=lambda: self._listeners.numbers() | self._storage.ports.others,
            allowed=parse_networks(self.settings.server.callback_allow),
            proxies=self._proxies,
            loopback=self.settings.server.loopback_callbacks,
        )
        self._factories = {
            name: build(self.chat, self._reactor, rules) for name, build in STREAM_PROTOCOLS.items()
        }
        for factory in self._factories.values():
            factory.requests = self._websocket.context.request_lines
        limiters = {name: factory.limiter for name, factory in self._factories.items()}
        self._site_limiter = ConnectionLimiter(self.chat.limits, self._proxies)
        limiters["http"] = self._site_limiter
        self._metrics = Metrics(
            self.chat,
            self._storage.store,
            self._websocket,
            limiters,
            self._listeners,
            self._passwords,
            self._reactor,
        )
        self._metrics.lag.start()
        self._console = ConsoleServer(self.chat, self._stop_reactor)
        self._console.commands.reload = self.reload
        self.chat.admin.operators.commands = self._console.commands
        self.chat.on_lost = self._disconnect_all

    def _disconnect_all(self) -> None:
        """Close all connections at once: other nodes have given this one up, or it is cut off."""
        self._websocket.disconnect(*CloseReason.RESTART("the server has to begin again"))
        for factory in self._factories.values():
            factory.stop()
        self._console.host_lost()

    def _listen(self) -> None:
        """Listen on all endpoints of the settings, log where, and tell the other servers."""
        server = self.settings.server
        site = build_site(
            static_directory(),
            self._websocket,
            self._health,
            self._reactor,
            lambda host: self._websocket.hosts.known(host),
            self._site_limiter,
            self._websocket.context.request_log,
            self.chat.access.told,
            MetricsPage(self._metrics.render, self._metrics_allowed),
            branding_of(self.settings),
            {EXPORT: Exports(self.chat.exports.send)},
        )
        site.refusal = self.chat.bans.refusal
        web = self._listen_on(server.web, site, "page", "http")
        self._web_ports = frozenset(number for port in web if (number := port_number(port)))
        self._apply_settings()
        self._listen_on(server.ws, self._websocket, "WebSocket", "ws")
        for name, factory in self._factories.items():
            self._listen_on(getattr(server, name), factory, name, "tcp")
        page, log = MetricsPage(self._metrics.render, None), self._websocket.context.request_log
        alone = build_metrics_site(page, self._reactor, log)
        self._listen_on(server.metrics, alone, "metrics", "http")
        self._storage.ports.told = " ".join(self._urls)

    def _listen_on(
        self, descriptions: tuple[str, ...], factory: Any, what: str, scheme: str
    ) -> list[IListeningPort]:
        ports = [self._listeners.listen(description, factory) for description in descriptions]
        for port in ports:
            url = port_url(scheme, port)
            self._urls.append(url)
            _log.info("{what}: {url}", what=what, url=url)
        return ports

    def _open_console(self) -> None:
        """Open the admin console: on standard input if set, and in the data directory."""
        console = self._console
        console.where = ", ".join(self._urls)
        if self.settings.server.console:
            console.attach_terminal(StandardIO, os.isatty(0) and os.isatty(1))
        if self._storage.directory is None:
            return
        path = str(self._storage.directory / SOCKET)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # left by a server that was killed
        try:
            self._listeners.listen_unix(path, console, mode=0o600)
        except (CannotListenError, OSError) as error:
            _log.warn("the admin console is not available: {error}", error=error)

    def reload(self, actor: Actor = NO_ACTOR) -> Reloaded:
        """Read settings and certificates again, and go on with them. All stay connected.

        Args:
            actor: who asked for it.

        Raises:
            BadRequest: something is invalid; nothing has changed. The log has the reason, too.
        """
        try:
            new = self._reread()
            ChatService(new, self._reactor).check()
            use_certificates = self._listeners.read_certificates()
        except (SettingsError, UsageError, StartError, CertificateError) as error:
            _log.error("settings and certificates stay as they are: {reason}", reason=str(error))
            raise BadRequest(f"Nothing was changed: {error}") from error
        done = compare(self.settings, new, self.chat.admin.is_chosen)
        self.settings = merge(self.settings, new)
        trust_proxies(self._proxies, self.chat, new.server)
        self._apply_settings()
        use_certificates()
        _log.info("settings read again: {text}", text=done.text)
        self.chat.audit.note("reloaded", actor, settings=self.settings.chosen())
        return done

    def _apply_settings(self) -> None:
        """Let the settings hold: limits, and which users, pages, hosts and programs have access."""
        server, log = self.settings.server, self._log
        apply_settings(self.chat, self.settings)
        set_access(self._websocket, server, self._web_ports)
        if log is not None:
            log.lines.level = server.log_level
        self._metrics_allowed.replace(Proxies.named((*map(str, LOOPBACK), *server.metrics_allow)))

    def _reload(self) -> None:
        with contextlib.suppress(BadRequest):  # it is in the log
            self.reload()

    def _drain(self) -> None:
        """Stop once proxies had time to notice; at once on a second call, or without others."""
        seconds = self.settings.server.drain_seconds if self._storage.has_nodes else 0
        if self._draining is not None or not seconds:
            self._stop_reactor()
            return
        _log.info("stops in {seconds} s; a second SIGTERM stops at once", seconds=seconds)
        self._draining = self._reactor.callLater(seconds, self._stop_reactor)
        self._storage.standing.draining = True
        run_in_background(
            Deferred.fromCoroutine(self._stop_if_alone()), "looking for other servers"
        )

    async def _stop_if_alone(self) -> None:
        """Stop at once if there is no other server that a proxy could send users to."""
        others = await self._storage.store.has_others()
        if not others and self._draining is not None and self._draining.active():
            _log.info("stops now: no other server uses the database")
            self._stop_reactor()

    def _stop_reactor(self) -> None:
        # On a second signal the reactor may be stopping already.
        with contextlib.suppress(ReactorNotRunning):
            self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """Stop; the Deferred fires when everything queued is stored and the store is closed."""
        super().stopService()
        return Deferred.fromCoroutine(self.stop())

    async def stop(self) -> None:
        """Stop listening, store what is queued, close connections with 1012, close the store.

        Where other servers go on, connections are closed little by little before: all clients at
        once would come to them at the same moment.
        """
        if self._draining is not None and self._draining.active():
            self._draining.cancel()
        await self._listeners.close()
        reason = CloseReason.RESTART("the server restarts")
        if self._storage.has_nodes:
            await self._websocket.close_gradually(*reason, SPREAD_S)
        for factory in self._factories.values():
            stopped = factory.stop()
            if stopped is not None:
                await stopped
        self._free_space.stop()
        self._metrics.lag.stop()
        await self.chat.stop()
        await self._websocket.close_all(*reason, CLOSE_TIMEOUT_S)
        self._websocket.stop()
        self.chat.users.stop()
        self._passwords.stop()
        await self._storage.close()
