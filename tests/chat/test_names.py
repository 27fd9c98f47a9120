"""Names: which are valid, which look alike, and which that exist already stay valid."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import look_alikes, names
from gtchat.chat.errors import BadName, WeakPassword
from gtchat.chat.look_alikes import may_mix, rivals, shape, skeleton
from gtchat.chat.names import password, room_key, room_name, user_key, user_name

#: 4 characters that NFC composes to one.
COMPOSED = "\u03b1\u0313\u0342\u0345"
#: Names of which each pair looks alike, also in another case.
ALIKE = (
    ("cop", "\u0441\u043e\u0440", "COP", "\u0421\u041e\u0420"),
    ("bob", "b\u0585b", "\u13f4OB", "\ua4d0OB", "\u0412\u043e\u042c", "\u0299ob"),
    ("Ivan", "\u0406van", "lvan", "1van", "ivan"),
    ("Hoc", "\u043d\u043e\u0441", "\u029coc"),
    ("paypal", "\u0440\u0430\u0443\u0440\u0430\u04cf"),
    ("modern", "\u043codern", "rnodem"),
    ("Zoe\u0308", "Zo\u00eb", "zo\u0451"),
    ("don't", "don\u2019t"),
    ("\u30cf", "\u516b"),
    ("\u200d\U0001f600\ufe0f", "\U0001f600"),
)
#: Names of which no two look alike.
DIFFERENT = (
    *(f"user{number}" for number in range(1, 101)),
    *("r1", "r2", "g0", "x1", "ann1", "ann", "anna", "Jose", "Jos\u00e9", "Jo\u015be"),
    *("\u043c\u0438\u0440", "\u043c\u0451\u0434", "\u674e", "\u5f20", "\u0645\u0627\u0647"),
    *("\u5b50", "Zo\u00eb1", "Zo\u00eb2", "Zo\u00eb10", "Zo\u00eb11", "lobby\u0323", "lobby"),
)
#: Words and whether their scripts may be mixed.
MIXES = (
    ("Ann_1-2.3", True),
    ("Jos\u00e9", True),
    ("\u0418\u0432\u0430\u043d1", True),
    ("Tanaka\u592a\u90ce\u306e\u30ab\u30fc", True),
    ("Kim\u91d1\uae40", True),
    ("Wang\u738b\u3105", True),
    ("\u0646\u0627\u0645\u06f1\u06f2", True),
    ("\u306e\uae40", False),
    ("\u3105\u30ab", False),
    ("l\u043ebby", False),
    ("\ua4e1obby", False),
    ("Ann\u0561", False),
    ("\u0418\u03b1", False),
    ("\u0418\u592a", False),
)


class UserNames(SynchronousTestCase):
    def assertRefused(self, check: Callable[[str], object], raw: str) -> str:
        """Check that a name is refused with `bad_name`; return the text for users."""
        with self.assertRaises(BadName, msg=ascii(raw)) as caught:
            check(raw)
        return caught.exception.text

    def test_names_have_1_to_32_characters_before_and_after_precis(self) -> None:  # C28
        for raw, display in (
            ("x" * 32, "x" * 32),
            ("\u00e9" * 32, "\u00e9" * 32),
            (COMPOSED * 32, "\u1f86" * 32),
        ):
            self.assertEqual(user_name(raw).display, display)
        for raw in (
            "",
            "x" * 33,
            "\u00e9" * 33,
            COMPOSED * 32 + "\u03b1",
            COMPOSED * 32 + "\u03b1" * 15_000,
            "\u00e9" * 60_000,
        ):
            for check in (user_name, user_key):
                self.assertIn("1 to 32", self.assertRefused(check, raw))

    def test_names_with_other_characters_are_refused(self) -> None:
        for raw in ("a b", "a@b", "\u0301a", "\U0001f600", "a\u200db", "\u00e9\ud800", "a\u0378"):
            self.assertRefused(user_name, raw)
        self.assertRefused(user_name, "a" + "\u0315\u0301" * 16)

    def test_scripts_are_mixed_as_in_writing(self) -> None:
        for word, allowed in MIXES:
            self.assertEqual(may_mix(word), allowed, ascii(word))
            if allowed:
                user_name(word)
            else:
                self.assertIn("mix", self.assertRefused(user_name, word))

    def test_names_that_look_like_those_of_the_server_are_reserved(self) -> None:
        for raw in (
            *("host", "HOST", "h0st", "h\u1d0fst", "H\u00f6st", "\u029c\u1d0f\ua731\u1d1b"),
            *("server", "\ua731erver", "s\u0113rver", "logout", "privacy", "usrip"),
            "\u041d\u041eS\u0422".replace("S", "\u0405"),
        ):
            self.assertIn("reserved", self.assertRefused(user_name, raw))
        for raw in ("hosts", "ghost", "lobby", "servant", "l0gout"):
            user_name(raw)

    def test_existing_names_are_found_that_could_not_be_given_now(self) -> None:
        for raw, key in (("B\u0585b", "b\u0585b"), ("H0st", "h0st"), ("Host", "host")):
            self.assertRefused(user_name, raw)
            self.assertEqual(user_key(raw), key)


class RoomNames(UserNames):
    def test_names_have_1_to_32_characters_before_and_after_precis(self) -> None:
        for raw in ("x" * 64, COMPOSED * 64, "\ufdfa" * 3, "\u592a" * 64):
            self.assertLessEqual(len(room_name(raw).display), 64)
        for raw in (
            *("", " ", "x" * 65, "\u592a" * 65, "\ufdfa" * 4, "x y" * 20_000),
            *(COMPOSED * 64 + "\u03b1" * 15_000, "\U0001f600\u200d" * 40 + "\U0001f600"),
        ):
            for check in (room_name, room_key):
                self.assertRefused(check, raw)

    def test_names_with_other_characters_are_refused(self) -> None:
        for raw in (
            *("a\x07b", "a\u200db", "\U0001f600\u200d", "\u200d\U0001f600", "a\ufe0f", "\u0301a"),
            *(
                "\U0001f600\u200d\u200d\U0001f600",
                "\U0001f600\ufe0f\ufe0f",
                "\ufffe",
                "\u00e9\ud800",
            ),
            # PRECIS makes an arrow of its narrow form: which of two is joined would not be clear.
            "\uffe9\u2190\ufe0f",
        ):
            self.assertRefused(room_name, raw)
        self.assertRefused(room_name, "a" + "\u0315\u0301" * 16)

    def test_scripts_are_mixed_as_in_writing(self) -> None:
        for word, allowed in MIXES:
            if allowed:
                room_name(word)
            else:
                self.assertIn("mix", self.assertRefused(room_name, f"the {word}!"))
        for raw in ("Python \u0447\u0430\u0442", "RU/\u0447\u0430\u0442", "\u03c0-day"):
            room_name(raw)
        self.assertRefused(room_name, "".join(f"{each}\u0332" for each in "l\u043ebby"))

    def test_names_that_look_like_those_of_the_server_are_reserved(self) -> None:
        for raw in ("l0bby", "Iobby", "\u029fobby", "lobb\u1ef5", "l\u00f6bby", "LOBBY\u0323"):
            self.assertIn("reserved", self.assertRefused(room_name, raw))
        self.assertEqual(room_name("Lobby").key, "lobby")
        for raw in ("lobby 2", "hobby", "host", "server"):
            room_name(raw)

    def test_existing_names_are_found_that_could_not_be_given_now(self) -> None:
        for raw, key in (("L\u043ebby", "l\u043ebby"), ("L0bby", "l0bby")):
            self.assertRefused(room_name, raw)
            self.assertEqual(room_key(raw), key)

    def test_emoji_sequences_are_shown_as_they_were_written(self) -> None:
        for raw, key in (
            ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467"),
            ("\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f3f3\U0001f308"),
            ("Dev \U0001f468\U0001f3fd\u200d\U0001f4bb x\U0001f600", None),
            ("\u2764\ufe0f Books", "\u2764 books"),
            ("\u260e\ufe0e", "\u260e"),
            ("\U0001f1ea\U0001f1f8 \U0001f600", "\U0001f1ea\U0001f1f8 \U0001f600"),
        ):
            name = room_name(raw)
            self.assertEqual(name.display, raw)
            self.assertEqual(name.key, key or re.sub("[\u200d]", "", raw).lower())
            self.assertEqual(room_key(raw), room_key(name.key))

    def test_no_normalization_changes_a_picture_that_can_be_joined(self) -> None:
        for code in range(0x110000):
            if names._PICTURES.fullmatch(chr(code)):
                self.assertEqual(unicodedata.normalize("NFKC", chr(code)).lower(), chr(code))


class LookAlikes(SynchronousTestCase):
    def test_names_that_look_alike_have_one_shape(self) -> None:
        for group in ALIKE:
            self.assertEqual({shape(name) for name in group}, {shape(group[0])}, ascii(group))

    def test_other_names_are_no_rivals(self) -> None:
        for name in DIFFERENT:
            others = {skeleton(other) for other in DIFFERENT if other != name}
            self.assertFalse(others.intersection(rivals(skeleton(name))), ascii(name))

    def test_names_in_ascii_are_no_rivals_of_each_other(self) -> None:
        for one, other in (
            ("user1", "userl"),
            ("g0", "go"),
            ("modern", "rnodem"),
            ("Ana-I", "Ana-l"),
        ):
            self.assertEqual(shape(one), shape(other))
            self.assertNotIn(skeleton(one), rivals(skeleton(other)))
        for one, other in (("user1", "us\u0435r1"), ("us\u0435r1", "userl"), ("\u0441", "c")):
            self.assertIn(skeleton(one), rivals(skeleton(other)))

    @given(st.text(st.sampled_from("abimlILOo019._- "), max_size=8))
    def test_the_short_way_for_most_names_gives_the_same_shape(self, name: str) -> None:
        joined = name + "\u200d"  # has no shape, and is not ASCII
        self.assertEqual(shape(name), shape(joined))

    def test_tables_are_of_all_scripts(self) -> None:
        table = look_alikes._shapes()
        self.assertGreater(len(table), 3_000)
        for each, part in table.items():
            self.assertNotEqual(each, part)
            self.assertFalse({"i", "1", "|", "0", "m", "I", "M"}.intersection(part), ascii(each))
        for each, script in (
            *(("a", "Latin"), ("\u0436", "Cyrillic"), ("\u05d0", "Hebrew"), ("\u3042", "Hiragana")),
            *(("1", None), ("\u0301", None), ("\x00", None), ("\U0010ffff", None)),
        ):
            self.assertEqual(look_alikes._script(each), script)


class Passwords(SynchronousTestCase):
    def test_passwords_are_bounded_before_they_are_normalized(self) -> None:
        for raw in ("x" * 8, "\u00e9" * 1_024, COMPOSED * 1_024):
            self.assertEqual(len(password(raw)), min(len(raw), 1_024))
        for raw in ("x" * 7, "x" * 1_025, "\u00e9" * 60_000, "pass" + "\u0315\u0301" * 16_000):
            self.assertRaises(WeakPassword, password, raw)
