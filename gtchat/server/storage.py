"""Opening the store: the data directory, its lock, and the kind of store that a setting names."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Any

import attrs

from gtchat.chat.interfaces import IStore
from gtchat.server.config import ServerSettings
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.store import MemoryStore, SQLStore, StoreError

DATABASE = "gtchat.sqlite"
LOCK = "gtchat.lock"


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
    lock = _lock_directory(file.parent)
    try:
        return Storage(SQLStore.open(file, reactor), file.parent, lock)
    except StoreError as error:
        lock.close()
        raise StartError(str(error), EXIT_CONFIG) from error


def _lock_directory(directory: Path) -> IO[str]:
    """Create a directory if needed, and lock it; return the open lock file."""
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
