"""SIGKILL under load: nothing acknowledged is lost, repeated or out of order."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Client, Closed, Server

KILLS = 20
FREE = ("--commands-per-second", "0", "--commands-burst", "0")


class Kill(SynchronousTestCase):
    def test_twenty_kills_under_load(self) -> None:
        seeded = random.Random(7)
        server = Server(*FREE).start()
        self.addCleanup(server.kill)
        client = Client(server.ws_port)
        client.say("register", usr="ann", pwd="password")
        login = client.say("login", type="reg", usr="ann", pwd="password")
        client.say("create_room", room_name="r")
        acknowledged: dict[str, int] = {}
        unsure: list[str] = []
        number = 0
        for _ in range(KILLS):
            texts: dict[str, str] = {}
            for text in unsure:  # what may have been lost is said again, with the same txn
                texts[client.send("speak", room_name="r", msg=text, txn=text)] = text
            moment = seeded.randrange(1, 400)
            try:
                for sent in range(600):
                    text = f"text {number}"
                    number += 1
                    texts[client.send("speak", room_name="r", msg=text, txn=text)] = text
                    if sent == moment:
                        server.kill()
                    if sent % 8 == 7:
                        for _ in range(8):
                            self._take(client.message(), texts, acknowledged)
            except (OSError, Closed):
                pass
            try:
                while True:
                    self._take(client.message(), texts, acknowledged)
            except (OSError, Closed):
                pass
            unsure = list(texts.values())
            client.close()
            server.start()
            client = Client(server.ws_port)
            back = client.say(
                "resume",
                session_id=login["session_id"],
                epoch=login["epoch"],
                seen={"r": max(acknowledged.values(), default=1)},
            )
            self.assertEqual(back["status"], "ok", back)
        for text in unsure:
            reply = client.say("speak", room_name="r", msg=text, txn=text)
            acknowledged[text] = reply["seq"]
        stored: dict[int, str] = {}
        after, more = 0, True
        while more:
            page = client.say("history", room_name="r", after=after, limit=200)
            for entry in page["entries"]:
                if entry["cmd"] == "c_speak":
                    self.assertNotIn(entry["seq"], stored)
                    stored[entry["seq"]] = entry["msg"]
                self.assertEqual(entry["seq"], after + 1)
                after = entry["seq"]
            more = page["more"]
        self.assertGreater(len(acknowledged), KILLS)
        for text, seq in acknowledged.items():
            self.assertEqual(stored.get(seq), text)
        self.assertEqual(len(set(stored.values())), len(stored), "something is there twice")

    def _take(
        self, message: dict[str, object], texts: dict[str, str], acknowledged: dict[str, int]
    ) -> None:
        tracker = str(message["tracker"])
        if message["cmd"] == "c_response" and tracker in texts:
            self.assertEqual(message["status"], "ok", message)
            seq = message["seq"]
            assert isinstance(seq, int)
            acknowledged[texts.pop(tracker)] = seq


class Stop(SynchronousTestCase):
    def test_a_clean_stop_tells_clients_to_come_back(self) -> None:
        server = Server().start()
        self.addCleanup(server.kill)
        client = Client(server.ws_port)
        client.say("login", type="tmp", usr="ann")
        client.send("speak", room_name="lobby", msg="last words")
        process = server.process
        assert process is not None
        reply = client.message()
        self.assertEqual(reply["status"], "ok")
        process.terminate()
        self.assertEqual(client.wait_closed(), 1012)
        client.close()
        self.assertEqual(server.stop(), 0)

    def test_a_second_server_on_the_folder_refuses_in_one_line(self) -> None:
        server = Server().start()
        self.addCleanup(server.kill)
        second = Server(data=str(server.folder))
        with self.assertRaises(AssertionError):
            second.start()
        assert second.process is not None
        self.assertEqual(second.process.wait(), 1)
        said = [line for line in second.lines if line.startswith("gtchat:")]
        self.assertEqual(len(said), 1)
        self.assertIn("another server uses", said[0])
        self.assertNotIn("Traceback", "".join(second.lines))
