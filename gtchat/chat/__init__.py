"""The chat itself: people, rooms, messages, rules.

Imports no reactor, no socket, no SQL and no JSON; what it asks of the outside stands in
`interfaces`. The way in is `gtchat.chat.chat.Chat`.
"""
