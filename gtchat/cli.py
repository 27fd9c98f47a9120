"""The gtchat command: `gtchat client`, `gtchat config`, `gtchat backup` and so on."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import attrs
from twisted.python.usage import UsageError

from gtchat import __version__
from gtchat.server.checks import hide_password
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.server.settings import SettingsError

if TYPE_CHECKING:
    from gtchat.server.settings import ServerSettings, Settings
    from gtchat.store.sql.postgres import PostgresDatabase

#: Exit status of a program that SIGPIPE ended, as shells show it.
EXIT_BROKEN_PIPE = 128 + 13


class CommandError(Exception):
    """A command cannot be carried out; the text is one line for the user."""


def _client(words: Sequence[str]) -> int:
    from gtchat.ui.console import main as console

    return console(list(words))


def _tk(words: Sequence[str]) -> int:
    from gtchat.ui.tk import main as tk

    return tk(words)


def _config(words: Sequence[str]) -> int:
    from twisted.internet import reactor

    from gtchat.server.options import Options
    from gtchat.server.service import ChatService
    from gtchat.server.settings_file import format_settings

    options = Options()
    options.parseOptions(list(words))
    ChatService(options.chosen, reactor).check()
    sys.stdout.write(format_settings(options.chosen))
    return 0


def _settings(words: Sequence[str]) -> int:
    from gtchat.server.settings_file import default_file

    _parser("settings").parse_args(words)
    sys.stdout.write(default_file())
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of all subcommands."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandError (ArgumentParser.error)."""
        shown = " ".join(map(hide_password, message.split(" ")))
        raise CommandError(f"{self.prog}: {shown} (--help shows how to use it)")


def _parser(name: str) -> _Parser:
    """Return the parser of a subcommand without arguments yet."""
    text = SUBCOMMANDS[name].help
    return _Parser(prog=f"gtchat {name}", description=f"{text[0].upper()}{text[1:]}.")


def _database_parser(name: str) -> _Parser:
    """Return the parser of a subcommand for a database, with the options that say which."""
    parser = _parser(name)
    parser.add_argument("--config", metavar="FILE", help="settings file of the server")
    parser.add_argument("--data", metavar="DIR", help="data directory of the server")
    parser.add_argument("--store", metavar="STORE", help="store of the server, as sqlite:///FILE")
    return parser


def _server_settings(options: argparse.Namespace) -> ServerSettings:
    """Return the settings of `[server]`; see `_settings_of`."""
    return _settings_of(options).server


