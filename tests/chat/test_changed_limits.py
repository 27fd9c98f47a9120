"""Limits that change while the server runs hold wherever they are applied."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import attrs

import gtchat
from gtchat.chat.interfaces import MentionLimits
from gtchat.chat.limits import Limits
from gtchat.chat.token_buckets import BucketTable, Rate, TokenBucket
from tests.chat.test_messages import RoomTestCase

NAMES = {field.name for field in attrs.fields(Limits)}
#: Where limits are read while an object is made: Autobahn keeps them (`ChatFactory.apply_limits`),
#: and a connection begins its deadlines.
AT_THE_BEGIN = {"protocols/websocket/factory.py", "protocols/websocket/connection.py"}


class Values(RoomTestCase):
    """A limit of each kind, before and after a change, on sessions that go on."""

    def change(self, **limits: Any) -> None:
        chat = self.server.chat
        chat.change_limits(attrs.evolve(chat.limits, **limits))

    def code(self, cmd: str, **fields: Any) -> str:
        """Return the code of the reply to Ann's request, "" for none."""
        reply = self.ann.call(cmd, **fields)
        return str(reply.get("code", ""))

    def test_every_value_is_taken_over(self) -> None:
        limits = Limits()
        new = Limits(**{name: number for number, name in enumerate(sorted(NAMES))})
        limits.replace(new)
        self.assertEqual(limits, new)

    def test_a_length(self) -> None:
        self.change(text_chars=3)
        self.assertEqual(self.code("speak", room_name="r", msg="four"), "too_long")
        self.change(text_chars=4)
        self.assertEqual(self.code("speak", room_name="r", msg="four"), "")

    def test_a_number_that_the_store_checks(self) -> None:
        self.change(rooms_per_user=1)
        self.assertEqual(self.code("create_room", room_name="s"), "not_allowed")
        self.change(rooms_per_user=2)
        self.assertEqual(self.code("create_room", room_name="s"), "")

    def test_a_number_that_the_chat_checks(self) -> None:
        self.bob.call("create_room", room_name="s")
        self.change(memberships_per_user=1)
        self.assertEqual(self.code("join_room", room_name="s"), "not_allowed")
        self.change(memberships_per_user=2)
        self.assertEqual(self.code("join_room", room_name="s"), "")

    def test_a_number_that_the_store_applies_by_itself(self) -> None:
        self.change(mentions_per_message=7, mentions_per_account=8)
        self.assertEqual(self.server.store.mention_limits, MentionLimits(message=7, kept=8))

    def test_a_time(self) -> None:
        seq = self.ann.call("speak", room_name="r", msg="hi")["seq"]
        self.server.clock.advance(10)
        self.change(edit_window=5)
        self.assertEqual(self.code("edit", room_name="r", seq=seq, msg="ho"), "too_late")
        self.change(edit_window=50)
        self.assertEqual(self.code("edit", room_name="r", seq=seq, msg="ho"), "")

    def test_the_rate_of_an_account_that_is_online(self) -> None:
        self.change(commands_burst=2, commands_per_second=1)
        codes = [self.code("speak", room_name="r", msg="hi") for _ in range(3)]
        self.assertEqual(codes, ["", "", "rate_limited"])
        self.change(commands_burst=0)
        codes = [self.code("speak", room_name="r", msg="hi") for _ in range(50)]
        self.assertEqual(set(codes), {""})
        self.server.clock.advance(1)
        self.change(commands_burst=1, commands_per_second=1)
        codes = [self.code("speak", room_name="r", msg="hi") for _ in range(2)]
        self.assertEqual(codes, ["", "rate_limited"])

    def test_an_amount_of_a_day(self) -> None:
        self.change(daily_bytes_account=10)
        codes = [self.code("speak", room_name="r", msg="x" * 4_000) for _ in range(20)]
        self.assertEqual(codes[-1], "over_quota")
        self.change(daily_bytes_account=0)
        self.assertEqual(self.code("speak", room_name="r", msg="x" * 11), "")


class Rates(RoomTestCase):
    def test_buckets_follow_their_rate(self) -> None:
        rate = Rate(1.0, 2)
        bucket = TokenBucket(rate)
        self.assertEqual([bucket.take(0.0) for _ in range(3)], [0.0, 0.0, 1.0])
        rate.change(2.0, 4)
        self.assertEqual([bucket.take(1.0) for _ in range(3)], [0.0, 0.0, 0.5])
        rate.change(2.0, 0)
        self.assertEqual(bucket.take(1.0), 0.0)
        rate.change(1.0, 1)
        self.assertEqual([bucket.take(9.0) for _ in range(2)], [0.0, 1.0])

    def test_a_bucket_that_is_held_without_a_limit_is_the_one_of_its_key(self) -> None:
        table = BucketTable(Rate(0.0, 0), lambda: 0.0)
        held = table.get("ann")
        for number in range(5):
            table.get(number)
        self.assertIs(table.get("ann"), held)
        del held
        for number in range(5):
            table.get(-number)
        self.assertLess(len(table), 4)

    def test_nothing_keeps_a_limit_that_was_read_when_it_was_made(self) -> None:
        top = Path(gtchat.__file__).parent
        found = []
        for path in sorted(top.rglob("*.py")):
            name = path.relative_to(top).as_posix()
            if name.startswith(("client/", "ui/")) or name in AT_THE_BEGIN:
                continue
            for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(function, ast.FunctionDef) and function.name in (
                    "__init__",
                    "__attrs_post_init__",
                ):
                    found += [
                        f"{name}: {ast.unparse(node)}"
                        for node in ast.walk(function)
                        if isinstance(node, ast.Attribute)
                        and node.attr in NAMES
                        and ast.unparse(node.value).rpartition(".")[2] == "limits"
                    ]
        self.assertEqual(found, [])
