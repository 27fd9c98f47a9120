"""What operators do with sessions and rooms, and what they announce."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import attrs

from gtchat.chat.accounts import login_key
from gtchat.chat.audit import Actor, AuditRecord, write_line
from gtchat.chat.devices import SessionRules
from gtchat.chat.errors import BadName, BadRequest, NoSuchUser, NotAllowed, NotInRoom
from gtchat.chat.events import BroadcastSent
from gtchat.chat.guests import Guests
from gtchat.chat.interfaces import Account, EndedSession
from gtchat.chat.limits import network_key
from gtchat.chat.live_sessions import LiveSessions
from gtchat.chat.messages import text
from gtchat.chat.names import HOST, room_key
from gtchat.chat.ownership import Ownership, RoomSettings, keep_fields
from gtchat.chat.relay import BroadcastMade
from gtchat.chat.repetition import repeated
from gtchat.chat.resume import RESUME_WINDOW_S
from gtchat.chat.rooms import Room
from gtchat.chat.session_records import ListedSession, listed_id
from gtchat.chat.state import State


class SessionAdmin:
    """Sessions of accounts, for operators.

    Args:
        state: the chat's shared objects.
        live: the sessions that are connected.
        guests: ends temporary accounts.
        rules: how many places an account can be logged in at.
    """

    def __init__(
        self, state: State, live: LiveSessions, guests: Guests, rules: SessionRules
    ) -> None:
        self._store = state.store
        self._users = state.users
        self._audit = state.audit
        self._live = live
        self._guests = guests
        self._rules = rules

    async def listed(self, name: str) -> Sequence[ListedSession]:
        """Return where a user is logged in, oldest first.

        Args:
            name: the name as it was typed.

        Raises:
            NoSuchUser, NotStored.
        """
        return await self._records(await self._find(name))

    async def at_address(self, address: str) -> list[tuple[str, ListedSession]]:
        """Return the sessions whose client has an address, newest first, with names of accounts.

        Args:
            address: an IP address; of IPv6 its /64 counts.

        Raises:
            BadRequest: it is none.
            NotStored.
        """
        try:
            ip_address(address.strip())
        except ValueError:
            raise BadRequest("address: this is no IP address.") from None
        oldest = self._users.now() - RESUME_WINDOW_S * 1000
        found = await self._store.sessions_at(network_key(address.strip()), oldest)
        return [(name, ListedSession(listed_id(one), one, False)) for name, one in found]

    async def _find(self, name: str) -> Account:
        """Return the account with a name, temporary or not. Raises NoSuchUser, NotStored."""
        account = await self._store.find_account(login_key(name), None)
        if account is None:
            raise NoSuchUser()
        return account

    async def _records(self, account: Account) -> list[ListedSession]:
        now = self._users.now()
        oldest, tokens_after = now - RESUME_WINDOW_S * 1000, self._rules.tokens_after(now)
        records = await self._store.sessions(account.id, oldest, tokens_after)
        return [ListedSession(listed_id(one), one, False) for one in records]

    async def end(self, name: str, session_id: str, actor: Actor) -> str:
        """End a session of a user, or all, and forget the devices. Return the name of the user.

        Args:
            name: the name as it was typed.
            session_id: a `ListedSession.id`, "" for all sessions.
            actor: who does it.

        Raises:
            NoSuchUser, NotStored.
            BadRequest: there is no such session.
        """
        account = await self._find(name)
        sessions = f"the session {session_id}" if session_id else "all sessions"
        record = self._audit.record(
            "admin_sessions_ended", actor, name=account.name, sessions=sessions
        )
        if session_id:
            await self._end_one(account, session_id, record)
        else:
            await self._end_all(account, record)
        write_line(record)
        return account.name

    async def _end_one(self, account: Account, session_id: str, record: AuditRecord) -> None:
        listed = next((one for one in await self._records(account) if one.id == session_id), None)
        if listed is None:
            raise BadRequest("id: there is no such session.")
        token, device = listed.record.token_hash, listed.record.device or ""
        if token is None:
            await self._store.forget_device(account.id, device, record)
            return
        connected = [one for one in self._live.of(account.id) if one.token_hash == token]
        ended = EndedSession(account.id, token, {})
        if connected:
            ended = self._live.record(connected[0])
        now = self._users.now()
        await self._store.end_session(ended, now, True, record, "kicked")
        await self._close(account, frozenset([token]))

    async def _end_all(self, account: Account, record: AuditRecord) -> None:
        connected = self._live.records(self._live.of(account.id))
        await self._store.end_other_sessions(
            account.id, None, connected, reason="kicked", audit=record
        )
        await self._close(account, None)

    async def _close(self, account: Account, ended: frozenset[bytes] | None) -> None:
        """Close the connections of sessions that have ended; None for all of the account."""
        for session in self._live.of(account.id):
            if ended is None or session.token_hash in ended:
                self._live.close(session, "kicked")
        user = self._users.get_by_id(account.id)
        if user is not None and not user.registered and not user.sessions:
            await self._guests.end(user)


@attrs.frozen
class RoomQuery:
    """Which rooms are listed, in the order of their names.

    Attributes:
        search: part of a name, "" for all.
        after: name of the room after which the page begins, "" for the first page.
        limit: the most rooms of the page.
    """

    search: str = ""
    after: str = ""
    limit: int = 100


class RoomAdmin:
    """Rooms, for operators.

    Args:
        state: the chat's shared objects.
        ownership: changes owners and deletes rooms.
    """

    def __init__(self, state: State, ownership: Ownership) -> None:
        self._state = state
        self._loader = state.loader
        self._audit = state.audit
        self._ownership = ownership

    async def listed(self, query: RoomQuery) -> Sequence[Room]:
        """Return rooms in the order of their names, private ones among them.

        Raises:
            NotStored: they can't be read.
        """
        search, after = query.search.casefold(), query.after
        if after:
            try:
                after = room_key(after)
            except BadName:
                after = after.casefold()
        ids = await self._state.store.search_rooms(search, after, query.limit)
        await self._loader.bring_in(ids)
        found = map(self._state.rooms.get, ids)
        return [room for room in found if room is not None and not room.deleted]

    async def show(self, name: str) -> Room:
        """Return the room with a name. Raises NoSuchRoom, NotStored."""
        return await self._loader.find(name)

    @repeated
    async def delete(self, name: str, actor: Actor) -> str:
        """Delete a room with its log. Return its name.

        Args:
            name: the name as it was typed.
            actor: who does it.

        Raises:
            NoSuchRoom, NotStored.
            NotAllowed: it is the lobby.
        """
        room = await self._changeable(name)
        record = self._audit.record("admin_room_deleted", actor, room=room.name)
        await self._ownership.delete(room, shown_name(actor), audit=record)
        return room.name

    @repeated
    async def set_owner(self, name: str, owner: str, actor: Actor) -> Room:
        """Make a registered member the owner of a room. Return the room.

        Args:
            name, owner: the names as they were typed.
            actor: who does it.

        Raises:
            NoSuchRoom, NoSuchUser, NotStored.
            NotInRoom: the user is not a member.
            NotAllowed: it is the lobby, or the user is temporary.
        """
        found = await self._state.directory.resolve(owner)
        room = await self._changeable(name)
        if found.id not in room.members:
            raise NotInRoom("The new owner must be a member of the room.")
        if not found.registered:
            raise NotAllowed("A temporary user can't get a room.")
        settings = attrs.evolve(room.settings, owner_id=found.id, owner=found.name)
        record = self._audit.record("admin_room_set", actor, room=room.name, owner=found.name)
        await self._ownership.change(room, settings, shown_name(actor), None, audit=record)
        return room

    @repeated
    async def keep(self, name: str, wanted: RoomSettings, actor: Actor) -> Room:
        """Limit how much of the log of a room is kept. Return the room.

        Args:
            name: the name as it was typed.
            wanted: `keep_messages` and `keep_days`; None leaves one as it is.
            actor: who does it.

        Raises:
            NoSuchRoom, BadRequest, NotStored.
            NotAllowed: it is the lobby, of which is kept what the server keeps.
        """
        room = await self._changeable(name)
        settings = attrs.evolve(room.settings, keep=self._ownership.keep(room, wanted))
        fields = {"room": room.name, **keep_fields(settings.keep)}
        record = self._audit.record("admin_room_keep", actor, **fields)
        await self._ownership.change(room, settings, shown_name(actor), None, audit=record)
        return room

    async def _changeable(self, name: str) -> Room:
        """Return a room that is not the lobby. Raises NoSuchRoom, NotAllowed, NotStored."""
        room = await self._loader.find(name)
        if room.is_lobby:
            raise NotAllowed("The lobby has no owner, and stays.")
        return room

    def announce(self, raw: str, actor: Actor) -> int:
        """Send a message of Host to all users who are online. It is not stored.

        Args:
            raw: the text.
            actor: who does it.

        Returns:
            The number of users who received it.

        Raises:
            BadRequest, TooLong.
        """
        state = self._state
        msg = text(raw, state.limits.text_chars)
        event = BroadcastSent(usr=HOST.display, msg=msg, at=state.users.now())
        self._audit.note("announced", actor, to="all users", msg=msg)
        state.relay.send(BroadcastMade(event))
        return state.users.broadcast(event)


def shown_name(actor: Actor) -> str:
    """Return the name under which users see who has changed a room."""
    return HOST.display if actor.at_server else actor.name
