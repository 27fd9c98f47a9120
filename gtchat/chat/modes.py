"""What the settings of the chat that choose a mode can be, and the length of its name.

The rules are elsewhere: programs that only read settings, or check them, do not load those.
"""

from __future__ import annotations

#: What a second login of an account does (the setting `sessions`).
SESSION_MODES = ("devices", "replace", "refuse", "share")
#: Who can register an account: all, those who have an invitation, only operators do.
REGISTRATION_MODES = ("open", "invite", "closed")
#: What becomes of the messages of an account that is deleted; operators may decide it for all.
MESSAGES_MODES = ("choice", "keep", "erase")
#: Longest name of a chat, in characters.
CHAT_NAME_CHARS = 64
