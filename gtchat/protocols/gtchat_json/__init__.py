"""The GTChat JSON API: one JSON object per message, as the protocol page has it.

    client                                   server
    ------                                   ------
    {"cmd": "login", "tracker": 1, …}   →
                                        ←    {"cmd": "c_response", "status": "ok", "tracker": "1"…}
    {"cmd": "speak", "tracker": 2, …}   →
                                        ←    {"cmd": "c_response", …, "seq": 7}
                                        ←    {"cmd": "c_speak", …, "seq": 8}         (a push)

A connection is *open* (it may register, log in, resume, ping) or *logged in*. Requests are taken
one after the other, replies keep their order; only messages to rooms may be under way several at
a time. A push that a request causes for its own connection comes after its reply.

`requests` has the messages of clients, `replies` those of the server; `strict` refuses JSON that
two readers could understand differently; `audience` encodes what the chat tells; `api` is the
object behind each connection. It knows no socket: it is given something to write to.
"""

from gtchat.protocols.gtchat_json.api import API_Chatroom
from gtchat.protocols.gtchat_json.encoder import JSONEncoder

__all__ = ["API_Chatroom", "JSONEncoder"]
