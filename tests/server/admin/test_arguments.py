"""Arguments of administrative commands."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.errors import BadRequest
from gtchat.server.admin.arguments import (
    MAX_ARGUMENT_CHARS,
    Argument,
    check_arguments,
    parse_span,
    parse_time,
    read_words,
)

NAME, TEXT = Argument("name", ""), Argument("text", "", "text")
LIMIT = Argument("limit", "", "number", option=True, default=100, maximum=200)
GUESTS = Argument("guests", "", "flag", option=True, default=False)
SECRET = Argument("password", "", "secret")
#: 2026-11-27T08:00:00Z in milliseconds.
NOON = 1_795_766_400_000


class Words(SynchronousTestCase):
    def test_words_are_arguments_in_their_order(self) -> None:
        for wanted, line, given in (
            ((NAME, LIMIT), "ann --limit 7", {"name": "ann", "limit": "7"}),
            ((NAME, LIMIT), "--limit=7 ann", {"name": "ann", "limit": "7"}),
            ((NAME, GUESTS), "--guests ann", {"name": "ann", "guests": True}),
            (
                (NAME, TEXT),
                "ann it is --late -- now",
                {"name": "ann", "text": "it is --late -- now"},
            ),
            ((NAME,), "-- ann", {"name": "ann"}),
            ((NAME, SECRET), "ann", {"name": "ann"}),
            ((), "", {}),
        ):
            self.assertEqual(read_words(wanted, line.split()), given, line)

    def test_wrong_words_are_refused(self) -> None:
        for wanted, line, text in (
            ((NAME,), "ann bob", "too many"),
            ((NAME, SECRET), "ann secret", "too many"),
            ((NAME,), "--limit 7", "no option"),
            ((LIMIT,), "--limit", "wants a value"),
        ):
            error = self.assertRaises(BadRequest, read_words, wanted, line.split())
            self.assertIn(text, error.text)

    def test_usage(self) -> None:
        choice = Argument("on", "", "choice", choices=("on", "off"))
        usages = [one.usage for one in (NAME, TEXT, LIMIT, GUESTS, SECRET, choice)]
        self.assertEqual(
            usages, ["NAME", "TEXT ...", "[--limit LIMIT]", "[--guests]", "", "on|off"]
        )


class Values(SynchronousTestCase):
    def test_values_are_checked(self) -> None:
        on = Argument("on", "", "choice", choices=("on", "off"))
        since = Argument("since", "", "time", option=True)
        for argument, value, found in (
            (NAME, "Ann", "Ann"),
            (LIMIT, "7", 7),
            (LIMIT, 200, 200),
            (GUESTS, True, True),
            (on, "off", "off"),
            (since, "1h", NOON - 3_600_000),
        ):
            self.assertEqual(argument.check(value, NOON), found)
        for argument, wrong in (
            (NAME, ""),
            (NAME, 7),
            (NAME, "x" * (MAX_ARGUMENT_CHARS + 1)),
            (LIMIT, 0),
            (LIMIT, 201),
            (LIMIT, "7.5"),
            (LIMIT, "\u0667"),
            (LIMIT, "9" * 5000),
            (LIMIT, True),
            (GUESTS, "yes"),
            (on, "maybe"),
            (since, "soon"),
        ):
            self.assertRaises(BadRequest, argument.check, wrong, NOON)

    def test_what_is_not_given_has_its_default(self) -> None:
        found = check_arguments((NAME, LIMIT, GUESTS), {"name": "ann", "limit": None}, 0)
        self.assertEqual(found, {"name": "ann", "limit": 100, "guests": False})

    def test_missing_and_unknown_arguments_are_named(self) -> None:
        for given, text in (({}, "name"), ({"name": "ann", "colour": 1}, "colour")):
            error = self.assertRaises(BadRequest, check_arguments, (NAME,), given, 0)
            self.assertIn(text, error.text)

    def test_spans(self) -> None:
        for text, ms in (("1s", 1000), ("90m", 5_400_000), ("3650d", 315_360_000_000)):
            self.assertEqual(parse_span(text, "for"), ms)
        for text in ("", "0m", "1", "h", "-1h", "3651d", "1h30m"):
            self.assertRaises(BadRequest, parse_span, text, "for")

    def test_times(self) -> None:
        found: dict[str, Any] = {
            "90m": NOON - 5_400_000,
            "2d": NOON - 172_800_000,
            "30s": NOON - 30_000,
            "2026-11-27T08:00:00Z": NOON,
            "2026-11-27T09:00:00+01:00": NOON,
            "2026-11-27T08:00": NOON,
            "2026-11-27": NOON - 8 * 3_600_000,
        }
        for text, at in found.items():
            self.assertEqual(parse_time(text, NOON, "since"), at, text)
        for text in ("", "1w", "-1h", "2026-13-01", "9" * 20 + "d"):
            self.assertRaises(BadRequest, parse_time, text, NOON, "since")
