"""Write docs/client.md, the reference of the client library, from its docstrings.

    python docs/client_reference.py > docs/client.md

Public is what the `__all__` of a module names; a test compares the page with what this prints.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import attrs
import msgspec

from gtchat import client
from gtchat.client import aio, testing

INTRODUCTION = """\
# Reference of the Python library

Made from the docstrings by `docs/client_reference.py`: do not edit. How to write a bot is on
[bots.md](bots.md); commands, fields and codes are on [protocol.md](protocol.md).
"""
#: Heading -> the names below it, in order. Where the others are, their classes say.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Connecting": ("connect", "run", "Guest", "Registered", "Key", "Token"),
    "Connection": ("Connection",),
    "Events": ("Event", "Entry"),
    "Errors": ("GTChatError",),
    "Replies": ("Reply",),
}
#: The title of a part of a docstring, and an item of such a part.
_PART = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$")
_ITEM = re.compile(r"^ {4}(\*{0,2}[\w., ]+): ")
_INHERITED = re.compile(r"^(Struct|object|Exception|ABC|Enum|Generic|Protocol)$")


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for heading, names in sections().items():
        parts.append(f"## {heading}\n")
        parts += [described(name, getattr(client, name)) for name in names]
    for module in (aio, testing):
        parts += [f"## {module.__name__}\n", docstring(module)]
        parts += [described(name, getattr(module, name)) for name in own_names(module)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def sections() -> dict[str, list[str]]:
    """Return the names of `gtchat.client` below their headings."""
    found = {heading: list(names) for heading, names in SECTIONS.items()}
    named = {name for names in found.values() for name in names}
    for name in client.__all__:
        if name not in named:
            found[heading_of(getattr(client, name))].append(name)
    return found


def heading_of(value: Any) -> str:
    """Return the heading of something that no heading names."""
    if inspect.isclass(value) and issubclass(value, (Exception, enum.Enum)):
        return "Errors"
    is_event = inspect.isclass(value) and issubclass(value, client.Event)
    return "Events" if is_event else "Replies"


def own_names(module: ModuleType) -> Iterable[str]:
    """Return what a module has besides the names of `gtchat.client`."""
    return [name for name in module.__all__ if not hasattr(client, name)]


def described(name: str, value: Any) -> str:
    """Return the section of a class, a function or a type."""
    title = f"### {name}\n\n"
    if inspect.isclass(value):
        return title + bases(value) + docstring(value) + fields(value) + members(name, value)
    if inspect.isroutine(value):
        return title + block([signature(name, value)]) + docstring(value)
    return title + f"`{value}`\n".replace("gtchat.client.", "")


def bases(value: type) -> str:
    """Return the line with the public classes that a class is derived from."""
    names = [base.__name__ for base in value.__bases__ if base.__name__ in client.__all__]
    linked = ", ".join(f"[{name}](#{name.lower()})" for name in names)
    return f"A kind of {linked}.\n\n" if names else ""


def block(lines: Iterable[str]) -> str:
    """Return lines of code."""
    return "\n".join(["```python", *lines, "```", "", ""])


def fields(value: type) -> str:
    """Return the fields of a class, with their types and defaults."""
    if issubclass(value, enum.Enum):
        return block(one.name for one in value)
    if issubclass(value, msgspec.Struct):
        found = [
            (one.name, shown(one.default, one.default_factory))
            for one in msgspec.structs.fields(value)
        ]
    elif attrs.has(value):
        found = [(one.name, shown(one.default)) for one in attrs.fields(value)]
    else:
        return ""
    types: dict[str, str] = {}
    for cls in reversed(value.__mro__):
        types.update(inspect.get_annotations(cls))
    public = [row for row in found if not row[0].startswith("_")]
    return block(f"{name}: {types.get(name, '')}{default}" for name, default in public)


def shown(default: Any, factory: Any = msgspec.NODEFAULT) -> str:
    """Return a default as code; nothing where there is none."""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        factory = default.factory
    elif default not in (msgspec.NODEFAULT, attrs.NOTHING):
        return f" = {default!r}"
    return "" if factory is msgspec.NODEFAULT else f" = {factory.__name__}()"


def members(name: str, value: type) -> str:
    """Return the sections of the public methods and properties of a class."""
    return "".join(member(name, one, found) for one, found in public_members(value))


def public_members(value: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods and properties of a class and of its bases that are not public."""
    seen: set[str] = set()
    for cls in value.__mro__:
        is_shown = cls is not value and cls.__name__ in client.__all__
        if is_shown or not cls.__module__.startswith("gtchat."):
            continue
        for name, found in vars(cls).items():
            is_member = isinstance(found, (property, staticmethod)) or inspect.isroutine(found)
            if is_member and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, found


def member(name: str, own: str, value: Any) -> str:
    """Return the section of a method or a property."""
    title = f"#### {name}.{own}\n\n"
    if isinstance(value, property):
        result = inspect.get_annotations(value.fget).get("return", "")  # type: ignore[arg-type]
        return title + block([f"{own}: {result}"]) + docstring(value)
    return title + block([signature(own, value)]) + docstring(value)


def signature(name: str, function: Any) -> str:
    """Return the head of a function, over several lines if it is long."""
    found = inspect.signature(function)
    given = [one for one in found.parameters.values() if one.name != "self"]
    word = "await " if inspect.iscoroutinefunction(function) else ""
    result = found.return_annotation
    arrow = "" if result in (inspect.Signature.empty, "None") else f" -> {result}"
    whole = str(found.replace(parameters=given, return_annotation=inspect.Signature.empty))
    line = f"{word}{name}{unquoted(whole)}{arrow}"
    return line if len(line) <= 100 else line.replace("(", "(\n    ", 1)


def unquoted(text: str) -> str:
    """Return a signature without the quotation marks of annotations that are text."""
    return re.sub(r": '([^']*)'", r": \1", text)


def docstring(value: Any) -> str:
    """Return a docstring as Markdown."""
    lines = (inspect.getdoc(value) or "").splitlines()
    assert lines, f"{value} has no docstring"
    found: list[str] = []
    in_part = in_code = False
    for line in lines:
        if part := _PART.match(line):
            in_part = True
            found += [f"**{part[1]}**", ""]
        elif in_part and line:
            item = _ITEM.match(line)
            found.append(f"* `{item[1]}`: {line[item.end() :]}" if item else f"  {line.strip()}")
        elif not in_part and line.startswith("    ") != in_code and line:
            in_code = not in_code
            found += ["```" if in_code else "```\n", line[4:] if in_code else line]
        else:
            in_part = in_part and bool(line)
            found.append(line.removeprefix("    ") if in_code else line)
    return "\n".join([*found, *(["```"] if in_code else []), "", ""])


if __name__ == "__main__":
    print(page(), end="")
