"""Other people's servers, as small as they can be: rooms whose members hear what is said in them.

Each speaks the load generator's own JSON: `{"op":"login","user":U}` is answered `{"op":"ok"}`,
`{"op":"join","room":R}` is answered `{"op":"joined"}`, `{"op":"msg","room":R,"text":T}` is told to
all in the room, the speaker too. None has accounts, limits, or a store.
"""
