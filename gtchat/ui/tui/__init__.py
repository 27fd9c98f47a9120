"""The terminal client on the full screen: rooms, a conversation, members.

`buffer` and `model` hold the data, `controller` executes what the user types, `loader` loads what
the current buffer misses, `editing` has completion and input history; none of these draws.
`markup`, `prompt`, `conversation`, `panes` and `window` draw with urwid and decide nothing. `app`
runs it all.
"""
