"""Clients: `connection` is what bots and other clients build on, `console` is one for terminals.

Nothing here imports anything of the server.
"""
