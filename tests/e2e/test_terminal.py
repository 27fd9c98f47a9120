"""The terminal client in a real terminal (tmux), on a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from wcwidth import wcswidth

from tests.e2e.server import SECONDS, TOP, Client, Server
from tests.e2e.tmux import MISSING, Terminal, client

#: A server that sends control characters in every field, which ours rejects. It prints its port on
#: the first line.
EVIL = r"""
import json, sys
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
BAD = "\x1b]0;owned\x07 \x1b[2J \x1b]52;c;b3duZWQ=\x07 \x9b31m \x1bP+q\x1b\\ \u202eturned\x08\r"
AT = "2030-05-06T07:08:09.000Z"
class Evil(WebSocketServerProtocol):
    def onMessage(self, payload, binary):
        request = json.loads(payload)
        room = {"room_name": "lobby", "joined": True, "topic": BAD}
        self.send(cmd="c_response", status="ok", last_cmd=request["cmd"], usr="ann",
                  tracker=request["tracker"], msg=BAD, rooms=[room], users=["ann", BAD])
        if request["cmd"] == "login":
            self.send(cmd="c_speak", room_name="lobby", usr=BAD, msg=BAD, seq=1, id="1", at=AT)
            self.send(cmd="c_whisper", usr=BAD, msg=BAD, id="2", at=AT)
            self.send(cmd="c_event", type=BAD, usr=BAD, at=AT)
            self.send(cmd="c_speak", room_name="lobby", usr="eve", msg="the end", seq=2, id="3")
    def send(self, **message):
        self.sendMessage(json.dumps(message).encode())
