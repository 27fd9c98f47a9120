"""What a client of the JSON API must do, as data that holds for clients in every language.

A scenario is a list of steps. `{me}` and `{room}` in strings are names of its own. Before the first
step the peer, another user, has created the public room `{room}`. Steps:

    open FIELDS, OPTIONS      the client connects through the proxy and logs in with these fields
                              (`after`: the positions of what was heard are given to it)
    refused FIELDS, CODE      the same with an error: a code, or "closed"
    call CMD, FIELDS, REPLY   the client calls; REPLY are fields of the reply, or an error code
    begin CMD, FIELDS         the same without waiting; `end REPLY` waits for the oldest one
    burst N                   the client sends the texts 1 to N to `{room}` at once; all are done
    say FIRST, LAST           the peer sends these numbers to `{room}`, each as a text of its own
    hears FIRST, LAST         next, the client gets exactly these of the peer, by rising seq
    heard FIRST, LAST         next, the peer gets exactly these of the client; there is also
                              `heard in any order`
    peer CMD, FIELDS          the peer calls; the reply is ok
    gone                      the peer is told that the client went offline
    again                     the peer logs in once more, on a new connection
    account                   the account `{me}` with the password PASSWORD is registered
    other CMD, FIELDS         another connection calls; see `account`
    hold, release             the client's program stops reading events, and goes on
    state NAMES               next, the client reports these: "lost CODE", "restored",
                              "reset REASON", "closed CODE", or "closed CODE WORD" for 4001
                              and 4002, with the first word of the reason
    lost CODE, SECONDS        as "lost CODE", and the client waits at least so long
    rooms N                   the client knows this number of rooms
    create N                  the peer creates N rooms with long topics and adds the client
    say in last, hears in last   as `say 1 1` and `hears 1 1`, in the last of them by name
    close                     the client closes
    link WHAT                 the proxy: "cut" ends links and accepts no new one, "mend" accepts
                              them again, "mute" swallows what the server sends, "stall" all
    frame CODE, REASON        the proxy sends a close frame to the client
    server WHAT               "stop", "kill", "start", "copy" the database, "restore" the copy
"""

from __future__ import annotations

from typing import Any

PASSWORD = "correct horse"
GUEST: dict[str, Any] = {"type": "tmp", "usr": "{me}"}
ACCOUNT: dict[str, Any] = {"type": "reg", "usr": "{me}", "pwd": PASSWORD}
DEVICE: dict[str, Any] = {**ACCOUNT, "device": "elsewhere"}
JOIN = ("call", "join_room", {"room_name": "{room}"}, {"status": "ok"})
SPEAK = ("call", "speak", {"room_name": "{room}", "msg": "still here"}, {"status": "ok"})
#: A guest in the room.
START = (("open", GUEST), JOIN)
#: An account in the room.
START_ACCOUNT = (("account",), ("open", ACCOUNT), JOIN)
#: The link is back.
BACK = (("link", "mend"), ("state", "lost 1006", "restored"))

Steps = tuple[tuple[Any, ...], ...]

