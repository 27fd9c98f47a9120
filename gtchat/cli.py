"""The gtchat command: `gtchat client`, `gtchat config`, `gtchat backup` and so on."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.python.usage import UsageError

from gtchat import __version__
from gtchat.server import database_commands
from gtchat.server.command_line import (
    CommandError,
    Parser,
    Subcommand,
    chosen_database,
    chosen_server,
    chosen_settings,
    make_database_parser,
    make_parser,
    store_errors,
)
from gtchat.server.process import EXIT_CONFIG, StartError
from gtchat.server.settings import SettingsError

#: Exit status of a program that SIGPIPE ended, as shells show it.
EXIT_BROKEN_PIPE = 128 + 13
#: Likewise of one that SIGINT ended.
EXIT_INTERRUPTED = 128 + 2


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

    make_parser("settings", SUBCOMMANDS["settings"].help).parse_args(words)
    sys.stdout.write(default_file())
    return 0


def _certificate(words: Sequence[str]) -> int:
    from gtchat.server.self_signed import run

    return run(words, SUBCOMMANDS["certificate"].help)


def _doctor(words: Sequence[str]) -> int:
    from gtchat.server.doctor.cli import run

    return run(words, SUBCOMMANDS["doctor"].help)


def _database_parser(name: str) -> Parser:
    return make_database_parser(name, SUBCOMMANDS[name].help)


def _nodes(words: Sequence[str]) -> int:
    parser = _database_parser("nodes")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    options = parser.parse_args(words)
    database = chosen_database(options)
    if isinstance(database, Path):
        raise CommandError("only a PostgreSQL database can have several servers: give its --store")
    with store_errors():
        from gtchat.server.node_table import format_nodes
        from gtchat.store.sql.node_list import list_nodes

        sys.stdout.write(format_nodes(list_nodes(database), as_json=options.json))
    return 0


def _console(words: Sequence[str]) -> int:
    from gtchat.server.admin.console import SOCKET
    from gtchat.server.console_client import open_console
    from gtchat.server.storage import data_directory

    path = data_directory(chosen_server(_database_parser("console").parse_args(words))) / SOCKET
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
    settings = chosen_settings(options)
    try:
        with store_errors():
            return admin_cli.run(settings, options.words or ["help"], options.offline, options.json)
    except admin_cli.CannotRun as error:
        given = {word.partition("=")[0] for word in options.words}
        late = sorted(given & {"--config", "--data", "--store", "--offline"})
        hint = f"; write {' and '.join(late)} before the command" if late else ""
        raise CommandError(f"{error}{hint}") from error


SUBCOMMANDS: dict[str, Subcommand] = {
    "client": Subcommand(_client, "[URL] [options]", "chat in a terminal or a pipe"),
    "tk": Subcommand(_tk, "[-c]", "chat in a window"),
    "config": Subcommand(
        _config,
        "[options of the server]",
        "check the settings, and print those in force with their sources",
    ),
    "settings": Subcommand(_settings, "", "print a settings file with all defaults"),
    "certificate": Subcommand(
        _certificate,
        "self-signed FILE [--host NAME]",
        "make a key and a certificate for trials, which no authority has signed",
    ),
    "doctor": Subcommand(
        _doctor,
        "[URL] [--config FILE]",
        "find what is wrong with the server of this machine, or with a public address",
    ),
    **database_commands.ROWS,
    "nodes": Subcommand(_nodes, "[--json]", "list the servers that use one PostgreSQL database"),
    "console": Subcommand(
        _console, "[--config FILE]", "open the admin console of a server on this machine"
    ),
    "admin": Subcommand(
        _admin,
        "[--json] [--offline] COMMAND",
        "run an administrative command; `gtchat admin help` lists them",
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
        cannot be carried out; 130 after Ctrl-C; 141 where nothing reads the output any more.
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
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return EXIT_INTERRUPTED
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
