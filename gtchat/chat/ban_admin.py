"""What operators do with bans: add, list and remove them; and what a ban does when it begins.

Each node keeps all bans in memory, and disconnects those of its users that a new ban concerns: the
node where it was added once it is stored, the others when they hear of it. The sessions of a banned
account end in the transaction that stores the ban; those that a pattern or a network concerns are
ended by the nodes that have them.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.account_admin import AccountAdmin
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.background import run_in_background
from gtchat.chat.ban_records import Ban, NamePattern, parse_network, shown_network
from gtchat.chat.bans import MAX_PATTERNS, covers
from gtchat.chat.errors import BadRequest, NoSuchUser, NotAllowed, TooMany
from gtchat.chat.guests import Guests
from gtchat.chat.interfaces import EndedSession
from gtchat.chat.live_sessions import LiveSessions
from gtchat.chat.names import HOST
from gtchat.chat.node_records import BanAdded, BanRemoved, ForeignHandlers
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Longest reason, in characters.
REASON_CHARS = 200


@attrs.frozen
class BanTerms:
    """Why and for how long.

    Attributes:
        reason: as users see it, as it was typed.
        ms: for how many milliseconds, None for ever.
    """

    reason: str = ""
    ms: int | None = None


class BanAdmin:
    """Bans, for operators.

    Args:
        state: the chat's shared objects.
        accounts: finds accounts.
        live: the sessions that are connected.
        guests: ends temporary accounts.
    """

    def __init__(
        self, state: State, accounts: AccountAdmin, live: LiveSessions, guests: Guests
    ) -> None:
        self._store = state.store
        self._bans = state.bans
        self._users = state.users
        self._audit = state.audit
        self._limits = state.limits
        self._accounts = accounts
        self._live = live
        self._guests = guests

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {BanAdded: self._added_elsewhere, BanRemoved: self._removed_elsewhere}

    def listed(self) -> list[Ban]:
        """Return all bans, newest first."""
        return self._bans.listed()

    async def count_names(self, pattern: str) -> int:
        """Return how many accounts a pattern would ban. Raises BadRequest, NotStored."""
        return await self._store.count_names(NamePattern.parse(pattern))

    async def ban_account(self, name: str, terms: BanTerms, actor: Actor) -> Ban:
        """Ban a registered account; all of its sessions end, its devices are forgotten.

        Args:
            name: the name as it was typed.
            terms: why, and for how long.
            actor: who does it.

        Raises:
            NoSuchUser, TooMany, BadRequest, NotStored.
            NotAllowed: it is an operator's account, and the actor is not at the server.
        """
        try:
            account = await self._accounts.find_others(name, actor)
        except NoSuchUser:
            raise NoSuchUser(
                "There is no registered user with that name. Ban the name, or the address."
            ) from None
        return await self._add(self._new("account", account.name, account.id, terms, actor), actor)

    async def ban_names(self, pattern: str, terms: BanTerms, actor: Actor) -> Ban:
        """Ban all names that match a pattern, but those of operators.

        Args:
            pattern: a name, in which `*` stands for any number of characters.
            terms, actor: as in `ban_account`.

        Raises:
            BadRequest: it is no pattern.
            TooMany, NotStored.
        """
        target = NamePattern.parse(pattern).text
        if self._bans.patterns(target) >= MAX_PATTERNS:
            raise TooMany(f"There are {MAX_PATTERNS} patterns already: remove one first.")
        return await self._add(self._new("name", target, None, terms, actor), actor)

    async def ban_network(self, network: str, terms: BanTerms, actor: Actor) -> Ban:
        """Ban an address or a network.

        Args:
            network: as `parse_network` reads it.
            terms, actor: as in `ban_account`.

        Raises:
            BadRequest: it is none, or has addresses of this machine or of a trusted proxy.
            NotAllowed: the address of the actor is in it.
            TooMany, NotStored.
        """
        parsed = parse_network(network)
        self._bans.require_allowed(parsed)
        if covers(parsed, actor.address):
            raise NotAllowed("Your own address is in this network.")
        return await self._add(
            self._new("network", shown_network(parsed), None, terms, actor), actor
        )

    def _new(
        self, kind: str, target: str, account_id: int | None, terms: BanTerms, actor: Actor
    ) -> Ban:
        if len(terms.reason) > REASON_CHARS:
            raise BadRequest(f"reason: at most {REASON_CHARS} characters.")
        now = self._users.now()
        reason = "".join(each if each.isprintable() else " " for each in terms.reason).strip()
        until = None if terms.ms is None else now + terms.ms
        return Ban(0, kind, target, account_id, reason, actor.name, now, until)

    async def _add(self, ban: Ban, actor: Actor) -> Ban:
        """Store a ban, and disconnect its users."""
        fields = {"kind": ban.kind, "name": ban.target, "end": ban.end, "reason": ban.reason}
        record = self._audit.record("ban_added", actor, **fields)
        connected: tuple[EndedSession, ...] = ()
        if ban.account_id is not None:
            connected = self._live.records(self._live.of(ban.account_id))
        stored = await self._store.add_ban(ban, self._limits.bans, connected, record)
        write_line(record)
        self._begin(stored)
        return stored

    async def remove(self, ban_id: int, actor: Actor) -> Ban:
        """Remove a ban. Return it.

        Raises:
            BadRequest: there is no ban with that number.
            NotStored.
        """
        ban = self._bans.get(ban_id)
        if ban is None:
            raise BadRequest("id: there is no such ban.")
        record = self._audit.record("ban_removed", actor, kind=ban.kind, name=ban.target)
        await self._store.remove_ban(ban_id, record)
        write_line(record)
        self._bans.remove(ban_id)
        return ban

    def _added_elsewhere(self, node_id: int, entry: BanAdded) -> None:
        self._begin(entry.ban)

    def _removed_elsewhere(self, node_id: int, entry: BanRemoved) -> None:
        self._bans.remove(entry.ban_id)

    # What a ban does here when it begins.

    def _begin(self, ban: Ban) -> None:
        """Take note of a ban that is stored, and disconnect its users."""
        self._bans.add(ban)
        for session in list(self._concerned(ban)):
            self._close(session, ban)

    def _concerned(self, ban: Ban) -> Iterator[Session]:
        """Yield the sessions here that a ban concerns."""
        if ban.account_id is not None:
            yield from self._live.of(ban.account_id)
            return
        if ban.kind == "name":
            pattern = NamePattern.parse(ban.target)
            for user in self._users:
                if user.key != HOST.key and pattern.matches(user.name):
                    yield from (one for one in user.sessions if not one.operator)
            return
        network = parse_network(ban.target)
        for user in self._users:
            yield from (one for one in user.sessions if covers(network, one.connection.address))

    def _close(self, session: Session, ban: Ban) -> None:
        """Disconnect a banned user; a session that has not ended in the store ends there too."""
        user = session.user
        # One of a banned account may have begun here after its ban was stored by another node.
        ended = self._live.record(session)
        ending = self._store.end_session(ended, self._users.now(), reason="banned")
        run_in_background(ending, "ending a session of a banned user")
        self._live.close(session, "banned", ban.text)
        if not user.registered and not user.sessions:
            leaving = Deferred.fromCoroutine(self._guests.end(user))
            run_in_background(leaving, "ending a temporary user who is banned")
