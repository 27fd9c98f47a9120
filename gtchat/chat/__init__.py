"""The rules of the chat: users, rooms, messages.

Imports no reactor, no socket, no SQL and no JSON; `interfaces` says what it needs from outside.
Protocols use `gtchat.chat.chat.Chat`.
"""
