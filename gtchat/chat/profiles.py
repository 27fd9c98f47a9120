"""Profiles of users: about, the colour of the avatar, when they were seen last."""

from __future__ import annotations

import attrs

from gtchat.chat.errors import BadRequest, NotAllowed
from gtchat.chat.messages import text
from gtchat.chat.profile_store import NO_COLOUR, NO_PROFILE, Profile
from gtchat.chat.state import State
from gtchat.chat.users import Session

#: Longest text about a user, in characters, and most lines of it.
ABOUT_CHARS, ABOUT_LINES = 300, 10


@attrs.frozen
class ShownProfile:
    """A profile as a user sees it.

    Attributes:
        name: name of the user as displayed.
        registered: False for a temporary user.
        online: whether the user is logged in.
        profile: what the user says; nothing for one who blocks the one who asks.
        seen_at: when the user was seen last, in milliseconds since 1970, UTC; None while the user
            is online, where it is not known, and where it is hidden.
    """

    name: str
    registered: bool
    online: bool
    profile: Profile
    seen_at: int | None


class Profiles:
    """Shows and changes profiles.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._store = state.store

    async def show(self, session: Session, raw: str) -> ShownProfile:
        """Return the profile of a user.

        Args:
            session: a session of the user who asks.
            raw: the name as it was typed.

        Raises:
            NoSuchUser, NotStored.
        """
        user = session.user
        found = await self._state.directory.resolve(raw, user)
        online = self._state.users.is_online(found.id)
        profile, seen_at = NO_PROFILE, None
        if not found.blocks_asker:
            profile, seen = await self._store.find_profile(found.id)
            is_shown = not online and (found.id == user.id or not profile.hides_seen)
            seen_at = seen or None if is_shown else None
        return ShownProfile(found.name, found.registered, online, profile, seen_at)

    async def change(
        self,
        session: Session,
        about: str | None,
        colour: int | None,
        hides_seen: bool | None,
    ) -> None:
        """Change the profile of a user; None leaves a part as it is.

        Args:
            session: a session of the user.
            about, colour, hides_seen: as of `Profile`.

        Raises:
            NotAllowed: the user is temporary.
            BadRequest, TooLong, SlowMode, Filtered, OverQuota, NotStored.
        """
        user, state = session.user, self._state
        if not user.registered:
            raise NotAllowed("A temporary user has no profile.")
        if colour is not None and not NO_COLOUR <= colour < 360:
            raise BadRequest("colour: must be 0 to 359, or -1 for that of the name.")
        if about:
            about = text(about, ABOUT_CHARS, "about")
            if len(about.splitlines()) > ABOUT_LINES:
                raise BadRequest(f"about: must have at most {ABOUT_LINES} lines.")
            state.access.panic.check(session)
            state.word_filter.check_other(session, about)
            state.quota.charge(session, about)
        profile, _ = await self._store.find_profile(user.id)
        changed = Profile(
            about=profile.about if about is None else about,
            colour=profile.colour if colour is None else colour,
            hides_seen=profile.hides_seen if hides_seen is None else hides_seen,
        )
        await self._store.set_profile(user.id, changed)
