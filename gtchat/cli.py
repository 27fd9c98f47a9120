"""The gtchat command: `gtchat client`, `gtchat config`, `gtchat backup`, and so on."""

from __future__ import annotations

import os
import selectors
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
from twisted.python.usage import UsageError

from gtchat import __version__
from gtchat.server.config import SettingsError
from gtchat.store.sql.sqlite import StoreError


class CommandError(Exception):
    """What is wrong with a command; its text is the one line that a person gets."""


def _client(words: Sequence[str]) -> int:
    from gtchat.ui.console import main as console

    return console(list(words))


def _tk(words: Sequence[str]) -> int:
    from gtchat.ui.tk import main as tk

    return tk(words)


def _config(words: Sequence[str]) -> int:
    from gtchat.server.config import shown
    from gtchat.tap import Options

    options = Options()
    options.parseOptions(list(words))
    sys.stdout.write(shown(options.chosen))
    return 0


def _database(words: Sequence[str]) -> tuple[Path, list[str]]:
    """The database that options name, and the words that are left."""
    from gtchat.server.config import load

    left, given = list(words), {}
    for option in ("--data", "--store"):
        if option in left:
            at = left.index(option)
            if at + 1 == len(left):
                raise CommandError(f"{option} wants a value")
            given[option[2:]] = left[at + 1]
            del left[at : at + 2]
    server = load(given, os.environ).server
    if server.store.startswith("sqlite:///"):
        return Path(server.store.removeprefix("sqlite:///")).expanduser(), left
    return Path(server.data).expanduser() / "gtchat.sqlite", left


def _backup(words: Sequence[str]) -> int:
    from gtchat.store import backup

    source, left = _database(words)
    if len(left) != 1:
        raise CommandError("backup wants one file to write: gtchat backup FILE [--data DIR]")
    target = Path(left[0])
    backup(source, target)
    sys.stdout.write(f"{source} is copied to {target}\n")
    return 0


def _import_credentials(words: Sequence[str]) -> int:
    from gtchat.server.import_accounts import import_credentials

    source, left = _database(words)
    if len(left) != 1:
        raise CommandError(
            "import-credentials wants one file of lines `name password`: "
            "gtchat import-credentials FILE [--data DIR]"
        )
    try:
        return import_credentials(Path(left[0]), source)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{left[0]} can't be imported: {error}") from error


def _console(words: Sequence[str]) -> int:
    from gtchat.server.admin_console import SOCKET

    database, left = _database(words)
    if left:
        raise CommandError("console wants nothing but a folder: gtchat console [--data DIR]")
    path = database.parent / SOCKET
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(str(path))
        except OSError as error:
            raise CommandError(f"no server answers at {path}: {error.strerror}") from error
        return _relay(server)


def _relay(server: socket.socket) -> int:
    """Show what a socket says, and tell it what is typed, until one of them ends."""
    typed = sys.stdin.fileno()
    with selectors.DefaultSelector() as ready:
        ready.register(server, selectors.EVENT_READ)
        try:
            ready.register(typed, selectors.EVENT_READ)
        except PermissionError:  # a file can always be read
            server.sendall(sys.stdin.buffer.read())
            server.shutdown(socket.SHUT_WR)
        while True:
            for key, _ in ready.select():
                data = server.recv(65_536) if key.fileobj is server else os.read(typed, 65_536)
                if key.fileobj is server:
                    sys.stdout.write(data.decode("utf-8", "replace"))
                    sys.stdout.flush()
                    if not data:
                        return 0
                elif data:
                    server.sendall(data)
                else:
                    ready.unregister(typed)
                    server.shutdown(socket.SHUT_WR)


@attrs.frozen
class Command:
    """A command: what runs it, its arguments, and what it does."""

    run: Callable[[Sequence[str]], int]
    arguments: str
    help: str


COMMANDS: dict[str, Command] = {
    "client": Command(_client, "[URL] [options]", "talk, from a terminal or a pipe"),
    "tk": Command(_tk, "[-c]", "talk, in a window"),
    "config": Command(_config, "[options of the server]", "show settings, and where each is from"),
    "backup": Command(_backup, "FILE [--data DIR]", "copy the database, while the server runs"),
    "console": Command(_console, "[--data DIR]", "the host's console of a server that runs here"),
    "import-credentials": Command(
        _import_credentials, "FILE [--data DIR]", "make accounts of lines `name password`"
    ),
}


def usage() -> str:
    """What there is."""
    rows = [(f"gtchat {name} {c.arguments}", c.help) for name, c in COMMANDS.items()]
    width = max(len(words) for words, _ in rows)
    lines = [f"  {words.ljust(width)}  {text}" for words, text in rows]
    return "\n".join(
        ["GTChat, a chat server. The server itself is `twistd -n gtchat`.", "", *lines, ""]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the words name; its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage())
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write(f"gtchat {__version__}\n")
        return 0
    command = COMMANDS.get(words[0])
    try:
        if command is None:
            raise CommandError(f"there is no command {words[0]!r}; gtchat --help lists them")
        return command.run(words[1:])
    except (CommandError, UsageError, SettingsError, StoreError) as error:
        sys.stderr.write(f"gtchat: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
