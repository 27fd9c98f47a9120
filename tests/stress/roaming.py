"""A user of the JSON API who speaks, joins, leaves and creates rooms, on any node."""

from __future__ import annotations

import asyncio
import random
import time

from tests.stress.clients import LOBBY, WINDOW, JSONClient
from tests.stress.oracle import Oracle
from tests.stress.websocket import DISCONNECTED, Object

#: Percentages of the requests that are a join or leave, if nothing else is said, and a new room.
MOVE_PERCENT, CREATE_PERCENT = 6, 1
#: Seconds between two requests of a client.
PAUSE = 0.02
#: Seconds until a request is sent again of which it is not known whether it was done.
AGAIN = 0.2
#: Most rooms that a user creates, and the member limits of rooms.
ROOMS_PER_USER, SIZES = 5, (0, 2, 4)


class RoamingClient(JSONClient):
    """One user.

    Args:
        name: the user name.
        oracle: the record of the run.
        seed: of the choices.
        halls: the rooms of all users; those that are created are added.
        move_percent: percentage of the requests that are a join or leave.

    Attributes:
        created: rooms that the user tried to create.
        port: of the node that the user has connected to last.
        refused: replies that say that nothing was stored.
        last_reply: when the last request was acknowledged.
        silence: the longest time in seconds between two acknowledgements since it was set to 0.
    """

    def __init__(
        self,
        name: str,
        oracle: Oracle,
        seed: int,
        halls: list[str],
        move_percent: int = MOVE_PERCENT,
    ) -> None:
        super().__init__(name, oracle, rooms=(LOBBY,))
        self.halls = halls
        self._move_percent = move_percent
        self.refused = 0
        self.last_reply = time.monotonic()
        self.silence = 0.0
        self._random = random.Random(seed)
        self.created = 0
        self.port = 0
        self._sent_at: dict[str, int] = {}
        #: What was sent over more than one connection.
        self._repeated: set[str] = set()

    async def call(self, cmd: str, **fields: object) -> Object:
        """Send a request and return its reply.

        Raises:
            ConnectionResetError: the store does not answer now: come back later.
        """
        assert self.ws is not None
        reply = await self.ws.call(cmd=cmd, **fields)
        if reply.get("code") == "not_stored":
            raise ConnectionResetError
        assert reply["status"] == "ok", f"{self.name}: {cmd}: {reply}"
        return reply

    async def connect(self, ports: dict[str, int]) -> None:
        self._repeated.update(self.pending)
        for txn, request in self.pending.items():
            if request["cmd"] == "speak":
                # The store may have failed between this one and the next, and the reply be lost.
                self.oracle.record_repetition(txn)
        self.port = ports["ws"]
        await super().connect(ports)

    async def _catch_up(self, room: Object) -> None:
        name = room["room_name"]
        if room.get("reason") == "left" and self._pending_change() == name:
            self._leave(name)  # that was done, and the reply was lost
        elif room["state"] != "reset" or name in self.rooms:
            await super()._catch_up(room)

    # Requests.

    async def send(self) -> None:
        assert self.ws is not None
        while self.sends:
            await asyncio.sleep(PAUSE)
            while len(self.pending) >= WINDOW:
                self._acknowledged.clear()
                await self._acknowledged.wait()
            request = self._next()
            self.pending[str(request["txn"])] = request
            self.ws.send(request)
            await self.ws.drain()

    def _pending_change(self) -> str | None:
        """Return the room of the join, leave or creation that is under way."""
        rooms = (one["room_name"] for one in self.pending.values() if one["cmd"] != "speak")
        return next(rooms, None)

    def _next(self) -> Object:
        """Return a random request; at most one change is under way."""
        leaving = self._pending_change()
        chance = self._random.randrange(100)
        if leaving is None and chance < CREATE_PERCENT:
            self.created += 1
            room = f"{self.name} {self.created}"
            return self._change("create_room", room, max=self._random.choice(SIZES))
        if leaving is None and chance < CREATE_PERCENT + self._move_percent:
            room = self._random.choice(self.halls)
            return self._change("leave_room" if room in self.rooms else "join_room", room)
        room = self._random.choice([one for one in self.rooms if one != leaving])
        text = self.new_text(room)
        return {"cmd": "speak", "room_name": room, "tracker": text, "txn": text, "msg": text}

    def _change(self, cmd: str, room: str, **fields: object) -> Object:
        txn = f"{self.name} {cmd} {next(self._numbers)}"
        self._sent_at[txn] = self.oracle.moment()
        return {"cmd": cmd, "room_name": room, "tracker": txn, "txn": txn, **fields}

    # Replies.

    def _handle_reply(self, reply: Object) -> None:
        txn = reply["tracker"]
        request = self.pending.get(txn)
        if request is not None and reply["status"] != "ok":
            self._handle_refusal(txn, request, reply)
            return
        self._note_answer()
        if request is None or request["cmd"] == "speak":
            super()._handle_reply(reply)
            return
        self._done(txn)
        self._handle_change(txn, request, reply)

    def _note_answer(self) -> None:
        now = time.monotonic()
        self.silence = max(self.silence, now - self.last_reply)
        self.last_reply = now

    def _done(self, txn: str) -> None:
        self.pending.pop(txn)
        self._acknowledged.set()

    def _handle_refusal(self, txn: str, request: Object, reply: Object) -> None:
        """Take note of what an error means for the request."""
        cmd, code, repeated = request["cmd"], reply["code"], txn in self._repeated
        if code == "not_stored":
            self.refused += 1
            if cmd == "speak" and not repeated:
                self.oracle.record_refusal(txn)
            elif cmd != "speak" and repeated:
                # It may have been done when it was sent first.
                asyncio.get_running_loop().call_later(AGAIN, self._send_again, txn)
                return
        elif not (
            (cmd == "join_room" and code == "room_full")
            or (cmd == "create_room" and code == "not_allowed" and self.created > ROOMS_PER_USER)
            or (cmd == "speak" and code == "not_in_room" and repeated)
        ):
            self.oracle.violations.append(f"{self.name}: {request}: {reply}")
        self._done(txn)

    def _send_again(self, txn: str) -> None:
        if txn in self.pending and self.ws is not None and self.is_online:
            self.ws.send(self.pending[txn])

    def _handle_change(self, txn: str, request: Object, reply: Object) -> None:
        cmd, room, seq = request["cmd"], request["room_name"], reply["seq"]
        kind = "room_created" if cmd == "create_room" else cmd
        content = f"{kind} {self.name}"
        self.oracle.record_change(room, seq, content, self._sent_at.pop(txn))
        if cmd == "leave_room":
            if self.oracle.membership(self.name, room) is not None:
                self.oracle.record_entry(self.name, room, seq, content)
                self._leave(room)
            return
        # A repetition tells the state of the room as it is now.
        last = reply["room"]["last_seq"]
        self.oracle.record_entry(self.name, room, last, content if last == seq else None)
        self.rooms = (*self.rooms, room)
        if cmd == "create_room":
            self.halls.append(room)

    def _handle_entry(self, entry: Object) -> None:
        super()._handle_entry(entry)
        if entry.get("type") == "leave_room" and entry["usr"] == self.name:
            self._leave(entry["room_name"])

    def _leave(self, room: str) -> None:
        self.oracle.end_membership(self.name, room)
        self.rooms = tuple(one for one in self.rooms if one != room)

    # The end of a run.

    async def is_connected(self) -> bool:
        """Return whether the node has the connection, and is one that the others know."""
        try:
            # Something that is stored: a node that was given up does not answer it.
            await self.call("set_notify", room_name=LOBBY, level="all")
        except DISCONNECTED:
            return False
        return True

    async def settle(self) -> None:
        """Receive until all requests are answered; the client is connected."""
        self.is_online = True
        while self.pending:
            await self._receive_once()

    async def receive_until(self, heads: dict[str, int]) -> None:
        """Receive until all entries have come. heads: room -> the last seq of its log."""
        for room in self.rooms:
            while (self.oracle.last_seq(self.name, room) or 0) < heads.get(room, 0):
                await self._receive_once()
