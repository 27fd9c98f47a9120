"""The GTChat JSON API: one JSON object per message, as docs/protocol.md describes it.

    client                                   server
    ------                                   ------
    {"cmd": "login", "tracker": 1, …}   →
                                        ←    {"cmd": "c_response", "status": "ok", "tracker": "1"…}
    {"cmd": "speak", "tracker": 2, …}   →
                                        ←    {"cmd": "c_response", …, "seq": 7}
                                        ←    {"cmd": "c_speak", …, "seq": 8}         (a push)

States of a connection: open (commands of the table that are marked `before_login`) → logged in →
closed. Requests are answered in order, one at a time; only messages to rooms are pipelined. A
push that a request causes for its own connection comes after its reply.

`requests`, `responses` and `pushes` have the messages, `commands` the table of commands,
`contract` what clients may rely on for each command, error code and close code;
`sessions`, `rooms`, `messages` and `changes` the handlers, which get a `Context`; `strict_json` and
`diagnostics` deal with malformed requests. `api` is the object behind each connection. It knows
no socket.
"""
