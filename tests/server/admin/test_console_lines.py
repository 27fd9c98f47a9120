"""What the lines of the admin console mean."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.admin.console import COMMANDS
from gtchat.server.admin.console_lines import read_line


class Lines(SynchronousTestCase):
    def test_a_command_may_be_in_any_case_and_a_message_may_begin_with_one(self) -> None:
        names = {command: name for name, command in COMMANDS.items()}
        for line, command, arguments in (
            ("HELP", "HELP", []),
            ("help", "HELP", []),
            ("/Help", "HELP", []),
            ("HELP x", "HELP", []),
            ("LIST_USERS x", "LIST_USERS", []),
            ("EXIT now", "EXIT", []),
            ("kick bob", "KICK", ["bob"]),
            ("/kick bob", "KICK", ["bob"]),
            ("hello all", None, ["hello all"]),
            ("help me with that", None, ["help me with that"]),
            ("kick off is at noon", None, ["kick off is at noon"]),
            ("HELLO", None, ["HELLO"]),
            ("OK then", None, ["OK then"]),
            (" HELP", None, ["HELP"]),
            ("", None, [""]),
        ):
            found, given, hint = read_line(line, COMMANDS)
            self.assertEqual((found and names[found], given, hint), (command, arguments, ""), line)

    def test_administrative_commands_need_no_word_before_them(self) -> None:
        for line, words in (
            ("ADMIN accounts list", "accounts list"),
            ("ADMIN", ""),
            ("/admin nonsense", "nonsense"),
            ("admin rooms list --limit 1", "rooms list --limit 1"),
            ("/accounts list", "accounts list"),
            ("/audit", "audit"),
            ("ADMIN  announce it's  on", "announce it's  on"),
        ):
            command, given, hint = read_line(line, COMMANDS)
            self.assertEqual((command, given, hint), (COMMANDS["ADMIN"], [words], ""), line)
        for line in ("admin is away", "admin", "accounts list", "announce it", " ADMIN audit"):
            self.assertEqual(read_line(line, COMMANDS), (None, [line.strip()], ""), line)
