"""Short runs of crash.py and schema.py, and tests that they detect what is wrong."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import TOP, Client, Server
from tests.stress.crash import OPTIONS, Crash
from tests.stress.mutants import MutantServer


class Kills(SynchronousTestCase):
    def test_twenty_kills_lose_nothing_on_five_protocols(self) -> None:
        """H01: kill -9 at random moments. H02: and again during recovery. H16: acknowledged
        before it was delivered. H18: the reply is lost, the request is sent again with its txn."""
        crash = Crash(Server(*OPTIONS), seed=7, kill_after=(0.0, 0.6))
        result = asyncio.run(crash.run(20))
        self.assertEqual(result.violations, [])
        self.assertGreater(result.kills, 20)
        self.assertGreater(result.acknowledged, 100)
        self.assertGreater(result.whispers, 5)
        unnumbered = crash.oracle.unnumbered
        receivers = {user for (user, _), sessions in unnumbered.items() if any(sessions)}
        self.assertLessEqual({"pia", "seas"}, receivers)

    def assertDetected(self, mutant: str, words: str, cycles: int = 1, entries: int = 30) -> None:
        """A mutant violates what `words` matches, in one of twenty runs: the moments are random.

        Args:
            mutant: name of the mutant.
            words: a pattern.
            cycles: of each run.
            entries: see `Crash`.
        """
        found: list[str] = []
        for seed in range(7, 27):
            server = MutantServer(mutant, *OPTIONS)
            # What a mutant has lost is waited for in vain.
            crash = Crash(server, seed=seed, kill_after_entries=entries, patience=10)
            found += asyncio.run(crash.run(cycles)).violations
            if any(re.search(words, violation) for violation in found):
                return
        self.fail(f"{mutant}: {found}")

    def test_acknowledging_before_the_commit_is_detected(self) -> None:
        self.assertDetected("early-ack", "is lost|was acknowledged as|received")

    def test_delivering_before_the_commit_is_detected(self) -> None:  # H17
        self.assertDetected("early-delivery", "not stored|received")

    def test_storing_duplicates_is_detected(self) -> None:
        self.assertDetected("no-dedup", "more than once", 6, 10)

    def test_kills_while_a_database_is_created_or_migrated(self) -> None:  # H03
        done = subprocess.run(
            [sys.executable, "-m", "tests.stress", "schema", "--moments", "6"],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = re.search(r"^12 kills .*, (\d+) of them too late", done.stdout, re.MULTILINE)
        assert found is not None, done.stdout
        self.assertLess(int(found[1]), 10)


class RepeatedRequests(SynchronousTestCase):
    """A join and a create are sent, the server is killed, and they are sent again."""

    def test_a_join_and_a_create_are_done_once(self) -> None:
        server = Server("--commands-per-second", "0").start()
        self.addCleanup(server.kill)
        bob = Client(server.ws_port)
        for name in ("ann", "bob"):
            bob.call("register", usr=name, pwd="long enough")
        bob.call("login", type="reg", usr="bob", pwd="long enough")
        for number in range(3):
            bob.call("create_room", room_name=f"room {number}")
        bob.close()
        ann = Client(server.ws_port)
        login = ann.call("login", type="reg", usr="ann", pwd="long enough")
        session = {key: login[key] for key in ("session_id", "epoch")}
        for number in range(3):
            requests: list[tuple[str, dict[str, Any]]] = [
                ("join_room", {"room_name": f"room {number}", "txn": f"join {number}"}),
                ("create_room", {"room_name": f"new {number}", "txn": f"create {number}"}),
            ]
            trackers = [ann.send(cmd, **fields) for cmd, fields in requests]
            answered: dict[str, dict[str, Any]] = {}
            # Replies that are waited for: none, the first one, both.
            while len(answered) < number:
                message = ann.message()
                answered[message["tracker"]] = message
            server.kill()
            ann.close()
            server.start()
            ann = Client(server.ws_port)
            self.assertEqual(ann.call("resume", **session)["status"], "ok")
            for tracker, (cmd, fields) in zip(trackers, requests, strict=True):
                reply = ann.call(cmd, **fields)
                self.assertEqual(reply["status"], "ok", reply)
                if tracker in answered:
                    self.assertIs(reply["dup"], True)
                    self.assertEqual(reply["seq"], answered[tracker]["seq"])
                place = {"room_name": fields["room_name"]}
                entries = ann.call("history", **place)["entries"]
                own = [entry["seq"] for entry in entries if entry["usr"] == "ann"]
                self.assertEqual(own, [reply["seq"]], cmd)
        ann.close()


class SharedSessions(SynchronousTestCase):
    def test_user_with_two_sessions_is_offline_after_a_crash(self) -> None:  # H21
        server = Server("--sessions", "share").start()
        self.addCleanup(server.kill)
        connections = [Client(server.ws_port) for _ in range(2)]
        connections[0].call("register", usr="ann", pwd="long enough")
        logins = [
            client.call("login", type="reg", usr="ann", pwd="long enough") for client in connections
        ]
        server.kill()
        for client in connections:
            self.assertIsNone(client.wait_closed())
            client.close()
        server.start()
        bob = Client(server.ws_port)
        self.addCleanup(bob.close)
        self.assertEqual(bob.call("login", type="tmp", usr="bob")["users"], ["bob"])
        for login in logins:
            client = Client(server.ws_port)
            self.addCleanup(client.close)
            reply = client.call(
                "resume", session_id=login["session_id"], epoch=login["epoch"], seen={}
            )
            self.assertEqual((reply["status"], reply["users"]), ("ok", ["ann", "bob"]))
        bob.call("ping")
        logged_in = [one["usr"] for one in bob.taken if one.get("type") == "login"]
        self.assertEqual(logged_in, ["ann"])
