"""`search`: the time of searches among a million messages, and the cost of their index."""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import string
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench import report
from bench.compare import Say
from bench.tools import BenchError
from gtchat.chat.search_query import MessageSearch, parse
from gtchat.store import reindex
from gtchat.store.sql import search as searches
from gtchat.store.sql.opening import prepare
from gtchat.store.sql.sqlite import connect

MESSAGES, QUICK_MESSAGES = 1_000_000, 50_000
#: Rooms, and those that the user who searches is a member of.
ROOMS, OWN_ROOMS = 200, 20
USER = 1
WORDS, WORDS_IN_MESSAGE = 50_000, 12
#: Searches of each kind.
TRIES = 200
#: Milliseconds that 95 % of the searches may take.
LIMITS = {"a word in rooms of the user": 100.0, "the commonest word": 500.0}

INSERT = (
    "INSERT INTO entries (room_id, seq, message_count, kind, at, usr, id, msg)"
    " VALUES (?, ?, ?, 'speak', ?, ?, ?, ?)"
)


def vocabulary(source: random.Random) -> list[str]:
    """Return different words of 2 to 10 letters, the commonest first."""
    found: dict[str, None] = {}
    while len(found) < WORDS:
        length = source.randint(2, 10)
        found["".join(source.choices(string.ascii_lowercase, k=length))] = None
    return list(found)


def fill(path: Path, messages: int, words: Sequence[str], source: random.Random) -> None:
    """Store rooms and messages, whose words are distributed as Zipf's law says.

    Args:
        path: a new database.
        messages: number of messages.
        words: the words, the commonest first.
        source: of all that is random.
    """
    cumulated = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    counts = [0] * (ROOMS + 2)
    with closing(connect(path, "rw")) as db:
        db.execute("BEGIN")
        db.execute(
            "INSERT INTO accounts (id, name, key, registered, created_at, lobby_read_seq)"
            " VALUES (?, 'reader', 'reader', 1, 0, 0)",
            (USER,),
        )
        for room in range(1, ROOMS + 2):
            name = "lobby" if room == 1 else f"r{room}"
            db.execute(
                "INSERT INTO rooms (id, key, name, public, topic, max, owner)"
                " VALUES (?, ?, ?, 1, '', 0, '')",
                (room, name, name),
            )
            if 1 < room <= OWN_ROOMS + 1:
                db.execute("INSERT INTO members VALUES (?, ?, 1, 0)", (room, USER))
        rows = []
        for number in range(messages):
            room = source.randint(2, ROOMS + 1)
            counts[room] += 1
            said = source.choices(words, cum_weights=cumulated, k=WORDS_IN_MESSAGE)
            if room > OWN_ROOMS + 1:
                said.append("elsewhere")
            row = (room, counts[room], counts[room], number * 1000, f"user{number % 1000}")
            rows.append((*row, str(number), " ".join(said)))
            if len(rows) == 10_000:
                db.executemany(INSERT, rows)
                rows = []
        db.executemany(INSERT, rows)
        db.execute("COMMIT")


def percentile_95(db: sqlite3.Connection, queries: Sequence[str]) -> tuple[float, float]:
    """Return the milliseconds in which 95 % of some searches are done, and those of the CPU."""
    taken, used = [], []
    for query in queries:
        began, cpu_began = time.perf_counter(), time.thread_time()
        page = searches.search(
            db, MessageSearch(account_id=USER, query=parse(query), limit=50, seconds=60.0)
        )
        taken.append((time.perf_counter() - began) * 1000)
        used.append((time.thread_time() - cpu_began) * 1000)
        if page.incomplete:
            raise BenchError(f"{query!r} took more than a minute")
    index = int(len(taken) * 0.95)
    return sorted(taken)[index], sorted(used)[index]


def measure(messages: int, say: Say) -> dict[str, float]:
    """Return the figures: milliseconds of each kind of search, and the cost of the index.

    Args:
        messages: number of messages.
        say: shows progress.
    """
    source = random.Random(14)
    words = vocabulary(source)
    with tempfile.TemporaryDirectory(prefix="gtchat-bench-") as folder:
        path = Path(folder, "gtchat.sqlite")
        prepare(path)
        fill(path, messages, words, source)
        before = path.stat().st_size
        say(f"{messages} messages stored\n")
        began = time.process_time()
        reindex(path)
        found = {
            "CPU µs of the index, per message": (time.process_time() - began) * 1e6 / messages,
            "bytes of the index, per message": (path.stat().st_size - before) / messages,
        }
        some = [source.choice(words[20:5000]) for _ in range(TRIES)]
        tries = range(TRIES // 10)
        with closing(connect(path, "ro")) as db:
            for name, queries in (
                ("a word in rooms of the user", [f'"{word}"' for word in some]),
                ("the same as the beginning of words", some),
                ("two words", [f'"{one}" "{words[0]}"' for one in some]),
                ("a word of a user", [f'from:user{n} "{words[n]}"' for n in range(TRIES)]),
                ("a phrase", [f'"{words[0]} {word}"' for word in words[:TRIES]]),
                ("a word that no message has", [f'"{word}x"' for word in some]),
                ("the commonest word", [f'"{words[0]}"' for _ in tries]),
                ("the commonest word as the beginning of words", [words[0] for _ in tries]),
                ("the commonest two letters", [words[0][:2] for _ in tries]),
                ("a word that is common in other rooms only", ['"elsewhere"' for _ in tries]),
                ("a word of long ago", [f'"{words[99]}" before:1970-01-01' for _ in tries]),
            ):
                wall, cpu = percentile_95(db, queries)
                found |= {f"ms (p95): {name}": wall, f"CPU ms (p95): {name}": cpu}
                say(f"{name}: {wall:.1f} ms, {cpu:.1f} ms of CPU\n")
    return found


def search(folder: Path, quick: bool, say: Say) -> int:
    """Measure, and write JSON.

    Args:
        folder: where to write.
        quick: whether to measure with few messages.
        say: shows progress.

    Returns:
        The exit status: 1 if a search took longer than it may.
    """
    messages = QUICK_MESSAGES if quick else MESSAGES
    found = measure(messages, say)
    document = {"machine": report.describe_machine(), "messages": messages, "load": os.getloadavg()}
    report.write_results(folder, "search", document | {"found": found})
    slow = [name for name, most in LIMITS.items() if found[f"ms (p95): {name}"] > most]
    for name in slow:
        say(f"too slow: {name}\n")
    return 1 if slow else 0
