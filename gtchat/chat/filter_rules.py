"""Rules of the word filter as data, and how a text is compared with them.

A text is compared in the form of searches (`search_form`: NFKC, case, no accents, punctuation
separates words), in which each character also stands for what looks like it (UTS 39): `i`, `l` and
`1` are the same, and so are `o` and `0`. In that form, with a space at both ends, nearly every rule
is a part of the text: ` word ` alone, ` word` for `word*`, `word` for `*word*`. So all of them are
one regular expression, a tree of their characters, which goes over the text once.

Regular expressions of operators see the text as it was written, and are compared by RE2, whose time
is linear; Python's own could take for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import Any

import attrs

from gtchat.chat.errors import BadRequest
from gtchat.chat.look_alikes import shape
from gtchat.chat.normalization import search_form

#: What a rule does, weakest first.
ACTIONS = ("flag", "refuse", "mute")
#: Longest rule, in characters; and the memory in bytes that RE2 may use for all rules.
PATTERN_CHARS, RE2_BYTES = 64, 8 << 20
#: Most characters that a `*` between others stands for.
GAP_CHARS = 32
MISSING = "Regular expressions need the package google-re2: pip install 'gtchat[filter]'."
#: Longest part of a form that a rule stands for, in characters: one of a rule may be 18 there, and
#: each one is a level of the tree.
FORM_CHARS = 2 * PATTERN_CHARS
_BAD_PATTERN = "pattern: a rule needs two letters or digits in a row, or is one word without *."

#: Characters whose forms are remembered, at most.
_REMEMBERED = 16_384
_SAME = str.maketrans({"i": "l", "1": "l", "0": "o"})


@cache
def load_re2() -> Any:
    """Return google-re2, None if it is not installed."""
    # Imported for the first regular expression: it takes 2 MB, and few chats have one.
    try:
        import re2
    except ImportError:
        return None
    return re2


class _Forms(dict[int, str]):
    """Code point -> its part of a `filter_form`, made when it is needed."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        form = search_form(character)
        if not character.isascii():
            looks = shape(character)
            if looks == character:  # another form of one that has a look, such as a half-width one
                looks = shape(form)
            # `m` looks like `rn`, but is no other letter; what looks like a stroke may be one.
            looking = search_form(looks.replace("rn", "m"))
            form = looking if looking.strip() else form
        self[code] = form = form.translate(_SAME)
        return form


_forms = _Forms()
_ASCII_FORMS = "".join(_forms[code] for code in range(128)).encode("ascii").ljust(256)


def filter_form(text: str) -> str:
    """Return the words of a text as rules are compared with them: a space before and behind each.

    Args:
        text: any text in NFC; this takes linear time.
    """
    if text.isascii():
        form = text.encode("ascii").translate(_ASCII_FORMS).decode("ascii")
    else:
        if len(_forms) > _REMEMBERED:
            _forms.clear()
        form = text.translate(_forms)
    return f" {' '.join(form.split())} "


@attrs.frozen
class FilterRule:
    """A rule.

    Attributes:
        pattern: words, in which `*` stands for any letters and digits; or a regular expression.
        action: one of `ACTIONS`.
        is_regex: whether it is a regular expression, of RE2.
        room: the name of the room as compared in which it holds, "" for all, and for names.
        seconds: of a mute: for how long.
        by: who has added it; see `Actor.name`.
        at: when, in milliseconds since 1970, UTC.
    """

    pattern: str
    action: str
    is_regex: bool = False
    room: str = ""
    seconds: int = 0
    by: str = ""
    at: int = 0

    @property
    def id(self) -> str:
        """Names the rule; two with the same pattern and room are one."""
        named = f"{self.is_regex} {self.room}\t{self.pattern}"
        return sha256(named.encode("utf-8", "replace")).hexdigest()[:8]

    @property
    def strength(self) -> int:
        """How strong its action is."""
        return ACTIONS.index(self.action)

    def stored(self) -> str:
        """Return the rule as a choice of operators is stored: a line; no field has a tab."""
        kind = "regex" if self.is_regex else "words"
        fields = (self.action, kind, self.room, self.seconds, self.by, self.at, self.pattern)
        return "\t".join(map(str, fields))

    @classmethod
    def parse(cls, value: str) -> FilterRule | None:
        """Return a stored rule, None for what this program does not know."""
        try:
            action, kind, room, seconds, by, at, pattern = value.split("\t")
            rule = cls(pattern, action, kind == "regex", room, int(seconds), by, int(at))
            rule.check()
        except (ValueError, BadRequest):
            return None
        return rule if action in ACTIONS else None

    def check(self) -> None:
        """Check that it can be compiled. Raises BadRequest."""
        if not self.is_regex:
            _needle(self.pattern)
        elif load_re2() is not None:
            _regex_set([self])


