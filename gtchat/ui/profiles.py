"""Profiles and exports as the terminal clients show them."""

from __future__ import annotations

from gtchat.client import Reply
from gtchat.ui.formatting import format_user
from gtchat.ui.terminal import escape_controls


def profile_lines(reply: Reply) -> list[str]:
    """Return the profile in a reply, line by line."""
    raw = reply.raw
    state = "online" if raw.get("is_online") else "offline"
    if seen := raw.get("last_seen"):
        state = f"last seen {seen}"
    kind = ", temporary" if raw.get("guest") else ""
    hidden = ", which others are not told" if raw.get("hide_last_seen") else ""
    lines = [f"{format_user(str(raw.get('user', '')))}: {escape_controls(state)}{kind}{hidden}"]
    return lines + [f"  {escape_controls(line)}" for line in str(raw.get("about", "")).splitlines()]


def export_line(reply: Reply) -> str:
    """Return where the export in a reply is."""
    path = escape_controls(str(reply.raw.get("path", "")))
    return f"your export is at {path} below the address of the page, once, for ten minutes"
