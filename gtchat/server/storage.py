"""The data directory: its lock, the kind of store that a setting names, and the free disk space."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import attrs
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from gtchat.chat.interfaces import IStore
from gtchat.chat.quota import Quota
from gtchat.server.config import ServerSettings
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.store import MemoryStore, SQLStore, StoreError

DATABASE = "gtchat.sqlite"
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
    """

    store: IStore
    directory: Path | None = None
    _lock: IO[str] | None = None

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
        minimum: bytes that have to be free; 0 for no minimum.
        quota: is told.
    """

    _reactor: Any
    _folders: Sequence[Path]
    _minimum: int
    _quota: Quota
    _timer: IDelayedCall | None = None
    _stopped: bool = False

    def start(self) -> None:
        """Look now, which may block, and regularly from then on."""
        if self._minimum and self._folders:
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
        full = free < self._minimum
        if full and not self._quota.disk_full:
            _log.warn(
                "the disk of {folder} has {free} bytes left: nothing new is stored until it has "
                "{minimum}",
                folder=folder,
                free=free,
                minimum=self._minimum,
            )
        elif self._quota.disk_full and not full:
            _log.info("the disk of {folder} has space again", folder=folder)
        self._quota.disk_full = full


def database_file(server: ServerSettings) -> Path | None:
    """Return the database that the settings name, None for a store in memory.

    Raises:
        StartError: the setting `store` is invalid.
    """
    if server.store == "memory":
        return None
    if server.store == "sqlite":
        return Path(server.data).expanduser() / DATABASE
    if server.store.startswith("sqlite:///"):
        return Path(server.store.removeprefix("sqlite:///")).expanduser()
    raise StartError(
        f"store: {server.store!r} is not supported; use sqlite, memory or sqlite:///FILE",
        EXIT_CONFIG,
    )


def open_storage(server: ServerSettings, reactor: Any) -> Storage:
    """Open the store in a directory that no other server uses.

    Args:
        server: the settings `store` and `data`.
        reactor: runs the store's results.

    Raises:
        StartError: the directory or the database cannot be used.
    """
    file = database_file(server)
    if file is None:
        return Storage(MemoryStore(reactor))
    lock = lock_directory(file.parent)
    try:
        return Storage(SQLStore.open(file, reactor), file.parent, lock)
    except StoreError as error:
        lock.close()
        raise StartError(str(error), EXIT_CONFIG) from error


def lock_directory(directory: Path) -> IO[str]:
    """Create a directory if needed, and lock it against other servers; return the open lock file.

    Raises:
        StartError: another server uses it, or it cannot be written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / LOCK).open("a+")
    except OSError as error:
        raise StartError(
            f"cannot write to {directory}: {error.strerror}; choose another directory with --data"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if isinstance(error, BlockingIOError):
            raise StartError(
                f"another server uses {directory}: stop it, or choose another directory with --data"
            ) from None
        raise StartError(
            f"cannot lock {directory}: {error.strerror}; choose another directory with --data"
        ) from error
    return lock
