"""The command line options of the terminal client, and their help."""

from __future__ import annotations

import argparse

from gtchat.ui.parsing import help_lines

DEFAULT_URL = "ws://127.0.0.1:9000/"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(
        prog="gtchat client",
        description="Chat on a GTChat server, in a terminal or in a pipe.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_epilog(),
    )
    options.add_argument(
        "url", nargs="?", default=DEFAULT_URL, help=f"ws://… or wss://… (default: {DEFAULT_URL})"
    )
    login = options.add_mutually_exclusive_group()
    login.add_argument("--user", metavar="NAME", help="log in; the password is asked for")
    login.add_argument("--guest", metavar="NAME", help="log in as a temporary user")
    options.add_argument(
        "--stay", action="store_true", help="with --user: stay logged in when the client ends"
    )
    options.add_argument("--room", metavar="NAME", help="join this room and switch to it")
    options.add_argument(
        "--peer-port",
        type=int,
        metavar="PORT",
        help="accept peer messages on this port from users you /allow (0: any free port)",
    )
    options.add_argument(
        "--ca", metavar="FILE", help="trust these certificate authorities (PEM) for wss://"
    )
    options.add_argument("--plain", action="store_true", help="line mode, also in a terminal")
    options.add_argument("--no-color", action="store_true", help="no colors (also: NO_COLOR=1)")
    return options


def _epilog() -> str:
    """Return what follows the options in the help: commands, modes, exit status, examples."""
    return "\n".join(
        [
            "commands:",
            *help_lines(),
            "",
            "In a terminal the client uses the full screen; /help shows its keys too. With",
            "--plain it works line by line, as it does in a pipe.",
            "",
            "In a pipe each line is executed after the reply to the line before. A password",
            "that is not on its command's line is read from the next line. After a lost",
            "connection the client reconnects and resumes its session.",
            "",
            "After --stay or /stay a start in a terminal without --user and --guest logs in again,",
            "and --user needs no password there. /logout ends that.",
            "",
            "exit status: 0 success; 1 a command failed (line mode); 2 wrong options, or no",
            "connection; 130 interrupted by Ctrl-C before anything was sent.",
            "",
            "examples:",
            "  gtchat client --guest ann",
            "  gtchat client wss://chat.example.org/ws --user ann --room garden",
            "  echo 'the build is done' | gtchat client --guest builder --room team",
        ]
    )


def startup_lines(options: argparse.Namespace, stored_user: str = "") -> list[str]:
    """Return the commands that the options stand for, as typed lines.

    Args:
        options: as parsed.
        stored_user: the user who logs in when the options name none, "" for none.
    """
    lines = []
    user = options.user or ("" if options.guest else stored_user)
    if user:
        lines.append(f'/{"stay" if options.stay else "login"} "{user}"')
    if options.guest:
        lines.append(f'/guest "{options.guest}"')
    if options.room:
        lines.append(f'/join "{options.room}"')
    return lines
