"""The end of a server, as its operator wishes it; SIGKILL is in tests/stress."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import Client, Server


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
