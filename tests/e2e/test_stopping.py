"""The end of the server: SIGTERM, SIGINT, SIGHUP. SIGKILL is in tests/stress."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading

from tests.e2e.fork_server import default_signals
from tests.e2e.server import SECONDS, Client, Server
from tests.e2e.test_operation import OperationCase


class Stopping(OperationCase):
    def test_signal_stops_the_server_after_pending_requests(self) -> None:  # H04, H05
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.server("--commands-per-second", "0").start()
            ann = self.client(server, "ann")
            sent = {ann.send("speak", room_name="lobby", msg=str(i)): str(i) for i in range(200)}
            acknowledged = [sent[ann.message()["tracker"]]]
            assert server.process is not None
            server.process.send_signal(number)
            code = None
            try:
                while True:
                    reply = ann.message()
                    if reply["cmd"] == "c_response" and reply["status"] == "ok":
                        acknowledged.append(sent[reply["tracker"]])
            except Exception as closed:
                code = getattr(closed, "code", None)
            self.assertEqual(code, 1012)
            self.assertEqual(server.process.wait(SECONDS), 0)
            server.stop()
            self.assertNotIn("Traceback", "".join(server.lines))
            server.start()
            bob = self.client(server, "bob")
            page = bob.call("history", room_name="lobby", limit=200, kinds=["c_speak"])
            kept = [entry["msg"] for entry in page["entries"]]
            self.assertEqual(kept[: len(acknowledged)], acknowledged)
            server.kill()

    def test_clean_stop_closes_connections_with_service_restart(self) -> None:
        server = Server().start()
        self.addCleanup(server.kill)
        client = Client(server.ws_port)
        client.call("login", type="tmp", usr="ann")
        client.send("speak", room_name="lobby", msg="the last")
        process = server.process
        assert process is not None
        reply = client.message()
        self.assertEqual(reply["status"], "ok")
        process.terminate()
        self.assertEqual(client.wait_closed(), 1012)
        client.close()
        self.assertEqual(server.stop(), 0)


class Hangups(OperationCase):  # H05
    """SIGHUP: the terminal has closed, or the log file was renamed."""

    def on_terminal(self, server: Server) -> None:
        """Start a server whose standard input is a terminal."""
        ours, theirs = os.openpty()
        for end in (ours, theirs):
            self.addCleanup(os.close, end)
        server.stdin = theirs
        server.start()

    def hang_up(self, server: Server) -> None:
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)

    def assertKeepsRunning(self, server: Server) -> None:
        """A hangup has no effect."""
        client = self.client(server, "ann")
        self.hang_up(server)
        self.assertEqual(client.call("ping")["status"], "ok")
        self.client(server, "bob").close()  # it accepts new connections, too
        client.close()
        self.assertEqual(server.stop(), 0)

    def test_server_stops_with_its_terminal(self) -> None:
        server = self.server()
        self.on_terminal(server)
        client = self.client(server, "ann")
        self.hang_up(server)
        self.assertEqual(client.wait_closed(), 1012)
        assert server.process is not None
        self.assertEqual(server.process.wait(SECONDS), 0)

    def test_server_under_nohup_keeps_running(self) -> None:
        server = self.server()
        words = server.command()
        ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        server.command = lambda: [sys.executable, "-c", ignoring + words[2], *words[3:]]  # type: ignore[method-assign]
        self.on_terminal(server)
        self.assertKeepsRunning(server)

    def test_server_without_a_terminal_keeps_running(self) -> None:
        server = self.server().start()
        self.assertKeepsRunning(server)

    def test_hangup_reopens_the_log_file(self) -> None:
        for options in ((), ("--log-json",)):
            server = self.server("--store", "memory", *options)
            file, old = server.folder / "log", server.folder / "log.old"
            words = server.command()
            at = words.index("gtchat")
            process = subprocess.Popen(
                [*words[:at], "--logfile", str(file), *words[at:]],
                env=server.environment(),
                cwd=server.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=default_signals,
            )
            tail = subprocess.Popen(
                ["tail", "-n", "+1", "-F", "-s", "0.1", "--max-unchanged-stats=1", str(file)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert tail.stdout is not None
            timeout = threading.Timer(SECONDS, tail.kill)
            timeout.start()
            try:
                for line in tail.stdout:
                    if found := re.search(r"WebSocket: ws://[^:]+:(\d+)/", line):
                        server.ws_port = int(found[1])
                    if re.search('[ "]data: ', line):
                        break
                self.client(server, "ann")
                file.rename(old)
                process.send_signal(signal.SIGHUP)
                for line in tail.stdout:
                    if "log file reopened" in line:
                        break
                self.client(server, "bob")
            finally:
                process.terminate()
                process.wait(SECONDS)
                timeout.cancel()
                tail.kill()
                tail.communicate()
            self.assertEqual(process.returncode, 0)
            for name, where in (("ann", old), ("bob", file)):
                for each in (old, file):
                    logged = f"{name} logged in" in each.read_text()
                    self.assertEqual(logged, each == where, (name, each, options))

    def test_unwritable_log_is_reported_in_one_line(self) -> None:
        server = self.server()
        words = server.command()
        at = words.index("gtchat")
        server.command = lambda: [*words[:at], "--logfile", "/nowhere/log", *words[at:]]  # type: ignore[method-assign]
        code, line = self.refused(server)
        self.assertEqual(code, 1)
        self.assertRegex(line, "^gtchat: cannot write the log: .*/nowhere/log")
