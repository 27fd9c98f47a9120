"""Requests that a client sends again when it has got no reply: each is done once.

A client names such a request by a txn (idempotency key). The store keeps the txn in the transaction
that does what is asked for. A repetition is found there before the rules look at it: they would
refuse to join a room twice. Messages and their changes need no such look, since the store alone
decides on them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from gtchat.chat.background import InProgress
from gtchat.chat.foreign_joins import ForeignJoins
from gtchat.chat.interfaces import Ack, RepeatableRequest
from gtchat.chat.messages import check_txn
from gtchat.chat.repetition import REFUSALS, catch_up_with_room
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session, User


@attrs.frozen
class RoomAck:
    """What a user is told who has asked for something about a room.

    Attributes:
        room: the room as it is now, None if there is nothing to tell about it: the request is
            a repeated one, and the user does not see the room any more.
        ack: its `seq` is 0 if no entry was made.
    """

    room: Room | None
    ack: Ack


class Repeats:
    """Has requests with a txn done once.

    Args:
        state: the chat's shared objects.
        joins: knows of users who have joined a room at another node.
    """

    def __init__(self, state: State, joins: ForeignJoins) -> None:
        self._joins = joins
        self._store = state.store
        self._rooms = state.rooms
        self._loader = state.loader
        self._users = state.users
        #: (account id, txn) of the requests that are being done.
        self._running = InProgress()

    async def once(
        self,
        session: Session,
        txn: str | None,
        content: str,
        raw: str,
        do: Callable[[RepeatableRequest | None], Awaitable[RoomAck]],
    ) -> RoomAck:
        """Do what a request asks for, unless the account has done it before.

        Args:
            session: a session of the user who asks.
            txn: the idempotency key, 1 to 64 characters; None if the request has none.
            content: the command with its fields: the same for each repetition.
            raw: the name of its room as it was typed.
            do: does it; it has the request stored with what it stores.

        Returns:
            What `do` returned, or the ack of then with `dup` and the room as it is now.

        Raises:
            BadRequest: the txn is too long, or empty.
            TxnConflict: it was used for another request.
            NotStored: it can't be found out whether it was used. And what `do` raises.
        """
        if txn is None:
            return await self._do(session.user, raw, do, None)
        check_txn(txn)
        user = session.user
        key = (user.id, txn)
        await self._running.finished(key)
        self._running.begin(key)
        try:
            request = RepeatableRequest(user.id, txn, content, self._users.now())
            ack = await self._store.find_ack(request)
            if ack is not None:
                return RoomAck(await self._find(ack, user), ack)
            return await self._do(user, raw, do, request)
        finally:
            self._running.end(key)

    async def _do(
        self,
        user: User,
        raw: str,
        do: Callable[[RepeatableRequest | None], Awaitable[RoomAck]],
        request: RepeatableRequest | None,
    ) -> RoomAck:
        """Do what a request asks for, once more if what other nodes have stored may allow it."""
        try:
            return await do(request)
        except REFUSALS:
            if not await catch_up_with_room(self._store, self._rooms, raw):
                raise
            await self._joins.finished(user)
        return await do(request)

    async def _find(self, ack: Ack, user: User) -> Room | None:
        """Return the room of an ack, None if the user does not see it any more."""
        room = await self._loader.get(int(ack.id)) if ack.id else None
        if room is None or room.deleted or not room.visible_to(user):
            return None
        return room
