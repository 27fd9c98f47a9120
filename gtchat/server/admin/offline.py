"""Administrative commands on the database of a stopped server.

The command runs in a chat as that of a server, with the same rules, which listens nowhere. The lock
of the data directory keeps servers out meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gtchat.chat.audit import OFFLINE
from gtchat.chat.background import Progress, no_progress
from gtchat.server.admin.command import Channel
from gtchat.server.admin.commands import AdminCommands
from gtchat.server.admin.output import Output
from gtchat.server.build_chat import build_chat
from gtchat.server.passwords import Passwords
from gtchat.server.settings import Settings
from gtchat.server.storage import open_storage


async def run_once(
    reactor: Any,
    settings: Settings,
    name: str,
    arguments: dict[str, object],
    progress: Progress = no_progress,
) -> Output:
    """Run a command on the store of a stopped server.

    Args:
        reactor: runs the chat.
        settings: those of the server.
        name: the command.
        arguments: its arguments by name.
        progress: shows how far it is.

    Raises:
        StartError: a server uses the data directory, or the store cannot be used.
        ChatError: the command has failed.
    """
    storage = open_storage(settings.server, reactor)
    try:
        passwords = Passwords(reactor, 1)
        chat = build_chat(settings, storage, reactor, passwords)
        passwords.start()
        try:
            commands = AdminCommands(chat)
            return await commands.call(OFFLINE, Channel.OFFLINE, name, arguments, progress)
        finally:
            await chat.stop()
            passwords.stop()
    finally:
        await storage.close()


def run_offline(
    settings: Settings, name: str, arguments: dict[str, object], progress: Progress = no_progress
) -> Output:
    """Run a command as `run_once` does, and run the reactor meanwhile. Once in a process."""
    from twisted.internet import reactor

    results: list[Any] = []

    def run(reactor: Any) -> Deferred[Any]:
        coroutine = run_once(reactor, settings, name, arguments, progress)
        return Deferred.fromCoroutine(coroutine).addBoth(results.append)

    with suppress(SystemExit):
        task.react(run, _reactor=reactor)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    assert isinstance(result, Output)
    return result
