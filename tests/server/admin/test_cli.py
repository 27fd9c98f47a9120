"""`gtchat admin`: its words, its password, its output, and how it talks to a server."""

from __future__ import annotations

import getpass
import json
import socket
import sys
import threading
from io import BytesIO, StringIO, TextIOWrapper
from math import inf
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from gtchat.chat.background import Progress
from gtchat.chat.errors import NameTaken, NoSuchUser
from gtchat.server.admin import cli as admin_cli
from gtchat.server.admin import offline as admin_offline
from gtchat.server.admin.commands import COMMANDS
from gtchat.server.admin.offline import run_once
from gtchat.server.admin.output import Output, details, listing
from gtchat.server.admin.socket import ADMIN_LINE, READY, ServerTooOld, request
from gtchat.server.config import load
from gtchat.server.process import StartError
from gtchat.server.storage import DATABASE, lock_directory
from tests.databases import create_empty
from tests.server import test_cli
from tests.server.test_cli import CliCase, Terminal


class Command(CliCase):
    def setUp(self) -> None:
        super().setUp()
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.result: Output | Exception = Output("done", {"name": "Ann"})
        self.steps = 0
        self.patch(admin_cli, "request", lambda path, *call: self.take(*call))
        self.patch(admin_offline, "run_offline", lambda settings, *call: self.take(*call))

    def take(self, name: str, arguments: dict[str, object], progress: Progress) -> Output:
        self.calls.append((name, arguments))
        for done in range(self.steps):
            progress(done, self.steps)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def admin(self, *words: str) -> tuple[int, str, str]:
        return self.run_command("admin", "--data", str(self.directory), *words)

    def test_words_become_arguments(self) -> None:
        self.assertEqual(self.admin("accounts", "show", "ann"), (0, "done\n", ""))
        self.assertEqual(self.calls, [("accounts show", {"name": "ann"})])

    def test_json_is_for_programs(self) -> None:
        for words in (("--json", "accounts", "show", "ann"), ("accounts", "show", "ann", "--json")):
            status, out, _ = self.admin(*words)
            self.assertEqual((status, json.loads(out)), (0, {"name": "Ann"}))

    def test_progress_is_shown_on_a_terminal_only(self) -> None:
        shown = "\r0 % \r25 % \r50 % \r75 % \r100 % \r      \r"
        for steps, words, is_terminal, wanted in (
            (4, (), True, shown),
            (4, ("--offline",), True, shown),
            (4, (), False, ""),
            (4, ("--json",), True, ""),
            (0, (), True, ""),
        ):
            self.steps = steps
            self.patch(test_cli, "StringIO", Terminal if is_terminal else StringIO)
            self.assertEqual(self.admin(*words, "vacuum")[2], wanted)

    def test_progress_ends_with_an_error(self) -> None:
        self.patch(test_cli, "StringIO", Terminal)
        self.steps, self.result = 2, NoSuchUser()
        shown = "\r0 % \r50 % \r100 % \r      \rgtchat: "
        self.assertTrue(self.admin("vacuum")[2].startswith(shown))

    def test_a_narrow_terminal_gets_narrow_lines(self) -> None:
        self.result = Output("x" * 81, {}, narrow="x\nx")
        for columns, shown in ((80, "x\nx\n"), (inf, "x" * 81 + "\n")):
            with mock.patch.object(admin_cli, "_columns", return_value=columns):
                self.assertEqual(self.admin("accounts", "show", "ann")[1], shown)

    def test_what_is_refused_has_status_1(self) -> None:
        self.result = NoSuchUser()
        status, out, err = self.admin("accounts", "show", "ann")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "gtchat: There is no user with that name.\n")
        status, out, err = self.admin("accounts", "show", "ann", "--json")
        self.assertEqual((status, json.loads(out)["code"], err), (1, "no_such_user", ""))

    def test_help_lists_the_commands(self) -> None:
        for words in (("help",), (), ("--offline", "help")):
            status, out, _ = self.admin(*words)
            self.assertEqual(status, 0)
            self.assertIn("accounts set-password NAME", out)
            self.assertEqual("announce" in out, "--offline" not in words)
        self.assertEqual(self.calls, [])

    def test_help_explains_the_arguments_of_some_commands(self) -> None:
        for words in (("help", "bans"), ("bans", "--help"), ("help", "bans", "ADD")):
            _, out, _ = self.admin(*words)
            self.assertIn("--reason REASON: the reason, which the user is told", out)
            self.assertNotIn("accounts", out)
            self.assertEqual("bans list" in out, "ADD" not in words)
        self.assertIn("--for FOR: how long, as 90m; at most 7d (default: 60m)",
                      self.admin("panic", "--help")[1])  # fmt: skip
        data = json.loads(self.admin("--json", "help", "reports")[1])
        self.assertEqual(
            [one["name"] for one in data["commands"]], ["reports list", "reports answer"]
        )
        self.assertEqual(self.calls, [])
        words = ("admin", "--data", str(self.directory))
        self.assertError("there is no command 'help me'", *words, "help", "help", "me")
        self.assertError("there is no command 'bans', but: bans add, bans list", *words, "bans")
        self.admin("announce", "use", "--help")
        self.assertEqual(self.calls, [("announce", {"text": "use --help"})])

    def test_help_fits_a_terminal(self) -> None:
        for words in (("help",), *((*name.split(), "--help") for name in COMMANDS)):
            lines = self.admin(*words)[1].splitlines()
            self.assertLessEqual(max(map(len, lines)), 80, words)

    def test_a_stopped_server_is_used_with_offline(self) -> None:
        self.assertEqual(self.admin("--offline", "accounts", "list")[0], 0)
        self.assertEqual(self.calls, [("accounts list", {})])

    def test_wrong_words_are_errors_of_one_line(self) -> None:
        for words, text in (
            (("nonsense",), "there is no command 'nonsense'"),
            (("accounts", "show"), "name: this argument is missing"),
            (("accounts", "list", "--limit", "0"), "limit: must be a number"),
            (("operator-link", "--data=x"), "; write --data before the command"),
        ):
            self.assertError(text, "admin", "--data", str(self.directory), *words)
        self.assertEqual(self.calls, [])

    def test_a_server_that_does_not_answer(self) -> None:
        for error, text in (
            (
                ConnectionRefusedError(111, "refused"),
                "refused; --data names another directory, --offline is for a stopped",
            ),
            (OSError("closed"), "closed"),
            (ServerTooOld(), "start it again first"),
        ):
            self.result = error
            words = ("admin", "--data", str(self.directory), "accounts", "list")
            self.assertError(text, *words)

    def test_a_password_comes_from_standard_input(self) -> None:
        self.patch(sys, "stdin", StringIO(" secret word \r\nmore\n"))
        self.admin("accounts", "set-password", "ann")
        wanted = {"name": "ann", "password": " secret word "}
        self.assertEqual(self.calls, [("accounts set-password", wanted)])

    def test_a_password_is_refused_before_the_server_is_asked(self) -> None:
        words = ("admin", "--data", str(self.directory), "accounts", "set-password", "ann")
        for stdin, text in (
            (StringIO(""), "password: must be a text that is not empty"),
            (StringIO("\udcff\udcfe\n"), "password: must be UTF-8"),
            (TextIOWrapper(BytesIO(b"\xff\xfe\n"), "utf-8"), "the password must be UTF-8"),
        ):
            self.patch(sys, "stdin", stdin)
            self.assertError(text, *words)
        self.assertEqual(self.calls, [])

    def test_a_password_is_asked_for_twice_on_a_terminal(self) -> None:
        typed = ["secret word", "secret word", "secret word", "other"]
        self.patch(sys, "stdin", Terminal())
        self.patch(getpass, "getpass", lambda prompt: typed.pop(0))
        self.assertEqual(self.admin("accounts", "create", "ann")[0], 0)
        self.assertEqual(self.calls[0][1]["password"], "secret word")
        words = ("admin", "--data", str(self.directory), "accounts", "create", "ann")
        self.assertError("the two passwords differ", *words)
        self.assertEqual(len(self.calls), 1)

    def test_what_has_to_be_confirmed_is_asked_on_a_terminal(self) -> None:
        self.result = Output("nothing is banned yet", {"matches": 2}, "2 accounts. Ban them?")
        self.patch(sys, "stdin", Terminal())
        answers: list[str] = []
        for on_terminal, answer, calls, options in (
            (True, "y", 2, ()),
            (True, "n", 1, ()),
            (False, "y", 1, ()),
            (True, "y", 1, ("--json",)),
            (True, "y", 1, ("--offline",)),
        ):
            self.calls, answers[:] = [], [answer]
            asked = mock.patch("builtins.input", lambda question: answers.pop())
            terminal = mock.patch.object(admin_cli, "_is_terminal", return_value=on_terminal)
            with asked, terminal:
                self.admin(*options, "bans", "add", "--name", "spam*")
            self.assertEqual(len(self.calls), calls, (on_terminal, answer, options))
        self.assertEqual(self.calls[0][1], {"name": "spam*"})

    def test_a_terminal_is_asked_before_what_cannot_be_undone(self) -> None:
        self.patch(sys, "stdin", Terminal())
        for line, question in (
            ("rooms delete Garden", "Delete the room Garden with all of its messages, for good?"),
            ("accounts delete Ann", "Delete the account Ann for good?"),
        ):
            for on_terminal, answer, done, words in (
                (True, "y", True, line),
                (True, "", False, line),
                (True, "", False, f"--offline {line}"),
                (True, None, True, f"--json {line}"),
                (True, None, True, f"{line} --yes"),
                (False, None, True, line),
            ):
                self.calls = []
                asked = mock.patch("builtins.input", return_value=answer)
                terminal = mock.patch.object(admin_cli, "_is_terminal", return_value=on_terminal)
                with asked as ask, terminal:
                    status, _, err = self.admin(*words.split())
                self.assertEqual(len(self.calls), done, (words, on_terminal, answer))
                self.assertEqual(
                    (status, err), (0, "") if done else (1, "gtchat: nothing was done\n")
                )
                self.assertEqual(ask.call_count, answer is not None)
                if answer is not None:
                    ask.assert_called_with(f"{question} [y/N] ")

    def test_no_error_has_the_password_of_a_store(self) -> None:
        store = "--store=postgresql://ann:sesame@host/chat"
        for words in (("rooms", "list", store), ("roms", store), (store,)):
            _, out, err = self.admin(*words)
            self.assertNotIn("sesame", out + err)

    def test_ctrl_d_at_a_question_does_nothing(self) -> None:
        self.patch(sys, "stdin", Terminal())
        at_its_end = mock.Mock(side_effect=EOFError)
        self.patch(getpass, "getpass", at_its_end)
        terminal = mock.patch.object(admin_cli, "_is_terminal", return_value=True)
        with mock.patch("builtins.input", at_its_end), terminal:
            status, _, err = self.admin("rooms", "delete", "Garden")
            self.assertEqual((status, err), (1, "gtchat: nothing was done\n"))
            words = ("admin", "--data", str(self.directory), "accounts", "create", "ann")
            self.assertError("no password was given", *words)
        self.assertEqual(self.calls, [])

    def test_nothing_is_asked_for_a_line_that_is_wrong(self) -> None:
        self.patch(sys, "stdin", None)
        words = ("admin", "--data", str(self.directory), "accounts", "create")
        self.assertError("name: this argument is missing", *words)


