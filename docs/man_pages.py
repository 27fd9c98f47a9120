"""Write the manual pages gtchat.1 and twistd-gtchat.1, from the tables of the code.

    PYTHONPATH=. python docs/man_pages.py

Subcommands, their options, administrative commands and settings are those of the parsers and
tables; a test compares the pages with what this writes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from gtchat import __version__
from gtchat.cli import SUBCOMMANDS, Subcommand
from gtchat.server.admin.commands import COMMANDS
from gtchat.server.options import Options
from gtchat.server.settings import FIELDS

FOLDER = Path(__file__).resolve().parent

_DESCRIPTION = (
    "GTChat is a chat server with a web page, clients for the terminal and a JSON API over"
    " WebSocket. The server is started by twistd(1), see twistd-gtchat(1). This command is for"
    " everything else."
)
_STATUS = (
    ("0", "The command was carried out."),
    ("1", "It was refused, was carried out in part, or found faults: the output says which."),
    ("2", "It cannot be carried out; the reason is one line on standard error."),
    ("78", "A setting is wrong, a server uses the database, or a newer version wrote the file."),
    ("130", "It was interrupted by Ctrl-C."),
    ("141", "Nothing reads the output any more."),
)
_FILES = (
    ("gtchat.sqlite", "The database, in the data directory."),
    ("gtchat.sqlite.revision-NNNN", "A copy from before a migration."),
    ("gtchat.sqlite.replaced-N", "A database that was there before a restore or an import."),
    ("console.sock", "The socket of the admin console."),
)
_SERVER = (
    "Serves WebSocket clients and the web page. Every setting is an option, a variable of the"
    " environment (GTCHAT_ and the name in capitals, lists separated by commas) and a line of the"
    " settings file, which `gtchat settings` prints with all defaults. Options override the"
    " environment, which overrides the file. Options of twistd itself come before the word gtchat:"
    " --nodaemon, --pidfile, --logfile and others, see twistd(1)."
)
_SIGNALS = (
    ("SIGTERM, SIGINT", "Commit everything that is queued, close the connections, stop."),
    ("SIGHUP", "Open the log file, read settings and certificates again."),
)


class _FoundParser(Exception):
    """A subcommand has made its parser, the argument."""


def pages() -> dict[str, str]:
    """Return the name of each page, and its text."""
    return {"gtchat.1": _gtchat(), "twistd-gtchat.1": _twistd_gtchat()}


def _gtchat() -> str:
    lines = [
        *_head("gtchat", "chat server: clients, administration, backups"),
        ".SH SYNOPSIS",
        *(
            f".B gtchat {_text(f'{name} {row.arguments}')}\n.br"
            for name, row in SUBCOMMANDS.items()
        ),
        *_section("DESCRIPTION", _DESCRIPTION),
        ".SH COMMANDS",
    ]
    for name, row in SUBCOMMANDS.items():
        lines += [f".SS gtchat {_text(f'{name} {row.arguments}')}", _text(_sentence(row.help))]
        parser = _parser_of(row)
        if parser is None:
            lines.append("It takes the options of the server, see twistd\\-gtchat(1).")
            continue
        for action in parser._actions[1:]:  # the first one is --help
            lines += _item(_invocation(action), action.help or "")
    lines.append(".SH ADMINISTRATIVE COMMANDS")
    lines.append(_text("What `gtchat admin` runs."))
    for command in COMMANDS.values():
        lines += _item(command.usage, _sentence(command.described))
    lines += _list("EXIT STATUS", _STATUS)
    lines += _section("ENVIRONMENT", "GTCHAT_CONFIG and the other settings, see twistd-gtchat(1).")
    lines += _list("FILES", _FILES)
    lines += _section("SEE ALSO", "twistd-gtchat(1), twistd(1)")
    return _joined(lines)


def _twistd_gtchat() -> str:
    lines = [
        *_head("twistd-gtchat", "run the chat server GTChat"),
        ".SH SYNOPSIS",
        ".B twistd \\-\\-nodaemon gtchat [options]",
        *_section("DESCRIPTION", _SERVER),
        ".SH OPTIONS",
    ]
    for name, short, _, text in Options.optParameters[:1]:
        lines += _item(f"-{short}, --{name} FILE", text)
    settings = {key.replace("_", "-") for key in FIELDS}
    for name, _, text in Options.optFlags:
        if name not in settings:
            lines += _item(f"--{name}", text)
    for key, (_, field) in FIELDS.items():
        default = field.metadata.get("documented", field.default)
        is_flag = str(field.type) == "bool"
        option = f"--{key.replace('_', '-')}" + ("" if is_flag else " VALUE")
        shown = json.dumps(default, ensure_ascii=False)
        lines += _item(option, f"{field.metadata['help']}. Default: {shown}")
    lines += _list("SIGNALS", _SIGNALS)
    status = (
        ("1", "A port, the directory, or PostgreSQL is not available: a later start may succeed."),
        ("78", "A setting is wrong, or the database cannot be used."),
    )
    lines += _list("EXIT STATUS", status)
    lines += _section("SEE ALSO", "gtchat(1), twistd(1)")
    return _joined(lines)


def _parser_of(row: Subcommand) -> argparse.ArgumentParser | None:
    """Return the parser that a subcommand makes; None for one that takes the server's options."""

    def found(parser: argparse.ArgumentParser, *args: object) -> None:
        raise _FoundParser(parser)

    def options(*args: object) -> None:
        raise _FoundParser(None)

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", found),
        mock.patch.object(Options, "parseOptions", options),
    ):
        try:
            row.run([])
        except _FoundParser as caught:
            parser: argparse.ArgumentParser | None = caught.args[0]
            return parser
    raise AssertionError(f"{row} parses nothing")


def _invocation(action: argparse.Action) -> str:
    """Return an option or an argument as it is written."""
    value = str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return value
    suffix = "" if action.nargs == 0 else f" {value}"
    return ", ".join(action.option_strings) + suffix


def _head(name: str, text: str) -> list[str]:
    title = f'.TH "{name.upper()}" 1 "" "GTChat {__version__}" "User Commands"'
    return [
        '.\\" Written by docs/man_pages.py: do not edit.',
        title.replace("-", "\\-"),
        ".SH NAME",
        f"{_text(name)} \\- {_text(text)}",
    ]


def _section(title: str, text: str) -> list[str]:
    return [f".SH {title}", _text(text)]


def _list(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in rows:
        yield from _item(name, text)


def _item(name: str, text: str) -> list[str]:
    return [".TP", f".B {_text(name)}", _text(text)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def _text(text: Any) -> str:
    """Return a text in one line of roff, which none of its characters means anything to."""
    line = " ".join(str(text).replace("%(default)s", "the default").replace("%%", "%").split())
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line.startswith((".", "'")) else line


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file, page in pages().items():
        (FOLDER / file).write_text(page, encoding="utf-8")
