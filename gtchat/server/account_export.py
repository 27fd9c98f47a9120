"""Files with exports of accounts: a zip with JSON Lines, one file for each kind of data.

Files are written in a thread, a slice at a time. Those that users fetch are in a folder of their
own, which only the server can read, and which is emptied when the server starts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from gtchat.chat.data_export import IExportFiles, Part
from gtchat.chat.entries import Entry
from gtchat.chat.errors import BadRequest, NotStored
from gtchat.chat.limits import Limits
from gtchat.protocols.gtchat_json.pushes import encode

#: The folder of exports in the data directory.
FOLDER = "exports"
#: What the file `about.txt` of an export says.
ABOUT = """\
Each file has one JSON object a line. Entries and messages are those of the JSON API
(docs/protocol.md); times are milliseconds since 1970, UTC, or RFC 3339.
"""
INCOMPLETE = "\nThis export is not complete: it would be larger than the server allows.\n"

_encode_other = msgspec.json.Encoder().encode


class _Zip:
    """A zip that is written line by line. All methods but the first are called in a thread.

    Args:
        file: where it is written.
        limit: most bytes of its lines, 0 for no limit.
    """

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._limit = limit
        self._size = 0
        self._name = ""
        self._member: IO[bytes] | None = None

    def add(self, name: str, items: Sequence[Mapping[str, Any] | Entry]) -> bool:
        """Write lines of a part. Return whether the limit is reached."""
        lines = [encode(one) if isinstance(one, Entry) else _encode_other(one) for one in items]
        data = b"".join(line + b"\n" for line in lines)
        self._size += len(data)
        if 0 < self._limit < self._size:
            return True
        if name != self._name:
            self._end_member()
            self._name, self._member = name, self._zip.open(f"{name}.jsonl", "w", force_zip64=True)
        assert self._member is not None
        self._member.write(data)
        return False

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None

    def abandon(self) -> None:
        """Write the end of what will be deleted."""
        with suppress(OSError):
            self._end_member()
            self._zip.close()

    def close(self, is_complete: bool) -> None:
        """Write the end, to disk."""
        self._end_member()
        self._zip.writestr("about.txt", ABOUT if is_complete else ABOUT + INCOMPLETE)
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())


@implementer(IExportFiles)
class ExportFiles:
    """Writes exports (IExportFiles).

    Args:
        reactor: runs the results of the thread.
        directory: the data directory, None for a temporary one.
        limits: has the largest size.
    """

    def __init__(self, reactor: Any, directory: Path | None, limits: Limits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._directory = directory
        self._folder: Path | None = None
        self._pool = ThreadPool(minthreads=0, maxthreads=1, name="gtchat export")
        if directory is not None:
            _remove(directory / FOLDER)  # left by a server that was killed

    async def write(self, parts: AsyncIterator[Part], path: str | None) -> str:
        """See `IExportFiles.write`."""
        if not self._pool.started:
            self._pool.start()
        try:
            opened: tuple[IO[bytes], str] = await self._run(lambda: self._open(path))
            file, written = opened
            try:
                await self._fill(parts, file)
            except BaseException:
                file.close()
                await self._run(lambda: Path(written).unlink(missing_ok=True))
                raise
        except OSError as error:
            raise NotStored(f"The export can't be written: {error.strerror}.") from error
        return written

    def _open(self, path: str | None) -> tuple[IO[bytes], str]:
        """Make a file that only its owner can read."""
        if path is None:
            descriptor, path = tempfile.mkstemp(".zip", "", self._made_folder())
        else:
            if not os.path.isabs(path):
                raise BadRequest("file: must be a path from the root of the server's file system.")
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError as error:
                raise BadRequest(f"file: {error.strerror}.") from error
        return os.fdopen(descriptor, "wb"), path

    def _made_folder(self) -> Path:
        if self._folder is None:
            if self._directory is None:
                self._folder = Path(tempfile.mkdtemp(prefix="gtchat-exports-"))
            else:
                self._folder = self._directory / FOLDER
                self._folder.mkdir(0o700, exist_ok=True)
        return self._folder

    async def _fill(self, parts: AsyncIterator[Part], file: IO[bytes]) -> None:
        """Write all parts, and close the file."""
        target = await self._run(lambda: _Zip(file, self._limits.export_bytes))
        is_full = False
        try:
            async for name, items in parts:
                is_full = await self._run(lambda name=name, items=items: target.add(name, items))
                if is_full:
                    break
        except BaseException:
            await self._run(target.abandon)
            raise
        await self._run(lambda: target.close(not is_full))
        file.close()

    async def _run(self, work: Callable[..., Any]) -> Any:
        """Return the result of a function, which is called in the thread."""
        return await deferToThreadPool(self._reactor, self._pool, work)

    def delete(self, path: str) -> None:
        """See `IExportFiles.delete`."""
        with suppress(OSError):
            os.unlink(path)

    def stop(self) -> None:
        """See `IExportFiles.stop`."""
        if self._pool.started:
            self._pool.stop()
        if self._folder is not None:
            _remove(self._folder)


def _remove(folder: Path) -> None:
    """Delete a folder with the files in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
