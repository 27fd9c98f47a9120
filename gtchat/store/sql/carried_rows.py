"""Rows that the bus carries: what a transaction has appended to logs, for nodes that know the rest.

A node whose known entry is the one before the first of these rows needs not read them. Whatever
else it gets (rows that it knows, rows after a gap, rows of a room that it does not know) tells it
what to read, and no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
import msgspec

from gtchat.chat.events import Entry
from gtchat.chat.interfaces import PendingEntry
from gtchat.chat.node_records import SYSTEM_ID, DirectEntry, Foreign, SystemEntry
from gtchat.store.following import Known
from gtchat.store.jobs import Job, StoreCall
from gtchat.store.notifying import CarriedRows, ReadRow
from gtchat.store.sql import system_log
from gtchat.store.sql.entry_rows import entry_of, read_row_of

#: Bytes of the largest `CarriedRows` as JSON: reading costs less than sending more to every node.
MAX_BYTES = 32 * 1024
#: Bytes of the JSON around each row or entry, and around all of them, at most.
_AROUND = 32


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CarriedRows).decode


def encode(
    node_id: int, batch: Iterable[Job], told: Sequence[SystemEntry], head: int
) -> bytes | None:
    """Return the `CarriedRows` of a transaction as JSON; None if it is too large.

    Args:
        node_id: this node.
        batch: the jobs of the transaction, which is committed.
        told: the entries of the system log that it has written.
        head: seq of the last of those.
    """
    logs: defaultdict[int, list[msgspec.Raw]] = defaultdict(list)
    size = _AROUND
    for pending in _stored(batch):
        row = _encode(read_row_of(pending.entry))
        size += len(row) + _AROUND
        if size > MAX_BYTES:
            return None
        logs[pending.room_id].append(msgspec.Raw(row))
    system = [system_log.encode(entry) for entry in told]
    carried = {
        "node_id": node_id,
        "logs": logs,
        "system": system,
        "system_first": head - len(system) + 1,
    }
    encoded = _encode(carried)
    return encoded if len(encoded) <= MAX_BYTES else None


def _stored(batch: Iterable[Job]) -> Iterator[PendingEntry]:
    """Yield the entries that jobs have stored, in order."""
    for job in batch:
        pending = job.plan.entry if isinstance(job, StoreCall) else job
        if pending is not None and job.error is None and pending.entry.seq:
            yield pending


def decode(encoded: bytes | str) -> CarriedRows:
    """Return what `encode` has returned as JSON.

    Raises:
        ValueError, msgspec.MsgspecError: that is something else.
    """
    return _decode(encoded)


@attrs.frozen
class Fitting:
    """Which of the rows can be delivered.

    Attributes:
        foreign: what follows on what is known.
        system: seq of the last entry of the system log in it, None if there is none.
        missing: room id -> seq of logs that have to be read.
    """

    foreign: Foreign
    system: int | None
    missing: Mapping[int, int]


def find_fitting(carried: CarriedRows, known: Known, node_id: int) -> Fitting:
    """Return which rows follow on what is known, and what has to be read.

    Args:
        carried: the rows.
        known: up to where this node has delivered all logs.
        node_id: this node.
    """
    try:
        return _find_fitting(carried, known, node_id)
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError):  # of another program
        return Fitting(Foreign(), None, carried.heads)


def _find_fitting(carried: CarriedRows, known: Known, node_id: int) -> Fitting:
    missing: dict[int, int] = {}
    told, system = _told(carried, known, node_id), carried.heads.get(SYSTEM_ID, 0)
    if told is None and system > known.system:
        missing[SYSTEM_ID] = system
    heard = told or []
    entries: dict[int, tuple[Entry, ...]] = {}
    for room_id, rows in carried.logs.items():
        followed = known.rooms.get(room_id)
        if followed is None or rows[-1][0] <= followed.seq:
            continue
        if rows[0][0] == followed.seq + 1:
            entries[room_id] = tuple(entry_of(row, followed.name) for row in rows)
        else:
            missing[room_id] = rows[-1][0]
    directs = {
        (one.room_id, one.seq): entry_of(_row(carried, one.room_id, one.seq) or (), "")
        for _, one in heard
        if isinstance(one, DirectEntry)
    }
    foreign = Foreign(entries, system=tuple(heard), directs=directs)
    return Fitting(foreign, None if told is None else system, missing)


def _told(carried: CarriedRows, known: Known, node_id: int) -> list[tuple[int, SystemEntry]] | None:
    """Return the entries of the system log with the node that wrote them.

    Returns None if there are none, if they do not follow on what is known, or if not all is there
    that they are about.
    """
    if not carried.system or carried.system_first != known.system + 1:
        return None
    rows = [(carried.node_id, kind, body) for kind, body in carried.system]
    told = system_log.heard(rows, node_id)
    for _, one in told:
        if isinstance(one, DirectEntry) and _row(carried, one.room_id, one.seq) is None:
            return None
    return told


def _row(carried: CarriedRows, room_id: int, seq: int) -> ReadRow | None:
    """Return a row, None if it is not there."""
    rows = carried.logs.get(room_id, ())
    index = seq - rows[0][0] if rows else 0
    return rows[index] if 0 <= index < len(rows) else None
