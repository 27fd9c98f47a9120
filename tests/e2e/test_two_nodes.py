"""Two servers on one PostgreSQL are one chat: what users of one do, those of the other see."""

from __future__ import annotations

import atexit
import socket
import time
import zipfile
from functools import cache
from io import BytesIO
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests import nats_server, postgres
from tests.e2e.server import SECONDS, Client, Server
from tests.stress import truth
from tests.stress.judge import find_contradictions

PASSWORD = "correct horse battery"


@cache
def two_servers() -> tuple[str, list[Server]]:
    """Start two servers for all tests; return the address of their database, and them."""
    url = postgres.create_empty()
    servers = [Server("--store", url, "--commands-per-second", "0") for _ in range(2)]
    for server in servers:
        atexit.register(server.kill)
        server.start()
    return url, servers


class User(Client):
    """A user who is logged in.

    Args:
        server: where.
        name: the name.
        registered: whether the user has an account with a password.

    Attributes:
        login: the reply to the login.
    """

    def __init__(self, server: Server, name: str, registered: bool) -> None:
        super().__init__(server.ws_port)
        if registered:
            self.call("register", usr=name, pwd=PASSWORD)
            self.login = self.call("login", type="reg", usr=name, pwd=PASSWORD)
        else:
            self.login = self.call("login", type="tmp", usr=name)
        assert self.login["status"] == "ok", self.login

    def until(self, cmd: str, **fields: Any) -> dict[str, Any]:
        """Return the next push with some fields, of those that have arrived or arrive."""
        wanted, began = {"cmd": cmd, **fields}, time.monotonic()
        while time.monotonic() < began + SECONDS:
            message = self.taken.pop(0) if self.taken else self.message()
            if wanted.items() <= message.items():
                return message
        raise AssertionError(f"no {wanted}")


