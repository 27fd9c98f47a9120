"""Profiles: what users say of themselves, and when they were seen last."""

from __future__ import annotations

from typing import Any

from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.filter_rules import FilterRule
from gtchat.chat.profiles import ABOUT_CHARS, ABOUT_LINES
from tests.chat.test_administration import Administered
from tests.fakes import FakeClient, TestServer


class Profiles(Administered):
    def use(self, server: TestServer) -> None:
        super().use(server)
        self.ann, self.bob = server.member("Ann"), server.member("Bob")

    def profile(self, client: FakeClient, user: str | None = "Ann") -> dict[str, Any]:
        """Return what a user is told of a user."""
        reply = client.call("get_profile", **({} if user is None else {"user": user}))
        self.assertEqual(reply["status"], "ok", reply)
        envelope = ("cmd", "status", "last_cmd", "tracker", "msg")
        return {key: value for key, value in reply.items() if key not in envelope}

    def set(self, client: FakeClient, **fields: object) -> str | None:
        """Change a profile. Return the error code, None for none."""
        return client.call("set_profile", **fields).get("code")

    def test_a_profile_is_seen_by_others(self) -> None:
        self.assertEqual(self.profile(self.bob), {"user": "Ann", "is_online": True})
        self.assertIsNone(self.set(self.ann, about="I grow\nroses.", colour=120))
        seen = {"user": "Ann", "is_online": True, "about": "I grow\nroses.", "colour": 120}
        self.assertEqual(self.profile(self.bob, "ANN"), seen)
        self.assertIsNone(self.set(self.ann, colour=-1))
        self.assertNotIn("colour", self.profile(self.bob))
        self.assertIsNone(self.set(self.ann, about=""))
        self.assertEqual(self.profile(self.ann, None), {"user": "Ann", "is_online": True})

    def test_it_has_bounds(self) -> None:
        for fields in (
            {"colour": 360},
            {"colour": -2},
            {"about": "x\n" * ABOUT_LINES + "y"},
            {"about": "\x00"},
        ):
            self.assertEqual(self.set(self.ann, **fields), "bad_request", fields)
        self.assertEqual(self.set(self.ann, about="x" * (ABOUT_CHARS + 1)), "too_long")
        self.assertEqual(self.set(self.server.guest("Gus"), about="x"), "not_allowed")
        self.assertEqual(self.profile(self.ann, None), {"user": "Ann", "is_online": True})

    def test_the_word_filter_sees_it(self) -> None:
        for action, code in (("refuse", "filtered"), ("flag", None)):
            rule = FilterRule("roses", action)
            self.done(self.admin.word_filter.add(rule, None, AT_CONSOLE))
            self.assertEqual(self.set(self.ann, about="my roses"), code)

    def test_when_a_user_was_seen_last_may_be_hidden(self) -> None:
        self.ann.drop(clean=True)
        self.server.clock.advance(60)
        seen = self.profile(self.bob)
        self.assertEqual(set(seen), {"user", "last_seen"})
        again = self.server.connect()
        again.login("Ann", pwd="password")
        self.assertIsNone(self.set(again, hide_last_seen=True))
        self.assertTrue(self.profile(again, None)["hide_last_seen"])
        self.assertEqual(self.profile(self.bob), {"user": "Ann", "is_online": True})
        again.drop()
        self.assertEqual(self.profile(self.bob), {"user": "Ann"})

    def test_who_is_blocked_is_told_nothing(self) -> None:
        self.set(self.ann, about="hello")
        self.ann.call("block", user="Bob")
        self.assertEqual(self.profile(self.bob), {"user": "Ann", "is_online": True})
        self.ann.drop()
        self.assertEqual(self.profile(self.bob), {"user": "Ann"})

    def test_temporary_and_unknown_users(self) -> None:
        self.server.guest("Gus")
        self.assertEqual(
            self.profile(self.bob, "Gus"), {"user": "Gus", "is_online": True, "guest": True}
        )
        self.assertEqual(self.bob.call("get_profile", user="Eve")["code"], "no_such_user")
