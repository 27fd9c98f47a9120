"""Small chat servers on other libraries: rooms that forward each message to all members.

Each takes the JSON that the load generator sends by default: `{"op":"login","user":U}` is answered
`{"op":"ok"}`, `{"op":"join","room":R}` is answered `{"op":"joined"}`, and
`{"op":"msg","room":R,"text":T}` is sent to all members of the room, the sender included. None has
accounts, limits or a store.
"""
