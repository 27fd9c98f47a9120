"""The console client as a full screen: rooms, a conversation, who is here.

`talk` and `world` are what one person knows, the fold of what comes; `desk` is what he does, and
`looking` what follows from where he looks; `editing` completes and remembers what is typed. None of
these draws. `markup`, `typed`, `conversation`, `panes` and `window` draw, with urwid, and decide
nothing; `app` is the program around it all.
"""