def _settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings of options, environment and settings file; the store has a database.

    Raises:
        CommandError: the store is in memory.
        SettingsError: a setting is invalid.
    """
    from gtchat.server.config import load

    given = {
        key: getattr(options, key) for key in ("data", "store") if getattr(options, key) is not None
    }
    settings = load(given, os.environ, options.config)
    if settings.server.store == "memory":
        raise CommandError("a store in memory has no database")
    return settings


def _database(options: argparse.Namespace) -> Path | PostgresDatabase:
    """Return the database that `_server_settings` name: a file of SQLite, or one of PostgreSQL.

    Raises:
        CommandError, SettingsError, StartError: see `_server_settings`.
    """
    from gtchat.server.storage import database_of

    database = database_of(_server_settings(options))
    assert database is not None
    return database


@contextmanager
def _store_errors() -> Iterator[None]:
    """Raise CommandError for an error of a store.

    It is imported here, as SQLAlchemy takes half the time of a start: clients do not need it.
    """
    from gtchat.store import StoreError

    try:
        yield
    except StoreError as error:
        raise CommandError(str(error)) from error


def _backup(words: Sequence[str]) -> int:
    from gtchat.store import backup

    parser = _database_parser("backup")
    parser.add_argument("file", metavar="FILE", type=Path, help="the copy; it must not exist")
    options = parser.parse_args(words)
    source = _database(options)
    if not isinstance(source, Path):
        raise CommandError(
            "a PostgreSQL database is copied by its own program: "
            f"pg_dump --format=custom --file={options.file} DATABASE"
        )
    with _store_errors():
        backup(source, options.file, _progress() if sys.stderr.isatty() else None)
    sys.stdout.write(f"copied {source} to {options.file}\n")
    return 0


@contextmanager
def _stopped_database(name: str, words: Sequence[str]) -> Iterator[Path | PostgresDatabase]:
    """Keep servers from using the database of a subcommand, as the data directory is locked.

    Args:
        name: the subcommand.
        words: its arguments.

    Raises:
        CommandError: there is no such database, or it cannot be used.
        SettingsError, StartError: see `_server_settings` and `lock_directory`.
    """
    from gtchat.server.storage import data_directory, lock_directory

    options = _database_parser(name).parse_args(words)
    database = _database(options)
    if isinstance(database, Path) and not database.exists():
        raise CommandError(f"{database} does not exist: name the server's data directory")
    with lock_directory(data_directory(_server_settings(options))), _store_errors():
        yield database


def _reindex(words: Sequence[str]) -> int:
    from gtchat.store import reindex

    with _stopped_database("reindex", words) as database:
        reindex(database, _progress() if sys.stderr.isatty() else None)
    sys.stdout.write(f"indexed the messages of {database}\n")
    return 0


def _restore_mark(words: Sequence[str]) -> int:
    from gtchat.store import begin_epoch

    with _stopped_database("restore-mark", words) as database:
        begin_epoch(database)
    sys.stdout.write(f"clients load their rooms again after the next start on {database}\n")
    return 0


def _nodes(words: Sequence[str]) -> int:
    parser = _database_parser("nodes")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    options = parser.parse_args(words)
    database = _database(options)
    if isinstance(database, Path):
        raise CommandError("only a PostgreSQL database can have several servers: give its --store")
    with _store_errors():
        from gtchat.server.node_table import format_nodes
        from gtchat.store.sql.node_list import list_nodes

        sys.stdout.write(format_nodes(list_nodes(database), as_json=options.json))
    return 0


def _migrate_store(words: Sequence[str]) -> int:
    from gtchat.server.storage import POSTGRES, lock_directory, postgres_database, sqlite_file

    parser = _parser("migrate-store")
    parser.add_argument("source", metavar="sqlite:PATH", help="data directory or database file")
    parser.add_argument(
        "target", metavar="postgresql://USER@HOST/DATABASE", help="an empty database"
    )
    options = parser.parse_args(words)
    source = sqlite_file(options.source)
    if source is None:
        raise CommandError("name the source as sqlite:DIRECTORY or sqlite:FILE")
    if not options.target.startswith(POSTGRES):
        raise CommandError("name the target as postgresql://USER@HOST/DATABASE")
    target = postgres_database(options.target)
    if not source.exists():
        raise CommandError(f"{source} does not exist: name the server's data directory")
    with lock_directory(source.parent), _store_errors():
        from gtchat.store.sql.migrate_store import migrate_store

        done = migrate_store(source, target, _progress() if sys.stderr.isatty() else None)
    for line in done.contradictions:
        sys.stderr.write(f"{line}, in {source} too\n")
    if done.replaced:
        sys.stderr.write(f"U+FFFD stands for NUL in {done.replaced:,} texts of the copy\n")
    sys.stdout.write(f"copied {done.rows:,} rows from {source} to {target}\n")
    return 0


def _progress() -> Callable[[int, int], None]:
    """Return a function that shows on the terminal how many parts of all are done."""

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"\r{100 * done // max(total, 1)} % " + ("\r" if done >= total else ""))
        sys.stderr.flush()

    return show


def _import_credentials(words: Sequence[str]) -> int:
    from gtchat.server.import_accounts import import_credentials

    parser = _database_parser("import-credentials")
    parser.add_argument("file", metavar="FILE", type=Path, help="lines of a name and a password")
    options = parser.parse_args(words)
    try:
        with _store_errors():
            return import_credentials(options.file, _database(options))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot import {options.file}: {error}") from error


def _console(words: Sequence[str]) -> int:
    from gtchat.server.admin.console import SOCKET
    from gtchat.server.console_client import open_console
    from gtchat.server.storage import data_directory

    path = data_directory(_server_settings(_database_parser("console").parse_args(words))) / SOCKET
    try:
        return open_console(path)
    except OSError as error:
        raise CommandError(f"no server answers at {path}: {error.strerror}") from error


def _admin(words: Sequence[str]) -> int:
    from gtchat.server.admin import cli as admin_cli

    parser = _database_parser("admin")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--offline", action="store_true", help="use the database of a server that is stopped"
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="a command with its arguments; `help` lists them",
    )
    options = parser.parse_args(words)
    settings = _settings_of(options)
    try:
        with _store_errors():
            return admin_cli.run(settings, options.words or ["help"], options.offline, options.json)
    except admin_cli.CannotRun as error:
        raise CommandError(str(error)) from error


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
        _config,
        "[options of the server]",
        "check the settings, and print those in force with their sources",
    ),
    "settings": Subcommand(_settings, "", "print a settings file with all defaults"),
    "backup": Subcommand(
        _backup, "FILE [--config FILE]", "copy the database while the server runs"
    ),
    "reindex": Subcommand(
        _reindex,
        "[--config FILE]",
        "make the index for searches again, while the server is stopped",
    ),
    "migrate-store": Subcommand(
        _migrate_store,
        "sqlite:PATH postgresql://...",
        "copy a chat from SQLite into an empty PostgreSQL database, while the server is stopped",
    ),
    "nodes": Subcommand(_nodes, "[--json]", "list the servers that use one PostgreSQL database"),
    "restore-mark": Subcommand(
        _restore_mark,
        "[--config FILE]",
        "have clients load their rooms again after a restore, while the server is stopped",
    ),
    "console": Subcommand(
        _console, "[--config FILE]", "open the admin console of a server on this machine"
    ),
    "admin": Subcommand(
        _admin,
        "[--json] [--offline] COMMAND",
        "run an administrative command; `gtchat admin help` lists them",
    ),
    "import-credentials": Subcommand(
        _import_credentials, "FILE [--config FILE]", "create accounts from lines `name password`"
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
        Exit status: that of the subcommand; 78 for a wrong setting, as the server's; 2 where it
        cannot be carried out; 141 where nothing reads the output any more.
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
        status = command.run(words[1:])
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # as in `gtchat settings | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except (SettingsError, StartError) as error:
        sys.stderr.write(f"gtchat: {error}\n")
        return EXIT_CONFIG
    except (CommandError, UsageError) as error:
        sys.stderr.write(f"gtchat: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
