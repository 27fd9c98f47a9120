"""A chat from its first start through a raid to a backup, as an operator runs it on a terminal.

All commands are those of the command line. With PostgreSQL they are given at one server, and the
users are at the other.
"""

from __future__ import annotations

import atexit
import json
import re
import time
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from gtchat.cli import main
from tests import postgres
from tests.e2e.server import ON_POSTGRES, SECONDS, Client, Closed, Server
from tests.e2e.test_operation import gtchat

PASSWORD = "correct horse battery"
#: Network of the users that raid the chat, as their proxy tells it.
RAID = "198.51.100"


class WalkServer(Server):
    """A server that does often what it does every few seconds, as the tests wait for it."""

    program = (
        "from gtchat.chat import account_deletion, quota_admin\n"
        "quota_admin.LOOK_INTERVAL_S = account_deletion.KNOWN_S = 0.2\n"
    ) + Server.program


class TerminalServer(WalkServer):
    """A server whose standard output is a terminal.

    Attributes:
        secret: of the link that the first start printed, once `start` has returned.
    """

    program = (
        """
import os, pty, threading
shown, terminal = pty.openpty()
pipe = os.dup(1)
os.dup2(terminal, 1)
def copy():
    while data := os.read(shown, 65536):
        os.write(pipe, data)
threading.Thread(target=copy, daemon=True).start()
"""
        + WalkServer.program
    )
    secret = ""

    def start(self) -> Server:
        super().start()
        began = time.monotonic()
        client = Client(self.ws_port)
        while not (found := re.search(r"(\S+/#/first/)(\S+)", "".join(self.lines))):
            assert time.monotonic() < began + SECONDS, self.lines
            client.call("hello")
        client.close()
        assert found[1] == f"http://127.0.0.1:{self.web_port}/#/first/", found
        self.secret = found[2]
        return self


def _first_start(count: int, *options: str) -> tuple[list[Server], str]:
    """Start servers with an empty database; the link of the first one makes the account Root.

    Returns:
        the servers, and the link's secret.
    """
    options = ("--trusted-proxies", "127.0.0.1", "--commands-per-second", "0", *options)
    first = TerminalServer(*options)
    servers = [first, *(WalkServer(*options) for _ in range(count - 1))]
    for server in servers:
        atexit.register(server.kill)
    first.start()
    client = Client(first.ws_port)
    reply = client.call("register", usr="Root", pwd=PASSWORD, link=first.secret)
    assert reply["status"] == "ok", reply
    client.close()
    for server in servers[1:]:
        server.start()
    return servers, first.secret


@cache
def one_server() -> tuple[list[Server], str]:
    """Return a server for all tests, and the secret of its link."""
    return _first_start(1)


@cache
def two_servers() -> tuple[list[Server], str]:
    """Return two servers of one database for all tests, and the secret of the link."""
    return _first_start(2, "--store", postgres.create_empty())


