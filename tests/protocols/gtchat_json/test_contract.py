"""What the tables of the contract say of requests is what the server does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gtchat.protocols.gtchat_json import contract, messages, reports, rooms, search
from gtchat.protocols.gtchat_json.commands import BY_CMD
from tests.fakes import FakeClient, TestServer

SCRIPTS = Path(__file__).resolve().parents[3] / "static/js"
#: Where the most items of a page are read when a request is run.
_MOST = [
    (rooms, "LIST_LIMIT"),
    (messages, "HISTORY_LIMIT"),
    (search, "SEARCH_LIMIT"),
    (messages, "MENTIONS_LIMIT"),
    (messages, "LISTED_DIRECTS"),
    (reports, "REPORTS_LIMIT"),
]
#: Command -> its other fields, and how many items its reply has.
_PAGES: dict[str, tuple[dict[str, object], Callable[[dict[str, Any]], int]]] = {
    "get_room_list": ({}, lambda reply: len(reply["rooms"])),
    "get_user_list": ({}, lambda reply: len(reply["users"])),
    "get_room_user_list": ({"room_name": "lobby"}, lambda reply: len(reply["users"])),
    "history": ({"room_name": "lobby"}, lambda reply: len(reply["entries"])),
    "search": ({"q": "hello"}, lambda reply: len(reply["entries"])),
    "get_mentions": ({}, lambda reply: len(reply["entries"])),
    "get_direct_list": ({}, lambda reply: len(reply["directs"])),
    "get_reports": ({"own": True}, lambda reply: len(reply["reports"])),
}


class Pages(SynchronousTestCase):
    def world(self) -> FakeClient:
        """Return a client with three items of everything that is listed in pages."""
        server = TestServer()
        others = [server.guest(f"guest{number}") for number in range(2)]
        client = server.member("ann")
        for number, other in enumerate([*others, server.guest("guest3")]):
            spoken = other.call("speak", room_name="lobby", msg="hello @ann")
            client.call("report", room_name="lobby", seq=spoken["seq"])
            other.call("whisper", target_user="ann", msg="x")
            other.call("create_room", room_name=f"r{number}")
        server.clock.advance(5)
        return client

    def test_every_command_with_a_limit_is_there(self) -> None:
        with_limit = {
            cmd
            for cmd, kind in BY_CMD.items()
            if "limit" in {field.name for field in msgspec.structs.fields(kind)}
        }
        self.assertEqual(contract.PAGE_LIMITS.keys(), with_limit)
        self.assertEqual(_PAGES.keys(), with_limit)

    def test_a_greater_limit_counts_as_the_most_and_one_below_1_is_refused(self) -> None:
        client = self.world()
        for cmd, (fields, items) in _PAGES.items():
            most = contract.PAGE_LIMITS[cmd]
            for limit in (most, most + 1, 2**53):
                self.assertGreaterEqual(items(client.call(cmd, limit=limit, **fields)), 3, cmd)
            self.assertEqual(items(client.call(cmd, limit=2, **fields)), 2, cmd)
            for limit in (0, -1):
                reply = client.call(cmd, limit=limit, **fields)
                self.assertEqual((cmd, reply["code"]), (cmd, "bad_request"))
                self.assertTrue(reply["msg"].startswith("limit: must be 1 "), reply)
        for module, name in _MOST:
            self.patch(module, name, 2)
        for cmd, (fields, items) in _PAGES.items():
            self.assertEqual(items(client.call(cmd, limit=1000, **fields)), 2, cmd)


class WebPage(SynchronousTestCase):
    """The tables of the web page."""

    def words(self, script: str, name: str) -> set[str]:
        text = (SCRIPTS / script).read_text(encoding="utf-8")
        [found] = re.findall(rf"const {name} = new Set\(\[(.*?)\]\)", text, re.DOTALL)
        return set(re.findall(r"[\w]+", found))

    def test_it_comes_back_from_the_same_close_codes(self) -> None:
        final = {code for code, one in contract.COME_BACK.items() if one is contract.ComeBack.NO}
        self.assertEqual(set(map(int, self.words("connection.js", "FINAL_CODES"))), final)

    def test_it_repeats_what_may_be_repeated(self) -> None:
        repeatable = {k for k, v in contract.REPEATABLE.items() if v is contract.Repeatable.ALWAYS}
        # Of these it decides elsewhere.
        others = {"resume", "search", "typing"}
        self.assertEqual(self.words("requests.js", "IDEMPOTENT"), repeatable - others)

    def test_it_gives_a_txn_to_all_that_take_one(self) -> None:
        messages = {"speak", "whisper", "edit", "delete", "react", "pin", "unpin"}
        taking = {k for k, v in contract.REPEATABLE.items() if v is contract.Repeatable.TXN}
        self.assertEqual(self.words("requests.js", "ONCE"), taking - messages)

    def test_it_tries_again_after_temporary_errors_only(self) -> None:
        for script, name in (
            ("requests.js", "PASSING_ERRORS"),
            ("connection.js", "TRANSIENT_ERRORS"),
        ):
            for code in self.words(script, name):
                self.assertTrue(contract.TEMPORARY[code], code)
