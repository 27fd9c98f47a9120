"""The short runs of crash.py and schema.py, and that they find what is wrong."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import TOP, Client, Server
from tests.stress.crash import OPTIONS, Crash
from tests.stress.mutants import BrokenServer
from tests.stress.oracle import Oracle, Stored, judge


class Killed(SynchronousTestCase):
    def test_twenty_kills_while_five_protocols_talk(self) -> None:
        """H01: kill -9 at random moments. H02: and again within the recovery. H16: acknowledged
        before the others were told. H18: the acknowledgement lost, said again with its txn."""
        crash = Crash(Server(*OPTIONS), seed=7, moment=(0.0, 0.6))
        result = asyncio.run(crash.run(20))
        self.assertEqual(result.faults, [])
        self.assertGreater(result.kills, 20)
        self.assertGreater(result.promised, 100)
        self.assertGreater(result.whispers, 5)
        heard = {who for (who, _), sessions in crash.book.shown.items() if any(sessions)}
        self.assertLessEqual({"pia", "seas"}, heard)

    def assertCaught(self, fault: str, words: str, runs: int = 1) -> None:
        """A build that is wrong is found out, sooner or later: chance chooses the moments."""
        found: list[str] = []
        for seed in range(7, 17):
            crash = Crash(BrokenServer(fault, *OPTIONS), seed=seed, told=30)
            found += asyncio.run(crash.run(runs)).faults
            if any(re.search(words, one) for one in found):
                return
        self.fail(f"{fault}: {found}")

    def test_a_build_that_acknowledges_before_the_commit_is_caught(self) -> None:
        self.assertCaught("promises", "is lost|was acknowledged as|was told")

    def test_a_build_that_tells_before_the_commit_is_caught(self) -> None:  # H17
        self.assertCaught("tells", "not stored|was told")

    def test_a_build_that_takes_doubles_is_caught(self) -> None:
        self.assertCaught("forgets", "more than once", 3)

    def test_kills_while_a_database_is_made_or_migrated(self) -> None:  # H03
        done = subprocess.run(
            [sys.executable, "-m", "tests.stress", "schema", "--moments", "15"],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = re.search(r"^30 kills .*, (\d+) of them too late", done.stdout, re.MULTILINE)
        assert found is not None, done.stdout
        self.assertLess(int(found[1]), 25)


class Ghosts(SynchronousTestCase):
    def test_somebody_in_two_places_is_in_neither_after_a_crash(self) -> None:  # H21
        server = Server("--sessions", "share").start()
        self.addCleanup(server.kill)
        places = [Client(server.ws_port) for _ in range(2)]
        places[0].say("register", usr="ann", pwd="long enough")
        logins = [place.say("login", type="reg", usr="ann", pwd="long enough") for place in places]
        server.kill()
        for place in places:
            self.assertIsNone(place.wait_closed())
            place.close()
        server.start()
        bob = Client(server.ws_port)
        self.addCleanup(bob.close)
        self.assertEqual(bob.say("login", type="tmp", usr="bob")["users"], ["bob"])
        for login in logins:
            place = Client(server.ws_port)
            self.addCleanup(place.close)
            back = place.say(
                "resume", session_id=login["session_id"], epoch=login["epoch"], seen={}
            )
            self.assertEqual((back["status"], back["users"]), ("ok", ["ann", "bob"]))
        bob.say("ping")
        told = [message["usr"] for message in bob.taken if message.get("type") == "login"]
        self.assertEqual(told, ["ann"])


class Judged(SynchronousTestCase):
    """The judge sees each thing that can be wrong."""

    def setUp(self) -> None:
        self.book = Oracle()
        self.log = [Stored(1, "ann", "a"), Stored(2, "ben", "b"), Stored(3, "ann", "c")]
        for one in self.log:
            self.book.say(one.usr, "nest", one.text)
        self.book.promise("a", 1)
        self.book.number("rob", "nest", 1, "a")
        self.book.number("rob", "nest", 2, "b")
        self.book.number("rob", "nest", 3, "c")
        self.book.sit_down("pia", "nest")
        for text in "ab":
            self.book.show("pia", "nest", text)

    def judged(self, *log: Stored) -> str:
        return "; ".join(judge(self.book, {"nest": log or self.log}))

    def test_nothing_is_wrong(self) -> None:
        self.assertEqual(self.judged(), "")

    def test_lost(self) -> None:
        self.assertIn("'a' was acknowledged and is lost", self.judged(*self.log[1:]))

    def test_renumbered(self) -> None:
        moved = [Stored(one.seq + 1, one.usr, one.text) for one in self.log]
        self.assertIn("'a' was acknowledged as 1 and is 2", self.judged(*moved))

    def test_twice(self) -> None:
        self.assertIn("more than once", self.judged(*self.log, Stored(4, "ann", "c")))

    def test_out_of_order(self) -> None:
        swapped = [Stored(1, "ann", "c"), self.log[1], Stored(3, "ann", "a")]
        self.assertIn("behind what ann said later", self.judged(*swapped))

    def test_said_by_nobody(self) -> None:
        self.assertIn("never said 'z'", self.judged(*self.log, Stored(4, "ann", "z")))

    def test_a_gap_in_numbers(self) -> None:
        self.book.number("rob", "nest", 5, "e")
        self.assertIn("rob was told 5 of nest after 3", self.judged())

    def test_told_what_is_not_stored(self) -> None:
        self.assertIn("rob was told 'c' as 3", self.judged(*self.log[:2]))
        self.book.show("pia", "nest", "z")
        self.assertIn("pia was shown 'z', which is not stored", self.judged())

    def test_not_told_all(self) -> None:
        self.book.show("pia", "nest", "c")
        self.book.sit_down("pia", "nest")
        self.book.show("pia", "nest", "a")
        self.book.show("pia", "nest", "c")
        self.assertIn("pia was shown 'c' after 'a'", self.judged())
        self.book.complete.add(("pia", "nest"))
        self.book.shown["pia", "nest"] = [["b"], ["c"]]
        self.assertIn("pia was never shown 'a'", self.judged())

    def test_whispers(self) -> None:
        self.book.whispered.update({"w1": "rob", "w2": "rob"})
        self.book.heard["rob"] = ["w2", "w2"]
        self.assertIn("1 whispers to rob are lost", self.judged())
        self.book.heard["rob"] += ["w1"]
        self.assertIn("another order", self.judged())
        self.book.heard["rob"] = ["w1", "w1", "w2", "w1"]
        self.assertEqual(self.judged(), "")
