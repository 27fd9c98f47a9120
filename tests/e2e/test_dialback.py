"""Message Center and PA1 on the real server: transcripts, bad input, and all five protocols."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.dialback import MessageCenterClient, PA1Client
from tests.e2e.original_program import framed
from tests.e2e.server import SECONDS, TOP, Client, Server
from tests.e2e.test_livechat import LiveChatClient
from tests.e2e.test_randomchat import RandomChatClient

ACCOUNTS = {"seas": "summerisover", "google": "hasglasses", "columbia": "116bway.u"}


class DialbackCase(SynchronousTestCase):
    """Tests with a server that has all protocols and three accounts."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        here = "tcp:0:interface=127.0.0.1"
        self.server = Server(
            *("--message-center", here),
            *("--pa1", here),
            *("--livechat", here),
            *("--commands-per-second", "0"),
            "--randomchat",
            *self.options,
        ).start()
        self.addCleanup(self.server.kill)
        web = self.connect()
        for name, password in ACCOUNTS.items():
            web.call("register", usr=name, pwd=password)
        web.close()

    def port(self, protocol: str) -> int:
        """Return the port of a protocol."""
        found = re.findall(rf"{protocol}: tcp://[^:]+:(\d+)", "".join(self.server.lines))
        return int(found[-1])

    def connect(self) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        return client

    def web(self, name: str) -> Client:
        """Return a client of the JSON API, logged in as a guest."""
        client = self.connect()
        self.assertEqual(client.call("login", type="tmp", usr=name)["status"], "ok")
        return client

    def message_center(self, name: str | None = None) -> MessageCenterClient:
        """Return a client of Message Center, logged in if there is a name."""
        client = MessageCenterClient(self.port("message_center"))
        self.addCleanup(client.listening.close)
        if name is not None:
            password = ACCOUNTS[name].encode()
            self.assertEqual(client.log_in(name.encode(), password), [b"LOGIN_OKAY"])
            self.assertEqual(client.next_push(), f"{name} has logged on.")
        return client

    def pa1(self, name: str | None = None) -> PA1Client:
        """Return a client of PA1, logged in if there is a name."""
        client = PA1Client(self.port("pa1"))
        self.addCleanup(client.listening.close)
        if name is not None:
            self.assertEqual(client.log_in(name, ACCOUNTS[name]), [b"Ok", b" "])
            self.assertEqual(client.next_push(), f">>>{name}<<<logs in\n")
        return client