class TwoNodes(SynchronousTestCase):
    skip = postgres.MISSING

    def setUp(self) -> None:
        self.url, self.servers = two_servers()

    def user(self, node: int, name: str, registered: bool = False) -> User:
        """Return a user who is logged in at a node."""
        user = User(self.servers[node], name, registered)
        self.addCleanup(user.close)
        return user

    def operate(self, node: int, line: str) -> list[str]:
        """Give a line to the admin console of a node; return the lines of its answer."""
        with socket.socket(socket.AF_UNIX) as console:
            console.settimeout(SECONDS)
            console.connect(str(self.servers[node].folder / SOCKET))
            console.sendall(line.encode())
            console.shutdown(socket.SHUT_WR)
            return list(console.makefile())

    def test_users_of_both_servers_are_in_one_chat(self) -> None:
        ann, bob = self.user(0, "ann"), self.user(1, "bob")
        ann.until("c_event", type="login", usr="bob")
        began = time.monotonic()
        while bob.call("get_user_list").get("users") != ["ann", "bob"]:
            self.assertLess(time.monotonic() - began, SECONDS)

        ann.call("create_room", room_name="garden")
        bob.until("c_event", type="room_created", room_name="garden")
        bob.call("join_room", room_name="garden")
        ann.until("c_event", type="join_room", usr="bob")
        for number in range(3):
            for user in (ann, bob):
                reply = user.call("speak", room_name="garden", msg=f"{number}")
                self.assertEqual(reply["status"], "ok", reply)
        seqs = [one.until("c_speak")["seq"] for one in (ann, bob) for _ in range(3)]
        self.assertEqual(seqs, [4, 6, 8, 3, 5, 7])  # those of the other

        sent = ann.call("whisper", target_user="bob", msg="hello")
        self.assertEqual((sent["status"], sent["delivered"]), ("ok", "now"))
        self.assertEqual(bob.until("c_whisper")["msg"], "hello")

        ann.call("kick", room_name="garden", user="bob")
        bob.until("c_event", type="kicked", usr="bob")
        refused = bob.call("speak", room_name="garden", msg="too late")
        self.assertEqual(refused["code"], "not_in_room")

        ann.call("block", user="bob")
        refused = bob.call("whisper", target_user="ann", msg="hello")
        self.assertEqual(refused["code"], "blocked")
        ann.call("delete_room", room_name="garden")
        bob.until("c_event", type="room_gone", room_name="garden")

        self.assertIn("kicked bob\n", self.operate(0, "KICK bob"))
        self.assertEqual(bob.wait_closed(), 4002)  # kicked
        self.assertEqual(self.operate(1, "KICK bob")[-1], "there is no user bob\n")

    def test_commands_of_operators_hold_at_both_servers(self) -> None:
        ann, bob = self.user(1, "liv", registered=True), self.user(1, "max")
        ann.call("create_room", room_name="loft")
        bob.call("join_room", room_name="loft")
        path = self.servers[0].folder / SOCKET
        request(path, "announce", {"text": "Down at noon"})
        self.assertEqual(bob.until("c_broadcast")["msg"], "Down at noon")
        request(path, "sessions end", {"name": "liv"})
        self.assertEqual(ann.wait_closed(), 4002)
        began = time.monotonic()
        # The first server hears of the end of the session after the client has.
        while request(path, "accounts show", {"name": "liv"}).data["online"]:
            self.assertLess(time.monotonic() - began, SECONDS)
        request(path, "accounts rename", {"name": "liv", "new_name": "Nora"})
        began = time.monotonic()
        while {*bob.call("get_room_user_list", room_name="loft")["users"]} != {"max", "Nora"}:
            self.assertLess(time.monotonic() - began, SECONDS)
        again = Client(self.servers[1].ws_port)
        self.addCleanup(again.close)
        again.call("login", type="reg", usr="nora", pwd=PASSWORD)
        new = {"name": "nora", "password": "another horse"}
        request(path, "accounts set-password", new)
        self.assertEqual(again.wait_closed(), 4001)
        request(path, "rooms delete", {"name": "loft"})
        bob.until("c_event", type="room_gone", room_name="loft")
        found = request(self.servers[1].folder / SOCKET, "audit", {"code": "account_renamed"})
        self.assertEqual([one["who"] for one in found.data["records"]], ["(console)"])

    def test_another_server_goes_on_with_a_deletion(self) -> None:
        url = postgres.create_empty()
        first, second = (Server("--store", url, "--commands-per-second", "0") for _ in range(2))
        for server in (first, second):
            self.addCleanup(server.kill)
            server.start()
        ann, bob = User(second, "ann", True), User(second, "bob", True)
        for client in (ann, bob):
            self.addCleanup(client.close)
        ann.call("create_room", room_name="loft")
        bob.call("join_room", room_name="loft")
        ann.call("speak", room_name="loft", msg="erased soon")
        request(first.folder / SOCKET, "accounts delete", {"name": "ann", "messages": "erase"})
        first.kill()  # within the five seconds after which the account is deleted
        self.assertEqual(ann.wait_closed(), 4001)
        bob.until("c_event", type="room_changed", room_name="loft")
        began, usr, msg = time.monotonic(), "ann", ""
        while (usr, msg) != ("deleted user", ""):
            self.assertLess(time.monotonic() - began, SECONDS)
            entries = bob.call("history", room_name="loft", limit=9)["entries"]
            [(usr, msg)] = [(one["usr"], one["msg"]) for one in entries if "msg" in one]
        taken = Client(second.ws_port)
        self.addCleanup(taken.close)
        refused = taken.call("register", usr="Ann", pwd=PASSWORD)
        self.assertEqual(refused["code"], "name_taken")

    def test_a_session_goes_on_at_the_other_server(self) -> None:  # H27
        ann, bob = self.user(0, "ada"), self.user(1, "ben")
        ann.call("create_room", room_name="attic")
        bob.until("c_event", type="room_created", room_name="attic")
        bob.call("join_room", room_name="attic")
        moved = Client(self.servers[1].ws_port)
        self.addCleanup(moved.close)
        bob.call("speak", room_name="attic", msg="first")
        resumed = moved.call(
            "resume",
            session_id=ann.login["session_id"],
            epoch=ann.login["epoch"],
            seen={"attic": 1},
        )
        [attic] = [one for one in resumed["resumed"] if one["room_name"] == "attic"]
        self.assertEqual([one["seq"] for one in attic["entries"]], [2, 3])
        self.assertEqual(ann.wait_closed(), 4001)  # replaced
        bob.call("speak", room_name="attic", msg="second")
        self.assertEqual(User.until(moved, "c_speak")["msg"], "second")  # type: ignore[arg-type]

    def test_an_export_is_fetched_once_from_any_server(self) -> None:
        zoe = self.user(0, "zoe", registered=True)
        zoe.call("speak", room_name="lobby", msg="mine")

        def fetch(node: int, path: str) -> tuple[int, bytes]:
            url = f"http://127.0.0.1:{self.servers[node].web_port}/{path}"
            try:
                with urlopen(url, timeout=SECONDS) as answer:
                    return answer.status, answer.read()
            except HTTPError as error:
                with error:
                    return error.code, b""

        first, path = (zoe.call("export_account", pwd=PASSWORD)["path"] for _ in range(2))
        self.assertEqual(fetch(1, first)[0], 404)  # another one was given since
        status, data = fetch(1, path)
        self.assertEqual(status, 200)
        with zipfile.ZipFile(BytesIO(data)) as made:
            self.assertIn(b'"msg":"mine"', made.read("room_entries.jsonl"))
        for node in (0, 1):
            self.assertEqual(fetch(node, path)[0], 404)
        other = Client(self.servers[1].ws_port)
        self.addCleanup(other.close)
        other.call("login", type="reg", usr="zoe", pwd=PASSWORD)
        self.assertEqual(other.call("export_account", pwd=PASSWORD)["code"], "rate_limited")

    def test_wrong_passwords_are_counted_at_both_servers(self) -> None:
        self.user(0, "gil", registered=True)
        codes = []
        for node, pwd in ((0, "one"), (1, "two"), (0, "three"), (1, PASSWORD), (0, PASSWORD)):
            client = Client(self.servers[node].ws_port)
            self.addCleanup(client.close)
            codes.append(client.call("login", type="reg", usr="gil", pwd=pwd)["code"])
        self.assertEqual(codes, ["bad_credentials"] * 3 + ["locked_out"] * 2)

    def test_the_users_of_a_killed_server_come_back_to_the_other(self) -> None:  # H26
        ann, bob = self.user(0, "eve", registered=True), self.user(1, "dan")
        ann.call("create_room", room_name="cellar")
        said = ann.call("speak", room_name="cellar", msg="kept", txn="1")
        killed = self.servers[0]
        killed.kill()
        bob.until("c_event", type="logout", usr="eve")
        back = Client(self.servers[1].ws_port)
        self.addCleanup(back.close)
        resumed = back.call(
            "resume",
            session_id=ann.login["session_id"],
            epoch=ann.login["epoch"],
            seen={"cellar": said["seq"]},
        )
        self.assertEqual((resumed["status"], resumed["epoch"]), ("ok", ann.login["epoch"]))
        again = back.call("speak", room_name="cellar", msg="kept", txn="1")
        self.assertEqual((again["seq"], again["dup"]), (said["seq"], True))
        killed.start()
        at_killed = self.user(0, "flo")
        self.assertEqual(at_killed.call("join_room", room_name="cellar")["status"], "ok")
        back_sees: Any = back
        self.assertEqual(User.until(back_sees, "c_event", type="join_room")["usr"], "flo")
        self.assertEqual(find_contradictions(truth.read(self.url)), [])


