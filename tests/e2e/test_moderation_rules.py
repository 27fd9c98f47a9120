"""Each rule of moderation over each protocol: its client is told as it can be, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gtchat.chat.errors import IsMuted, ModeratedRoom, SlowMode
from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e.old_protocols import OldProtocolsCase
from tests.e2e.server import Closed
from tests.e2e.stream_clients import WebClient

PASSWORD = "long enough"
#: Who moderates the lobby, over the JSON API, and sees what is said there.
MOD = "mod"
#: What a ban tells.
BANNED = "You are banned from this server: spam"


@attrs.frozen
class Speaker:
    """A user of a protocol.

    Attributes:
        name: the user.
        speak: sends a text to the lobby.
        refused: reads until it is told a refusal with a text.
        banned: reads until it is told that it is banned, and put out.
        again: returns what a login is answered.
    """

    name: str
    speak: Callable[[str], None]
    refused: Callable[[str], None]
    banned: Callable[[], None]
    again: Callable[[], str]


def text_of(pushed: Callable[[], str], wanted: str) -> None:
    """Read what is pushed until it has a text."""
    while wanted not in pushed():
        pass


class ModerationRules(OldProtocolsCase):
    accounts: Mapping[str, str] = {MOD: PASSWORD, "webber": PASSWORD, "seas": "summerisover",
                                   "google": "hasglasses"}  # fmt: skip

    def setUp(self) -> None:
        super().setUp()
        self.mod = self.log_in(MOD)
        self.admin("rooms role", name="lobby", user=MOD, role="moderator")

    def admin(self, command: str, **arguments: object) -> dict[str, Any]:
        """Have an operator at the server run a command; return its result."""
        return dict(request(self.server.folder / SOCKET, command, arguments).data)

    def log_in(self, name: str) -> WebClient:
        client = self.connect()
        reply = client.call("login", type="reg", usr=name, pwd=PASSWORD)
        self.assertEqual(reply["status"], "ok", reply)
        return client

    # A user of each protocol.

    def of_json(self) -> Speaker:
        web = self.log_in("webber")
        replies: list[dict[str, Any]] = []

        def refused(text: str) -> None:
            self.assertEqual(replies[-1].get("msg"), text)

        def banned() -> None:
            self.assertEqual(web.wait_closed(), 4002)

        def again() -> str:
            other = self.connect()
            return str(other.call("login", type="reg", usr="webber", pwd=PASSWORD)["msg"])

        def speak(text: str) -> None:
            replies.append(web.call("speak", room_name="lobby", msg=text))

        return Speaker("webber", speak, refused, banned, again)

    def of_randomchat(self) -> Speaker:
        phone = self.phone("Ana", "111")

        def refused(text: str) -> None:
            while (answer := phone.read())["type"] != "error":
                pass
            self.assertEqual(answer["detail"], text)

        def banned() -> None:
            with self.assertRaises(Closed) as closed:
                while True:
                    phone.read()
            self.assertEqual(closed.exception.code, 4002)

        def again() -> str:
            other = self.phone()
            answer = other.call("register", user={"name": "Ana", "phone": "111"})
            return str(answer.get("detail", "ok"))

        def speak(text: str) -> None:
            phone.send("send_message", chat="lobby", message=text)

        return Speaker("Ana", speak, refused, banned, again)

    def of_message_center(self) -> Speaker:
        seas = self.message_center("seas")

        def again() -> str:
            return self.message_center().log_in(b"seas", b"summerisover")[0].decode()

        return Speaker(
            "seas",
            lambda text: self.assertEqual(seas.request(b"BRD", text.encode()), b""),
            lambda text: text_of(seas.next_push, text),
            lambda: text_of(seas.next_push, BANNED),
            again,
        )

    def of_pa1(self) -> Speaker:
        google = self.pa1("google")

        def again() -> str:
            return self.pa1().log_in("google", "hasglasses").decode()

        return Speaker(
            "google",
            lambda text: google.request(f"google broadcast {text}"),
            lambda text: text_of(google.next_push, text),
            lambda: text_of(google.next_push, BANNED),
            again,
        )

    def of_livechat(self) -> Speaker:
        alice = self.live(b"alice")
        alice.log_in()

        def read() -> str:
            return alice.read().decode()

        def banned() -> None:
            text_of(read, BANNED)
            self.assertEqual(read(), "")

        def again() -> str:
            return self.live(b"alice").read().decode()

        return Speaker(
            "alice",
            lambda text: alice.send(text.encode()),
            lambda text: text_of(read, f"Not sent: {text}"),
            banned,
            again,
        )

    def speakers(self) -> list[Speaker]:
        """Return a user of each protocol."""
        return [
            self.of_json(),
            self.of_randomchat(),
            self.of_message_center(),
            self.of_pa1(),
            self.of_livechat(),
        ]

    # What the moderator does and sees.

    def moderate(self, cmd: str, **fields: object) -> None:
        reply = self.mod.call(cmd, room_name="lobby", **fields)
        self.assertEqual(reply["status"], "ok", reply)

    def assertSaid(self, speaker: Speaker, text: str) -> None:
        """A text reaches the lobby."""
        speaker.speak(text)
        while (push := self.mod.message())["cmd"] != "c_speak":
            pass
        self.assertEqual((push["usr"], push["msg"]), (speaker.name, text))

    def test_each_rule_of_the_lobby(self) -> None:
        for speaker in self.speakers():
            for begin, end, text in (
                (("mute", {"user": speaker.name}), ("unmute", {"user": speaker.name}), IsMuted),
                (("set_room", {"moderated": True}), ("set_room", {"moderated": False}),
                 ModeratedRoom),
                (("set_room", {"slow": 3600}), ("set_room", {"slow": 0}), SlowMode),
            ):  # fmt: skip
                self.moderate(begin[0], **begin[1])
                if text is SlowMode:
                    self.assertSaid(speaker, "first")
                speaker.speak("not this")
                speaker.refused(text.default)
                self.moderate(end[0], **end[1])
                self.assertSaid(speaker, "and this")
            for cmd in ("kick", "ban"):
                reply = self.mod.call(cmd, room_name="lobby", user=speaker.name)
                self.assertEqual(reply["code"], "not_allowed")
            self.assertSaid(speaker, "last")

    def test_a_ban_from_the_server(self) -> None:
        refusals = {"webber": BANNED, "Ana": BANNED, "seas": "PENNED|60.0", "google": "BLOCK",
                    "alice": "NOT_UNIQUE"}  # fmt: skip
        welcomes = {"webber": "Logged in.", "Ana": "ok", "seas": "LOGIN_OKAY", "google": "Ok ",
                    "alice": "OK"}  # fmt: skip
        for speaker in self.speakers():
            name = speaker.name
            ban = self.admin("bans add", name=name, reason="spam", yes=True)
            speaker.banned()
            self.assertEqual(speaker.again(), refusals[name])
            self.admin("bans remove", id=ban["id"])
            self.assertEqual(speaker.again(), welcomes[name])

    def test_a_kick_and_a_ban_from_a_room(self) -> None:
        """Only clients of the JSON API and of RandomChat are in rooms besides the lobby."""
        web, ana = self.log_in("webber"), self.phone("Ana", "111")
        self.mod.call("create_room", room_name="den")
        for cmd, added in (("kick", "ok"), ("ban", "error")):
            for name in ("webber", "Ana"):
                self.mod.call("add_member", room_name="den", user=name)
                reply = self.mod.call(cmd, room_name="den", user=name, reason="spam")
                self.assertEqual(reply["status"], "ok", reply)
            while (push := web.message()).get("type") != "kicked" or push["usr"] != "webber":
                pass
            self.assertEqual((push["by"], push["reason"]), (MOD, "spam"))
            self.assertEqual(push.get("banned"), True if cmd == "ban" else None)
            reply = web.call("speak", room_name="den", msg="x")
            self.assertEqual(reply["code"], "not_in_room")
            while (told := ana.read())["type"] != "member_removed":
                pass
            self.assertEqual(told["user"]["name"], "Ana")
            ana.send("send_message", chat="den", message="x")
            while (told := ana.read())["type"] != "error":
                pass
            self.assertEqual(told["code"], "not_in_room")
            for name in ("webber", "Ana"):
                reply = self.mod.call("add_member", room_name="den", user=name)
                self.assertEqual(reply["status"], added, reply)
                if added == "ok":
                    self.mod.call("remove_member", room_name="den", user=name)
            web.taken.clear()
        self.assertEqual(web.call("join_room", room_name="den")["code"], "room_banned")
        ana.send("send_message", chat="lobby", message="still here")
        while (told := ana.read())["type"] != "message":
            pass
        self.assertEqual(told["message"], "still here")
