"""B and C of docs/robustness.md on the real server, with two bystanders."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.bystanders import Bystanders
from tests.e2e.server import Client, Server, masked

PASSWORD = "a-password-that-no-log-has"
BOMB = zlib.compress(b"\0" * 1_048_576)

#: Raw frames -> the code with which the connection is closed.
FRAMES: list[tuple[bytes, int | None]] = [
    (b"\x91" + masked(b"x")[1:], 1002),  # B02
    (masked(b"x", opcode=3), 1002),
    (b"\x81\x01x", 1002),
    (masked(b"x", opcode=9, final=False), 1002),  # B03
    (masked(b"x" * 126, opcode=9), 1002),
    (masked(b"x", opcode=0), 1002),  # B04
    (masked(b"x", final=False) + masked(b"y"), 1002),
    (masked(b"\xed\xa0\x80"), 1007),  # B05
    (masked(b"\xc3", final=False) + masked(b"(", opcode=0), 1007),
    (masked(b"x", opcode=2), 1003),  # B06
    (masked(b"x" * 65_537), 1009),  # B07
    (b"\x81\xff" + struct.pack("!Q", 2**63 - 1) + b"\0\0\0\0", 1009),  # B08
    (masked(b"", final=False) + masked(b"", opcode=0, final=False) * 20_000, 1009),  # B09
    (b"\xc1" + masked(BOMB)[1:], 1002),  # B11
    (b"\xc1" + masked(b"no deflate at all")[1:], 1002),  # B12
    (masked(b"x", opcode=9) * 20_000, 4009),  # B15
    (masked(b"\x03\xee", opcode=8), 1002),  # B18
    (masked(b"\x03\xf7", opcode=8), 1002),
    (masked(b"\x03", opcode=8), 1002),
    (masked(b"\x03\xe8\xff", opcode=8), 1007),
    (masked(b"\x03\xe8", opcode=8) + masked(b"late"), 1000),  # B19
    (b" " * 1_000_000, None),
    (masked(b" " * 1_000_000), 1009),  # C26
]

#: Fields of `history` in the lobby -> error code, None for ok.
POSITIONS: list[tuple[str, str | None]] = [
    ('"limit":' + "9" * 5_000, "bad_request"),  # C05
    ('"limit":9007199254740993', "bad_request"),
    ('"limit":9223372036854775808', "bad_request"),
    ('"limit":1.0', "bad_request"),
    ('"limit":-0', "bad_request"),
    ('"limit":true', "bad_request"),
    ('"before":1e999', "bad_request"),
    ('"limit":-5', "bad_request"),  # C21
    ('"limit":1000000000', None),
    ('"before":-1', "bad_request"),
    ('"before":"1"', "bad_request"),
    ('"after":9007199254740992', None),
    ('"before":1,"after":1', "bad_request"),
    ('"kinds":["nonsense"]', "bad_request"),
]

#: Requests of a logged-in user -> error code, None for ok.
REQUESTS: list[tuple[dict[str, Any], str | None]] = [
    ({"cmd": "speak", "room_name": "lobby", "msg": "a\0b"}, "bad_request"),  # C09
    ({"cmd": "create_room", "room_name": "a\0b"}, "bad_name"),
    ({"cmd": "create_room", "room_name": "x", "topic": "a\0b"}, "bad_request"),
    ({"cmd": "whisper", "target_user": "a\0b", "msg": "x"}, "no_such_user"),
    ({"cmd": "ping", **{f"k{number}": number for number in range(1_000)}}, None),  # C12
    ({"cmd": "ping", "k" * 60_000: 1}, None),
    ({"cmd": "ping", "list": [0] * 10_000}, None),
    ({"cmd": "history", "room_name": "lobby", "kinds": ["c_speak"] * 5_000}, None),
    ({"cmd": "speak", "room_name": "lobby", "msg": "x" * 4_000}, None),  # C13
    ({"cmd": "speak", "room_name": "lobby", "msg": "x" * 4_001}, "too_long"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "\U0001f600" * 4_000}, None),
    ({"cmd": "speak", "room_name": "lobby", "msg": ("a" + "\u0316" * 30) * 129}, None),
    ({"cmd": "speak", "room_name": "lobby", "msg": "a" + "\u0316" * 31}, "bad_request"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "a" + "\u0315\u0316" * 5_000}, "bad_request"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "one\r\ntwo\rthree"}, None),
    ({"cmd": "speak", "room_name": "lobby", "msg": ""}, "bad_request"),  # C14
    ({"cmd": "speak", "room_name": "lobby", "msg": " \n\t\u00a0"}, "bad_request"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "\u200b\u200d\ufeff"}, "bad_request"),
    ({"cmd": "create_room", "room_name": "a\u202eb"}, "bad_name"),  # C15
    ({"cmd": "create_room", "room_name": "\ufeff"}, "bad_name"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "a\u202eb\u2066c"}, None),
    ({"cmd": "create_room", "room_name": "\x1b]0;owned\x07"}, "bad_name"),  # C16
    ({"cmd": "create_room", "room_name": "a\x9bb"}, "bad_name"),
    ({"cmd": "create_room", "room_name": "a\r\nb"}, "bad_name"),  # E03
    ({"cmd": "create_room", "room_name": "x", "topic": "a\nb"}, "bad_request"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "\x1b[2J"}, "bad_request"),
    ({"cmd": "speak", "usr": "mallory", "room_name": "lobby", "msg": "x"}, "not_you"),  # C18
    ({"cmd": "speak", "room_name": "lobby", "msg": "x", "txn": "t" * 300}, "bad_request"),  # C20
    ({"cmd": "speak", "room_name": "lobby", "msg": "x", "txn": ""}, "bad_request"),
    ({"cmd": "speak", "room_name": "lobby", "msg": "x", "txn": 7}, "bad_request"),
    ({"cmd": "create_room", "room_name": ""}, "bad_name"),  # C24
    ({"cmd": "create_room", "room_name": "x" * 65}, "bad_name"),
    ({"cmd": "create_room", "room_name": "mallory-room"}, None),
    ({"cmd": "create_room", "room_name": "LOBBY"}, "room_exists"),
    ({"cmd": "register", "usr": "server", "pwd": PASSWORD}, "bad_name"),
    ({"cmd": "register", "usr": "*", "pwd": PASSWORD}, "bad_name"),
    ({"cmd": "register", "usr": "#x", "pwd": PASSWORD}, "bad_name"),
    ({"cmd": "register", "usr": " ann", "pwd": PASSWORD}, "bad_name"),
    ({"cmd": "register", "usr": "a\nb", "pwd": PASSWORD}, "bad_name"),
    ({"cmd": "register", "usr": "a:b", "pwd": PASSWORD}, "bad_name"),
    ({"cmd": "nonsense" * 1_000}, "unknown_cmd"),  # C10
]

#: Texts and names of rooms that come back unchanged.
LITERAL = [
    "'; drop table entries; --",  # C22
    "100%_\\",
    "%s {0.__class__} {usr!r}",  # C23
    "${jndi:ldap://x} %(name)s",
    "=cmd()",  # E16
    "/quit",
    "\"quoted\",'csv'",
]


def batches(rows: list[Any]) -> Iterator[list[Any]]:
    """Split rows into batches for one connection, which may cause twenty errors."""
    left = iter(rows)
    while batch := list(islice(left, 12)):
        yield batch


class Input(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server("--store", "memory").start()
        self.addCleanup(self.server.kill)

    def client(self, name: str | None = None) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        if name is not None:
            self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def test_frames(self) -> None:
        with Bystanders(self.server):
            for data, code in FRAMES:
                client = self.client()
                try:
                    client.socket.sendall(data)
                except OSError:
                    continue  # the server closed while we sent
                if code is not None:
                    self.assertIn(client.wait_closed(), (code, None), data[:20])
                client.close()

    def test_requests(self) -> None:
        with Bystanders(self.server, PASSWORD):
            for number, batch in enumerate(batches(REQUESTS)):
                client = self.client(f"guest{number}")
                for request, code in batch:
                    client.frame(json.dumps({**request, "tracker": "x"}).encode())
                    while (reply := client.message())["cmd"] != "c_response":
                        pass
                    self.assertEqual(reply.get("code"), code, str(request)[:100])
                    self.assertEqual(reply["tracker"], "x")
                client.call("logout")
                client.close()

    def test_positions_in_history(self) -> None:
        with Bystanders(self.server):
            client = self.client("ann")
            for fields, code in POSITIONS:
                client.frame(f'{{"cmd":"history","room_name":"lobby",{fields}}}'.encode())
                while (reply := client.message())["cmd"] != "c_response":
                    pass
                self.assertEqual(reply.get("code"), code, fields[:60])
            client.call("logout")
            client.close()

    def test_texts_and_names_are_stored_literally(self) -> None:
        with Bystanders(self.server):
            client = self.client("ann")
            for text in LITERAL:
                client.call("speak", room_name="lobby", msg=text)
                reply = client.call("create_room", room_name=text, topic=text)
                self.assertEqual(reply.get("room", reply).get("room_name"), text, reply)
            entries = client.call("history", room_name="lobby")["entries"]
            self.assertEqual([entry["msg"] for entry in entries], LITERAL)
            topics = {room["topic"] for room in client.call("get_room_list")["rooms"]}
            self.assertLessEqual(set(LITERAL), topics)
            client.call("logout")
            client.close()

    def test_timestamps_of_clients_are_ignored(self) -> None:  # C25
        with Bystanders(self.server):
            client = self.client("ann")
            for at in ("0000-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", 10**15):
                reply = client.call("speak", room_name="lobby", msg="x", at=at)
                self.assertEqual(reply["status"], "ok")
                self.assertRegex(reply["at"], r"^20\d\d-")
            client.call("logout")
            client.close()
