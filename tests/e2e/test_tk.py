"""The Tk window under Xvfb, on a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import SECONDS, TOP, Client, Server

#: Runs the window and controls it from inside: reads orders from stdin, prints what changes.
DRIVER = """
import sys, tkinter
from twisted.internet import reactor, tksupport, task
from gtchat.ui.tk import TkWindow
root = tkinter.Tk()
tksupport.install(root)
window = TkWindow(root, reactor, reactor.stop)
last = {}
def report():
    now = {"status": window._status.cget("text"), "users": " ".join(window.users.get(0, "end")),
           "log": window.log.get("1.0", "end").replace("\\n", "|")}
    for key, value in now.items():
        if last.get(key) != value:
            last[key] = value
            print(key, value, flush=True)
def order(line):
    word, _, rest = line.partition(" ")
    if word == "connect":
        for field, value in zip(window._fields, rest.split(), strict=True):
            field.delete(0, "end"); field.insert(0, value)
        window.connect_button.invoke()
    elif word == "say":
        window.input.insert(0, rest); window.send()
    elif word == "disconnect":
        window.disconnect_button.invoke()
    elif word == "close":
        window.close()
from twisted.protocols.basic import LineReceiver
from twisted.internet.stdio import StandardIO
class Orders(LineReceiver):
    delimiter = b"\\n"
    def lineReceived(self, line):
        order(line.decode())
StandardIO(Orders())
task.LoopingCall(report).start(0.02)
reactor.run()
"""


class Display:
    """A virtual display."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24"],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            self.name = f":{told.readline().strip()}"

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


class Tk(SynchronousTestCase):
    if shutil.which("Xvfb") is None:
        skip = "Xvfb is not installed"
    try:
        import tkinter  # noqa: F401
    except ImportError:
        skip = "tkinter is not installed"

    def setUp(self) -> None:
        self.server = Server().start()
        self.addCleanup(self.server.kill)
        display = Display()
        self.addCleanup(display.end)
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(TOP),
            "DISPLAY": display.name,
            "XDG_CONFIG_HOME": self.home,
            "XDG_STATE_HOME": self.home,
        }

    def window(self) -> subprocess.Popen[str]:
        """Start the window."""
        window = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.addCleanup(window.wait)
        self.addCleanup(window.kill)
        # Ends the wait for something that the window never shows.
        late = threading.Timer(3 * SECONDS, window.kill)
        late.start()
        self.addCleanup(late.cancel)
        return window

    def order(self, window: subprocess.Popen[str], line: str) -> None:
        assert window.stdin is not None
        window.stdin.write(line + "\n")

    def shows(self, window: subprocess.Popen[str], key: str, words: str) -> None:
        """Wait until a part of the window has these words."""
        assert window.stdout is not None
        for line in window.stdout:
            if line.startswith(key) and words in line:
                return
        self.fail(f"the window ended before it showed {words!r}")

    def test_a_whole_session(self) -> None:
        window = self.window()
        self.order(window, f"connect 127.0.0.1 {self.server.ws_port} anna")
        self.shows(window, "status", "Connected to 127.0.0.1 as anna")
        ben = Client(self.server.ws_port)
        self.addCleanup(ben.close)
        ben.call("login", type="tmp", usr="ben")
        self.shows(window, "users", "anna ben")
        spoken = ben.call("speak", room_name="lobby", msg="helo window")
        self.shows(window, "log", "ben > helo window")
        ben.call("edit", room_name="lobby", seq=spoken["seq"], msg="hello window")
        self.shows(window, "log", "ben > hello window (edited)|")
        self.order(window, "say hello ben")
        while (push := ben.message())["cmd"] != "c_speak":
            pass
        self.assertEqual((push["usr"], push["msg"]), ("anna", "hello ben"))
        self.order(window, "disconnect")
        self.shows(window, "status", "Disconnected.")
        self.order(window, f"connect 127.0.0.1 {self.server.ws_port} ben")
        self.shows(window, "status", "Username exists.")
        self.order(window, "connect 127.0.0.1 x ben")
        self.shows(window, "status", "Enter a server")
        self.order(window, "close")
        self.assertEqual(window.wait(SECONDS), 0)
        kept = Path(self.home, "gtchat", "tk.json").read_text()
        self.assertIn(str(self.server.ws_port), kept)

    def test_a_server_that_restarts(self) -> None:
        window = self.window()
        port = self.server.ws_port
        self.order(window, f"connect 127.0.0.1 {port} anna")
        self.shows(window, "status", "Connected to")
        self.server.kill()
        self.shows(window, "status", "Connection lost")
        self.server.start()
        self.shows(window, "status", "Reconnected.")
        self.order(window, "disconnect")
        self.shows(window, "status", "Disconnected.")
        self.server.kill()
        self.order(window, f"connect 127.0.0.1 {port} anna")
        self.shows(window, "status", "Server offline")

    def test_the_text_mode_asks_the_same(self) -> None:
        ben = Client(self.server.ws_port)
        self.addCleanup(ben.close)
        ben.call("login", type="tmp", usr="ben")
        done = subprocess.run(
            [sys.executable, "-m", "gtchat.cli", "tk", "-c"],
            env=self.environment,
            input=f"127.0.0.1\n{self.server.ws_port}\nanna\nhello ben\n",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertIn("SERVER IP > SERVER PORT > USERNAME > ", done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        while (push := ben.message())["cmd"] != "c_speak":
            pass
        self.assertEqual((push["usr"], push["msg"]), ("anna", "hello ben"))

    def test_without_a_display_it_prints_one_line(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "gtchat.cli", "tk"],
            env={**self.environment, "DISPLAY": ""},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
