"""The subcommands of `gtchat` that do something to a whole database."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gtchat.server.checks import hide_password
from gtchat.server.command_line import (
    CommandError,
    Parser,
    Subcommand,
    chosen_database,
    chosen_server,
    make_database_parser,
    make_parser,
    store_errors,
    terminal_progress,
    terminal_steps,
)

if TYPE_CHECKING:
    from gtchat.store.sql.postgres import PostgresDatabase
    from gtchat.store.sql.restore import Restored

#: Exit status of `gtchat verify` for a database that is not whole.
EXIT_FAULTS = 1


def _database_parser(name: str) -> Parser:
    return make_database_parser(name, ROWS[name].help)


def _backup(words: Sequence[str]) -> int:
    from gtchat.store import backup

    parser = _database_parser("backup")
    parser.add_argument("file", metavar="FILE", type=Path, help="the copy; it must not exist")
    options = parser.parse_args(words)
    source = chosen_database(options)
    if not isinstance(source, Path):
        words = ("--format=custom", f"--file={options.file}", f"--dbname={_address(options)}")
        raise CommandError(
            "a PostgreSQL database is copied by its own program: "
            f"pg_dump {shlex.join(words)}; or by gtchat export"
        )
    with store_errors():
        backup(source, options.file, terminal_progress())
    sys.stdout.write(f"copied {source} to {options.file}\n")
    return 0


def _verify(words: Sequence[str]) -> int:
    from gtchat.store import StoreDamaged, verify, verify_copy

    parser = _database_parser("verify")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        help="a copy of a database, or an export; without it, the server's database",
    )
    options = parser.parse_args(words)
    file: Path | None = options.file
    place = file or chosen_database(options)
    with store_errors():
        try:
            done = (
                verify(place, terminal_steps) if file is None else verify_copy(file, terminal_steps)
            )
        except StoreDamaged as error:
            sys.stdout.write(f"{error}\n")
            return EXIT_FAULTS
    sys.stdout.writelines(f"{line}\n" for line in done.contradictions)
    sys.stdout.write(f"{place}: {done}\n")
    return EXIT_FAULTS if done.contradictions else 0


def _restore(words: Sequence[str]) -> int:
    from gtchat.store import restore

    parser = _database_parser("restore")
    parser.add_argument("file", metavar="FILE", type=Path, help="what gtchat backup has made")
    options = parser.parse_args(words)
    target = chosen_database(options)
    if not isinstance(target, Path):
        words = ("--clean", "--if-exists", f"--dbname={_address(options)}", str(options.file))
        raise CommandError(
            "a PostgreSQL database is restored by its own program, while all servers are stopped: "
            f"pg_restore {shlex.join(words)}; then run gtchat restore-mark"
        )
    with _locked(options), store_errors():
        done = restore(options.file, target, terminal_steps)
    _say_restored(options.file, target, done)
    return 0


def _export(words: Sequence[str]) -> int:
    from gtchat.store import export

    parser = _database_parser("export")
    parser.add_argument("file", metavar="FILE", type=Path, help="the export; it must not exist")
    options = parser.parse_args(words)
    source = chosen_database(options)
    with store_errors():
        rows = export(source, options.file, terminal_steps)
    sys.stdout.write(f"exported {rows:,} rows of {source} to {options.file}\n")
    return 0


def _import(words: Sequence[str]) -> int:
    from gtchat.server.storage import data_directory
    from gtchat.store import import_chat

    parser = _database_parser("import")
    parser.add_argument("file", metavar="FILE", type=Path, help="what gtchat export has made")
    options = parser.parse_args(words)
    target = chosen_database(options)
    with _locked(options), store_errors():
        folder = data_directory(chosen_server(options))
        done = import_chat(options.file, target, folder, terminal_steps)
    _say_restored(options.file, target, done)
    return 0


def _address(options: argparse.Namespace) -> str:
    """Return where a database of PostgreSQL is, for its own programs; without the password."""
    return hide_password(chosen_server(options).store)


def _say_restored(source: Path, target: Path | PostgresDatabase, done: Restored) -> None:
    """Say what is in place of a database, and where that one is."""
    sys.stderr.writelines(f"{line}, in {source} too\n" for line in done.verified.contradictions)
    sys.stdout.write(f"restored {target} from {source}: {done.verified}\n")
    if done.kept is not None:
        sys.stdout.write(f"the database that was there is {done.kept}\n")


def _locked(options: argparse.Namespace) -> IO[str]:
    """Lock the data directory of a server, until the result is closed. Raises StartError."""
    from gtchat.server.storage import data_directory, lock_directory

    return lock_directory(data_directory(chosen_server(options)))


@contextmanager
def _stopped_database(name: str, words: Sequence[str]) -> Iterator[Path | PostgresDatabase]:
    """Keep servers from using the database of a subcommand, as the data directory is locked.

    Args:
        name: the subcommand.
        words: its arguments.

    Raises:
        CommandError: there is no such database, or it cannot be used.
        SettingsError, StartError: see `chosen_server` and `lock_directory`.
    """
    options = _database_parser(name).parse_args(words)
    database = chosen_database(options)
    if isinstance(database, Path):
        _require(database)
    with _locked(options), store_errors():
        yield database


def _require(database: Path) -> None:
    """Check that there is a file. Raises CommandError."""
    try:
        database.stat()
    except FileNotFoundError:
        text = f"{database} does not exist: name the server's data directory"
        raise CommandError(text) from None
    except OSError as error:
        text = f"{database} cannot be opened: {error.strerror}; be the server's user, or root"
        raise CommandError(text) from error


def _reindex(words: Sequence[str]) -> int:
    from gtchat.store import reindex

    with _stopped_database("reindex", words) as database:
        reindex(database, terminal_progress())
    sys.stdout.write(f"indexed the messages of {database}\n")
    return 0


def _vacuum(words: Sequence[str]) -> int:
    from gtchat.store.sql.vacuum import vacuum_file, vacuum_postgres

    options = _database_parser("vacuum").parse_args(words)
    database = chosen_database(options)
    with store_errors():
        if isinstance(database, Path):
            _require(database)
            with _locked(options):
                done = vacuum_file(database, terminal_progress())
        else:
            done = vacuum_postgres(database, terminal_progress())
    sys.stdout.write(f"{database} has {done.after:,} bytes; before: {done.before:,}\n")
    return 0


def _restore_mark(words: Sequence[str]) -> int:
    from gtchat.store import begin_epoch

    with _stopped_database("restore-mark", words) as database:
        begin_epoch(database)
    sys.stdout.write(f"clients load their rooms again after the next start on {database}\n")
    return 0


def _migrate_store(words: Sequence[str]) -> int:
    from gtchat.server.storage import POSTGRES, lock_directory, postgres_database, sqlite_file

    parser = make_parser("migrate-store", ROWS["migrate-store"].help)
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
    _require(source)
    with lock_directory(source.parent, "name another source"), store_errors():
        from gtchat.store.sql.migrate_store import migrate_store

        done = migrate_store(source, target, terminal_progress())
    for line in done.contradictions:
        sys.stderr.write(f"{line}, in {source} too\n")
    if done.replaced:
        sys.stderr.write(f"U+FFFD stands for NUL in {done.replaced:,} texts of the copy\n")
    sys.stdout.write(f"copied {done.rows:,} rows from {source} to {target}\n")
    return 0


def _import_credentials(words: Sequence[str]) -> int:
    from gtchat.server.import_accounts import import_credentials

    parser = _database_parser("import-credentials")
    parser.add_argument("file", metavar="FILE", type=Path, help="lines of a name and a password")
    options = parser.parse_args(words)
    try:
        with store_errors():
            return import_credentials(options.file, chosen_database(options))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot import {options.file}: {error}") from error


#: Name -> subcommand.
ROWS: dict[str, Subcommand] = {
    "backup": Subcommand(
        _backup, "FILE [--config FILE]", "copy the database while the server runs"
    ),
    "verify": Subcommand(
        _verify,
        "[FILE] [--config FILE]",
        "check a copy, or the database, page by page, and each room against its log",
    ),
    "restore": Subcommand(
        _restore,
        "FILE [--config FILE]",
        "put a copy in the place of the database, while the server is stopped",
    ),
    "export": Subcommand(
        _export, "FILE [--config FILE]", "write the chat as lines of JSON while the server runs"
    ),
    "import": Subcommand(
        _import,
        "FILE [--config FILE]",
        "read an export into SQLite or PostgreSQL, while the server is stopped",
    ),
    "reindex": Subcommand(
        _reindex,
        "[--config FILE]",
        "make the index for searches again, while the server is stopped",
    ),
    "vacuum": Subcommand(
        _vacuum,
        "[--config FILE]",
        "give back the space of removed messages: of SQLite while the server is stopped",
    ),
    "migrate-store": Subcommand(
        _migrate_store,
        "sqlite:PATH postgresql://...",
        "copy a chat from SQLite into an empty PostgreSQL database, while the server is stopped",
    ),
    "restore-mark": Subcommand(
        _restore_mark,
        "[--config FILE]",
        "have clients load their rooms again after a restore, while the server is stopped",
    ),
    "import-credentials": Subcommand(
        _import_credentials, "FILE [--config FILE]", "create accounts from lines `name password`"
    ),
}
