"""Moderation of a room: roles, mutes, bans, and who may speak.

`Moderation` is a value. `Moderation.fold` is the one function that makes another one of it: rooms
in memory and both stores call it with each entry that is stored, so that what they have is the
same. Times are compared with the clock when something is asked, and no timer ends anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import attrs

from gtchat.chat.ban_records import NamePattern
from gtchat.chat.entries import Entry
from gtchat.chat.errors import BannedFromRoom, ChatError, IsMuted, ModeratedRoom
from gtchat.chat.events import Kicked, Left, Removed, RoomChanged, RoomCreated, RoomSettingsEntry
from gtchat.chat.moderation_events import Muted, RoleChanged, Unmuted, UserBanned, UserUnbanned
from gtchat.chat.names import HOST, fold_user

#: Stands for any characters in a pattern of names.
WILDCARD = "*"


class Rank(IntEnum):
    """What a user may do in a room; each rank may do what those below it may."""

    MEMBER = 0
    VOICE = 1
    MODERATOR = 2
    OWNER = 3


#: Role that can be given -> its rank.
ROLES = {"voice": Rank.VOICE, "moderator": Rank.MODERATOR}


@attrs.frozen
class Role:
    """A role of an account: `role` is a key of `ROLES`; `name` is that of the account."""

    name: str
    role: str


@attrs.frozen
class Mute:
    """A mute of an account.

    Attributes:
        name: name of the account.
        by: name of the user who muted it.
        reason: why, "" for no reason.
        at, until: since when, and when it ends, 0 for no end; in milliseconds since 1970, UTC.
    """

    name: str
    by: str
    reason: str
    at: int
    until: int


@attrs.frozen
class RoomBan(Mute):
    """A ban of an account, or of names.

    Attributes:
        name: without an account: a pattern of names, see `NamePattern`.
        account_id: the account, None for a ban of names.
    """

    account_id: int | None = None

    def fits(self, name: str) -> bool:
        """Return whether it is a ban of names, and a user name, as displayed, is one of those."""
        return self.account_id is None and name_pattern(self.name).matches(name)


#: Returns the pattern of a text; a ban is compared with many names.
name_pattern = lru_cache(maxsize=1000)(NamePattern.parse)


def ban_key(account_id: int | None, name: str) -> str:
    """Return what names a ban in a room; a name has no `#`."""
    return name if account_id is None else f"#{account_id}"


M = TypeVar("M", bound=Mute)
K = TypeVar("K")


def _lasting(found: Mapping[K, M], at: int) -> dict[K, M]:
    """Return those that have not ended at a time."""
    return {key: one for key, one in found.items() if not one.until or one.until > at}


@attrs.frozen
class Moderation:
    """What moderators have set in a room.

    Attributes:
        moderated: whether members need a role to speak.
        slow: seconds between two messages of a member, 0 for none.
        roles: account id -> its role.
        mutes: account id -> its mute. Those that have ended stay until the next one.
        bans: `ban_key` -> the ban; as of `mutes`.
    """

    moderated: bool = False
    slow: int = 0
    roles: dict[int, Role] = attrs.field(factory=dict)
    mutes: dict[int, Mute] = attrs.field(factory=dict)
    bans: dict[str, RoomBan] = attrs.field(factory=dict)

    def fold(self, entry: Entry) -> Moderation:
        """Return the moderation after an entry of the log: the same object if nothing changes."""
        change = _FOLDS.get(type(entry))
        changed = self if change is None else change(self, entry)
        return self if changed == self else changed

    def renamed(self, account_id: int, name: str) -> Moderation:
        """Return the moderation after an account has got another name; see `fold`."""
        changed = Moderation(
            self.moderated,
            self.slow,
            _renamed(self.roles, account_id, name),
            _renamed(self.mutes, account_id, name),
            _renamed(self.bans, ban_key(account_id, ""), name),
        )
        return self if changed == self else changed

    def lasting(self, at: int) -> Moderation:
        """Return the moderation without the mutes and bans that have ended at a time."""
        mutes, bans = _lasting(self.mutes, at), _lasting(self.bans, at)
        return attrs.evolve(self, mutes=mutes, bans=bans)

    def find_ban(self, account_id: int, name: str, at: int) -> RoomBan | None:
        """Return a ban of a user, None if there is none; this looks at each ban of names.

        Args:
            account_id: the account.
            name: its name.
            at: now, in milliseconds since 1970, UTC.
        """
        bans = self.lasting(at).bans
        own = bans.get(ban_key(account_id, ""))
        return own or next((ban for ban in bans.values() if ban.fits(name)), None)


#: Of a room in which nothing is moderated, as nearly all are: one object for all of them.
UNMODERATED = Moderation()

N = TypeVar("N", bound=Role | Mute)


def _renamed(found: dict[K, N], key: K, name: str) -> dict[K, N]:
    """Return a table after what it has for a key has got another name."""
    return {**found, key: attrs.evolve(found[key], name=name)} if key in found else found


def _without(found: dict[K, Any], key: object) -> dict[K, Any]:
    """Return a table without a key."""
    return {other: one for other, one in found.items() if other != key}


def _set(before: Moderation, entry: RoomSettingsEntry) -> Moderation:
    return attrs.evolve(before, moderated=entry.moderated, slow=entry.slow)


def _give_role(before: Moderation, entry: RoleChanged) -> Moderation:
    account_id = entry.subject_id
    roles = _without(before.roles, account_id)
    if entry.role and account_id is not None:
        roles[account_id] = Role(entry.usr, entry.role)
    return attrs.evolve(before, roles=roles)


def _mute(before: Moderation, entry: Muted) -> Moderation:
    mutes = _lasting(before.mutes, entry.at)
    if entry.subject_id is not None:
        mute = Mute(entry.usr, entry.by, entry.reason, entry.at, entry.until)
        mutes[entry.subject_id] = mute
    return attrs.evolve(before, mutes=mutes)


def _unmute(before: Moderation, entry: Unmuted) -> Moderation:
    return attrs.evolve(before, mutes=_without(before.mutes, entry.subject_id))


def _ban(before: Moderation, entry: UserBanned | Kicked) -> Moderation:
    account_id, name = entry.subject_id, entry.usr
    if isinstance(entry, Kicked) and entry.guest:  # comes back with another account
        account_id, name = None, fold_user(name)
    ban = RoomBan(name, entry.by, entry.reason, entry.at, entry.until, account_id)
    bans = {**_lasting(before.bans, entry.at), ban_key(account_id, name): ban}
    return attrs.evolve(before, bans=bans)


def _unban(before: Moderation, entry: UserUnbanned) -> Moderation:
    key = ban_key(entry.subject_id, entry.usr)
    return attrs.evolve(before, bans=_without(before.bans, key))


def _put_out(before: Moderation, entry: Left | Kicked | Removed) -> Moderation:
    """Fold the end of a membership: the role ends with it, a mute does not."""
    if entry.subject_id in before.roles:
        before = attrs.evolve(before, roles=_without(before.roles, entry.subject_id))
    return _ban(before, entry) if isinstance(entry, Kicked) and entry.banned else before


_FOLDS: dict[type[Entry], Callable[[Moderation, Any], Moderation]] = {
    RoomCreated: _set,
    RoomChanged: _set,
    RoleChanged: _give_role,
    Muted: _mute,
    Unmuted: _unmute,
    UserBanned: _ban,
    UserUnbanned: _unban,
    Left: _put_out,
    Kicked: _put_out,
    Removed: _put_out,
}


class ModeratedPlace(Protocol):
    """What the rules here use of a room, in memory or in a store."""

    @property
    def owner_id(self) -> int | None:
        """Account id of the owner, None for no owner."""

    @property
    def moderation(self) -> Moderation:
        """The moderation as it is now."""


def rank_of(room: ModeratedPlace, account_id: int | None, name: str) -> Rank:
    """Return the rank of an account in a room.

    Args:
        room: the room.
        account_id: the account.
        name: its name as displayed: the operator, who speaks as `HOST`, moderates every room.
    """
    if account_id is not None and account_id == room.owner_id:
        return Rank.OWNER
    if name == HOST.display:
        return Rank.MODERATOR
    role = room.moderation.roles.get(account_id or 0)
    return Rank.MEMBER if role is None else ROLES[role.role]


def find_refusal(
    room: ModeratedPlace, account_id: int, name: str, at: int, reacts: bool = False
) -> ChatError | None:
    """Return why a member may not speak, None if that is allowed.

    Args:
        room: the room.
        account_id, name: of the member; see `rank_of`.
        at: now, in milliseconds since 1970, UTC.
        reacts: whether it is a reaction, for which a moderated room needs no role.
    """
    rank, moderation = rank_of(room, account_id, name), room.moderation
    if rank >= Rank.MODERATOR:
        return None
    mute = moderation.mutes.get(account_id)
    if mute is not None and (not mute.until or mute.until > at):
        return IsMuted(retry_after=_seconds_left(mute, at))
    if moderation.moderated and rank < Rank.VOICE and not reacts:
        return ModeratedRoom()
    return None


def slow_seconds(room: ModeratedPlace, account_id: int, name: str) -> int:
    """Return how long a member has to wait between two messages, in seconds; 0 for no time."""
    is_exempt = rank_of(room, account_id, name) >= Rank.MODERATOR
    return 0 if is_exempt else room.moderation.slow


def find_ban(room: ModeratedPlace, account_id: int, name: str, at: int) -> RoomBan | None:
    """Return a ban of a user, None if there is none; the owner of a room never is banned.

    Args:
        room: the room.
        account_id, name: of the user.
        at: now, in milliseconds since 1970, UTC.
    """
    if not room.moderation.bans or account_id == room.owner_id:
        return None
    return room.moderation.find_ban(account_id, name, at)


def check_ban(room: ModeratedPlace, account_id: int, name: str, at: int) -> None:
    """Check that a user is not banned; see `find_ban`.

    Raises:
        BannedFromRoom.
    """
    ban = find_ban(room, account_id, name, at)
    if ban is not None:
        raise BannedFromRoom(retry_after=_seconds_left(ban, at))


def _seconds_left(one: Mute, at: int) -> float | None:
    return (one.until - at) / 1000 if one.until else None
