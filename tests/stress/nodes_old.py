"""Users of the four old protocols who move between nodes while faults occur; see `nodes`.

    RandomChat      its own message comes back when it is stored; what was missed comes at each
                    login, without gaps
    Live chat       guests: each session receives a part of the lobby, without gaps
    Message Center  log in, talk in the lobby, log out, at any node; direct messages that a user of
    and PA1         the JSON API was told are stored come once, in order, at the next login

These two do not learn that a session has ended elsewhere: they ask for the list of users, which is
pushed behind all that waits, and log in again where it does not come. A session is calm if it
ends with a log-out when all faults are over: what came in it must not come again, and what was
stored before it must have come by its end. `judge` compares all else with the logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import attrs

from tests.stress.clients import (
    LOBBY,
    PASSWORD,
    REPLY_SECONDS,
    ROOM,
    JSONClient,
    RandomChatClient,
    conversation,
)
from tests.stress.judge import Stored
from tests.stress.legacy_clients import LiveChatClient
from tests.stress.oracle import Oracle
from tests.stress.roaming import RoamingClient
from tests.stress.roaming_dialback import (
    PACE,
    RoamingDialback,
    RoamingMessageCenter,
    RoamingPA1,
    check_sessions,
)
from tests.stress.websocket import DISCONNECTED, Object

ENDPOINT = "tcp:0:interface=127.0.0.1"
#: Options of nodes that speak the old protocols.
OPTIONS = (
    "--randomchat",
    *("--message-center", ENDPOINT),
    *("--pa1", ENDPOINT),
    *("--livechat", ENDPOINT),
)
#: Seconds between two direct messages.
WHISPER_PACE = 0.05
#: Direct messages that wait while all is calm, at the end of a run.
LAST = 5


class Whisperer(RoamingClient):
    """A user of the JSON API who sends direct messages, one after the other.

    Args:
        name: the user name.
        oracle: the record of the run.
        targets: who gets them in turn.
    """

    def __init__(self, name: str, oracle: Oracle, targets: Sequence[str]) -> None:
        super().__init__(name, oracle, seed=0, halls=[])
        self._targets = itertools.cycle(targets)

    async def send(self) -> None:
        while self.sends:
            await asyncio.sleep(WHISPER_PACE)
            await self.whisper()

    async def whisper(self) -> None:
        """Send one when the one before it is answered."""
        assert self.ws is not None
        await self.answered()
        target = next(self._targets)
        text = self.new_text(conversation(self.name, target), "whispers")
        named = {"tracker": text, "txn": text, "msg": text}
        self.pending[text] = {"cmd": "whisper", "target_user": target, **named}
        self.ws.send(self.pending[text])

    async def answered(self) -> None:
        """Wait until the last one is answered, while the client receives."""
        while self.pending:
            self._acknowledged.clear()
            await self._acknowledged.wait()

    def _pending_change(self) -> str | None:
        return None

    def _handle_reply(self, reply: Object) -> None:
        if reply["status"] == "ok" and reply["last_cmd"] == "whisper":
            self._note_answer()
            JSONClient._handle_reply(self, reply)
        else:
            super()._handle_reply(reply)

    def _handle_refusal(self, txn: str, request: Object, reply: Object) -> None:
        if reply["code"] == "not_allowed":  # too many wait
            self._note_answer()
            self._done(txn)
        else:
            super()._handle_refusal(txn, request, reply)


class RoamingRandomChat(RandomChatClient):
    """A user of RandomChat, in the lobby and in one room."""

    async def send(self) -> None:
        assert self.ws is not None
        for number in itertools.count():
            self._acknowledged.clear()
            room = ROOM if number % 4 else LOBBY
            text = self.new_text(room)
            self.oracle.record_limbo(text)
            with contextlib.suppress(ConnectionResetError):  # `receive` takes what has come
                self.ws.send({"type": "send_message", "chat": room, "message": text})
            await self._acknowledged.wait()
            await asyncio.sleep(PACE)

    def leave(self) -> None:
        """Close in order: the server takes what it has sent for read, if it was or not."""
        if self.ws is not None:
            with contextlib.suppress(ConnectionResetError):
                self.ws.send_close()

    def _refused(self, answer: Object) -> None:
        if answer["code"] == "not_stored":
            raise ConnectionResetError
        super()._refused(answer)

    def _handle(self, message: Object) -> None:
        super()._handle(message)
        if message["type"] == "error":  # it is not stored
            self._acknowledged.set()


class RoamingLiveChat(LiveChatClient):
    """A guest of Live chat, with a new name at each login."""

    async def send(self) -> None:
        try:
            await asyncio.wait_for(super().send(), REPLY_SECONDS)
        except asyncio.TimeoutError:
            raise ConnectionResetError from None


async def until_done(visit: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Do something at a node that may be about to come back, again until it is done."""
    while not await _is_done(visit(*args)):
        await asyncio.sleep(PACE)


