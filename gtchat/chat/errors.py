"""Errors of the chat: one tree of exceptions, with a stable code and a text for users each.

A protocol catches `ChatError` and renders it. Any other exception is a bug and becomes `internal`.
The codes are those of docs/protocol.md.
"""

from __future__ import annotations

from typing import ClassVar


class ChatError(Exception):
    """A request that was refused.

    Args:
        text: the text for users, None for the default of the class.
        retry_after: seconds after which the request may succeed, None if waiting does not help.

    Attributes:
        code: the stable code, for programs.
        default: the default text.
        window: seconds within which the request was possible, None if time did not matter.
        used, allowed: bytes that are stored, and that can be; None if that did not matter.
    """

    code: ClassVar[str] = "internal"
    default: ClassVar[str] = "Internal server error."
    retry_after: float | None = None
    window: float | None = None
    used: int | None = None
    allowed: int | None = None

    def __init__(self, text: str | None = None, *, retry_after: float | None = None) -> None:
        self.text = text or self.default
        self.retry_after = retry_after
        super().__init__(self.text)


class BadRequest(ChatError):
    """The request is malformed; the text names the field."""

    code = "bad_request"
    default = "The request is malformed."


class UnknownCommand(ChatError):
    """There is no such command."""

    code = "unknown_cmd"
    default = "There is no such command."


class NotLoggedIn(ChatError):
    """The command needs a session."""

    code = "not_logged_in"
    default = "Log in first."


class AlreadyLoggedIn(ChatError):
    """The user is logged in already, here or elsewhere."""

    code = "already_logged_in"
    default = "You are logged in already."


class NotYou(ChatError):
    """A command names another user than the one who is logged in."""

    code = "not_you"
    default = "You are logged in as another user."


class BadCredentials(ChatError):
    """Unknown name or wrong password; the text does not say which."""

    code = "bad_credentials"
    default = "The name or the password is wrong."


class LockedOut(ChatError):
    """Too many wrong passwords for this name."""

    code = "locked_out"
    default = "Too many wrong passwords. Wait before you try again."


class Banned(ChatError):
    """The account, its name or the address of the client is banned; the text has the reason."""

    code = "banned"
    default = "You are banned from this server."


class WeakPassword(ChatError):
    """The password is too short or too long."""

    code = "weak_password"
    default = "A password must have 8 to 1,024 characters."


class PasswordMismatch(ChatError):
    """The new password and its repetition differ."""

    code = "password_mismatch"
    default = "The new password and its repetition differ."


class BadName(ChatError):
    """A name that no user or room can have."""

    code = "bad_name"
    default = "This name can't be used."


class NameTaken(ChatError):
    """Another account has the name, or one that looks like it."""

    code = "name_taken"
    default = "This name is taken, or looks like one that is."


class NoSuchUser(ChatError):
    """There is no user with that name."""

    code = "no_such_user"
    default = "There is no user with that name."


class NoSuchRoom(ChatError):
    """There is no room with that name, or the user can not see it."""

    code = "no_such_room"
    default = "There is no room with that name."


class RoomExists(ChatError):
    """There is a room with that name, or with one that looks like it."""

    code = "room_exists"
    default = "There is a room with that name, or one that looks like it."


class RoomFull(ChatError):
    """The room has reached its member limit."""

    code = "room_full"
    default = "The room is full."


class PrivateRoom(ChatError):
    """The room can be joined by invitation only."""

    code = "private_room"
    default = "This room is private. Ask a member for an invitation."


class AlreadyInRoom(ChatError):
    """The user is a member already."""

    code = "already_in_room"
    default = "Already a member of this room."


class NotInRoom(ChatError):
    """The user is not a member of the room."""

    code = "not_in_room"
    default = "Join the room first."


class NoSuchMessage(ChatError):
    """The room has no message with that number."""

    code = "no_such_message"
    default = "There is no such message."


class NotAuthor(ChatError):
    """Only the author of the message can do this."""

    code = "not_author"
    default = "This is not your message."


class TooLate(ChatError):
    """The message is too old for this.

    Args:
        window: seconds within which it was possible.
    """

    code = "too_late"

    def __init__(self, window: float = 0) -> None:
        units = (("hours", 3600), ("minutes", 60), ("seconds", 1))
        unit, size = next((one for one in units if not window % one[1]), units[-1])
        super().__init__(f"A message can be edited within {window / size:,g} {unit} only.")
        self.window = window


