"""The data directory: its lock, the kind of store that a setting names, and the free disk space."""

from __future__ import annotations

import fcntl
import os
import shutil
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from gtchat.chat.interfaces import IStore
from gtchat.chat.limits import Limits
from gtchat.chat.quota import Quota
from gtchat.chat.relay import IRelay, NoRelay
from gtchat.server.checks import hide_password, split_addresses
from gtchat.server.process import EXIT_CONFIG, EXIT_UNAVAILABLE, StartError
from gtchat.server.settings import ServerSettings
from gtchat.store import SQLStore, StoreError, StoreUnavailable
from gtchat.store.sql.node_ports import NodePorts
from gtchat.store.sql.node_standing import NodeStanding
from gtchat.store.sql.sqlite import give_to_owner

if TYPE_CHECKING:
    from gtchat.store.sql.bus import PgBus
    from gtchat.store.sql.nats_bus import NatsBus
    from gtchat.store.sql.postgres import PostgresDatabase

DATABASE = "gtchat.sqlite"
#: How the setting `store` begins that names a database.
SQLITE, POSTGRES = "sqlite:///", ("postgresql://", "postgres://")
LOCK = "gtchat.lock"
#: Seconds between two looks at the free disk space.
SPACE_INTERVAL_S = 5.0

_log = Logger()


@attrs.frozen
class Storage:
    """An open store.

    Attributes:
        store: the store.
        directory: the data directory; None for a store in memory.
        relay: tells other nodes of the store what is not stored.
        has_nodes: whether other servers may use the store.
        ports: of all servers that use it.
        standing: how this server stands among them.
        wall: returns the time in seconds since 1970, UTC.
    """

    store: IStore
    directory: Path | None = None
    _lock: IO[str] | None = None
    relay: IRelay = attrs.field(factory=NoRelay)
    has_nodes: bool = False
    ports: NodePorts = attrs.field(factory=NodePorts)
    standing: NodeStanding = attrs.field(factory=NodeStanding)
    wall: Callable[[], float] = time.time

    async def close(self) -> None:
        """Finish what is queued, close the store, then let another server use the directory."""
        await self.store.close()
        if self._lock is not None:
            self._lock.close()


@attrs.define(eq=False)
class FreeSpace:
    """Stops the storing of new things while a disk is nearly full.

    The space is looked at in a thread: a file system over a network may block.

    Args:
        reactor: an IReactorTime, IReactorInThreads and IReactorFromThreads.
        folders: on the disks that are looked at.
        limits: `min_free_bytes` is used.
        quota: is told.
    """

    _reactor: Any
    _folders: Sequence[Path]
    _limits: Limits
    _quota: Quota
    _timer: IDelayedCall | None = None
    _stopped: bool = False

    def start(self) -> None:
        """Look now, which may block, and regularly from then on."""
        if self._folders:
            self._report(self._fullest())

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fullest(self) -> tuple[int, Path] | None:
        """Return the least number of free bytes, and where; None if it is not known."""
        found = []
        for folder in self._folders:
            with suppress(OSError):
                found.append((shutil.disk_usage(folder).free, folder))
        return min(found, default=None)

    def _check(self) -> None:
        self._timer = None
        self._reactor.callInThread(self._measure)

    def _measure(self) -> None:
        """Look at the space. Called in a thread."""
        self._reactor.callFromThread(self._report, self._fullest())

    def _report(self, fullest: tuple[int, Path] | None) -> None:
        """Tell the quota, and log a change."""
        if self._stopped:
            return
        self._timer = self._reactor.callLater(SPACE_INTERVAL_S, self._check)
        if fullest is None:
            return
        free, folder = fullest
        minimum = self._limits.min_free_bytes
        full = free < minimum
        if full and not self._quota.disk_full:
            _log.warn(
                "the disk of {folder} has {free} bytes left: nothing new is stored until it has "
                "{minimum}",
                folder=folder,
                free=free,
                minimum=minimum,
            )
        elif self._quota.disk_full and not full:
            _log.info("the disk of {folder} has space again", folder=folder)
        self._quota.disk_full = full


def database_of(server: ServerSettings) -> Path | PostgresDatabase | None:
    """Return the database that the settings name: a file of SQLite, or one of PostgreSQL.

    Returns None for a store in memory.

    Raises:
        StartError: the setting `store` is invalid, or its driver is not installed.
    """
    if server.store == "memory":
        return None
    if server.store == "sqlite":
        return Path(server.data).expanduser() / DATABASE
    if server.store.startswith(SQLITE):
        return Path(server.store.removeprefix(SQLITE)).expanduser()
    if server.store.startswith(POSTGRES):
        return postgres_database(server.store, server.node)
    raise StartError(
        f"store: {hide_password(server.store)!r} is not supported;"
        " use sqlite, memory, sqlite:///FILE or postgresql://USER@HOST/DATABASE",
        EXIT_CONFIG,
    )


