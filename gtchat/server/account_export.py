"""Exports of accounts: a zip with JSON Lines, one file for each kind of data.

It is made in a thread, a slice at a time, and so is the file of an operator. What users fetch is in
no file.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import msgspec
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from gtchat.chat.data_export import IExportFiles, Part, TakePiece
from gtchat.chat.entries import Entry
from gtchat.chat.errors import BadRequest, NotStored
from gtchat.chat.limits import Limits
from gtchat.protocols.gtchat_json.pushes import encode

#: What the file `about.txt` of an export says.
ABOUT = """\
Each file has one JSON object a line. Entries and messages are those of the JSON API
(docs/protocol.md); times are milliseconds since 1970, UTC, or RFC 3339.
"""
INCOMPLETE = "\nThis export is not complete: it would be larger than the server allows.\n"

_encode_other = msgspec.json.Encoder().encode


class _Pieces:
    """What a zip is written to: it keeps what was not taken yet."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep some bytes."""
        self._kept.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is kept is taken."""

    def close(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what is kept, and forget it."""
        taken, self._kept = b"".join(self._kept), []
        return taken


class _Zip:
    """A zip that is made line by line. All methods but the first are called in a thread.

    Args:
        limit: most bytes of its lines, 0 for no limit.

    Attributes:
        is_full: whether the limit is reached.
    """

    def __init__(self, limit: int) -> None:
        self._pieces = _Pieces()
        self._zip = zipfile.ZipFile(self._pieces, "w", zipfile.ZIP_DEFLATED)
        self._limit = limit
        self._size = 0
        self._name = ""
        self._member: IO[bytes] | None = None
        self.is_full = False

    def add(self, name: str, items: Sequence[Mapping[str, Any] | Entry]) -> bytes:
        """Add lines of a part. Return the next bytes of the zip; there may be none yet."""
        lines = [encode(one) if isinstance(one, Entry) else _encode_other(one) for one in items]
        data = b"".join(line + b"\n" for line in lines)
        self._size += len(data)
        self.is_full = 0 < self._limit < self._size
        if self.is_full:
            return b""
        if name != self._name:
            self._end_member()
            self._name, self._member = name, self._zip.open(f"{name}.jsonl", "w", force_zip64=True)
        assert self._member is not None
        self._member.write(data)
        return self._pieces.take()

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None

    def close(self) -> bytes:
        """Return the last bytes."""
        self._end_member()
        self._zip.writestr("about.txt", ABOUT + INCOMPLETE if self.is_full else ABOUT)
        self._zip.close()
        return self._pieces.take()


@implementer(IExportFiles)
class ExportFiles:
    """Writes exports (IExportFiles).

    Args:
        reactor: runs the results of the thread.
        limits: has the largest size.
    """

    def __init__(self, reactor: Any, limits: Limits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._pool = ThreadPool(minthreads=0, maxthreads=1, name="gtchat export")
        self._is_stopped = False

    async def send(self, parts: AsyncIterator[Part], take: TakePiece) -> None:
        """See `IExportFiles.send`."""
        made = _Zip(self._limits.export_bytes)
        try:
            async for name, items in parts:
                await take(await self._run(made.add, name, items))
                if made.is_full:
                    break
        except BaseException:
            with suppress(Exception):  # of what is dropped
                await self._run(made.close)
            raise
        await take(await self._run(made.close))

    async def write(self, parts: AsyncIterator[Part], path: str) -> None:
        """See `IExportFiles.write`."""
        file = await self._run(_open, path)
        try:
            await self.send(parts, lambda data: self._run(file.write, data))
            await self._run(_close, file)
        except Exception as error:
            if self._is_stopped:
                _discard(file, path)  # no thread is left for it, and no client that would wait
            else:
                await self._run(_discard, file, path)
            if isinstance(error, OSError):
                raise NotStored(f"The export can't be written: {error.strerror}.") from error
            raise

    async def _run(self, work: Callable[..., Any], *args: Any) -> Any:
        """Return the result of a function, which is called in the thread.

        Raises:
            NotStored: no more is written; a thread pool that has stopped would never answer.
        """
        if self._is_stopped:
            raise NotStored("The server is stopping.")
        if not self._pool.started:
            self._pool.start()
        return await deferToThreadPool(self._reactor, self._pool, work, *args)

    def stop(self) -> None:
        """See `IExportFiles.stop`."""
        self._is_stopped = True
        if self._pool.started:
            self._pool.stop()


def _open(path: str) -> IO[bytes]:
    """Make a file that only its owner can read. Raises BadRequest."""
    if not os.path.isabs(path):
        raise BadRequest("file: must be a path from the root of the server's file system.")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadRequest(f"file: {error.strerror}.") from error
    return os.fdopen(descriptor, "wb")


def _close(file: IO[bytes]) -> None:
    """Write all of a file to disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _discard(file: IO[bytes], path: str) -> None:
    """Delete a file that can't be completed."""
    with suppress(OSError):  # it can't be written
        file.close()
    with suppress(FileNotFoundError):
        os.unlink(path)
