"""Users of Message Center and PA1 who log in and out again, at any node; see `nodes_old`."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import struct
from collections.abc import Iterable, Sequence

import attrs

from tests.stress.clients import LOBBY, PASSWORD, REPLY_SECONDS
from tests.stress.judge import Stored
from tests.stress.legacy_clients import framed
from tests.stress.oracle import Oracle
from tests.stress.websocket import DISCONNECTED

#: Where these users are called. The servers are at 127.0.0.1: a port there could be the one that a
#: server had which was killed, and users of the server would wait for its answer.
ADDRESS = "127.0.0.2"
#: Seconds between two messages.
PACE = 0.1
#: Seconds to wait for what the server pushes: longer than a node is stopped.
PUSH_SECONDS = 8
#: Messages of a session before its user logs out, and the seconds away: minimum and maximum.
STAY, AWAY = (1, 6), (0.0, 0.5)


@attrs.define
class Session:
    """One login of a user of Message Center or PA1.

    Attributes:
        owed: direct messages that were stored before it and had not come.
        live: what was said in the lobby meanwhile.
        told: direct messages, and what was said in the lobby and had not arrived then.
        calm: see the module.
    """

    owed: list[str]
    live: list[str]
    told: list[str] = attrs.field(factory=list)
    calm: bool = False


def check_sessions(
    user: str, sessions: Sequence[Session], whispers: Iterable[str], log: Sequence[Stored]
) -> Iterable[str]:
    """Yield what is wrong with the sessions of a user.

    Args:
        user: the user.
        sessions: in order.
        whispers: direct messages to the user, in the order in which they were stored.
        log: of the lobby.
    """
    order = {text: place for place, text in enumerate(whispers)}
    said = {one.text for one in log}
    seen: set[str] = set()
    came: set[str] = set()
    for session in sessions:
        told = session.told
        came.update(told)
        for text in told:
            if text in seen or told.count(text) > 1:
                yield f"{user} was told {text!r} again"
            if " whispers " not in text and text not in said:
                yield f"{user} was told {text!r}, which is not stored"
        places = [order[text] for text in told if text in order]
        if places != sorted(places):
            yield f"{user} was told in another order: {told}"
        if session.calm:
            lost = [text for text in session.owed if text not in came]
            if lost:
                yield f"{user} was not told {lost[:3]} at the login after it"
            seen.update(told, session.live)


class RoamingDialback:
    """A user of Message Center or PA1, who logs in and out again and again.

    Args:
        name: the user name.
        oracle: the record of the run.
        seed: of the choices.

    Attributes:
        sessions: all, in order.
    """

    #: What a push has of the lobby, of direct messages, and of what was kept.
    _live: re.Pattern[str]
    _told: re.Pattern[str]

    def __init__(self, name: str, oracle: Oracle, seed: int) -> None:
        self.name = name
        self.oracle = oracle
        self.sessions: list[Session] = []
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._listener: asyncio.Server | None = None
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._port = 0

    async def run(self, ports: dict[str, int]) -> None:
        """Log in, talk in the lobby, log out; or find that the session is lost."""
        try:
            await self.visit(ports, self._random.randint(*STAY))
            await asyncio.sleep(self._random.uniform(*AWAY))
        except (*DISCONNECTED, asyncio.TimeoutError):
            pass

    async def visit(self, ports: dict[str, int], messages: int, calm: bool = False) -> None:
        """Be logged in for so many messages. calm: whether no fault is about.

        Raises:
            asyncio.TimeoutError: the session is lost, or was not begun.
            OSError, asyncio.IncompleteReadError: as well.
        """
        session = await self._listen()
        await self._log_in(ports)
        for _ in range(messages):
            text = f"{self.name} says {next(self._numbers)}"
            self.oracle.record_send(self.name, LOBBY, text)
            self.oracle.record_limbo(text)
            await self._say(text)
            await asyncio.sleep(PACE)
        await self._until_told()
        await self._log_out()
        session.calm = calm

    async def vanish(self, ports: dict[str, int]) -> None:
        """Log in, and be gone without a log-out."""
        await self._listen()
        await self._log_in(ports)
        self.close()

    async def _listen(self) -> Session:
        """Begin a session, whose calls come to a port of its own."""
        self.close()
        self._answers = answers = asyncio.Queue()
        self.oracle.start_session(self.name, LOBBY)
        known = {text for session in self.sessions for text in session.told}
        mine = [text for text, usr in self.oracle.whispers.items() if usr == self.name]
        live = self.oracle.unnumbered[self.name, LOBBY][-1]
        session = Session([text for text in mine if text not in known], live)
        self.sessions.append(session)

        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                data = await reader.read()
                self._take(session, self._decode(data), answers)
                writer.close()
            except OSError:
                writer.transport.abort()

        self._listener = await asyncio.start_server(called, ADDRESS, 0)
        return session

    def _take(self, session: Session, text: str, answers: asyncio.Queue[str]) -> None:
        told = self._told.findall(text)
        session.told += told
        whispers = [one for one in told if " whispers " in one]
        self.oracle.received_whispers.setdefault(self.name, []).extend(whispers)
        self._hear(session, self._live.findall(text))
        if not told:
            answers.put_nowait(text)

    def _hear(self, session: Session, texts: list[str]) -> None:
        """Take what was said; the user hears what they said in a session before, stored late."""
        session.live += [one for one in texts if not one.startswith(f"{self.name} says ")]

    async def _wait_for(self, part: str) -> None:
        """Wait for a push with this part."""
        while part not in await asyncio.wait_for(self._answers.get(), PUSH_SECONDS):
            pass

    async def _request(self, data: bytes) -> bytes:
        """Send a request, and return the answer of its connection."""
        reader, writer = await self._connect()
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), REPLY_SECONDS)
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, local_addr=(ADDRESS, 0))

    @property
    def _own_port(self) -> int:
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Listen no more: without a log-out, the server learns of it at the next push."""
        if self._listener is not None:
            self._listener.close()

    # The protocol.

    async def _log_in(self, ports: dict[str, int]) -> None:
        raise NotImplementedError

    async def _say(self, text: str) -> None:
        raise NotImplementedError

    async def _until_told(self) -> None:
        """Wait for the list of users, which comes behind all that waits."""
        raise NotImplementedError

    async def _log_out(self) -> None:
        raise NotImplementedError

    def _decode(self, data: bytes) -> str:
        raise NotImplementedError


