"""Limits that operators choose while the server runs, on one node and on two."""

from __future__ import annotations

import attrs

from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE, Actor
from gtchat.chat.errors import NotAllowed
from gtchat.chat.limit_admin import FOR_ACCOUNTS, ChosenLimit
from gtchat.chat.limits import LARGEST, SMALLEST, Limits
from gtchat.chat.mentions import MentionLimits
from tests.chat.test_access import code_of
from tests.chat.test_administration import Administered
from tests.fakes import nodes

OLGA = Actor("Olga", "0123", "192.0.2.1")


class Choosing(Administered):
    def choose(self, name: str, value: float | None) -> None:
        self.done(self.admin.limits.choose(name, value, AT_CONSOLE))

    def restart(self, **settings: float) -> None:
        """Start the server again, with these settings."""
        self.server.limits = attrs.evolve(Limits(commands_per_second=0), **settings)
        self.server.start()
        self.admin = self.server.chat.admin

    def test_a_value_holds_at_once(self) -> None:
        ann = self.server.member("Ann")
        self.choose("text_chars", 3)
        self.assertEqual(code_of(ann, "speak", room_name="lobby", msg="four"), "too_long")
        self.choose("text_chars", None)
        self.assertEqual(code_of(ann, "speak", room_name="lobby", msg="four"), "")

    def test_it_holds_for_what_is_no_value_that_is_read(self) -> None:
        self.choose("mentions_per_message", 7)
        self.choose("mentions_per_account", 8)
        self.assertEqual(self.server.store.mention_limits, MentionLimits(message=7, kept=8))
        self.choose("commands_per_second", 1)
        ann = self.server.member("Ann")
        self.choose("commands_burst", 1)
        codes = [code_of(ann, "speak", room_name="lobby", msg="hi") for _ in range(2)]
        self.assertEqual(codes[-1], "rate_limited")

    def test_the_server_is_told_of_each_change(self) -> None:
        seen: list[int] = []
        limits = self.server.chat.limits
        self.admin.limits.on_change = lambda: seen.append(limits.message_bytes)
        self.choose("message_bytes", 1000)
        self.choose("message_bytes", None)
        self.server.chat.change_limits(attrs.evolve(limits, message_bytes=2000))
        self.assertEqual(seen, [1000, 65_536, 2000])

    def test_it_goes_before_the_setting_whatever_is_read_again(self) -> None:
        self.choose("text_chars", 3)
        self.server.chat.change_limits(Limits(text_chars=9, pins_per_room=4))
        limits = self.server.chat.limits
        self.assertEqual((limits.text_chars, limits.pins_per_room), (3, 4))
        self.choose("text_chars", None)
        self.assertEqual(limits.text_chars, 9)

    def test_it_holds_after_a_restart_until_the_setting_is_chosen(self) -> None:
        self.choose("text_chars", 3)
        self.choose("ping_interval", 0.5)
        self.restart(text_chars=9)
        limits = self.server.chat.limits
        self.assertEqual((limits.text_chars, limits.ping_interval), (3, 0.5))
        self.assertIsInstance(limits.text_chars, int)
        self.choose("text_chars", None)
        self.assertEqual(limits.text_chars, 9)
        self.restart(text_chars=8)
        self.assertEqual(self.server.chat.limits.text_chars, 8)

    def test_who_has_chosen_it_and_when(self) -> None:
        self.done(self.admin.limits.choose("text_chars", 3, OLGA))
        self.restart()
        chosen = self.admin.limits.chosen
        self.assertEqual(chosen, {"text_chars": ChosenLimit(3, "Olga", 1_800_000_000_000)})
        self.assertTrue(self.admin.is_chosen("text_chars"))
        self.assertFalse(self.admin.is_chosen("pins_per_room"))

    def test_a_choice_is_recorded(self) -> None:
        self.choose("text_chars", 3)
        self.choose("text_chars", None)
        records = self.done(self.admin.audit(AuditQuery(code="chosen")))
        said = [(record.what["setting"], record.what["value"]) for record in records]
        self.assertEqual(said, [("text_chars", "default"), ("text_chars", "3")])

    def test_an_account_changes_only_what_users_say_and_have(self) -> None:
        for field in attrs.fields(Limits):
            choosing = self.admin.limits.choose(field.name, 7, OLGA)
            if field.name in FOR_ACCOUNTS:
                self.done(choosing)
            else:
                self.refused(choosing, NotAllowed)
        self.assertEqual(self.admin.limits.chosen.keys(), FOR_ACCOUNTS)
        self.assertEqual(self.server.chat.limits.audit_days, 90)

    def test_what_is_stored_and_is_no_limit_is_ignored(self) -> None:
        stored = {
            "text_chars": ["", "3", "3\t4", "x\t1\tAnn", "3.5\t1\tAnn", "3\tx\tAnn", "-1\t1\tAnn"],
            "ping_interval": ["nan\t1\tAnn", "1e-9\t1\tAnn", f"{LARGEST + 1}\t1\tAnn"],
            "unknown": ["3\t1\tAnn"],
        }
        for name, values in stored.items():
            for value in values:
                self.admin.limits.begin({f"limit {name}": value, "filter x": "3\t1\tAnn"})
                self.assertEqual(self.admin.limits.chosen, {}, value)
        self.admin.limits.begin({"limit text_chars": "3\t1\tAnn"})
        self.assertEqual(self.server.chat.limits.text_chars, 3)
        self.admin.limits.begin({})
        self.assertEqual(self.server.chat.limits.text_chars, 4_000)

    def test_the_time_to_wait_is_a_number_with_the_smallest_limits(self) -> None:
        said = self.server.member("Bob").call("speak", room_name="lobby", msg="hi")
        ann = self.server.member("Ann")
        self.choose("reactions_per_minute", SMALLEST)
        reaction = {"room_name": "lobby", "seq": said["seq"], "emoji": "\U0001f600"}
        ann.call("react", **reaction)
        refused = ann.call("react", **reaction)
        self.assertEqual(refused["code"], "rate_limited")
        self.assertGreater(refused["retry_after"], 0)

    def test_the_largest_value_does_not_break_a_start(self) -> None:
        self.assertLess(LARGEST * 24 * 3600 * 1000, 2**63)
        for field in attrs.fields(Limits):
            self.choose(field.name, LARGEST)
        self.restart()
        self.assertEqual(self.server.chat.limits.keep_days, LARGEST)
        self.server.clock.advance(3600)  # the clean-up
        self.server.guest("Gus")

    def test_a_choice_holds_at_each_node_at_once(self) -> None:
        first, second = nodes(2)
        self.use(first)
        ann = second.member("Ann")
        for value, code in ((3, "too_long"), (None, "")):
            self.choose("text_chars", value)
            self.server.run_pending()
            self.assertEqual(code_of(ann, "speak", room_name="lobby", msg="four"), code)
            self.assertEqual("text_chars" in second.chat.admin.limits.chosen, value is not None)
        limits = attrs.evolve(second.chat.limits)
        self.done(self.admin.access.choose("guests", "off", AT_CONSOLE))
        self.server.run_pending()
        self.assertEqual(second.chat.limits, limits)
