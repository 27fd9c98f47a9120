"""The chat: the object that protocols hold, and the parts that it is made of.

Starting, stopping and the hourly clean-up are here. The rules are in the parts, one module each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gtchat.chat.access import Access, AccessSettings
from gtchat.chat.account_deletion import AccountDeletions
from gtchat.chat.accounts import Accounts
from gtchat.chat.admin_store import AuditLimits
from gtchat.chat.background import run_in_background
from gtchat.chat.blocks import Blocks
from gtchat.chat.changes import Changes
from gtchat.chat.conversations import Conversations
from gtchat.chat.data_export import DataExports
from gtchat.chat.delivery import Delivery
from gtchat.chat.devices import SessionRules
from gtchat.chat.direct import Whispers
from gtchat.chat.errors import ChatError
from gtchat.chat.flags import Flags
from gtchat.chat.foreign import ForeignDelivery
from gtchat.chat.foreign_joins import ForeignJoins
from gtchat.chat.guests import Guests
from gtchat.chat.interfaces import IPasswords, IStore, StoredState
from gtchat.chat.invitations import Invitations
from gtchat.chat.invite_links import InviteLinks
from gtchat.chat.limits import Limits, command_rate
from gtchat.chat.live_sessions import LiveSessions
from gtchat.chat.logins import Logins
from gtchat.chat.membership import Membership
from gtchat.chat.messages import HISTORY_LIMIT, Messages
from gtchat.chat.moderators import Moderators
from gtchat.chat.node_records import ForeignHandlers
from gtchat.chat.operators import Administration
from gtchat.chat.ownership import Ownership
from gtchat.chat.panic import PanicMode
from gtchat.chat.peer_address import PeerAddress
from gtchat.chat.phones import Phones
from gtchat.chat.profiles import Profiles
from gtchat.chat.read_state import ReadState
from gtchat.chat.relay import IRelay, NoRelay
from gtchat.chat.remote_events import RemoteEvents
from gtchat.chat.repeats import Repeats
from gtchat.chat.reports import Reports
from gtchat.chat.resume import RESUME_WINDOW_S
from gtchat.chat.retention import Keep, Retention
from gtchat.chat.room_bans import RoomBans
from gtchat.chat.rooms import Room
from gtchat.chat.search import Searches
from gtchat.chat.sessions import Sessions
from gtchat.chat.state import State
from gtchat.chat.token_buckets import BucketTable
from gtchat.chat.users import Session

__all__ = ["HISTORY_LIMIT", "Chat"]

#: Seconds between two clean-ups of the store, and seconds for which idempotency keys are kept.
PRUNE_INTERVAL_S, TXN_RETENTION_S = 3600, 24 * 3600
#: Guests of one network who begin with a whole burst of commands each; later ones wait for theirs.
GUEST_BURSTS = 20

_log = Logger()


def _guest_rate(limits: Limits) -> tuple[float, float]:
    per_second, burst = command_rate(limits)
    return per_second, burst * GUEST_BURSTS


class Chat:
    """One chat: accounts, rooms and messages, whatever protocol a client speaks.

    Args:
        store: keeps accounts, rooms and messages.
        legacy_edits: as given.
        clock: schedules calls, and returns monotonic seconds.
        limits: the limits that the operator set.
        passwords: hashes passwords.
        token: makes an unguessable string.
        sessions: what a second login of an account does: one of `modes.SESSION_MODES`.
        broadcast_key: the key that a broadcast needs; None if broadcasts are not allowed.
        wall: returns the time of day in seconds since 1970; None for the clock's own. It may
            jump, and is used for time stamps only.
        keep_versions: whether the earlier texts of edited messages are kept.
        legacy_edits: whether protocols that have no edits show them as messages.
        relay: tells other nodes what is not stored; None for no other nodes.
        access: who may come in, as far as operators choose nothing else.

    Attributes:
        available: whether clients can be served: False before the start, and while the store can't
            go on as this node.
        on_lost: closes all connections at once (1012), without replies; the server sets it.
        legacy_edits: as given.
        clock: schedules calls, and returns monotonic seconds.
        limits: the limits that the operator set.
        rooms: the rooms in memory.
        loader: finds all rooms, and brings them into memory.
        users: the users who are known here.
        directory: finds accounts by name, logged in or not.
        accounts, phones, logins, sessions, membership, moderators, room_bans, invitations,
            invite_links, repeats,
            messages, changes, conversations, whispers, blocks, peer_address, read_state, searches,
            reports, deletions, exports, profiles: the parts.
        session_rules: how many places an account can be logged in at.
        admin: what operators do.
        speak, history, preview, broadcast: the methods of `messages`.
        rates: the token bucket of each account by its id, for all of its connections.
        guest_bursts: the tokens that new guests of each network (`network_key`) begin with.
        quota: how much text users can store in a day, and whether the disk is full.
        audit: writes the audit log.
        access: says who may come in.
        bans: who is banned from the server.
        word_filter: which texts are refused.
    """

    def __init__(
        self,
        store: IStore,
        clock: IReactorTime,
        limits: Limits,
        passwords: IPasswords,
        token: Callable[[], str],
        sessions: str = "devices",
        broadcast_key: str | None = None,
        wall: Callable[[], float] | None = None,
        keep_versions: bool = False,
        legacy_edits: bool = True,
        relay: IRelay | None = None,
        access: AccessSettings | None = None,
    ) -> None:
        self.legacy_edits = legacy_edits
        wall = wall or clock.seconds
        panic = PanicMode(limits, clock.seconds, wall)
        self.access = Access(access or AccessSettings(), panic)
        self._state = state = State(
            store, clock, limits, token, wall, self.access, relay or NoRelay()
        )
        store.lost, store.restored = self._lost, self._begin
        self.available = False
        self.on_lost: Callable[[], None] = lambda: None
        self._prune_timer: IDelayedCall | None = None
        self.clock = clock
        self.limits = limits
        self.quota = state.quota
        self.audit = state.audit
        self.measures = state.measures
        self.rates = BucketTable(limits.rate(command_rate), clock.seconds)
        self.guest_bursts = BucketTable(limits.rate(_guest_rate), clock.seconds)
        self.bans = state.bans
        self.word_filter = state.word_filter
        self.rooms = state.rooms
        self.loader = state.loader
        self.users = state.users
        self.directory = state.directory
        self.accounts = Accounts(state, passwords)
        self.phones = Phones(state, self.accounts)
        delivery = Delivery(state)
        self._ownership = Ownership(state, delivery)
        self.membership = Membership(state, delivery, self._ownership)
        self._joins = ForeignJoins(state)
        self.moderators = Moderators(state, delivery)
        self.word_filter.mute = self.moderators.mute_by_filter
        self.room_bans = RoomBans(state, delivery, self.membership)
        self.invitations = Invitations(state, self.membership)
        self.invite_links = InviteLinks(state, self.accounts, self.membership)
        self.repeats = Repeats(state, self._joins)
        self.conversations = Conversations(state, self._joins)
        self.messages = Messages(state, self.conversations, broadcast_key, self.accounts.guesses)
        self.changes = Changes(state, delivery, self.conversations, keep_versions)
        self.whispers = Whispers(state, self.conversations)
        self.blocks = Blocks(state)
        self.peer_address = PeerAddress(state)
        self.read_state = ReadState(state, self.conversations)
        self.searches = Searches(state, self.conversations)
        self.reports = Reports(state, self.conversations)
        self.word_filter.report = Flags(state, self.reports).report
        self._guests = Guests(state, self.membership)
        self.session_rules = rules = SessionRules(sessions, limits)
        live = LiveSessions(state, self.whispers)
        self.logins = Logins(state, self.accounts, self._guests, live, rules)
        self.logins.finish_invitation = self.invite_links.finish
        self.sessions = Sessions(state, self.accounts, self._guests, live, rules)
        self.deletions = AccountDeletions(
            state, self.accounts, live, self.membership, self.moderators
        )
        self.exports = DataExports(state, self.accounts)
        self.profiles = Profiles(state)
        self.admin = Administration(
            state, self.accounts, live, self._guests, self._ownership, rules, self.deletions
        )
        self._foreign = ForeignDelivery(state, delivery, self._ownership, self._joins)
        self._foreign.handlers += [
            self.sessions.foreign_handlers(),
            self._guests.foreign_handlers(),
            self.deletions.foreign_handlers(),
            self.whispers.foreign_handlers(),
            self.blocks.foreign_handlers(),
            self.peer_address.foreign_handlers(),
            RemoteEvents(state).foreign_handlers(),
            self.reports.foreign_handlers(),
            self.admin.accounts.foreign_handlers(),
            self.admin.access.foreign_handlers(),
            self.admin.limits.foreign_handlers(),
            self.admin.bans.foreign_handlers(),
            self.admin.word_filter.foreign_handlers(),
        ]
        self.speak = self.messages.speak
        self.history = self.messages.history
        self.preview = self.messages.preview
        self.broadcast = self.messages.broadcast

    @property
    def epoch(self) -> str:
        """Names all logs of the store together; see `Sessions.epoch`."""
        return self.sessions.epoch

    def hear(self, handlers: ForeignHandlers) -> None:
        """Let a protocol take note of what other nodes tell.

        Args:
            handlers: what it does with each kind of system entry.
        """
        self._foreign.handlers.append(handlers)

    def change_limits(self, limits: Limits, sources: Mapping[str, str] | None = None) -> None:
        """Take other settings of limits; see `LimitAdmin.use`."""
        self.admin.limits.use(limits, sources or {})

    def start(self) -> None:
        """Load what the chat begins with. To be called once, before the first connection."""
        self._begin(self._state.store.load())
        self._clean_up()
        self.admin.quotas.start()

    def _begin(self, stored: StoredState) -> None:
        """Begin with what the store has loaded."""
        self.sessions.epoch = stored.epoch
        self.access.begin(stored.choices)
        self.admin.limits.begin(stored.choices)
        self.word_filter.begin(stored.choices)
        self.bans.begin(stored.bans)
        self.rooms.public.begin(stored.public, self._state.store.count_public())
        for record in stored.rooms:
            self.rooms.add(Room.from_record(record))
        self.users.presence.begin(stored.online)
        self._guests.restore(stored.guests, stored.ownerless)
        self.deletions.resume()
        self.available = True

    def _lost(self) -> None:
        """Close all connections and forget what is in memory: other nodes go on without this one.

        Sessions end without a word to others. What is under way fails after this, and its clients
        have no connection any more.
        """
        self.available = False
        for user in self.users:
            for session in user.sessions:
                self.whispers.session_lost(session)
                self.quota.settle(session)
        self.users.clear()
        self.rooms.clear()
        self.loader.clear()
        self.peer_address.clear()
        self.on_lost()

    def _clean_up(self) -> None:
        """Delete what has expired from the store, now and every hour."""
        now = self.users.now()
        self.bans.drop_old()
        pruned = self._state.store.prune(
            now - RESUME_WINDOW_S * 1000,
            now - TXN_RETENTION_S * 1000,
            self.session_rules.tokens_after(now),
            self._audit_limits(now),
            Retention(now, Keep(self.limits.keep_messages, self.limits.keep_days)),
        )
        run_in_background(pruned, "cleaning up")
        self._prune_timer = self.clock.callLater(PRUNE_INTERVAL_S, self._clean_up)

    def _audit_limits(self, now: int) -> AuditLimits:
        """Return how much of the audit log, and of reports, is kept at a time."""
        limits = self.limits
        before, reports_before = (
            int(now - days * 24 * 3600 * 1000) if days else 0
            for days in (limits.audit_days, limits.report_days)
        )
        return AuditLimits(before, limits.audit_records, reports_before)

    async def stop(self) -> None:
        """Cancel all timers, and wait until everything queued is stored."""
        if self._prune_timer is not None:
            self._prune_timer.cancel()
            self._prune_timer = None
        self.admin.quotas.stop()
        self.whispers.stop()
        self.deletions.stop()
        self.exports.stop()
        self.users.stop()
        self.loader.stop()
        self._joins.stop()
        self._state.sender_marks.store_in_background()
        await self._state.store.flush()

    async def deliver_pending(self, session: Session) -> None:
        """Send a new session the invitations and direct messages that wait for its user.

        A client that marks what was read has them in the reply to its login. What can't be read
        from the store is delivered at the next login.
        """
        if session.pending is None:  # marks what was read, or is a new temporary user
            return
        try:
            await self.invitations.deliver_pending(session)
            await self.whispers.deliver_pending(session)
        except ChatError as error:
            session.pending = None
            _log.warn("pending messages were not delivered: {code}", code=error.code)
