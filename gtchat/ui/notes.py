"""What there is to say of a message besides its text: as text, for windows and lines.

Texts of users are escaped here, the text of the message is not.
"""

from __future__ import annotations

from gtchat.client import ChatMessage, Reaction
from gtchat.ui.terminal import escape_controls

#: Most users of a reaction that are named; of more there is the number.
NAMED = 3


def before_text(message: ChatMessage) -> str:
    """Return what stands before the text of a message: the user it replies to; "" for nothing."""
    return f"(to {escape_controls(message.reply.user)}) " if message.reply is not None else ""


def after_text(message: ChatMessage) -> str:
    """Return what stands after the text of a message: edited, pinned, reactions; "" for nothing."""
    notes = [word for word, on in (("edited", message.edited), ("pinned", message.pinned)) if on]
    shown = "".join(f" ({word})" for word in notes)
    if message.reactions:
        shown += f" [{'  '.join(map(reaction_text, message.reactions))}]"
    return shown


def reaction_text(reaction: Reaction) -> str:
    """Return an emoji with the names of those who react with it, or their number."""
    emoji = escape_controls(reaction.emoji)
    if len(reaction.users) < reaction.count or reaction.count > NAMED:
        return f"{emoji} {reaction.count}"
    return f"{emoji} {', '.join(map(escape_controls, reaction.users))}"


def deletion_text(message: ChatMessage) -> str:
    """Return what is shown in place of the text of a deleted message."""
    deleted = message.deleted
    assert deleted is not None, "the caller has looked"
    by = "" if deleted.by == message.user else f" by {escape_controls(deleted.by)}"
    reason = f": {escape_controls(' '.join(deleted.reason.split()))}" if deleted.reason else ""
    return f"deleted{by}{reason}"
