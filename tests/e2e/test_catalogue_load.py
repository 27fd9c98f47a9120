"""G of docs/robustness.md on the real server: many clients that resume at once, and floods."""

from __future__ import annotations

import contextlib
import json

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.bystanders import Bystanders
from tests.e2e.server import Client, Server, masked

MANY = 200


class ThunderingHerd(SynchronousTestCase):
    def test_all_clients_resume_at_once_and_miss_nothing(self) -> None:  # G07
        server = Server("--commands-per-second", "0").start()
        self.addCleanup(server.kill)
        sessions = []
        for number in range(MANY):
            client = Client(server.ws_port)
            sessions.append(client.call("login", type="tmp", usr=f"u{number}"))
            client.close()
        sender = Client(server.ws_port)
        sender.call("login", type="tmp", usr="sender")
        for number in range(5):
            sender.call("speak", room_name="lobby", msg=str(number))
        sender.close()
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


class Floods(SynchronousTestCase):
    """One user who does as much as possible, with two bystanders."""

    def setUp(self) -> None:
        self.server = Server("--store", "memory").start()
        self.addCleanup(self.server.kill)

    def guest(self, name: str, receive_bytes: int | None = None) -> Client:
        client = Client(self.server.ws_port, receive_bytes=receive_bytes)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def test_flooding_client_is_disconnected(self) -> None:  # G04
        with Bystanders(self.server):
            for number, cmd in enumerate(("ping", "speak", "get_room_list", "whisper")):
                client = self.guest(f"flood{number}")
                request = {"cmd": cmd, "room_name": "lobby", "msg": "x" * 1_000}
                frame = masked(json.dumps({**request, "target_user": "unknown"}).encode())
                with contextlib.suppress(OSError):
                    for _ in range(50):
                        client.socket.sendall(frame * 20)
                self.assertIn(client.wait_closed(), (4009, None))
                client.close()

    def test_client_that_never_reads_affects_no_other(self) -> None:  # G01
        with Bystanders(self.server):
            deaf = [self.guest(f"deaf{number}", receive_bytes=2_048) for number in range(3)]
            for number in range(10):
                loud = self.guest(f"loud{number}")
                for _ in range(10):
                    loud.call("speak", room_name="lobby", msg="\u2603" * 4_000)
                loud.call("logout")
                loud.close()
            for client in deaf:
                client.close()

    def test_many_rooms_affect_no_other(self) -> None:  # G05
        with Bystanders(self.server):
            for number in range(6):
                client = self.guest(f"maker{number}")
                for room in range(18):
                    client.call("create_room", room_name=f"{number} {room}")
                self.assertLessEqual(len(client.call("get_room_list")["rooms"]), 200)
                client.call("logout")
                client.close()
