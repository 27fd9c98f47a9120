"""After a login, the full screen shows what happened while the user was away."""

from __future__ import annotations

from typing import Any

from tests.client.fakes import AT, spoken, welcome, whisper
from tests.ui.tui.test_controller import ControllerTestCase, joined


class AwayTests(ControllerTestCase):
    """What happened while the user was away."""

    def log_in(self, *texts: str, sender: str = "bob", **login: Any) -> None:
        """Log in with three rooms. texts: of the unread messages in the garden."""
        reply = welcome("ann", lobby=2, den=7, garden=30)
        _, den, garden = reply["rooms"]
        den.update(unread=1, read_seq=6)
        garden.update(unread=len(texts), read_seq=30 - len(texts))
        self.server.answers["login"] = {**reply, **login}
        self.unread = {
            "den": [spoken(7, room="den")],
            "garden": [
                spoken(seq, sender, "garden", text)
                for seq, text in enumerate(texts, 31 - len(texts))
            ],
        }
        self.start("/guest ann")

    def history(self, request: dict[str, Any]) -> dict[str, Any]:
        if "after" in request:
            return {"entries": self.unread[request["room_name"]], "more": False}
        return super().history(request)

    def mentioned(self) -> list[str]:
        return [buffer.name for buffer in self.model.buffers if buffer.mentioned]

    def test_a_mention_marks_its_room(self) -> None:
        self.log_in("hello", "ask @ann about it", "bye")
        self.assertEqual(self.mentioned(), ["garden"])
        asked = [sent for sent in self.server.asked("history") if "after" in sent]
        self.assertEqual(
            [(a["room_name"], a["after"], a["limit"]) for a in asked],
            [("den", 6, 100), ("garden", 27, 100)],
        )
        self.assertEqual(self.model.rooms["garden"].lines, [])

    def test_another_name_does_not(self) -> None:
        self.log_in("hello @anna")
        self.assertEqual(self.mentioned(), [])

    def test_an_own_message_does_not(self) -> None:
        self.log_in("I am @ann", sender="ann")
        self.assertEqual(self.mentioned(), [])

    def test_a_room_that_was_shown_meanwhile_is_not_marked(self) -> None:
        waiting: list[dict[str, Any]] = []
        self.server.answers["history"] = lambda request: waiting.append(request)
        self.log_in("@ann?")
        self.controller.switch_to(self.model.rooms["den"])
        self.server.reply(
            next(sent for sent in waiting if sent.get("room_name") == "den"),
            entries=[spoken(7, room="den", msg="@ann")],
        )
        self.server.pump()
        self.assertEqual(self.mentioned(), [])

    def test_a_limited_number_of_rooms_is_read(self) -> None:
        self.unread = {}
        names = {f"room{number}": 5 for number in range(30)}
        reply = welcome("ann", lobby=2, **names)
        for room in reply["rooms"][1:]:
            room.update(unread=1, read_seq=4)
            self.unread[room["room_name"]] = []
        self.server.answers["login"] = reply
        self.start("/guest ann")
        asked = [sent for sent in self.server.asked("history") if "after" in sent]
        self.assertEqual(len(asked), 20)

    def test_what_was_read_before_is_not_marked_again(self) -> None:
        reply = welcome("ann", lobby=2)
        reply["rooms"][0]["read_seq"] = 2
        self.server.answers["login"] = reply
        self.start("/guest ann")
        self.type("/quit")
        self.assertEqual(self.server.asked("mark_read"), [])

    def test_open_invitations_and_waiting_messages_are_shown_once(self) -> None:
        invitation = {"room_name": "tower", "usr": "eve", "at": AT}
        self.log_in(invitations=[invitation], whispers=[whisper(1)])
        self.server.push(cmd="c_invited", msg="", **invitation)
        self.server.pump()
        notices = [text for text in self.shown() if "invites you" in text]
        self.assertEqual(notices, ["eve invites you to #tower: /accept or /decline"])
        self.assertEqual(self.model.current.name, "lobby")
        self.assertEqual([line.text for line in self.model.directs["bob"].lines], ["psst 1"])
        self.server.answers["invite_reply"] = joined("tower")
        self.type("/accept")
        self.assertEqual(self.server.asked("invite_reply")[0]["inviter"], "eve")
