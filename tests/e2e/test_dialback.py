"""Message Center and PA1 on the real server: transcripts of the seeds, traps, one chat for all."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.dialback import CenterClient, PA1Client, framed
from tests.e2e.server import SECONDS, TOP, Client, Server
from tests.e2e.test_randomchat import RandomClient

ACCOUNTS = {"seas": "summerisover", "google": "hasglasses", "columbia": "116bway.u"}


class DialbackCase(SynchronousTestCase):
    """A server that speaks both, with the accounts of the seeds."""

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
            web.say("register", usr=name, pwd=password)
        web.close()

    def port(self, protocol: str) -> int:
        """Where the server listens for a protocol."""
        found = re.search(rf"{protocol}: tcp://[^:]+:(\d+)", "".join(self.server.lines))
        assert found is not None
        return int(found[1])

    def connect(self) -> Client:
        client = Client(self.server.ws_port)
        self.addCleanup(client.close)
        return client

    def web(self, name: str) -> Client:
        """Somebody on the web."""
        client = self.connect()
        self.assertEqual(client.say("login", type="tmp", usr=name)["status"], "ok")
        return client

    def center(self, name: str | None = None) -> CenterClient:
        """A client of Message Center, who is in if he has a name."""
        client = CenterClient(self.port("message_center"))
        self.addCleanup(client.listening.close)
        if name is not None:
            password = ACCOUNTS[name].encode()
            self.assertEqual(client.log_in(name.encode(), password), [b"LOGIN_OKAY"])
            self.assertEqual(client.shown(), f"{name} has logged on.")
        return client

    def pa1(self, name: str | None = None) -> PA1Client:
        """A client of PA1, who is in if he has a name."""
        client = PA1Client(self.port("pa1"))
        self.addCleanup(client.listening.close)
        if name is not None:
            self.assertEqual(client.log_in(name, ACCOUNTS[name]), [b"Ok", b" "])
            self.assertEqual(client.shown(), f">>>{name}<<<logs in\n")
        return client


class MessageCenter(DialbackCase):
    def test_login(self) -> None:
        seas = self.center()
        answers = seas.log_in(b"seas", b"asdf", b"summerisover")
        self.assertEqual(answers, [b"LOGIN_FAILED|2", b"LOGIN_OKAY"])
        self.assertEqual(seas.shown(), "seas has logged on.")
        self.assertRegex(seas.token, rb"^[0-9a-f]{32}$")
        self.center("google")
        self.assertEqual(seas.shown(), "google has logged on.")

    def test_three_failed_logins_lock_the_account(self) -> None:  # F11
        client = self.center()
        answers = client.log_in(b"seas", b"a", b"b", b"c", b"summerisover")
        self.assertEqual(answers[:2], [b"LOGIN_FAILED|2", b"LOGIN_FAILED|1"])
        self.assertRegex(answers[2], rb"^JUST_PENNED\|\d+(\.\d+)?$")
        self.assertRegex(answers[3], rb"^PENNED\|\d+(\.\d+)?$")
        self.assertEqual(client.log_in(b"nobody", b"a"), [b"LOGIN_FAILED|2"])

    def test_messages_and_broadcasts(self) -> None:  # E13
        seas, google = self.center("seas"), self.center("google")
        self.assertEqual(seas.shown(), "google has logged on.")
        self.assertEqual(seas.ask(b"ONL"), b"")
        self.assertEqual(seas.shown(), "[CURRENTLY ONLINE]: google seas ")
        seas.ask(b"MSG", b"google|a|b|c")
        self.assertEqual(google.shown(), "[seas]: a|b|c")
        seas.ask(b"BRD", "to all: caf\u00e9".encode())
        self.assertEqual(google.shown(), "[seas]: to all: caf\u00e9")
        seas.ask(b"MSG", b"nobody|hi")
        self.assertEqual(seas.shown(), "The user does not exist.")
        google.ask(b"OUT")
        self.assertEqual(seas.shown(), "google is offline.")
        for text in (b"one", b"two"):
            seas.ask(b"MSG", b"google|" + text)
            self.assertIn("The recipient is offline.", seas.shown())
        again = self.center()
        again.log_in(b"google", b"hasglasses")
        self.assertEqual(again.shown(), "While you were away...\n[seas]: one\n[seas]: two\n")
        self.assertEqual(again.shown(), "google has logged on.")

    def test_block_and_unblock(self) -> None:  # D21
        seas, google = self.center("seas"), self.center("google")
        seas.shown()
        seas.ask(b"BLC", b"1|google")
        self.assertEqual(seas.shown(), "You have blocked google")
        google.ask(b"MSG", b"seas|hi")
        self.assertIn("has blocked you", google.shown())
        google.ask(b"BRD", b"hi all")
        self.assertIn("to some recipients", google.shown())
        self.assertEqual(google.ask(b"GET", b"seas"), b"FAIL")
        seas.ask(b"BLC", b"0|google")
        self.assertEqual(seas.shown(), "You have unblocked google")
        google.ask(b"MSG", b"seas|hi")
        self.assertEqual(seas.shown(), "[google]: hi")

    def test_address_needs_consent(self) -> None:
        seas, google = self.center("seas"), self.center("google")
        seas.shown()
        self.assertEqual(seas.ask(b"GET", b"nobody"), b"FAIL")
        google.ask(b"ALL", b"seas")
        self.assertEqual(seas.ask(b"GET", b"google"), b"OKAY")
        self.assertEqual(
            google.shown(), "Request: seas wants your address. [allow seas] to accept."
        )
        google.ask(b"ALL", b"seas")
        self.assertEqual(seas.shown(), f"ADR|google|127.0.0.1|{google.port}")

    def test_login_elsewhere_ends_the_first_session(self) -> None:  # D10
        old = self.center("seas")
        token = old.token
        self.center("seas")
        self.assertEqual(old.shown(), "Logged on different location!")
        self.assertEqual(old.ask(b"GET", b"google", token), b"FAIL")
        self.assertEqual(old.ask(b"MSG", b"google|forged", token), b"")

    def test_client_that_dies_loses_no_message(self) -> None:  # F15
        seas, google = self.center("seas"), self.center("google")
        seas.shown()
        seas.ask(b"MSG", b"google|first")
        self.assertEqual(google.shown(), "[seas]: first")
        google.die()
        for text in (b"second", b"third"):
            seas.ask(b"MSG", b"google|" + text)
        shown = {seas.shown(), seas.shown()}
        self.assertIn("google is offline.", shown)
        again = self.center()
        again.log_in(b"google", b"hasglasses")
        self.assertEqual(again.shown(), "While you were away...\n[seas]: second\n[seas]: third\n")
        self.assertEqual(again.shown(), "google has logged on.")
        again.ask(b"OUT")
        last = self.center()
        last.log_in(b"google", b"hasglasses")
        self.assertEqual(last.shown(), "google has logged on.")

    def test_malformed_requests_are_ignored(self) -> None:  # F01, F04
        seas = self.center("seas")
        for junk in (
            b"\0\0\0\0",
            b"\xff\xff\xff\xff",
            b"GET / HTTP/1.1\r\n\r\n",
            framed(b"nonsense"),
            framed(b"MSG|seas"),
            framed(b"MSG|seas|0123456789|google|forged"),
            framed(b"\xff\xfe|a|b|c"),
        ):
            with socket.create_connection(("127.0.0.1", seas.server), SECONDS) as line:
                line.sendall(junk)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(line.recv(100), b"")
        seas.ask(b"BLC", b"x|google")
        seas.ask(b"ONL")
        self.assertEqual(seas.shown(), "[CURRENTLY ONLINE]: seas ")

    def test_forbidden_ports_are_not_connected(self) -> None:  # F06
        seas = self.center("seas")
        for port in (b"22", b"nonsense", b"99999", b"9" * 5000, str(self.server.ws_port).encode()):
            with socket.create_connection(("127.0.0.1", seas.server), SECONDS) as line:
                line.sendall(framed(b"LIN") + framed(b"google") + framed(b"hasglasses"))
                line.sendall(framed(b"127.0.0.1") + framed(port))
                while line.recv(100):
                    pass
            self.assertEqual(seas.shown(), "google has logged on.")
            self.assertEqual(seas.shown(), "google is offline.")


class PA1(DialbackCase):
    def test_login(self) -> None:
        seas = self.pa1()
        self.assertEqual(seas.log_in("seas", "wrong"), [b"wrong password"])
        self.assertEqual(seas.log_in("seas", "summerisover"), [b"Ok", b" "])
        self.assertEqual(seas.shown(), ">>>seas<<<logs in\n")
        self.pa1("google")
        self.assertEqual(seas.shown(), ">>>google<<<logs in\n")
        self.assertEqual(self.pa1().log_in("nobody", "x"), [b"usr not exist"])

    def test_three_failed_logins_lock_the_account(self) -> None:  # F11
        client = self.pa1()
        for _ in range(3):
            self.assertEqual(client.log_in("seas", "wrong"), [b"wrong password"])
        client.say("seas loginfail nonsense")
        self.assertEqual(client.log_in("seas", "summerisover"), [b"BLOCK"])

    def test_messages_and_broadcasts(self) -> None:
        seas, columbia = self.pa1("seas"), self.pa1("columbia")
        seas.shown()
        seas.say("seas online")
        self.assertEqual(seas.shown(), "\ncolumbia\nseas\n")
        seas.say("seas message columbia 123 and more")
        self.assertEqual(columbia.shown(), "\nseas:123 and more\n")
        seas.say("seas broadcast 321 all words")
        self.assertEqual(columbia.shown(), "seas said: 321 all words\n")
        seas.say("seas message nobody x")
        self.assertEqual(seas.shown(), "\nusr doesn't exist\n")
        seas.say("seas message google kept one")
        seas.say("seas message google kept two")
        google = self.pa1()
        self.assertEqual(
            google.log_in("google", "hasglasses"),
            [b"Ok", b" \nseas said:kept one\n\nseas said:kept two\n"],
        )
        google.say("google logout")
        seas.shown()
        self.assertEqual(seas.shown(), ">>>google<<<logs out\n")
        self.assertEqual(self.pa1().log_in("google", "hasglasses"), [b"Ok", b" "])

    def test_block_and_unblock(self) -> None:  # D21
        seas, columbia = self.pa1("seas"), self.pa1("columbia")
        seas.shown()
        seas.say("seas block columbia")
        self.assertEqual(seas.shown(), "columbia is Blocked Successfully\n")
        columbia.say("columbia message seas am I blocked")
        self.assertEqual(columbia.shown(), "\nyou are blocked by this user, sending failed\n")
        columbia.say("columbia getaddress seas")
        self.assertIn("sorry, you are blocked by seas", columbia.shown())
        seas.say("seas unblock columbia")
        self.assertEqual(seas.shown(), "columbia is Unblocked Successfully\n")
        for line, words in (
            ("seas unblock columbia", "\nunblock_usr doesn't exist in your blacklist\n"),
            ("seas block nobody", "\nblock_usr doesn't exist\n"),
            ("seas getaddress nobody", "nobody is not online, please send offline msg"),
        ):
            seas.say(line)
            self.assertEqual(seas.shown(), words)

    def test_address_needs_consent(self) -> None:
        seas, columbia = self.pa1("seas"), self.pa1("columbia")
        seas.shown()
        for answer, words in (
            (b"Y", f"usrIp columbia 127.0.0.1 {columbia.port}"),
            (b"n", "\nYour request is rejected\n"),
        ):
            columbia.answer = answer
            seas.say("seas getaddress columbia")
            self.assertEqual(
                columbia.shown(),
                "Privacy seas wants to get your IP for P2P chat. "
                "Type Y/y if agree, type N/n otherwise\n",
            )
            self.assertEqual(seas.shown(), words)

    def test_login_elsewhere_needs_the_password(self) -> None:
        old, new = self.pa1("seas"), self.pa1()
        self.assertEqual(new.log_in("seas", "not-the-password"), [b"wrong password"])
        self.assertEqual(new.log_in("seas", "summerisover"), [b"Ok", b" "])
        self.assertEqual(old.shown(), "logout 127.0.0.1")

    def test_malformed_requests_are_ignored(self) -> None:  # F10
        seas = self.pa1("seas")
        for line in ("", "google message seas forged", "seas", "logIn", "x" * 9000, "logIn a b c"):
            seas.say(line or " ")
        with socket.create_connection(("127.0.0.1", seas.server)):
            pass
        seas.say("seas online")
        self.assertEqual(seas.shown(), "\nseas\n")


class AllProtocols(DialbackCase):
    def live(self, name: bytes) -> socket.socket:
        """A client of Live chat that has come in."""
        live = socket.create_connection(("127.0.0.1", self.port("livechat")), SECONDS)
        self.addCleanup(live.close)
        live.sendall(name)
        while b"&" + name not in live.recv(4096):
            pass
        return live

    def kick(self, name: str) -> None:
        """Put somebody out from the host's console."""
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
        ann, seas, google = self.web("ann"), self.center("seas"), self.pa1("google")
        lea = self.live(b"lea")
        phone = RandomClient(self.server.ws_port)
        self.addCleanup(phone.wire.close)
        phone.come("Pia", "111")
        # Each sees those come who come after him; a phone can't be told who comes.
        came = [ann.message()["usr"] for _ in range(4)]
        self.assertEqual(came, ["seas", "google", "lea", "Pia"])
        self.assertEqual(
            [seas.shown() for _ in range(3)], [f"{n} has logged on." for n in came[1:]]
        )
        self.assertEqual(
            [google.shown() for _ in range(2)], [f">>>{n}<<<logs in\n" for n in came[2:]]
        )
        self.assertRegex(lea.recv(4096), rb"\[\*\] Pia entered.$")
        # Each speaks, and is heard once by the four others.
        speak = {
            "ann": lambda: ann.say("speak", room_name="lobby", msg="it is ann"),
            "seas": lambda: seas.ask(b"BRD", b"it is seas"),
            "google": lambda: google.say("google broadcast it is google"),
            "lea": lambda: lea.sendall(b"it is lea"),
            "Pia": lambda: phone.ask("send_message", chat="lobby", message="it is Pia"),
        }
        hear = {
            "ann": lambda who: self.assertEqual(self.spoken(ann), (who, f"it is {who}")),
            "seas": lambda who: self.assertEqual(seas.shown(), f"[{who}]: it is {who}"),
            "google": lambda who: self.assertEqual(google.shown(), f"{who} said: it is {who}\n"),
            "lea": lambda who: self.assertRegex(
                lea.recv(4096), rf"^\[..:..:..\] {who} > it is {who}$".encode()
            ),
            "Pia": lambda who: self.assertEqual(phone.read()["message"], f"it is {who}"),
        }
        for who, says in speak.items():
            says()
            for other, hears in hear.items():
                if other != who:
                    hears(who)
        # A whisper from one protocol to another, and its answer.
        google.say("google message ann psst")
        whisper = ann.message()
        self.assertEqual((whisper["cmd"], whisper["usr"]), ("c_whisper", "google"))
        ann.say("whisper", target_user="google", msg="what?")
        self.assertEqual(google.shown(), "\nann:what?\n")
        # The host puts one out, and all see him go.
        self.kick("lea")
        while lea.recv(4096):
            pass
        self.shown_until(seas, "lea is offline.")
        self.shown_until(google, ">>>lea<<<logs out\n")
        while (push := ann.message()).get("type") != "logout":
            pass
        self.assertEqual(push["usr"], "lea")

    def spoken(self, client: Client) -> tuple[str, str]:
        """Who said what, next."""
        for message in iter(client.message, None):
            if message["cmd"] == "c_speak":
                return message["usr"], message["msg"]
        raise AssertionError("nobody spoke")

    def shown_until(self, client: CenterClient | PA1Client, words: str) -> None:
        """Read what is shown until these words come."""
        while client.shown() != words:
            pass
