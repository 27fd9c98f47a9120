"""RandomChat: JSON over WebSocket, on the same port as the JSON API (seed 001).

    → register {user: {name, phone}}                 ← state {chats: [{chat, messages}]}
    → create_chat {name}                             ← new_member for the creator
    → send_message {chat, message}                   ← message to all members, the sender too
    → add_member {chat, phone}                       ← new_member to all members
    → remove_member {chat, phone}                    ← member_removed to all members
    → delete_chat {chat}                             ← chat_deleted to all members
                                                     ← error {detail, code}

    User {name, phone, disconnection_date}   Chat {name, members, owner}
    message {chat, from, date, message}      new_member, member_removed {chat, user}

States of a connection: registering (only `register` is allowed) → registered → closed. A telephone
number is all that authenticates a user. The first object of a connection selects its API: one with
`cmd` the JSON API, one with `type` and no `cmd` this one. Source: spec/randomchat.md.

`state` has the telephone numbers and renders events, `api` is one connection, `negotiator` selects
the API of a new one.
"""

from gtchat.protocols.randomchat.api import RandomChatAPI
from gtchat.protocols.randomchat.negotiator import ProtocolNegotiator
from gtchat.protocols.randomchat.state import RandomChatState

__all__ = ["ProtocolNegotiator", "RandomChatAPI", "RandomChatState"]
