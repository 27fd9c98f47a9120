"""What can go wrong in the chat: one tree of exceptions with one stable code each.

A protocol catches `ChatError` at its edge and says it in its own words. Everything else that is
raised is a bug of ours and becomes `internal`. The codes are those of the protocol page.
"""

from __future__ import annotations

from typing import ClassVar


class ChatError(Exception):
    """Something that a person can't do, and why.

    Attributes:
        code: the stable word for it, which programs act on.
        text: one sentence for a person.
        retry_after: seconds after which to try again, where that helps.
    """

    code: ClassVar[str] = "internal"
    default: ClassVar[str] = "Something went wrong on our side."
    retry_after: float | None = None

    def __init__(self, text: str | None = None, *, retry_after: float | None = None) -> None:
        self.text = text or self.default
        self.retry_after = retry_after
        super().__init__(self.text)


class BadRequest(ChatError):
    """The request can't be understood; the text names the field."""

    code = "bad_request"
    default = "The request can't be understood."


class UnknownCommand(ChatError):
    """There is no such command."""

    code = "unknown_cmd"
    default = "There is no such command."


class NotLoggedIn(ChatError):
    """The command needs a login first."""

    code = "not_logged_in"
    default = "Log in first."


class AlreadyLoggedIn(ChatError):
    """The user is logged in already, here or elsewhere."""

    code = "already_logged_in"
    default = "You are logged in already."


class NotYou(ChatError):
    """A command names another user than the one who is logged in."""

    code = "not_you"
    default = "You are logged in as somebody else."


class BadCredentials(ChatError):
    """Unknown name or wrong password: nobody is told which."""

    code = "bad_credentials"
    default = "The name or the password is wrong."


class LockedOut(ChatError):
    """Too many wrong passwords for this name from this address."""

    code = "locked_out"
    default = "Too many wrong passwords. Wait before you try again."


class WeakPassword(ChatError):
    """The password is too short or too long."""

    code = "weak_password"
    default = "A password has 8 to 1,024 characters."


class PasswordMismatch(ChatError):
    """The new password and its repetition differ."""

    code = "password_mismatch"
    default = "The new password and its repetition differ."


class BadName(ChatError):
    """A name that can't be given to a user or a room."""

    code = "bad_name"
    default = "This name can't be used."


class NameTaken(ChatError):
    """The name belongs to somebody else."""

    code = "name_taken"
    default = "This name is taken."


class NoSuchUser(ChatError):
    """There is no user of that name."""

    code = "no_such_user"
    default = "There is no user of that name."


class NoSuchRoom(ChatError):
    """There is no room of that name, or none that this user may know of."""

    code = "no_such_room"
    default = "There is no room of that name."


class RoomExists(ChatError):
    """A room of that name is there already."""

    code = "room_exists"
    default = "There is a room of that name already."


class RoomFull(ChatError):
    """The room has as many members as it may have."""

    code = "room_full"
    default = "The room is full."


class PrivateRoom(ChatError):
    """The room can be entered by invitation only."""

    code = "private_room"
    default = "This room is private: somebody in it has to invite you."


class AlreadyInRoom(ChatError):
    """The user is a member already."""

    code = "already_in_room"
    default = "Already a member of this room."


class NotInRoom(ChatError):
    """The user is not a member of the room."""

    code = "not_in_room"
    default = "Join the room first."


class NotOwner(ChatError):
    """Only the room's owner may do this."""

    code = "not_owner"
    default = "Only the owner of the room may do this."


class NotAllowed(ChatError):
    """Nobody, or not this user, may do this."""

    code = "not_allowed"
    default = "This is not allowed."


class Blocked(ChatError):
    """The person addressed has blocked this user."""

    code = "blocked"
    default = "This person does not take messages from you."


class SelfTarget(ChatError):
    """Something that can't be done to oneself."""

    code = "self_target"
    default = "You can't do this to yourself."


class TxnConflict(ChatError):
    """A txn was used again with other content."""

    code = "txn_conflict"
    default = "This txn was used for another message."


class NotStored(ChatError):
    """The store could not keep it, so it did not happen."""

    code = "not_stored"
    default = "The server can't store this now. Nothing was sent; try again later."


class BadSession(ChatError):
    """The session can't be resumed."""

    code = "bad_session"
    default = "This session has ended. Log in again."


class BadKey(ChatError):
    """The broadcast key is wrong."""

    code = "bad_key"
    default = "The broadcast key is wrong."


class RateLimited(ChatError):
    """More than the rate allows."""

    code = "rate_limited"
    default = "Too fast. Wait a moment and send it again."


class TooLong(ChatError):
    """A text is longer than it may be."""

    code = "too_long"
    default = "The text is too long."


def _tree(root: type[ChatError]) -> list[type[ChatError]]:
    """`root` and everything below it."""
    return [root] + [leaf for child in root.__subclasses__() for leaf in _tree(child)]


#: Every code of the protocol page with the class that stands for it.
CODES: dict[str, type[ChatError]] = {error.code: error for error in _tree(ChatError)}