class WalkCase(SynchronousTestCase):
    """Commands are given at the first server; users connect to the last one."""

    def setUp(self) -> None:
        self.servers, self.secret = self.start()

    def start(self) -> tuple[list[Server], str]:
        """Return the servers and the secret of the first start."""
        raise NotImplementedError

    def where(self) -> tuple[str, ...]:
        """Return the options that say which server."""
        options = self.servers[0].options
        store = options[options.index("--store") :][:2] if "--store" in options else ()
        return ("--data", str(self.servers[0].folder), *store)

    def run_here(self, *words: str) -> tuple[int, str, str]:
        """Run the gtchat command in this process, which costs less than one for each command.

        Returns:
            exit status, standard output and standard error.
        """
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(words)
        return status, out.getvalue(), err.getvalue()

    def admin(self, line: str, *words: str, typed: str = "", refused: str = "") -> Any:
        """Run a command; return what it says as JSON.

        Args:
            line: words of the command, with spaces between.
            words: further words.
            typed: what it finds on standard input; then it is a process of its own.
            refused: the code of the error that is expected, "" for none.
        """
        words = ("admin", *self.where(), "--json", *line.split(), *words)
        if typed:
            done = gtchat(*words, typed=typed)
            status, out, err = done.returncode, done.stdout, done.stderr
        else:
            status, out, err = self.run_here(*words)
        self.assertEqual(status, 1 if refused else 0, (line, out, err))
        result = json.loads(out)
        self.assertEqual(result["code"] if refused else "", refused, (line, out))
        return result

    def client(self, address: str = "203.0.113.1") -> Client:
        """Return a client of the last server, at an address that the proxy tells."""
        client = Client(self.servers[-1].ws_port, headers=f"X-Forwarded-For: {address}\r\n")
        self.addCleanup(client.close)
        return client

    def registered(self, name: str, **fields: object) -> Client:
        """Return a client that has registered and logged in."""
        client = self.client()
        for cmd, more in (("register", fields), ("login", {"type": "reg"})):
            reply = client.call(cmd, usr=name, pwd=PASSWORD, **more)
            self.assertEqual(reply["status"], "ok", reply)
        return client

    def guest(self, name: str, address: str) -> Client:
        """Return a guest who is logged in."""
        client = self.client(address)
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def create_room(self, client: Client, name: str) -> None:
        """Create a room; wait until the server of the commands has it."""
        self.assertEqual(client.call("create_room", room_name=name)["status"], "ok")
        began = time.monotonic()
        while not self.admin(f"rooms list --search {name}")["rooms"]:
            self.assertLess(time.monotonic(), began + SECONDS)

    def code(self, cmd: str, address: str = "203.0.113.1", **fields: object) -> str:
        """Send a request on a connection of its own; return the code of its error, "" for none."""
        return str(self.client(address).call(cmd, **fields).get("code", ""))

    def let_all_in(self) -> None:
        """Take back what was chosen, for the other tests."""
        self.admin("panic off")
        self.admin("registration default")
        self.admin("guests default")
        self.until_told(registration="open", guests=True)

    def until_told(self, **wanted: object) -> None:
        """Wait until the server of the users says in its `hello` what was chosen."""
        client, began = self.client(), time.monotonic()
        while not wanted.items() <= (told := client.call("hello")).items():
            self.assertLess(time.monotonic(), began + SECONDS, told)

    def until_refused(self, client: Client, refused: str, cmd: str, **fields: object) -> None:
        """Repeat a request until the server of the users refuses it; "": until it does not."""
        began = time.monotonic()
        while (code := client.call(cmd, **fields).get("code", "")) != refused:
            self.assertLess(time.monotonic(), began + SECONDS, code)

    def until_counted(self, room: str, messages: int) -> None:
        """Wait until the texts of a room are counted, which is done while no user sends any."""
        began, found = time.monotonic(), 0
        while found < messages:
            use = self.admin("storage rooms")["rooms"]
            [found] = [one["messages"] for one in use if one["name"] == room] or [0]
            self.assertLess(time.monotonic(), began + SECONDS, use)

    def closed(self, client: Client) -> Closed:
        """Wait until a connection is closed; return with what."""
        try:
            while True:
                client.message()
        except Closed as closed:
            return closed

    def pushed(self, client: Client, **wanted: object) -> None:
        """Wait for a push with some fields."""
        while not wanted.items() <= client.message().items():
            pass