class MessageCenter(DialbackCase):
    def test_login(self) -> None:
        seas = self.message_center()
        answers = seas.log_in(b"seas", b"asdf", b"summerisover")
        self.assertEqual(answers, [b"LOGIN_FAILED|2", b"LOGIN_OKAY"])
        self.assertEqual(seas.next_push(), "seas has logged on.")
        self.assertRegex(seas.token, rb"^[0-9a-f]{32}$")
        self.message_center("google")
        self.assertEqual(seas.next_push(), "google has logged on.")

    def test_three_failed_logins_lock_the_account(self) -> None:  # F11
        client = self.message_center()
        answers = client.log_in(b"seas", b"a", b"b", b"c", b"summerisover")
        self.assertEqual(answers[:2], [b"LOGIN_FAILED|2", b"LOGIN_FAILED|1"])
        self.assertRegex(answers[2], rb"^JUST_PENNED\|\d+(\.\d+)?$")
        self.assertRegex(answers[3], rb"^PENNED\|\d+(\.\d+)?$")
        self.assertEqual(client.log_in(b"unknown", b"a"), [b"LOGIN_FAILED|2"])

    def test_messages_and_broadcasts(self) -> None:  # E13
        seas, google = self.message_center("seas"), self.message_center("google")
        self.assertEqual(seas.next_push(), "google has logged on.")
        self.assertEqual(seas.request(b"ONL"), b"")
        self.assertEqual(seas.next_push(), "[CURRENTLY ONLINE]: google seas ")
        seas.request(b"MSG", b"google|a|b|c")
        self.assertEqual(google.next_push(), "[seas]: a|b|c")
        seas.request(b"BRD", "to all: caf\u00e9".encode())
        self.assertEqual(google.next_push(), "[seas]: to all: caf\u00e9")
        seas.request(b"MSG", b"unknown|hi")
        self.assertEqual(seas.next_push(), "The user does not exist.")
        google.request(b"OUT")
        self.assertEqual(seas.next_push(), "google is offline.")
        for text in (b"one", b"two"):
            seas.request(b"MSG", b"google|" + text)
            self.assertIn("The recipient is offline.", seas.next_push())
        again = self.message_center()
        again.log_in(b"google", b"hasglasses")
        self.assertEqual(again.next_push(), "While you were away...\n[seas]: one\n[seas]: two\n")
        self.assertEqual(again.next_push(), "google has logged on.")

    def test_block_and_unblock(self) -> None:  # D21
        seas, google = self.message_center("seas"), self.message_center("google")
        seas.next_push()
        seas.request(b"BLC", b"1|google")
        self.assertEqual(seas.next_push(), "You have blocked google")
        google.request(b"MSG", b"seas|hi")
        self.assertIn("has blocked you", google.next_push())
        google.request(b"BRD", b"hi all")
        self.assertIn("to some recipients", google.next_push())
        self.assertEqual(google.request(b"GET", b"seas"), b"FAIL")
        seas.request(b"BLC", b"0|google")
        self.assertEqual(seas.next_push(), "You have unblocked google")
        google.request(b"MSG", b"seas|hi")
        self.assertEqual(seas.next_push(), "[google]: hi")

    def test_address_needs_consent(self) -> None:
        seas, google = self.message_center("seas"), self.message_center("google")
        seas.next_push()
        self.assertEqual(seas.request(b"GET", b"unknown"), b"FAIL")
        google.request(b"ALL", b"seas")
        self.assertEqual(seas.request(b"GET", b"google"), b"OKAY")
        self.assertEqual(
            google.next_push(), "Request: seas wants your address. [allow seas] to accept."
        )
        google.request(b"ALL", b"seas")
        self.assertEqual(seas.next_push(), f"ADR|google|127.0.0.1|{google.port}")

    def test_login_elsewhere_ends_the_first_session(self) -> None:  # D10
        old = self.message_center("seas")
        token = old.token
        self.message_center("seas")
        self.assertEqual(old.next_push(), "Logged on different location!")
        self.assertEqual(old.request(b"GET", b"google", token), b"FAIL")
        self.assertEqual(old.request(b"MSG", b"google|forged", token), b"")

    def test_client_that_dies_loses_no_message(self) -> None:  # F15
        seas, google = self.message_center("seas"), self.message_center("google")
        seas.next_push()
        seas.request(b"MSG", b"google|first")
        self.assertEqual(google.next_push(), "[seas]: first")
        google.die()
        for text in (b"second", b"third"):
            seas.request(b"MSG", b"google|" + text)
        shown = {seas.next_push(), seas.next_push()}
        self.assertIn("google is offline.", shown)
        again = self.message_center()
        again.log_in(b"google", b"hasglasses")
        self.assertEqual(
            again.next_push(), "While you were away...\n[seas]: second\n[seas]: third\n"
        )
        self.assertEqual(again.next_push(), "google has logged on.")
        again.request(b"OUT")
        last = self.message_center()
        last.log_in(b"google", b"hasglasses")
        self.assertEqual(last.next_push(), "google has logged on.")

    def test_malformed_requests_are_ignored(self) -> None:  # F01, F04
        seas = self.message_center("seas")
        for malformed in (
            b"\0\0\0\0",
            b"\xff\xff\xff\xff",
            b"GET / HTTP/1.1\r\n\r\n",
            framed(b"nonsense"),
            framed(b"MSG|seas"),
            framed(b"MSG|seas|0123456789|google|forged"),
            framed(b"\xff\xfe|a|b|c"),
        ):
            with socket.create_connection(("127.0.0.1", seas.server), SECONDS) as line:
                line.sendall(malformed)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(line.recv(100), b"")
        seas.request(b"BLC", b"x|google")
        seas.request(b"ONL")
        self.assertEqual(seas.next_push(), "[CURRENTLY ONLINE]: seas ")

    def test_forbidden_ports_are_not_connected(self) -> None:  # F06
        seas = self.message_center("seas")
        for port in (b"22", b"nonsense", b"99999", b"9" * 5000, str(self.server.ws_port).encode()):
            with socket.create_connection(("127.0.0.1", seas.server), SECONDS) as line:
                line.sendall(framed(b"LIN") + framed(b"google") + framed(b"hasglasses"))
                line.sendall(framed(b"127.0.0.1") + framed(port))
                while line.recv(100):
                    pass
            self.assertEqual(seas.next_push(), "google has logged on.")
            self.assertEqual(seas.next_push(), "google is offline.")


