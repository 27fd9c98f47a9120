"""Logins that outlast the terminal client: the name of this device, and its tokens.

They are in one file of the user's state directory (XDG Base Directory Specification), which only
the user can read. A token logs in without the password: it is as secret as one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from platform import node

import msgspec

#: Longest name of a device (docs/protocol.md, "Devices and sessions").
NAME_CHARS = 64


def state_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the file. environ: the environment of the process."""
    base = environ.get("XDG_STATE_HOME", "")
    folder = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    return folder / "gtchat" / "logins.json"


def device_name() -> str:
    """Return the name of this device for users: that of the machine."""
    host = "".join(character for character in node() if character.isprintable())
    return f"gtchat client, {host}"[:NAME_CHARS].rstrip(", ")


class _Content(msgspec.Struct):
    """The file: the name of this device, and URL of a server -> user -> token."""

    device: str = ""
    tokens: dict[str, dict[str, str]] = {}


class StoredLogins:
    """The logins on one server.

    Args:
        path: the file; it is created when something is stored.
        url: URL of the server.
    """

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._url = url
        self._device = ""

    def device(self) -> str:
        """Return what names this device, the same in all runs if it can be stored."""
        if not self._device:
            self._device = self._read().device or secrets.token_urlsafe(16)
            with suppress(OSError), self._change() as content:
                content.device = content.device or self._device
                self._device = content.device
        return self._device

    def last_user(self) -> str:
        """Return the user who logged in last and stays logged in, "" for none."""
        return next(reversed(self._read().tokens.get(self._url, {})), "")

    def token(self, user: str) -> str:
        """Return the token of a user, whatever the case of the name; "" for none."""
        tokens = self._read().tokens.get(self._url, {})
        return next((tokens[one] for one in tokens if _same(one, user)), "")

    def keep(self, user: str, token: str) -> None:
        """Store the token of a user in place of an older one.

        Raises:
            OSError: it can't be stored.
        """
        with self._change() as content:
            tokens = content.tokens.setdefault(self._url, {})
            _remove(tokens, user)
            tokens[user] = token

    def forget(self, user: str) -> None:
        """Delete the token of a user.

        Raises:
            OSError: it can't be deleted.
        """
        if self.token(user):
            with self._change() as content:
                _remove(content.tokens.get(self._url, {}), user)

    def _read(self) -> _Content:
        """Return the content of the file; an empty one if there is none that can be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Content)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return _Content()

    @contextmanager
    def _change(self) -> Iterator[_Content]:
        """Change the content of the file, which other runs of the client change too."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(
            self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._read()
            yield content
            self._write(msgspec.json.encode(content))
        finally:
            os.close(lock)

    def _write(self, data: bytes) -> None:
        """Replace the file by one that only the user can read."""
        new = self._path.with_suffix(".new")
        with suppress(FileNotFoundError):
            new.unlink()  # left by a run that was killed
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _same(one: str, other: str) -> bool:
    """Return whether two spellings are the name of one user."""
    return one.casefold() == other.casefold()


def _remove(tokens: dict[str, str], user: str) -> None:
    """Remove the token of a user, if there is one."""
    for one in [one for one in tokens if _same(one, user)]:
        del tokens[one]
