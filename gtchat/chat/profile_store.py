"""Profiles: what users say of themselves, and when they were seen last, as a store keeps them.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

#: Stands for the colour that is made of the name.
NO_COLOUR = -1


@attrs.frozen
class Profile:
    """What a user says.

    Attributes:
        about: a text, "" for none.
        colour: the hue of the avatar in degrees, from 0 to 359, or `NO_COLOUR`.
        hides_seen: whether others are not told when the user was seen last.
    """

    about: str = ""
    colour: int = NO_COLOUR
    hides_seen: bool = False


NO_PROFILE = Profile()


class IProfileStore(Interface):
    """Keeps profiles."""

    def find_profile(account_id: int) -> Deferred[tuple[Profile, int]]:
        """Return the profile of an account, and when a session of it was connected last (read).

        The time is that of the last login, resume or end of a connection that is known, in
        milliseconds since 1970, UTC; 0 for none.
        """

    def set_profile(account_id: int, profile: Profile) -> Deferred[None]:
        """Keep the profile of an account.

        Raises:
            NoSuchUser: there is no such account.
        """
