"""No regular expression of GTChat backtracks exponentially: none nests unbounded repeats."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import gtchat
from gtchat.chat.messages import text
from gtchat.protocols.gtchat_json import strict_json

try:
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_parse as parser

REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
#: Texts that are slow for patterns that backtrack.
SLOW = ["a" * 4_000, "a" * 3_999 + "!", "@" * 4_000, " " * 3_999 + "x", '"' * 4_000, "\\" * 4_000]


def nested(tree: Any, inside: bool = False) -> bool:
    """Return whether a pattern repeats without limit something that does so itself.

    Args:
        tree: the pattern as Python's parser returns it.
        inside: whether the tree is itself repeated without limit.
    """
    for operator, value in tree:
        unbounded = str(operator) in REPEATS and value[1] == parser.MAXREPEAT
        if unbounded and inside:
            return True
        if any(nested(part, inside or unbounded) for part in parts(str(operator), value)):
            return True
    return False


def parts(operator: str, value: Any) -> list[Any]:
    """Return the patterns inside an operator.

    Args:
        operator: its name.
        value: its operands, as Python's parser returns them.
    """
    if operator == "BRANCH":
        return list(value[1])
    if operator in (*REPEATS, "SUBPATTERN"):
        return [value[-1]]
    return [value[1]] if operator in ("ASSERT", "ASSERT_NOT") else []


def patterns() -> dict[str, Any]:
    """Return the patterns in all modules of GTChat, by their dotted name."""
    found = {}
    for module in pkgutil.walk_packages(gtchat.__path__, "gtchat."):
        if "migrations" in module.name or module.name.endswith(".tk"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[f"{module.name}.{name}"] = value.pattern
    return found


class Patterns(SynchronousTestCase):
    def test_no_pattern_nests_unbounded_repeats(self) -> None:  # G10
        found = patterns()
        self.assertIn("gtchat.protocols.gtchat_json.strict_json._STRING", found)
        for name, pattern in found.items():
            self.assertFalse(nested(parser.parse(pattern)), name)

    def test_nested_repeats_are_detected(self) -> None:
        for pattern in ("(a+)+", "(?:a*b?)*", "(x|(?:y+))*z", r"(?=(\w+)*)"):
            self.assertTrue(nested(parser.parse(pattern)), pattern)

    def test_long_repetitive_texts_are_accepted(self) -> None:
        for slow in SLOW:
            self.assertEqual(text(slow, 4_000), slow)
            payload = json.dumps({"cmd": "speak", "msg": slow}).encode()
            self.assertEqual(strict_json.parse(payload)["msg"], slow)
