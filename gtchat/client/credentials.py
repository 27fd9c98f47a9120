"""How a user of `connect` proves who it is."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Guest:
    """A temporary user, who ends soon after the connection."""

    name: str

    def login(self) -> dict[str, Any]:
        """Return the fields of `login`."""
        return {"type": "tmp", "usr": self.name}


@attrs.frozen
class Registered:
    """An account with a password.

    Attributes:
        create: whether to create the account if there is none of that name.
        invite: the secret of an invitation by link, to create it with; None for none.
    """

    name: str
    password: str = attrs.field(repr=False)
    create: bool = attrs.field(default=False, kw_only=True)
    invite: str | None = attrs.field(default=None, kw_only=True, repr=False)

    def login(self) -> dict[str, Any]:
        """Return the fields of `login`."""
        return {"type": "reg", "usr": self.name, "pwd": self.password}

    def register(self) -> dict[str, Any]:
        """Return the fields of `register`."""
        invited = {} if self.invite is None else {"invite": self.invite}
        return {"usr": self.name, "pwd": self.password, **invited}


@attrs.frozen
class Key:
    """An account whose secret is a UUID of version 4."""

    uuid: str = attrs.field(repr=False)

    def login(self) -> dict[str, Any]:
        """Return the fields of `login`."""
        return {"type": "reg", "uuid": self.uuid}


@attrs.frozen
class Token:
    """A device that stays logged in.

    Attributes:
        device: what the device calls itself.
        token: the `device_token` of a login with `remember`.
    """

    device: str
    token: str = attrs.field(repr=False)

    def login(self) -> dict[str, Any]:
        """Return the fields of `login`."""
        return {"type": "device", "device": self.device, "device_token": self.token}


User = Guest | Registered | Key | Token