factory = WebSocketServerFactory()
factory.protocol = Evil
print(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
"""
#: The client with a bug: scrolling raises an exception.
BROKEN = """
import sys
from gtchat.ui.console import main
from gtchat.ui.tui.conversation import ConversationView
def wrong(self, rows):
    raise RuntimeError("a bug")
ConversationView.scroll = wrong
sys.exit(main(sys.argv[1:]))
"""


class TerminalTestCase(SynchronousTestCase):
    if MISSING:
        skip = MISSING

    def setUp(self) -> None:
        self.server = Server("--commands-burst", "1000").start()
        self.addCleanup(self.server.kill)

    def terminal(self, *options: str, width: int = 120, height: int = 30, **more: str) -> Terminal:
        """Start the client in a terminal."""
        words = client(self.server.ws_port, *options)
        terminal = Terminal(words, width, height, **more)
        self.addCleanup(terminal.end)
        return terminal

    def bare(self, name: str, **login: Any) -> Client:
        """Return a user who is logged in, without a terminal."""
        user = Client(self.server.ws_port)
        self.addCleanup(user.close)
        login = login or {"type": "tmp"}
        self.assertEqual(user.call("login", usr=name, **login)["status"], "ok")
        return user

    def speak(self, user: Client, *texts: str, room: str = "lobby") -> None:
        for text in texts:
            self.assertEqual(user.call("speak", room_name=room, msg=text)["status"], "ok")


class Chatting(TerminalTestCase):
    def test_two_users_chat_and_the_screen_keeps_its_layout(self) -> None:
        ann, ben = self.terminal("--guest", "ann"), self.terminal("--guest", "ben")
        ann.see("● ann", "● ben", "connected")
        ben.see("● ann", "● ben")
        ann.enter("hello ben")
        ben.see("ann hello ben")
        ben.enter("hello Ann, 你好")
        ann.see("ben hello Ann, 你好")
        ben.enter("/whisper ann psst")
        ann.wait(
            lambda rows: any("● ben" in row and row.rstrip().endswith("│") for row in rows[3:8])
        )
        self.columns(ann, 120, 2)
        ann.resize(80, 24)
        ann.wait(lambda rows: len(rows) == 24 and "│ ● ann" not in rows[1])
        self.columns(ann, 80, 1)
        ann.see("hello Ann, 你好")
        ann.resize(50, 12)
        ann.wait(lambda rows: len(rows) == 12 and "│" not in rows[1])
        ann.see("hello Ann, 你好", "ben 1")
        ann.resize(110, 20)
        ann.see("│ 2 online", "hello ben", "hello Ann, 你好")
        self.columns(ann, 110, 2)
        ann.click(5, 5)
        ann.see("psst", "direct messages with ben")
        ann.enter("/quit")
        ben.see("│ 1 of 2 online", "○ ann")

    def columns(self, terminal: Terminal, width: int, edges: int) -> None:
        """Wait until the edges are in the same columns in all rows.

        Args:
            terminal: the terminal.
            width: its columns.
            edges: number of edges.
        """
        wanted = [20, width - 21][:edges]

        def in_columns(rows: list[str]) -> bool:
            return all(
                [wcswidth(row[:at]) for at, sign in enumerate(row) if sign == "│"] == wanted
                for row in rows[:-2]
            )

        terminal.wait(in_columns, f"edges at {wanted}")

    def test_wide_characters_keep_the_columns(self) -> None:
        ann = self.terminal("--guest", "ann")
        ann.see("1 online")
        eve = self.bare("eve")
        texts = ["日本語のテキスト" * 9, "e\u0301" * 70 + "x", "👋🎉" * 30, "שלום " * 30]
        self.speak(eve, *texts, "the end")
        ann.see("the end")
        self.columns(ann, 120, 2)
        # Terminals disagree on the width of these; the position of the edges must not depend on it.
        odd = "👩\u200d👩\u200d👧 ❤\ufe0f 👍🏽 🇩🇪 1\ufe0f\u20e3 "
        self.speak(eve, odd * 9, "still the end")
        ann.see("still the end")
        ann.wait(
            lambda rows: all(
                "│ 2 online" in row or "│ ●" in row or row.endswith("│") for row in rows[:-2]
            )
        )
        ann.resize(59, 30)
        ann.see_no("│ 2 online")
        ann.see("still the end")
        ann.wait(lambda rows: all(wcswidth(row) <= 59 for row in rows[-6:]))

    def numbers(self, rows: list[str]) -> list[int]:
        """Return the numbers of the messages that are shown, each a word with a full stop."""
        words = (word for row in rows for word in row.split())
        return [int(word[:-1]) for word in words if word[:-1].isdigit() and word[-1] == "."]

    def continues(self, rows: list[str], lowest: int) -> bool:
        """Return whether messages without a gap are shown, up to one that was seen before."""
        shown = self.numbers(rows)
        return (
            "loading" not in "\n".join(rows)
            and bool(shown)
            and shown == [*range(shown[0], shown[-1] + 1)]
            and shown[0] <= lowest <= shown[-1] + 1
        )

    def test_scrolling_back_in_a_long_conversation(self) -> None:
        eve = self.bare("eve")
        self.speak(eve, *(f"text {number}." for number in range(1, 251)))
        ann = self.terminal("--guest", "ann", height=40)
        ann.see("text 250.")
        lowest = 251
        for _ in range(40):
            # All of the screen is drawn when it continues what was seen without a gap.
            rows = ann.wait(lambda now, lowest=lowest: self.continues(now, lowest))
            lowest = self.numbers(rows)[0]
            if "beginning of" in "\n".join(rows):
                break
            ann.type("", "PPage")
            ann.wait(lambda now, before=rows: now != before)
        self.assertEqual(lowest, 1)
        self.speak(eve, "while ann reads")
        ann.see("↓ newer", "text 1.")
        ann.click(40, 5, button=65)
        ann.wait(lambda rows: "text 1." not in "\n".join(rows[:2]))
        ann.type("", "Escape")
        ann.see("while ann reads")


class Reconnecting(TerminalTestCase):
    def test_no_message_is_lost_or_duplicated_when_the_server_is_killed(self) -> None:
        for name in ("ann", "ben"):
            newcomer = Client(self.server.ws_port)
            self.addCleanup(newcomer.close)
            newcomer.call("register", usr=name, pwd="password1")
        ann = self.terminal("--user", "ann")
        ann.see("Password:")
        ann.type("password1")
        ann.see("•••••••••")
        ann.type("", "Enter")
        self.assertNotIn("password1", "\n".join(ann.see("● ann")))
        account = {"type": "reg", "pwd": "password1"}
        ben = self.bare("ben", **account)
        self.speak(ben, "first words")
        ann.see("first words")
        self.server.kill()
        ann.see("connection lost, reconnecting in")
        ann.enter("sent without a server")
        ann.see("sent without a server  (sending …)")
        self.server.start()
        ann.see("connected")
        ann.see_no("(sending …)")
        ben = self.bare("ben", **account)
        self.speak(ben, "last words")
        shown = "\n".join(ann.see("last words"))
        for text in ("first words", "sent without a server", "last words"):
            self.assertEqual(shown.count(text), 1, shown)
        told = [entry["msg"] for entry in ben.call("history", room_name="lobby")["entries"]]
        self.assertEqual(told, ["first words", "sent without a server", "last words"])


class HostileServer(SynchronousTestCase):
    if MISSING:
        skip = MISSING

    def test_texts_of_others_can_not_control_the_terminal(self) -> None:
        evil = subprocess.Popen([sys.executable, "-c", EVIL], stdout=subprocess.PIPE, text=True)
        self.addCleanup(evil.wait)
        self.addCleanup(evil.kill)
        assert evil.stdout is not None
        self.addCleanup(evil.stdout.close)
        port = int(evil.stdout.readline())
        terminal = Terminal(client(port, "--guest", "ann"), NO_COLOR="1")
        self.addCleanup(terminal.end)
        rows = terminal.see("the end", "\\x1b]0;owned\\x07", "\\x9b31m", "\\u202eturned")
        self.assertIn("│ 2 online", rows[0])
        self.assertEqual(terminal.told("#{pane_title}"), "quiet")
        self.assertIn("no buffer", terminal.tmux("show-buffer"))
        colored = "".join(terminal.rows("-e"))
        self.assertNotIn("\x1b[31m", colored)  # what the C1 control sequence would set
        self.assertTrue("".join(rows).isprintable())


class Quitting(TerminalTestCase):
    def restored(self, terminal: Terminal, status: int) -> list[str]:
        """Wait for the end of the program, check that the terminal is restored, return its rows."""
        rows = terminal.see(f"exit status {status}", "icanon")
        shown = " ".join(rows)
        self.assertIn(" icanon", shown)
        self.assertIn(" echo ", shown)
        flags = "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{wrap_flag}"
        self.assertEqual(terminal.told(flags), "0 0 1 1")
        return rows

    def test_the_terminal_is_restored(self) -> None:
        for leave in (["/quit", "Enter"], ["", "C-d"], ["", "C-c"]):
            terminal = self.terminal("--guest", "ann")
            terminal.see("● ann")
            self.assertEqual(terminal.told("#{alternate_on} #{mouse_any_flag}"), "1 1")
            terminal.type(*leave)
            self.restored(terminal, 0)

    def test_the_terminal_is_restored_after_a_crash(self) -> None:
        words = client(self.server.ws_port, "--guest", "ann")
        terminal = Terminal([sys.executable, "-c", BROKEN, *words[4:]])
        self.addCleanup(terminal.end)
        terminal.see("● ann")
        terminal.type("", "PPage")
        self.assertIn("RuntimeError: a bug", "\n".join(self.restored(terminal, 1)))

    def test_another_session_of_the_user_ends_it(self) -> None:
        newcomer = Client(self.server.ws_port)
        self.addCleanup(newcomer.close)
        newcomer.call("register", usr="ann", pwd="password1")
        terminal = self.terminal("--user", "ann")
        terminal.see("Password:")
        terminal.enter("password1")
        terminal.see("● ann")
        other = self.bare("ann", type="reg", pwd="password1")
        self.assertEqual(other.call("end_other_sessions")["status"], "ok")
        self.assertIn("ended this session", "\n".join(self.restored(terminal, 2)))


class Staying(TerminalTestCase):
    def test_the_user_stays_logged_in_until_they_log_out(self) -> None:
        ann = Client(self.server.ws_port)
        self.addCleanup(ann.close)
        ann.call("register", usr="ann", pwd="password1")
        state = Path(self.mktemp()).absolute()
        environ = {"XDG_STATE_HOME": str(state)}
        for options, says in ((["--user", "ann", "--stay"], "Password:"), ([], ""), ([], "")):
            terminal = self.terminal(*options, **environ)
            if says:
                terminal.see(says)
                terminal.enter("password1")
            terminal.see("● ann")
            self.assertEqual((state / "gtchat/logins.json").stat().st_mode & 0o777, 0o600)
            terminal.type("/quit", "Enter")
            terminal.see("exit status 0")
        terminal = self.terminal("--plain", **environ)
        terminal.see("* logged in as ann")
        terminal.type("/sessions", "Enter")
        terminal.see("stays logged in, this session")
        terminal.type("/logout", "Enter")
        terminal.see("ogged out")
        terminal.type("/login ann", "Enter")
        terminal.see("Password:")


class Plain(TerminalTestCase):
    def test_line_mode_by_option_and_on_a_dumb_terminal(self) -> None:
        for options, environ in ((["--plain"], {}), ([], {"TERM": "dumb"})):
            terminal = self.terminal("--guest", "ann", *options, **environ)
            terminal.see("* logged in as ann")
            self.assertEqual(terminal.told("#{alternate_on}"), "0")
            terminal.type("/quit", "Enter")
            terminal.see("exit status 0")

    def test_line_mode_in_a_pipe(self) -> None:
        done = subprocess.run(
            client(self.server.ws_port, "--guest", "ann"),
            env={**os.environ, "PYTHONPATH": str(TOP), "TERM": "xterm-256color"},
            input="hello\n",
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("* logged in as ann", done.stdout)
        self.assertNotIn("\x1b", done.stdout)