def postgres_database(url: str, node: str = "") -> PostgresDatabase:
    """Return the database that an address names. node: see `ServerSettings.node`.

    Raises:
        StartError: the address is invalid, or the driver is not installed.
    """
    try:
        from gtchat.store.sql.postgres import PostgresDatabase
    except ImportError as error:
        raise StartError(
            "store: the driver of PostgreSQL is missing: pip install 'gtchat[postgres]'",
            EXIT_CONFIG,
        ) from error
    try:
        return PostgresDatabase(url, node)
    except StoreError as error:
        raise StartError(str(error), EXIT_CONFIG) from error


def sqlite_file(address: str) -> Path | None:
    """Return the file that `sqlite:FILE` names, or that of the data directory `sqlite:DIRECTORY`.

    `sqlite:///FILE` is the same file as in the setting. Returns None for any other address.
    """
    prefix = next((one for one in (SQLITE, "sqlite:") if address.startswith(one)), address)
    path = Path(address.removeprefix(prefix)).expanduser()
    if address == prefix:
        return None
    return path / DATABASE if os.path.isdir(path) else path


def data_directory(server: ServerSettings) -> Path:
    """Return the directory of the lock and the admin console."""
    if server.store.startswith(SQLITE):
        return Path(server.store.removeprefix(SQLITE)).expanduser().parent
    return Path(server.data).expanduser()


def open_storage(server: ServerSettings, reactor: Any) -> Storage:
    """Open the store, and a directory that no other server uses.

    Args:
        server: the settings `store` and `data`.
        reactor: runs the store's results.

    Raises:
        StartError: the directory or the database cannot be used.
    """
    database = database_of(server)
    if database is None:
        from gtchat.store.memory.store import MemoryStore

        return Storage(MemoryStore(reactor))
    bus = None if isinstance(database, Path) else bus_of(server, reactor, database)
    directory = data_directory(server)
    lock = lock_directory(directory)
    try:
        if isinstance(database, Path):
            return Storage(SQLStore.open(database, reactor), directory, lock)
        database.prepare()
        _log.info("store: {database}", database=database)
        store = SQLStore(database, reactor, wall=database.wall, notifier=bus)
        relay = NoRelay() if bus is None else bus.relay
        return Storage(
            store,
            directory,
            lock,
            relay,
            has_nodes=True,
            ports=database.ports,
            standing=database.standing,
            wall=database.wall,
        )
    except StoreError as error:
        lock.close()
        raise cannot_start(error) from error


def bus_of(
    server: ServerSettings, reactor: Any, database: PostgresDatabase
) -> PgBus | NatsBus | None:
    """Return what wakes the servers that use a database, None if nothing does.

    Raises:
        StartError: the setting `notify` needs a client that is not installed, or the certificate
            cannot be used.
    """
    if server.notify == "off":
        return None
    if server.notify == "postgres":
        from gtchat.store.sql.bus import PgBus

        return PgBus(reactor, database)
    try:
        from gtchat.store.sql.nats_bus import NatsBus
        from gtchat.store.sql.nats_link import NatsAddress
    except ImportError as error:
        raise StartError(
            "notify: the client of NATS is missing: pip install 'gtchat[nats]'", EXIT_CONFIG
        ) from error
    addresses = map(NatsAddress.parse, split_addresses(server.notify))
    return NatsBus(reactor, addresses, _client_context(server.notify_certificate))


def _client_context(certificate: str) -> ssl.SSLContext | None:
    """Return what a client of TLS needs to show the certificate in a file, None without one.

    Raises:
        StartError: there is no such file, or no certificate with its key in it.
    """
    if not certificate:
        return None
    context = ssl.create_default_context()
    try:
        context.load_cert_chain(certificate, password="")  # without one it would ask the terminal
    except (OSError, ValueError) as error:
        raise StartError(
            f"notify_certificate: {certificate} has no certificate with its key, not encrypted, or"
            f" can't be read: {error}",
            EXIT_CONFIG,
        ) from error
    return context


def cannot_start(error: StoreError) -> StartError:
    """Return why a server does not start; with another status where a later start may succeed."""
    passing = isinstance(error, StoreUnavailable)
    return StartError(str(error), EXIT_UNAVAILABLE if passing else EXIT_CONFIG)


def lock_directory(
    directory: Path, choice: str = "choose another directory with --data"
) -> IO[str]:
    """Create a directory if needed, and lock it against other servers; return the open lock file.

    Args:
        directory: the directory.
        choice: what the user can do instead, for errors.

    Raises:
        StartError: another server uses it, or it cannot be written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / LOCK).open("a+")
        give_to_owner(directory / LOCK)
    except OSError as error:
        raise StartError(f"cannot write to {directory}: {error.strerror}; {choice}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if isinstance(error, BlockingIOError):
            raise StartError(f"another server uses {directory}: stop it, or {choice}") from None
        raise StartError(f"cannot lock {directory}: {error.strerror}; {choice}") from error
    return lock
