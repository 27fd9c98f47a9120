"""How profiles and exports are shown in terminals."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.client import Reply
from gtchat.ui.profiles import export_line, profile_lines


def reply(**raw: Any) -> Reply:
    return Reply(raw=raw)


class Lines(SynchronousTestCase):
    def test_a_profile(self) -> None:
        for raw, lines in (
            ({"is_online": True}, ["ann: online"]),
            ({}, ["ann: offline"]),
            ({"guest": True, "is_online": True}, ["ann: online, temporary"]),
            (
                {"last_seen": "2026-11-27T10:00:00Z", "hide_last_seen": True},
                ["ann: last seen 2026-11-27T10:00:00Z, which others are not told"],
            ),
            ({"about": "a\x1b[31m\nb"}, ["ann: offline", "  a\\x1b[31m", "  b"]),
        ):
            self.assertEqual(profile_lines(reply(user="ann", **raw)), lines)

    def test_an_export(self) -> None:
        self.assertIn("export/abc below", export_line(reply(path="export/abc")))
