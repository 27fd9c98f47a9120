"""The gtchat command: `gtchat client`, `gtchat config`, `gtchat backup` and so on."""

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
from gtchat.server.process import StartError
from gtchat.store.sql.sqlite import StoreError


class CommandError(Exception):
    """A command cannot be carried out; the text is one line for the user."""


def _client(words: Sequence[str]) -> int:
    from gtchat.ui.console import main as console

    return console(list(words))


def _tk(words: Sequence[str]) -> int:
    from gtchat.ui.tk import main as tk

    return tk(words)


def _config(words: Sequence[str]) -> int:
    from gtchat.server.config import format_settings
    from gtchat.server.options import Options

    options = Options()
    options.parseOptions(list(words))
    sys.stdout.write(format_settings(options.chosen))
    return 0


def _settings(words: Sequence[str]) -> int:
    from gtchat.server.config import default_file

    if words:
        raise CommandError("settings takes no arguments: gtchat settings > gtchat.toml")
    sys.stdout.write(default_file())
    return 0


def _database(words: Sequence[str]) -> tuple[Path, list[str]]:
    """Return the database that options name, and the remaining words.

    Raises:
        CommandError: an option has no value, or the store is in memory.
        SettingsError, StartError: a setting is invalid.
    """
    from gtchat.server.config import load
    from gtchat.server.storage import database_file

    rest, given = list(words), {}
    for option in ("--data", "--store"):
        if option in rest:
            at = rest.index(option)
            if at + 1 == len(rest):
                raise CommandError(f"{option} needs a value")
            given[option[2:]] = rest[at + 1]
            del rest[at : at + 2]
    database = database_file(load(given, os.environ).server)
    if database is None:
        raise CommandError("a store in memory has no database")
    return database, rest


def _backup(words: Sequence[str]) -> int:
    from gtchat.store import backup

    source, rest = _database(words)
    if len(rest) != 1:
        raise CommandError("backup needs one file to write: gtchat backup FILE [--data DIR]")
    target = Path(rest[0])
    backup(source, target)
    sys.stdout.write(f"copied {source} to {target}\n")
    return 0


def _import_credentials(words: Sequence[str]) -> int:
    from gtchat.server.import_accounts import import_credentials

    database, rest = _database(words)
    if len(rest) != 1:
        raise CommandError(
            "import-credentials needs one file of lines `name password`: "
            "gtchat import-credentials FILE [--data DIR]"
        )
    try:
        return import_credentials(Path(rest[0]), database)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot import {rest[0]}: {error}") from error


def _console(words: Sequence[str]) -> int:
    from gtchat.server.admin_console import SOCKET

    database, rest = _database(words)
    if rest:
        raise CommandError("console takes no arguments: gtchat console [--data DIR]")
    path = database.parent / SOCKET
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(str(path))
        except OSError as error:
            raise CommandError(f"no server answers at {path}: {error.strerror}") from error
        return _relay(server)


def _relay(server: socket.socket) -> int:
    """Copy standard input to a socket and the socket to standard output.

    Returns:
        0, when the server closes the socket.
    """
    typed = sys.stdin.fileno()
    with selectors.DefaultSelector() as ready:
        ready.register(server, selectors.EVENT_READ)
        try:
            ready.register(typed, selectors.EVENT_READ)
        except PermissionError:  # epoll refuses regular files, which are always readable
            server.sendall(sys.stdin.buffer.read())
            server.shutdown(socket.SHUT_WR)
        while True:
            for key, _ in ready.select():
                if key.fileobj is server:
                    data = server.recv(65_536)
                    sys.stdout.write(data.decode("utf-8", "replace"))
                    sys.stdout.flush()
                    if not data:
                        return 0
                elif data := os.read(typed, 65_536):
                    server.sendall(data)
                else:
                    ready.unregister(typed)
                    server.shutdown(socket.SHUT_WR)


@attrs.frozen
class Subcommand:
    """A subcommand: what runs it (words -> exit status), its arguments, and what it does."""

    run: Callable[[Sequence[str]], int]
    arguments: str
    help: str


SUBCOMMANDS: dict[str, Subcommand] = {
    "client": Subcommand(_client, "[URL] [options]", "chat in a terminal or a pipe"),
    "tk": Subcommand(_tk, "[-c]", "chat in a window"),
    "config": Subcommand(
        _config, "[options of the server]", "print the settings in force and their sources"
    ),
    "settings": Subcommand(_settings, "", "print a settings file with all defaults"),
    "backup": Subcommand(_backup, "FILE [--data DIR]", "copy the database while the server runs"),
    "console": Subcommand(
        _console, "[--data DIR]", "open the admin console of a server on this machine"
    ),
    "import-credentials": Subcommand(
        _import_credentials, "FILE [--data DIR]", "create accounts from lines `name password`"
    ),
}


def usage() -> str:
    """Return the list of subcommands."""
    rows = [(f"gtchat {name} {c.arguments}", c.help) for name, c in SUBCOMMANDS.items()]
    width = max(len(words) for words, _ in rows)
    lines = [f"  {words.ljust(width)}  {text}" for words, text in rows]
    return "\n".join(["GTChat, a chat server. Start it with `twistd -n gtchat`.", "", *lines, ""])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        Exit status: that of the subcommand, 2 where it cannot be carried out.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage())
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write(f"gtchat {__version__}\n")
        return 0
    command = SUBCOMMANDS.get(words[0])
    try:
        if command is None:
            raise CommandError(f"there is no command {words[0]!r}; gtchat --help lists them")
        return command.run(words[1:])
    except (CommandError, UsageError, SettingsError, StartError, StoreError) as error:
        sys.stderr.write(f"gtchat: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
