"""Changes of messages: the rows that `message_rules` reads and writes, and who reacted to what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import attrs
from sqlalchemy import bindparam, delete, func, literal_column, select, tuple_, update

from gtchat.chat.events import AnnotatedMessage, Entry, MessageSent, Reacted
from gtchat.chat.interfaces import MessageVersion, MessageVersions
from gtchat.chat.mentions import MentionLimits
from gtchat.chat.message_rules import OwnReaction, as_seen_by
from gtchat.store.paging import VERSIONS_LIMIT, versions_of
from gtchat.store.sql import mentions, schema, undelivered
from gtchat.store.sql.database import Connection
from gtchat.store.sql.entry_rows import COLUMNS, WRITTEN, entry_of, message_values, row_of
from gtchat.store.sql.search_index import replace_text
from gtchat.store.sql.statements import Statement, insert

_log = schema.entries
_reactions = schema.reactions
_pins = schema.pins
_versions = schema.versions
_blocks = schema.blocks
_is_entry = (_log.c.room_id == bindparam("room"), _log.c.seq == bindparam("number"))
_is_reaction_to = (
    _reactions.c.room_id == bindparam("room"),
    _reactions.c.seq == bindparam("number"),
)

_FIND = Statement(
    select(*COLUMNS).where(*_is_entry, _log.c.kind == literal_column(f"'{MessageSent.kind}'"))
)
_SAVE = Statement(
    update(_log)
    .where(*_is_entry)
    .values({name: bindparam(f"new_{name}") for name in ("msg", "of", "root", "changed", "extra")})
)
#: What deletions of accounts change of an entry.
_REPLACED = ("usr", "msg", "of", "root", "changed", "extra")
_REPLACE = Statement(
    update(_log).where(*_is_entry).values({name: bindparam(f"new_{name}") for name in _REPLACED})
)
_TIME = Statement(select(_log.c.at).where(*_is_entry))
_REACTIONS_OF = Statement(
    select(_reactions.c.emoji, _reactions.c.present, _reactions.c.changes).where(
        *_is_reaction_to, _reactions.c.account_id == bindparam("account")
    )
)
_new_reaction = insert(_reactions)
_SET_REACTION = Statement(
    _new_reaction.on_conflict_do_update(
        index_elements=["room_id", "account_id", "seq", "emoji"],
        set_={
            "present": _new_reaction.excluded.present,
            "entry_seq": _new_reaction.excluded.entry_seq,
            "changes": _reactions.c.changes + 1,
        },
    ),
    columns=(*("room_id", "account_id", "seq", "emoji", "present", "entry_seq", "usr", "changes"),),
)
_REACTION_USERS = Statement(
    select(_reactions.c.usr)
    .where(
        *_is_reaction_to, _reactions.c.emoji == bindparam("emoji"), _reactions.c.present.is_(True)
    )
    .order_by(_reactions.c.entry_seq)
    .limit(bindparam("limit"))
)
_RENAME_REACTIONS = Statement(
    update(_reactions)
    .where(*_is_reaction_to, _reactions.c.account_id == bindparam("account"))
    .values(usr=bindparam("name"))
)
_PIN_COUNT = Statement(
    select(func.count()).select_from(_pins).where(_pins.c.room_id == bindparam("room"))
)
_PIN = Statement(insert(_pins), columns=("room_id", "seq"))
_UNPIN = Statement(
    delete(_pins).where(_pins.c.room_id == bindparam("room"), _pins.c.seq == bindparam("number"))
)
_ADD_VERSION = Statement(insert(_versions), columns=("room_id", "seq", "version_seq", "msg"))
_is_version_of = (
    _versions.c.room_id == bindparam("room"),
    _versions.c.seq == bindparam("number"),
)
_VERSIONS = Statement(
    select(_versions.c.version_seq, _log.c.at, _versions.c.msg)
    .join_from(
        _versions,
        _log,
        (_log.c.room_id == _versions.c.room_id) & (_log.c.seq == _versions.c.version_seq),
    )
    .where(*_is_version_of)
    .order_by(_versions.c.version_seq.desc())
    .limit(VERSIONS_LIMIT)
)
_DELETE_REACTIONS = Statement(delete(_reactions).where(*_is_reaction_to))
_DELETE_VERSIONS = Statement(delete(_versions).where(*_is_version_of))
_DELETE_SLICES = tuple(
    Statement(
        delete(table).where(
            tuple_(*table.primary_key.columns).in_(
                select(*table.primary_key.columns)
                .where(table.c.room_id == bindparam("room"))
                .limit(bindparam("limit"))
            )
        )
    )
    for table in (_reactions, _pins, _versions, schema.mentions)
)
_in_range = (
    _reactions.c.room_id == bindparam("room"),
    _reactions.c.seq.between(bindparam("low"), bindparam("high")),
    _reactions.c.present.is_(True),
)
_OWN = Statement(
    select(_reactions.c.seq, _reactions.c.emoji).where(
        *_in_range, _reactions.c.account_id == bindparam("viewer")
    )
)
#: One range of the primary key for each blocked account.
_HIDDEN = Statement(
    select(_reactions.c.seq, _reactions.c.emoji, _reactions.c.usr)
    .join_from(_blocks, _reactions, _reactions.c.account_id == _blocks.c.blocked_id)
    .where(*_in_range, _blocks.c.account_id == bindparam("viewer"))
)


@attrs.frozen
class SQLMessages:
    """The messages of a room; see `MessageRows` and `EntryRows`.

    Args:
        db: a connection; the writer's, within a transaction, to write.
        room_id: the room.
        room_name: its name as it is displayed.
        mention_limits: see `IMentionStore`.
    """

    db: Connection
    room_id: int
    room_name: str
    mention_limits: MentionLimits = MentionLimits()

    def find(self, seq: int) -> MessageSent | None:
        """See `MessageRows.find`."""
        row = _FIND(self.db, room=self.room_id, number=seq).fetchone()
        if row is None:
            return None
        message = entry_of(row, self.room_name)
        assert isinstance(message, MessageSent)
        return message

    def save(self, message: AnnotatedMessage) -> None:
        """See `MessageRows.save`."""
        if message.deleted is not None or message.edited == message.changed:
            replace_text(self.db, self.room_id, message.seq, message.msg)
        values = {f"new_{name}": value for name, value in message_values(message).items()}
        _SAVE(self.db, room=self.room_id, number=message.seq, **values)

    def reactions_of(self, seq: int, account_id: int) -> dict[str, OwnReaction]:
        """See `MessageRows.reactions_of`."""
        rows = _REACTIONS_OF(self.db, room=self.room_id, number=seq, account=account_id)
        return {emoji: OwnReaction(bool(on), changes) for emoji, on, changes in rows}

    def set_reaction(self, seq: int, reacted: Reacted) -> None:
        """See `MessageRows.set_reaction`."""
        _SET_REACTION(
            self.db,
            room_id=self.room_id,
            account_id=reacted.subject_id,
            seq=seq,
            emoji=reacted.emoji,
            present=reacted.on,
            entry_seq=reacted.seq,
            usr=reacted.usr,
            changes=1,
        )

    def reaction_users(self, seq: int, emoji: str, limit: int) -> list[str]:
        """See `MessageRows.reaction_users`."""
        rows = _REACTION_USERS(self.db, room=self.room_id, number=seq, emoji=emoji, limit=limit)
        return [usr for (usr,) in rows]

    def pin_count(self) -> int:
        """See `MessageRows.pin_count`."""
        count: int = _PIN_COUNT.scalar(self.db, room=self.room_id)
        return count

    def set_pin(self, seq: int, on: bool) -> None:
        """See `MessageRows.set_pin`."""
        if on:
            _PIN(self.db, room_id=self.room_id, seq=seq)
        else:
            _UNPIN(self.db, room=self.room_id, number=seq)

    def add_version(self, seq: int, version_seq: int, msg: str) -> None:
        """See `MessageRows.add_version`."""
        _ADD_VERSION(self.db, room_id=self.room_id, seq=seq, version_seq=version_seq, msg=msg)

    def set_mentions(self, message: MessageSent, msg: str) -> None:
        """See `MessageRows.set_mentions`."""
        mentions.replace(self.db, self.room_id, message, msg, self.mention_limits)

    def erase(self, message: MessageSent) -> None:
        """See `MessageRows.erase`."""
        mentions.remove(self.db, self.room_id, message.seq)
        undelivered.forget(self.db, self.room_id, message)
        for statement in (_DELETE_REACTIONS, _DELETE_VERSIONS, _UNPIN):
            statement(self.db, room=self.room_id, number=message.seq)

    def replace(self, entry: Entry) -> None:
        """See `EntryRows.replace`."""
        if isinstance(entry, MessageSent):
            replace_text(self.db, self.room_id, entry.seq, entry.msg, entry.usr)
        row = dict(zip(WRITTEN, row_of(self.room_id, entry, 0), strict=True))
        values = {f"new_{name}": row[name] for name in _REPLACED}
        _REPLACE(self.db, room=self.room_id, number=entry.seq, **values)

    def rename_reactions(self, seq: int, account_id: int, name: str) -> None:
        """See `EntryRows.rename_reactions`."""
        values = {"account": account_id, "name": name}
        _RENAME_REACTIONS(self.db, room=self.room_id, number=seq, **values)

    def versions(self, seq: int) -> MessageVersions:
        """Return the texts of a message; see `IStore.versions`."""
        return versions_of(self.find(seq), self._texts)

    def _texts(self, message: AnnotatedMessage) -> Iterator[MessageVersion]:
        """Yield the texts of a message, newest first."""
        seq = message.edited or message.seq
        yield MessageVersion(seq, _TIME.scalar(self.db, room=self.room_id, number=seq), message.msg)
        for row in _VERSIONS(self.db, room=self.room_id, number=message.seq):
            yield MessageVersion(*row)


def delete_slice(db: Connection, room_id: int, limit: int) -> bool:
    """Delete what is kept of the messages of a room that was deleted, besides its log.

    Args:
        db: the writer's connection.
        room_id: the room.
        limit: the largest number of rows to delete of each table.

    Returns:
        Whether there were any.
    """
    deleted = [statement(db, room=room_id, limit=limit).rowcount for statement in _DELETE_SLICES]
    return any(deleted)


def seen_by(
    db: Connection, room_id: int, entries: Sequence[Entry], viewer: int | None
) -> Sequence[Entry]:
    """Return the entries of a room as one account sees them; see `HistoryQuery.viewer`."""
    seqs = [one.seq for one in entries if isinstance(one, AnnotatedMessage) and one.reactions]
    if viewer is None or not seqs:
        return entries
    span = {"room": room_id, "low": min(seqs), "high": max(seqs), "viewer": viewer}
    own: defaultdict[int, set[str]] = defaultdict(set)
    for seq, emoji in _OWN(db, **span):
        own[seq].add(emoji)
    hidden: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for seq, emoji, usr in _HIDDEN(db, **span):
        hidden[seq].append((emoji, usr))
    return [
        as_seen_by(one, own[one.seq], hidden[one.seq])
        if isinstance(one, AnnotatedMessage) and one.reactions
        else one
        for one in entries
    ]
