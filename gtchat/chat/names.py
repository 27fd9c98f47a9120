"""Names, passwords and message ids: which are valid, and how names are compared and sorted.

Names follow PRECIS (RFC 8265, RFC 8266) and a character rule of this chat on top. All protocols use
these functions, so that a name is the same in each. Texts of messages are in `messages`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from itertools import count

import attrs
from precis_i18n import get_profile

from gtchat.chat.errors import BadName, WeakPassword

#: User names that no account can have: the server uses `host` and `server` itself, and PA1
#: clients take messages from the other names for commands.
RESERVED = frozenset({"host", "server", "usrip", "privacy", "logout"})

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
#: Scripts that have letters which look the same.
_CONFUSABLE_SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC"})
_USER_DISPLAY = get_profile("UsernameCasePreserved")
_USER_KEY = get_profile("UsernameCaseMapped")
_ROOM_DISPLAY = get_profile("NicknameCasePreserved")
_ROOM_KEY = get_profile("Nickname")


@attrs.frozen
class Name:
    """A valid name: `display` as users see it, `key` as it is compared."""

    display: str
    key: str


#: The name under which the server sends messages.
HOST = Name("Host", "host")


def user_name(raw: str) -> Name:
    """Return a user name: 1 to 32 letters, digits, `_`, `-`, `.`, compared without case.

    The profiles are UsernameCasePreserved for display, UsernameCaseMapped for comparison
    (RFC 8265, section 3). Letters are of one of the scripts that look alike (UTS 39, section 5).

    Raises:
        BadName: it is not a valid user name.
    """
    if _PLAIN.fullmatch(raw):
        name = Name(raw, raw.lower())
    else:
        name = _enforced(raw, _USER_DISPLAY, _USER_KEY, 32)
        if not all(_is_name_character(character) for character in name.display):
            raise BadName("A user name can have letters, digits and _ - . only.")
        if len(_scripts(name.display)) > 1:
            raise BadName("A user name can't mix Latin, Greek and Cyrillic letters.")
    if name.key in RESERVED:
        raise BadName("This name is reserved.")
    return name


def room_name(raw: str) -> Name:
    """Return a room name: 1 to 64 characters, compared without case.

    The profiles are those for nicknames (RFC 8266).

    Raises:
        BadName: it is not a valid room name.
    """
    if _PLAIN.fullmatch(raw):
        return Name(raw, raw.lower())
    return _enforced(raw, _ROOM_DISPLAY, _ROOM_KEY, 64)


def password(raw: str) -> str:
    """Return a new password in NFC, so that it is the same from every keyboard.

    Raises:
        WeakPassword: it has fewer than 8 or more than 1,024 characters.
    """
    normal = unicodedata.normalize("NFC", raw)
    if not 8 <= len(normal) <= 1024:
        raise WeakPassword()
    return normal


def _enforced(raw: str, display: object, key: object, max_chars: int) -> Name:
    """Return a name that two PRECIS profiles accept. Raises BadName."""
    # The check comes before PRECIS and looks at a prefix only: NFC of a long run of combining
    # marks takes quadratic time.
    if not 1 <= len(unicodedata.normalize("NFC", raw[: 4 * max_chars])) <= max_chars:
        raise BadName(f"A name has 1 to {max_chars} characters.")
    try:
        name = Name(display.enforce(raw), key.enforce(raw))  # type: ignore[attr-defined]
    except UnicodeEncodeError as error:
        raise BadName("This name has characters that are not allowed.") from error
    if unicodedata.category(name.display[0])[0] == "M":
        raise BadName("A name can't begin with a combining mark.")
    return name


def _scripts(name: str) -> frozenset[str]:
    """Return which of the confusable scripts the letters of a name are of."""
    words = (unicodedata.name(character, "").partition(" ")[0] for character in name)
    return _CONFUSABLE_SCRIPTS.intersection(words)


def _is_name_character(character: str) -> bool:
    """Return whether it is a letter, mark or digit of any script, or one of `_ - .`."""
    return character in "_-." or unicodedata.category(character)[0] in "LM" or character.isdigit()


@attrs.define(eq=False)
class SortedNames:
    """Names in order, to page through."""

    _names: list[str] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        at = bisect_left(self._names, name)
        return at < len(self._names) and self._names[at] == name

    def add(self, name: str) -> None:
        """Insert a name."""
        insort(self._names, name)

    def discard(self, name: str) -> None:
        """Remove a name if it is there."""
        at = bisect_left(self._names, name)
        if at < len(self._names) and self._names[at] == name:
            del self._names[at]

    def page(self, after: str | None, limit: int) -> list[str]:
        """Return a page of the names.

        Args:
            after: the last name of the page before; None for the first page.
            limit: maximum number of names.
        """
        start = 0 if after is None else bisect_right(self._names, after)
        return self._names[start : start + limit]


def message_ids(token: Callable[[], str]) -> Callable[[], str]:
    """Return a function that makes a unique message id at each call.

    An id is an unguessable prefix, new at each start of the server, and a number.

    Args:
        token: makes an unguessable string.
    """
    return map(f"{token()[:12]}-{{:x}}".format, count(1)).__next__
