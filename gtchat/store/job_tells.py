"""What a job needs locked, and what other nodes are told once it is done. Both stores use it.

The plan of a call says both (`session_tells`, `mail_tells`, `room_tells`, `admin_tells`); of an
entry both follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gtchat.chat.events import Joined, RoomChanged, RoomCreated
from gtchat.chat.interfaces import PendingEntry, PendingMessageChange, PendingRoomChange
from gtchat.chat.node_records import (
    ROOM_CHANGES,
    DirectEntry,
    InvitationsEnded,
    MemberJoined,
    RoomAdded,
    RoomListing,
    SystemEntry,
)
from gtchat.chat.rooms import LOBBY
from gtchat.store.jobs import Job, Locks, StoreCall


def locks_of(job: Job) -> Locks:
    """Return what a job needs to have locked; of an entry it follows from the entry."""
    if isinstance(job, StoreCall):
        return job.plan.locks
    entry, rooms = job.entry, (job.room_id,)
    if isinstance(entry, RoomCreated):
        return Locks(names=(f"room {entry.room_name}",), accounts=_subject(job), system=True)
    if isinstance(entry, Joined | RoomChanged):
        return Locks(rooms=rooms, accounts=_subject(job), system=True)
    is_direct = isinstance(job, PendingMessageChange) and job.users is not None
    return Locks(rooms=rooms, system=isinstance(entry, ROOM_CHANGES) or is_direct)


def _subject(job: PendingEntry) -> tuple[int, ...]:
    """Return the account that an entry is about, if there is one."""
    return () if job.subject_id is None else (job.subject_id,)


def told_by(job: Job) -> Iterable[SystemEntry]:
    """Return what a job that is done tells the other nodes: nothing if it has changed nothing."""
    if job.error is not None:
        return ()
    if isinstance(job, StoreCall):
        return job.plan.tells(job.result)
    return _told_by_entry(job) if job.entry.seq else ()


def _told_by_entry(job: PendingEntry) -> Iterator[SystemEntry]:
    """Yield what a stored entry tells the other nodes, which follow the log of its room."""
    if isinstance(job, PendingRoomChange):
        yield from _told_by_change(job)
        if job.ended:
            yield InvitationsEnded(job.room_id, job.ended, job.entry.room_name)
        yield from job.tells
    elif isinstance(job, PendingMessageChange) and job.users is not None:
        yield DirectEntry(job.room_id, job.entry.seq, job.users)


def _told_by_change(job: PendingRoomChange) -> Iterator[SystemEntry]:
    """Yield what nodes are told that do not follow the log of the room."""
    entry, room_id = job.entry, job.room_id
    if isinstance(entry, RoomCreated):
        yield RoomAdded(
            room_id,
            job.room_key,
            entry.room_name,
            entry.public,
            entry.topic,
            entry.preview,
            entry.subject_id,
            entry.usr,
            entry.at,
        )
    elif isinstance(entry, Joined) and entry.subject_id is not None:
        yield MemberJoined(room_id, entry.subject_id, entry.seq)
    elif isinstance(entry, RoomChanged) and job.before is not None:
        before = job.before
        # Lists never have the lobby, of which moderators change who may speak.
        if before.key != LOBBY and (before.public or entry.public):
            yield RoomListing(
                room_id,
                before.key,
                before.name,
                entry.seq,
                before.public,
                entry.public,
                entry.topic,
                entry.owner,
                entry.preview,
                before.member_count,
            )
