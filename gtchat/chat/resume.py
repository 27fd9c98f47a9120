"""What a client missed between the loss of its connection and the resume of its session.

`Sessions.resume` asks the store; here is which rooms it asks for, and how the answer is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import attrs

from gtchat.chat.blocks import hides
from gtchat.chat.conversations import as_seen_by
from gtchat.chat.interfaces import Backlog, Direct, FoundRoom, ResumeResult
from gtchat.chat.rooms import Room, RoomRegistry
from gtchat.chat.state import State
from gtchat.chat.users import Session, User

#: Seconds for which a session can be resumed after its connection was lost.
RESUME_WINDOW_S = 24 * 3600
#: Most entries of a room in the reply to a resume; a client that missed more reads the history.
BACKLOG_LIMIT = 500
#: Most rooms that a client can name; further ones are `reset`.
SEEN_LIMIT = 1_000
#: Logged when a client has received more than the logs have.
LOGS_SHORTENED = (
    "A client has received more than the database has: a copy of the database seems to have been "
    "put back. All clients load their rooms again."
)
#: The greatest id that a database can compare with.
MAX_ID = 2**53


@attrs.frozen
class ResumedSession:
    """A session that was resumed.

    Attributes:
        session: the session.
        missed: name of the room, as the client gave it -> the room, None if the user is not in
            it, and what the client missed there.
        directs: the same by the ids of the direct conversations that the client gave.
    """

    session: Session
    missed: Mapping[str, tuple[Room | None, Backlog]]
    directs: Mapping[int, tuple[Direct | None, Backlog]]


async def find_stored(state: State, names: Iterable[str]) -> Mapping[str, FoundRoom]:
    """Return key -> the room, of those rooms that a client names which are not in memory.

    Args:
        state: the chat's shared objects.
        names: the names as the server wrote them, of which the first `SEEN_LIMIT` count.

    Raises:
        NotStored: it could not be read.
    """
    missing = set()
    for name in islice(names, SEEN_LIMIT):
        room = state.rooms.find_displayed(name)
        if room is None or room.deleted:
            missing.add(name.lower())
    if not missing:
        return {}
    return await state.store.find_rooms(missing)


def find_rooms(
    registry: RoomRegistry,
    names: Iterable[str],
    own: Mapping[int, tuple[str, str]],
    stored: Mapping[str, FoundRoom],
) -> dict[str, int | None]:
    """Return the ids of the rooms that a client names, None for each that does not exist.

    Where other nodes write too, a name may be that of another room by now: the one with the higher
    id is the newer one.

    Args:
        registry: the rooms in memory.
        names: as in `find_stored`.
        own: room id -> (name, key) of the rooms of the account, as `read_account` returns them.
        stored: what `find_stored` has found.
    """
    ids = {each: id_ for id_, name_and_key in own.items() for each in name_and_key}
    ids |= {key: room.id for key, room in stored.items()}
    found: dict[str, int | None] = {}
    for name in islice(names, SEEN_LIMIT):
        room = registry.find_displayed(name)
        candidates = {ids.get(name), ids.get(name.lower()), None if room is None else room.id}
        if room is not None and room.deleted:
            candidates.discard(room.id)
        found[name] = max(filter(None, candidates), default=None)
    return found


def known_ids(registry: RoomRegistry, seen_directs: Mapping[int, int] | None) -> dict[int, int]:
    """Return what a client has seen of direct conversations, as far as ids can be right.

    Args:
        registry: the rooms in memory, whose ids are none of conversations.
        seen_directs: id -> last `seq`, of which the first `SEEN_LIMIT` count; None for none.
    """
    named = islice((seen_directs or {}).items(), SEEN_LIMIT)
    return {id_: seq for id_, seq in named if 0 < id_ <= MAX_ID and registry.get(id_) is None}


def missed_directs(
    user: User, ids: Iterable[int], resumed: ResumeResult, is_epoch: bool
) -> dict[int, tuple[Direct | None, Backlog]]:
    """Return what a client missed in the direct conversations that it named.

    What blocked users said is left out.

    Args:
        user: the user of the session.
        ids: the ids that the client gave.
        resumed: what the store found.
        is_epoch: whether the client named the epoch of then; if not, the store was not asked.
    """
    own = {direct.id: direct for direct in resumed.directs}
    hidden = hides(user)
    missed: dict[int, tuple[Direct | None, Backlog]] = {}
    for id_ in ids:
        direct, found = own.get(id_), resumed.missed.get(id_)
        if direct is not None and found is not None:
            visible = [entry for entry in found.entries if not hidden(entry)]
            found = attrs.evolve(found, entries=as_seen_by(visible, user, direct.other))
        else:
            reason = found.reset if found is not None else ""
            found = Backlog(reset=reason or ("unknown" if is_epoch else "epoch"))
        missed[id_] = (direct, found)
    return missed


def missed_by_name(
    user: User,
    lobby: Room,
    rooms: Mapping[str, int | None],
    backlogs: Mapping[int, Backlog],
    is_epoch: bool,
) -> dict[str, tuple[Room | None, Backlog]]:
    """Return what a client missed in the rooms that it named and in the user's other rooms.

    What blocked users said is left out.

    Args:
        user: the user of the session.
        lobby: the room that every user is in.
        rooms: the ids of the rooms by the names that the client gave.
        backlogs: room id -> what the store found.
        is_epoch: as in `missed_directs`.
    """
    own = {room.id: room for room in (*user.rooms, lobby)}
    hidden = hides(user)
    missed: dict[str, tuple[Room | None, Backlog]] = {}
    for name, room_id in rooms.items():
        room = None if room_id is None else own.get(room_id)
        if room is None:
            missed[name] = (None, Backlog(reset="unknown" if room_id is None else "left"))
            continue
        found = backlogs.get(room.id)
        if found is not None and user.blocked:
            visible = tuple(entry for entry in found.entries if not hidden(entry))
            found = attrs.evolve(found, entries=visible)
        missed[name] = (room, found or Backlog(reset="epoch"))
    for room_id in own.keys() - rooms.values():
        missed[own[room_id].name] = (
            own[room_id],
            Backlog(reset="unknown" if is_epoch else "epoch"),
        )
    return missed
