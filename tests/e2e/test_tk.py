"""The window, under Xvfb, on a real server."""

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

#: Drives the window from inside, since nothing else can click in it; it talks over a pipe.
DRIVER = """
import sys, tkinter
from twisted.internet import reactor, tksupport, task
from gtchat.ui.tk import Window
root = tkinter.Tk()
tksupport.install(root)
window = Window(root, reactor, reactor.stop)
last = {}
def look():
    now = {"status": window._status.cget("text"), "users": " ".join(window.users.get(0, "end")),
           "log": window.log.get("1.0", "end").replace("\\n", "|")}
    for key, value in now.items():
        if last.get(key) != value:
            last[key] = value
            print(key, value, flush=True)
def order(line):
    word, _, rest = line.partition(" ")
    if word == "enter":
        for field, value in zip(window._fields, rest.split(), strict=True):
            field.delete(0, "end"); field.insert(0, value)
        window.connect_button.invoke()
    elif word == "say":
        window.line.insert(0, rest); window.send()
    elif word == "part":
        window.disconnect_button.invoke()
    elif word == "leave":
        window.leave()
from twisted.protocols.basic import LineReceiver
from twisted.internet.stdio import StandardIO
class Orders(LineReceiver):
    delimiter = b"\\n"
    def lineReceived(self, line):
        order(line.decode())
StandardIO(Orders())
task.LoopingCall(look).start(0.02)
reactor.run()
"""


class Screen:
    """A screen of its own that nobody sees."""

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
        """Take it away."""
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
        screen = Screen()
        self.addCleanup(screen.end)
        self.home = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.home)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(TOP),
            "DISPLAY": screen.name,
            "XDG_CONFIG_HOME": self.home,
        }

    def window(self) -> subprocess.Popen[str]:
        """The window."""
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
        # What it never shows is not waited for without end.
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
        self.order(window, f"enter 127.0.0.1 {self.server.ws_port} anna")
        self.shows(window, "status", "Connected to 127.0.0.1 as anna")
        ben = Client(self.server.ws_port)
        self.addCleanup(ben.close)
        ben.say("login", type="tmp", usr="ben")
        self.shows(window, "users", "anna ben")
        ben.say("speak", room_name="lobby", msg="hello window")
        self.shows(window, "log", "ben > hello window")
        self.order(window, "say hello ben")
        while (push := ben.message())["cmd"] != "c_speak":
            pass
        self.assertEqual((push["usr"], push["msg"]), ("anna", "hello ben"))
        self.order(window, "part")
        self.shows(window, "status", "Disconnected.")
        self.order(window, f"enter 127.0.0.1 {self.server.ws_port} ben")
        self.shows(window, "status", "Username exists.")
        self.order(window, "enter 127.0.0.1 x ben")
        self.shows(window, "status", "are wanted.")
        self.order(window, "leave")
        self.assertEqual(window.wait(SECONDS), 0)
        kept = Path(self.home, "gtchat", "tk.json").read_text()
        self.assertIn(str(self.server.ws_port), kept)

    def test_a_server_that_goes_and_comes(self) -> None:
        window = self.window()
        port = self.server.ws_port
        self.order(window, f"enter 127.0.0.1 {port} anna")
        self.shows(window, "status", "Connected to")
        self.server.kill()
        self.shows(window, "status", "Connection lost")
        self.server.start()
        self.shows(window, "status", "Connected again.")
        self.order(window, "part")
        self.shows(window, "status", "Disconnected.")
        self.server.kill()
        self.order(window, f"enter 127.0.0.1 {port} anna")
        self.shows(window, "status", "Server offline")

    def test_the_text_mode_asks_the_same(self) -> None:
        ben = Client(self.server.ws_port)
        self.addCleanup(ben.close)
        ben.say("login", type="tmp", usr="ben")
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

    def test_without_a_screen_one_line_says_so(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "gtchat.cli", "tk"],
            env={**self.environment, "DISPLAY": ""},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
