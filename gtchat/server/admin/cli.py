"""`gtchat admin`: reads the words of a command, runs it, prints what it returns."""

from __future__ import annotations

import getpass
import json
import shutil
import sys
from collections.abc import Sequence
from math import inf

from gtchat.chat.background import Progress, no_progress
from gtchat.chat.errors import BadRequest, ChatError
from gtchat.server.admin.arguments import check_arguments, read_words
from gtchat.server.admin.command import YES, AdminCommand, Channel
from gtchat.server.admin.commands import find_command, help_output, require_found
from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.output import Output
from gtchat.server.admin.socket import ServerTooOld, request
from gtchat.server.command_line import terminal_steps
from gtchat.server.settings import Settings
from gtchat.server.storage import data_directory

#: Exit status of a command that was refused.
EXIT_REFUSED = 1


class CannotRun(Exception):
    """The command was not run; the text is one line for the operator."""


def run(settings: Settings, words: Sequence[str], offline: bool, as_json: bool) -> int:
    """Run a command. Return the exit status: 0, or 1 if it was refused.

    Args:
        settings: those of the server.
        words: the command with its arguments.
        offline: whether the server is stopped, and its database is used.
        as_json: whether the result is printed as JSON.

    Raises:
        CannotRun: there is no such command, or no server.
        StartError: with `offline`: the store cannot be used.
    """
    words = list(words)
    if "--json" in words:
        words.remove("--json")
        as_json = True
    try:
        named = _find_help(words)
        if named is not None:
            channel = Channel.OFFLINE if offline else Channel.CONSOLE
            _show(help_output(channel, named), as_json)
            return 0
        command, arguments = _read(words)
    except BadRequest as error:
        raise CannotRun(f"{error.text} (gtchat admin help lists the commands)") from None
    asks = _is_terminal() and not as_json
    question = command.find_question(arguments)
    if asks and question and not _confirm(question):
        sys.stderr.write("gtchat: nothing was done\n")
        return EXIT_REFUSED
    try:
        output = _run(settings, command, arguments, offline, as_json)
        if output.question and asks and not offline and _confirm(output.question):
            output = _run(settings, command, {**arguments, YES.name: True}, offline, as_json)
    except ChatError as error:
        if as_json:
            sys.stdout.write(json.dumps({"code": error.code, "text": error.text}) + "\n")
        else:
            sys.stderr.write(f"gtchat: {error.text}\n")
        return EXIT_REFUSED
    _show(output, as_json)
    return 0


def _find_help(words: Sequence[str]) -> Sequence[str] | None:
    """Return the words of the commands of which help is wanted, None if none is."""
    if words[:1] == ["help"]:
        return [word for word in words[1:] if word != "--help"]
    found = find_command(words)
    name = words[:1] if found is None else found[0].name.split()
    return name if words[len(name) :] == ["--help"] else None


def _read(words: Sequence[str]) -> tuple[AdminCommand, dict[str, object]]:
    """Return the command in words and its arguments; a secret is asked for. Raises BadRequest."""
    command, rest = require_found(words)
    arguments = read_words(command.arguments, rest)
    secret = command.secret
    if secret is None:
        check_arguments(command.arguments, arguments, 0)
    else:
        check_arguments(command.arguments, {**arguments, secret.name: "*"}, 0)
        arguments[secret.name] = secret.check(_read_secret(), 0)
    return command, arguments


def _read_secret() -> str:
    """Return a password from standard input, without echo and twice on a terminal."""
    if not sys.stdin.isatty():
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise CannotRun("the password must be UTF-8") from None
    try:
        secret = getpass.getpass("New password: ")
        if getpass.getpass("Again: ") != secret:
            raise CannotRun("the two passwords differ")
    except EOFError:  # Ctrl-D
        raise CannotRun("no password was given") from None
    return secret


def _is_terminal() -> bool:
    """Return whether a question can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _confirm(question: str) -> bool:
    """Ask whether something is to be done."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        sys.stdout.write("\n")
        return False


def _run(
    settings: Settings,
    command: AdminCommand,
    arguments: dict[str, object],
    offline: bool,
    as_json: bool,
) -> Output:
    steps, is_shown = no_progress if as_json else terminal_steps(""), False

    def progress(done: int, total: int) -> None:
        nonlocal is_shown
        is_shown = True
        steps(done, total)

    try:
        if offline:
            from gtchat.server.admin.offline import run_offline

            return run_offline(settings, command.name, arguments, progress)
        return _request(settings, command, arguments, progress)
    finally:
        if is_shown:
            steps(1, 1)


def _request(
    settings: Settings, command: AdminCommand, arguments: dict[str, object], progress: Progress
) -> Output:
    path = data_directory(settings.server) / SOCKET
    try:
        return request(path, command.name, arguments, progress)
    except ServerTooOld:
        raise CannotRun("the server that runs is older: start it again first") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotRun(
            f"no server answers at {path}: {reason}; --data names another directory,"
            " --offline is for a stopped server"
        ) from error


def _show(output: Output, as_json: bool) -> None:
    """Print an output."""
    text = json.dumps(output.data, ensure_ascii=False) if as_json else output.fitted(_columns())
    sys.stdout.write(text + "\n")


def _columns() -> float:
    """Return how many columns there are: other programs get each item of a list in one line."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else inf
