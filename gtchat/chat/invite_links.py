"""Registrations, and the links that let users register: invitations for people without an account.

Invitations to rooms, for users, are in `invitations`. A link is a secret of 132 bits, of which only
the hash is kept. It is good for some registrations until a time; each is counted in the transaction
of the account. The rooms that come with a link are joined after that, if its maker may add members
to them then; if the server is killed in between, at the next login. Links of members are good only
while members may make them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

import attrs
from twisted.internet.defer import Deferred

from gtchat.chat.accounts import Accounts, Registered
from gtchat.chat.audit import CONSOLE, Actor, write_line
from gtchat.chat.directory import ResolvedUser
from gtchat.chat.errors import (
    BadInvite,
    BadRequest,
    ChatError,
    NotAllowed,
    NotInRoom,
    NotStored,
)
from gtchat.chat.interfaces import Account
from gtchat.chat.invite_store import Admission, InviteLimits, InviteLink, NewInviteLink
from gtchat.chat.live_sessions import token_hash
from gtchat.chat.membership import Membership
from gtchat.chat.repetition import repeated
from gtchat.chat.rooms import Room
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Characters of a secret: 132 bits in base 64.
SECRET_CHARS = 22
#: Most days for which a link is good, most registrations, and most rooms.
MAX_DAYS, MAX_USES, MAX_ROOMS = 365, 100_000, 20
#: Most links in a list.
LINKS_LIMIT = 200
DAY_MS = 24 * 3600 * 1000


@attrs.frozen
class Wanted:
    """What a new link is to be.

    Attributes:
        uses: how many accounts can be registered with it.
        days: how many days it is good for.
        rooms: names of rooms that these join, as they were typed.
    """

    uses: int = 1
    days: int = 7
    rooms: Sequence[str] = ()


@attrs.frozen
class MadeLink:
    """A link that was made.

    Attributes:
        id: its number.
        secret: the secret in it.
        expires_at: when it ends, in milliseconds since 1970, UTC.
    """

    id: int
    secret: str
    expires_at: int


@attrs.frozen
class ShownLink:
    """A link with the names of its rooms; rooms that are gone are left out."""

    link: InviteLink
    rooms: tuple[str, ...]


class InviteLinks:
    """Makes links, and registers accounts.

    Args:
        state: the chat's shared objects.
        accounts: registers accounts.
        membership: makes them members of rooms.
    """

    def __init__(self, state: State, accounts: Accounts, membership: Membership) -> None:
        self._state = state
        self._store = state.store
        self._loader = state.loader
        self._users = state.users
        self._audit = state.audit
        self._access = state.access
        self._accounts = accounts
        self._membership = membership

    # Registrations.

    async def register(
        self,
        name: str | None,
        secret: str | None,
        uuid: str | None,
        address: str,
        invite: str | None = None,
        link: str | None = None,
    ) -> str:
        """Create an account. Return its name as displayed.

        Args:
            name, secret, uuid, address: as of `Accounts.register`.
            invite: the secret of an invitation, None for none.
            link: that of the one-time link with which the first operator registers, None for none.

        Raises:
            ChatError: as `Accounts.register`; LockedOut after wrong secrets.
        """
        accounts, found = self._accounts, None
        accounts.charge(address)
        admission = None if invite is None else Admission(token_hash(invite))
        if link is not None:
            admission = Admission(token_hash(link), operator=True)
        self._access.check_registration(admission)
        if admission is not None and admission.operator:
            await self._check_operator_link(admission, address, uuid)
        elif admission is not None:
            found = await self._find(admission, address)
            admission = attrs.evolve(admission, by=found.maker or CONSOLE)
        account = await accounts.register(name, secret, uuid, address, admission)
        if found is not None and found.rooms:
            await self._join_all(account, found)
        return account.name

    async def finish(self, account: Account) -> None:
        """Join the rooms of an invitation that an account could not join when it registered."""
        with suppress(NotStored):
            link = await self._store.invited_with(account.id)
            if link is not None:
                await self._join_all(Registered(account.id, account.name), link)

    async def _join_all(self, account: Registered, link: InviteLink) -> None:
        """Make an account a member of the rooms of its invitation, as far as the maker may do so.

        If the store fails, the rest is left to `finish`.
        """
        with suppress(NotStored):
            for room_id in link.rooms:
                await self._try_to_join(room_id, account, link)
            await self._store.rooms_joined(account.id)

    async def _try_to_join(self, room_id: int, account: Registered, link: InviteLink) -> None:
        try:
            await self._join(room_id, account, link)
        except NotStored:
            raise
        except ChatError:
            pass  # the room is full, or the user banned from it, or a member by now

    async def _check_operator_link(
        self, admission: Admission, address: str, uuid: str | None
    ) -> None:
        """Check the link of the first operator. Raises BadRequest, BadInvite and others."""
        if uuid is not None:
            raise BadRequest("uuid: an operator has a password, to confirm commands with.")
        refusal = BadInvite("This link was used, or is too old.")
        await self._accounts.find_by_secret(
            "operator link", address, partial(self._is_valid, admission.token_hash), refusal
        )

    def _is_valid(self, link_hash: bytes, at: int) -> Deferred[bool | None]:
        """Return whether a link for the first operator is valid, None if not."""
        found = self._store.find_operator_link(link_hash, at)
        return found.addCallback(lambda valid: valid or None)

    async def _find(self, admission: Admission, address: str) -> InviteLink:
        """Return the link of an invitation. Raises BadInvite, LockedOut, RateLimited, NotStored."""
        find = partial(self._store.find_invite_link, admission.token_hash)
        found = await self._accounts.find_by_secret(
            "invite link", address, lambda now: find(), BadInvite()
        )
        is_banned = self._state.bans.of_account_id(found.maker_id) is not None
        if found.is_over(self._users.now()) or is_banned or not await self._may_invite(found):
            raise BadInvite()
        return found

    async def _may_invite(self, link: InviteLink) -> bool:
        """Return whether the maker of a link can make links now."""
        return self._access.invites or await self._is_operator(link.maker_id)

    async def _is_operator(self, maker_id: int | None) -> bool:
        """Return whether the maker of a link is an operator, at the server for None."""
        maker = None if maker_id is None else await self._store.listed_account(maker_id)
        return maker_id is None or (maker is not None and maker.operator)

    @repeated
    async def _join(self, room_id: int, account: Registered, link: InviteLink) -> None:
        """Make a new account a member of a room of its invitation, if the maker may do so."""
        room = await self._loader.get(room_id)
        if room is None or not await self._may_add(link.maker_id, room):
            return
        target = ResolvedUser(account.id, account.name, True, None, False, 0)
        await self._membership.enter(room, target, None)

    async def _may_add(self, maker_id: int | None, room: Room) -> bool:
        """Return whether the maker of a link may add members to a room; all join public ones."""
        return room.public or maker_id in room.members or await self._is_operator(maker_id)

    # Links.

    async def create(self, session: Session, wanted: Wanted) -> MadeLink:
        """Make a link, as a member.

        Raises:
            NoSuchRoom, NotInRoom, BadRequest, NotStored.
            NotAllowed: members make none here, or the user has too many.
        """
        user, most = session.user, self._state.limits.invite_link_uses
        if not self._access.invites or not user.registered:
            raise NotAllowed("Only operators invite people to this server.")
        if most and wanted.uses > most:
            raise BadRequest(f"uses: at most {most} accounts can be registered with a link.")
        rooms = await self._rooms(wanted)
        if any(not room.public and user.id not in room.members for room in rooms):
            raise NotInRoom()
        return await self._make(user.id, wanted, rooms, session.actor)

    async def create_as_operator(self, wanted: Wanted, actor: Actor) -> MadeLink:
        """Make a link, as an operator.

        Args:
            wanted: what it is to be.
            actor: the operator.

        Raises:
            NoSuchRoom, BadRequest, NotStored.
            NotAllowed: there are too many links.
        """
        maker_id = None
        if not actor.at_server:
            maker_id = (await self._state.directory.resolve(actor.name)).id
        return await self._make(maker_id, wanted, await self._rooms(wanted), actor)

    async def _rooms(self, wanted: Wanted) -> list[Room]:
        """Return the rooms of a new link, after checks of its numbers."""
        for name, number, most in (
            ("uses", wanted.uses, MAX_USES),
            ("days", wanted.days, MAX_DAYS),
            ("rooms", len(wanted.rooms) + 1, MAX_ROOMS + 1),
        ):
            if not 1 <= number <= most:
                raise BadRequest(f"{name}: too many or too few.")
        rooms = [await self._loader.find(raw) for raw in wanted.rooms]
        return [room for room in rooms if not room.is_lobby]

    async def _make(
        self, maker_id: int | None, wanted: Wanted, rooms: Sequence[Room], actor: Actor
    ) -> MadeLink:
        self._state.quota.check_space()
        secret, now = self._state.token()[:SECRET_CHARS], self._users.now()
        link = NewInviteLink(
            token_hash=token_hash(secret),
            maker_id=maker_id,
            at=now,
            expires_at=now + wanted.days * DAY_MS,
            uses=wanted.uses,
            rooms=tuple(room.id for room in rooms),
        )
        uses, days = _counted(wanted.uses, "use"), _counted(wanted.days, "day")
        record = self._audit.record("invite_link", actor, uses=uses, days=days)
        limits = self._state.limits
        kept = InviteLimits(limits.invite_links_per_account, limits.invite_links)
        link_id = await self._store.add_invite_link(link, kept, record)
        write_line(record)
        return MadeLink(link_id, secret, link.expires_at)

    async def listed(
        self, maker_id: int | None, before: int | None = None, limit: int = LINKS_LIMIT
    ) -> list[ShownLink]:
        """Return links that are valid, newest first.

        Args:
            maker_id: those of an account, None for all.
            before: the number before which the page begins, None for the newest.
            limit: the most that are returned.

        Raises:
            NotStored.
        """
        links = await self._store.invite_links(maker_id, self._users.now(), before, limit)
        await self._loader.bring_in({room_id for link in links for room_id in link.rooms})
        return [ShownLink(link, tuple(room.name for room in self._found(link))) for link in links]

    def _found(self, link: InviteLink) -> Iterator[Room]:
        """Yield the rooms of a link that are in memory."""
        for room_id in link.rooms:
            room = self._state.rooms.get(room_id)
            if room is not None:
                yield room

    async def find(self, invite: str, address: str) -> ShownLink:
        """Return the link with a secret, for people who may register, and the rooms they join.

        Args:
            invite: the secret.
            address: IP address of the client.

        Raises:
            BadInvite, LockedOut, RateLimited, NotStored.
        """
        link = await self._find(Admission(token_hash(invite)), address)
        await self._loader.bring_in(link.rooms)
        rooms = [room for room in self._found(link) if await self._may_add(link.maker_id, room)]
        return ShownLink(link, tuple(room.name for room in rooms))

    def revoke(self, link_id: int, maker_id: int | None, actor: Actor) -> Deferred[None]:
        """End a link.

        Args:
            link_id: its number.
            maker_id: the account that has made it, None for any.
            actor: who does it.

        Raises:
            NotAllowed: (through the Deferred) there is no such link.
            NotStored: (through the Deferred).
        """
        record = self._audit.record("invite_link_revoked", actor, id=link_id)
        revoked = self._store.revoke_invite_link(link_id, maker_id, record)
        return revoked.addCallback(lambda _: write_line(record))


def _counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