class MessageDeleted(ChatError):
    """The message was deleted."""

    code = "deleted"
    default = "This message was deleted."


class TooMany(ChatError):
    """There are as many as the limit allows."""

    code = "too_many"
    default = "There are too many already."


class NotOwner(ChatError):
    """Only the owner of the room, or a moderator, can do this."""

    code = "not_owner"
    default = "Only the owner of the room can do this."


#: Text of `NotOwner` where moderators can do it, too.
NEEDS_MODERATOR = "Only the owner and the moderators of the room can do this."


class BannedFromRoom(ChatError):
    """The user is banned from the room."""

    code = "room_banned"
    default = "This user is banned from the room."


class IsMuted(ChatError):
    """The user is muted in the room."""

    code = "muted"
    default = "You are muted in this room."


class ModeratedRoom(ChatError):
    """Members need a role to speak in the room."""

    code = "moderated"
    default = "This room is moderated: only users with a role can speak."


class SlowMode(ChatError):
    """The last message of the user in the room is too recent."""

    code = "slow_mode"
    default = "This room is in slow mode. Wait before your next message."


class NotAllowed(ChatError):
    """The request is not allowed, for any user or for this one."""

    code = "not_allowed"
    default = "This is not allowed."


class GuestsRefused(NotAllowed):
    """There are no temporary users here."""

    default = "There are no guests here: log in with an account."


class Filtered(ChatError):
    """The word filter refuses a text. It does not say which word: else users would go round it."""

    code = "filtered"
    default = "The operator of this chat does not allow such a text."


class Blocked(ChatError):
    """The target of the request has blocked this user."""

    code = "blocked"
    default = "This user has blocked you."


class SelfTarget(ChatError):
    """The target of the request is the user who sent it."""

    code = "self_target"
    default = "You can't do this to yourself."


class TxnConflict(ChatError):
    """An idempotency key (txn) was used again with other content."""

    code = "txn_conflict"
    default = "This txn was used for another message."


class NotStored(ChatError):
    """The store could not save the change, so it was not made."""

    code = "not_stored"
    default = "The server can't save this now. Nothing was sent; try again later."


class Stale(NotStored):
    """Another node has changed what the rules saw: they have to run again (`repetition`)."""


class BadSession(ChatError):
    """The session can't be resumed."""

    code = "bad_session"
    default = "This session has ended. Log in again."


class RegistrationClosed(ChatError):
    """Accounts are made by operators only."""

    code = "registration_closed"
    default = "Registration is closed: only the operator makes accounts here."


class InviteWanted(ChatError):
    """Accounts are registered with an invitation only."""

    code = "invite_wanted"
    default = "You need an invitation to register here."


class BadInvite(ChatError):
    """The link of a registration is wrong, used up or too old."""

    code = "bad_invite"
    default = "This invitation is not valid any more. If you have registered with it, log in."


class ConfirmPassword(ChatError):
    """An operator has to prove again that it is them, with the password."""

    code = "password_again"
    default = "Enter your password again."


class BadKey(ChatError):
    """The broadcast key is wrong."""

    code = "bad_key"
    default = "The broadcast key is wrong."


class RateLimited(ChatError):
    """There were more requests than the rate allows."""

    code = "rate_limited"
    default = "Too many requests. Wait a moment and try again."


class OverQuota(ChatError):
    """The user, or the guests of the user's address, stored as much today as is allowed."""

    code = "over_quota"
    default = "You have sent as much as is allowed in a day."


class StorageFull(ChatError):
    """The texts of the user, or of the room, take as much as they can.

    Args:
        owner: the beginning of the text: whose texts.
        used, allowed: as in `ChatError`.
    """

    code = "storage_full"

    def __init__(self, owner: str, used: int, allowed: int) -> None:
        super().__init__(
            f"{owner} {used:,} bytes of text, and {allowed:,} are allowed: messages have to be"
            " deleted first."
        )
        self.used, self.allowed = used, allowed


class TooLong(ChatError):
    """A text is longer than the limit."""

    code = "too_long"
    default = "The text is too long."


def _tree(root: type[ChatError]) -> list[type[ChatError]]:
    """Return a class and all its subclasses."""
    return [root] + [leaf for child in root.__subclasses__() for leaf in _tree(child)]


#: Code -> class of the error, without those that have the code of another.
CODES: dict[str, type[ChatError]] = {
    error.code: error for error in _tree(ChatError) if "code" in vars(error)
}
