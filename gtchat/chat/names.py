"""Names and texts: what may be one, and how it is compared. One function for all protocols.

Names follow PRECIS (RFC 8265, RFC 8266) and this chat's own character rule on top; texts are NFC.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import count

import attrs
from precis_i18n import get_profile

from gtchat.chat.errors import BadName, BadRequest, TooLong, WeakPassword

#: Names that the server and the protocols speak under themselves.
#: `host` and `server` are the server's own; the others are orders to clients of PA1.
RESERVED = frozenset({"host", "server", "usrip", "privacy", "logout"})

TXN_CHARS = 64

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
_FORBIDDEN_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")
#: Scripts with letters that can't be told from each other's.
_CONFUSABLE_SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC"})
#: Characters that nobody sees: white space, format characters, variation selectors, fillers.
_INVISIBLE = frozenset(
    chr(number)
    for number in [
        *(number for number in range(0x3001) if chr(number).isspace()),
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0080),
        *range(0xE0100, 0xE01F0),
    ]
)
_USER_SHOWN = get_profile("UsernameCasePreserved")
_USER_KEY = get_profile("UsernameCaseMapped")
_ROOM_SHOWN = get_profile("NicknameCasePreserved")
_ROOM_KEY = get_profile("Nickname")


@attrs.frozen
class Name:
    """A valid name: `shown` to people, compared by `key`."""

    display: str
    key: str


#: The server, when it speaks.
HOST = Name("Host", "host")


def user_name(raw: str) -> Name:
    """A name for a user: 1 to 32 letters, digits, `_`, `-`, `.`, compared without case.

    Raises:
        BadName: it can't be one.
    """
    if _PLAIN.fullmatch(raw):
        name = Name(raw, raw.lower())
    else:
        name = _enforced(raw, _USER_SHOWN, _USER_KEY, 32)
        if not all(_is_name_character(character) for character in name.display):
            raise BadName("A user name has letters, digits and _ - . only.")
        if len(_scripts(name.display)) > 1:
            raise BadName("A name has letters of one of Latin, Greek and Cyrillic only.")
    if name.key in RESERVED:
        raise BadName("This name is the server's own.")
    return name


def room_name(raw: str) -> Name:
    """A name for a room: 1 to 64 characters, compared without case (PRECIS Nickname).

    Raises:
        BadName: it can't be one.
    """
    if _PLAIN.fullmatch(raw):
        return Name(raw, raw.lower())
    return _enforced(raw, _ROOM_SHOWN, _ROOM_KEY, 64)


def text(raw: str, limit: int) -> str:
    """A text for people: 1 to `most` characters (0: any number), in NFC.

    Raises:
        BadRequest: it is empty, or has a C0 control other than newline and tab.
        TooLong: it has more characters.
    """
    if not (raw.isascii() and raw.isprintable()):
        raw = unicodedata.normalize("NFC", raw)
        if _FORBIDDEN_CONTROLS.search(raw):
            raise BadRequest("msg: control characters other than newline and tab are refused.")
    if not raw or raw[0] in _INVISIBLE and all(character in _INVISIBLE for character in raw):
        raise BadRequest("msg: there is no text.")
    if limit and len(raw) > limit:
        raise TooLong(f"msg: a text has at most {limit:,} characters.")
    return raw


def password(raw: str) -> str:
    """A new password: 8 to 1,024 characters, in NFC so that it can be typed anywhere.

    Raises:
        WeakPassword: it is shorter or longer.
    """
    normal = unicodedata.normalize("NFC", raw)
    if not 8 <= len(normal) <= 1024:
        raise WeakPassword()
    return normal


def check_txn(raw: str | None) -> None:
    """See that a client's mark against doubles is one, if there is one.

    Raises:
        BadRequest: it is empty or longer than 64 characters.
    """
    if raw is not None and not 1 <= len(raw) <= TXN_CHARS:
        raise BadRequest(f"txn: 1 to {TXN_CHARS} characters are wanted.")


def _enforced(raw: str, shown: object, key: object, limit: int) -> Name:
    """`raw` as two PRECIS profiles want it."""
    if not 1 <= len(unicodedata.normalize("NFC", raw[: 4 * limit])) <= limit:
        raise BadName(f"A name has 1 to {limit} characters.")
    try:
        name = Name(shown.enforce(raw), key.enforce(raw))  # type: ignore[attr-defined]
    except UnicodeEncodeError as error:
        raise BadName("This name has characters that a name can't have.") from error
    if unicodedata.category(name.display[0])[0] == "M":
        raise BadName("A name can't begin with a mark, which belongs to a letter before it.")
    return name


def _scripts(name: str) -> frozenset[str]:
    """Which of the scripts whose letters look alike a name has letters of."""
    words = (unicodedata.name(character, "").partition(" ")[0] for character in name)
    return _CONFUSABLE_SCRIPTS.intersection(words)


def _is_name_character(character: str) -> bool:
    """Letters and digits of any script with the marks that belong to them, and `_ - .`."""
    return character in "_-." or unicodedata.category(character)[0] in "LM" or character.isdigit()


def message_ids(token: Callable[[], str]) -> Callable[[], str]:
    """A source of ids: an unguessable prefix for every start of the server, and a number.

    Args:
        token: makes an unguessable string.

    Returns:
        Makes an id that never was before, at every call.
    """
    return map(f"{token()[:12]}-{{:x}}".format, count(1)).__next__
