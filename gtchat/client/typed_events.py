"""Pushes with a class of their own, which programs match by class; and what they change.

They are `Push`es with names for their fields: `room` is what methods of a connection take as a
room, `user` is who did it. Source: docs/protocol.md, "Pushes" and "Changes of messages".
"""

from __future__ import annotations

from msgspec import structs

from gtchat.client.messages import Deletion, Direct, Push, Reaction

#: Names of users that a reaction has; more are counted.
MAX_REACTION_USERS = 10


class _TypedPush(Push, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A push with a class of its own."""

    @property
    def room(self) -> str | Direct:
        """The room, or the direct conversation."""
        return Direct(usr=self.target_user) if self.target_user else self.room_name

    @property
    def user(self) -> str:
        """The user who did it; of a `Deleted`, the author."""
        return self.usr


class Edited(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """The author gave the message `of` another text."""

    @property
    def text(self) -> str:
        """The text that it has now."""
        return self.msg


class Deleted(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """`by` deleted the message `of`, for a `reason` or ""."""


class Reacted(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A user reacted to the message `of` with `emoji`; or took that back, if `on` is False."""


class Pinned(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A user pinned the message `of`."""


class Unpinned(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A user unpinned the message `of`."""


class Invitation(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A user invites to a room. Those that wait for an answer come after each login, too."""

    @property
    def room(self) -> str:
        """The room."""
        return self.room_name


class InvitationAnswer(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A user answered an invitation of ours."""

    @property
    def room(self) -> str:
        """The room."""
        return self.room_name

    @property
    def answer(self) -> str:
        """Y for yes, N for no, L for later."""
        return self.msg


class ReadUpTo(_TypedPush, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Another session of ours has marked a room as read up to `read_seq`, and no further."""


#: The kind of a push, its `type` or `cmd` -> its class.
TYPES: dict[str, type[Push]] = {
    "edited": Edited,
    "deleted": Deleted,
    "reacted": Reacted,
    "pinned": Pinned,
    "unpinned": Unpinned,
    "c_invited": Invitation,
    "c_invite_reply": InvitationAnswer,
    "marked_read": ReadUpTo,
}


def typed(push: Push) -> Push:
    """Return a push as an object of its class, if it has one."""
    kind = TYPES.get(push.type or push.cmd)
    if kind is None or isinstance(push, kind):
        return push
    return kind(**{name: getattr(push, name) for name in push.__struct_fields__})


def is_change(push: Push) -> bool:
    """Return whether a push says that a message has changed."""
    return push.cmd == "c_event" and push.of > 0


def apply_change(message: Push, change: Push, me: str) -> Push:
    """Return a message as it is after a change of it.

    A change that the message has already, and one by a user that `me` blocks, changes nothing: so
    pages of a history and events give the same state in any order.

    Args:
        message: a `c_speak` or `c_whisper`, as a history or an event has it.
        change: a push with `of`, the seq of the message.
        me: name of the user who is logged in.
    """
    if change.of != message.seq or change.seq <= message.changed:
        return message
    if change.blocked:
        return structs.replace(message, changed=change.seq)
    if change.type == "deleted":
        return Push(
            cmd=message.cmd,
            room_name=message.room_name,
            usr=message.usr,
            to=message.to,
            id=message.id,
            seq=message.seq,
            at=message.at,
            guest=message.guest,
            blocked=message.blocked,
            deleted=Deletion(by=change.by, reason=change.reason),
            changed=change.seq,
        )
    changes: dict[str, object] = {}
    if change.type == "edited":
        changes = {"msg": change.msg, "edited": True}
    elif change.type == "reacted":
        changes = {"reactions": _with_reaction(message.reactions, change, me)}
    elif change.type in ("pinned", "unpinned"):
        changes = {"pinned": change.type == "pinned"}
    return structs.replace(message, changed=change.seq, **changes)


def _with_reaction(reactions: tuple[Reaction, ...], change: Push, me: str) -> tuple[Reaction, ...]:
    """Return the reactions to a message after one of them was made or taken back."""
    if change.emoji not in (one.emoji for one in reactions):
        reactions = (*reactions, Reaction(emoji=change.emoji))
    changed = (_react(one, change, me) if one.emoji == change.emoji else one for one in reactions)
    return tuple(one for one in changed if one.count > 0)


def _react(reaction: Reaction, change: Push, me: str) -> Reaction:
    users = tuple(user for user in reaction.users if user != change.usr)
    if change.on and len(users) < MAX_REACTION_USERS:
        users = (*users, change.usr)
    return Reaction(
        emoji=reaction.emoji,
        count=reaction.count + (1 if change.on else -1),
        users=users,
        me=change.on if change.usr == me else reaction.me,
    )
