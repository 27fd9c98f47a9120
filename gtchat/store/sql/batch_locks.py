"""What a batch locks before its jobs run, always in the same order. PostgreSQL only.

So no two batches wait for each other: names first, then accounts, then the ends of logs in the
order of their ids, the system log last. Other rows that two batches change at once may make them
meet; then one of them is done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zlib import crc32

import attrs

from gtchat.chat.look_alikes import skeleton
from gtchat.chat.node_records import SYSTEM_ID
from gtchat.store.job_tells import locks_of
from gtchat.store.jobs import Job
from gtchat.store.sql.database import Connection, Cursor, Database

#: Locks that names share: two names that look alike have the same one.
BUCKETS = 64
#: The same number in all programs; the locks of a chat are its own, whatever schema it is in.
_LOCK_NAMES = (
    "SELECT pg_advisory_xact_lock((hashtextextended(current_schema(), 18260)"
    f" & ~{BUCKETS - 1}::bigint) | bucket) FROM unnest(%s::bigint[]) AS bucket"
)
_ACCOUNTS_OF = "SELECT token_hash, account_id FROM sessions WHERE token_hash = ANY(%s)"
_LOCK_ACCOUNTS = "SELECT id FROM accounts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_CONVERSATIONS = (
    "SELECT d.room_id FROM unnest(%s::bigint[], %s::bigint[]) AS pair (sender, target)"
    " JOIN directs d ON d.account_id = pair.sender AND d.other_id = pair.target"
)
_LOCK_HEADS = (
    "SELECT room_id, seq, messages FROM heads WHERE room_id = ANY(%s)"
    " ORDER BY room_id FOR NO KEY UPDATE"
)


def bucket_of(name: str) -> int:
    """Return the number of the lock of a name; the name is one of `Locks.names`."""
    # The first character of a skeleton is not part of what the name looks like.
    return crc32(skeleton(name)[1:].encode()) % BUCKETS


@attrs.define(eq=False)
class Beginning:
    """A job with which sessions begin, or go on; see `Locks.begins`.

    Attributes:
        accounts: the accounts; those of `tokens` are added once they are locked.
        tokens, held: as of `Locks`.
    """

    accounts: set[int]
    tokens: tuple[bytes, ...]
    held: frozenset[int]


@attrs.define(eq=False)
class BatchLocks:
    """What the jobs of a batch need, taken together.

    Attributes:
        buckets: locks of names.
        accounts, tokens, directs, rooms, loads, system: as of `Locks`.
        load_keys: those of the jobs.
        beginnings: the jobs with which sessions begin.
    """

    buckets: set[int] = attrs.field(factory=set)
    accounts: set[int] = attrs.field(factory=set)
    tokens: set[bytes] = attrs.field(factory=set)
    directs: set[tuple[int, int]] = attrs.field(factory=set)
    rooms: set[int] = attrs.field(factory=set)
    loads: set[int] = attrs.field(factory=set)
    load_keys: set[str] = attrs.field(factory=set)
    beginnings: list[Beginning] = attrs.field(factory=list)
    system: bool = False

    @classmethod
    def of(cls, jobs: Iterable[Job]) -> BatchLocks:
        """Return what some jobs need."""
        wanted = cls()
        for job in jobs:
            one = locks_of(job)
            wanted.buckets.update(map(bucket_of, one.names))
            wanted.accounts.update(one.accounts)
            wanted.tokens.update(one.tokens)
            wanted.directs.update(one.directs)
            wanted.rooms.update(one.rooms)
            wanted.system |= one.system
            wanted.loads.update(one.loads)
            if one.load_key is not None:
                wanted.load_keys.add(one.load_key)
            if one.begins:
                beginning = Beginning(set(one.accounts), one.tokens, one.held)
                wanted.beginnings.append(beginning)
        return wanted

    def begin(self, database: Database, db: Connection) -> Mapping[int, tuple[int, int]]:
        """Begin a transaction and lock all that; see `take`.

        Most batches need the ends of logs only. Those are locked by the first message: there is one
        answer less to wait for.
        """
        if self.buckets or self.tokens or self.accounts or self.directs:
            database.begin(db)
            return self.take(db)
        logs = sorted(self._logs())
        numbers = f"'{{{','.join(map(str, logs))}}}'"
        found = database.begin(db, _LOCK_HEADS.replace("%s", numbers) if logs else "")
        return {} if found is None else _heads(found)

    def take(self, db: Connection) -> Mapping[int, tuple[int, int]]:
        """Lock all that; accounts of `tokens` are added to the others.

        Args:
            db: the writer's connection, within a transaction that has locked its own row only.

        Returns:
            Room id -> seq of its newest entry and number of its messages, of the rooms that there
            are, of conversations, and of the system log.
        """
        if self.buckets:
            db.execute(_LOCK_NAMES, (sorted(self.buckets),))
        if self.tokens:
            for token_hash, account_id in db.execute(_ACCOUNTS_OF, (list(self.tokens),)):
                self.accounts.add(account_id)
                for beginning in self.beginnings:
                    if token_hash in beginning.tokens:
                        beginning.accounts.add(account_id)
        if self.accounts:
            db.execute(_LOCK_ACCOUNTS, (sorted(self.accounts),))
        logs = self._logs()
        if self.directs:
            pairs = zip(*self.directs, strict=True)
            logs.update(row[0] for row in db.execute(_CONVERSATIONS, tuple(map(list, pairs))))
        return _heads(db.execute(_LOCK_HEADS, (sorted(logs),))) if logs else {}

    def _logs(self) -> set[int]:
        """Return the logs that are known by their ids."""
        return self.rooms | {SYSTEM_ID} if self.system else set(self.rooms)


def _heads(rows: Cursor) -> dict[int, tuple[int, int]]:
    return {room_id: (seq, messages) for room_id, seq, messages in rows}
