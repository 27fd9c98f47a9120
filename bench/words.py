"""`filter`: what the word filter adds to a message, in nanoseconds of CPU time, by its rules."""

from __future__ import annotations

import os
import random
import string
import time
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.compare import Say
from gtchat.chat.filter_rules import FilterRule, Matcher, load_re2

#: Messages, words in each, rounds of which the fastest counts, and how often each has all messages.
MESSAGES, WORDS, ROUNDS, PASSES = 200, 12, 5, 20
COUNTS = (1, 10, 100, 1_000)
#: Kind of rule -> how a word is written as one.
KINDS = {"words": "{}", "words with * at both ends": "*{}*", "regular expressions": "{}[0-9]+"}


def word(source: random.Random, low: int, high: int) -> str:
    """Return a word of so many letters."""
    return "".join(source.choices(string.ascii_lowercase, k=source.randint(low, high)))


def nanoseconds(matcher: Matcher, messages: Sequence[str]) -> int:
    """Return the CPU time that one message takes."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(PASSES):
            for message in messages:
                matcher.find(message)
        best = min(best, (time.process_time_ns() - began) / PASSES / len(messages))
    return round(best)


def words(folder: Path, quick: bool, say: Say) -> int:
    """Measure, and write JSON; see `bench.search.search`."""
    source = random.Random(1)
    plain = [" ".join(word(source, 2, 8) for _ in range(WORDS)) for _ in range(MESSAGES)]
    accents = [message.replace("e", "\u00e9") for message in plain]
    found: dict[str, int] = {}
    for kind, pattern in KINDS.items():
        is_regex = kind.startswith("regular")
        for count in COUNTS[:2] if quick else COUNTS:
            if is_regex and (load_re2() is None or count > 100):
                continue
            patterns = (pattern.format(word(source, 4, 10)) for _ in range(count))
            matcher = Matcher([FilterRule(one, "flag", is_regex) for one in patterns])
            for name, messages in (("ASCII", plain), ("accents", accents)):
                found[f"{count} {kind}, {name}"] = took = nanoseconds(matcher, messages)
                say(f"{count} {kind}, {name}: {took} ns\n")
    document = {"machine": report.describe_machine(), "load": os.getloadavg()}
    report.write_results(folder, "filter", document | {"ns per message": found})
    return 0
