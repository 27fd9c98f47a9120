"""What a room was behind the last entry that was removed from its log: `rooms.base_state`.

The state of a room is the fold of this and of the entries that are kept. It is JSON, without the
names of accounts that it knows by id: these may have other names by now, or have ended.
"""

from __future__ import annotations

from typing import TypeVar

import attrs
import msgspec

from gtchat.chat.fold import CurrentSettings, RoomState
from gtchat.chat.moderation import UNMODERATED, Moderation, Mute, Role, RoomBan

K = TypeVar("K")
N = TypeVar("N", bound=Role | Mute)


class _Snapshot(msgspec.Struct, omit_defaults=True):
    """A `RoomState`.

    Attributes:
        members: account id, and the name where the account is not known, in the order of joining.
    """

    settings: CurrentSettings
    creator_id: int | None = None
    members: list[tuple[int, str]] = []
    guests: list[int] = []
    moderation: Moderation = UNMODERATED


_decode = msgspec.json.Decoder(_Snapshot).decode


def encode(state: RoomState) -> str:
    """Return the snapshot of a state."""
    settings = state.settings
    if settings.owner_id is not None and settings.owner_id > 0:
        settings = attrs.evolve(settings, owner="")
    snapshot = _Snapshot(
        settings,
        state.creator_id,
        [(id_, "" if id_ > 0 else name) for id_, name in state.members.items()],
        sorted(state.guests),
        _without_names(state.moderation),
    )
    return msgspec.json.encode(snapshot).decode()


def decode(base_seq: int, base_state: str | None, is_lobby: bool) -> RoomState | None:
    """Return what a room was behind the last entry that was removed from its log.

    Args:
        base_seq: that entry, 0 for none.
        base_state: the snapshot, None for none.
        is_lobby: whether the room is the lobby, which has no first entry.

    Returns:
        A new state; None where it is not known, as the log was shortened by hand.
    """
    state = RoomState()
    if base_state is None:
        return state if is_lobby or base_seq == 0 else None
    snapshot = _decode(base_state)
    settings, guests = snapshot.settings, set(snapshot.guests)
    state.public, state.topic, state.max = settings.public, settings.topic, settings.max
    state.owner_id, state.owner = settings.owner_id, settings.owner
    state.preview, state.keep = settings.preview, settings.keep
    state.creator_id, state.moderation = snapshot.creator_id, snapshot.moderation
    for id_, name in snapshot.members:
        state.add_member(id_, name, id_ not in guests)
    return state


def _without_names(moderation: Moderation) -> Moderation:
    """Return a moderation without the names of accounts; patterns of names stay."""
    return attrs.evolve(
        moderation,
        roles=_nameless(moderation.roles),
        mutes=_nameless(moderation.mutes),
        bans=_nameless(moderation.bans),
    )


def _nameless(found: dict[K, N]) -> dict[K, N]:
    return {
        key: one
        if isinstance(one, RoomBan) and one.account_id is None
        else attrs.evolve(one, name="")
        for key, one in found.items()
    }
