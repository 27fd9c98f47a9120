"""The first start: a link for the first operator, on the terminal only."""

from __future__ import annotations

import os
import pty
from pathlib import Path

from gtchat.chat.access import AccessSettings
from gtchat.chat.account_admin import LOGIN_LINK_S
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import NotAllowed, NotStored
from gtchat.server import first_start
from gtchat.server.first_start import greet, open_terminal
from tests.chat.test_administration import Administered
from tests.fakes import TestServer, nodes
from tests.server.fakes import RecordingLog

PAGE = "http://chat.example/"


class FirstStart(Administered):
    def setUp(self) -> None:
        super().setUp()
        self.log = RecordingLog()
        self.patch(first_start, "_log", self.log.logger)

    def greet(self, terminal: bool = True, folder: Path | None = Path("/data of a chat")) -> str:
        """Start; return what is written to the terminal."""
        written: list[str] = []
        write = written.append if terminal else None
        self.done(greet(self.server.chat, PAGE, write, folder))
        return "".join(written)

    def secret(self) -> str:
        """Make a link as the operator at the server; return its secret."""
        return str(self.done(self.admin.accounts.operator_link(AT_CONSOLE)).token)

    def register(self, name: str, link: str, server: TestServer | None = None, **more: str) -> str:
        """Register by the link; return the code of the error, "" for none."""
        fields = more or {"pwd": "password"}
        client = (server or self.server).connect()
        return str(client.call("register", usr=name, link=link, **fields).get("code", ""))

    def test_the_first_start_prints_a_link_that_makes_the_operator(self) -> None:
        self.use(TestServer(access=AccessSettings("closed")))
        written = self.greet()
        self.assertIn(f"{PAGE}#/first/", written)
        secret = written.split("#/first/")[1].split()[0]
        self.assertEqual(self.log.lines, [])
        self.assertEqual(self.register("Ann", secret), "")
        reply = self.server.connect().login("ann", pwd="password")
        self.assertTrue(reply["operator"])
        self.assertEqual(self.register("Bob", secret), "bad_invite")
        self.assertEqual(self.greet(), "")
        self.assertEqual(self.records(code="first_operator"), [("first_operator", "Ann", "")])
        self.refused(self.admin.accounts.operator_link(AT_CONSOLE), NotAllowed)

    def test_without_a_terminal_the_log_says_how_to_get_a_link(self) -> None:
        self.assertEqual(self.greet(terminal=False), "")
        words = "gtchat admin --data '/data of a chat' operator-link"
        self.assertEqual(self.log.lines, [f"there are no accounts: {words} sets up the chat"])
        self.assertEqual(self.greet(terminal=False, folder=None), "")
        self.assertEqual(len(self.log.lines), 1)
        self.assertEqual(self.records(code="operator_link"), [])

    def test_with_accounts_nothing_is_printed_and_a_link_can_be_made(self) -> None:
        self.server.member("Ann")
        self.assertEqual((self.greet(), self.log.lines), ("", []))
        secret = self.secret()
        self.assertEqual(self.register("Ann", secret), "name_taken")
        self.assertEqual(self.register("Bob", secret), "")
        self.assertTrue(self.account("bob").operator)  # type: ignore[union-attr]

    def test_an_operator_has_a_password(self) -> None:
        uuid = "0b5e5e0e-35a2-4e0c-9b2b-2c8c6b4c5d1f"
        self.assertEqual(self.register("Ann", self.secret(), uuid=uuid), "bad_request")

    def test_a_link_ends_after_a_day_and_wrong_ones_count_as_failed_logins(self) -> None:
        secret = self.secret()
        self.server.clock.advance(LOGIN_LINK_S)
        for code in ("bad_invite", "bad_invite", "bad_invite", "locked_out"):
            self.assertEqual(self.register("Ann", secret), code)

    def test_the_links_of_all_nodes_are_good_until_one_is_used(self) -> None:
        first, second = nodes(2)
        self.use(first)
        links = [self.secret()]
        self.use(second)
        links.append(self.secret())
        self.assertEqual(self.register("Ann", links[0], second), "")
        self.assertEqual(self.register("Bob", links[1], first), "bad_invite")

    def test_of_registrations_at_the_same_time_one_is_the_operator(self) -> None:
        secret = self.secret()
        clients = [self.server.connect() for _ in range(2)]
        for client, name in zip(clients, ("Ann", "Bob"), strict=True):
            client.send("register", usr=name, pwd="password", link=secret, tracker=1)
        self.server.run_pending()
        self.assertEqual([one.reply("1")["status"] for one in clients], ["ok", "error"])
        self.assertIsNone(self.account("bob"))

    def test_a_store_that_fails_does_no_harm(self) -> None:
        def fail(*args: object) -> None:
            raise NotStored()

        self.patch(self.server.store, "list_accounts", fail)
        self.assertEqual(self.greet(), "")
        self.assertEqual(len(self.log.lines), 1)


class Terminal(Administered):
    def test_a_text_is_written_past_the_log(self) -> None:
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        self.patch(first_start, "STDOUT", slave)
        write = open_terminal()
        assert write is not None
        write("hello")
        self.assertEqual(os.read(master, 5), b"hello")
        self.patch(first_start, "STDOUT", os.open(os.devnull, os.O_WRONLY))
        self.addCleanup(os.close, first_start.STDOUT)
        self.assertIsNone(open_terminal())
