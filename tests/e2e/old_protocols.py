"""Users of the old protocols at two servers of one chat: what each of them sees of the other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.dialback import MessageCenterClient, PA1Client
from tests.e2e.server import SECONDS, Client, Server
from tests.e2e.test_livechat import LiveChatClient
from tests.e2e.test_randomchat import RandomChatClient

#: Without spaces: PA1 ends a password there.
PASSWORD = "correct-horse-battery"


def port_of(server: Server, protocol: str) -> int:
    """Return the port of an old protocol."""
    return int(re.findall(rf"{protocol}: tcp://[^:]+:(\d+)", "".join(server.lines))[-1])


def until(read: Callable[[], Any], wanted: Any) -> None:
    """Read what a client is sent until something wanted comes."""
    began = time.monotonic()
    while (found := read()) != wanted:
        assert time.monotonic() < began + SECONDS, (found, wanted)


@attrs.frozen
class OldProtocols:
    """Transcripts of the four old protocols, each with a user at each of two servers.

    Attributes:
        test: checks them.
        places: protocol -> (port, IP address of the client) of the user at each server; of
            "websocket" for RandomChat.
    """

    test: SynchronousTestCase
    places: Mapping[str, Sequence[tuple[int, str]]]

    def check(self) -> None:
        """Run all transcripts."""
        web = Client(self.places["websocket"][0][0])
        self.test.addCleanup(web.close)
        for name in ("seas", "google", "columbia", "facebook"):
            web.call("register", usr=name, pwd=PASSWORD)
        self.check_message_center()
        self.check_pa1()
        self.check_live_chat()
        self.check_randomchat()

    def check_message_center(self) -> None:
        """Direct messages, broadcasts and consent to an address; calls come from both servers."""
        seas, google = (MessageCenterClient(*place) for place in self.places["message_center"])
        for client, name in ((seas, b"seas"), (google, b"google")):
            self.test.addCleanup(client.listening.close)
            answers = client.log_in(name, PASSWORD.encode())
            self.test.assertEqual(answers, [b"LOGIN_OKAY"])
        until(seas.next_push, "google has logged on.")
        seas.request(b"MSG", b"google|hello")
        until(google.next_push, "[seas]: hello")
        google.request(b"BRD", b"to all")
        until(seas.next_push, "[google]: to all")
        self.test.assertEqual(seas.request(b"GET", b"google"), b"OKAY")
        until(google.next_push, "Request: seas wants your address. [allow seas] to accept.")
        google.request(b"ALL", b"seas")
        until(seas.next_push, f"ADR|google|{google.address}|{google.port}")

    def check_pa1(self) -> None:
        columbia, facebook = (PA1Client(*place) for place in self.places["pa1"])
        for client, name in ((columbia, "columbia"), (facebook, "facebook")):
            self.test.addCleanup(client.listening.close)
            self.test.assertEqual(client.log_in(name, PASSWORD)[0], b"Ok")
        until(columbia.next_push, ">>>facebook<<<logs in\n")
        columbia.request("columbia message facebook hello")
        until(facebook.next_push, "\ncolumbia:hello\n")
        facebook.request("facebook broadcast to all")
        until(columbia.next_push, "facebook said: to all\n")

    def check_live_chat(self) -> None:
        alice, bert = (
            LiveChatClient(port, name, address)
            for (port, address), name in zip(
                self.places["livechat"], (b"alice", b"bert"), strict=True
            )
        )
        for client in (alice, bert):
            self.test.addCleanup(client.socket.close)
            client.log_in()
        for sender, reader, name in ((alice, bert, b"alice"), (bert, alice, b"bert")):
            sender.send(b"hello\n")
            until(lambda reader=reader: reader.read()[11:], name + b" > hello")

    def check_randomchat(self) -> None:
        cleo, dora = (RandomChatClient(*place) for place in self.places["websocket"])
        for client, name, number in ((cleo, "Cleo", "111"), (dora, "Dora", "222")):
            self.test.addCleanup(client.ws.close)
            client.register(name, number)
        cleo.call("create_chat", name="den")
        until(lambda: cleo.call("add_member", chat="den", phone="222")["type"], "new_member")
        until(lambda: dora.read()["type"], "new_member")
        dora.send("send_message", chat="den", message="hello")
        until(lambda: cleo.read().get("message"), "hello")
