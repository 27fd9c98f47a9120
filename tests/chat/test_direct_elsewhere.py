"""Direct messages between users at two nodes of one chat."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.chat.test_edge_cases import DelayedMethod
from tests.fakes import FakeClient, nodes

PASSWORD = "password"


class ElsewhereCase(SynchronousTestCase):
    """Ann, Bob and Eve are registered.

    Attributes:
        servers: two nodes of one chat.
        ann, bob: a client of each user at each node.
        clients: all of them, at the first node before the second one.
        options: of the servers.
    """

    options: dict[str, Any] = {}

    def setUp(self) -> None:
        self.servers = nodes(**self.options)
        self.tables = self.servers[0].store._tables
        for name in ("ann", "bob", "eve"):
            self.servers[0].connect().call("register", usr=name, pwd=PASSWORD)
        self.ann, self.bob = (
            [self.login(name, node) for node in (0, 1)] for name in ("ann", "bob")
        )
        self.clients = [self.ann[0], self.bob[0], self.ann[1], self.bob[1]]
        self.forget()

    def login(self, name: str, node: int, marks_read: bool = True) -> FakeClient:
        """Log a user in at a node, on a device of its own; the other sessions go on."""
        client = self.servers[node].connect()
        self.reply = client.login(
            name, pwd=PASSWORD, marks_read=marks_read, device=f"{name}-at-{node}"
        )
        self.assertEqual(self.reply["status"], "ok", self.reply)
        return client

    def forget(self) -> None:
        """Forget what clients were sent until now."""
        for client in self.clients:
            client.received()

    def lose_bus(self) -> None:
        """Let nodes hear of each other only where they must, and when they look."""
        self.tables.wakes = False

    def look(self) -> None:
        """Let both nodes look for what the other one has stored."""
        for server in self.servers:
            server.store.look()
            server.run_pending()

    def pushes(self, *kinds: str) -> list[list[dict[str, Any]]]:
        """Take what each of the clients was sent."""
        return [client.pushes(*kinds) for client in self.clients]

    def whisper(self, client: FakeClient, to: str, msg: str = "psst", **fields: Any) -> Any:
        return client.call("whisper", target_user=to, msg=msg, **fields)


def texts(pushes: list[dict[str, Any]]) -> list[str]:
    """Return the texts of direct messages."""
    return [push["msg"] for push in pushes]


class Messages(ElsewhereCase):
    def test_both_users_get_a_message_once_at_each_node(self) -> None:
        ack = self.whisper(self.ann[0], "bob")
        sender, *others = self.pushes()
        self.assertEqual(sender, [])
        for pushes, to in zip(others, (None, "bob", None), strict=True):
            [push] = pushes
            found = [push.get(key) for key in ("cmd", "usr", "to", "msg", "id", "seq")]
            self.assertEqual(found, ["c_whisper", "ann", to, "psst", ack["id"], 1])

    def test_notes_to_self_come_at_the_other_node(self) -> None:
        self.whisper(self.ann[0], "ann", "note")
        sender, at_first, own, at_second = self.pushes()
        self.assertEqual([sender, at_first, at_second], [[], [], []])
        [push] = own
        self.assertEqual((push["usr"], push["to"], push["msg"]), ("ann", "ann", "note"))

    def test_the_ack_says_whether_the_other_user_is_online_at_any_node(self) -> None:
        delivered = [self.whisper(self.ann[0], to)["delivered"] for to in ("bob", "eve", "ann")]
        self.bob[0].call("logout")
        delivered.append(self.whisper(self.ann[0], "bob")["delivered"])
        self.bob[1].call("logout")
        delivered.append(self.whisper(self.ann[0], "bob")["delivered"])
        self.assertEqual(delivered, ["now", "stored", "stored", "now", "stored"])

    def test_changes_come_to_both_users_at_each_node(self) -> None:
        self.whisper(self.ann[0], "bob")
        self.forget()
        for client, cmd, fields, kind in (
            (self.ann[0], "edit", {"seq": 1, "msg": "pst"}, "edited"),
            (self.bob[1], "react", {"seq": 1, "emoji": "👍"}, "reacted"),
            (self.ann[1], "delete", {"seq": 1}, "deleted"),
        ):
            other = "bob" if client in self.ann else "ann"
            reply = client.call(cmd, target_user=other, **fields)
            self.assertEqual(reply["status"], "ok", reply)
            for one, pushes in zip(self.clients, self.pushes(), strict=True):
                [push] = pushes
                seen = "bob" if one in self.ann else "ann"
                self.assertEqual((push["type"], push["target_user"]), (kind, seen), cmd)

    def test_a_user_who_blocks_meanwhile_gets_no_change(self) -> None:
        self.whisper(self.ann[0], "bob")
        self.whisper(self.bob[0], "ann")
        self.forget()
        self.lose_bus()
        self.bob[1].call("block", user="ann")
        self.assertEqual(self.ann[0].call("edit", target_user="bob", seq=1, msg="pst")["seq"], 3)
        self.look()
        self.assertEqual([len(pushes) for pushes in self.pushes("edited")], [1, 0, 1, 0])

    def test_a_message_that_is_deleted_before_it_is_read_is_not_sent(self) -> None:
        self.lose_bus()
        self.whisper(self.ann[0], "bob")
        self.ann[0].call("delete", target_user="bob", seq=1)
        self.whisper(self.ann[0], "bob", "two")
        self.forget()
        self.look()
        found = [[push.get("type", push["cmd"]) for push in one] for one in self.pushes()]
        self.assertEqual(found, [[], [], *[["deleted", "c_whisper"]] * 2])

    def test_without_the_bus_a_message_comes_with_the_next_look(self) -> None:
        self.lose_bus()
        for number in "123":
            self.whisper(self.ann[0], "bob", number)
        self.assertEqual([texts(one) for one in self.pushes()][2:], [[], []])
        self.look()
        self.look()
        self.assertEqual([texts(one) for one in self.pushes()][2:], [["1", "2", "3"]] * 2)

    def test_two_first_messages_at_once_begin_one_conversation(self) -> None:
        for client, to in ((self.ann[0], "bob"), (self.bob[1], "ann")):
            client.send("whisper", target_user=to, msg=f"to {to}", tracker="w")
        self.servers[0].run_pending()
        acks = [client.reply("w") for client in (self.ann[0], self.bob[1])]
        self.assertEqual(sorted(ack["seq"] for ack in acks), [1, 2])
        received = [sorted(texts(one)) for one in self.pushes()]
        self.assertEqual(
            received, [["to ann"], ["to ann", "to bob"]] + [["to ann", "to bob"], ["to bob"]]
        )

    def test_a_guest_of_another_node_gets_messages_and_answers(self) -> None:
        guest = self.servers[1].guest("gus")
        guest.received()
        self.assertEqual(self.whisper(self.ann[0], "gus")["delivered"], "now")
        self.assertEqual(texts(guest.pushes()), ["psst"])
        self.assertEqual(self.whisper(guest, "ann", "yes")["delivered"], "now")
        self.assertEqual(texts(self.ann[0].pushes()), ["yes"])


class Logins(ElsewhereCase):
    """Messages that other nodes store while a user logs in come once."""

    def test_a_message_before_a_login_is_in_its_reply_and_not_pushed(self) -> None:
        self.lose_bus()
        self.bob[1].drop()
        self.whisper(self.ann[0], "bob")
        client = self.login("bob", 1)
        self.assertEqual([one["unread"] for one in self.reply["directs"]], [1])
        self.look()
        self.assertEqual(client.pushes("c_whisper"), [])

    def test_a_message_after_a_login_is_pushed(self) -> None:
        self.lose_bus()
        self.bob[1].drop()
        client = self.login("bob", 1)
        self.whisper(self.ann[0], "bob")
        self.assertEqual(client.pushes("c_whisper"), [])
        self.look()
        self.assertEqual(texts(client.pushes("c_whisper")), ["psst"])

    def hold_the_first_page(self) -> tuple[FakeClient, DelayedMethod]:
        """Log Eve in with a client to which messages are pushed; hold the first page of them."""
        held = DelayedMethod(self, self.servers[1], "whispers")
        eve = self.login("eve", 1, marks_read=False)
        return eve, held

    def release(self, held: DelayedMethod) -> None:
        """Let the pages be read, one after the other."""
        while held._held:
            held.release()

    def test_what_comes_while_older_messages_are_sent_comes_after_them(self) -> None:
        self.whisper(self.bob[0], "eve", "old")
        eve, held = self.hold_the_first_page()
        self.whisper(self.ann[0], "eve", "new")
        self.assertEqual(eve.pushes("c_whisper"), [])
        self.release(held)
        self.assertEqual(texts(eve.pushes("c_whisper")), ["old", "new"])
        self.whisper(self.ann[0], "eve", "last")
        self.assertEqual(texts(eve.pushes("c_whisper")), ["last"])

    def test_messages_that_are_committed_out_of_the_order_of_their_numbers_come_all(self) -> None:
        numbers = self.tables.mailbox.directs
        numbers._last_number = 100
        self.whisper(self.ann[0], "eve", "begins")
        self.whisper(self.bob[0], "eve", "old")
        eve, held = self.hold_the_first_page()
        held.release()
        numbers._last_number = 0  # as if the next ones had been taken before
        self.whisper(self.ann[0], "eve", "late")
        self.whisper(self.ann[1], "eve", "later")
        self.release(held)
        received = texts(eve.pushes("c_whisper"))
        self.assertEqual(sorted(received), ["begins", "late", "later", "old"])
        eve.ping()
        self.assertEqual(texts(eve.pushes("c_whisper")), [])

    def test_a_message_that_arrives_at_another_session_meanwhile_ends_the_search(self) -> None:
        other = self.login("eve", 0, marks_read=False)
        eve, held = self.hold_the_first_page()
        self.whisper(self.ann[1], "eve", "for one of them")
        other.ping()
        self.release(held)
        self.assertEqual(eve.pushes("c_whisper"), [])
        self.whisper(self.ann[1], "eve", "for both")
        self.assertEqual(texts(eve.pushes("c_whisper")), ["for both"])

    def test_a_message_that_was_read_before_it_is_told_comes_once(self) -> None:
        self.whisper(self.bob[0], "eve", "zero")
        self.lose_bus()
        eve, held = self.hold_the_first_page()
        self.whisper(self.ann[0], "eve", "one")
        self.release(held)
        self.whisper(self.ann[0], "eve", "two")
        self.assertEqual(texts(eve.pushes("c_whisper")), ["zero", "one"])
        eve.ping()  # so that it is not known any more as one that may be lost
        self.look()
        self.assertEqual(texts(eve.pushes("c_whisper")), ["two"])
