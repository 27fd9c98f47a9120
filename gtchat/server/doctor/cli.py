"""The subcommand `gtchat doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from gtchat.server.command_line import CommandError, make_database_parser
from gtchat.server.doctor.finding import Finding, Level, error
from gtchat.server.doctor.http import Target
from gtchat.server.settings import SettingsError


def run(words: Sequence[str], help: str) -> int:
    """Run the subcommand: print each finding as it comes. help: see `Subcommand`.

    Returns:
        1 if there is an error among them, else 0.
    """
    parser = make_database_parser("doctor", help)
    parser.add_argument("url", nargs="?", metavar="URL", help="public address of the server")
    options = parser.parse_args(words)
    try:
        target = Target.parse(options.url) if options.url else None
    except ValueError as reason:
        raise CommandError(str(reason)) from reason
    given = {
        key: getattr(options, key) for key in ("data", "store") if getattr(options, key) is not None
    }
    worst = 0
    for finding in _findings(target, options.config, given):
        sys.stdout.write(f"{finding.line}\n")
        sys.stdout.flush()
        worst |= finding.level is Level.ERROR
    return int(worst)


def _findings(
    target: Target | None, config: str | None, given: dict[str, str]
) -> Iterator[Finding]:
    if config or given or target is None:
        from twisted.internet import reactor

        from gtchat.server.config import load
        from gtchat.server.doctor.local import check_server

        try:
            settings = load(given, os.environ, config)
        except SettingsError as reason:
            yield error("settings", str(reason), "change the setting")
        else:
            yield from check_server(settings, reactor)
    if target is not None:
        from gtchat.server.doctor.address import check_address

        yield from check_address(target)
