"""What is said of a message besides its text: its reply, deletion and reactions."""

from __future__ import annotations

import attrs

#: Names of users that a reaction lists.
REACTION_USERS = 10


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
