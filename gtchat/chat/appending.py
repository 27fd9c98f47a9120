"""How changes of rooms and of messages are queued for their logs; `Delivery` delivers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from gtchat.chat.audit import AuditRecord
from gtchat.chat.errors import ChatError, NoSuchUser
from gtchat.chat.events import (
    Entry,
    Joined,
    Kicked,
    Left,
    MessageChange,
    Removed,
    RoomChanged,
    RoomCreated,
)
from gtchat.chat.interfaces import (
    Ack,
    ChangeLimits,
    PendingEntry,
    RepeatableRequest,
    RoomLimits,
    Told,
)
from gtchat.chat.message_records import Pair
from gtchat.chat.queued import PendingChange, Place, QueuedMessageChange, text_of
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session

NO_LIMITS = RoomLimits()


class ChangeQueue:
    """Queues changes, and makes those of rooms in memory.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._users = state.users
        self._rooms = state.rooms
        self._quota = state.quota

    def append_change(
        self,
        room: Room,
        entry: Entry,
        actor: Session | None,
        needs_invitation: bool = False,
        request: RepeatableRequest | None = None,
        limits: RoomLimits = NO_LIMITS,
        tells: Sequence[Told] = (),
        audit: AuditRecord | None = None,
    ) -> Deferred[Ack]:
        """Queue a change of a room, and make it in memory.

        Args:
            room: the room; for `RoomCreated` one that is not in the registry yet.
            entry: the change.
            actor: the session that asked for it, None if no session did.
            needs_invitation: whether it is stored only if the subject is invited to the room.
            request: what asked for it, if that may be repeated.
            limits: how many rooms the subject can have.
            tells: events for sessions at other nodes, with the entry.
            audit: the record of the audit log that is stored with it, None for none.

        Returns:
            Fires with the ack once it is stored, before it is sent to the room. Fails, when the
            change is taken back, with NotStored, with Stale if another node has changed the room
            before, with NoSuchUser if the subject does not exist any more, with PrivateRoom if the
            invitation is missing, with NotAllowed if a limit is reached, and with TxnConflict.

        Raises:
            NoSuchUser: the change would make a guest who is ending here a member or an owner.
            OverQuota: the actor can't store the topic that is in the entry.
            NotStored: the disk is full, or the room is not there any more.
        """
        if isinstance(entry, RoomCreated | RoomChanged | Joined) and self._is_ending(entry):
            raise NoSuchUser()
        self._rooms.require_stored(room)
        if actor is not None and not isinstance(entry, Left | Kicked | Removed):
            self._quota.charge(actor, text_of(entry))
        change = PendingChange(
            room_id=room.id,
            room_key=room.key,
            entry=entry,
            txn=request.txn if request is not None else None,
            sender_id=actor.user.id if actor is not None else None,
            checked=None if isinstance(entry, RoomCreated) else room.foreign,
            content=request.content if request is not None else "",
            needs_invitation=needs_invitation,
            limits=limits,
            tells=tuple(tells),
            audit=None if audit is None else lambda: audit,
            room=room,
            actor=actor,
        )
        self._rooms.queue(room, change)
        self._store.append(change)
        return change.done

    def append_message_change(
        self,
        session: Session,
        room: Place,
        entry: MessageChange,
        txn: str | None,
        is_moderator: bool,
        limits: ChangeLimits,
        users: Pair | None = None,
        audit: Callable[[], AuditRecord | None] | None = None,
        refusal: ChatError | None = None,
        flagged: Callable[[PendingEntry], None] | None = None,
    ) -> Deferred[Ack]:
        """Queue a change of a message.

        Args:
            session: the session that asks for it. It gets its reply before the event.
            room: the room, or the direct conversation.
            entry: the change.
            txn: the client's idempotency key, None if it has none.
            is_moderator: whether the user may change the messages of others.
            limits: what limits changes.
            users: of a direct conversation: the user, and the other one.
            audit, refusal: as of `PendingEntry`.
            flagged: called with the change once it is queued; None for nothing to do.

        Returns:
            Fires with the ack, whose `seq` is 0 if the change changes nothing. Fails with
            NotStored, Stale, TxnConflict, the refusal and the errors of `message_rules`.

        Raises:
            OverQuota: the user can't store the text of the change.
            NotStored: the disk is full.
        """
        if isinstance(room, Room):
            self._rooms.require_stored(room)
        self._quota.charge(session, text_of(entry))
        change = QueuedMessageChange(
            room_id=room.id,
            entry=entry,
            txn=txn,
            sender_id=session.user.id,
            checked=room.foreign if isinstance(room, Room) else None,
            is_moderator=is_moderator,
            limits=limits,
            users=users,
            audit=audit,
            refusal=refusal,
            room=room,
            session=session,
        )
        self._store.append(change)
        if flagged is not None:
            flagged(change)
        return change.done

    def _is_ending(self, entry: Entry) -> bool:
        """Return whether the subject of an entry is a temporary account that is ending here.

        One that is not known here is at another node, or has ended: the store knows.
        """
        user = self._users.get_by_id(entry.subject_id)
        return user is not None and user.ending
