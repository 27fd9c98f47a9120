"""The first start: who has the terminal of the server gets the link of the first operator.

The link is a secret: it is written to the terminal only, past the log, which others may read. Where
there is no terminal, the log says how to get one.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gtchat.chat.audit import Actor
from gtchat.chat.background import run_in_background
from gtchat.chat.chat import Chat
from gtchat.chat.errors import ChatError
from gtchat.server.admin.accounts import first_address

#: Where the link is written: twistd has the log take what is written to `sys.stdout`.
STDOUT = 1
#: Stands in the audit log for the server.
SERVER = Actor("(start)")

_log = Logger()


def open_terminal() -> Callable[[str], object] | None:
    """Return what writes a text to the terminal of the process, None if there is none."""
    return (lambda text: os.write(STDOUT, text.encode())) if os.isatty(STDOUT) else None


def greet_first_operator(
    chat: Chat, page: str, terminal: Callable[[str], object] | None, folder: Path | None
) -> None:
    """Do what `greet` does in the background."""
    greeting = Deferred.fromCoroutine(greet(chat, page, terminal, folder))
    run_in_background(greeting, "greeting the first operator")


async def greet(
    chat: Chat, page: str, terminal: Callable[[str], object] | None, folder: Path | None
) -> None:
    """Say how the first operator comes in, if there are no accounts yet.

    Args:
        chat: a chat that has started.
        page: address of its page, "" if that is not known.
        terminal: writes a text to the terminal, None if there is none.
        folder: the data directory, None for a store in memory.
    """
    accounts = chat.admin.accounts
    try:
        if await accounts.are_there():
            return
        if terminal is None:
            if folder is None:
                return
            words = f"gtchat admin --data {shlex.quote(str(folder.absolute()))} operator-link"
            _log.info("there are no accounts: {words} sets up the chat", words=words)
            return
        address = first_address(page, await accounts.operator_link(SERVER))
        terminal(
            f"\nOpen this link to set up the chat; it is good once, for a day:\n\n  {address}\n\n"
        )
    except ChatError as error:
        _log.warn("no link for the first operator: {error}", error=error.text)
