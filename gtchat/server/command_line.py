"""What subcommands of `gtchat` share: parsers, errors of one line, the database they name."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import attrs

from gtchat.server.checks import hide_password
from gtchat.server.process import EXIT_CONFIG, StartError

if TYPE_CHECKING:
    from gtchat.server.settings import ServerSettings, Settings
    from gtchat.store.sql.postgres import PostgresDatabase


class CommandError(Exception):
    """A command cannot be carried out; the text is one line for the user."""


@attrs.frozen
class Subcommand:
    """A subcommand: what runs it (words -> exit status), its arguments, and what it does."""

    run: Callable[[Sequence[str]], int]
    arguments: str
    help: str


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of all subcommands."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandError (ArgumentParser.error)."""
        shown = " ".join(map(hide_password, message.split(" ")))
        raise CommandError(f"{self.prog}: {shown} (--help shows how to use it)")


def make_parser(name: str, help: str) -> Parser:
    """Return the parser of a subcommand without arguments yet. help: see `Subcommand`."""
    return Parser(prog=f"gtchat {name}", description=f"{help[0].upper()}{help[1:]}.")


def make_database_parser(name: str, help: str) -> Parser:
    """Return the parser of a subcommand for a database, with the options that say which."""
    made = make_parser(name, help)
    made.add_argument("--config", metavar="FILE", help="settings file of the server")
    made.add_argument("--data", metavar="DIR", help="data directory of the server")
    made.add_argument("--store", metavar="STORE", help="store of the server, as sqlite:///FILE")
    return made


def chosen_server(options: argparse.Namespace) -> ServerSettings:
    """Return the settings of `[server]`; see `chosen_settings`."""
    return chosen_settings(options).server


def chosen_settings(options: argparse.Namespace) -> Settings:
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


def chosen_database(options: argparse.Namespace) -> Path | PostgresDatabase:
    """Return the database that `chosen_server` name: a file of SQLite, or one of PostgreSQL.

    Raises:
        CommandError, SettingsError, StartError: see `chosen_server`.
    """
    from gtchat.server.storage import database_of

    database = database_of(chosen_server(options))
    assert database is not None
    return database


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise CommandError for an error of a store, StartError where its program is newer.

    They are imported here, as SQLAlchemy takes half the time of a start: clients do not need it.
    """
    from gtchat.store import StoreError, StoreTooNew

    try:
        yield
    except StoreTooNew as error:
        raise StartError(str(error), EXIT_CONFIG) from error
    except StoreError as error:
        raise CommandError(str(error)) from error


def terminal_progress() -> Callable[[int, int], None] | None:
    """Return a function that shows how many parts of all are done; None without a terminal."""
    return terminal_steps("") if sys.stderr.isatty() else None


def terminal_steps(name: str) -> Callable[[int, int], None]:
    """Return a function that shows how far a step is, if there is a terminal. name: of the step."""
    on_terminal = sys.stderr.isatty()
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if on_terminal and percent != shown:
            shown = percent
            line = f"{name} {percent} % ".lstrip()
            end = "\r" + " " * len(line) + "\r" if done >= total else ""
            sys.stderr.write(f"\r{line}{end}")
            sys.stderr.flush()

    return show
