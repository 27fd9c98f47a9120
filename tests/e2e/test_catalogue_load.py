"""G of docs/robustness.md on the real server: many who come back at once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Client, Server

MANY = 200


class Herd(SynchronousTestCase):
    def test_all_come_back_at_once_and_miss_nothing(self) -> None:  # G07
        server = Server("--commands-per-second", "0").start()
        self.addCleanup(server.kill)
        sessions = []
        for number in range(MANY):
            client = Client(server.ws_port)
            sessions.append(client.say("login", type="tmp", usr=f"u{number}"))
            client.close()
        speaker = Client(server.ws_port)
        speaker.say("login", type="tmp", usr="speaker")
        for number in range(5):
            speaker.say("speak", room_name="lobby", msg=str(number))
        speaker.close()
        server.kill()
        server.start()
        back = [Client(server.ws_port) for _ in sessions]
        for client, login in zip(back, sessions, strict=True):
            client.send(
                "resume", session_id=login["session_id"], epoch=login["epoch"], seen={"lobby": 0}
            )
        for client in back:
            while (reply := client.message())["cmd"] != "c_response":
                pass
            [lobby] = reply["resumed"]
            self.assertEqual(lobby["state"], "resumed")
            self.assertEqual([entry["msg"] for entry in lobby["entries"]], list("01234"))
            client.close()
