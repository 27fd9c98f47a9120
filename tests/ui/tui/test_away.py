"""After a login, the full screen shows what happened while the user was away."""

from __future__ import annotations

from typing import Any

from tests.client.fakes import AT, welcome, whisper
from tests.ui.tui.test_controller import ControllerTestCase, joined


class AwayTests(ControllerTestCase):
    """What happened while the user was away."""

    def log_in(self, **login: Any) -> None:
        """Log in with three rooms: den with an unread message, garden with a mention."""
        reply = welcome("ann", lobby=2, den=7, garden=30)
        _, den, garden = reply["rooms"]
        den.update(unread=1, read_seq=6, notify="mentions")
        garden.update(unread=3, read_seq=27, mentions=1, notify="mentions")
        self.server.answers["login"] = {**reply, **login}
        self.start("/guest ann")

    def test_a_mention_marks_its_room(self) -> None:
        self.log_in()
        found = [
            (buffer.name, buffer.unread, buffer.mentioned, buffer.is_new)
            for buffer in self.model.buffers
        ]
        expected = [("lobby", 0, False, False), ("den", 1, False, False), ("garden", 3, True, True)]
        self.assertEqual(found, expected)
        self.assertEqual(self.model.rooms["garden"].lines, [])

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
