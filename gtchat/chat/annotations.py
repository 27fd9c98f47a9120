"""What is said of a message besides its text: its reply, deletion and reactions."""

from __future__ import annotations

import attrs
from emoji import EMOJI_DATA, STATUS

from gtchat.chat.errors import BadRequest

#: Names of users that a reaction lists.
REACTION_USERS = 10

_VARIATION_SELECTOR = "\ufe0f"
_EMOJI_CHARS = max(map(len, EMOJI_DATA))
#: Emoji without variation selectors -> the emoji as UTS 51 recommends it ("fully qualified").
_QUALIFIED = {
    emoji.replace(_VARIATION_SELECTOR, ""): emoji
    for emoji, data in EMOJI_DATA.items()
    if data["status"] == STATUS["fully_qualified"]
}


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


def require_emoji(raw: str) -> str:
    """Return an emoji in the form that is stored: the same for each way to write it.

    Args:
        raw: an emoji, fully qualified or not (UTS 51, section 1.4.3).

    Raises:
        BadRequest: it is not one emoji.
    """
    if len(raw) > _EMOJI_CHARS or raw not in EMOJI_DATA:
        raise BadRequest("emoji: must be one emoji.")
    return _QUALIFIED.get(raw.replace(_VARIATION_SELECTOR, ""), raw)
