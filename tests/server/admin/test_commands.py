"""The table of administrative commands: each of them over each of its channels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import filter_rules
from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE, AUDIT, OFFLINE, Actor
from gtchat.chat.ban_admin import BanTerms
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.invite_links import Wanted
from gtchat.chat.limit_admin import FOR_ACCOUNTS
from gtchat.chat.limits import Limits
from gtchat.chat.storage_store import StorageUse
from gtchat.server.admin.arguments import read_words
from gtchat.server.admin.command import Channel
from gtchat.server.admin.commands import COMMANDS, find_command, help_output
from gtchat.server.admin.console import ConsoleServer
from gtchat.server.admin.socket import ADMIN_LINE, READY
from gtchat.server.reload import Reloaded
from tests.chat.test_data_export import RecordedFiles
from tests.fakes import FakeClient, TestServer
from tests.server.admin.test_console import Socket
from tests.server.test_config import DOCS

#: Command -> a line with it that works, one with a wrong argument, and what the result has.
#: A secret follows behind a bar.
LINES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "help": ("", "x", {}),
    "access": ("", "x", {"registration": "open", "guests": "on", "chosen": ""}),
    "chat-name": ("The Garden", "", {"name": "The Garden", "chosen": "name"}),
    "registration": ("closed", "maybe", {"registration": "closed", "chosen": "registration"}),
    "guests": ("off", "no", {"guests": "off", "chosen": "guests"}),
    "panic": ("on --for 2h", "on --for 8d", {"panic": "on", "registration": "closed"}),
    "invitations create": ("--uses 5 --rooms garden", "--days 0", {"id": 2}),
    "invitations list": ("--limit 1", "--limit x", {"invitations": [1]}),
    "invitations revoke": ("1", "9", {"id": 1}),
    "accounts list": ("--search ann --limit 5", "--limit 0", {"accounts": ["Ann"]}),
    "accounts show": ("ann", "unknown", {"name": "Ann", "online": True}),
    "accounts create": ("Cat|open sesame", "Cat|tiny", {"name": "Cat"}),
    "accounts rename": ("bob Robert", "ann Anna", {"name": "Robert"}),
    "accounts delete": ("bob --messages erase", "bob --directs burn", {"name": "Bob"}),
    "export-account": ("ann /ann.zip", "unknown /x.zip", {"name": "Ann", "file": "/ann.zip"}),
    "accounts set-password": ("bob|open sesame", "bob|tiny", {"name": "Bob"}),
    "accounts login-link": ("bob", "gus", {"name": "Bob"}),
    "accounts operator": ("bob on", "bob maybe", {"name": "Bob", "operator": True}),
    "operator-link": ("", "x", {}),
    "sessions list": ("ann", "unknown", {"total": 1}),
    "sessions at": ("192.0.2.1", "nowhere", {"total": 3}),
    "limits show": (
        "--search daily_bytes_guests",
        "--limit 0",
        {"limits": ["daily_bytes_guests_address"]},
    ),
    "limits set": (
        "text_chars 100",
        "text_chars -1",
        {"name": "text_chars", "value": 100, "setting": 4000},
    ),
    "sessions end": ("ann", "ann --id 0123", {"name": "Ann"}),
    "rooms list": ("--search gar", "--after", {"rooms": ["Garden"]}),
    "rooms show": ("garden", "nowhere", {"name": "Garden", "topic": "plants", "members": 2}),
    "rooms delete": ("garden", "lobby", {"name": "Garden"}),
    "rooms set-owner": ("garden bob", "garden olga", {"name": "Garden", "owner": "Bob"}),
    "rooms keep": (
        "garden --messages 100",
        "garden --days -1",
        {"name": "Garden", "keep_messages": 100, "keep_days": 0},
    ),
    "rooms role": ("lobby bob moderator", "garden bob king", {"name": "lobby"}),
    "audit": ("--since 1h --code login --limit 1", "--since yesterday", {"records": ["login"]}),
    "reload": ("", "now", {"changed": ["text_chars"], "restart": ["ws"], "overridden": ["guests"]}),
    "vacuum": ("", "x", {"before": {}, "after": {}}),
    "storage": ("accounts --limit 1", "users", {"accounts": ["Ann"], "complete": True}),
    "quotas list": ("accounts", "users", {"accounts": ["Ann"], "others": None}),
    "quotas account": ("bob 20M", "bob -1", {"name": "Bob", "quota": 20 * 2**20}),
    "quotas room": ("garden none", "garden 5t", {"name": "Garden", "bytes": 5, "quota": None}),
    "bans add": (
        "--account bob --reason spam --for 1h",
        "--account bob --name bob",
        {"target": "Bob", "kind": "account", "reason": "spam", "added": True},
    ),
    "bans list": ("--search spam", "--limit 0", {"bans": ["spammer*"]}),
    "bans remove": ("1", "99", {"id": 1}),
    "reports list": ("--room garden", "--room nowhere", {"reports": ["roses"]}),
    "reports answer": ("1 accepted --answer thanks", "1 maybe", {"id": 1, "outcome": "accepted"}),
    "announce": ("Down at noon", "", {}),
    "filter add": (
        "viagra* --action mute --for 1h",
        "* --action mute --for 1h",
        {"pattern": "viagra*", "action": "mute", "seconds": 3600},
    ),
    "filter list": ("--search sp --limit 1", "--limit 0", {"rules": ["spam"]}),
    "filter remove": ("d96d443a", "none", {"id": "d96d443a"}),
    "filter test": ("roses --days 1", "roses --days 0", {"messages": 1, "users": 1, "read": 1}),
}
#: Fields of the items of lists by which `LINES` name them.
NAMES = {
    "accounts": "name",
    "rooms": "name",
    "records": "code",
    "bans": "target",
    "limits": "name",
    "invitations": "id",
    "reports": "message",
    "rules": "pattern",
}
SECRETS = ("open sesame", "tiny")


class Administration(SynchronousTestCase):
    """A chat with Ann and Gus online, Bob offline, a room, and the operator Olga."""

    def setUp(self) -> None:
        limits = Limits(commands_per_second=0, admin_commands_per_minute=0, lockout_tries=0)
        self.server = TestServer(limits)
        self.consoles = ConsoleServer(self.server.chat, lambda: None, "http://a.example/, ws://b")
        self.commands = self.consoles.commands
        self.commands.reload = self.reload
        self.server.chat.exports.files = RecordedFiles()
        self.server.chat.admin.operators.commands = self.commands
        ann, bob = self.server.member("Ann"), self.server.member("Bob")
        self.ann = ann
        self.server.guest("Gus")
        self.olga = self.server.member("Olga")
        self.done(self.server.chat.admin.accounts.set_operator("olga", True, AT_CONSOLE))
        ann.call("create_room", room_name="Garden", topic="plants")
        seq = ann.call("speak", room_name="Garden", msg="roses")["seq"]
        bob.call("join_room", room_name="Garden")
        bob.call("report", room_name="Garden", seq=seq)
        bob.call("logout")
        bob.drop()
        banned = self.server.chat.admin.bans.ban_names("spammer*", BanTerms("spam"), AT_CONSOLE)
        self.done(banned)
        rule = FilterRule("spam", "flag")
        self.done(self.server.chat.admin.word_filter.add(rule, None, AT_CONSOLE))
        made = self.server.chat.invite_links.create_as_operator(Wanted(), AT_CONSOLE)
        self.done(made)
        self.done(self.server.chat.admin.quotas.set_of_account("ann", 7000, AT_CONSOLE))
        self.olga.call("admin", name="help", pwd="password")
        self.ran = len(self.records())

    def reload(self, actor: Actor) -> Reloaded:
        """Stand for the server, which writes the record."""
        self.server.chat.audit.note("reloaded", actor, settings="default settings")
        return Reloaded(("text_chars",), ("ws",), ("guests",))

    def done(self, coroutine: Any) -> Any:
        result = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return self.successResultOf(result)

    def records(self) -> list[Any]:
        """Return all records of the audit log, oldest first."""
        query = AuditQuery(limit=1000)
        return list(self.done(self.server.chat.admin.audit(query)))[::-1]

    def arguments(self, name: str, line: str) -> dict[str, object]:
        """Return the arguments that a line of `LINES` gives."""
        words, _, secret = line.partition("|")
        arguments = read_words(COMMANDS[name].arguments, words.split())
        return {**arguments, "password": secret} if secret else arguments

    def call(self, channel: Channel, name: str, line: str) -> dict[str, Any]:
        """Run a command over a channel; return its result, or code and text of the error."""
        call = {
            Channel.CONSOLE: self.over_socket,
            Channel.OFFLINE: self.offline,
            Channel.HOST: self.at_console,
            Channel.JSON: self.over_json,
        }[channel]
        return call(name, line)

    def over_socket(self, name: str, line: str) -> dict[str, Any]:
        transport = Socket(0)
        console = self.consoles.buildProtocol(None)
        console.makeConnection(transport)
        console.dataReceived(ADMIN_LINE + b"\n")
        self.assertEqual(transport.value().splitlines()[-1], READY)
        transport.clear()
        request = {"name": name, "args": self.arguments(name, line)}
        console.dataReceived(json.dumps(request).encode() + b"\n")
        self.server.run_pending()
        self.assertTrue(transport.disconnecting)
        [reply] = transport.value().splitlines()
        answer = json.loads(reply)
        return answer["data"] if answer["status"] == "ok" else answer

    def offline(self, name: str, line: str) -> dict[str, Any]:
        return self.of_coroutine(Channel.OFFLINE, name, line)

    def of_coroutine(self, channel: Channel, name: str, line: str) -> dict[str, Any]:
        result = Deferred.fromCoroutine(
            self.commands.call(OFFLINE, channel, name, self.arguments(name, line))
        )
        self.server.run_pending()
        found: list[Any] = []
        result.addBoth(found.append)
        if hasattr(found[0], "value"):
            return {"code": found[0].value.code, "text": found[0].value.text}
        return dict(found[0].data)

    def at_console(self, name: str, line: str) -> dict[str, Any]:
        """Type a line at the host console; what it shows stands for the result."""
        transport = StringTransport()
        self.consoles.attach_terminal(lambda console: console.makeConnection(transport))
        console = self.consoles.consoles[-1]
        self.server.run_pending()
        transport.clear()
        console.dataReceived(f"ADMIN {name} {line.replace('|', ' ')}\n".encode())
        self.server.run_pending()
        console.connectionLost()
        return {"shown": transport.value().decode()}

    def over_json(self, name: str, line: str) -> dict[str, Any]:
        reply = self.olga.call("admin", name=name, args=self.arguments(name, line))
        if reply["status"] != "ok":
            return {"code": reply["code"], "text": reply["msg"]}
        result: dict[str, Any] = reply["result"]
        return result

    def assertHas(self, result: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        for name, value in wanted.items():
            found = result[name]
            if name in NAMES:
                found = [one[NAMES[name]] for one in found]
            self.assertEqual(found, value, result)


def _tests() -> dict[str, Any]:
    """Return a test for each command and channel."""
    found = {}
    for name in COMMANDS:
        for channel in Channel:

            def test(self: Rows, name: str = name, channel: Channel = channel) -> None:
                self.try_row(name, channel)

            found[f"test_{name.replace(' ', '_')}_by_{channel.name.lower()}"] = test
    return found


class Rows(Administration):
    """A right call, a wrong argument, an account without the mark, a channel that a command does
    not have, its record."""

    def try_row(self, name: str, channel: Channel) -> None:
        command = COMMANDS[name]
        right, wrong, wanted = LINES[name]
        if name == "operator-link" and channel in command.channels:
            self.done(self.server.chat.admin.accounts.set_operator("olga", False, AT_CONSOLE))
        if channel not in command.channels:
            self.assertRefusedThere(name, channel, right)
            return
        if channel is Channel.JSON:
            args = self.arguments(name, right)
            reply = self.ann.call("admin", name=name, args=args, pwd="password")
            self.assertEqual(reply["code"], "not_allowed")
            self.assertEqual(self.records()[-1].code, "admin_refused")
        if channel is Channel.HOST:
            self.assertShown(name, right, wrong, wanted)
        else:
            self.assertRefused(name, channel, wrong)
            self.assertHas(self.call(channel, name, right), wanted)
        record = [one for one in self.records()[self.ran :] if one.code == command.audit][-1]
        who = {Channel.JSON: "Olga", Channel.OFFLINE: "(offline)"}.get(channel, "(console)")
        self.assertEqual(record.who, who)
        self.assertEqual(record.session != "", channel is Channel.JSON)
        self.assertEqual(record.address, "192.0.2.1" if channel is Channel.JSON else "")
        for secret in SECRETS:
            self.assertNotIn(secret, str(self.records()))

    def assertRefused(self, name: str, channel: Channel, wrong: str) -> None:
        """Check that a wrong argument changes nothing, and leaves no record of the command."""
        try:
            arguments = self.arguments(name, wrong)
        except Exception:
            return  # the words are none already: `WrongWords` tries that
        before = len([one for one in self.records() if one.code == COMMANDS[name].audit])
        answer = self.call(channel, name, wrong)
        self.assertIn("code", answer, arguments)
        after = [one for one in self.records() if one.code == COMMANDS[name].audit]
        self.assertEqual(len(after), before)

    def assertRefusedThere(self, name: str, channel: Channel, right: str) -> None:
        before = [one for one in self.records() if not AUDIT[one.code].counted]
        answer = self.call(channel, name, right)
        if channel is Channel.HOST:
            self.assertIn("gtchat admin", answer["shown"])
        else:
            self.assertEqual(answer["code"], "not_allowed")
            self.assertIn("cannot be given here", answer["text"])
        self.assertEqual([one for one in self.records() if not AUDIT[one.code].counted], before)

    def assertShown(self, name: str, right: str, wrong: str, wanted: Mapping[str, Any]) -> None:
        if name == "help":
            self.assertIn("accounts list", self.at_console("help", "")["shown"])
            self.done(self.commands.call(AT_CONSOLE, Channel.HOST, "help", {}))
            return
        shown = self.at_console(name, wrong)["shown"]
        self.assertEqual(len(shown.splitlines()), 1, shown)
        shown = self.at_console(name, right)["shown"]
        for value in wanted.values():
            one = value[0] if isinstance(value, list) else value
            if isinstance(one, str):
                self.assertIn(one, shown)


for _name, _test in _tests().items():
    setattr(Rows, _name, _test)


class Rights(Administration):
    """What accounts may not do."""

    def test_a_user_without_the_mark_may_nothing(self) -> None:
        ann = self.server.connect()
        ann.login("Ann", pwd="password", device="d")
        for name, command in COMMANDS.items():
            line = LINES[name][0]
            arguments = self.arguments(name, line)
            reply = ann.call("admin", name=name, args=arguments, pwd="password")
            self.assertEqual(reply["code"], "not_allowed", command)
        codes = {one.code for one in self.records()[self.ran :]}
        self.assertEqual(codes, {"login", "admin_refused"})

    def test_an_operator_gives_the_password_first(self) -> None:
        other = self.server.connect()
        reply = other.login("Olga", pwd="password", device="d")
        self.assertTrue(reply["operator"])
        for pwd, code in ((None, "password_again"), ("wrong", "bad_credentials")):
            reply = other.call("admin", name="accounts list", **({"pwd": pwd} if pwd else {}))
            self.assertEqual(reply["code"], code)
        reply = other.call("admin", name="accounts list", pwd="password")
        self.assertEqual(len(reply["result"]["accounts"]), 3)

    def test_console_only_accounts_of_operators(self) -> None:
        self.over_socket("accounts operator", "bob on")
        for name in ("accounts set-password", "accounts login-link"):
            self.assertEqual(self.over_json(name, LINES[name][0])["code"], "not_allowed")
            self.assertNotIn("code", self.over_socket(name, LINES[name][0]))

    def test_the_mark_is_taken_at_the_console(self) -> None:
        self.over_socket("accounts operator", "olga off")
        self.assertEqual(self.over_json("rooms list", "")["code"], "not_allowed")
        codes = [one.code for one in self.records()[self.ran :]]
        self.assertEqual(codes, ["operator_off", "admin_refused"])

    def test_unknown_commands_and_arguments(self) -> None:
        for request, code in (
            ({"name": "accounts", "args": {}}, "unknown_cmd"),
            ({"name": "accounts list", "args": {"x": 1}}, "bad_request"),
            ({"name": "accounts list", "args": {"limit": "1x"}}, "bad_request"),
            ({"name": "accounts list", "args": {"guests": "yes"}}, "bad_request"),
            ({"name": "accounts show", "args": {"name": 7}}, "bad_request"),
            ({"name": "accounts show", "args": {"name": ""}}, "bad_request"),
            ({"name": "accounts show", "args": {}}, "bad_request"),
            ({"name": "accounts list", "args": {"limit": None}}, None),
        ):
            reply = self.olga.call("admin", **request)
            self.assertEqual(reply.get("code"), code, request)

    def test_a_result_that_is_too_long_is_refused(self) -> None:
        for number in range(200):
            fields = {"by": "Olga", "room": "x" * 2000, "name": str(number)}
            self.server.chat.audit.note("kicked", **fields)
        reply = self.olga.call("admin", name="audit", args={"limit": 200})
        self.assertEqual(reply["code"], "too_long")

    def test_the_console_shows_no_presence_to_a_request(self) -> None:
        """It does not log Host in, either."""
        self.over_socket("rooms list", "")
        self.assertNotIn("Host", self.olga.call("get_user_list")["users"])
        self.assertEqual(self.consoles.consoles, [])


class WordFilter(Administration):
    """What is shown of the rules of the word filter."""

    def test_rules_come_in_pages(self) -> None:
        for word in ("ham", "eggs"):
            self.server.clock.advance(1)
            self.over_socket("filter add", f"{word} --room garden")
        words: list[str] = []
        line = "--limit 1"
        while line:
            page = self.over_socket("filter list", line)
            words += [rule["pattern"] for rule in page["rules"]]
            line = f"--limit 1 --after {page['next']}" if "next" in page else ""
        self.assertEqual(words, ["spam", "ham", "eggs"])
        self.assertEqual(page["rules"][0]["room"], "garden")
        self.assertNotIn("warning", page)

    def test_rules_that_do_nothing_are_named(self) -> None:
        self.patch(filter_rules, "load_re2", lambda: None)
        rule = FilterRule("a+", "flag", True)
        self.server.chat.word_filter.choose(f"filter {rule.id}", rule.stored())
        page = self.over_socket("filter list", "")
        self.assertEqual(page["warning"], f"1 rules do nothing. {filter_rules.MISSING}")
        refused = self.over_socket("filter add", "a+ --regex")
        self.assertEqual(refused["text"], filter_rules.MISSING)


class Limited(Administration):
    """What is shown of limits, and which values they can have."""

    def set(self, line: str) -> str:
        """Set a limit at the server; return the text of the error, "" for none."""
        return str(self.over_socket("limits set", line).get("text", ""))

    def test_where_each_value_is_from(self) -> None:
        limits = self.server.chat.limits
        self.server.chat.change_limits(attrs.evolve(limits, bans=7), {"bans": "file"})
        self.assertNotIn("code", self.over_json("limits set", "text_chars 100"))
        shown = {
            one["name"]: one for one in self.over_socket("limits show", "--limit 200")["limits"]
        }
        self.assertEqual(list(shown), [field.name for field in attrs.fields(Limits)])
        fields = ("value", "source", "by", "since", "setting", "accounts")
        found = {name: [one[field] for field in fields] for name, one in shown.items()}
        since = "2027-01-15T08:00:00.000Z"
        self.assertEqual(found["text_chars"], [100, "operator", "Olga", since, 4000, True])
        self.assertEqual(found["bans"], [7, "file", None, None, 7, False])
        self.assertEqual(found["reports"], [10_000, "default", None, None, 10_000, False])

    def test_they_come_in_pages_or_only_those_that_were_set(self) -> None:
        self.assertEqual(self.over_socket("limits show", "--chosen"), {"limits": []})
        self.set("text_chars 100")
        page = self.over_socket("limits show", "--chosen")
        self.assertEqual([one["name"] for one in page["limits"]], ["text_chars"])
        names: list[str] = []
        line = "--limit 30"
        while line:
            page = self.over_socket("limits show", line)
            names += [one["name"] for one in page["limits"]]
            line = f"--limit 30 --after {page['next']}" if "next" in page else ""
        self.assertEqual(names, [field.name for field in attrs.fields(Limits)])

    def test_the_value_of_the_setting_is_chosen_again(self) -> None:
        self.set("text_chars 100")
        limit = self.over_socket("limits set", "text_chars default")
        self.assertEqual((limit["value"], limit["source"]), (4000, "default"))

    def test_a_wrong_value_or_name_says_what_is_right(self) -> None:
        for line, text in (
            ("text_char 5", "name: there is no limit 'text_char'; did you mean text_chars?"),
            ("text_chars 1.5", "value: text_chars must be a whole number, not '1.5'."),
            ("text_chars many", "value: text_chars must be a whole number, not 'many'."),
            ("text_chars " + "1" * 33, "value: must be a number, or default."),
            (
                "keep_days inf",
                "value: keep_days cannot be inf; 0 is no limit, 0.000001 the smallest, "
                "100000000000 the largest.",
            ),
            (
                "keep_days -1",
                "value: keep_days cannot be -1; 0 is no limit, 0.000001 the smallest, "
                "100000000000 the largest.",
            ),
        ):
            self.assertEqual(self.set(line), text)
        self.assertEqual(self.over_socket("limits show", "--chosen"), {"limits": []})

    def test_accounts_set_only_what_users_say_and_have(self) -> None:
        refused = self.over_json("limits set", "audit_days 1")
        self.assertEqual(refused["code"], "not_allowed")
        self.assertIn("at the server only", refused["text"])
        self.assertEqual(self.server.chat.limits.audit_days, 90)
        self.assertEqual(self.set("audit_days 30"), "")
        self.assertEqual(self.server.chat.limits.audit_days, 30)

    def test_the_documentation_names_those_that_accounts_can_set(self) -> None:
        text = (DOCS / "operations.md").read_text(encoding="utf-8")
        [named] = re.findall(r"^Operators' accounts can set: (.*)\.$", text, re.MULTILINE)
        self.assertEqual(set(re.findall("`([a-z_]+)`", named)), FOR_ACCOUNTS)


class Panic(Administration):
    """What users are told of the panic switch, and what it shows."""

    def run_line(self, line: str) -> str:
        return str(self.over_socket("panic", line)["panic_until"])

    def told(self) -> list[str]:
        return [push["msg"] for push in self.olga.pushes("c_broadcast")]

    def test_all_users_are_told_when_it_begins_and_ends(self) -> None:
        self.over_socket("panic", "off")
        until = self.run_line("on --for 2h")
        self.assertEqual(self.run_line("off"), "None")
        limits = self.server.chat.limits
        limits.panic_slow_seconds = 0
        self.run_line("on --for 2h")
        self.assertEqual(
            self.told(),
            [
                f"Until {until} guests and new accounts can only read, all others can send a "
                "message every 10 s.",
                "The slow mode of the chat has ended.",
                f"Until {until} guests and new accounts can only read.",
            ],
        )

    def test_it_is_on_for_an_hour_if_no_time_is_given(self) -> None:
        self.run_line("on")
        panic, now = self.server.chat.access.panic, self.server.chat.users.now()
        self.assertEqual(panic.until - now, 3_600_000)


class Pages(Administration):
    def test_lists_come_in_pages(self) -> None:
        names: list[str] = []
        arguments: dict[str, object] = {"limit": 1}
        while True:
            page = self.olga.call("admin", name="accounts list", args=arguments)["result"]
            names += [one["name"] for one in page["accounts"]]
            if "next" not in page:
                break
            arguments["after"] = page["next"]
        self.assertEqual(names, ["Ann", "Bob", "Olga"])

    def test_pages_of_the_audit_log_have_all_records(self) -> None:
        numbers: list[int] = []
        arguments: dict[str, object] = {"limit": 3, "code": "login"}
        while True:
            page = self.over_pages("audit", arguments)
            numbers += [one["id"] for one in page["records"]]
            if "next" not in page:
                break
            arguments["before"] = page["next"]
        logins = [one.id for one in self.records() if one.code == "login"]
        self.assertEqual(numbers, logins[::-1])

    def test_storage_says_whether_all_is_counted(self) -> None:
        with_bytes = self.done(
            self.commands.call(AT_CONSOLE, Channel.CONSOLE, "storage", {"by": "rooms"})
        )
        rooms = [{"name": "Garden", "messages": 1, "bytes": 5, "quota": None}]
        self.assertEqual(with_bytes.data["rooms"], rooms)
        self.assertNotIn("counted", with_bytes.text)
        self.patch(self.server.store, "storage", lambda query: succeed(StorageUse((), False)))
        self.patch(self.server.store, "sizes", lambda: succeed({"database": 4096}))
        cut = self.done(self.commands.call(AT_CONSOLE, Channel.CONSOLE, "storage", {"by": "rooms"}))
        self.assertEqual(
            cut.text.splitlines(),
            [
                "no rooms",
                "database: 4096 bytes",
                "not all messages are counted yet",
            ],
        )
        self.assertEqual(cut.data, {"rooms": [], "sizes": {"database": 4096}, "complete": False})

    def test_quotas_are_listed_and_shown(self) -> None:
        self.server.chat.limits.quota_account_bytes = 100
        for line in ("garden 500k", "lobby 1"):
            self.over_socket("quotas room", line)
        self.over_socket("quotas account", "ann 7")
        rooms = self.over_socket("quotas list", "rooms")
        self.assertEqual(
            [(one["name"], one["quota"]) for one in rooms["rooms"]],
            [("Garden", 512_000), ("lobby", 1)],
        )
        self.assertEqual(self.over_socket("quotas list", "accounts")["others"], 100)
        for name, line, quota in (
            ("accounts show", "ann", 7),
            ("accounts show", "bob", 100),
            ("rooms show", "garden", 512_000),
        ):
            shown = self.over_socket(name, line)
            self.assertEqual(shown["quota"], quota)
        self.assertEqual(shown["bytes"], 5)
        self.over_socket("quotas account", "ann default")
        self.assertEqual(self.over_socket("accounts show", "ann")["quota"], 100)
        self.assertEqual(self.over_socket("quotas list", "accounts")["accounts"], [])

    def over_pages(self, name: str, arguments: dict[str, object]) -> dict[str, Any]:
        result = self.commands.call(AT_CONSOLE, Channel.CONSOLE, name, arguments)
        output = self.done(result)
        self.assertEqual("next" in output.data, "more: --before" in output.text)
        return dict(output.data)


class Table(SynchronousTestCase):
    def test_every_row_is_tried(self) -> None:
        self.assertEqual(LINES.keys(), COMMANDS.keys())

    def test_every_row_has_a_code_of_the_audit_log(self) -> None:
        for command in COMMANDS.values():
            self.assertIn(command.audit, AUDIT)

    def test_help_lists_what_a_channel_has(self) -> None:
        self.assertIn("accounts create NAME", help_output(Channel.CONSOLE).text)
        self.assertNotIn("accounts create NAME", help_output(Channel.HOST).text)

    def test_commands_are_found_by_their_words(self) -> None:
        for line, name, rest in (
            ("accounts list --limit 1", "accounts list", ["--limit", "1"]),
            ("ACCOUNTS List", "accounts list", []),
            ("audit x", "audit", ["x"]),
        ):
            found = find_command(line.split())
            assert found is not None
            self.assertEqual((found[0].name, found[1]), (name, rest))
        for line in ("", "accounts", "list accounts"):
            self.assertIsNone(find_command(line.split()))


class Joined(SynchronousTestCase):
    """A client that is no operator has no sign of one."""

    def test_the_reply_to_a_login_says_nothing_of_operators(self) -> None:
        server = TestServer()
        client: FakeClient = server.connect()
        client.call("register", usr="Ann", pwd="password")
        self.assertNotIn("operator", client.login("Ann", pwd="password"))


class Bans(Administration):
    """Who is banned, and what has to be confirmed before."""

    def add(self, **args: object) -> dict[str, Any]:
        reply = self.olga.call("admin", name="bans add", args=args)
        found: dict[str, Any] = reply.get("result", reply)
        return found

    def test_a_pattern_of_names_is_counted_before_it_is_banned(self) -> None:
        counted = self.add(name="*n*", reason="spam")
        self.assertEqual(counted, {"name": "*n*", "matches": 1, "added": False})
        self.assertEqual(len(self.server.chat.bans.listed()), 1)
        self.assertTrue(self.add(name="*n*", reason="spam", yes=True)["added"])
        self.assertEqual(len(self.server.chat.bans.listed()), 2)

    def test_addresses_and_networks(self) -> None:
        for kind, target, shown in (
            ("address", "203.0.113.5", "203.0.113.5"),
            ("address", "2001:db8::5", "2001:db8::/64"),
            ("network", "203.0.113.0/24", "203.0.113.0/24"),
        ):
            banned = self.add(**{kind: target, "for": "1h"})
            self.assertEqual((banned["target"], banned["kind"]), (shown, "network"))
            self.assertIsNotNone(banned["until"])
        for kind, target, code in (
            ("address", "203.0.113.0/24", "bad_request"),
            ("address", "127.0.0.1", "bad_request"),
            ("network", "192.0.2.0/24", "not_allowed"),
            ("account", "olga", "not_allowed"),
        ):
            self.assertEqual(self.add(**{kind: target})["code"], code, target)
        self.assertEqual(self.add()["code"], "bad_request")

    def test_bans_come_in_pages_newest_first(self) -> None:
        for number in range(3):
            self.add(address=f"203.0.113.{number}")
        result = self.over_json("bans list", "--limit 2")
        self.assertEqual([one["id"] for one in result["bans"]], [4, 3])
        result = self.over_json("bans list", f"--before {result['next']}")
        self.assertEqual([one["id"] for one in result["bans"]], [2, 1])
        self.assertNotIn("next", result)
