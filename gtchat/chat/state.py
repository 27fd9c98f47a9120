"""What the parts of a chat share: store, clock, limits, and what is kept in memory.

Each part of the chat gets a `State` in place of five or more arguments. There are no rules here.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime

from gtchat.chat.access import Access
from gtchat.chat.audit import Audit
from gtchat.chat.bans import Bans
from gtchat.chat.directory import UserDirectory
from gtchat.chat.interfaces import IStore
from gtchat.chat.limits import Limits
from gtchat.chat.measures import ChatMeasures
from gtchat.chat.names import message_ids
from gtchat.chat.quota import Quota
from gtchat.chat.relay import IRelay, NoRelay
from gtchat.chat.room_loader import RoomLoader
from gtchat.chat.rooms import RoomRegistry
from gtchat.chat.sender_marks import SenderMarks
from gtchat.chat.users import UserRegistry
from gtchat.chat.word_filter import WordFilter


@attrs.frozen(eq=False)
class State:
    """Shared objects of one chat.

    Args:
        store: keeps accounts, rooms and messages.
        clock: schedules calls, and returns monotonic seconds.
        limits: the limits that the operator set.
        token: makes an unguessable string.
        wall: returns the time of day in seconds since 1970; used for time stamps only.
        access: says who may come in.
        relay: tells other nodes what is not stored.

    Attributes:
        rooms: the rooms in memory.
        loader: brings others in.
        users: the users who are known here.
        directory: finds accounts by name, logged in or not.
        sender_marks: how far senders have read the rooms in which they spoke.
        next_id: makes a unique message id.
        quota: how much text users can store in a day.
        audit: writes the audit log.
        measures: what is counted for metrics.
        bans: who is banned from the server.
        word_filter: which texts are refused.
    """

    store: IStore
    clock: IReactorTime
    limits: Limits
    token: Callable[[], str]
    wall: Callable[[], float]
    access: Access
    relay: IRelay = attrs.field(factory=NoRelay)
    rooms: RoomRegistry = attrs.field(init=False, factory=RoomRegistry)
    users: UserRegistry = attrs.field(init=False)
    loader: RoomLoader = attrs.field(init=False)
    directory: UserDirectory = attrs.field(init=False)
    sender_marks: SenderMarks = attrs.field(init=False)
    next_id: Callable[[], str] = attrs.field(init=False)
    quota: Quota = attrs.field(init=False)
    audit: Audit = attrs.field(init=False)
    measures: ChatMeasures = attrs.field(init=False, factory=ChatMeasures)
    bans: Bans = attrs.field(init=False)
    word_filter: WordFilter = attrs.field(init=False)

    @users.default
    def _make_users(self) -> UserRegistry:
        return UserRegistry(self.store, self.clock, self.wall)

    @loader.default
    def _make_loader(self) -> RoomLoader:
        return RoomLoader(self.store, self.rooms, self.users, self.clock)

    @directory.default
    def _make_directory(self) -> UserDirectory:
        return UserDirectory(self.store, self.users)

    @sender_marks.default
    def _make_sender_marks(self) -> SenderMarks:
        return SenderMarks(self.store, self.clock)

    @quota.default
    def _make_quota(self) -> Quota:
        return Quota(self.limits, self.clock.seconds)

    @audit.default
    def _make_audit(self) -> Audit:
        return Audit(self.store, self.users.now)

    @bans.default
    def _make_bans(self) -> Bans:
        return Bans(self.users.now)

    @word_filter.default
    def _make_word_filter(self) -> WordFilter:
        return WordFilter(self.audit, self.clock.seconds)

    @next_id.default
    def _make_next_id(self) -> Callable[[], str]:
        return message_ids(self.token)
