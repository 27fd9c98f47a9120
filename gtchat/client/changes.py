"""What a change does to a message. Source: docs/protocol.md, "Changes of messages"."""

from __future__ import annotations

from typing import TypeVar

from msgspec import structs

from gtchat.client.events import (
    Change,
    ChatMessage,
    Deleted,
    Deletion,
    Edited,
    Pinned,
    Reacted,
    Reaction,
    Unpinned,
)

#: Names of users that a reaction has; more are counted.
MAX_REACTION_USERS = 10
#: What a deletion removes.
_REMOVED = {
    "text": "",
    "reply": None,
    "style": None,
    "edited": False,
    "pinned": False,
    "reactions": (),
    "marks": (),
}
_Message = TypeVar("_Message", bound=ChatMessage)


def apply_change(message: _Message, change: Change, me: str | None) -> _Message:
    """Return a message as it is after a change of it.

    A change that the message has already, and one by a user that `me` blocks, changes nothing: so
    pages of a history and events give the same state in any order.

    Args:
        message: as a history or an event has it.
        change: of the same room.
        me: name of the user who is logged in.
    """
    if change.of != message.seq or (change.seq or 0) <= (message.changed or 0):
        return message
    changes: dict[str, object] = {}
    if change.blocked:
        pass
    elif isinstance(change, Edited):
        changes = {"text": change.text, "edited": True}
    elif isinstance(change, Deleted):
        changes = {**_REMOVED, "deleted": Deletion(by=change.by or "", reason=change.reason)}
    elif isinstance(change, Reacted):
        changes = {"reactions": _with_reaction(message.reactions, change, me)}
    elif isinstance(change, Pinned | Unpinned):
        changes = {"pinned": isinstance(change, Pinned)}
    return structs.replace(message, changed=change.seq, **changes)


def _with_reaction(
    reactions: tuple[Reaction, ...], change: Reacted, me: str | None
) -> tuple[Reaction, ...]:
    """Return the reactions to a message after one of them was made or taken back."""
    if change.emoji not in (one.emoji for one in reactions):
        reactions = (*reactions, Reaction(emoji=change.emoji))
    changed = (_react(one, change, me) if one.emoji == change.emoji else one for one in reactions)
    return tuple(one for one in changed if one.count > 0)


def _react(reaction: Reaction, change: Reacted, me: str | None) -> Reaction:
    users = tuple(user for user in reaction.users if user != change.user)
    if change.on and len(users) < MAX_REACTION_USERS:
        users = (*users, change.user)
    return Reaction(
        emoji=reaction.emoji,
        count=reaction.count + (1 if change.on else -1),
        users=users,
        me=change.on if change.user == me else reaction.me,
    )
