"""Strict JSON: rejects what two parsers could read differently (RFC 8259 section 4).

msgspec takes the last of several values of one key, and reads unknown fields only as far as it
must. A message without backslashes, with one `{` and no `[`, whose strings all differ, has none of
these faults; nearly every message is like that, and it takes half a microsecond to see. Where a
value equals a key or another value, only the keys have to differ. All other messages are parsed a
second time by a strict parser.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from gtchat.chat.errors import BadRequest

DEPTH = 32

_KEYS = re.compile(rb'"([^"\\]*)"[ \t\r\n]*:')
#: A string; one without an end reaches to the end of the message, so that each is read once.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
#: A bracket; or a string, and the simple value behind it if the string is a key.
_PART = re.compile(
    rb'[\[\]{}]|("(?:[^"\\]|\\.)*"?)'
    rb'(?:[ \t\r\n]*:[ \t\r\n]*("(?:[^"\\]|\\.)*"?|[^ \t\r\n"\[\]{},]+(?=[ \t\r\n"\[\]{},])))?',
    re.DOTALL,
)
_INTEGER = re.compile(rb"-?[0-9]{1,20}")

Parsed = dict[str, object]


def check(payload: bytes) -> None:
    """Check that every JSON parser reads a message alike.

    Raises:
        BadRequest: it is nested deeper than 32, has a key twice, NaN or Infinity, or a lone
            surrogate.
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
    """Return a message, parsed strictly.

    Raises:
        BadRequest: it is not a JSON object, or has a fault that `check` names.
    """
    _check_depth(payload)
    try:
        value = json.loads(
            payload,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
        )
    except ValueError as error:
        raise BadRequest("The message is not JSON.") from error
    if not isinstance(value, dict):
        raise BadRequest("A JSON object is required.")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequest("A lone surrogate is not a character.") from error
    return value


def read(payload: bytes, *names: str) -> list[str | int | None]:
    """Return values of a message as far as they can be read, also of one that is refused.

    Args:
        payload: the message.
        names: keys of its object, as they are written without escapes.

    Returns:
        For each name its value, if that is a string or an integer, else None. A key that occurs
        twice, with different values, has none.
    """
    found: dict[bytes, set[bytes]] = {b'"%s"' % name.encode(): set() for name in names}
    depth = 0
    for part in _PART.finditer(payload):
        key, value = part.groups()
        if key is None:
            depth += 1 if part[0] in b"[{" else -1
        elif depth == 1 and key in found:
            found[key].add(value or b"")
    return [_value(values.pop()) if len(values) == 1 else None for values in found.values()]


def _value(raw: bytes) -> str | int | None:
    """Return the string or integer that this JSON is, None if it is neither."""
    if _INTEGER.fullmatch(raw):
        return int(raw)
    if not raw.startswith(b'"'):
        return None
    try:
        text: str = json.loads(raw)
        text.encode()
    except ValueError:  # not JSON, not UTF-8, or a lone surrogate
        return None
    return text


def _check_depth(payload: bytes) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", payload)):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH:
            raise BadRequest(f"The message is nested deeper than {DEPTH} levels.")


def _object(pairs: list[tuple[str, object]]) -> Parsed:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("A key occurs twice.")
    return found


def _constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not JSON.")


def _integer(digits: str) -> int:
    """Return an integer; one of more than 20 digits is out of every range, and costly to parse."""
    return int(digits) if len(digits) <= 20 else 2**64