class PA1(DialbackCase):
    def test_login(self) -> None:
        seas = self.pa1()
        self.assertEqual(seas.log_in("seas", "wrong"), [b"wrong password"])
        self.assertEqual(seas.log_in("seas", "summerisover"), [b"Ok", b" "])
        self.assertEqual(seas.next_push(), ">>>seas<<<logs in\n")
        self.pa1("google")
        self.assertEqual(seas.next_push(), ">>>google<<<logs in\n")
        self.assertEqual(self.pa1().log_in("unknown", "x"), [b"usr not exist"])

    def test_three_failed_logins_lock_the_account(self) -> None:  # F11
        client = self.pa1()
        for _ in range(3):
            self.assertEqual(client.log_in("seas", "wrong"), [b"wrong password"])
        client.request("seas loginfail nonsense")
        self.assertEqual(client.log_in("seas", "summerisover"), [b"BLOCK"])

    def test_messages_and_broadcasts(self) -> None:
        seas, columbia = self.pa1("seas"), self.pa1("columbia")
        seas.next_push()
        seas.request("seas online")
        self.assertEqual(seas.next_push(), "\ncolumbia\nseas\n")
        seas.request("seas message columbia 123 and more")
        self.assertEqual(columbia.next_push(), "\nseas:123 and more\n")
        seas.request("seas broadcast 321 all words")
        self.assertEqual(columbia.next_push(), "seas said: 321 all words\n")
        seas.request("seas message unknown x")
        self.assertEqual(seas.next_push(), "\nusr doesn't exist\n")
        seas.request("seas message google kept one")
        seas.request("seas message google kept two")
        google = self.pa1()
        self.assertEqual(
            google.log_in("google", "hasglasses"),
            [b"Ok", b" \nseas said:kept one\n\nseas said:kept two\n"],
        )
        google.request("google logout")
        seas.next_push()
        self.assertEqual(seas.next_push(), ">>>google<<<logs out\n")
        self.assertEqual(self.pa1().log_in("google", "hasglasses"), [b"Ok", b" "])

    def test_block_and_unblock(self) -> None:  # D21
        seas, columbia = self.pa1("seas"), self.pa1("columbia")
        seas.next_push()
        seas.request("seas block columbia")
        self.assertEqual(seas.next_push(), "columbia is Blocked Successfully\n")
        columbia.request("columbia message seas am I blocked")
        self.assertEqual(columbia.next_push(), "\nyou are blocked by this user, sending failed\n")
        columbia.request("columbia getaddress seas")
        self.assertIn("sorry, you are blocked by seas", columbia.next_push())
        seas.request("seas unblock columbia")
        self.assertEqual(seas.next_push(), "columbia is Unblocked Successfully\n")
        for line, words in (
            ("seas unblock columbia", "\nunblock_usr doesn't exist in your blacklist\n"),
            ("seas block unknown", "\nblock_usr doesn't exist\n"),
            ("seas getaddress unknown", "unknown is not online, please send offline msg"),
        ):
            seas.request(line)
            self.assertEqual(seas.next_push(), words)

    def test_address_needs_consent(self) -> None:
        seas, columbia = self.pa1("seas"), self.pa1("columbia")
        seas.next_push()
        for answer, words in (
            (b"Y", f"usrIp columbia 127.0.0.1 {columbia.port}"),
            (b"n", "\nYour request is rejected\n"),
        ):
            columbia.answer = answer
            seas.request("seas getaddress columbia")
            self.assertEqual(
                columbia.next_push(),
                "Privacy seas wants to get your IP for P2P chat. "
                "Type Y/y if agree, type N/n otherwise\n",
            )
            self.assertEqual(seas.next_push(), words)

    def test_login_elsewhere_needs_the_password(self) -> None:
        old, new = self.pa1("seas"), self.pa1()
        self.assertEqual(new.log_in("seas", "not-the-password"), [b"wrong password"])
        self.assertEqual(new.log_in("seas", "summerisover"), [b"Ok", b" "])
        self.assertEqual(old.next_push(), "logout 127.0.0.1")

    def test_malformed_requests_are_ignored(self) -> None:  # F10
        seas = self.pa1("seas")
        for line in ("", "google message seas forged", "seas", "logIn", "x" * 9000, "logIn a b c"):
            seas.request(line or " ")
        with socket.create_connection(("127.0.0.1", seas.server)):
            pass
        seas.request("seas online")
        self.assertEqual(seas.next_push(), "\nseas\n")


