"""The controller and the model of the full screen, with a server in memory."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gtchat.ui.interpreter import EXIT_NO_CONNECTION, EXIT_OK
from gtchat.ui.rendering import Renderer
from gtchat.ui.tui.buffer import MAX_LINES, Buffer, BufferLine
from gtchat.ui.tui.controller import Controller
from gtchat.ui.tui.loader import READ_INTERVAL
from gtchat.ui.tui.model import Model
from tests.client.fakes import AT, ConnectedTestCase, event, resumed, spoken, welcome, whisper

EPOCH = datetime(2030, 5, 6, 7, 0, tzinfo=timezone.utc)


def joined(name: str, last_seq: int = 0, *users: str) -> dict[str, Any]:
    """Return the fields of the reply to a command that enters a room."""
    room = {"room_name": name, "last_seq": last_seq, "users": users, "users_total": len(users)}
    return {"room": room}


class ControllerTestCase(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.model = Model(lambda: EPOCH + timedelta(seconds=self.clock.seconds()))
        self.crashes: list[Failure] = []
        self.controller = Controller(
            self.connection,
            self.model,
            Renderer(lambda text, _: text, timezone.utc),
            self.clock,
            crashed=self.crashes.append,
        )
        self.addCleanup(lambda: self.assertEqual(self.crashes, []))
        answers = self.server.answers
        answers["login"] = welcome("ann", lobby=2, garden=30)
        answers["history"] = lambda request: self.history(request)
        answers["get_user_list"] = {"users": ["ann", "bob"], "users_total": 2}
        answers["speak"] = {"seq": 3, "id": "lobby-3", "at": AT}

    def history(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page of a room's history, five entries; of direct messages there are none."""
        if "target_user" in request:
            return {"entries": [], "more": False}
        last = {"lobby": 2, "garden": 30}[request["room_name"]]
        end = request.get("before", last + 1)
        seqs = range(max(1, end - 5), end)
        return {
            "entries": [spoken(seq, room=request["room_name"]) for seq in seqs],
            "more": bool(seqs) and seqs[0] > 1,
        }

    def start(self, *startup: str) -> None:
        self.running = Deferred.fromCoroutine(self.controller.run(startup))
        self.settle()

    def settle(self) -> None:
        """Advance the clock until the current buffer is loaded."""
        self.server.pump()
        self.clock.advance(0.2)
        self.server.pump()

    def type(self, *lines: str) -> None:
        for line in lines:
            self.controller.line_typed(line)
            self.server.pump()

    def switch_to(self, name: str) -> Buffer:
        buffer = self.model.rooms[name]
        self.controller.switch_to(buffer)
        self.settle()
        return buffer

    def push(self, **fields: Any) -> None:
        self.server.push(**fields)
        self.server.pump()

    def event(self, kind: str, **fields: Any) -> None:
        self.push(cmd="c_event", type=kind, at=AT, **fields)

    def lines(self) -> list[BufferLine]:
        return self.model.current.lines

    def shown(self) -> list[str]:
        return [line.text for line in self.lines()]

    def states(self) -> list[tuple[str, str]]:
        """Return text and state of the own messages in the current buffer."""
        return [(line.text, line.state) for line in self.lines() if line.usr == "ann"]


