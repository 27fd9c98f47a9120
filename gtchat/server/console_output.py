"""What an admin console shows: plain lines, or on a terminal the screen of the original.

The screen has a banner, a prompt with the time, and the list of users after each login and logout.
Source: seed 004.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from gtchat.chat.users import UserRegistry
from gtchat.protocols.base.text import format_clock

#: Names in a list of users on a screen.
LIST_LIMIT = 100
#: Width of the banner in characters.
_BANNER_WIDTH = 66


@implementer(IPushProducer)
class ConsoleOutput:
    """The output of one console.

    Events are left out while the console does not read; answers are not.

    Args:
        transport: the connection.
        users: who is online, and the time of day.

    Attributes:
        screen: whether the console is on a terminal.
    """

    def __init__(self, transport: Any, users: UserRegistry) -> None:
        self._transport = transport
        self._users = users
        self.screen = False
        self._answering = False
        self._full = False
        self._left_out = 0
        transport.registerProducer(self, True)

    def begin_screen(self, where: str) -> None:
        """Write the banner, and go on as a screen.

        Args:
            where: says where clients find the server.
        """
        self.screen = True
        bar = "#" * _BANNER_WIDTH
        self._write(f"{bar}\nChat running {where}\n{bar}\n\n{self._prompt()}")

    def show(self, line: str) -> None:
        """Write a line of an answer."""
        self._write(line + "\n")

    def begin_answer(self) -> None:
        """Write no prompt until the answer ends."""
        self._answering = True

    def end_answer(self) -> None:
        """Write the prompt of a screen."""
        self._answering = False
        if self.screen:
            self._write(self._prompt())

    def show_users(self) -> None:
        """Write who is online."""
        online = self._users.online
        names = " ".join(online.page(None, len(online)))
        self.show(self._user_list() if self.screen else names)

    def show_event(self, text: str) -> None:
        """Write what another user said."""
        self._write_event(f"\n{text}\n{self._prompt()}" if self.screen else text + "\n")

    def show_presence(self, at: int, changes: Sequence[tuple[str, bool]], kicked: set[str]) -> None:
        """Write who logged in and out.

        Args:
            at: milliseconds since 1970, UTC.
            changes: names, each with whether the user logged in.
            kicked: which of them were kicked.
        """
        if not self.screen:
            for name, online in changes:
                verb = "entered" if online else "exited"
                self._write_event(f"{format_clock(at)} [*] {name} {verb}.\n")
            return
        lines = []
        for name, online in changes:
            left = "has been kicked out" if name in kicked else "exited"
            lines.append(f"[*] {name} {'entered' if online else left}.\n")
        self._write_event(f"\n\n{''.join(lines)}\n{self._user_list()}\n{self._prompt()}")

    def close(self) -> None:
        """Close the connection when everything is written."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def _write(self, text: str) -> None:
        self._transport.write(text.encode())

    def _write_event(self, text: str) -> None:
        if self._full:
            self._left_out += 1
        else:
            self._write(text)

    def _prompt(self) -> str:
        return "" if self._answering else f"{format_clock(self._users.now())} Host > "

    def _user_list(self) -> str:
        """Return who is online as the original writes it, at most `LIST_LIMIT` names."""
        online = self._users.online
        names = list(online.page(None, LIST_LIMIT))
        if len(online) > len(names):
            names.append(f"{len(online) - len(names)} more")
        return f"USERS: [{','.join(names)}]"

    # IPushProducer.

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport is empty."""
        self._full = False
        if self._left_out:
            self._write(f"{self._left_out} events were not shown\n")
            self._left_out = 0

    def stopProducing(self) -> None:
        """The connection is going."""
