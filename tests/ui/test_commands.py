"""The table of slash commands: each row makes the request of docs/protocol.md."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.ui.commands import COMMANDS, TABLE, CommandContext, InputError
from gtchat.ui.parsing import help_lines, parse

CONTEXT = CommandContext(room="garden", inviter="eve", invited="tower")

#: Line -> request without its tracker; "?" for a secret that is asked for.
REQUESTS: dict[str, dict[str, Any]] = {
    "/register ann password1": {"cmd": "register", "usr": "ann", "pwd": "password1"},
    "/invited ann secret password1": {
        "cmd": "register",
        "usr": "ann",
        "invite": "secret",
        "pwd": "password1",
    },
    "/register ann": {"cmd": "register", "usr": "ann", "pwd": "?"},
    "/login ann": {"cmd": "login", "type": "reg", "marks_read": True, "usr": "ann", "pwd": "?"},
    '/login ann "pass word 1"': {
        "cmd": "login",
        "type": "reg",
        "marks_read": True,
        "usr": "ann",
        "pwd": "pass word 1",
    },
    "/guest ann": {"cmd": "login", "type": "tmp", "marks_read": True, "usr": "ann"},
    "/stay ann": {
        "cmd": "login",
        "type": "reg",
        "marks_read": True,
        "remember": True,
        "usr": "ann",
        "pwd": "?",
    },
    "/logout": {"cmd": "logout", "forget": True},
    "/sessions": {"cmd": "get_sessions"},
    "/end-session 3f": {"cmd": "end_session", "id": "3f"},
    "/end-others": {"cmd": "end_other_sessions"},
    "/password a b b": {"cmd": "update_pwd", "pwd": "a", "new_pwd": "b", "new_pwd2": "b"},
    "/password": {"cmd": "update_pwd", "pwd": "?", "new_pwd": "?", "new_pwd2": "?"},
    "/profile": {"cmd": "get_profile"},
    "/profile ann": {"cmd": "get_profile", "user": "ann"},
    "/about I grow roses": {"cmd": "set_profile", "about": "I grow roses"},
    "/about": {"cmd": "set_profile", "about": ""},
    "/export": {"cmd": "export_account", "pwd": "?"},
    "/delete-account": {"cmd": "delete_account", "pwd": "?"},
    "/delete-account erase keep": {
        "cmd": "delete_account",
        "messages": "erase",
        "directs": "keep",
        "pwd": "?",
    },
    "/rooms": {"cmd": "get_room_list"},
    "/rooms my garden": {"cmd": "get_room_list", "after": "my garden"},
    "/users": {"cmd": "get_user_list"},
    "/users bob": {"cmd": "get_user_list", "after": "bob"},
    "/who": {"cmd": "get_room_user_list", "room_name": "garden"},
    "/who lobby": {"cmd": "get_room_user_list", "room_name": "lobby"},
    "/create my garden": {"cmd": "create_room", "room_name": "my garden"},
    "/create-private den": {"cmd": "create_room", "room_name": "den", "public": False},
    "/preview my garden": {"cmd": "history", "room_name": "my garden", "preview": True},
    "/join my garden": {"cmd": "join_room", "room_name": "my garden"},
    '/join "my garden"': {"cmd": "join_room", "room_name": "my garden"},
    "/leave": {"cmd": "leave_room", "room_name": "garden"},
    "/leave den": {"cmd": "leave_room", "room_name": "den"},
    "/invite bob": {"cmd": "invite", "room_name": "garden", "invitee": "bob"},
    "/invite bob my den": {"cmd": "invite", "room_name": "my den", "invitee": "bob"},
    "/accept": {"cmd": "invite_reply", "inviter": "eve", "room_name": "tower", "reply": "Y"},
    "/decline bob my den": {
        "cmd": "invite_reply",
        "inviter": "bob",
        "room_name": "my den",
        "reply": "N",
    },
    "/later": {"cmd": "invite_reply", "inviter": "eve", "room_name": "tower", "reply": "L"},
    '/whisper bob  say "hi" there': {
        "cmd": "whisper",
        "target_user": "bob",
        "msg": 'say "hi" there',
    },
    "/msg bob hi there": {"cmd": "whisper", "target_user": "bob", "msg": "hi there"},
    "/part": {"cmd": "leave_room", "room_name": "garden"},
    "/names den": {"cmd": "get_room_user_list", "room_name": "den"},
    "/history": {"cmd": "history", "room_name": "garden"},
    "/history 20": {"cmd": "history", "room_name": "garden", "limit": 20},
    "/history 20 99": {"cmd": "history", "room_name": "garden", "limit": 20, "before": 99},
    "/mentions": {"cmd": "get_mentions"},
    "/mentions AAAAAAAAAAE": {"cmd": "get_mentions", "before": "AAAAAAAAAAE"},
    "/notify none": {"cmd": "set_notify", "room_name": "garden", "level": "none"},
    "/notify all my den": {"cmd": "set_notify", "room_name": "my den", "level": "all"},
    "/topic all about trees": {
        "cmd": "set_room",
        "room_name": "garden",
        "topic": "all about trees",
    },
    "/open": {"cmd": "set_room", "room_name": "garden", "public": True},
    "/close": {"cmd": "set_room", "room_name": "garden", "public": False},
    "/max 7": {"cmd": "set_room", "room_name": "garden", "max": 7},
    "/owner bob": {"cmd": "set_room", "room_name": "garden", "master": "bob"},
    "/delete-room den": {"cmd": "delete_room", "room_name": "den"},
    "/edit #12 #13 is new": {"cmd": "edit", "room_name": "garden", "seq": 12, "msg": "#13 is new"},
    "/edit #x": {"cmd": "edit", "room_name": "garden", "msg": "#x"},
    "/delete": {"cmd": "delete", "room_name": "garden"},
    "/delete #12 was spam": {
        "cmd": "delete",
        "room_name": "garden",
        "seq": 12,
        "reason": "was spam",
    },
    "/react #12 +": {"cmd": "react", "room_name": "garden", "seq": 12, "emoji": "+"},
    "/unreact +": {"cmd": "react", "room_name": "garden", "emoji": "+", "on": False},
    "/pin": {"cmd": "pin", "room_name": "garden"},
    "/unpin #9": {"cmd": "unpin", "room_name": "garden", "seq": 9},
    "/versions #9": {"cmd": "versions", "room_name": "garden", "seq": 9},
    "/add bob": {"cmd": "add_member", "room_name": "garden", "user": "bob"},
    "/remove bob den": {"cmd": "remove_member", "room_name": "den", "user": "bob"},
    "/kick bob": {"cmd": "kick", "room_name": "garden", "user": "bob"},
    "/kick bob too loud": {
        "cmd": "kick",
        "room_name": "garden",
        "user": "bob",
        "reason": "too loud",
    },
    "/ban spam*": {"cmd": "ban", "room_name": "garden", "user": "spam*"},
    "/unban spam*": {"cmd": "unban", "room_name": "garden", "user": "spam*"},
    "/mute bob 10m too loud": {
        "cmd": "mute",
        "room_name": "garden",
        "user": "bob",
        "seconds": 600,
        "reason": "too loud",
    },
    "/mute bob 10 reasons": {
        "cmd": "mute",
        "room_name": "garden",
        "user": "bob",
        "reason": "10 reasons",
    },
    "/unmute bob": {"cmd": "unmute", "room_name": "garden", "user": "bob"},
    "/role bob moderator": {
        "cmd": "set_role",
        "room_name": "garden",
        "user": "bob",
        "role": "moderator",
    },
    "/role bob": {"cmd": "set_role", "room_name": "garden", "user": "bob", "role": ""},
    "/slow 30": {"cmd": "set_room", "room_name": "garden", "slow": 30},
    "/keep-messages 9": {"cmd": "set_room", "room_name": "garden", "keep_messages": 9},
    "/keep-days 30": {"cmd": "set_room", "room_name": "garden", "keep_days": 30},
    "/moderate": {"cmd": "set_room", "room_name": "garden", "moderated": True},
    "/unmoderate": {"cmd": "set_room", "room_name": "garden", "moderated": False},
    "/moderation": {"cmd": "get_moderation", "room_name": "garden"},
    "/delete-all bob": {"cmd": "delete_messages", "room_name": "garden", "user": "bob"},
    "/report #12 spam": {"cmd": "report", "room_name": "garden", "seq": 12, "reason": "spam"},
    "/report": {"cmd": "report", "room_name": "garden"},
    "/reports": {"cmd": "get_reports", "room_name": "garden"},
    "/all-reports": {"cmd": "get_reports"},
    "/my-reports": {"cmd": "get_reports", "own": True, "answered": True},
    "/answer 3 accepted thank you": {
        "cmd": "answer_report",
        "report_id": 3,
        "outcome": "accepted",
        "answer": "thank you",
    },
    "/answer 3 dismissed": {"cmd": "answer_report", "report_id": 3, "outcome": "dismissed"},
    "/block bob": {"cmd": "block", "user": "bob"},
    "/unblock bob": {"cmd": "unblock", "user": "bob"},
    "/broadcast we stop at noon": {
        "cmd": "broadcast",
        "msg": "we stop at noon",
        "broadcast_key": "?",
    },
    '/search "green tea" from:bob': {"cmd": "search", "q": '"green tea" from:bob', "limit": 20},
    "/port 5000": {"cmd": "set_address", "port": 5000},
    "/getaddress bob": {"cmd": "get_address", "user": "bob"},
    "/allow bob": {"cmd": "allow", "user": "bob"},
    "/deny bob": {"cmd": "deny", "user": "bob"},
    "/hello": {"cmd": "hello"},
    "/ping": {"cmd": "ping"},
}

#: Commands that send no request.
LOCAL = {"room", "private", "help", "quit", "me", "reply", "numbers"}
#: Commands that send other requests than their row says.
OTHERS = {"unread"}

#: Line -> part of the error message.
ERRORS = {
    "/nope": "unknown command /nope",
    "/": "unknown command /",
    "/join": "ROOM is missing: /join ROOM",
    "/whisper bob": "TEXT is missing",
    "/max many": "COUNT must be a number",
    "/edit #12": "TEXT is missing: /edit [#NUMBER] TEXT",
    "/edit #9999999999999999 x": "#NUMBER must be a number",
    "/react": "EMOJI is missing",
    "/max 9999999999999999": "COUNT must be a number",
    "/block bob eve": "too many arguments: /block USER",
    "/ping pong": "too many arguments",
}


class TableTests(SynchronousTestCase):
    def test_each_line_makes_its_request(self) -> None:
        for line, expected in REQUESTS.items():
            request = parse(line, CONTEXT)
            asked = {secret.field: "?" for secret in request.secrets}
            made = {"cmd": request.command.cmd, **request.fields, **asked}
            self.assertEqual(made, expected, line)

    def test_every_row_is_tested(self) -> None:
        names = {line[1:].split()[0] for line in REQUESTS}
        self.assertEqual(names | LOCAL | OTHERS, set(COMMANDS))

    def test_names_and_aliases_are_different(self) -> None:
        self.assertEqual(len(COMMANDS), sum(len(command.names) for command in TABLE))

    def test_in_direct_messages_commands_are_about_them(self) -> None:
        context = CommandContext(room="", direct="bob")
        for line in ("/edit new", "/delete", "/react +", "/history", "/unread", "/notify none"):
            fields = parse(line, context).fields
            self.assertEqual((fields.get("target_user"), "room_name" in fields), ("bob", False))
        self.assertEqual(parse("/notify none den", context).fields["room_name"], "den")
        error = self.assertRaises(InputError, parse, "/edit x", CommandContext(room=""))
        self.assertIn("there is no current room", str(error))

    def test_the_current_room_can_be_changed(self) -> None:
        self.assertEqual(parse("/room my den", CONTEXT).fields, {"room_name": "my den"})

    def test_an_error_names_the_usage(self) -> None:
        for line, part in ERRORS.items():
            error = self.assertRaises(InputError, parse, line, CONTEXT)
            self.assertIn(part, str(error))

    def test_an_answer_without_an_invitation_is_an_error(self) -> None:
        error = self.assertRaises(InputError, parse, "/accept", CommandContext())
        self.assertIn("there is no invitation", str(error))

    def test_help_lists_every_command_with_its_arguments(self) -> None:
        text = "\n".join(help_lines())
        for command in TABLE:
            self.assertIn(f"  {command.help_usage} ", text)
            self.assertIn(command.help, text)
        self.assertIn("/invite USER [ROOM]", text)
        self.assertIn("/whisper, /msg USER TEXT", text)

    def test_help_of_one_command_is_one_line(self) -> None:
        self.assertEqual(help_lines("/ping"), ["  /ping  check whether the server answers"])
        self.assertEqual(help_lines("msg"), help_lines("whisper"))
        self.assertRaises(InputError, help_lines, "nope")

    def test_help_lines_are_at_most_100_columns(self) -> None:
        self.assertTrue(all(len(line) <= 100 for line in help_lines()))
