"""What a person does in the full screen, and what he knows, with a server in memory."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gtchat.client.messages import Push
from gtchat.ui.interpreter import GOOD, NO_CONNECTION
from gtchat.ui.rendering import Renderer
from gtchat.ui.tui.buffer import LINES_MOST, Line, Talk
from gtchat.ui.tui.controller import Desk
from gtchat.ui.tui.model import World
from tests.client.fakes import AT, ConnectedTestCase, resumed, spoken, welcome, whisper

EPOCH = datetime(2030, 5, 6, 7, 0, tzinfo=timezone.utc)


def entered(name: str, last_seq: int = 0, *users: str) -> dict[str, Any]:
    """The data of a reply that brings one into a room."""
    room = {"room_name": name, "last_seq": last_seq, "users": users, "users_total": len(users)}
    return {"room": room}


class DeskTestCase(ConnectedTestCase):
    def setUp(self) -> None:
        super().setUp()
        opened = Deferred.fromCoroutine(self.connection.open())
        self.server.pump()
        self.successResultOf(opened)
        self.world = World(lambda: EPOCH + timedelta(seconds=self.clock.seconds()))
        self.crashes: list[Failure] = []
        self.desk = Desk(
            self.connection,
            self.world,
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
        """Entries of a room, five in a page."""
        last = {"lobby": 2, "garden": 30}[request["room_name"]]
        end = request.get("before", last + 1)
        seqs = range(max(1, end - 5), end)
        return {
            "entries": [spoken(seq, room=request["room_name"]) for seq in seqs],
            "more": bool(seqs) and seqs[0] > 1,
        }

    def start(self, *first: str) -> None:
        self.running = Deferred.fromCoroutine(self.desk.run(first))
        self.settle()

    def settle(self) -> None:
        """Stay where one is, until what is missing is there."""
        self.server.pump()
        self.clock.advance(0.2)
        self.server.pump()

    def type(self, *lines: str) -> None:
        for line in lines:
            self.desk.enter(line)
            self.server.pump()

    def go_to(self, name: str) -> Talk:
        talk = self.world.rooms[name]
        self.desk.go_to(talk)
        self.settle()
        return talk

    def push(self, **fields: Any) -> None:
        self.server.push(**fields)
        self.server.pump()

    def event(self, kind: str, **fields: Any) -> None:
        self.push(cmd="c_event", type=kind, at=AT, **fields)

    def lines(self) -> list[Line]:
        return self.world.current.lines

    def shown(self) -> list[str]:
        return [line.text for line in self.lines()]

    def states(self) -> list[tuple[str, str]]:
        """What one has said here, and what has become of it."""
        return [(line.text, line.state) for line in self.lines() if line.usr == "ann"]


class BeforeTests(DeskTestCase):
    def test_one_is_told_how_to_come_in(self) -> None:
        self.start()
        self.assertIn("/guest NAME", self.shown()[0])
        self.type("hello?")
        self.assertEqual(self.lines()[-1].kind, "error")
        self.assertEqual(self.server.requests, [])

    def test_a_password_is_asked_for_and_is_no_message(self) -> None:
        self.start("/login ann")
        self.assertEqual(self.desk.asking, "Password")
        self.type("password1")
        self.assertEqual(self.desk.asking, "")
        self.assertEqual(self.server.asked("login")[0]["pwd"], "password1")
        self.assertNotIn("password1", " ".join(self.shown()))

    def test_a_secret_can_be_kept(self) -> None:
        self.start("/login ann")
        self.desk.cancel()
        self.server.pump()
        self.assertEqual((self.desk.asking, self.server.requests), ("", []))
        self.assertIn("nothing was sent", self.shown()[-1])

    def test_a_new_password_that_was_mistyped_is_not_sent(self) -> None:
        self.start("/register ann")
        self.type("password1", "password2")
        self.assertEqual(self.server.requests, [])
        self.assertIn("not the same", self.shown()[-1])

    def test_commands_wait_for_their_turn_and_local_ones_do_not(self) -> None:
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
        self.assertIn("there is no /nothing", self.shown()[-1])


class InsideTests(DeskTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.start("/guest ann")

    def test_coming_in_shows_the_lobby_with_its_history(self) -> None:
        self.assertEqual(self.world.current.name, "lobby")
        self.assertEqual(self.shown()[:2], ["text 1", "text 2"])
        self.assertEqual([talk.name for talk in self.world.talks], ["lobby", "garden"])
        self.assertEqual(self.world.here, {"ann", "bob"})

    def test_a_message_is_seen_at_once_then_as_sent(self) -> None:
        self.server.answers["speak"] = None
        self.type("hello")
        self.assertEqual(self.states(), [("hello", "sending")])
        self.server.reply(self.server.asked("speak")[0], seq=3, id="x", at=AT)
        self.server.pump()
        self.assertEqual(self.states(), [("hello", "")])
        self.assertEqual(self.lines()[-1].seq, 3)

    def test_a_message_that_is_refused_says_why(self) -> None:
        self.server.answers["speak"] = {"code": "not_in_room", "msg": "You are not in it."}
        self.type("hello")
        self.assertEqual(self.states(), [("hello", "failed")])
        self.assertIn("not_in_room", self.lines()[-1].why)

    def test_messages_go_to_where_they_were_typed_one_after_the_other(self) -> None:
        self.server.answers["speak"] = None
        self.type("one", "//two")
        self.go_to("garden")
        self.type("three")
        for number in range(3):
            asked = self.server.asked("speak")
            self.assertEqual(len(asked), number + 1)
            self.server.reply(asked[-1], seq=40 + number, id=f"i{number}", at=AT)
            self.server.pump()
        self.assertEqual(
            [(said["room_name"], said["msg"]) for said in asked],
            [("lobby", "one"), ("lobby", "/two"), ("garden", "three")],
        )

    def test_what_is_said_while_there_is_no_connection_is_said_once_afterwards(self) -> None:
        self.server.answers["resume"] = resumed(spoken(3), spoken(4))
        self.server.answers["speak"] = {"seq": 5, "id": "lobby-5", "at": AT}
        self.server.drop()
        self.type("meanwhile")
        self.assertEqual(self.states(), [("meanwhile", "sending")])
        self.reconnect()
        self.settle()
        self.assertEqual(self.states(), [("meanwhile", "")])
        entries = [line.text for line in self.lines() if line.kind == "said"]
        self.assertEqual(entries, ["text 1", "text 2", "text 3", "text 4", "meanwhile"])

    def test_who_is_here_is_asked_again_after_a_loss(self) -> None:
        self.server.answers["resume"] = welcome("ann", lobby=2)
        self.server.answers["get_user_list"] = {"users": ["ann", "zoe"], "users_total": 2}
        self.server.drop()
        self.reconnect()
        self.settle()
        self.assertEqual(self.world.here, {"ann", "zoe"})

    def test_what_comes_elsewhere_is_counted_and_marked(self) -> None:
        self.server.say(31, room="garden")
        self.server.say(32, room="garden", msg="ann, look")
        self.server.pump()
        garden = self.world.rooms["garden"]
        self.assertEqual((garden.unread, garden.mentioned), (2, True))
        self.go_to("garden")
        self.assertEqual((garden.unread, garden.mentioned), (0, False))
        (new,) = [line for line in garden.lines if line.number == garden.new_from]
        self.assertEqual(new.seq, 31)

    def test_what_is_seen_is_marked_as_read_at_most_once_a_second(self) -> None:
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

    def test_however_much_is_said_where_one_is_so_much_is_kept(self) -> None:
        for seq in range(3, 2 * LINES_MOST):
            self.world.happened(Push(cmd="c_speak", room_name="lobby", usr="bob", seq=seq))
        self.assertTrue(len(self.lines()) <= LINES_MOST * 3 // 2)
        self.assertEqual(self.lines()[-1].seq, 2 * LINES_MOST - 1)

    def test_what_is_read_elsewhere_is_no_longer_new(self) -> None:
        self.server.say(31, room="garden")
        self.server.pump()
        self.assertEqual(self.world.rooms["garden"].unread, 1)
        self.event("marked_read", room_name="garden", seq=31)
        self.assertEqual(self.world.rooms["garden"].unread, 0)

    def test_history_comes_page_by_page_to_the_beginning(self) -> None:
        garden = self.go_to("garden")
        pages = 1
        while not garden.complete:
            self.desk.start(self.desk.looking.load(garden))
            self.server.pump()
            pages += 1
        self.assertEqual([line.seq for line in garden.lines], list(range(1, 31)))
        self.assertEqual(pages, 6)

    def test_who_runs_through_rooms_asks_for_the_one_where_he_stays(self) -> None:
        self.server.requests.clear()
        for _ in range(5):
            self.desk.go_to(self.world.rooms["garden"])
            self.desk.go_to(self.world.rooms["lobby"])
        self.settle()
        self.assertEqual(self.server.asked("history"), [])

    def test_a_whisper_opens_a_conversation(self) -> None:
        self.push(**whisper(1))
        talk = self.world.whispers["bob"]
        self.assertEqual((talk.unread, talk.lines[0].text), (1, "psst 1"))
        self.desk.go_to(talk)
        self.type("psst yourself")
        (request,) = self.server.asked("whisper")
        self.assertEqual((request["target_user"], request["msg"]), ("bob", "psst yourself"))

    def test_whispering_goes_there_and_tells_who_is_away(self) -> None:
        self.server.answers["whisper"] = {"id": "w9", "at": AT, "delivered": "stored"}
        self.type("/whisper zoe good night")
        self.assertEqual(self.world.current.name, "zoe")
        self.assertEqual(self.states(), [("good night", "waiting")])
        self.type("/leave")
        self.assertIn("this is no room", self.shown()[-1])
        self.desk.close()
        self.assertEqual((self.world.current.name, self.world.whispers), ("lobby", {}))

    def test_rooms_come_and_go(self) -> None:
        self.server.answers["join_room"] = entered("tower", 4, "ann", "eve")
        self.server.answers["history"] = {"entries": [], "more": False}
        self.server.answers["get_room_user_list"] = {
            "users": ["ann", "eve"],
            "online": ["ann"],
            "users_total": 2,
        }
        self.type("/join tower")
        self.settle()
        tower = self.world.current
        self.assertEqual((tower.name, tower.members), ("tower", {"ann", "eve"}))
        self.event("join_room", usr="bob", room_name="tower", seq=5)
        self.event("room_changed", usr="eve", room_name="tower", seq=6, topic="stones")
        self.assertEqual((tower.members, tower.topic), ({"ann", "eve", "bob"}, "stones"))
        self.event("kicked", usr="eve", by="bob", room_name="tower", seq=7)
        self.assertEqual((tower.members, tower.members_total), ({"ann", "bob"}, 2))
        self.event("kicked", usr="ann", by="bob", room_name="tower", seq=8)
        self.assertEqual(self.world.current.name, "lobby")
        self.assertNotIn("tower", self.world.rooms)
        self.assertIn("bob put ann out of #tower", self.shown()[-1])

    def test_leaving_goes_to_the_lobby(self) -> None:
        self.go_to("garden")
        self.type("/leave")
        self.assertEqual(self.world.current.name, "lobby")
        self.assertEqual(list(self.world.rooms), ["lobby"])

    def test_a_room_that_is_gone_is_left(self) -> None:
        self.go_to("garden")
        self.event("room_gone", usr="eve", room_name="garden")
        self.assertEqual(list(self.world.rooms), ["lobby"])

    def test_a_room_is_gone_to_in_any_case(self) -> None:
        self.type("/room GARDEN")
        self.assertEqual(self.world.current.name, "garden")
        self.type("/room nowhere")
        self.assertIn("you are not in nowhere", self.shown()[-1])

    def test_presence(self) -> None:
        self.event("login", usr="eve")
        self.event("presence", logins=["zoe", "kim"], logouts=["bob"])
        self.assertEqual(self.world.here, {"ann", "eve", "zoe", "kim"})
        self.event("logout", usr="zoe")
        self.assertNotIn("zoe", self.world.here)

    def test_who_types_is_seen_for_a_while_or_until_he_has_spoken(self) -> None:
        for usr in ("bob", "eve"):
            self.event("typing", usr=usr, room_name="lobby")
        self.assertEqual(self.world.typists(), ["bob", "eve"])
        self.server.say(3)
        self.server.pump()
        self.assertEqual(self.world.typists(), ["eve"])
        self.clock.advance(6)
        self.assertEqual(self.world.typists(), [])

    def test_others_are_told_that_one_types_now_and_then(self) -> None:
        for _ in range(10):
            self.desk.looking.typing()
            self.clock.advance(0.5)
        self.server.pump()
        self.assertEqual(len(self.server.asked("typing")), 2)

    def test_invitations_are_told_and_taken(self) -> None:
        self.push(cmd="c_invited", usr="eve", room_name="tower", msg="", at=AT)
        self.assertIn("eve invites you to #tower", self.shown()[-1])
        self.server.answers["invite_reply"] = entered("tower")
        self.type("/accept")
        self.assertEqual(self.world.current.name, "tower")

    def test_a_broadcast_is_seen_where_one_is(self) -> None:
        self.go_to("garden")
        self.push(cmd="c_broadcast", usr="eve", msg="we stop at noon", at=AT)
        self.assertEqual(self.lines()[-1].kind, "broadcast")

    def test_a_login_as_json_is_a_login(self) -> None:
        self.server.answers["login"] = welcome("zoe", lobby=2)
        self.type('{"cmd":"login","type":"tmp","usr":"zoe"}')
        self.assertEqual(self.world.me, "zoe")

    def test_after_a_logout_one_is_outside(self) -> None:
        self.type("/logout")
        self.assertEqual((self.world.me, self.world.current.kind), ("", "start"))

    def test_a_log_that_is_another_one_is_loaded_anew(self) -> None:
        self.server.answers["resume"] = {
            **welcome("ann", lobby=1),
            "resumed": [{"room_name": "lobby", "state": "reset", "last_seq": 1}],
        }
        self.server.answers["history"] = {"entries": [spoken(1, msg="anew")], "more": False}
        self.server.drop()
        self.reconnect()
        self.settle()
        said = [line.text for line in self.lines() if line.kind == "said"]
        self.assertEqual(said, ["anew"])

    def test_words_for_completion(self) -> None:
        self.server.say(3, "eve")
        self.event("login", usr="\u202eevil")
        words = self.desk.vocabulary()
        self.assertEqual(words.here, ("eve", "bob"))
        self.assertEqual((words.users, words.rooms), (("bob",), ("garden", "lobby")))

    def test_leaving_closes_the_connection(self) -> None:
        self.type("/quit")
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual((self.server.codes, self.desk.status), ([1000], GOOD))

    def test_a_connection_that_ends_for_good_ends_it(self) -> None:
        self.server.close(4001)
        self.server.pump()
        self.successResultOf(self.running)
        self.assertEqual(self.desk.status, NO_CONNECTION)
        self.assertIn("another client", self.desk.last_words)
