"""Names, passwords and message ids: which are valid, and how names are compared and sorted.

Names follow PRECIS (RFC 8265, RFC 8266) and rules of this chat on top: `user_key` and `room_key`
are for names of existing accounts and rooms, `user_name` and `room_name` for new ones, which have
to obey more. All protocols use these functions, so that a name is the same in each. Texts of
messages are in `messages`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Collection
from itertools import count

import attrs
from precis_i18n import get_profile

from gtchat.chat.errors import BadName, BadRequest, ChatError, TooLong, WeakPassword
from gtchat.chat.look_alikes import may_mix, shape
from gtchat.chat.normalization import MAX_COMPOSED, nfc, short_nfc

#: Longest names, in characters.
USER_CHARS, ROOM_CHARS = 32, 64
#: Shortest and longest new password, and longest imported one, in characters.
MIN_PASSWORD, MAX_PASSWORD, MAX_IMPORTED_PASSWORD = 8, 1024, 4096
#: User names that no account can have: the server uses `host` and `server` itself, and PA1
#: clients take messages from the other names for commands.
RESERVED = frozenset({"host", "server", "usrip", "privacy", "logout"})
#: Names that no other may look like, of users and of rooms.
_PROTECTED_USERS = frozenset(map(shape, ("host", "server")))
_PROTECTED_ROOMS = {"lobby": shape("lobby")}

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
_USER_DISPLAY = get_profile("UsernameCasePreserved")
_USER_KEY = get_profile("UsernameCaseMapped")
_ROOM_DISPLAY = get_profile("NicknameCasePreserved")
_ROOM_KEY = get_profile("Nickname")

#: Pictures that a ZERO WIDTH JOINER may join and a variation selector may follow: symbols that no
#: normalization changes.
_PICTURE = (
    "[\u00a9\u00ae\u2190-\u21ff\u2300-\u2328\u232b-\u245f\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030"
    "\u303d\U0001f000-\U0001f0ff\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff]"
)
_PICTURES = re.compile(_PICTURE)
_JOINED = re.compile(rf"({_PICTURE})([\ufe0e\ufe0f]?(?:\u200d(?={_PICTURE}))?)")


@attrs.frozen
class Name:
    """A valid name: `display` as users see it, `key` as it is compared."""

    display: str
    key: str


#: The name under which the server sends messages.
HOST = Name("Host", "host")


def user_key(raw: str) -> str:
    """Return the name of an existing account as it is compared.

    Raises:
        BadName: no account can have it.
    """
    return _user(raw).key


def user_name(raw: str) -> Name:
    """Return a new user name: 1 to 32 letters, digits, `_`, `-`, `.`, compared without case.

    The profiles are UsernameCasePreserved for display, UsernameCaseMapped for comparison
    (RFC 8265, section 3). Scripts are mixed as UTS 39, section 5.2 allows.

    Raises:
        BadName: no new account can have it.
    """
    name = _user(raw)
    if not may_mix(name.display):
        raise BadName("A user name can mix Latin letters with Chinese, Japanese or Korean only.")
    if name.key in RESERVED or _bare_shape(name.display) in _PROTECTED_USERS:
        raise BadName("This name is reserved.")
    return name


def _user(raw: str) -> Name:
    if _PLAIN.fullmatch(raw):
        return Name(raw, raw.lower())
    name = _enforced(raw, _USER_DISPLAY, _USER_KEY, USER_CHARS)
    if not all(is_name_character(character) for character in name.display):
        raise BadName("A user name can have letters, digits and _ - . only.")
    return name


def room_key(raw: str) -> str:
    """Return the name of an existing room as it is compared.

    Raises:
        BadName: no room can have it.
    """
    return _room(raw).key


def room_name(raw: str) -> Name:
    """Return a new room name: 1 to 64 characters, compared without case.

    The profiles are those for nicknames (RFC 8266). Each word mixes scripts as UTS 39, section 5.2
    allows for an identifier.

    Raises:
        BadName: no new room can have it.
    """
    name = _room(raw)
    if not all(map(may_mix, _words(name.display))):
        raise BadName("A word can mix Latin letters with Chinese, Japanese or Korean only.")
    if _PROTECTED_ROOMS.get(name.key) is None and _bare_shape(name.display) in (
        _PROTECTED_ROOMS.values()
    ):
        raise BadName("This name is reserved.")
    return name


def _room(raw: str) -> Name:
    """Return a room name. Emoji that are joined, or have a selector, are shown so (UTS 51).

    PRECIS allows neither character, so they are taken out before it and put back after it.
    """
    if _PLAIN.fullmatch(raw):
        return Name(raw, raw.lower())
    if len(raw) > ROOM_CHARS * MAX_COMPOSED:
        raise _bad_length(ROOM_CHARS)
    joiners = [joiner for _, joiner in _JOINED.findall(raw)]
    name = _enforced(_JOINED.sub(r"\1", raw), _ROOM_DISPLAY, _ROOM_KEY, ROOM_CHARS)
    if not any(joiners):
        return name
    if len(_PICTURES.findall(name.display)) != len(joiners):
        raise BadName("This name has characters that are not allowed.")
    left = iter(joiners)
    display = _PICTURES.sub(lambda found: found[0] + next(left), name.display)
    if len(display) > ROOM_CHARS:
        raise _bad_length(ROOM_CHARS)
    return Name(display, name.key)


def password(raw: str) -> str:
    """Return a new password in NFC, so that it is the same from every keyboard.

    Raises:
        WeakPassword: it has fewer than 8 or more than 1,024 characters, or more than
            30 combining marks in a row.
    """
    normal = typed_password(raw)
    if not MIN_PASSWORD <= len(normal) <= MAX_PASSWORD:
        raise WeakPassword()
    return normal


def typed_password(raw: str) -> str:
    """Return a password in NFC, "" if no account can have it."""
    try:
        return nfc(raw, MAX_IMPORTED_PASSWORD)
    except ChatError:
        return ""


def _enforced(raw: str, display: object, key: object, max_chars: int) -> Name:
    """Return a name that two PRECIS profiles accept. Raises BadName."""
    try:
        normal = nfc(raw, max_chars)
        if not normal:
            raise _bad_length(max_chars)
        name = Name(display.enforce(normal), key.enforce(normal))  # type: ignore[attr-defined]
    except TooLong as error:
        raise _bad_length(max_chars) from error
    except (UnicodeEncodeError, BadRequest) as error:
        raise BadName("This name has characters that are not allowed.") from error
    # PRECIS replaces a character by up to 18.
    if len(name.display) > max_chars:
        raise _bad_length(max_chars)
    if unicodedata.category(name.display[0])[0] == "M":
        raise BadName("A name can't begin with a combining mark.")
    return name


def _bad_length(max_chars: int) -> BadName:
    return BadName(f"A name has 1 to {max_chars} characters.")


def is_name_character(character: str) -> bool:
    """Return whether it is a letter, mark or digit of any script, or one of `_ - .`."""
    return character in "_-." or unicodedata.category(character)[0] in "LM" or character.isdigit()


def fold_user(raw: str) -> str:
    """Return part of a text as a user name is compared; of a valid name, its key.

    The part has at most `USER_CHARS` characters. It costs a hundredth of `user_key`, which also
    tells whether there can be such a name. The steps are those of the profile UsernameCaseMapped
    (RFC 8265, section 3.3.2): width, case, NFC.
    """
    if raw.isascii():
        return raw.lower()
    return short_nfc("".join(map(_narrow, raw)).lower())


def _narrow(character: str) -> str:
    """Return the usual form of a character of full width or half width."""
    kind, _, code = unicodedata.decomposition(character).partition(" ")
    return chr(int(code, 16)) if kind in ("<wide>", "<narrow>") else character


def _words(name: str) -> list[str]:
    """Return the parts of a name between characters other than letters, marks and digits."""
    return "".join(
        character if unicodedata.category(character)[0] in "LMN" else " " for character in name
    ).split()


def _bare_shape(name: str) -> str:
    """Return what a name looks like without its diacritical marks."""
    return "".join(each for each in shape(name) if not unicodedata.combining(each))


#: From how many names on `SortedNames.discard_all` reads all names.
MANY_NAMES = 100


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

    def discard_all(self, names: Collection[str]) -> None:
        """Remove names that are there, each as often as it is given.

        Many of them take as long as reading all names once, not one move of the rest for each.
        """
        if len(names) < MANY_NAMES:
            for name in names:
                self.discard(name)
            return
        given = Counter(names)
        kept = []
        for name in self._names:
            if given.get(name):
                given[name] -= 1
            else:
                kept.append(name)
        self._names = kept

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
