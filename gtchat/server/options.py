"""Options of the server, which follow from the table of settings.

`twistd gtchat` and `gtchat config` take them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from gtchat import __version__
from gtchat.server.config import load
from gtchat.server.process import EXIT_CONFIG
from gtchat.server.settings import FIELDS, Settings, SettingsError


def _keys(*kinds: str) -> list[str]:
    """Return the settings whose type is one of these."""
    return [k for k, (_, field) in FIELDS.items() if str(field.type).partition("[")[0] in kinds]


def _option(key: str) -> str:
    return key.replace("_", "-")


def _help(key: str) -> str:
    text: str = FIELDS[key][1].metadata["help"]
    return text


class Options(TwistedOptions):
    """Options of the server; every setting is one."""

    synopsis = "[options]"
    longdesc = (
        "Serves WebSocket clients on port 9000 and the web page on port 8080. Both accept "
        "connections from this machine only, unless --public is given. Settings may also be in a "
        "TOML file (--config; `gtchat settings` prints one with all defaults) or in the "
        "environment (GTCHAT_ and the name in capitals)."
    )
    optParameters = [
        ["config", "c", None, "TOML file with the tables [server], [site] and [limits]"],
        *([_option(key), None, None, _help(key)] for key in _keys("str", "int", "float")),
    ]
    optFlags = [
        ["public", None, "listen on all interfaces, on the usual ports"],
        ["log-json", None, "write the log as JSON, one object per line"],
        *([_option(key), None, _help(key)] for key in _keys("bool")),
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lists: dict[str, list[str]] = {}
        self._directory = os.getcwd()

    def reread(self) -> Settings:
        """Return the settings again, as the file has them now. Raises UsageError."""
        environment = dict(os.environ)
        config = self["config"] or environment.pop("GTCHAT_CONFIG", None)
        # twistd may have changed the directory since the file was named.
        return self._settings(environment, config and os.path.join(self._directory, config))

    def settings(self, environment: Mapping[str, str]) -> Settings:
        """Return the settings that result from these options and the environment.

        Args:
            environment: variables of the process.

        Raises:
            UsageError: a setting is invalid.
        """
        return self._settings(environment, self["config"])

    def _settings(self, environment: Mapping[str, str], config: str | None) -> Settings:
        """Return the settings.

        Args:
            environment: variables of the process.
            config: the settings file.

        Raises:
            UsageError: a setting is invalid.
        """
        given: dict[str, Any] = {key: ",".join(parts) for key, parts in self.lists.items()}
        given.update((key, "true") for key in _keys("bool") if self[_option(key)])
        for key in _keys("str", "int", "float"):
            if self[_option(key)] is not None:
                given[key] = self[_option(key)]
        try:
            return load(given, environment, config, bool(self["public"]))
        except SettingsError as error:
            raise UsageError(str(error)) from error

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse options; an error is one line, not preceded by the list of all options.

        Args:
            options: the arguments; by default those of the process.

        Raises:
            SystemExit: an option or a setting is invalid; the status is that of wrong settings.
        """
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except UsageError as error:
            sys.stderr.write(f"gtchat: {error} (--help lists the options)\n")
            raise SystemExit(EXIT_CONFIG) from None

    def opt_version(self) -> None:
        """Show the version of GTChat and exit."""
        sys.stdout.write(f"gtchat {__version__}\n")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Load the settings into `chosen`. Raises UsageError."""
        self.chosen = self.settings(os.environ)


def _list_option(key: str) -> Callable[[Options, str], None]:
    """Return a method that takes one value of a setting which may be given several times."""

    def take(self: Options, value: str) -> None:
        self.lists.setdefault(key, []).append(value)

    take.__doc__ = _help(key)
    return take


for _key in _keys("tuple"):
    setattr(Options, f"opt_{_key}", _list_option(_key))
