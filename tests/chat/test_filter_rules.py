"""Rules of the word filter: which texts they match, and at what cost."""

from __future__ import annotations

import re
import sys
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import filter_rules
from gtchat.chat.errors import BadRequest
from gtchat.chat.filter_rules import FilterRule, Matcher, filter_form
from tests import example_count


def matches(pattern: str, text: str, is_regex: bool = False) -> bool:
    rule = FilterRule(pattern, "refuse", is_regex)
    rule.check()
    return Matcher([rule]).matches(text)


class Words(SynchronousTestCase):
    def assertMatches(self, pattern: str, *texts: str) -> None:
        for text in texts:
            self.assertTrue(matches(pattern, text), (pattern, text))

    def assertMisses(self, pattern: str, *texts: str) -> None:
        for text in texts:
            self.assertFalse(matches(pattern, text), (pattern, text))

    def test_a_word_is_found_alone(self) -> None:
        self.assertMatches(
            "spam", "spam", "SPAM!", "(some spam)", "no\nspam,", "x-spam-y", "spam_s"
        )
        self.assertMisses("spam", "spammer", "xspam", "spa m", "")

    def test_a_star_stands_for_the_rest_of_a_word(self) -> None:
        self.assertMatches("spam*", "spammer", "spam", "the spams")
        self.assertMisses("spam*", "xspam")
        self.assertMatches("*spam", "xspam", "spam")
        self.assertMisses("*spam", "spams")
        self.assertMatches("*spam**", "xspams", "spam")
        self.assertMatches("s*pam", "spam", "sxxpam", "a s1pam b")
        self.assertMisses("s*pam", "s pam", "xspam", "spams", "s" + "x" * 33 + "pam")
        self.assertMatches("*s*pam*", "xsxpamx")

    def test_words_in_a_row(self) -> None:
        self.assertMatches("free money", "Free  money!", "free-MONEY", "get free\tmoney")
        self.assertMisses("free money", "freemoney", "free the money", "unfree money")
        self.assertMatches("free mon*", "free monkeys")
        self.assertMatches("free *money", "free mymoney")
        self.assertMisses("free *money", "free my money", "carefree money")
        self.assertMatches("free* money", "freed money")

    def test_what_looks_the_same_is_the_same(self) -> None:
        self.assertMatches(
            "spam",
            "sp\u0430m",  # CYRILLIC SMALL LETTER A
            "\uff33\uff30\uff21\uff2d",  # full width
            "sp\u00e1m",
            "spa\u0301m",
            "\U0001d42c\U0001d429\U0001d41a\U0001d426",  # mathematical bold
            "sp\u200bam",
        )
        self.assertMatches("viagra", "v1agra", "vIagra", "v\u0456agra", "V|AGRA".replace("|", "l"))
        self.assertMatches("boom", "b00m", "b\u043e\u043em")
        self.assertMatches("\u0441\u043f\u0430\u043c", "\u0421\u041f\u0410\u041c")  # Cyrillic
        self.assertMisses("corn", "com")
        self.assertMatches("stra\u00dfe", "STRASSE")

    def test_scripts_without_spaces(self) -> None:
        self.assertMatches("\u5783\u573e", "\u8fd9\u662f\u5783\u573e\u90ae\u4ef6")
        self.assertMisses("\u5783\u573e", "\u5783\u90ae\u573e")
        self.assertMatches("*\u5783*", "\u8fd9\u5783\u4ef6")
        self.assertMatches("\u30b9\u30d1\u30e0", "\u3053\u308c\u306f\uff7d\uff8a\uff9f\uff91")

    def test_a_rule_that_would_match_nearly_all_is_refused(self) -> None:
        for pattern in ("*", "", " ", "a*", "*a", "!!", "*!*", "a*b*c", "*a*b*c*", "a*b"):
            with self.assertRaises(BadRequest, msg=pattern):
                FilterRule(pattern, "refuse").check()
        FilterRule("a", "refuse").check()

    def test_a_rule_is_not_much_longer_where_it_is_compared(self) -> None:
        ligature = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"  # 18 characters in NFKC
        FilterRule(7 * ligature, "refuse").check()
        for pattern in (8 * ligature, 64 * ligature, f"a*{8 * ligature}"):
            with self.assertRaises(BadRequest, msg=pattern):
                FilterRule(pattern, "refuse").check()
        longest = FilterRule(f"*{7 * ligature}*", "refuse")
        self.assertTrue(Matcher([longest]).matches(7 * ligature))

    def test_all_rules_that_match_are_found(self) -> None:
        words = ("spam", "spam*", "*pam*", "ham", "sp*m", "free spam", "ham and", "a")
        matcher = Matcher([FilterRule(word, "flag") for word in words])
        for text, wanted in (
            ("spam", {"spam", "spam*", "*pam*", "sp*m"}),
            ("free spammers", {"spam*", "*pam*"}),
            ("Ham and eggs", {"ham", "ham and"}),
            ("a", {"a"}),
            ("eggs", set()),
        ):
            self.assertEqual({rule.pattern for rule in matcher.find(text)}, wanted, text)
        self.assertEqual(Matcher([]).find("spam"), [])

    @settings(max_examples=example_count(50), deadline=None)
    @given(
        st.lists(st.text("abi 1*", min_size=1, max_size=6), max_size=8),
        st.text("abil1 \u0430-", max_size=20),
    )
    def test_one_tree_finds_what_each_rule_finds_alone(self, words: list[str], text: str) -> None:
        rules = []
        for word in words:
            rule = FilterRule(word, "flag")
            try:
                rule.check()
            except BadRequest:
                continue
            rules.append(rule)
        alone = [rule for rule in rules if Matcher([rule]).matches(text)]
        self.assertEqual(Matcher(rules).find(text), alone)

    def test_the_forms_that_are_remembered_have_a_bound(self) -> None:
        self.patch(filter_rules, "_REMEMBERED", 200)
        for code in range(0x4E00, 0x4E00 + 400):
            filter_form(chr(code))
        self.assertLessEqual(len(filter_rules._forms), 202)

    def test_what_looks_like_punctuation_stays_a_letter(self) -> None:
        self.assertNotEqual(filter_form("\u01c3"), "  ")  # LATIN LETTER RETROFLEX CLICK, like !


