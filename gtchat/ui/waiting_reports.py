"""Tells moderators and operators who log in that reports wait for an answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from gtchat.client import Connection, GTChatError, Reply
from gtchat.ui.formatting import format_room

#: Rooms that a login asks for, and reports of each: those of own messages may be left out of them.
ROOMS, FEW = 10, 5


async def tell_waiting_reports(
    connection: Connection, login: Reply, show: Callable[[str], None]
) -> None:
    """Show a line if reports wait, in the first such room, or anywhere for an operator.

    Args:
        connection: the connection.
        login: the reply to the login.
        show: shows a line.
    """
    try:
        if login.raw.get("operator"):
            if (await connection.call("get_reports", limit=FEW)).reports:
                show("* reports wait for an answer (/all-reports)")
            return
        moderated = (
            room["room_name"]
            for room in login.raw.get("rooms", ())
            if room.get("joined")
            and (room.get("role") == "moderator" or room.get("owner") == login.usr)
        )
        for name in islice(moderated, ROOMS):
            if (await connection.call("get_reports", room_name=name, limit=FEW)).reports:
                place = format_room(name)
                show(f"* reports wait for an answer in {place} (/reports {place})")
                return
    except GTChatError:
        return  # The user can ask for them.
