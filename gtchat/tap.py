"""`twistd gtchat`: its options, made from the table of settings, and its service."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from gtchat.server.config import FIELDS, Settings, SettingsError, load


class Options(TwistedOptions):
    """Options of the server; every setting is one."""

    synopsis = "[options]"
    longdesc = (
        "Serves the chat: WebSocket on port 9000, the page on port 8080, for this machine only "
        "unless --public is given. Settings may also stand in a file (--config) or in the "
        "environment (GTCHAT_ and the name in capitals)."
    )
    optParameters = [
        ["config", "c", None, "TOML file with [server] and [limits]"],
        *(
            [key.replace("_", "-"), None, None, field.metadata["help"]]
            for key, (_, field) in FIELDS.items()
            if str(field.type) != "bool" and not str(field.type).startswith("tuple")
        ),
    ]
    optFlags = [
        ["public", None, "listen for the whole network on the usual ports"],
        ["log-json", None, "write the log as JSON, an event a line"],
        *(
            [key.replace("_", "-"), None, field.metadata["help"]]
            for key, (_, field) in FIELDS.items()
            if str(field.type) == "bool"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[str, list[str]] = {}

    def settings(self) -> Settings:
        """The settings that these options and the environment make.

        Raises:
            UsageError: something is wrong.
        """
        given: dict[str, Any] = {key: ",".join(parts) for key, parts in self.lists.items()}
        for key, (_, field) in FIELDS.items():
            value = self.get(key.replace("_", "-"))
            if str(field.type) == "bool":
                if value:
                    given[key] = "true"
            elif value is not None:
                given[key] = value
        try:
            return load(given, os.environ, self["config"], bool(self["public"]))
        except SettingsError as error:
            raise UsageError(str(error)) from error

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; what is wrong is said in one line, not with all that might be right.

        Raises:
            SystemExit: something is wrong.
        """
        try:
            super().parseOptions(options)
        except UsageError as error:
            raise SystemExit(f"gtchat: {error} (--help lists the options)") from None

    def postOptions(self) -> None:
        """See that the settings can be."""
        self.chosen = self.settings()


def _list_option(key: str, help_text: str) -> Callable[[Options, str], None]:
    """A method that takes one value of a setting which may be given several times."""

    def take(self: Options, value: str) -> None:
        self.lists.setdefault(key, []).append(value)

    take.__doc__ = help_text
    return take


for _key, (_table, _field) in FIELDS.items():
    if str(_field.type).startswith("tuple"):
        setattr(Options, f"opt_{_key}", _list_option(_key, _field.metadata["help"]))


def makeService(options: Options) -> Any:
    """The service that twistd runs."""
    from twisted.internet import reactor

    from gtchat.server.logs import LogTarget
    from gtchat.server.service import ChatService

    try:
        log = LogTarget.chosen(options.parent or {}, bool(options["log-json"]))
    except OSError as error:
        raise SystemExit(f"gtchat: the log can't be written: {error}") from None
    return ChatService(options.chosen, reactor, log)