class AllProtocols(DialbackCase):
    def live_chat(self, name: bytes) -> LiveChatClient:
        """Return a client of Live chat that has logged in."""
        client = LiveChatClient(self.port("livechat"), name)
        self.addCleanup(client.socket.close)
        client.log_in()
        return client

    def kick(self, name: str) -> None:
        """Disconnect a user by the admin console."""
        subprocess.run(
            [sys.executable, "-m", "gtchat.cli", "console", "--data", str(self.server.folder)],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            input=f"KICK {name}\n",
            stdout=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS,
            check=True,
        )

    def test_users_of_five_protocols_meet_in_the_lobby(self) -> None:
        ann, seas, google = self.web("ann"), self.message_center("seas"), self.pa1("google")
        lea = self.live_chat(b"lea")
        phone = RandomChatClient(self.server.ws_port)
        self.addCleanup(phone.ws.close)
        phone.register("Pia", "111")
        # Each receives the logins that follow; RandomChat has no event for a login.
        logins = [ann.message()["usr"] for _ in range(4)]
        self.assertEqual(logins, ["seas", "google", "lea", "Pia"])
        self.assertEqual(
            [seas.next_push() for _ in range(3)], [f"{n} has logged on." for n in logins[1:]]
        )
        self.assertEqual(
            [google.next_push() for _ in range(2)], [f">>>{n}<<<logs in\n" for n in logins[2:]]
        )
        self.assertRegex(lea.read(), rb"\[\*\] Pia entered.$")
        # Each sends a message, which the four others receive once.
        send = {
            "ann": lambda: ann.call("speak", room_name="lobby", msg="it is ann"),
            "seas": lambda: seas.request(b"BRD", b"it is seas"),
            "google": lambda: google.request("google broadcast it is google"),
            "lea": lambda: lea.send(b"it is lea"),
            "Pia": lambda: phone.call("send_message", chat="lobby", message="it is Pia"),
        }
        receive = {
            "ann": lambda name: self.assertEqual(self.next_message(ann), (name, f"it is {name}")),
            "seas": lambda name: self.assertEqual(seas.next_push(), f"[{name}]: it is {name}"),
            "google": lambda name: self.assertEqual(
                google.next_push(), f"{name} said: it is {name}\n"
            ),
            "lea": lambda name: self.assertRegex(
                lea.read(), rf"^\[..:..:..\] {name} > it is {name}$".encode()
            ),
            "Pia": lambda name: self.assertEqual(phone.read()["message"], f"it is {name}"),
        }
        for sender, send_one in send.items():
            send_one()
            for receiver, receive_one in receive.items():
                if receiver != sender:
                    receive_one(sender)
        # A whisper from one protocol to another, and its answer.
        google.request("google message ann psst")
        whisper = ann.message()
        self.assertEqual((whisper["cmd"], whisper["usr"]), ("c_whisper", "google"))
        ann.call("whisper", target_user="google", msg="what?")
        self.assertEqual(google.next_push(), "\nann:what?\n")
        # The host disconnects one, and the others receive the logout.
        self.kick("lea")
        while lea.read():
            pass
        self.read_until(seas, "lea is offline.")
        self.read_until(google, ">>>lea<<<logs out\n")
        while (push := ann.message()).get("type") != "logout":
            pass
        self.assertEqual(push["usr"], "lea")

    def next_message(self, client: Client) -> tuple[str, str]:
        """Return the sender and the text of the next message."""
        for message in iter(client.message, None):
            if message["cmd"] == "c_speak":
                return message["usr"], message["msg"]
        raise AssertionError("no message")

    def read_until(self, client: MessageCenterClient | PA1Client, text: str) -> None:
        """Read pushes until one has this text."""
        while client.next_push() != text:
            pass
