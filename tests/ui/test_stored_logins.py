"""Logins that outlast the terminal client: the file, and the commands that use it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui import stored_logins
from gtchat.ui.options import parser, startup_lines
from gtchat.ui.stored_logins import StoredLogins, device_name, state_file
from tests.client.fakes import welcome
from tests.ui.test_line_mode import LineModeTestCase

URL = "ws://fake:9000/"


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "state" / "gtchat" / "logins.json"
        self.logins = StoredLogins(self.path, URL)

    def again(self, url: str = URL) -> StoredLogins:
        """Return the logins as another run of the client has them."""
        return StoredLogins(self.path, url)

    def test_only_the_user_can_read_it(self) -> None:
        self.logins.keep("ann", "secret")
        for path, mode in ((self.path, 0o600), (self.path.parent, 0o700)):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode)
        self.path.chmod(0o644)
        self.logins.keep("ann", "other")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_tokens_are_kept_for_each_server_and_user(self) -> None:
        self.logins.keep("ann", "1")
        self.logins.keep("Bob", "2")
        self.again("wss://other/").keep("ann", "3")
        found = self.again()
        tokens = [found.token(name) for name in ("ann", "ANN", "bob", "eve")]
        self.assertEqual(tokens, ["1", "1", "2", ""])
        self.assertEqual(self.again("wss://other/").token("ann"), "3")

    def test_a_token_replaces_that_of_the_same_user(self) -> None:
        self.logins.keep("ann", "1")
        self.logins.keep("Bob", "2")
        self.logins.keep("Ann", "3")
        self.assertEqual(self.again().token("ann"), "3")
        self.assertEqual(self.again().last_user(), "Ann")
        self.logins.forget("ANN")
        self.logins.forget("eve")
        self.assertEqual((self.again().token("ann"), self.again().last_user()), ("", "Bob"))

    def test_the_device_has_the_same_name_in_all_runs(self) -> None:
        device = self.logins.device()
        self.assertRegex(device, r"\A[\w-]{20,64}\Z")
        self.logins.keep("ann", "1")
        self.assertEqual((self.again().device(), self.logins.device()), (device, device))

    def test_a_file_that_can_not_be_read_is_as_none(self) -> None:
        self.logins.keep("ann", "1")
        for content in (b"", b"{", b"\xff", b"[]", b'{"tokens":{"ws://fake:9000/":{"ann":1}}}'):
            self.path.write_bytes(content)
            self.assertEqual(self.again().last_user(), "")
        self.logins.keep("ann", "2")
        self.assertEqual(self.again().token("ann"), "2")

    def test_without_a_place_for_the_file_the_device_has_a_name(self) -> None:
        self.path.parent.parent.mkdir(parents=True)
        self.path.parent.write_bytes(b"a file, not a folder")
        device = self.logins.device()
        self.assertTrue(device)
        self.assertEqual(self.logins.device(), device)
        self.assertRaises(OSError, self.logins.keep, "ann", "1")

    def test_what_an_interrupted_run_left_is_replaced(self) -> None:
        self.logins.keep("ann", "1")
        self.path.with_suffix(".new").write_bytes(b"half")
        self.logins.keep("ann", "2")
        self.assertEqual(self.again().token("ann"), "2")

    def test_the_place_follows_the_environment(self) -> None:
        for environ, expected in (
            ({"XDG_STATE_HOME": "/state"}, Path("/state/gtchat/logins.json")),
            ({"XDG_STATE_HOME": "relative"}, Path.home() / ".local/state/gtchat/logins.json"),
            ({}, Path.home() / ".local/state/gtchat/logins.json"),
        ):
            self.assertEqual(state_file(environ), expected)

    def test_the_name_of_the_device_is_that_of_the_machine(self) -> None:
        for host, expected in (
            ("box", "gtchat client, box"),
            ("", "gtchat client"),
            ("a\nb", "gtchat client, ab"),
            ("x" * 99, "gtchat client, " + "x" * 49),
        ):
            with patch.object(stored_logins, "node", lambda host=host: host):
                self.assertEqual(device_name(), expected)


class OptionTests(SynchronousTestCase):
    def test_options_log_in(self) -> None:
        for options, stored, expected in (
            ([], "", []),
            ([], "ann", ['/login "ann"']),
            (["--user", "bob"], "ann", ['/login "bob"']),
            (["--user", "bob", "--stay"], "", ['/stay "bob"']),
            (["--guest", "gus"], "ann", ['/guest "gus"']),
        ):
            found = startup_lines(parser().parse_args(options), stored)
            self.assertEqual(found, expected)


class StayTests(LineModeTestCase):
    """The commands, in a terminal.

    Attributes:
        path: the file.
        logins: as the client has them.
    """

    is_terminal = True

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp()) / "logins.json"
        self.logins = StoredLogins(self.path, URL)
        self.client._stored_logins = self.logins
        self.server.answers["login"] = self.answer
        self.answers: list[dict[str, Any]] = []
        self.start()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.answers.pop(0) if self.answers else {**welcome(), "usr": "ann"}

    def sent(self) -> dict[str, Any]:
        """Return the last login."""
        return {k: v for k, v in self.server.asked("login")[-1].items() if k != "tracker"}

    def stay(self) -> None:
        self.answers.append({**welcome(), "usr": "ann", "device_token": "secret"})
        self.type("/stay ann", "password")

    def test_staying_stores_the_token(self) -> None:
        self.stay()
        self.assertEqual(
            self.sent(),
            {
                "cmd": "login",
                "type": "reg",
                "usr": "ann",
                "pwd": "password",
                "marks_read": True,
                "remember": True,
                "device": self.logins.device(),
                "device_name": device_name(),
            },
        )
        self.assertEqual(StoredLogins(self.path, URL).token("ann"), "secret")

    def test_a_login_names_the_device_and_stores_nothing(self) -> None:
        self.type("/login ann", "password")
        self.assertEqual(self.sent()["device"], self.logins.device())
        self.assertNotIn("remember", self.sent())
        self.assertEqual(self.logins.token("ann"), "")

    def test_a_guest_has_no_device(self) -> None:
        self.type("/guest gus")
        self.assertNotIn("device", self.sent())

    def test_the_token_stands_for_the_password(self) -> None:
        self.logins.keep("ann", "secret")
        for command in ("/login ANN", "/stay ann"):
            self.type(command)
            self.assertEqual(
                self.sent(),
                {
                    "cmd": "login",
                    "type": "device",
                    "device": self.logins.device(),
                    "device_token": "secret",
                    "marks_read": True,
                },
            )
        self.type("/login ann password")
        self.assertEqual(self.sent()["type"], "reg")

    def test_a_token_that_is_not_valid_is_deleted_and_the_password_asked_for(self) -> None:
        for code in ("bad_credentials", "not_allowed"):
            self.logins.keep("ann", "old")
            self.answers.append({"code": code, "msg": "This device is logged out."})
            self.type("/login ann")
            self.assertEqual(self.logins.token("ann"), "")
            self.assertIn("* This device is logged out.", self.shown())
            self.type("password")
            self.assertEqual((self.sent()["type"], self.sent()["pwd"]), ("reg", "password"))

    def test_a_refused_login_keeps_the_token(self) -> None:
        self.logins.keep("ann", "secret")
        self.answers.append({"code": "locked_out", "msg": "Wait."})
        self.type("/login ann")
        self.assertEqual(self.logins.token("ann"), "secret")
        self.assertIn("Wait.", self.error_lines()[-1])

    def test_a_logout_forgets(self) -> None:
        self.stay()
        self.type("/logout")
        [request] = self.server.asked("logout")
        self.assertTrue(request["forget"])
        self.assertEqual(self.logins.token("ann"), "")

    def test_a_changed_password_brings_the_next_token(self) -> None:
        self.stay()
        self.server.answers["update_pwd"] = {"device_token": "next"}
        self.type("/password a b b")
        self.assertEqual(self.logins.token("ann"), "next")

    def test_a_server_that_gives_no_token_is_said(self) -> None:
        self.type("/stay ann", "password")
        self.assertIn("* this server does not keep you logged in", self.shown())

    def test_a_login_that_can_not_be_stored_is_an_error_line(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir()
        self.stay()
        self.assertIn("this login is not stored", self.error_lines()[-1])


class PipeTests(LineModeTestCase):
    def test_the_next_line_is_the_password_whether_there_is_a_token_or_not(self) -> None:
        logins = StoredLogins(Path(self.mktemp()) / "logins.json", URL)
        logins.keep("ann", "secret")
        self.client._stored_logins = logins
        self.start()
        self.type("/login ann", "password", "hello")
        [request] = self.server.asked("login")
        self.assertEqual((request["type"], request["pwd"]), ("reg", "password"))
        [said] = self.server.asked("speak")
        self.assertEqual(said["msg"], "hello")
