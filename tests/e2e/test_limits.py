"""Every row of "Limits and bad input" in docs/protocol.md, over a real socket."""

from __future__ import annotations

import json
import struct

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.server import NO_QUOTA, Client, Server, masked

SURROGATE = b'{"cmd":"ping","x":"\\ud800"}'

#: Payload -> error code.
INVALID = [
    (b"", "bad_request"),  # C01
    (b"hello", "bad_request"),
    (b"{} {}", "bad_request"),
    (b"[]", "bad_request"),  # C02
    (b'"x"', "bad_request"),
    (b"1", "bad_request"),
    (b"null", "bad_request"),
    (b"{}", "bad_request"),
    (b'{"cmd":1}', "bad_request"),  # C10
    (b'{"cmd":["ping"]}', "bad_request"),
    (b'{"cmd":"nonsense"}', "unknown_cmd"),
    (b'{"cmd":"__class__"}', "unknown_cmd"),
    (b'{"cmd":"ping","x":' + b"[" * 32 + b"]" * 32 + b"}", "bad_request"),  # C03
    (b'{"cmd":"ping","x":' + b"[" * 30000 + b"]" * 30000 + b"}", "bad_request"),
    (b'{"cmd":"ping","cmd":"hello"}', "bad_request"),  # C06
    (b'{"cmd":"ping","x":NaN}', "bad_request"),  # C04
    (b'{"cmd":"ping","x":-Infinity}', "bad_request"),
    (SURROGATE, "bad_request"),  # C07
    (b'{"cmd":"login","type":"tmp","usr":7}', "bad_request"),  # C11
    (b'{"cmd":"login","usr":"x"}', "bad_request"),
]


class ServerCase(SynchronousTestCase):
    """Tests with a server in memory, with the options of the class."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = Server("--store", "memory", *self.options).start()
        self.addCleanup(self.server.kill)

    def client(self, name: str | None = None, receive_bytes: int | None = None) -> Client:
        client = Client(self.server.ws_port, receive_bytes=receive_bytes)
        self.addCleanup(client.close)
        if name is not None:
            self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client


class BadInput(ServerCase):
    def test_each_input_gets_its_error_and_the_connection_stays(self) -> None:
        for payload, code in INVALID:
            client = self.client()
            client.frame(payload)
            reply = client.message()
            self.assertEqual((reply["status"], reply["code"]), ("error", code), payload[:60])
            self.assertEqual(client.call("ping")["status"], "ok")

    def test_commands_before_login_are_rejected(self) -> None:  # D15
        client = self.client()
        for cmd in ("speak", "get_room_list", "logout", "join_room", "whisper"):
            self.assertEqual(client.call(cmd)["code"], "not_logged_in")

    def test_more_than_twenty_errors_in_ten_seconds_close_the_connection(self) -> None:
        client = self.client()
        for _ in range(21):
            client.frame(b"nonsense")
        self.assertEqual(client.wait_closed(), 1008)

    def test_binary_message_closes_the_connection(self) -> None:
        client = self.client()
        client.frame(b"{}", opcode=2)
        self.assertEqual(client.wait_closed(), 1003)

    def test_invalid_utf8_closes_the_connection(self) -> None:
        client = self.client()
        client.frame(b'{"cmd":"\xff"}')
        self.assertEqual(client.wait_closed(), 1007)

    def test_largest_message_is_accepted_and_a_larger_one_is_not(self) -> None:  # B07
        client = self.client()
        ping = json.dumps({"cmd": "ping", "x": ""})
        client.frame(json.dumps({"cmd": "ping", "x": "y" * (65_536 - len(ping))}).encode())
        self.assertEqual(client.message()["status"], "ok")
        client.frame(json.dumps({"cmd": "ping", "x": "y" * (65_537 - len(ping))}).encode())
        self.assertEqual(client.wait_closed(), 1009)

    def test_frame_that_declares_too_much_is_refused_at_once(self) -> None:  # B08
        client = self.client()
        client.socket.sendall(b"\x81\xff" + struct.pack("!Q", 2**63 - 1) + b"\0\0\0\0")
        self.assertEqual(client.wait_closed(), 1009)

    def test_endless_fragments_close_the_connection(self) -> None:  # B09
        client = self.client()
        client.frame(b"", final=False)
        client.socket.sendall(masked(b"", opcode=0, final=False) * 10_000)
        self.assertEqual(client.wait_closed(), 1009)

    def test_control_characters_in_texts_are_rejected(self) -> None:
        client = self.client("ann")
        reply = client.call("speak", room_name="lobby", msg="a\u0000b")
        self.assertEqual(reply["code"], "bad_request")
        self.assertEqual(client.call("speak", room_name="lobby", msg="a\tb\nc")["status"], "ok")

    def test_length_of_texts_is_limited(self) -> None:
        client = self.client("ann")
        self.assertEqual(client.call("speak", room_name="lobby", msg="é" * 4000)["status"], "ok")
        self.assertEqual(
            client.call("speak", room_name="lobby", msg="é" * 4001)["code"], "too_long"
        )


class Rates(ServerCase):
    options = ("--commands-burst", "5", "--commands-per-second", "0.01")

    def test_requests_over_the_rate_get_retry_after(self) -> None:
        client = self.client("ann")
        replies = [client.call("ping") for _ in range(5)]
        self.assertEqual([r["status"] for r in replies], ["ok"] * 4 + ["error"])
        self.assertEqual(replies[-1]["code"], "rate_limited")
        self.assertGreater(replies[-1]["retry_after"], 0)

    def test_ten_times_the_rate_closes_the_connection(self) -> None:  # G04
        client = self.client("ann")
        for _ in range(60):
            client.send("ping")
        self.assertEqual(client.wait_closed(), 4009)


class LoginTimeout(ServerCase):
    options = ("--login-timeout", "0.5")

    def test_no_login_in_time_closes_the_connection(self) -> None:
        self.assertEqual(self.client().wait_closed(), 4003)


class PingTimeout(ServerCase):
    # On a busy machine the answer of the other user may take a while.
    options = ("--ping-interval", "0.5", "--ping-timeout", "3")

    def test_client_that_answers_no_ping_is_disconnected(self) -> None:  # B16
        other = self.client("other")  # hears of the silent one, however early it is disconnected
        silent = self.client("silent")
        while True:  # answers pings until the other user is disconnected
            event = other.message()
            if event.get("type") == "logout":
                break
        self.assertEqual(event["usr"], "silent")
        self.assertEqual(silent.status, 101)


class SlowReader(ServerCase):
    options = (
        *("--outbox-bytes", "20000", "--commands-per-second", "0", "--commands-burst", "0"),
        *NO_QUOTA,
    )

    def test_client_that_does_not_read_is_closed_while_the_room_goes_on(self) -> None:  # G01
        slow = self.client("slow", receive_bytes=4096)
        sender, reader = self.client("sender"), self.client("reader")
        text = "x" * 3900
        disconnected = False
        for number in range(30_000):
            sender.call("speak", room_name="lobby", msg=text)
            while (event := reader.message())["cmd"] != "c_speak":
                logout = (event.get("type"), event.get("usr")) == ("logout", "slow")
                disconnected = disconnected or logout
            self.assertEqual(event["seq"], number + 1)
            if disconnected:
                break
        self.assertTrue(disconnected)
        self.assertIn(slow.wait_closed(), (4008, None))
