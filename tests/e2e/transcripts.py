"""Transcripts of the original clients of the four old protocols, as far as the behaviour is kept.

Test modules run each class with one server, and with two (`test_old_protocols`): they import
this module, not its classes. A user here may be at another server than the one before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from tests.e2e.dialback import MessageCenterClient, PA1Client
from tests.e2e.old_protocols import OldProtocolsCase
from tests.e2e.original_program import framed
from tests.e2e.server import SECONDS, TOP, Client, Closed, masked


class MessageCenter(OldProtocolsCase):
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
        self.settle()
        google.request(b"MSG", b"seas|hi")
        self.assertIn("has blocked you", google.next_push())
        google.request(b"BRD", b"hi all")
        self.assertIn("to some recipients", google.next_push())
        self.settle()
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
        self.assertEqual(seas.next_push(), f"ADR|google|{google.address}|{google.port}")

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
        seas.request(b"MSG", b"google|second")
        self.assertEqual(seas.next_push(), "google is offline.")
        seas.request(b"MSG", b"google|third")
        self.assertIn("The recipient is offline.", seas.next_push())
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
            with seas.connect() as line:
                line.sendall(malformed)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(line.recv(100), b"")
        seas.request(b"BLC", b"x|google")
        seas.request(b"ONL")
        self.assertEqual(seas.next_push(), "[CURRENTLY ONLINE]: seas ")


class PA1(OldProtocolsCase):
    def test_login(self) -> None:
        seas = self.pa1()
        self.assertEqual(seas.log_in("seas", "wrong"), b"wrong password")
        self.assertEqual(seas.log_in("seas", "summerisover"), b"Ok ")
        self.assertEqual(seas.next_push(), ">>>seas<<<logs in\n")
        self.pa1("google")
        self.assertEqual(seas.next_push(), ">>>google<<<logs in\n")
        self.assertEqual(self.pa1().log_in("unknown", "x"), b"usr not exist")

    def test_three_failed_logins_lock_the_account(self) -> None:  # F11
        client = self.pa1()
        for _ in range(3):
            self.assertEqual(client.log_in("seas", "wrong"), b"wrong password")
        client.request("seas loginfail nonsense")
        self.assertEqual(client.log_in("seas", "summerisover"), b"BLOCK")

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
            b"Ok \nseas said:kept one\n\nseas said:kept two\n",
        )
        google.request("google logout")
        seas.next_push()
        self.assertEqual(seas.next_push(), ">>>google<<<logs out\n")
        self.assertEqual(self.pa1().log_in("google", "hasglasses"), b"Ok ")

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
            (b"Y", f"usrIp columbia {columbia.address} {columbia.port}"),
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
        self.assertEqual(new.log_in("seas", "not-the-password"), b"wrong password")
        self.assertEqual(new.log_in("seas", "summerisover"), b"Ok ")
        self.assertEqual(old.next_push(), f"logout {new.address}")

    def test_malformed_requests_are_ignored(self) -> None:  # F10
        seas = self.pa1("seas")
        for line in ("", "google message seas forged", "seas", "logIn", "x" * 9000, "logIn a b c"):
            seas.request(line or " ")
        seas.connect().close()
        seas.request("seas online")
        self.assertEqual(seas.next_push(), "\nseas\n")


class AllProtocols(OldProtocolsCase):
    def kick(self, name: str) -> None:
        """Disconnect a user by the admin console."""
        subprocess.run(
            [sys.executable, "-m", "gtchat.cli", "console", "--data", str(self.server.folder)],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            input=self.stage.names.sent(f"KICK {name}\n".encode()),
            stdout=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )

    def test_users_of_five_protocols_meet_in_the_lobby(self) -> None:
        ann, seas, google = self.web("ann"), self.message_center("seas"), self.pa1("google")
        lea = self.live(b"lea")
        lea.log_in()
        phone = self.phone("Pia", "111")
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


class LiveChat(OldProtocolsCase):
    accounts: Mapping[str, str] = {}

    def test_session_of_the_original(self) -> None:
        alice = self.live(b"alice")
        self.assertEqual(alice.log_in(), [b"Host", b"alice"])
        bob = self.live(b"bob")
        self.assertEqual(bob.log_in(), [b"Host", b"alice", b"bob"])
        self.assertReads(alice, b"[*] bob entered.")
        alice.send(b"hello from alice\n")
        self.assertReads(bob, b"alice > hello from alice")
        bob.send(b"hi from bob")
        self.assertReads(alice, b"bob > hi from bob")
        alice.send(b"caf\xc3\xa9 \xe2\x98\x83\n")
        self.assertReads(bob, b"alice > caf\xc3\xa9 \xe2\x98\x83")
        dave = self.live(b"dave")
        self.assertEqual(dave.log_in(), [b"Host", b"alice", b"bob", b"dave"])
        self.assertReads(bob, b"[*] dave entered.")
        dave.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(dave.read(), b"")
        self.assertReads(bob, b"[*] dave exited.")

    def test_unavailable_names(self) -> None:
        self.live(b"alice").log_in()
        for name in (
            b"alice",
            b"Alice",
            b"Host",
            b"server",
            b"   ",
            b"carol jones",
            b"a&b",
            b"x" * 33,
        ):
            client = self.live(name)
            self.assertEqual((name, client.read(), client.read()), (name, b"NOT_UNIQUE", b""))

    def test_ok_is_sent_alone_before_the_user_list(self) -> None:
        client = self.live(b"alice")
        self.assertEqual(client.read(), b"OK")
        self.assertEqual(client.read(), b"&Host&alice")

    def test_messages_in_fast_succession(self) -> None:
        alice = self.live(b"alice")
        alice.log_in()
        ann = self.web("ann")
        for number in range(20):
            ann.send("speak", room_name="lobby", msg=str(number))
        self.assertReads(
            alice, b"[*] ann entered.", *(b"ann > " + str(n).encode() for n in range(20))
        )

    def test_reset_connection_leaves_once(self) -> None:  # F12
        alice = self.live(b"alice")
        alice.log_in()
        bob = self.live(b"bob")
        bob.log_in()
        self.assertReads(alice, b"[*] bob entered.")
        bob.close(reset=True)
        self.assertReads(alice, b"[*] bob exited.")
        again = self.live(b"bob")
        self.assertEqual(again.log_in(), [b"Host", b"alice", b"bob"])

    def test_users_of_two_protocols_hear_each_other(self) -> None:
        ann = self.web("ann")
        alice = self.live(b"alice")
        self.assertEqual(alice.log_in(), [b"Host", b"ann", b"alice"])
        self.assertEqual(ann.message()["type"], "login")
        alice.send(b"hello web")
        message = ann.message()
        self.assertEqual((message["usr"], message["msg"]), ("alice", "hello web"))
        ann.call("whisper", target_user="alice", msg="psst")
        self.assertReads(alice, b"ann (to you alone) > psst")
        ann.call("create_room", room_name="elsewhere")
        ann.call("add_member", room_name="elsewhere", user="alice")
        ann.call("speak", room_name="elsewhere", msg="not for the lobby")
        ann.call("speak", room_name="lobby", msg="for the lobby")
        self.assertReads(alice, b"ann > for the lobby")


class RandomChat(OldProtocolsCase):
    accounts: Mapping[str, str] = {}

    def test_register_talk_and_missed_messages(self) -> None:
        ana = self.phone("Ana", "111")
        created = ana.call("create_chat", name="room1")
        self.assertEqual((created["type"], created["user"]["phone"]), ("new_member", "111"))
        error = ana.call("add_member", chat="room1", phone="999")
        self.assertEqual((error["type"], error["detail"]), ("error", "User not found"))
        bob = self.phone("Bob", "222")
        ana.send("add_member", chat="room1", phone="222")
        for push in (ana.read(), bob.read()):
            self.assertEqual(push["type"], "new_member")
            self.assertEqual(push["user"]["name"], "Bob")
            self.assertEqual([one["phone"] for one in push["chat"]["members"]], ["111", "222"])
            self.assertEqual(push["chat"]["owner"]["name"], "Ana")
        ana.send("send_message", chat="room1", message="hola Bob \u00f1")
        for push in (ana.read(), bob.read()):
            self.assertEqual((push["type"], push["message"]), ("message", "hola Bob \u00f1"))
            self.assertEqual(push["from"]["phone"], "111")
            self.assertIsNone(push["from"]["disconnection_date"])
            self.assertRegex(push["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        bob.send("send_message", chat="room1", message="hi")
        self.assertEqual([ana.read()["message"], bob.read()["message"]], ["hi", "hi"])
        bob.ws.close()
        carl = self.phone("Carl", "333")
        ana.send("add_member", chat="room1", phone="333")
        date = carl.read()["chat"]["members"][1]["disconnection_date"]
        ana.read()
        for text in ("while you", "were out"):
            ana.call("send_message", chat="room1", message=text)
        self.assertRegex(date, r"Z$")
        self.settle()
        for missed in (["while you", "were out"], []):
            bob = self.phone()
            [chat] = bob.register("Bobby", "222")
            self.assertEqual(chat["chat"]["name"], "room1")
            self.assertEqual([one["message"] for one in chat["messages"]], missed)
            bob.close()
            self.settle()

    def test_missed_messages_come_again_after_an_early_disconnect(self) -> None:
        ana, bob = self.phone("Ana", "111"), self.phone("Bob", "222")
        ana.call("create_chat", name="room1")
        ana.call("add_member", chat="room1", phone="222")
        bob.read()
        bob.close()
        ana.call("send_message", chat="room1", message="while you were out")
        register = b'{"type":"register","user":{"name":"Bob","phone":"222"}}'
        bob = self.phone()
        register = self.stage.names.sent(register)
        bob.ws.socket.sendall(masked(register) + masked(b"\x03\xe8", 8))
        self.assertRaises(Closed, bob.read)
        [chat] = self.phone().register("Bob", "222")
        self.assertEqual([one["message"] for one in chat["messages"]], ["while you were out"])

    def test_remove_member_and_delete_chat(self) -> None:
        ana, bob = self.phone("Ana", "111"), self.phone("Bob", "222")
        ana.call("create_chat", name="den")
        ana.call("add_member", chat="den", phone="222")
        bob.read()
        error = bob.call("remove_member", chat="den", phone="111")
        self.assertIn("Only the chat owner is able to remove", error["detail"])
        error = bob.call("delete_chat", chat="den")
        self.assertEqual(error["detail"], "Only the chat owner is able to delete it")
        ana.send("remove_member", chat="den", phone="222")
        for push in (ana.read(), bob.read()):
            self.assertEqual((push["type"], push["user"]["phone"]), ("member_removed", "222"))
        self.assertEqual(bob.call("send_message", chat="den", message="x")["code"], "not_in_room")
        ana.send("delete_chat", chat="den")
        self.assertEqual(ana.read()["type"], "chat_deleted")
        self.assertEqual(ana.call("send_message", chat="den", message="x")["code"], "no_such_room")

    def test_second_login_closes_the_first(self) -> None:
        first = self.phone("Ana", "111")
        second = self.phone("Ana", "1 11")
        with self.assertRaises(Closed) as closed:
            first.read()
        self.assertEqual(closed.exception.code, 4409)
        self.assertEqual(second.call("create_chat", name="still here")["type"], "new_member")

    def test_lobby_is_shared(self) -> None:
        ann, ana = self.web("ann"), self.phone("Ana", "111")
        ann.call("speak", room_name="lobby", msg="hello phones")
        push = ana.read()
        self.assertEqual((push["chat"]["name"], push["message"]), ("lobby", "hello phones"))
        self.assertEqual(push["from"], {"name": "ann", "phone": "", "disconnection_date": None})
        ana.call("send_message", chat="lobby", message="hello web")
        ann.taken += [] if ann.taken else [ann.message()]
        self.assertEqual(ann.taken[0]["usr"], "Ana")
        self.assertEqual(ann.message()["msg"], "hello web")
        ann.call("whisper", target_user="Ana", msg="psst")
        self.assertEqual(ana.read()["message"], "psst")
