"""The texts of /help on the full screen: keys, and what is typed besides commands.

The keys are bound in `window`; docs/terminal.md has the same table.
"""

from __future__ import annotations

#: Lines shown before the login.
WELCOME = (
    "Log in: /guest NAME or /login NAME. New account: /register NAME.",
    "/help lists all commands and keys.",
)
#: What is typed -> what it does, for lines that are no commands.
INPUT_HELP: tuple[tuple[str, str], ...] = (
    ("other text", "is sent to the current room or user"),
    ("//TEXT", "sends the text /TEXT"),
    ("{…}", "is sent as a JSON request; its reply is shown"),
)
#: Keys -> what they do.
KEYS: tuple[tuple[str, str], ...] = (
    ("Enter", "send the line; Alt-Enter adds a line to the same message"),
    ("Tab", "complete a command, a name or a room; again: the next candidate"),
    ("Up, Down", "lines that you typed before"),
    ("PageUp, PageDown, wheel", "scroll; Esc returns to the newest message"),
    ("Ctrl-N, Ctrl-P", "next and previous conversation (also Alt-Down, Alt-Up)"),
    ("Alt-1 to Alt-9", "first to ninth conversation (also a click)"),
    ("Alt-A", "next conversation with new messages"),
    ("Shift-Up, Shift-Down", "select a message (also Alt-K, Alt-J); Esc ends it"),
    ("Alt-R, Alt-T", "reply and react to the selected message, or to the newest of another user"),
    ("Alt-E, Alt-D", "edit and delete the selected message, or your newest one"),
    ("click on a member", "open direct messages; Ctrl-X closes them"),
    ("Ctrl-L", "redraw the screen"),
    ("Ctrl-C, Ctrl-D, /quit", "quit"),
)
