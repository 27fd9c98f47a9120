"""What users of each protocol see of what users of each other protocol do, to the byte.

One server has clients of all five protocols; the tables have a row for each action. The rules are
in docs/protocols.md, "Changes of messages".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from gtchat.chat.limits import Limits
from gtchat.protocols.base.dialback_server import DialbackFactory
from gtchat.protocols.base.legacy import EDIT_INTERVAL_MS
from gtchat.protocols.livechat import WRITE_PAUSE, LiveChatFactory
from gtchat.protocols.message_center import (
    AWAY,
    BLOCKED,
    SOME_BLOCKED,
    MessageCenter,
    framed,
)
from gtchat.protocols.pa1 import COMMAND_PAUSE, PA1, PENDING_PAUSE
from gtchat.protocols.randomchat import RandomChatState
from tests.fakes import RecordingBatcher
from tests.protocols.cases import RULES, unframe
from tests.protocols.fakes import FakeConnection, TCPTestCase
from tests.protocols.randomchat.fakes import RandomClient

#: Users by their protocol. The first five are told everything; the last three block them all.
READERS = ("jon", "max", "pia", "liv", "ron")
BLOCKERS = ("jim", "mel", "pat")
PORTS = {"max": 6001, "mel": 6002, "pia": 6003, "pat": 6004}
NUMBER = "222"
HEART = "\u2764\ufe0f"

#: Stand in the tables for a seq: of ann's first message, of one of another user, of the entry.
OWN, OTHER, NEW = "own", "other", "new"

#: What a user is sent: bytes, or JSON objects.
Sent = Mapping[str, list[Any]]


@attrs.frozen
class Row:
    """What ann does over the JSON API, and what others see.

    Attributes:
        cmd, fields: the request, without its place.
        json: the push that clients of the JSON API get, without its place, id and time.
        text: what clients of the older protocols see as a message of ann; None: nothing.
        says: whether it is something that ann says, which users who block ann do not get.
        wait: seconds that pass before it.
    """

    cmd: str
    fields: dict[str, Any]
    json: dict[str, Any]
    text: str | None
    says: bool = True
    wait: float = 0.0


def said(msg: str, **more: Any) -> dict[str, Any]:
    return {"msg": msg, "seq": NEW, **more}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"cmd": "c_event", "type": kind, "seq": NEW, "of": OWN, **fields}


LATER = EDIT_INTERVAL_MS / 1000
TABLE = (
    Row("speak", {"msg": "hello"}, said("hello"), "hello"),
    Row(
        "speak",
        {"msg": "yes", "reply": OTHER},
        said("yes", reply={"seq": OTHER, "usr": "jon"}),
        "jon: yes",
    ),
    Row(
        "speak",
        {"msg": "well, Jon!", "reply": OTHER},
        said("well, Jon!", reply={"seq": OTHER, "usr": "jon"}),
        "well, Jon!",
    ),
    Row(
        "speak",
        {"msg": "waves", "style": "action"},
        said("waves", style="action"),
        "* ann waves",
    ),
    Row(
        "speak",
        {"msg": "nods", "style": "action", "reply": OTHER},
        said("nods", style="action", reply={"seq": OTHER, "usr": "jon"}),
        "jon: * ann nods",
    ),
    Row("edit", {"seq": OWN, "msg": "hullo"}, event("edited", msg="hullo"), "(edited) hullo"),
    Row("edit", {"seq": OWN, "msg": "hallo"}, event("edited", msg="hallo"), None),
    Row(
        "edit",
        {"seq": OWN, "msg": "a\nb"},
        event("edited", msg="a\nb"),
        "(edited) a\nb",
        wait=LATER,
    ),
    Row(
        "react", {"seq": OWN, "emoji": HEART}, event("reacted", emoji=HEART, on=True), None
    ),
    Row(
        "react",
        {"seq": OWN, "emoji": HEART, "on": False},
        event("reacted", emoji=HEART, on=False),
        None,
    ),
    Row(
        "delete",
        {"seq": OWN, "reason": "typo"},
        event("deleted", by="ann", reason="typo"),
        None,
        says=False,
    ),
)  # fmt: skip


def shown(name: str, usr: str, text: str, direct: bool = False) -> object:
    """Return what a client of an older protocol is sent of a message.

    Args:
        name: the user of the client.
        usr: the author.
        text: the text, as it is shown.
        direct: whether it is a direct message.
    """
    indented = text.replace("\n", "\n    ")
    if name in ("max", "mel"):
        return framed(f"[{usr}]: {indented}")
    if name in ("pia", "pat"):
        return (f"\n{usr}:{indented}\n" if direct else f"{usr} said: {indented}\n").encode()
    if name == "liv":
        return f"{usr} (to you alone) > {indented}" if direct else f"{usr} > {indented}"
    phone = NUMBER if usr == "ron" else ""
    author = {"name": usr, "phone": phone, "disconnection_date": None}
    owner = author if direct else {"name": "", "phone": "", "disconnection_date": None}
    chat = {"name": usr if direct else "lobby", "members": [], "owner": owner}
    return {"type": "message", "chat": chat, "from": author, "message": text}


class Matrix(TCPTestCase):
    limits = Limits(
        commands_per_second=0, ping_interval=0, registrations_per_minute=0, heartbeat_timeout=0
    )

    def setUp(self) -> None:
        super().setUp()
        names = {name for name in (*READERS, *BLOCKERS) if name not in ("liv", "ron")}
        self.register("ann", *sorted(names))
        self.json = {name: self.log_in_web(name) for name in ("ann", "jon", "jim")}
        self.center = DialbackFactory(MessageCenter(self.chat, self.reactor, RULES))
        self.pa1 = DialbackFactory(PA1(self.chat, self.reactor, RULES))
        self.tokens: dict[str, str] = {}
        for name in ("max", "mel"):
            self.log_in_center(name)
        for name in ("pia", "pat"):
            self.pa1_line(f"logIn {name} password {PORTS[name]}")
        self.liv = FakeConnection(self.server, LiveChatFactory(self.chat, self.reactor))
        self.liv.send(b"liv")
        batcher: Any = RecordingBatcher()
        self.state = RandomChatState(self.chat, batcher, lambda payload: payload + b"\n")
        self.ron = RandomClient(self)  # type: ignore[arg-type]
        self.ron.register("ron", NUMBER)
        for name in ("ann", *READERS):
            self.json["jim"].call("block", user=name)
            self.center_request("mel", "BLC", f"1|{name}")
            self.pa1_line(f"pat block {name}")
        self.taken()

    # Clients.

    def log_in_center(self, name: str) -> None:
        client = FakeConnection(self.server, self.center)
        for body in ("LIN", name, "password"):
            client.send(framed(body))
        self.tokens[name] = unframe(b"".join(client.received()))[1]
        for body in ("host", str(PORTS[name])):
            client.send(framed(body))

    def center_request(self, name: str, kind: str, rest: str) -> None:
        client = FakeConnection(self.server, self.center)
        client.send(framed(f"{kind}|{name}|{self.tokens[name]}|{rest}"))

    def pa1_line(self, line: str) -> None:
        FakeConnection(self.server, self.pa1).send(line.encode())
        self.reactor.advance(COMMAND_PAUSE)
        self.server.run_pending()

    def taken(self) -> dict[str, list[object]]:
        """Return what each user was sent since the last time; those who were not are left out."""
        taken: dict[str, list[object]] = {}
        by_port = {port: name for name, port in PORTS.items()}
        for port, data in self.answer_calls(PENDING_PAUSE):
            taken.setdefault(by_port[port], []).append(data)
        for _ in range(8):
            self.reactor.advance(WRITE_PAUSE)
        for data in self.liv.received():
            if re.match(rb"\[\d\d:\d\d:\d\d\] ", data):
                taken.setdefault("liv", []).append(data[11:].decode())
        for thing in self.ron.received():
            thing.pop("date", None)
            taken.setdefault("ron", []).append(thing)
        for name, client in self.json.items():
            for push in client.pushes():
                self.assertEqual(push.pop("tracker"), "0")
                self.assertRegex(push.pop("at"), r"^20\d\d-.*Z$")
                push.pop("id", None)
                taken.setdefault(name, []).append(push)
        return taken

    # Expectations.

    def in_lobby(self, usr: str, text: str | None, push: dict[str, Any]) -> Sent:
        """Return what all others who do not block a user are sent of a message in the lobby."""
        author = push["usr"]
        shows = [name for name in READERS if name not in (usr, "jon") and text is not None]
        sent = {name: [shown(name, author, text or "")] for name in shows}
        return {**sent, **{name: [push] for name in ("ann", "jon") if name != usr}}

    def done(self, row: Row, seqs: dict[str, int], **place: str) -> dict[str, Any]:
        """Let ann do something; return the push that says so, without its place."""
        self.reactor.advance(row.wait)
        fields = {name: seqs.get(value, value) for name, value in row.fields.items()}
        reply = self.json["ann"].call(row.cmd, **place, **fields)
        self.assertEqual(reply["status"], "ok", row)
        seqs[NEW] = reply["seq"]
        seqs.setdefault(OWN, reply["seq"])
        return with_seqs({"usr": "ann", **row.json}, seqs)

    # Tests.

    def test_actions_in_the_lobby(self) -> None:
        seqs = {OTHER: self.json["jon"].call("speak", room_name="lobby", msg="first")["seq"]}
        self.taken()
        for row in TABLE:
            push = {"cmd": "c_speak", "room_name": "lobby"}
            push.update(self.done(row, seqs, room_name="lobby"))
            expected = dict(self.in_lobby("ann", row.text, push))
            if row.cmd != "speak":
                expected["ann"] = [push]
            if not row.says:
                expected["jim"] = [push]
            self.assertEqual(self.taken(), expected, row)

    def test_actions_in_direct_messages(self) -> None:
        for name in READERS:
            seqs: dict[str, int] = {}
            for row in TABLE:
                if seqs and OTHER not in seqs:  # not all can answer: ann replies to the own message
                    seqs[OTHER] = seqs[OWN]
                body = self.done(row, seqs, target_user=name)
                text = row.text
                if "reply" in body:
                    body["reply"]["usr"] = "ann"
                    text = (text or "").replace("jon:", "ann:").replace("well", "ann: well")
                is_message = row.cmd == "speak"
                push = (
                    {"cmd": "c_whisper", **body} if is_message else {**body, "target_user": "ann"}
                )
                expected: dict[str, list[object]] = {}
                if name == "jon":
                    expected["jon"] = [push]
                elif text is not None:
                    expected[name] = [shown(name, "ann", text, direct=True)]
                if not is_message:
                    expected["ann"] = [{**push, "target_user": name}]
                self.assertEqual(self.taken(), expected, (name, row))

    def test_users_who_block_the_author_get_no_direct_messages(self) -> None:
        for name in BLOCKERS:
            reply = self.json["ann"].call("speak", target_user=name, msg="hello")
            self.assertEqual((reply.get("code"), self.taken()), ("blocked", {}), name)

    def test_messages_of_each_protocol_in_the_lobby(self) -> None:
        for usr, more in (("max", {}), ("pia", {}), ("liv", {"guest": True}), ("ron", {})):
            seq = self.said_in_lobby(usr)
            push = {"cmd": "c_speak", "room_name": "lobby", "usr": usr, "msg": "hi", "seq": seq}
            expected = dict(self.in_lobby(usr, "hi", {**push, **more}))
            if usr == "max":  # whose protocol tells the author of blocks
                expected["max"] = [framed(SOME_BLOCKED)]
            elif usr == "ron":  # whose protocol sends messages to their author, too
                expected["ron"] = [shown("ron", "ron", "hi")]
            self.assertEqual(self.taken(), expected, usr)
            self.check_changes(usr, seq)

    def said_in_lobby(self, usr: str) -> int:
        """Let a user say "hi" in the lobby, as the protocol of the user does; return the seq."""
        if usr == "max":
            self.center_request("max", "BRD", "hi")
        elif usr == "pia":
            self.pa1_line("pia broadcast hi")
        elif usr == "liv":
            self.liv.send(b"hi\n")
        else:
            self.ron.write("send_message", chat="lobby", message="hi")
            self.server.run_pending()
        return self.chat.rooms.lobby.last_seq

    def check_changes(self, usr: str, seq: int) -> None:
        """Check what ann, and the author by another client, do with the message of a user."""
        ann = self.json["ann"]
        place = {"room_name": "lobby"}
        reply = {"seq": seq, "usr": usr}
        new = ann.call("speak", **place, msg="yes", reply=seq)["seq"]
        push = {"cmd": "c_speak", **place, "usr": "ann", "msg": "yes", "seq": new, "reply": reply}
        self.assertEqual(self.taken(), self.in_lobby("ann", f"{usr}: yes", push), usr)
        new = ann.call("react", **place, seq=seq, emoji=HEART)["seq"]
        change = {**place, "of": seq}
        push = {**event("reacted", emoji=HEART, on=True), **change, "usr": "ann", "seq": new}
        self.assertEqual(self.taken(), {"ann": [push], "jon": [push]}, usr)
        self.assertEqual(ann.call("edit", **place, seq=seq, msg="new")["code"], "not_author")
        self.assertEqual(ann.call("delete", **place, seq=seq)["code"], "not_author")
        if usr not in ("max", "pia"):
            return
        client = self.json[usr] = self.log_in_web(usr)
        self.taken()
        new = client.call("edit", **place, seq=seq, msg="new")["seq"]
        push = {**event("edited", msg="new"), **change, "usr": usr, "seq": new}
        expected = dict(self.in_lobby("", "(edited) new", push))
        # The author has clients of two protocols.
        expected[usr] = [shown(usr, usr, "(edited) new"), push]
        self.assertEqual(self.taken(), expected, usr)
        new = client.call("delete", **place, seq=seq)["seq"]
        push = {**event("deleted", by=usr, reason=""), **change, "usr": usr, "seq": new}
        told = ("ann", "jon", "jim", usr)
        self.assertEqual(self.taken(), {name: [push] for name in told}, usr)
        self.json.pop(usr).drop(clean=True)
        self.taken()

    def test_direct_messages_of_each_protocol(self) -> None:
        for usr in ("max", "pia"):
            for name in (*READERS, *BLOCKERS):
                if name == usr:
                    continue
                if usr == "max":
                    self.center_request("max", "MSG", f"{name}|hi")
                else:
                    self.pa1_line(f"pia message {name} hi")
                expected: object = shown(name, usr, "hi", direct=True)
                if name == "jon":
                    expected = {"cmd": "c_whisper", "usr": usr, "msg": "hi", "seq": 1}
                refused = (
                    framed(BLOCKED)
                    if usr == "max"
                    else b"\nyou are blocked by this user, sending failed\n"
                )
                sent = {usr: [refused]} if name in BLOCKERS else {name: [expected]}
                self.assertEqual(self.taken(), sent, (usr, name))

    def test_what_users_were_sent_while_they_were_away(self) -> None:
        self.center_request("max", "OUT", "")
        self.pa1_line("pia logout")
        self.ron.drop()
        self.json.pop("jon").drop(clean=True)
        self.taken()
        ann = self.json["ann"]
        for name in ("max", "pia", "ron", "jon"):
            place = {"target_user": name}
            for msg in ("one", "two", "three"):
                ann.call("speak", **place, msg=msg)
            ann.call("speak", **place, msg="waves", style="action", reply=3)
            ann.call("edit", **place, seq=1, msg="first")
            ann.call("delete", **place, seq=2)
            ann.call("react", **place, seq=3, emoji=HEART)
        self.taken()
        texts = ("first", "three", "ann: * ann waves")
        self.log_in_center("max")
        self.pa1_line(f"logIn pia password {PORTS['pia']}")
        self.ron = RandomClient(self)  # type: ignore[arg-type]
        self.ron.write("register", user={"name": "ron", "phone": NUMBER})
        jon = self.server.connect()
        jon.login("jon", pwd="password")
        self.json["jon"] = jon
        taken = self.taken()
        whispers = [one for one in taken["ron"] if isinstance(one, dict) and "from" in one]
        pushes = [
            {key: one[key] for key in ("seq", "msg", "edited", "style") if key in one}
            for one in taken["jon"]
            if isinstance(one, dict) and one["cmd"] == "c_whisper"
        ]
        self.assertEqual(
            (taken["max"][0], taken["pia"][0], whispers, pushes),
            (
                framed(AWAY + "".join(f"[ann]: {text}\n" for text in texts)),
                ("Ok " + "".join(f"\nann said:{text}\n" for text in texts)).encode(),
                [shown("ron", "ann", text, direct=True) for text in texts],
                [
                    {"seq": 1, "msg": "first", "edited": True},
                    {"seq": 3, "msg": "three"},
                    {"seq": 4, "msg": "waves", "style": "action"},
                ],
            ),
        )

    def test_edits_to_two_users_of_one_protocol_are_both_shown(self) -> None:
        ann = self.json["ann"]
        for name in ("mel", "pat"):
            (self.center_request if name == "mel" else self.unblock)(name, "BLC", "0|ann")
        self.taken()
        for first, second in (("max", "mel"), ("pia", "pat")):
            for name in (first, second):
                self.assertEqual(ann.call("speak", target_user=name, msg="old")["seq"], 1)
            self.taken()
            for name in (first, second):
                ann.call("edit", target_user=name, seq=1, msg="new")
                taken = self.taken()
                expected = [shown(name, "ann", "(edited) new", direct=True)]
                self.assertEqual(taken.get(name), expected, name)

    def unblock(self, name: str, kind: str, rest: str) -> None:
        """Let a user of PA1 unblock ann; see `center_request`."""
        self.pa1_line(f"{name} unblock ann")


def with_seqs(value: Any, seqs: dict[str, int]) -> Any:
    """Return a push with the numbers that stand for `OWN`, `OTHER` and `NEW`."""
    if isinstance(value, dict):
        return {
            key: seqs[one] if key in ("seq", "of") else with_seqs(one, seqs)
            for key, one in value.items()
        }
    return value