SCENARIOS: dict[str, Steps] = {
    "login": (
        ("open", GUEST),
        ("call", "join_room", {"room_name": "{room} of none"}, "no_such_room"),
        JOIN,
        ("say", 1, 3),
        ("hears", 1, 3),
        ("call", "speak", {"room_name": "{room}", "msg": "1"}, {"status": "ok"}),
        ("heard", 1, 1),
        ("close",),
        ("state", "closed 1000"),
    ),
    "login_of_an_account": (
        ("account",),
        ("refused", {**ACCOUNT, "pwd": "wrong horse"}, "bad_credentials"),
        ("open", ACCOUNT),
        JOIN,
        ("say", 1, 2),
        ("hears", 1, 2),
    ),
    "loss": (
        *START,
        ("peer", "create_room", {"room_name": "{room} of others"}),
        ("say", 1, 3),
        ("hears", 1, 3),
        ("rooms", 2),
        ("link", "cut"),
        ("say", 4, 30),
        *BACK,
        ("say", 31, 32),
        ("hears", 4, 32),
        SPEAK,
    ),
    "loss_before_the_reply": (
        *START,
        ("link", "mute"),
        ("begin", "speak", {"room_name": "{room}", "msg": "1"}),
        ("begin", "register", {"usr": "{me}2", "pwd": PASSWORD}),
        ("heard", 1, 1),
        ("link", "cut"),
        *BACK,
        ("end", {"dup": True}),
        ("end", "unanswered"),
        ("call", "speak", {"room_name": "{room}", "msg": "2"}, {"status": "ok"}),
        ("heard", 2, 2),
    ),
    "silent_link": (
        ("open", GUEST, {"timeout": 0.5}),
        JOIN,
        ("link", "stall"),
        ("say", 1, 2),
        ("call", "ping", {}, {"status": "ok"}),
        ("hears", 1, 2),
    ),
    "behind": (
        *START,
        ("say", 1, 1),
        ("hears", 1, 1),
        ("link", "cut"),
        ("say", 2, 750),
        ("link", "mend"),
        ("say", 751, 800),
        ("state", "lost 1006", "restored"),
        ("hears", 2, 800),
        SPEAK,
    ),
    "slow_reader": (
        ("open", GUEST, {"events": 400}),
        JOIN,
        ("hold",),
        ("say", 1, 1200),
        ("release",),
        ("hears", 1, 1200),
        ("say", 1201, 1202),
        ("hears", 1201, 1202),
    ),
    "reset_by_a_new_room_of_the_name": (
        *START,
        ("say", 1, 3),
        ("hears", 1, 3),
        ("link", "cut"),
        ("peer", "delete_room", {"room_name": "{room}"}),
        ("peer", "create_room", {"room_name": "{room}"}),
        ("peer", "add_member", {"room_name": "{room}", "user": "{me}"}),
        *BACK,
        ("state", "reset recreated"),
        ("say", 4, 5),
        ("hears", 4, 5),
    ),
    "reset_by_a_kick": (
        *START,
        ("link", "cut"),
        ("peer", "kick", {"room_name": "{room}", "user": "{me}"}),
        *BACK,
        ("state", "reset left"),
        ("call", "speak", {"room_name": "{room}", "msg": "gone"}, "not_in_room"),
        JOIN,
        ("say", 1, 2),
        ("hears", 1, 2),
    ),
    "reset_by_a_room_that_is_new": (
        ("open", GUEST),
        ("link", "cut"),
        ("peer", "add_member", {"room_name": "{room}", "user": "{me}"}),
        *BACK,
        ("state", "reset unknown"),
        ("say", 1, 2),
        ("hears", 1, 2),
    ),
    "reset_by_a_restored_copy": (
        *START_ACCOUNT,
        ("server", "stop"),
        ("server", "copy"),
        ("server", "start"),
        ("state", "lost 1012", "restored"),
        ("again",),
        ("say", 1, 3),
        ("hears", 1, 3),
        ("server", "kill"),
        ("server", "restore"),
        ("server", "start"),
        ("state", "lost 1006", "restored", "reset epoch", "reset epoch"),
        ("again",),
        ("say", 4, 5),
        ("hears", 4, 5),
    ),
    "stored_positions": (
        *START_ACCOUNT,
        ("say", 1, 2),
        ("hears", 1, 2),
        ("close",),
        ("state", "closed 1000"),
        ("say", 3, 250),
        ("open", ACCOUNT, {"after": "what was heard"}),
        ("say", 251, 252),
        ("hears", 3, 252),
    ),
    "session_that_is_over": (
        *START_ACCOUNT,
        ("say", 1, 1),
        ("hears", 1, 1),
        ("link", "cut"),
        ("other", "login", ACCOUNT),
        ("other", "logout", {}),
        ("say", 2, 20),
        *BACK,
        ("say", 21, 22),
        ("hears", 2, 22),
    ),
    "guest_who_is_another_account": (
        *START,
        ("link", "mute"),
        ("begin", "speak", {"room_name": "{room}", "msg": "1"}),
        ("heard", 1, 1),
        ("link", "cut"),
        ("gone",),
        ("other", "login", GUEST),
        ("other", "logout", {}),
        *BACK,
        ("state", "reset left"),
        ("end", "unanswered"),
        JOIN,
        ("say", 1, 1),
        ("hears", 1, 1),
    ),
    "replaced": (
        *START_ACCOUNT,
        ("other", "login", ACCOUNT),
        ("state", "closed 4001 replaced"),
        ("call", "ping", {}, "closed"),
    ),
    "session_that_is_ended": (
        *START_ACCOUNT,
        ("other", "login", DEVICE),
        ("other", "end_other_sessions", {}),
        ("state", "closed 4001 session_ended"),
    ),
    "password_that_is_changed": (
        *START_ACCOUNT,
        ("other", "login", DEVICE),
        (
            "other",
            "update_pwd",
            {"pwd": PASSWORD, "new_pwd": "battery staple", "new_pwd2": "battery staple"},
        ),
        ("state", "closed 4001 password_changed"),
    ),
    "restart": (
        *START,
        ("say", 1, 2),
        ("hears", 1, 2),
        ("server", "kill"),
        ("server", "start"),
        ("again",),
        ("say", 3, 4),
        ("state", "lost 1006", "restored"),
        ("hears", 3, 4),
        SPEAK,
    ),
    "flood": (
        *START,
        ("burst", 300),
        ("heard", 1, 300),
        ("say", 1, 1),
        ("hears", 1, 1),
    ),
    "flood_by_another_session": (
        ("account",),
        ("open", {**ACCOUNT, "device": "here"}),
        JOIN,
        ("other", "login", DEVICE),
        ("other", "ping", {}, 60),
        ("burst", 60),
        ("heard in any order", 1, 60),
    ),
    "flood_that_is_told_to_wait": (
        *START,
        ("frame", 4009, "flood: wait 0.3 s"),
        ("say", 1, 2),
        ("lost", 4009, 0.3),
        ("state", "restored"),
        ("hears", 1, 2),
    ),
    "many_rooms": (
        ("account",),
        ("create", 130),
        ("open", ACCOUNT),
        ("rooms", 131),
        ("link", "cut"),
        ("say in last",),
        *BACK,
        ("hears in last",),
    ),
}

#: Close codes after which a client comes back, and reasons of those after which it stays away.
COME_BACK = (1000, 1001, 1011, 1012, 1013, 4003, 4008, 3999, 4999)
STAY_AWAY = {
    1002: "protocol_error",
    1003: "binary",
    1007: "invalid_utf8",
    1008: "malformed",
    1009: "too_big",
    4001: "replaced",
    4002: "kicked",
}
SCENARIOS["close_codes_to_come_back_from"] = (
    *START,
    *(
        step
        for number, code in enumerate(COME_BACK, 1)
        for step in (
            ("frame", code, "word: text"),
            ("say", number, number),
            ("state", f"lost {code}", "restored"),
            ("hears", number, number),
        )
    ),
)
for _code, _word in STAY_AWAY.items():
    SCENARIOS[f"close_code_{_code}"] = (
        ("open", GUEST),
        ("frame", _code, f"{_word}: text"),
        ("state", f"closed {_code} {_word}" if _code > 4000 else f"closed {_code}"),
    )