class Stored(SynchronousTestCase):
    def test_a_rule_is_stored_as_a_line(self) -> None:
        rule = FilterRule("free money", "mute", False, "garden", 600, "Olga", 7)
        self.assertEqual(FilterRule.parse(rule.stored()), rule)
        regex = FilterRule("a+b", "flag", True)
        self.assertEqual(FilterRule.parse(regex.stored()), regex)
        self.assertNotEqual(rule.id, FilterRule("free money", "mute").id)
        self.assertEqual(rule.id, FilterRule("free money", "flag", False, "garden").id)

    def test_what_is_not_known_is_left_out(self) -> None:
        for value in ("", "refuse\twords\t\t0\tx\t0", "refuse\twords\t\tx\t\t0\tspam",
                      "warn\twords\t\t0\t\t0\tspam", "flag\twords\t\t0\t\t0\t*"):  # fmt: skip
            self.assertIsNone(FilterRule.parse(value), value)


class Regexes(SynchronousTestCase):
    def setUp(self) -> None:
        self.re2 = filter_rules.load_re2()
        if self.re2 is None:
            self.skipTest("google-re2 is not installed")

    def test_a_regular_expression_sees_the_text_as_it_is(self) -> None:
        self.assertTrue(matches(r"(?i)https?://[^ ]*\.example", "see HTTP://x.example/1", True))
        self.assertFalse(matches(r"spam", "SPAM", True))
        self.assertTrue(matches("\u00e1+", "\u00e1\u00e1", True))

    def test_all_are_looked_for_at_once(self) -> None:
        rules = [FilterRule(f"x{number}y", "flag", True) for number in range(5)]
        matcher = Matcher([*rules, FilterRule("spam", "flag")])
        self.assertEqual(matcher.find("x1y x3y"), [rules[1], rules[3]])
        self.assertEqual(len(matcher.find("x1y spam")), 2)

    def test_a_wrong_one_is_refused(self) -> None:
        for pattern in ("(", "a{1000000}", r"(a)\1", "(?=a)"):
            with self.assertRaises(BadRequest, msg=pattern):
                FilterRule(pattern, "flag", True).check()
        with self.assertRaises(BadRequest) as caught:
            FilterRule("(a", "flag", True).check()
        self.assertEqual(caught.exception.text, "pattern: missing ): (a")
        with (
            patch.object(self.re2, "compile", side_effect=self.re2.error("much")),
            self.assertRaises(BadRequest),
        ):
            FilterRule("a", "flag", True).check()


class Missing(SynchronousTestCase):
    def test_a_package_that_is_not_installed_is_none(self) -> None:
        self.addCleanup(filter_rules.load_re2.cache_clear)
        filter_rules.load_re2.cache_clear()
        with patch.dict(sys.modules, {"re2": None}):
            self.assertIsNone(filter_rules.load_re2())

    def test_without_the_package_they_do_nothing(self) -> None:
        self.patch(filter_rules, "load_re2", lambda: None)
        with self.assertRaises(BadRequest) as caught:
            filter_rules.require_regexes()
        self.assertIn("pip install 'gtchat[filter]'", caught.exception.text)
        rule = FilterRule.parse(FilterRule("(", "flag", True).stored())
        assert rule is not None
        matcher = Matcher([rule, FilterRule("spam", "flag")])
        self.assertEqual(matcher.ignored, 1)
        self.assertEqual([one.pattern for one in matcher.find("( spam")], ["spam"])


class Cost(SynchronousTestCase):
    def test_the_tree_never_goes_back(self) -> None:
        """Alternatives differ in their first characters, and nothing is repeated."""
        words = [f"{first}{second}x*" for first in "abc" for second in "abc"]
        tree = Matcher([FilterRule(word, "flag") for word in words])._tree
        assert tree is not None
        self.assertNotRegex(tree.pattern, r"[*+{]")
        for group in re.findall(r"\(\?:([^()]*)\)", tree.pattern):
            firsts = [part[0] for part in group.split("|")]
            self.assertEqual(len(firsts), len(set(firsts)))

    def test_a_text_that_matches_no_rule_is_compared_once(self) -> None:
        rules = [FilterRule(f"word{number}", "flag") for number in range(100)]
        matcher = Matcher(rules)
        with patch.object(filter_rules._Needle, "matches", side_effect=AssertionError):
            self.assertEqual(matcher.find("words that are not there"), [])