async def _is_done(visit: Awaitable[None]) -> bool:
    try:
        await visit
    except (*DISCONNECTED, asyncio.TimeoutError):
        return False
    return True


@attrs.define(eq=False)
class OldUsers:
    """All of them.

    Args:
        oracle: the record of the run.
        seed: of the choices.

    Attributes:
        whisperer: sends direct messages to those who are called back.
        dialback: the users who are called back.
        random_chat: the user of RandomChat.
    """

    _oracle: Oracle
    _seed: int
    whisperer: Whisperer = attrs.field(init=False)
    dialback: list[RoamingDialback] = attrs.field(init=False)
    random_chat: RoamingRandomChat = attrs.field(init=False)
    _guest: RoamingLiveChat = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.dialback = [
            RoamingMessageCenter("seas", self._oracle, self._seed),
            RoamingPA1("google", self._oracle, self._seed + 1),
        ]
        self.whisperer = Whisperer("ann", self._oracle, [one.name for one in self.dialback])
        self.random_chat = RoamingRandomChat("pia", "111", self._oracle)
        self._guest = RoamingLiveChat("lea", self._oracle)

    @property
    def all(self) -> list[RoamingDialback | RoamingRandomChat | RoamingLiveChat]:
        """All but the whisperer."""
        return [*self.dialback, self.random_chat, self._guest]

    async def register(self, ports: dict[str, int], owner: RoamingClient) -> None:
        """Create the accounts, and the room of RandomChat. owner: creates it, and is connected."""
        for one in self.dialback:
            await owner.call("register", usr=one.name, pwd=PASSWORD)
        await self.random_chat.connect(ports)
        reply = await owner.call("create_room", room_name=ROOM)
        self._oracle.record_entry(owner.name, ROOM, reply["seq"], None)
        owner.rooms = (*owner.rooms, ROOM)
        owner.created += 1
        await owner.call("add_member", room_name=ROOM, user=self.random_chat.name)
        self.random_chat.disconnect()

    async def visit_calmly(self, places: Sequence[dict[str, int]]) -> None:
        """Let users learn what waits, at one node after the other, while nothing happens.

        Args:
            places: the ports of the nodes.
        """
        for ports in [*places, places[0]]:
            for one in self.dialback:
                await until_done(one.visit, ports, 0, True)
            if ports is places[0]:
                for _ in range(LAST * len(self.dialback)):
                    await self._whisper()
        for one in self.dialback:
            await until_done(one.vanish, places[-1])
            await self._whisper()

    async def visit_last(self, ports: dict[str, int]) -> None:
        """Let users learn what waits since they vanished, and the user of RandomChat the rest."""
        for one in self.dialback:
            await until_done(one.visit, ports, 0, True)
        await until_done(self.random_chat.connect, ports)
        await self.random_chat.finish()
        self.random_chat.disconnect()

    async def _whisper(self) -> None:
        await self.whisperer.whisper()
        await self.whisperer.answered()

    def find_violations(self, log: Sequence[Stored]) -> Iterable[str]:
        """Yield what is wrong with the sessions of all users. log: of the lobby."""
        for one in self.dialback:
            mine = [text for text, usr in self._oracle.whispers.items() if usr == one.name]
            yield from check_sessions(one.name, one.sessions, mine, log)

    def is_offline(self, users: Iterable[str]) -> bool:
        """Return whether none of them is in a list of users."""
        names = {one.name for one in self.all}
        return not names.intersection(users)

    def leave(self) -> None:
        """End the connections of those who are not called back."""
        self.random_chat.leave()
        self._guest.disconnect()

    def close(self) -> None:
        """End all connections."""
        self.random_chat.disconnect()
        self._guest.disconnect()
        for one in self.dialback:
            one.close()