@attrs.frozen
class _Needle:
    """A rule of words as parts of a form.

    Attributes:
        key: the part that is looked for first: the longest one.
        gap: what the rule looks like around a `*` between others, None if it has none.
    """

    key: str
    gap: re.Pattern[str] | None

    def matches(self, form: str) -> bool:
        """Return whether a form has it."""
        return self.key in form and (self.gap is None or self.gap.search(form) is not None)


def _needle(pattern: str) -> _Needle:
    """Return a rule of words as parts of a form. Raises BadRequest: it can't be one."""
    raw = re.sub(r"\*+", "*", pattern.strip()).split("*")
    parts = [_part(text, at > 0, at < len(raw) - 1) for at, text in enumerate(raw)]
    inner = [part for part in parts if part]
    key = max(inner, key=len, default="")
    letters = len(key.replace(" ", ""))
    if len(key) > FORM_CHARS:
        raise BadRequest("pattern: it is too long where it is compared.")
    if len(inner) > 2 or not letters or ("*" in pattern and letters < 2 and key.isascii()):
        raise BadRequest(_BAD_PATTERN)
    if len(inner) == 1:
        return _Needle(key, None)
    first, second = map(re.escape, inner)
    return _Needle(key, re.compile(f"{first}[^ ]{{0,{GAP_CHARS}}}{second}"))


def _part(text: str, after_star: bool, before_star: bool) -> str:
    """Return a part of a rule as it stands in forms; at a `*` a word goes on."""
    form = filter_form(text).strip()
    if not form:
        return ""
    before = "" if after_star and filter_form(text[0]).strip() else " "
    behind = "" if before_star and filter_form(text[-1]).strip() else " "
    return f"{before}{form}{behind}"


def _tree(needles: Iterable[str]) -> re.Pattern[str] | None:
    """Return a regular expression that finds any of the needles, None for none.

    Its alternatives differ in their first characters, so that it never goes back.
    """
    root: dict[str, Any] = {}
    for needle in sorted(needles, key=len):
        node = root
        for character in needle[:-1]:
            node = node.setdefault(character, {})
            if "" in node:  # a shorter needle is found first
                break
        else:
            node[needle[-1]] = {"": {}}
    return re.compile(_source(root)) if root else None


def _source(node: dict[str, Any]) -> str:
    if "" in node:
        return ""
    found = [re.escape(character) + _source(rest) for character, rest in node.items()]
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


class Matcher:
    """Rules, compiled.

    Args:
        rules: the rules.

    Attributes:
        ignored: regular expressions that are not applied since google-re2 is missing.

    Raises:
        BadRequest: one of them is none.
    """

    def __init__(self, rules: Iterable[FilterRule]) -> None:
        words: list[tuple[FilterRule, _Needle]] = []
        regexes: list[FilterRule] = []
        for rule in rules:
            if rule.is_regex:
                regexes.append(rule)
            else:
                words.append((rule, _needle(rule.pattern)))
        self._words = words
        self._tree = _tree(needle.key for _, needle in words)
        self.ignored = 0
        if regexes and load_re2() is None:
            self.ignored, regexes = len(regexes), []
        self._regexes = regexes
        self._set = _regex_set(self._regexes) if self._regexes else None

    def find(self, text: str) -> list[FilterRule]:
        """Return the rules that a text matches.

        Args:
            text: a text in NFC.
        """
        found: list[FilterRule] = []
        if self._tree is not None:
            form = filter_form(text)
            if self._tree.search(form) is not None:
                found += [rule for rule, needle in self._words if needle.matches(form)]
        if self._set is not None:
            found += [self._regexes[at] for at in self._set.Match(text) or ()]
        return found

    def matches(self, text: str) -> bool:
        """Return whether a text matches any rule."""
        return bool(self.find(text))


def _regex_set(rules: Iterable[FilterRule]) -> Any:
    """Return what finds all regular expressions at once. Raises BadRequest: one is none."""
    re2 = load_re2()
    options = re2.Options()
    options.max_mem, options.log_errors = RE2_BYTES, False
    found = re2.Set.SearchSet(options)
    try:
        for rule in rules:
            re2.compile(rule.pattern, options)  # says what is wrong with it
            found.Add(rule.pattern)
        found.Compile()
    except re2.error as error:
        [reason] = error.args
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise BadRequest(f"pattern: {text[:100]}") from None
    return found


def require_regexes() -> None:
    """Raise BadRequest if there are no regular expressions here."""
    if load_re2() is None:
        raise BadRequest(MISSING)
