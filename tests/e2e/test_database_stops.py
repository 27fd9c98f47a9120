"""PostgreSQL ends under two servers, and comes back: what their users and their proxy see."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import postgres
from tests.e2e.server import Client, Server
from tests.stress import truth
from tests.stress.judge import find_contradictions

PASSWORD = "correct horse battery"


class DatabaseStops(SynchronousTestCase):
    skip = postgres.MISSING

    def setUp(self) -> None:
        self.postgres = postgres.PostgresServer()
        self.addCleanup(self.postgres.close)
        self.postgres.start()
        self.postgres.execute("CREATE DATABASE chat")
        self.url = self.postgres.url("chat")
        self.servers = [Server("--store", self.url) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.kill)
            server.start()

    def client(self, node: int) -> Client:
        client = Client(self.servers[node].ws_port)
        self.addCleanup(client.close)
        return client

    def health(self) -> list[int]:
        """Return what a proxy is told by each server."""
        return [server.health() for server in self.servers]

    def test_both_close_their_connections_and_serve_again_when_it_is_back(self) -> None:  # H22
        users = [self.client(node) for node in (0, 1)]
        logins: list[dict[str, Any]] = []
        for number, user in enumerate(users):
            name = f"user{number}"
            user.call("register", usr=name, pwd=PASSWORD)
            logins.append(user.call("login", type="reg", usr=name, pwd=PASSWORD))
        said = users[0].call("speak", room_name="lobby", msg="kept", txn="1")
        self.assertEqual(said["status"], "ok", said)
        self.assertEqual(self.health(), [200, 200])

        self.postgres.stop(signal.SIGQUIT)
        users[0].send("speak", room_name="lobby", msg="uncertain", txn="2")
        for user in users:
            self.assertEqual(user.wait_closed(), 1012)
        self.assertEqual(self.health(), [503, 503])
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{self.servers[0].web_port}/healthz")
        with refused.exception as answer:
            self.assertIn(b"not_stored", answer.read())

        self.postgres.start()
        for server in self.servers:
            server.wait_healthy()
        for number, login in enumerate(logins):
            back = self.client(1 - number)  # each at the other one
            where = {name: login[name] for name in ("session_id", "epoch")}
            resumed = back.call("resume", seen={"lobby": said["seq"]}, **where)
            self.assertEqual((resumed["status"], resumed["epoch"]), ("ok", login["epoch"]))
            again = back.call("speak", room_name="lobby", msg=f"by {number}", txn="3")
            self.assertEqual(again["status"], "ok", again)
            users[number] = back
        again = users[0].call("speak", room_name="lobby", msg="kept", txn="1")
        self.assertEqual((again["seq"], again["dup"]), (said["seq"], True))
        page = users[1].call("history", room_name="lobby", kinds=["c_speak"])["entries"]
        texts = [one["msg"] for one in page if one["msg"] != "uncertain"]
        self.assertEqual(texts, ["kept", "by 0", "by 1"])
        self.assertEqual(find_contradictions(truth.read(self.url)), [])
