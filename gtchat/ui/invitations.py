"""The invitations of the user that no answer is known to, for commands that answer the newest."""

from __future__ import annotations

from gtchat.client import Event, Invitation, Other, RoomEvent


class PendingInvitations:
    """Invitations that wait for an answer, on this client or another one of the user."""

    def __init__(self) -> None:
        #: Room and user who invites, the newest last.
        self._pending: dict[tuple[str, str], None] = {}

    @property
    def newest(self) -> tuple[str, str]:
        """Room and user of the newest one, ("", "") if there is none."""
        return next(reversed(self._pending), ("", ""))

    def follow(self, event: Event, me: str | None) -> None:
        """Take note of an event. me: name of the user."""
        if isinstance(event, Invitation):
            self.answered(event.room, event.user)
            self._pending[event.room, event.user] = None
        elif isinstance(event, Other) and event.kind == "invitation_ended":
            self.answered(str(event.room), event.user or "")
        elif isinstance(event, RoomEvent):
            own_join = event.kind == "join_room" and event.user == me
            if own_join or event.kind == "room_gone":
                self.entered(event.room)

    def answered(self, room_name: str, user: str) -> None:
        """Forget an invitation. user: who has sent it."""
        self._pending.pop((room_name, user), None)

    def entered(self, room_name: str) -> None:
        """Forget all invitations to a room: the user is in it, or it is gone."""
        for one in [one for one in self._pending if one[0] == room_name]:
            del self._pending[one]

    def clear(self) -> None:
        """Forget all: another user is logged in."""
        self._pending.clear()