class BeforeLoginTests(ControllerTestCase):
    def test_it_says_how_to_log_in(self) -> None:
        self.start()
        self.assertIn("/guest NAME", self.shown()[0])
        self.type("hello?")
        self.assertEqual(self.lines()[-1].kind, "error")
        self.assertEqual(self.server.requests, [])

    def test_a_password_is_asked_for_and_not_sent_as_a_message(self) -> None:
        self.start("/login ann")
        self.assertEqual(self.controller.secret_prompt, "Password")
        self.type("password1")
        self.assertEqual(self.controller.secret_prompt, "")
        self.assertEqual(self.server.asked("login")[0]["pwd"], "password1")
        self.assertNotIn("password1", " ".join(self.shown()))

    def test_a_secret_can_be_cancelled(self) -> None:
        self.start("/login ann")
        self.controller.cancel_secret()
        self.server.pump()
        self.assertEqual((self.controller.secret_prompt, self.server.requests), ("", []))
        self.assertIn("nothing was sent", self.shown()[-1])

    def test_two_different_new_passwords_are_not_sent(self) -> None:
        self.start("/register ann")
        self.type("password1", "password2")
        self.assertEqual(self.server.requests, [])
        self.assertIn("the passwords differ", self.shown()[-1])

    def test_commands_wait_for_each_other_and_local_ones_do_not(self) -> None:
        self.start()
        self.server.answers["ping"] = None
        self.type("/ping", "/rooms", "/help")
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.lines()[-1].kind, "help")
        self.server.reply(self.server.requests[0])
        self.server.pump()
        self.assertEqual(len(self.server.asked("get_room_list")), 1)

    def test_help_of_one_command(self) -> None:
        self.start()
        self.type("/help ping", "/help nothing")
        self.assertIn("/ping", self.shown()[-2])
        self.assertIn("unknown command /nothing", self.shown()[-1])


