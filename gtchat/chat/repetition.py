"""How rules run again when another node has changed what they saw.

What they store is refused then (`repeated`). If they refuse the request themselves, it may be for
something that has not been delivered here yet (`catch_up_with_room`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from gtchat.chat.errors import (
    AlreadyInRoom,
    BannedFromRoom,
    NoSuchRoom,
    NotInRoom,
    NotOwner,
    NotStored,
    PrivateRoom,
    RoomExists,
    RoomFull,
    Stale,
)
from gtchat.chat.interfaces import IStore
from gtchat.chat.rooms import RoomRegistry

#: How often rules run on a state that another node has changed meanwhile. Where one changed it all
#: the time, up to 60 of 100 runs had seen too little (measured): twenty in a row, 4 of 100,000.
TRIES = 20
#: Refusals for the state of a room, which another node may have changed a moment ago.
REFUSALS = (
    AlreadyInRoom,
    BannedFromRoom,
    NoSuchRoom,
    NotInRoom,
    NotOwner,
    PrivateRoom,
    RoomExists,
    RoomFull,
)

P = ParamSpec("P")
T = TypeVar("T")


def repeated(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a method check its rules again while what it stores is `Stale`.

    What has made it stale is delivered before the error, so that the next run sees it. Until it
    stores something a method may only read. Only the outermost of several methods is decorated.

    Args:
        method: the method; it is called at most `TRIES` times.

    Returns:
        The method; it raises NotStored if it was stale each time.
    """

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES):
            with suppress(Stale):
                return await method(*args, **kwargs)
        raise NotStored()

    return run


async def catch_up_with_room(store: IStore, rooms: RoomRegistry, raw: str) -> bool:
    """Have delivered what other nodes have stored of a room, after rules have refused a request.

    Without this a user who has left a room at one node, and joins it at another one before that has
    heard of it, would be told to be in the room.

    Args:
        store: where it is stored.
        rooms: all rooms.
        raw: the name of the room as it was typed.

    Returns:
        Whether the rules may see something else now. A store that is not shared is not asked.

    Raises:
        NotStored.
    """
    if not store.is_shared:
        return False
    found = None
    with suppress(NoSuchRoom):
        found = rooms.find(raw)
    await store.catch_up(() if found is None else (found.id,))
    return True
