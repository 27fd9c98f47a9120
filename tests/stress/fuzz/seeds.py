"""The initial inputs of each target, valid or wrong in a known way, and how inputs are split."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from gtchat.protocols.message_center import framed
from tests.protocols.websocket.fakes import BINARY, CLOSE, PING, PONG, frame, handshake

_JSON = (
    {"cmd": "speak", "room_name": "room", "msg": "hi", "txn": "t", "tracker": 1},
    {"cmd": "speak", "msg": "hi", "broadcast_key": "key"},
    {"cmd": "whisper", "target_user": "bob", "msg": "hi \u202e \u0301"},
    {"cmd": "create_room", "room_name": "r\u00e9", "public": False, "topic": "t", "max": 3},
    {"cmd": "set_room", "room_name": "room", "max": 10**18},
    {"cmd": "history", "room_name": "lobby", "around": 3, "limit": 200, "kinds": ["c_speak"]},
    {"cmd": "history", "room_name": "room", "before": -1, "limit": 2**63},
    {"cmd": "resume", "session_id": "SECRET", "epoch": "SECRET", "seen": {"lobby": 2**53}},
    {"cmd": "login", "type": "tmp", "usr": "\uff21nn"},
    {"cmd": "login", "type": "reg", "uuid": "8f0e1c1a-7d3c-4a60-9d5e-0f6a8a3b1c2d"},
    {"cmd": "register", "usr": "K\u212a", "pwd": "password"},
    {"cmd": "update_pwd", "usr": "ann", "pwd": "password", "new_pwd": "x" * 9, "new_pwd2": "x"},
    {"cmd": "invite_reply", "inviter": "eve", "room_name": "room", "reply": "L"},
    {"cmd": "get_user_list", "after": "\ud83d\ude00", "limit": 0},
    {"cmd": "set_address", "port": 65_536},
    {"cmd": "broadcast", "msg": "x", "broadcast_key": "ke"},
)
_RANDOM = (
    {"type": "register", "user": {"name": "Pia", "phone": "+49 30 111"}},
    {"type": "create_chat", "name": "room2"},
    {"type": "send_message", "chat": "lobby", "message": "hi"},
    {"type": "add_member", "chat": "room2", "phone": "111"},
    {"type": "remove_member", "chat": "room2", "phone": "+4930111"},
    {"type": "delete_chat", "chat": "room2"},
)
_CENTER = (
    *("MSG|ann|SECRET|bob|a|b", "BRD|ann|SECRET|hi", "ONL|ann|SECRET|", "BLC|ann|SECRET|1|bob"),
    *("GET|ann|SECRET|eve", "ALL|ann|SECRET|eve", "HEY|ann|SECRET|", "OUT|ann|SECRET|"),
    *("MSG|", "|||", "GET|ann|wrong|bob"),
)
_PA1 = (
    *("ann online", "ann message bob hi there", "ann broadcast hi", "ann getaddress eve"),
    *("ann block bob", "ann unblock bob", "ann heartbeat 1", "ann logout", "ann loginfail x"),
    *("logIn bob password 7000", "logIn bob password \u0666\u0667", "logIn bob wrong 99999999999"),
)
_CONFIG = (
    '[server]\nws = ["tcp:0"]\nsessions = "share"\n[limits]\ntext_chars = 7\n',
    "[limits]\nping_interval = inf\ntext_chars = nan\n",
    "text_chars=1e999\nping_interval=-0\nws=tcp:1,,tcp:2\nfile_page=maybe\nlockout_tries=1_0\n",
)


def to_json(value: object) -> bytes:
    """Encode a value as JSON."""
    return json.dumps(value).encode()


def _pages() -> list[bytes]:
    """Return requests to the site: valid ones, and all that its own tests have refused."""
    from tests.web.test_site import refused

    get = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    paths = (b"/", b"/js/app.js", b"/healthz", b"/../x%00", b"//e", b"/%2e%2e%2f", b"http://e/")
    return [b"\0" + (get % path) * 2 for path in paths] + [
        b"\0" + bad for bad in refused().values()
    ]


def seeds(target: str) -> list[bytes]:
    """Return the initial inputs of a target."""
    if target == "json":
        return [to_json(one) for one in _JSON] + [b"\0".join(to_json(one) for one in _JSON)]
    if target == "randomchat":
        register = to_json(_RANDOM[0])
        return [register + b"\0" + to_json(one) for one in _RANDOM] + [
            b"\0".join(to_json(one) for one in _RANDOM)
        ]
    if target == "message_center":
        login = b"".join(framed(one) for one in ("LIN", "bob", "password", "host", "7000"))
        wrong = b"".join(framed(one) for one in ("LIN", "bob", "wrong", "bob", "9" * 5000))
        long = b"".join(framed(one) for one in ("LIN", "bob", "password", "host", "9" * 5000))
        return [b"\0" + one for one in (login, wrong, long, *map(framed, _CENTER))]
    if target == "pa1":
        return [b"\0" + one.encode() for one in _PA1]
    if target == "livechat":
        return [
            b"\2\x20\x80lea" + b" says hello" * 3,
            b"\1\x10lea\xc3\xa9\xff",
            b"\0" + b"x" * 5000,
        ]
    if target == "frames":
        return [
            b"\0" + frame(b"hello") * 3,
            b"\3\x20\x50\x90" + frame(b"x" * 200) + frame(b"", PING) + frame(b"\x03\xe8", CLOSE),
            b"\0" + frame(b"a", final=False) + frame(b"p", PING) + frame(b"b", 0),
            b"\0" + frame(b"", length=2**63 - 1) + frame(b"x", BINARY),
            b"\0" + frame(b"fail".swapcase()) + frame(b"", PONG) + frame(b"\xc3", final=False),
        ]
    if target == "handshake":
        return [
            b"\0" + handshake(),
            b"\2\x20\x80" + handshake(Origin="null", path="/ws"),
            b"\0" + handshake(Sec_WebSocket_Version="8", Sec_WebSocket_Protocol="a,gtchat.v1"),
            b"\0" + handshake(Sec_WebSocket_Extensions="permessage-deflate; x=1; =;"),
            b"\0" + handshake(Host="", X_Forwarded_For="::1, 1.2.3.4", Origin="http://[::1"),
        ]
    if target == "site":
        return _pages()
    return [one.encode() for one in _CONFIG]


def dictionary(target: str) -> list[bytes]:
    """Return words of the initial inputs, for the dictionary of a fuzzer."""
    found = {word for seed in seeds(target) for word in re.findall(rb"[A-Za-z_]{3,}", seed)}
    return sorted(found)


def write(target: str, folder: Path) -> None:
    """Write the initial inputs of a target into files.

    Args:
        target: its name.
        folder: created if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(target)):
        (folder / f"seed-{number:02}").write_bytes(seed)


def split_pieces(data: bytes) -> list[bytes]:
    """Split an input: its first byte gives the number of cuts, as many bytes after it where."""
    if not data:
        return []
    many = data[0] % 6
    places, rest = data[1 : 1 + many], data[1 + many :]
    ends = sorted(place * len(rest) // 255 for place in places)
    return [rest[a:b] for a, b in zip([0, *ends], [*ends, len(rest)], strict=True)]


def split_messages(data: bytes) -> list[bytes]:
    """Split an input into messages, which are separated by NUL."""
    return data.split(b"\0")


#: How an input becomes chunks, for targets that take messages instead of pieces.
SPLITTERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "json": split_messages,
    "randomchat": split_messages,
    "config": lambda data: data.split(b"\n"),
}