class LoggedInTests(ControllerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start("/guest ann")

    def test_a_login_shows_the_lobby_with_its_history(self) -> None:
        self.assertEqual(self.model.current.name, "lobby")
        self.assertEqual(self.shown()[:2], ["text 1", "text 2"])
        self.assertEqual([buffer.name for buffer in self.model.buffers], ["lobby", "garden"])
        self.assertEqual(self.model.online, {"ann", "bob"})

    def test_a_message_is_shown_as_being_sent_and_then_as_sent(self) -> None:
        self.server.answers["speak"] = None
        self.type("hello")
        self.assertEqual(self.states(), [("hello", "sending")])
        self.server.reply(self.server.asked("speak")[0], seq=3, id="x", at=AT)
        self.server.pump()
        self.assertEqual(self.states(), [("hello", "")])
        self.assertEqual(self.lines()[-1].seq, 3)

    def test_a_failed_message_shows_the_error(self) -> None:
        self.server.answers["speak"] = {"code": "not_in_room", "msg": "You are not in it."}
        self.type("hello")
        self.assertEqual(self.states(), [("hello", "failed")])
        self.assertIn("not_in_room", self.lines()[-1].error)

    def test_messages_are_sent_in_order_to_the_buffer_they_were_typed_in(self) -> None:
        self.server.answers["speak"] = None
        self.type("one", "//two")
        self.switch_to("garden")
        self.type("three")
        for number in range(3):
            asked = self.server.asked("speak")
            self.assertEqual(len(asked), number + 1)
            self.server.reply(asked[-1], seq=40 + number, id=f"i{number}", at=AT)
            self.server.pump()
        self.assertEqual(
            [(sent["room_name"], sent["msg"]) for sent in asked],
            [("lobby", "one"), ("lobby", "/two"), ("garden", "three")],
        )

    def test_a_message_typed_without_a_connection_is_sent_once_later(self) -> None:
        self.server.answers["resume"] = resumed(spoken(3), spoken(4))
        self.server.answers["speak"] = {"seq": 5, "id": "lobby-5", "at": AT}
        self.server.drop()
        self.type("meanwhile")
        self.assertEqual(self.states(), [("meanwhile", "sending")])
        self.reconnect()
        self.settle()
        self.assertEqual(self.states(), [("meanwhile", "")])
        entries = [line.text for line in self.lines() if line.kind == "message"]
        self.assertEqual(entries, ["text 1", "text 2", "text 3", "text 4", "meanwhile"])

    def test_online_users_are_loaded_again_after_a_loss(self) -> None:
        self.server.answers["resume"] = welcome("ann", lobby=2)
        self.server.answers["get_user_list"] = {"users": ["ann", "zoe"], "users_total": 2}
        self.server.drop()
        self.reconnect()
        self.settle()
        self.assertEqual(self.model.online, {"ann", "zoe"})

    def test_messages_in_other_buffers_are_counted_as_unread(self) -> None:
        self.server.say(31, room="garden")
        self.server.say(32, room="garden", msg="ann, look")
        self.server.pump()
        garden = self.model.rooms["garden"]
        self.assertEqual((garden.unread, garden.mentioned), (2, True))
        self.switch_to("garden")
        self.assertEqual((garden.unread, garden.mentioned), (0, False))
        (new,) = [line for line in garden.lines if line.number == garden.new_from]
        self.assertEqual(new.seq, 31)

    def test_shown_messages_are_marked_as_read_at_most_once_a_second(self) -> None:
        self.clock.advance(2)
        self.server.pump()
        self.server.requests.clear()
        for seq in range(3, 13):
            self.server.say(seq)
            self.server.pump()
            self.clock.advance(0.4)
            self.server.pump()
        self.clock.advance(1)
        self.server.pump()
        marked = [(r["room_name"], r["seq"]) for r in self.server.asked("mark_read")]
        self.assertEqual(marked[-1], ("lobby", 12))
        self.assertTrue(len(marked) <= 5, marked)

    def test_the_current_buffer_keeps_a_limited_number_of_lines(self) -> None:
        for seq in range(3, 2 * MAX_LINES):
            self.model.handle_event(event(**spoken(seq)))
        self.assertTrue(len(self.lines()) <= MAX_LINES * 3 // 2)
        self.assertEqual(self.lines()[-1].seq, 2 * MAX_LINES - 1)

    def test_read_marks_of_another_session_reset_unread(self) -> None:
        self.server.say(31, room="garden")
        self.server.pump()
        self.assertEqual(self.model.rooms["garden"].unread, 1)
        self.event("marked_read", room_name="garden", read_seq=31)
        self.assertEqual(self.model.rooms["garden"].unread, 0)

    def test_a_room_is_marked_as_unread_and_stays_so(self) -> None:
        self.server.answers["mark_unread"] = {"read_seq": 28}
        garden = self.switch_to("garden")
        self.type("/unread 29")
        request = self.server.asked("mark_unread")[0]
        self.assertEqual((request["room_name"], request["seq"]), ("garden", 29))
        self.assertEqual(garden.unread, 2)
        self.clock.advance(5)
        self.switch_to("lobby")
        self.assertNotIn("garden", [one["room_name"] for one in self.server.asked("mark_read")])
        self.assertTrue(garden.is_new)
        self.type("/room garden", "/unread")
        self.assertEqual(self.server.asked("mark_unread")[1]["seq"], 30)

    def test_without_a_message_of_another_user_there_is_nothing_to_mark(self) -> None:
        own = [spoken(30, "ann", room="garden")]
        self.server.answers["history"] = {"entries": own, "more": False}
        self.switch_to("garden")
        self.type("/unread")
        self.assertEqual(self.server.asked("mark_unread"), [])
        self.assertIn("no new message", self.controller.last_error)

    def test_another_session_marks_a_room_as_unread(self) -> None:
        for name in ("garden", "lobby", "garden"):
            self.switch_to(name)
        garden = self.model.rooms["garden"]
        self.assertEqual(garden.read_seq, 30)
        self.server.requests.clear()
        self.event("marked_read", room_name="garden", read_seq=28)
        self.clock.advance(5)
        self.switch_to("lobby")
        self.assertEqual((garden.unread, self.server.asked("mark_read")), (2, []))
        self.event("marked_read", room_name="garden", read_seq=30)
        self.event("marked_read", room_name="nowhere", read_seq=1)
        self.assertEqual(garden.unread, 0)

    def test_a_level_is_set_here_or_by_another_session(self) -> None:
        garden = self.model.rooms["garden"]
        self.server.say(31, room="garden", msg="@ann")
        self.server.pump()
        self.type("/notify none garden")
        self.assertEqual((garden.notify, garden.is_new), ("none", False))
        for level, is_new in (("mentions", True), ("none", False), ("all", True)):
            self.event("notify", room_name="garden", level=level)
            self.assertEqual((garden.notify, garden.is_new), (level, is_new))
        self.event("notify", room_name="nowhere", level="none")
        self.event("invitation_ended", room_name="den", usr="bob")

    def test_history_is_loaded_page_by_page_to_the_beginning(self) -> None:
        garden = self.switch_to("garden")
        pages = 1
        while not garden.complete:
            self.controller.run_in_background(self.controller.loader.load_history(garden))
            self.server.pump()
            pages += 1
        self.assertEqual([line.seq for line in garden.lines], list(range(1, 31)))
        self.assertEqual(pages, 6)

    def test_a_page_that_failed_is_not_read_and_is_loaded_again(self) -> None:
        self.server.answers["history"] = {"code": "internal"}
        garden = self.switch_to("garden")
        self.clock.advance(5)
        self.server.pump()
        self.assertEqual((garden.loaded, garden.complete, garden.lines), (False, False, []))
        self.switch_to("lobby")
        marked = [request["room_name"] for request in self.server.asked("mark_read")]
        self.assertNotIn("garden", marked)
        self.server.answers["history"] = lambda request: self.history(request)
        self.switch_to("garden")
        self.assertEqual([line.seq for line in garden.lines], [26, 27, 28, 29, 30])

    def test_messages_of_blocked_users_are_hidden_in_the_history(self) -> None:
        blocked = {**spoken(30, "eve", "garden", "ann: look"), "blocked": True}
        self.server.answers["history"] = {"entries": [spoken(29, room="garden"), blocked]}
        garden = self.switch_to("garden")
        self.assertEqual([line.kind for line in garden.lines], ["message", "event"])
        self.assertNotIn("look", garden.lines[1].text)
        self.assertEqual([line.mention for line in garden.lines], [False, False])

    def test_a_message_is_sent_for_the_user_who_typed_it_or_not_at_all(self) -> None:
        self.server.answers["speak"] = None
        self.type("one", "two", "/logout", "/guest bob")
        (request,) = self.server.asked("speak")
        self.server.answers["speak"] = {"seq": 4, "id": "lobby-4", "at": AT}
        self.server.reply(request, seq=3, id="lobby-3", at=AT)
        self.settle()
        self.type("three")
        self.assertEqual([one["msg"] for one in self.server.asked("speak")], ["one", "three"])

    def test_switching_through_rooms_loads_only_the_last_one(self) -> None:
        self.server.requests.clear()
        for _ in range(5):
            self.controller.switch_to(self.model.rooms["garden"])
            self.controller.switch_to(self.model.rooms["lobby"])
        self.settle()
        self.assertEqual(self.server.asked("history"), [])

    def test_own_messages_from_another_session_are_not_unread(self) -> None:
        self.server.say(31, "ann", room="garden", msg="I am ann")
        self.server.pump()
        garden = self.model.rooms["garden"]
        self.assertEqual((garden.unread, garden.mentioned, garden.new_from), (0, False, 0))

    def test_a_direct_message_opens_a_buffer(self) -> None:
        self.push(**whisper(1))
        buffer = self.model.directs["bob"]
        self.assertEqual((buffer.unread, buffer.lines[0].text), (1, "psst 1"))
        self.controller.switch_to(buffer)
        self.type("psst yourself")
        (request,) = self.server.asked("whisper")
        self.assertEqual((request["target_user"], request["msg"]), ("bob", "psst yourself"))

    def test_direct_messages_that_are_shown_are_marked_as_read(self) -> None:
        self.push(**whisper(1), seq=4)
        self.controller.switch_to(self.model.directs["bob"])
        self.settle()
        self.clock.advance(READ_INTERVAL)
        self.server.pump()
        marked = self.server.asked("mark_read")[-1]
        self.assertEqual((marked["target_user"], marked["seq"]), ("bob", 4))

    def test_direct_messages_of_another_session_are_in_the_buffer_of_their_receiver(self) -> None:
        self.push(**whisper(1, "ann"), seq=4, to="bob")
        buffer = self.model.directs["bob"]
        self.assertEqual((buffer.unread, buffer.lines[0].usr), (0, "ann"))

    def test_whisper_opens_a_buffer_and_shows_that_the_user_is_offline(self) -> None:
        self.server.answers["whisper"] = {"id": "w9", "at": AT, "delivered": "stored"}
        self.type("/whisper zoe good night")
        self.assertEqual(self.model.current.name, "zoe")
        self.assertEqual(self.states(), [("good night", "stored")])
        self.server.answers["speak"] = {"id": "w10", "seq": 2, "at": AT, "delivered": "stored"}
        self.type("/me yawns")
        self.assertEqual(self.states()[-1], ("yawns", "stored"))
        request = self.server.asked("speak")[0]
        self.assertEqual((request["target_user"], request["style"]), ("zoe", "action"))
        self.type("/leave")
        self.assertIn("there is no current room", self.shown()[-1])
        self.controller.close_direct()
        self.assertEqual((self.model.current.name, self.model.directs), ("lobby", {}))

    def test_joining_members_leaving_and_being_kicked(self) -> None:
        self.server.answers["join_room"] = joined("tower", 4, "ann", "eve")
        self.server.answers["history"] = {"entries": [], "more": False}
        self.server.answers["get_room_user_list"] = {
            "users": ["ann", "eve"],
            "online": ["ann"],
            "users_total": 2,
        }
        self.type("/join tower")
        self.settle()
        tower = self.model.current
        self.assertEqual((tower.name, tower.members), ("tower", {"ann", "eve"}))
        self.event("join_room", usr="bob", room_name="tower", seq=5)
        self.event("room_changed", usr="eve", room_name="tower", seq=6, topic="stones")
        self.assertEqual((tower.members, tower.topic), ({"ann", "eve", "bob"}, "stones"))
        self.event("kicked", usr="eve", by="bob", room_name="tower", seq=7)
        self.assertEqual((tower.members, tower.members_total), ({"ann", "bob"}, 2))
        self.server.answers["kick"] = {"seq": 8, "at": AT}
        self.type("/kick bob")
        self.assertEqual((tower.members, tower.members_total), ({"ann"}, 1))
        self.assertIn("ann kicked bob from #tower", self.shown())
        room = {**joined("tower", 9, "ann")["room"], "topic": "bricks", "slow": 30}
        self.server.answers["set_room"] = {"seq": 9, "at": AT, "room": room | {"moderated": True}}
        self.type("/topic bricks")
        self.assertEqual(tower.topic, "bricks")
        self.assertIn("ann changed the settings of #tower", "".join(self.shown()))
        self.assertIn("moderated, 30 s between messages", "".join(self.shown()))
        self.server.answers["mute"] = {"seq": 10, "at": AT}
        self.type("/mute zoe 10m too loud")
        self.assertRegex("".join(self.shown()), r"muted zoe in #tower until [-\d]+ [:\d]+: too")
        self.event("kicked", usr="ann", by="bob", room_name="tower", seq=11)
        self.assertEqual(self.model.current.name, "lobby")
        self.assertNotIn("tower", self.model.rooms)
        self.assertIn("bob kicked ann from #tower", self.shown()[-1])

    def test_leaving_switches_to_the_lobby(self) -> None:
        self.switch_to("garden")
        self.type("/leave")
        self.assertEqual(self.model.current.name, "lobby")
        self.assertEqual(list(self.model.rooms), ["lobby"])

    def test_a_deleted_room_is_closed(self) -> None:
        self.switch_to("garden")
        self.event("room_gone", usr="eve", room_name="garden")
        self.assertEqual(list(self.model.rooms), ["lobby"])

    def test_room_names_are_found_in_any_case(self) -> None:
        self.type("/room GARDEN")
        self.assertEqual(self.model.current.name, "garden")
        self.type("/room nowhere")
        self.assertIn("you are not in nowhere", self.shown()[-1])

    def test_presence(self) -> None:
        self.event("login", usr="eve")
        self.event("presence", logins=["zoe", "kim"], logouts=["bob"])
        self.assertEqual(self.model.online, {"ann", "eve", "zoe", "kim"})
        self.event("logout", usr="zoe")
        self.assertNotIn("zoe", self.model.online)

    def test_typing_users_are_shown_for_a_while_or_until_their_message(self) -> None:
        for usr in ("bob", "eve"):
            self.event("typing", usr=usr, room_name="lobby")
        self.assertEqual(self.model.typing_users(), ["bob", "eve"])
        self.server.say(3)
        self.server.pump()
        self.assertEqual(self.model.typing_users(), ["eve"])
        self.clock.advance(6)
        self.assertEqual(self.model.typing_users(), [])

    def test_typing_notifications_are_sent_at_intervals(self) -> None:
        for _ in range(10):
            self.controller.loader.typing()
            self.clock.advance(0.5)
        self.server.pump()
        self.assertEqual(len(self.server.asked("typing")), 2)

    def test_invitations_are_shown_and_accepted(self) -> None:
        self.push(cmd="c_invited", usr="eve", room_name="tower", msg="", at=AT)
        self.assertIn("eve invites you to #tower", self.shown()[-1])
        self.server.answers["invite_reply"] = joined("tower")
        self.type("/accept")
        self.assertEqual(self.model.current.name, "tower")

    def test_reports_and_their_answers_are_shown_wherever_the_user_is(self) -> None:
        self.switch_to("garden")
        report = {"cmd": "c_event", "report_id": 4, "usr": "eve", "of": 3, "at": AT}
        self.push(**report, type="reported", by="bob", room_name="lobby")
        self.assertIn("bob reports a message of eve in #lobby", self.shown()[-1])
        self.push(**report, type="report_answered", outcome="accepted")
        self.assertIn("was accepted", self.shown()[-1])

    def test_a_broadcast_is_shown_in_the_current_buffer(self) -> None:
        self.switch_to("garden")
        self.push(cmd="c_broadcast", usr="eve", msg="we stop at noon", at=AT)
        self.assertEqual(self.lines()[-1].kind, "broadcast")

    def test_a_login_as_json_is_a_login(self) -> None:
        self.server.answers["login"] = welcome("zoe", lobby=2)
        self.type('{"cmd":"login","type":"tmp","usr":"zoe"}')
        self.assertEqual(self.model.me, "zoe")

    def test_a_logout_shows_the_start_page(self) -> None:
        self.type("/logout")
        self.assertEqual((self.model.me, self.model.current.kind), ("", "start"))

    def test_a_reset_room_is_loaded_again(self) -> None:
        self.server.answers["resume"] = {
            **welcome("ann", lobby=1),
            "resumed": [{"room_name": "lobby", "state": "reset", "last_seq": 1}],
        }
        self.server.answers["history"] = {"entries": [spoken(1, msg="again")], "more": False}
        self.server.drop()
        self.reconnect()
        self.settle()
        texts = [line.text for line in self.lines() if line.kind == "message"]
        self.assertEqual(texts, ["again"])

    def test_completion_words(self) -> None:
        self.server.say(3, "eve")
        self.event("login", usr="\u202eevil")
        words = self.controller.completion_words()
        self.assertEqual(words.members, ("eve", "bob"))
        self.assertEqual((words.users, words.rooms), (("bob",), ("garden", "lobby")))

    def test_quit_closes_the_connection(self) -> None:
        self.type("/quit")
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual((self.server.codes, self.controller.exit_status), ([1000], EXIT_OK))

    def test_a_closed_connection_ends_the_client(self) -> None:
        self.server.close(4001, "replaced")
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.controller.exit_status, EXIT_NO_CONNECTION)
        self.assertIn("logged in elsewhere", self.controller.last_error)
