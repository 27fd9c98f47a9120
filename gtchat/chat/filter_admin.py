"""What operators do with the word filter: add, list and remove rules, and try one on the log."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from gtchat.chat.admin_store import COUNTED_ENTRIES, ScanQuery
from gtchat.chat.audit import Actor, write_line
from gtchat.chat.authority import MAX_SECONDS
from gtchat.chat.background import Progress, no_progress
from gtchat.chat.errors import BadRequest, RateLimited, TooMany
from gtchat.chat.filter_rules import PATTERN_CHARS, FilterRule, Matcher, require_regexes
from gtchat.chat.names import room_key
from gtchat.chat.node_records import ChoiceMade, ForeignHandlers
from gtchat.chat.normalization import nfc
from gtchat.chat.state import State
from gtchat.chat.word_filter import PREFIX

#: Most regular expressions.
MAX_REGEXES = 100
#: Entries that are read at a time.
SLICE = 2_000


@attrs.frozen
class Trial:
    """What a rule would have done.

    Attributes:
        messages: how many messages it matches.
        users: how many users wrote them.
        read: how many messages were compared with it.
        complete: whether those are all messages of the time that was asked for.
    """

    messages: int
    users: int
    read: int
    complete: bool


class FilterAdmin:
    """The word filter, for operators.

    Args:
        state: the chat's shared objects.
    """

    def __init__(self, state: State) -> None:
        self._store = state.store
        self._audit = state.audit
        self._limits = state.limits
        self._loader = state.loader
        self._now = state.users.now
        self._filter = state.word_filter
        self._is_testing = False

    def foreign_handlers(self) -> ForeignHandlers:
        """Return what this part does with system entries of other nodes."""
        return {ChoiceMade: self._chosen_elsewhere}

    def _chosen_elsewhere(self, node_id: int, entry: ChoiceMade) -> None:
        self._filter.choose(entry.name, entry.value)

    def listed(self) -> list[FilterRule]:
        """Return the rules in the order in which they were added."""
        return sorted(self._filter.rules.values(), key=lambda rule: (rule.at, rule.id))

    async def add(self, rule: FilterRule, room: str | None, actor: Actor) -> FilterRule:
        """Add a rule, in place of one with its pattern and room. Return it.

        Args:
            rule: pattern, action and time as they were typed.
            room: the name of the room in which it holds, None for all.
            actor: who does it.

        Raises:
            BadRequest: it is no rule; it is a regular expression, and google-re2 is missing.
            NoSuchRoom, TooLong, TooMany, NotStored.
        """
        rule = await self._checked(rule, room)
        if rule.action != "mute":
            rule = attrs.evolve(rule, seconds=0)
        elif not 0 < rule.seconds <= MAX_SECONDS:
            raise BadRequest(f"for: must be 1 to {MAX_SECONDS} seconds.")
        rule = attrs.evolve(rule, by=actor.name, at=self._now())
        others = [one for one in self._filter.rules.values() if one.id != rule.id]
        if 0 < self._limits.filter_rules <= len(others):
            raise TooMany("There are as many rules as the limit `filter_rules` allows.")
        if rule.is_regex and sum(one.is_regex for one in others) >= MAX_REGEXES:
            raise TooMany(f"There are {MAX_REGEXES} regular expressions already.")
        Matcher(one for one in [*others, rule] if one.is_regex)  # they may be too much together
        await self._choose(rule, rule.stored(), "filter_added", actor)
        return rule

    async def remove(self, rule_id: str, actor: Actor) -> FilterRule:
        """Remove a rule. Return it.

        Raises:
            BadRequest: there is no rule with that id.
            NotStored.
        """
        rule = self._filter.rules.get(rule_id)
        if rule is None:
            raise BadRequest("id: there is no such rule.")
        await self._choose(rule, None, "filter_removed", actor)
        return rule

    async def test(
        self, rule: FilterRule, room: str | None, days: int, progress: Progress = no_progress
    ) -> Trial:
        """Return what a rule would have done with the messages that are stored.

        They are read in slices, newest first, in a thread of the store: at most `COUNTED_ENTRIES`.

        Args:
            rule, room: as in `add`.
            days: for how many days back.
            progress: shows how far it is at least.

        Raises:
            BadRequest, NoSuchRoom, TooLong, NotStored.
            RateLimited: another rule is being tested.
        """
        if self._is_testing:  # several would take all threads that read
            raise RateLimited("Another rule is being tested.", retry_after=10)
        self._is_testing = True
        try:
            return await self._test(rule, room, days, progress)
        finally:
            self._is_testing = False

    async def _test(
        self, rule: FilterRule, room: str | None, days: int, progress: Progress
    ) -> Trial:
        """See `test`."""
        rule = await self._checked(rule, room)
        room_id = None if room is None else (await self._loader.look(room)).id
        since = self._now() - days * 24 * 3600 * 1000
        query = ScanQuery(since, room_id, self._filter.directs, limit=SLICE)
        matches: Callable[[str], bool] = Matcher([rule]).matches
        users: set[int | str] = set()
        messages = read = entries = 0
        while entries < COUNTED_ENTRIES:
            found = await self._store.scan(query, matches)
            messages, read = messages + found.matching, read + found.messages
            users |= found.users
            entries += SLICE
            progress(entries, COUNTED_ENTRIES)
            if found.before is None:
                return Trial(messages, len(users), read, True)
            query = attrs.evolve(query, before=found.before)
        return Trial(messages, len(users), read, False)

    async def _checked(self, rule: FilterRule, room: str | None) -> FilterRule:
        """Return a rule with its room.

        Raises:
            BadRequest, NoSuchRoom, TooLong, NotStored.
        """
        if rule.is_regex:
            require_regexes()
        pattern = nfc(rule.pattern, PATTERN_CHARS, "pattern")
        if not pattern.strip() or not pattern.isprintable():
            raise BadRequest("pattern: must be one line of printable characters.")
        if room is not None:
            await self._loader.look(room)
        rule = attrs.evolve(rule, pattern=pattern, room="" if room is None else room_key(room))
        rule.check()
        return rule

    async def _choose(self, rule: FilterRule, stored: str | None, code: str, actor: Actor) -> None:
        """Store that a rule is added or removed."""
        fields = {"rule": rule.id, "action": rule.action, "room": rule.room or "all rooms"}
        record = self._audit.record(code, actor, pattern=rule.pattern, **fields)
        name = PREFIX + rule.id
        await self._store.choose(name, stored, record)
        write_line(record)
        self._filter.choose(name, stored)