#: A statement with which a server reads what others have written.
READS = "SELECT room_id, seq FROM heads WHERE room_id = ANY"
#: Messages of each user of which is counted what is read for them.
COUNTED = 20


class TwoNodesOnNats(SynchronousTestCase):
    """Two servers that a server of NATS wakes, which is not there at first, and is killed."""

    skip = postgres.MISSING or nats_server.MISSING

    def setUp(self) -> None:
        self.url = postgres.create_empty()
        database = self.url.partition("?")[0].rpartition("/")[2]
        postgres.server().execute(f"ALTER DATABASE {database} SET log_statement = 'all'")
        self.nats = nats_server.NatsServer()
        self.addCleanup(self.nats.close)
        options = ("--store", self.url, "--notify", self.nats.url, "--commands-per-second", "0")
        self.servers = [Server(*options) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.kill)
            server.start()

    def wait_for_line(self, text: str, times: int) -> None:
        """Wait until both servers have logged something so often."""
        for server in self.servers:
            began = time.monotonic()
            while sum(text in line for line in list(server.lines)) < times:
                self.assertLess(time.monotonic() - began, SECONDS)
                time.sleep(0.02)

    def talk(self, users: list[User], count: int) -> None:
        """Let both users speak in turns, and receive what the other says in order."""
        for number in range(count):
            for user, other in (users, users[::-1]):
                said = user.call("speak", room_name="garden", msg=f"{number}")
                self.assertEqual(other.until("c_speak")["seq"], said["seq"])

    def read_log(self) -> str:
        """Return the log of PostgreSQL."""
        return (postgres.server().folder / "log").read_text(errors="replace")

    def test_rows_save_reading_and_a_server_of_nats_may_be_killed(self) -> None:  # H24
        users = [User(server, f"user{at}", False) for at, server in enumerate(self.servers)]
        for user in users:
            self.addCleanup(user.close)
        ann, bob = users
        ann.call("create_room", room_name="garden")
        bob.until("c_event", type="room_created", room_name="garden")
        bob.call("join_room", room_name="garden")
        ann.until("c_event", type="join_room", usr="user1")
        self.talk(users, 2)  # without NATS: each server looks once a second

        self.wait_for_line("Nodes don't wake each other", 1)
        self.nats.start()
        self.wait_for_line("Nodes wake each other again", 1)
        self.talk(users, 2)
        before = self.read_log()
        self.talk(users, COUNTED)
        reads = self.read_log().removeprefix(before).count(READS)
        self.assertLess(reads, COUNTED)  # without rows it is two for each message
        ann.call("whisper", target_user="user1", msg="hello")
        self.assertEqual(bob.until("c_whisper")["msg"], "hello")
        self.assertNotIn("LISTEN gtchat", self.read_log().removeprefix(before))

        self.nats.kill()
        self.talk(users, 2)
        self.nats.start()
        self.wait_for_line("Nodes wake each other again", 2)
        self.talk(users, 2)
        ann.call("typing", room_name="garden")
        bob.until("c_event", type="typing", usr="user0")
        self.assertEqual(find_contradictions(truth.read(self.url)), [])
