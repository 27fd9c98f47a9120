"""A full disk under the real server: nothing is acknowledged, and the server recovers."""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Client, Server


class FullDisk(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)

    def limit_files(self, size: int) -> None:
        """Limit the size of the files that the server writes, in bytes."""
        assert self.server.process is not None
        limits = (size, resource.RLIM_INFINITY)
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, limits)

    def client(self, name: str) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def test_full_disk_rejects_requests_until_there_is_space(self) -> None:  # H08
        ann, bob = self.client("ann"), self.client("bob")
        self.assertEqual(ann.call("speak", room_name="lobby", msg="1")["status"], "ok")
        self.assertEqual(self.server.health(), 200)
        self.limit_files(4096)
        for cmd, fields in (
            ("speak", {"room_name": "lobby", "msg": "lost", "txn": "t"}),
            ("whisper", {"target_user": "bob", "msg": "lost"}),
            ("create_room", {"room_name": "lost"}),
            ("register", {"usr": "lost", "pwd": "long enough"}),
        ):
            self.assertEqual(ann.call(cmd, **fields)["code"], "not_stored", cmd)
        self.assertEqual(self.server.health(), 503)
        self.assertEqual(bob.call("ping")["status"], "ok")
        history = bob.call("history", room_name="lobby", kinds=["c_speak"])["entries"]
        self.assertEqual([entry["msg"] for entry in history], ["1"])
        self.limit_files(resource.RLIM_INFINITY)
        self.server.wait_healthy()  # no user writes: a proxy sends none
        again = ann.call("speak", room_name="lobby", msg="lost", txn="t")
        self.assertEqual((again["status"], "dup" in again), ("ok", False))
        self.assertEqual(bob.call("ping")["status"], "ok")
        received = [message["msg"] for message in bob.taken if message["cmd"] == "c_speak"]
        self.assertEqual(received, ["1", "lost"])
        self.assertEqual(self.server.health(), 200)
        self.server.kill()
        self.server.start()
        carol = self.client("carol")
        history = carol.call("history", room_name="lobby", kinds=["c_speak"])["entries"]
        self.assertEqual([entry["msg"] for entry in history], ["1", "lost"])
        self.assertNotIn("Traceback", "".join(self.server.lines))
