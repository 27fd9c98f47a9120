"""Message Center and PA1 with clients like the originals: what has arrived, and starting again."""

from __future__ import annotations

import re

from tests.e2e.bystanders import until
from tests.e2e.dialback import MessageCenterClient, PA1Client
from tests.e2e.old_protocols import ACCOUNTS, OldProtocolsCase
from tests.e2e.original_client import OriginalClient

TEXTS = ("one", "two", "three")


class Arrival(OldProtocolsCase):
    options = ("--heartbeat-timeout", "0")

    def original(self, protocol: str, port: int = 0) -> OriginalClient:
        """Return a client of google in a process of its own, which has read that it is online."""
        client = OriginalClient(protocol, self.port(protocol), "google", ACCOUNTS["google"], port)
        self.addCleanup(client.kill)
        while "google" not in client.next_line():
            pass
        return client

    def say(self) -> None:
        """Let another user say something to google and to all, which is acknowledged."""
        web = self.web("ann")
        for text in TEXTS:
            reply = web.call("whisper", target_user="google", msg=f"whispered {text}")
            self.assertEqual((reply["status"], reply["delivered"]), ("ok", "now"))
            self.assertEqual(
                web.call("speak", room_name="lobby", msg=f"said {text}")["status"], "ok"
            )
        web.close()

    def online(self) -> list[str]:
        """Return the users who are online."""
        web = self.web("eve")
        users: list[str] = web.call("get_user_list")["users"]
        web.call("logout")
        web.close()
        return users

    def waiting(self, protocol: str) -> list[str]:
        """Log google in again; return the words of what waited, in order."""
        client: MessageCenterClient | PA1Client
        if protocol == "pa1":
            client = self.pa1()
            text = client.log_in("google", ACCOUNTS["google"]).decode()
            end = client.next_push()
        else:
            client = self.message_center()
            client.log_in(b"google", ACCOUNTS["google"].encode())
            text = end = client.next_push()
            if "While" in text:
                end = client.next_push()
        self.assertIn("google", end)
        if protocol == "pa1":
            client.request("google logout")
        elif isinstance(client, MessageCenterClient):
            client.request(b"OUT")
        return re.findall(r"(?:said|whispered) (\w+)$", text, re.MULTILINE)

    def test_a_client_that_is_stopped_and_killed_loses_nothing(self) -> None:  # F15
        for protocol in ("message_center", "pa1"):
            client = self.original(protocol)
            client.stop()
            self.say()
            client.kill()
            # What the killed client is called with next fails, which ends its session.
            until(lambda: "google" not in self.online(), "the session has not ended")
            waiting = self.waiting(protocol)
            self.assertEqual(sorted(waiting), sorted(TEXTS * 2), protocol)
            self.assertEqual(self.waiting(protocol), [], protocol)

    def test_a_client_that_is_stopped_for_a_while_gets_everything_once(self) -> None:  # F19
        for protocol in ("message_center", "pa1"):
            client = self.original(protocol)
            client.stop()
            self.say()
            client.resume()
            heard = [client.next_line() for _ in range(2 + 2 * len(TEXTS))]
            heard = [text for text in heard if "said" in text or "whispered" in text]
            self.assertEqual(len(heard), 2 * len(TEXTS), (protocol, heard))
            client.kill()
            self.assertEqual(self.waiting(protocol), [], protocol)

    def test_what_has_not_arrived_when_the_server_stops_is_kept(self) -> None:  # F20
        self.original("pa1").stop()
        self.say()
        self.assertEqual(self.server.stop(), 0)
        self.server.lines.clear()
        self.server.start()
        self.assertEqual(sorted(self.waiting("pa1")), sorted(TEXTS * 2))

    def test_a_client_is_started_again_at_its_port(self) -> None:  # F21
        port = 0
        for _ in range(3):
            client = self.original("message_center", port)
            port = client.port
            for _ in range(10):
                client.request("ONL")
                self.assertIn("google", client.next_line())
            client.request("OUT")
            client.kill()
