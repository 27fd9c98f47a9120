"""Administrative commands for the word filter; the table is in `commands`."""

from __future__ import annotations

from typing import Any

from gtchat.chat.filter_rules import ACTIONS, MISSING, FilterRule
from gtchat.server.admin.arguments import Argument
from gtchat.server.admin.command import LIMIT, AdminCommand, Call
from gtchat.server.admin.output import Output, details, listing, time_of

#: Most days for which a rule is tried, and the usual time of a mute in milliseconds.
MAX_DAYS, MUTE_MS = 3650, 600_000


def _rule(rule: FilterRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "pattern": rule.pattern,
        "regex": rule.is_regex,
        "action": rule.action,
        "seconds": rule.seconds,
        "room": rule.room,
        "by": rule.by,
        "since": time_of(rule.at),
    }


async def add_rule(call: Call) -> Output:
    """Add a rule."""
    rule = FilterRule(call["pattern"], call["action"], call["regex"], seconds=call["for"] // 1000)
    added = await call.chat.admin.word_filter.add(rule, call["room"], call.actor)
    return Output(f"rule {added.id}: {added.action} {added.pattern}", _rule(added))


async def list_rules(call: Call) -> Output:
    """List the rules, oldest first."""
    after, limit, search = call["after"], call["limit"], (call["search"] or "").casefold()
    rules = [
        rule for rule in call.chat.admin.word_filter.listed() if search in rule.pattern.casefold()
    ]
    start = next((at for at, rule in enumerate(rules, 1) if rule.id == after), 0)
    page, left = rules[start : start + limit], rules[start + limit :]
    output = listing("rules", list(map(_rule, page)), page[-1].id if left else None)
    ignored = call.chat.word_filter.matcher.ignored
    if not ignored:
        return output
    warning = f"{ignored} rules do nothing. {MISSING}"
    return output.with_data(warning, warning=warning)


async def remove_rule(call: Call) -> Output:
    """Remove a rule."""
    rule = await call.chat.admin.word_filter.remove(call["id"], call.actor)
    return Output(f"removed rule {rule.id}: {rule.pattern}", {"id": rule.id})


async def test_rule(call: Call) -> Output:
    """Count the messages that a rule matches."""
    rule = FilterRule(call["pattern"], ACTIONS[0], call["regex"])
    trial = await call.chat.admin.word_filter.test(rule, call["room"], call["days"], call.progress)
    return details(
        {
            "pattern": rule.pattern,
            "messages": trial.messages,
            "users": trial.users,
            "read": trial.read,
            "complete": trial.complete,
        }
    )


_PATTERN = Argument("pattern", "words, in which * stands for any letters; or a regular expression")
_REGEX = Argument("regex", "it is a regular expression of RE2", "flag", option=True, default=False)
_ROOM = Argument("room", "the room in which it holds; without it all", option=True)
_NEEDS = "regular expressions: the package google-re2"
#: Rows of the table.
ROWS = (
    AdminCommand(
        "filter add",
        add_rule,
        "add a rule to the word filter",
        (
            _PATTERN,
            Argument(
                "action", "what it does", "choice", option=True, choices=ACTIONS, default="refuse"
            ),
            Argument("for", "how long a mute lasts, as 1h", "span", option=True, default=MUTE_MS),
            _ROOM,
            _REGEX,
        ),
        needs=_NEEDS,
        audit="filter_added",
    ),
    AdminCommand(
        "filter list",
        list_rules,
        "list the rules of the word filter, oldest first",
        (
            Argument("search", "part of the pattern", option=True),
            Argument("after", "the id that the page begins behind", option=True),
            LIMIT,
        ),
    ),
    AdminCommand(
        "filter remove",
        remove_rule,
        "remove a rule from the word filter",
        (Argument("id", "its id, as it is listed"),),
        audit="filter_removed",
    ),
    AdminCommand(
        "filter test",
        test_rule,
        "count the stored messages that a rule would match, before it is added",
        (
            _PATTERN,
            Argument(
                "days", "for how many days back", "number", option=True, default=7, maximum=MAX_DAYS
            ),
            _ROOM,
            _REGEX,
        ),
        needs=_NEEDS,
    ),
)
