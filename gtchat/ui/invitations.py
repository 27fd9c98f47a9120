"""The invitations of the user that no answer is known to, for commands that answer the newest."""

from __future__ import annotations

from gtchat.client.messages import Push


class PendingInvitations:
    """Invitations that wait for an answer, on this client or another one of the user."""

    def __init__(self) -> None:
        #: Room and user who invites, the newest last.
        self._pending: dict[tuple[str, str], None] = {}

    @property
    def newest(self) -> tuple[str, str]:
        """Room and user of the newest one, ("", "") if there is none."""
        return next(reversed(self._pending), ("", ""))

    def follow(self, push: Push, me: str) -> None:
        """Take note of an event. me: name of the user."""
        if push.cmd == "c_invited":
            self.answered(push.room_name, push.usr)
            self._pending[push.room_name, push.usr] = None
        elif push.type == "invitation_ended":
            self.answered(push.room_name, push.usr)
        elif push.type == "room_gone" or (push.type == "join_room" and push.usr == me):
            self.entered(push.room_name)

    def answered(self, room_name: str, usr: str) -> None:
        """Forget an invitation. usr: who has sent it."""
        self._pending.pop((room_name, usr), None)

    def entered(self, room_name: str) -> None:
        """Forget all invitations to a room: the user is in it, or it is gone."""
        for one in [one for one in self._pending if one[0] == room_name]:
            del self._pending[one]

    def clear(self) -> None:
        """Forget all: another user is logged in."""
        self._pending.clear()