class RoamingMessageCenter(RoamingDialback):
    """A user of Message Center."""

    _live = re.compile(r"\A\[\w+\]: (\w+ says \d+)\Z")
    _told = re.compile(r"^\[\w+\]: (\w+ (?:says|whispers) \d+)$", re.MULTILINE)

    def _take(self, session: Session, text: str, answers: asyncio.Queue[str]) -> None:
        if live := self._live.match(text):
            self._hear(session, [live[1]])
        else:
            super()._take(session, text, answers)

    async def _log_in(self, ports: dict[str, int]) -> None:
        self._port = ports["message_center"]
        reader, writer = await self._connect()
        try:
            writer.write(framed("LIN") + framed(self.name) + framed(PASSWORD))
            answers = []
            for _ in range(2):
                size = await asyncio.wait_for(reader.readexactly(4), REPLY_SECONDS)
                answers.append(await reader.readexactly(struct.unpack("!I", size)[0]))
                if answers[0] != b"LOGIN_OKAY":
                    raise ConnectionResetError  # it can't be checked now
            self._token = answers[1].decode()
            writer.write(framed("localhost") + framed(str(self._own_port)))
            await asyncio.wait_for(reader.read(), REPLY_SECONDS)
        finally:
            writer.transport.abort()
        await self._wait_for(f"{self.name} has logged on.")

    async def _send(self, kind: str, rest: str = "") -> bytes:
        return await self._request(framed(f"{kind}|{self.name}|{self._token}|{rest}"))

    async def _say(self, text: str) -> None:
        await self._send("BRD", text)

    async def _until_told(self) -> None:
        await self._send("ONL")
        await self._wait_for("[CURRENTLY ONLINE]")

    async def _log_out(self) -> None:
        await self._send("OUT")

    def _decode(self, data: bytes) -> str:
        return data[4:].decode()


class RoamingPA1(RoamingDialback):
    """A user of PA1."""

    _live = re.compile(r"^\w+ said: (\w+ says \d+)$", re.MULTILINE)
    _told = re.compile(r"^\w+(?: said)?:(\w+ (?:says|whispers) \d+)$", re.MULTILINE)

    async def _log_in(self, ports: dict[str, int]) -> None:
        self._port = ports["pa1"]
        await self._request(f"logIn {self.name} {PASSWORD} {self._own_port}".encode())
        await self._wait_for(f">>>{self.name}<<<logs in")

    async def _say(self, text: str) -> None:
        await self._request(f"{self.name} broadcast {text}".encode())

    async def _until_told(self) -> None:
        await self._request(f"{self.name} online".encode())
        await self._wait_for(f"\n{self.name}\n")

    async def _log_out(self) -> None:
        await self._request(f"{self.name} logout".encode())

    def _decode(self, data: bytes) -> str:
        return data.decode()
