"""Clients of RandomChat without sockets."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.limits import Limits
from gtchat.protocols.randomchat import RandomChatAPI, RandomChatState
from tests.fakes import FailingStore, RecordingBatcher, RecordingOutbox, TestServer


class RandomTransport:
    """A WebSocket connection without a socket."""

    def __init__(self, test: RandomTestCase, address: str) -> None:
        self.test = test
        self.address = address
        self.outbox: Any = RecordingOutbox()
        self.closed: tuple[int, str] | None = None
        self.paused = False
        self.api: Any = None

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.test.server.clock.callLater(0, self.api.connection_lost, False)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class RandomClient:
    """A client of RandomChat."""

    def __init__(self, test: RandomTestCase, address: str = "192.0.2.1") -> None:
        self.server = test.server
        self.transport = RandomTransport(test, address)
        self.api = self.transport.api = RandomChatAPI(test.state, self.transport)

    def write(self, kind: str, **fields: object) -> None:
        """Send a request without waiting."""
        self.api.message(json.dumps({"type": kind, **fields}).encode())

    def request(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        """Send a request; return all objects that have come."""
        self.write(kind, **fields)
        self.server.run_pending()
        return self.received()

    def raw(self, payload: bytes) -> list[dict[str, Any]]:
        """Send a message as it is; return all objects that have come."""
        self.api.message(payload)
        self.server.run_pending()
        return self.received()

    def received(self) -> list[dict[str, Any]]:
        lines, self.transport.outbox.lines = self.transport.outbox.lines, []
        return [json.loads(line) for line in lines]

    def register(self, name: str, phone: str) -> list[dict[str, Any]]:
        """Register; return the chats of the state."""
        [state] = self.request("register", user={"name": name, "phone": phone})
        assert state["type"] == "state", state
        return list(state["chats"])

    def error(self, kind: str, **fields: object) -> tuple[str, str]:
        """Send a request that is refused; return the code and the text."""
        [error] = self.request(kind, **fields)
        assert error["type"] == "error", error
        assert set(error) == {"type", "detail", "code"}
        return error["code"], error["detail"]

    def drop(self) -> None:
        self.api.connection_lost(clean=False)
        self.server.run_pending()


class RandomTestCase(SynchronousTestCase):
    limits = Limits(commands_per_second=0, ping_interval=0, registrations_per_minute=0)

    def setUp(self) -> None:
        self.server = TestServer(self.limits, store=FailingStore)
        self.chat = self.server.chat
        batcher: Any = RecordingBatcher()
        self.state = RandomChatState(self.chat, batcher, lambda payload: payload + b"\n")

    def client(self, name: str = "", phone: str = "") -> RandomClient:
        """Connect, and register if there is a name."""
        client = RandomClient(self)
        if name:
            client.register(name, phone)
        return client

    def room(self, owner: RandomClient, name: str, *members: tuple[RandomClient, str]) -> None:
        """Create a chat with members; what they are told is taken."""
        owner.request("create_chat", name=name)
        for member, phone in members:
            owner.request("add_member", chat=name, phone=phone)
            member.received()

    def online(self) -> list[str]:
        return list(self.chat.users.online.page(None, 99))
