"""What keys do, as /help tells it; what they are bound to stands in `window`."""

from __future__ import annotations

WELCOME = (
    "Type /guest NAME to come in, or /register NAME, or /login NAME.",
    "/help lists all commands and keys.",
)
#: What lines are, that are no commands.
TYPING: tuple[tuple[str, str], ...] = (
    ("any other line", "is said where you are"),
    ("//TEXT", "says /TEXT"),
    ("{…}", "is sent as it is, and its reply shown"),
)
KEYS: tuple[tuple[str, str], ...] = (
    ("Enter", "say the line; Alt-Enter begins another line of the same message"),
    ("Tab", "complete a command, a name or a room; again: the next that it could be"),
    ("Up, Down", "lines that you typed before"),
    ("PageUp, PageDown, wheel", "what was said before; Esc goes back to the newest"),
    ("Ctrl-N, Ctrl-P", "the next conversation, the one before (also Alt-Down, Alt-Up)"),
    ("Alt-1 to Alt-9", "the first conversation to the ninth; or click on it"),
    ("Alt-A", "the next conversation with something new"),
    ("a click on a member", "whisper to him; Ctrl-X closes whispers"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-C, Ctrl-D, /quit", "leave"),
)
