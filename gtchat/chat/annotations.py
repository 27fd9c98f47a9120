"""What is said of a message besides its text: its reply, deletion and reactions."""

from __future__ import annotations

from functools import cache

import attrs

from gtchat.chat.errors import BadRequest

#: Names of users that a reaction lists.
REACTION_USERS = 10

_VARIATION_SELECTOR = "\ufe0f"
#: More characters than any emoji has; those of Unicode 17 have up to 10.
_EMOJI_CHARS = 16


@attrs.frozen
class ReplyTo:
    """The message that a message replies to.

    Attributes:
        seq: its number in the log.
        usr: name of its author; "" until the store fills it in.
    """

    seq: int
    usr: str = ""


@attrs.frozen
class Deletion:
    """Who deleted a message, and why; `reason` is "" if none was given."""

    by: str
    reason: str


@attrs.frozen
class Reaction:
    """An emoji with which users have reacted to a message.

    Attributes:
        emoji: the emoji.
        count: number of the users.
        users: names of the first of them, at most `REACTION_USERS`, in the order of reacting.
        me: whether the account that reads the log is one of them.
    """

    emoji: str
    count: int
    users: tuple[str, ...]
    me: bool = False


@cache
def _emoji_forms() -> dict[str, str]:
    """Return emoji -> the same as UTS 51 recommends it ("fully qualified")."""
    # Imported for the first reaction: the package reads a table that takes 20 ms and 3 MB, which
    # only chats with reactions need.
    from emoji import EMOJI_DATA, STATUS

    qualified = {
        emoji.replace(_VARIATION_SELECTOR, ""): emoji
        for emoji, data in EMOJI_DATA.items()
        if data["status"] == STATUS["fully_qualified"]
    }
    return {
        emoji: qualified.get(emoji.replace(_VARIATION_SELECTOR, ""), emoji) for emoji in EMOJI_DATA
    }


def require_emoji(raw: str) -> str:
    """Return an emoji in the form that is stored: the same for each way to write it.

    Args:
        raw: an emoji, fully qualified or not (UTS 51, section 1.4.3).

    Raises:
        BadRequest: it is not one emoji.
    """
    form = None if len(raw) > _EMOJI_CHARS else _emoji_forms().get(raw)
    if form is None:
        raise BadRequest("emoji: must be one emoji.")
    return form