class Walk(WalkCase):
    if ON_POSTGRES:
        skip = postgres.MISSING

    def start(self) -> tuple[list[Server], str]:
        return one_server()

    def test_link_of_the_first_start_has_made_the_operator(self) -> None:
        root = self.client()
        reply = root.call("login", type="reg", usr="root", pwd=PASSWORD)
        self.assertTrue(reply["operator"])
        [listed] = self.admin("accounts list --operators")["accounts"]
        self.assertEqual((listed["name"], listed["password"]), ("Root", True))
        again = {"usr": "Second", "pwd": PASSWORD, "link": self.secret}
        self.assertEqual(self.code("register", **again), "bad_invite")
        self.admin("operator-link", refused="not_allowed")
        text = "".join(line for server in self.servers for line in server.lines)
        self.assertEqual(text.count(self.secret), 1)  # on the terminal

    def test_accounts_are_made_and_helped(self) -> None:
        self.admin("accounts create Ann", typed=f"{PASSWORD}\n")
        self.admin("accounts create ann", typed=f"{PASSWORD}\n", refused="name_taken")
        [listed] = self.admin("accounts list --search ann")["accounts"]
        self.assertEqual((listed["name"], listed["operator"]), ("Ann", False))
        ann = self.client()
        self.assertEqual(ann.call("login", type="reg", usr="ann", pwd=PASSWORD)["status"], "ok")
        self.admin("accounts set-password ann", typed="another horse\n")
        self.assertEqual(self.closed(ann).code, 4001)
        self.assertEqual(self.code("login", type="reg", usr="ann", pwd=PASSWORD), "bad_credentials")
        link = self.admin("accounts login-link ann")["link"].partition("#/login/")[2]
        self.assertEqual(self.code("login", type="link", link=link), "")
        self.assertEqual(self.code("login", type="link", link=link), "bad_credentials")

    def test_invitations_are_the_only_way_in(self) -> None:
        self.addCleanup(self.let_all_in)
        self.create_room(self.registered("hazel"), "porch")
        self.admin("registration invite")
        self.until_told(registration="invite")
        new = {"usr": "ivy", "pwd": PASSWORD}
        self.assertEqual(self.code("register", **new), "invite_wanted")
        made = self.admin("invitations create --uses 2 --rooms porch")
        ivy = self.registered("ivy", invite=made["invite"])
        joined = [room["room_name"] for room in ivy.call("get_room_list", joined=True)["rooms"]]
        self.assertIn("porch", joined)
        [listed] = self.admin("invitations list")["invitations"]
        self.assertEqual((listed["id"], listed["uses"], listed["used"]), (made["id"], 2, 1))
        self.admin(f"invitations revoke {made['id']}")
        late = {"usr": "jon", "pwd": PASSWORD, "invite": made["invite"]}
        self.assertEqual(self.code("register", **late), "bad_invite")

    def test_raid_is_ended(self) -> None:
        self.addCleanup(self.let_all_in)
        guests = [self.guest(f"raid{i}", f"{RAID}.{i}") for i in range(1, 9)]
        other = self.guest("raided", "192.0.2.7")
        spy, bystander = self.registered("spy"), self.registered("bystander")

        self.admin("guests off")
        self.admin("registration closed")
        self.until_told(registration="closed", guests=False)
        self.assertEqual(self.code("login", type="tmp", usr="late"), "not_allowed")
        late = {"usr": "late", "pwd": PASSWORD}
        self.assertEqual(self.code("register", **late), "registration_closed")

        self.assertEqual(self.admin("sessions at", f"{RAID}.1")["total"], 1)
        terms = ("--reason", "a raid", "--for", "1h")
        self.admin(f"bans add --network {RAID}.0/24", *terms)
        for guest in guests:
            closed = self.closed(guest)
            self.assertEqual(closed.code, 4002)
            self.assertRegex(closed.reason, "^banned: .*a raid")
        self.assertEqual(self.closed(self.client(f"{RAID}.99")).code, 4002)

        counted = self.admin("bans add --name RAID*", *terms)
        self.assertFalse(counted["added"])
        self.assertGreaterEqual(counted["matches"], 1)
        self.admin("bans add --name RAID* --yes", *terms)
        self.assertRegex(self.closed(other).reason, "^banned")

        self.admin("bans add --account spy", *terms)
        self.assertEqual(self.closed(spy).code, 4002)
        refused = self.client().call("login", type="reg", usr="spy", pwd=PASSWORD)
        self.assertEqual(refused["code"], "banned")
        self.assertIn("a raid", refused["msg"])
        self.assertTrue(0 < refused["retry_after"] <= 3600, refused)
        self.assertEqual(bystander.call("ping")["status"], "ok")
        self.admin("bans add --network 127.0.0.0/8", refused="bad_request")

        bans = self.admin("bans list")["bans"]
        kinds = {(one["kind"], one["target"]) for one in bans}
        wanted = {("network", f"{RAID}.0/24"), ("name", "raid*"), ("account", "spy")}
        self.assertLessEqual(wanted, kinds)
        for one in bans:
            self.admin(f"bans remove {one['id']}")
        spy, began = self.client(), time.monotonic()
        while spy.call("login", type="reg", usr="spy", pwd=PASSWORD)["status"] != "ok":
            self.assertLess(time.monotonic(), began + SECONDS)

    def test_reports_are_answered(self) -> None:
        owner, sender = self.registered("rita"), self.registered("ben")
        self.create_room(owner, "cellar")
        sender.call("join_room", room_name="cellar")
        seq = sender.call("speak", room_name="cellar", msg="buy this")["seq"]
        reply = owner.call("report", room_name="cellar", seq=seq, reason="spam")
        self.assertEqual(reply["status"], "ok", reply)
        sender.call("whisper", target_user="rita", msg="come here")
        owner.call("report", target_user="ben", seq=1)
        direct, report = self.admin("reports list")["reports"]
        self.assertEqual((report["message"], report["by"]), ("buy this", "rita"))
        self.assertEqual((direct["message"], direct["room"]), ("come here", "(direct messages)"))
        self.admin(f"reports answer {report['id']} accepted --answer", "thank you")
        self.pushed(owner, type="report_answered", outcome="accepted", answer="thank you")
        self.admin(f"reports answer {report['id']} dismissed", refused="not_allowed")
        self.admin(f"reports answer {direct['id']} dismissed")
        self.pushed(owner, type="report_answered", outcome="dismissed")
        self.assertEqual(self.admin("reports list")["reports"], [])

    def test_words_are_tried_and_refused(self) -> None:
        uma = self.registered("uma")
        said = uma.call("speak", room_name="lobby", msg="cheap pillz here")
        self.assertEqual(said["status"], "ok")
        tried = self.admin("filter test pillz")
        self.assertEqual((tried["messages"], tried["users"]), (1, 1))
        self.assertEqual(self.admin("filter list")["rules"], [])
        rule = self.admin("filter add pillz")
        here = {"room_name": "lobby", "msg": "PILLZ for all"}
        self.until_refused(uma, "filtered", "speak", **here)
        self.assertEqual(uma.call("speak", **here | {"msg": "roses"})["status"], "ok")
        [listed] = self.admin("filter list")["rules"]
        self.assertEqual((listed["id"], listed["by"]), (rule["id"], "(console)"))
        self.admin(f"filter remove {rule['id']}")
        self.until_refused(uma, "", "speak", **here)
        self.admin(f"filter remove {rule['id']}", refused="bad_request")

    def test_limit_is_set_while_the_server_runs(self) -> None:
        self.addCleanup(self.admin, "limits set text_chars default")
        wren = self.registered("wren")
        long = {"room_name": "lobby", "msg": "more than five"}
        self.admin("limits set text_chars five", refused="bad_request")
        self.admin("limits set text_chars 5")
        self.until_refused(wren, "too_long", "speak", **long)
        [shown] = self.admin("limits show --chosen")["limits"]
        self.assertEqual((shown["value"], shown["by"]), (5, "(console)"))
        self.assertNotIn("text_chars", self.admin("reload")["changed"])
        self.assertEqual(wren.call("speak", **long)["code"], "too_long")
        self.admin("limits set text_chars default")
        self.until_refused(wren, "", "speak", **long)

    def test_flagged_words_are_reported(self) -> None:
        owner, sender = self.registered("vera"), self.registered("wim")
        self.create_room(owner, "shed")
        sender.call("join_room", room_name="shed")
        rule = self.admin("filter add flaggable --action flag")
        began, reports = time.monotonic(), []
        while not reports:  # the server of the users may not have heard of the rule
            self.assertLess(time.monotonic(), began + SECONDS)
            sender.call("speak", room_name="shed", msg="flaggable")
            reports = self.admin("reports list --room shed")["reports"]
        flag = reports[-1]
        self.assertEqual((flag["by"], flag["rule"]), ("word filter", "flaggable"))
        self.assertEqual((flag["author"], flag["message"]), ("wim", "flaggable"))
        self.pushed(owner, type="reported", by="word filter", usr="wim", of=flag["seq"])
        for one in self.admin("reports list --room shed")["reports"]:
            self.admin(f"reports answer {one['id']} dismissed")
        self.admin(f"filter remove {rule['id']}")

    def test_panic_switch_stops_new_users(self) -> None:
        self.addCleanup(self.let_all_in)
        guest = self.guest("vic", "192.0.2.8")
        new = self.registered("walt")
        self.admin("panic on --for 90m")
        self.until_told(registration="closed", guests=False)
        here = {"room_name": "lobby", "msg": "me too"}
        self.assertEqual(self.code("login", type="tmp", usr="late"), "not_allowed")
        self.assertEqual(self.code("register", usr="late", pwd=PASSWORD), "registration_closed")
        for user in (guest, new):
            self.assertEqual(user.call("speak", **here)["code"], "slow_mode")
        self.assertEqual(self.admin("access")["panic"], "on")
        self.admin("panic off")
        self.until_told(registration="open", guests=True)
        for user in (guest, new):
            self.assertEqual(user.call("speak", **here)["status"], "ok")

    def test_quotas_end_what_is_stored(self) -> None:
        xena = self.registered("xena")
        self.create_room(xena, "pantry")
        here = {"room_name": "pantry", "msg": "x" * 900}
        for _ in range(2):
            self.assertEqual(xena.call("speak", **here)["status"], "ok")
        self.until_counted("pantry", messages=2)
        for kind, name in (("account", "xena"), ("room", "pantry")):
            self.assertEqual(self.admin(f"quotas {kind} {name} 1k")["quota"], 1024)
            [listed] = self.admin(f"quotas list {kind}s")[f"{kind}s"]
            self.assertEqual((listed["name"], listed["quota"]), (name, 1024))
            self.until_refused(xena, "storage_full", "speak", **here)
            self.admin(f"quotas {kind} {name} default")
            self.until_refused(xena, "", "speak", **here)

    def test_rooms_keep_less_and_give_space_back(self) -> None:
        yan = self.registered("yan")
        self.create_room(yan, "loft")
        kept = self.admin("rooms keep loft --messages 5 --days 2")
        self.assertEqual((kept["keep_messages"], kept["keep_days"]), (5, 2))
        self.pushed(yan, type="room_changed", keep_messages=5, keep_days=2)
        given = self.admin("vacuum")
        self.assertLessEqual({"before", "after", "notes"}, given.keys())

    def test_accounts_are_exported_and_deleted(self) -> None:
        zoe, friend = self.registered("zoe"), self.registered("yves")
        seq = zoe.call("speak", room_name="lobby", msg="my last words")["seq"]
        path = Path(self.mktemp()).resolve()
        self.admin("export-account zoe", str(path))
        with ZipFile(path) as archive:
            text = b"".join(archive.read(name) for name in archive.namelist()).decode()
        self.assertIn("my last words", text)
        self.assertNotIn(PASSWORD, text)
        self.admin("export-account zoe", str(path), refused="bad_request")
        self.admin("accounts delete zoe --messages erase")
        self.assertEqual(self.closed(zoe).code, 4001)
        self.assertEqual(self.code("login", type="reg", usr="zoe", pwd=PASSWORD), "bad_credentials")
        self.assertEqual(self.code("register", usr="zoe", pwd=PASSWORD), "name_taken")
        where, began = {"room_name": "lobby", "after": seq - 1, "limit": 1}, time.monotonic()
        while "my last words" in json.dumps(friend.call("history", **where)):
            self.assertLess(time.monotonic(), began + SECONDS)
        self.admin("export-account zoe", str(path), refused="no_such_user")

    def test_what_operators_do_is_seen_and_recorded(self) -> None:
        kim, lou = self.registered("kim"), self.registered("lou")
        self.create_room(kim, "cabin")
        lou.call("join_room", room_name="cabin")
        self.admin("announce", "Down at noon")
        self.pushed(lou, cmd="c_broadcast", msg="Down at noon")
        [session] = self.admin("sessions list kim")["sessions"]
        self.assertTrue(session["online"])
        self.admin("sessions end kim")
        self.assertEqual(self.closed(kim).code, 4002)
        self.admin("rooms delete cabin")
        self.pushed(lou, cmd="c_event", type="room_gone", room_name="cabin")
        self.admin("rooms delete cabin", refused="no_such_room")

        self.admin("bans add --account lou --for 1h")
        self.assertEqual(self.closed(lou).code, 4002)
        records = self.admin("audit --since 1h --limit 200")["records"]
        found = {(one["code"], one["who"]) for one in records}
        console = "(console)"
        wanted = {("announced", console), ("admin_sessions_ended", console), ("ban_added", console)}
        self.assertLessEqual({*wanted, ("admin_room_deleted", console)}, found)
        self.assertNotIn(PASSWORD, json.dumps(records))
        self.assertNotIn(self.secret, json.dumps(records))

    def test_database_is_copied_and_checked_while_the_server_runs(self) -> None:
        self.registered("may").call("create_room", room_name="vault")
        copy = Path(self.mktemp()).resolve()
        status, _, err = self.run_here("backup", str(copy), *self.where())
        if self.where()[2:]:
            self.assertIn("pg_dump", err)
            status, out, err = self.run_here("verify", *self.where())
        else:
            self.assertEqual(status, 0, err)
            status, out, err = self.run_here("verify", str(copy))
        self.assertEqual(status, 0, out + err)
        self.assertRegex(out, r"\d rooms")


class TwoServers(Walk):
    skip = postgres.MISSING

    def start(self) -> tuple[list[Server], str]:
        return two_servers()