class Peer(threading.Thread):
    """A server that sends some lines, and keeps what it is sent."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        super().__init__()
        self.received = b""
        self._answers = answers
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self.start()

    def run(self) -> None:
        with self._socket, self._socket.accept()[0] as client, client.makefile("rb") as lines:
            for answer in self._answers:
                self.received += lines.readline()
                client.sendall(answer)
            client.shutdown(socket.SHUT_WR)
            self.received += lines.read()


class OverSocket(CliCase):
    def ask(self, *answers: bytes) -> tuple[Any, bytes]:
        """Send a request to a server; return the result or the error, and what was sent."""
        path = Path(self.mktemp())
        path.parent.mkdir(parents=True, exist_ok=True)
        peer = Peer(path, *answers)
        result: Any
        try:
            self.shown: list[tuple[int, int]] = []
            show = lambda *so_far: self.shown.append(so_far)  # noqa: E731
            result = request(path, "accounts show", {"name": "ann"}, show)
        except Exception as error:
            result = error
        peer.join()
        return result, peer.received

    def test_a_request_is_answered(self) -> None:
        answer = b'{"status": "ok", "text": "x", "data": {"a": 1}}\n'
        result, sent = self.ask(b"HELP lists\n[*] ann entered.\n" + READY + b"\n", answer)
        self.assertEqual(result, Output("x", {"a": 1}))
        first, second = sent.splitlines()
        self.assertEqual(first, ADMIN_LINE)
        wanted = {"name": "accounts show", "args": {"name": "ann"}, "progress": True}
        self.assertEqual(json.loads(second), wanted)

    def test_progress_comes_before_the_answer(self) -> None:
        progress = b'{"progress": [1, 4]}\n{"progress": [2, 4]}\n'
        answer = progress + b'{"status": "ok", "text": "", "data": {}}\n'
        result, _ = self.ask(READY + b"\n", answer)
        self.assertEqual((result, self.shown), (Output("", {}), [(1, 4), (2, 4)]))

    def test_an_error_is_raised(self) -> None:
        answer = b'{"status": "error", "code": "name_taken", "text": "no"}\n'
        result, _ = self.ask(READY + b"\n", answer)
        self.assertEqual((type(result), result.text), (NameTaken, "no"))

    def test_an_older_server_is_sent_nothing(self) -> None:
        result, sent = self.ask(b"HELP lists\nnot sent; there is no command /admin\n")
        self.assertIsInstance(result, ServerTooOld)
        self.assertEqual(sent, ADMIN_LINE + b"\n")

    def test_a_server_that_stops_is_an_error(self) -> None:
        for answers in ((b"HELP lists\n",), (READY + b"\n", b"")):
            result, _ = self.ask(*answers)
            self.assertIn("closed the connection", str(result))


class Offline(TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        create_empty(self.folder / DATABASE)
        self.settings = load({"data": str(self.folder)}, {}, None)

    async def test_a_command_runs_on_the_database(self) -> None:
        given = {"name": "Ann", "password": "password"}
        await run_once(reactor, self.settings, "accounts create", given)
        output = await run_once(reactor, self.settings, "accounts list", {})
        self.assertEqual([one["name"] for one in output.data["accounts"]], ["Ann"])
        audit = await run_once(reactor, self.settings, "audit", {})
        self.assertEqual(audit.data["records"][-1]["who"], "(offline)")
        await self.assertFailure(
            Deferred.fromCoroutine(run_once(reactor, self.settings, "accounts create", given)),
            NameTaken,
        )

    async def test_a_server_keeps_the_database_to_itself(self) -> None:
        with lock_directory(self.folder):
            once = run_once(reactor, self.settings, "accounts list", {})
            await self.assertFailure(Deferred.fromCoroutine(once), StartError)


class Texts(CliCase):
    def test_a_list_is_a_table(self) -> None:
        rows = [
            {"name": "Ann", "last_seen": None, "on": True},
            {"name": "B", "last_seen": "x\ny\x1b[2J", "on": False},
        ]
        lines = listing("accounts", rows, "B").text.splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "LAST", "SEEN", "ON"])
        self.assertEqual(lines[1].split(), ["Ann", "-", "yes"])
        self.assertEqual(lines[2].split(), ["B", "x", "y[2J", "no"])
        self.assertEqual(lines[3], "more: --after B")
        self.assertEqual(listing("accounts", [], None).text, "no accounts")

    def test_a_number_is_said_below_a_row_though_it_is_0(self) -> None:
        row = {"name": "x" * 78, "setting": 0, "accounts": False, "by": None, "room": ""}
        lines = listing("limits", [row], None).narrow.splitlines()
        self.assertEqual(lines[-1].strip(), "setting: 0")

    def test_a_wide_list_has_columns_below_each_row_on_a_narrow_terminal(self) -> None:
        row = {"name": "Ann", "at": "2026-11-27T08:00:00.123Z", "where": "x" * 40, "by": None}
        output = listing("places", [{**row, "reason": "word " * 20, "on": False, "left": 3}], 7)
        self.assertIn("2026-11-27T08:00:00Z", output.text)
        lines = output.narrow.splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "AT", "WHERE", "BY"])
        self.assertEqual(lines[1].split(), ["Ann", "2026-11-27T08:00:00Z", "x" * 40, "-"])
        self.assertTrue(lines[2].startswith("    reason: word word"))
        self.assertIn("; left: 3", lines[3])
        self.assertNotIn("on:", lines[3])
        self.assertEqual(lines[4], "more: --before 7")
        self.assertLessEqual(max(map(len, lines)), 80)
        long = listing("limits", [{"name": "x", "help": "y" * 78}], None)
        self.assertEqual(long.narrow.split(), ["NAME", "x", "help:", "y" * 70, "y" * 8])
        self.assertEqual(output.fitted(80), output.narrow)
        self.assertEqual(output.fitted(300), output.text)
        self.assertEqual(details({"name": "x" * 99}).fitted(80), "name  " + "x" * 99)

    def test_details_are_lines(self) -> None:
        output = details({"name": "Ann", "last_seq": 7})
        self.assertEqual(output.text, "name      Ann\nlast seq  7")
