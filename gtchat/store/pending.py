"""How much can wait, how many rooms an account has, what a txn stands for. Both stores use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gtchat.chat.errors import AlreadyInRoom, NotAllowed, NotInRoom, SlowMode
from gtchat.chat.events import (
    AnnotatedMessage,
    Deleted,
    Joined,
    MessageChange,
    Reacted,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.interfaces import (
    InvitationLimits,
    PendingEntry,
    PendingRoomChange,
    PendingWhisper,
    WhisperLimits,
)
from gtchat.chat.limits import MAX_CREATED, MAX_MEMBERSHIPS, MAX_RECEIVED

#: Invitations in a list: the newest of an account.
LISTED_INVITATIONS = 200

#: How much the clocks of nodes differ at most, and how long a message waits behind one of another
#: node that is stored first, in milliseconds: slow mode holds across that.
CLOCKS_MS = 10_000

#: Returns whether there are at least so many.
Reached = Callable[[int], bool]


def _check(rules: Iterable[tuple[int, Reached, str]]) -> None:
    """Raise NotAllowed with the text of the first limit that is reached; 0 is no limit."""
    for limit, reached, text in rules:
        if limit and reached(limit):
            raise NotAllowed(text)


def check_room_limits(
    pending: PendingRoomChange, memberships: Reached, created: Reached, received: Reached
) -> None:
    """Check whether the subject of a change may have another room.

    Args:
        pending: the change, with the limits.
        memberships: whether its subject is a member of so many rooms.
        created: whether the subject has created so many.
        received: whether the subject owns so many that others have created.

    Raises:
        NotAllowed.
    """
    entry, limits = pending.entry, pending.limits
    rules: list[tuple[int, Reached, str]] = []
    if isinstance(entry, RoomCreated | Joined):
        text = MAX_MEMBERSHIPS.format(limits.memberships)
        rules.append((limits.memberships, memberships, text))
    if isinstance(entry, RoomCreated):
        rules.append((limits.rooms, created, MAX_CREATED.format(limits.rooms)))
    if isinstance(entry, RoomChanged):
        rules.append((limits.rooms, received, MAX_RECEIVED))
    _check(rules)


def check_slow(pending: PendingEntry, last: int | None) -> None:
    """Check that the author of a message has waited long enough; see `PendingEntry.slow`.

    Args:
        pending: the message.
        last: when the last one was, in milliseconds since 1970, UTC; None if there was none.

    Raises:
        SlowMode.
    """
    if last is None:
        return
    wait = last + pending.slow * 1000 - pending.entry.at
    if 0 < wait <= pending.slow * 1000 + CLOCKS_MS:  # else the clock was set back
        raise SlowMode(retry_after=wait / 1000)


def request_content(pending: PendingEntry) -> tuple[str, str]:
    """Return what an entry is asked to be, as a target and a text: a txn stands for both.

    Old txns are compared with it too: it must stay the same for a plain message.
    """
    if isinstance(pending, PendingRoomChange):
        return pending.content, ""
    entry = pending.entry
    target = f"room {pending.room_id} {entry.kind}"
    if isinstance(pending, PendingWhisper):
        target = f"account {pending.target_id}"
        if pending.entry.reply is None and not pending.entry.style:
            return target, pending.entry.msg
    if isinstance(entry, AnnotatedMessage):
        reply = entry.reply.seq if entry.reply is not None else None
        return f"{target} {reply} {entry.style}", entry.msg
    if isinstance(entry, MessageChange):
        target = f"{target} of {entry.of}"
    if isinstance(entry, Reacted):
        return f"{target} {entry.on}", entry.emoji
    return target, getattr(entry, "reason" if isinstance(entry, Deleted) else "msg", "")


def check_members(inviter: bool, invited: bool) -> None:
    """Check whether an invitation comes from a member, and is for a user who is none.

    Args:
        inviter, invited: whether the two are members of the room.

    Raises:
        NotInRoom, AlreadyInRoom.
    """
    if not inviter:
        raise NotInRoom()
    if invited:
        raise AlreadyInRoom("This user is already a member.")


def check_invitations(
    limits: InvitationLimits, pair: Reached, inviter: Reached, invited: Reached
) -> None:
    """Check whether another invitation can be stored.

    Args:
        limits: the limits.
        pair: whether there are so many from the inviter for the invited user.
        inviter: whether there are so many from the inviter.
        invited: whether there are so many for the invited user.

    Raises:
        NotAllowed.
    """
    _check(
        (
            (limits.pair, pair, "This user has not answered your other invitations yet."),
            (limits.inviter, inviter, "Too many of your invitations are not answered yet."),
            (limits.invited, invited, "This user has too many unanswered invitations."),
        )
    )


def check_blocks(limit: int, blocked: Reached) -> None:
    """Check whether an account can block another one.

    Args:
        limit: most accounts that it can block, 0 for no limit.
        blocked: whether it blocks so many others.

    Raises:
        NotAllowed.
    """
    _check(((limit, blocked, f"You can block at most {limit} users."),))


def check_whispers(
    limits: WhisperLimits, is_stranger: bool, pair: Reached, strangers: Reached
) -> None:
    """Check whether another whisper can be stored.

    Args:
        limits: the limits.
        is_stranger: whether its target has never written to its sender.
        pair: whether there are so many from the sender for the target.
        strangers: whether there are so many from such senders for the target.

    Raises:
        NotAllowed.
    """
    stranger, all_strangers = (limits.stranger, limits.strangers) if is_stranger else (0, 0)
    _check(
        (
            (stranger, pair, "Wait for an answer: too many of your direct messages wait already."),
            (limits.pair, pair, "Too many of your direct messages wait for this user."),
            (all_strangers, strangers, "This user has too many direct messages waiting."),
        )
    )
