"""The options of the console client, and a help worth reading."""

from __future__ import annotations

import argparse

from gtchat.ui import commands

URL = "ws://127.0.0.1:9000/"


def parser() -> argparse.ArgumentParser:
    """What words are taken."""
    words = argparse.ArgumentParser(
        prog="gtchat client",
        description="Talk on a GTChat server, from a terminal or through a pipe.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            [
                "commands:",
                *commands.help_lines(),
                "",
                "On a terminal it takes the whole screen, where /help shows the keys too; with",
                "--plain it goes line by line, as in a pipe.",
                "",
                "In a pipe each line is done when the one before is answered; a password that is",
                "not on its line is the next line. A lost connection is taken up again.",
                "",
                "exit status: 0 all went well; 1 a command failed, line by line; 2 wrong options,",
                "or no connection; 130 left by Ctrl-C before anything was sent.",
                "",
                "examples:",
                "  gtchat client --guest ann",
                "  gtchat client wss://chat.example.org/ws --user ann --room garden",
                "  echo 'the build is done' | gtchat client --guest builder --room team",
            ]
        ),
    )
    words.add_argument("url", nargs="?", default=URL, help=f"ws://… or wss://… (default: {URL})")
    who = words.add_mutually_exclusive_group()
    who.add_argument("--user", metavar="NAME", help="log in; the password is asked for")
    who.add_argument("--guest", metavar="NAME", help="come in as a temporary user")
    words.add_argument("--room", metavar="NAME", help="join this room, and speak there")
    words.add_argument(
        "--peer-port",
        type=int,
        metavar="PORT",
        help="let others talk to you directly at this port, if you /allow them (0: any port)",
    )
    words.add_argument("--ca", metavar="FILE", help="trust these authorities (PEM) for wss://")
    words.add_argument("--plain", action="store_true", help="line by line, also on a terminal")
    words.add_argument("--no-color", action="store_true", help="no colours (also: NO_COLOR=1)")
    return words


def first_lines(options: argparse.Namespace) -> list[str]:
    """What the options say to do first, as lines."""
    lines = []
    if options.user:
        lines.append(f'/login "{options.user}"')
    if options.guest:
        lines.append(f'/guest "{options.guest}"')
    if options.room:
        lines.append(f'/join "{options.room}"')
    return lines
