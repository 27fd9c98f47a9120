"""Strict JSON: refuses what two readers could understand differently.

msgspec takes a second value for the same key, and looks into unknown fields only as far as it
must. A message without backslashes, with one `{` and no `[`, whose strings all differ, has none of
the faults; that is nearly every message, and costs half a microsecond to see. In some of the others
a value is as a key or another value: there the keys alone are to differ. What is left is read a
second time, with care.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from gtchat.chat.errors import BadRequest

DEPTH = 32

_KEYS = re.compile(rb'"([^"\\]*)"[ \t\r\n]*:')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")

Parsed = dict[str, object]


def check(payload: bytes) -> None:
    """See that a message has one meaning (RFC 8259 section 4, RFC 8785's concerns).

    Raises:
        BadRequest: it is nested deeper than 32, has a key twice, NaN or Infinity, or half a
            surrogate pair.
    """
    if b"\\" not in payload and b"[" not in payload and payload.count(b"{") == 1:
        strings = payload.split(b'"')[1::2]
        if len(set(strings)) == len(strings):
            return
        keys = _KEYS.findall(payload)
        if len(set(keys)) == len(keys):
            return
    parse(payload)


def parse(payload: bytes) -> Parsed:
    """A message read with care.

    Raises:
        BadRequest: it is not a JSON object, or has a fault that `check` names.
    """
    _check_depth(payload)
    try:
        value = json.loads(
            payload,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_whole,
        )
    except ValueError as error:
        raise BadRequest("This is not JSON.") from error
    if not isinstance(value, dict):
        raise BadRequest("A JSON object is wanted.")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequest("Half a surrogate pair is no character.") from error
    return value


def _check_depth(payload: bytes) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", payload)):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH:
            raise BadRequest(f"This is nested deeper than {DEPTH}.")


def _object(pairs: list[tuple[str, object]]) -> Parsed:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("A key stands twice.")
    return found


def _constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not JSON.")


def _whole(digits: str) -> int:
    """A whole number; one that nobody can mean is as large as they get."""
    return int(digits) if len(digits) <= 20 else 2**64
