"""What both stores check of reports."""

from __future__ import annotations

from gtchat.chat.errors import TooMany
from gtchat.chat.report_store import ReportLimits

#: Errors of what was done before.
REPORTED, ANSWERED = (
    "You have reported this message already.",
    "This report was answered already.",
)


def check_counts(limits: ReportLimits, own: int, of_room: int) -> None:
    """Check that one more report can be kept.

    Args:
        limits: how many are kept.
        own: how many of the account are not answered.
        of_room: the same of messages of the room.

    Raises:
        TooMany.
    """
    if limits.account and own >= limits.account:
        raise TooMany(f"{own} reports of yours are not answered yet.")
    if limits.room and of_room >= limits.room:
        raise TooMany("There are too many reports here that are not answered yet.")


def refuse_total() -> TooMany:
    """Return the error where no more reports are kept, and all of them wait for an answer."""
    return TooMany("There are too many reports on this server that are not answered yet.")
