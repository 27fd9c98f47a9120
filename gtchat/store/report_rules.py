"""What both stores check of reports."""

from __future__ import annotations

from gtchat.chat.errors import TooMany
from gtchat.chat.report_store import ReportLimits

#: Errors of what was done before.
REPORTED, ANSWERED = (
    "You have reported this message already.",
    "This report was answered already.",
)


def check_counts(limits: ReportLimits, own: int, of_room: int, by_filter: bool) -> None:
    """Check that one more report can be kept.

    Args:
        limits: how many are kept.
        own: how many of the account are not answered; for the word filter: of its own about it.
        of_room: the same of messages of the room; for the word filter: of its own.
        by_filter: whether it is one of the word filter.

    Raises:
        TooMany.
    """
    if limits.account and own >= limits.account:
        raise TooMany(f"{own} reports of yours are not answered yet.")
    if limits.room and of_room >= (limits.room // 2 if by_filter else limits.room):
        raise TooMany("There are too many reports here that are not answered yet.")


def is_full(limits: ReportLimits, count: int, of_filter: int | None) -> bool:
    """Return whether an answered report has to make place for one more.

    Args:
        limits: how many are kept.
        count: how many there are.
        of_filter: how many of them are of the word filter, if that adds one; None for a user.
    """
    if not limits.total:
        return False
    return count >= limits.total or (of_filter is not None and of_filter >= limits.total // 2)


def refuse_total() -> TooMany:
    """Return the error where no more reports are kept, and all of them wait for an answer."""
    return TooMany("There are too many reports on this server that are not answered yet.")
