"""The word filter: what is done with texts that users write and operators do not want.

It sees messages, edits, topics, reasons (of a deletion, a mute, a kick, a ban), names of rooms,
names of users who come in, and direct messages only if the operator has set that. Each node has all
rules in memory; they are choices of operators, as those of `access` (`filter_admin`). Operators and
the server itself may write anything.

A message that is flagged is sent, and reported to those who moderate it (`flags`). Another
text that is flagged leaves a record in the audit log, and so does what is refused. All of these are
few for each account: one that goes on and on shall not push out others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gtchat.chat.audit import Actor, Audit
from gtchat.chat.errors import Filtered
from gtchat.chat.filter_rules import FilterRule, Matcher
from gtchat.chat.interfaces import PendingEntry
from gtchat.chat.limits import network_key
from gtchat.chat.names import HOST
from gtchat.chat.rooms import Room
from gtchat.chat.token_buckets import BucketTable, Rate
from gtchat.chat.users import Session

#: Begins the names of these choices.
PREFIX = "filter "
#: Records, and reports, of what an account writes: so many at once, and a minute; of each kind.
RECORDS_AT_ONCE, RECORDS_PER_MINUTE = 5, 1
#: Stands for a room in records of names and of direct messages.
NO_ROOM = "(no room)"


class WordFilter:
    """Compares texts with the rules.

    Args:
        audit: writes the audit log.
        seconds: returns monotonic seconds.

    Attributes:
        rules: id -> rule.
        directs: whether direct messages are compared, too.
        mute: mutes the user of a session in a room for a rule; set by the chat.
        report: see `Flags.report`; set by the chat.
    """

    def __init__(self, audit: Audit, seconds: Callable[[], float]) -> None:
        self._audit = audit
        self._records = BucketTable(Rate(RECORDS_PER_MINUTE / 60, RECORDS_AT_ONCE), seconds)
        self._matcher: Matcher | None = None
        self.rules: dict[str, FilterRule] = {}
        self.directs = False
        self.mute: Callable[[Session, Room, FilterRule], None] = lambda *args: None
        self.report: Callable[[FilterRule, Session, Room | None, PendingEntry], None]

    def begin(self, choices: Mapping[str, str]) -> None:
        """Begin with the rules among the choices that are stored."""
        self.rules.clear()
        self._matcher = None
        for name, value in choices.items():
            self.choose(name, value)

    def choose(self, name: str, value: str | None) -> None:
        """Take note of a choice, if it is a rule; None: the rule was removed."""
        if not name.startswith(PREFIX):
            return
        rule, rule_id = FilterRule.parse(value or ""), name.removeprefix(PREFIX)
        self.rules.pop(rule_id, None)
        if rule is not None and rule.id == rule_id:
            self.rules[rule_id] = rule
        self._matcher = None

    @property
    def matcher(self) -> Matcher:
        """All rules, compiled when they are needed."""
        if self._matcher is None:
            self._matcher = Matcher(self.rules.values())
        return self._matcher

    def check(self, session: Session, text: str, room: Room | None = None) -> FilterRule | None:
        """Check what a user writes.

        Args:
            session: a session of the user.
            text: the text, in NFC and within the bounds of such texts.
            room: where it is written, None for no room.

        Returns:
            The rule that flags it, None for none, and where enough of the user was flagged.

        Raises:
            Filtered: a rule refuses it.
        """
        if not self.rules or session.operator or session.user.key == HOST.key:
            return None
        rule = self._strongest(text, "" if room is None else room.key)
        if rule is None:
            return None
        if rule.action == "flag":
            return None if self._records.take(("flag", _account_of(session))) else rule
        where = "" if room is None else room.name
        self._note_few(rule, session.user.id, session.actor, session.user.name, where)
        if rule.action == "mute" and room is not None:
            self.mute(session, room, rule)
        raise Filtered()

    def check_other(self, session: Session, text: str, room: Room | None = None) -> None:
        """Check what a user writes outside of messages; what is flagged leaves a record.

        Args:
            session, text, room: as of `check`.

        Raises:
            Filtered: a rule refuses it.
        """
        flag = self.check(session, text, room)
        if flag is not None:
            self.note(flag, session.actor, session.user.name, "" if room is None else room.name)

    def check_name(self, name: str, address: str) -> None:
        """Check the name of a user who comes in, as displayed.

        Args:
            name: the name.
            address: IP address of the client.

        Raises:
            Filtered: a rule refuses it.
        """
        rule = self._strongest(name, "") if self.rules else None
        if rule is None:
            return
        self._note_few(rule, network_key(address), Actor(name, address=address), name, "")
        if rule.action != "flag":
            raise Filtered("This name is not allowed here.")

    def _strongest(self, text: str, room: str) -> FilterRule | None:
        """Return the rule with the strongest action that a text in a room matches."""
        found = [rule for rule in self.matcher.find(text) if rule.room in ("", room)]
        return max(found, key=lambda rule: rule.strength, default=None)

    def _note_few(
        self, rule: FilterRule, key: int | str, actor: Actor, name: str, room: str
    ) -> None:
        """Leave a record as `note` does, but few for each account or network."""
        if not self._records.take(key):
            self.note(rule, actor, name, room)

    def note(self, rule: FilterRule, actor: Actor, name: str, room: str = "", seq: int = 0) -> None:
        """Leave a record of what a rule has refused, or flagged where there is no report of it.

        Args:
            rule: the rule.
            actor: who has written it.
            name: the same, as displayed.
            room: where, "" for no room.
            seq: number of the message, 0 for what is none.
        """
        fields = {"name": name, "room": room or NO_ROOM, "rule": rule.id}
        if rule.action == "flag":
            self._audit.note("filter_flagged", actor, seq=seq, **fields)
        else:
            self._audit.note("filter_refused", actor, **fields)


def _account_of(session: Session) -> int | str:
    """Return what stands for the account of a session: guests, who cost nothing, share one."""
    user = session.user
    return user.id if user.registered else network_key(session.connection.address)
