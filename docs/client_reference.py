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
    """Return the line with the public class that a class is derived from."""
    for cls in value.__mro__[1:]:
        if cls.__name__ in client.__all__:
            return f"A kind of [{cls.__name__}](#{cls.__name__.lower()}).\n\n"
    return ""


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
    elif issubclass(value, tuple):
        found = [(name, "") for name in value._fields]  # type: ignore[attr-defined]
    elif attrs.has(value):
        found = [(one.name, shown(one.default)) for one in attrs.fields(value)]
    else:
        return ""
    types: dict[str, str] = {}
    for cls in reversed(own_classes(value)):
        types.update(
            {k: getattr(v, "__forward_arg__", v) for k, v in inspect.get_annotations(cls).items()}
        )
    own = [(name, default) for name, default in found if name in types]
    return block(f"{name}: {types[name]}{default}" for name, default in own) if own else ""


def own_classes(value: type) -> list[type]:
    """Return a class and its bases, up to one that has a section or is not ours."""
    found = []
    for cls in value.__mro__:
        is_public = cls is not value and cls.__name__ in client.__all__
        if is_public or not cls.__module__.startswith("gtchat."):
            break
        found.append(cls)
    return found


def shown(default: Any, factory: Any = msgspec.NODEFAULT) -> str:
    """Return a default as code; nothing where there is none."""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        factory = default.factory
    elif default not in (msgspec.NODEFAULT, attrs.NOTHING):
        return f' = "{default}"' if isinstance(default, str) else f" = {default!r}"
    return "" if factory is msgspec.NODEFAULT else f" = {factory()!r}"


def members(name: str, value: type) -> str:
    """Return the public properties of a class as a list, and sections of its methods."""
    if name in SECTIONS["Connecting"]:
        return ""  # they are given to `connect` as they are
    found = list(public_members(value))
    rows = [
        f"* `{own}: {annotation(one.fget)}`: {' '.join(docstring(one).split())}\n"
        for own, one in found
        if isinstance(one, property)
    ]
    methods = [
        f"#### {name}.{own}\n\n{block([signature(own, one)])}{docstring(one)}"
        for own, one in found
        if not isinstance(one, property)
    ]
    return "".join([*rows, "\n", *methods])


def public_members(value: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods and properties that a class has besides those of its public bases."""
    classes = own_classes(value)
    seen = {name for cls in value.__mro__[len(classes) :] for name in vars(cls)}
    for cls in classes:
        for name, found in vars(cls).items():
            is_member = isinstance(found, property) or inspect.isroutine(found)
            if is_member and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, found


def annotation(function: Any) -> str:
    """Return the type of what a function returns."""
    return str(inspect.get_annotations(function).get("return", ""))


def signature(name: str, function: Any) -> str:
    """Return the head of a function; if it is long, with a line for each parameter."""
    found = inspect.signature(function)
    given = [one for one in found.parameters.values() if one.name != "self"]
    word = "await " if inspect.iscoroutinefunction(function) else ""
    result = annotation(function)
    arrow = "" if result in ("", "None") else f" -> {result}"
    whole = found.replace(parameters=given, return_annotation=inspect.Signature.empty)
    line = f"{word}{name}{unquoted(str(whole))}{arrow}"
    if len(line) <= 100:
        return line
    lines = [f"    {unquoted(str(one))}," for one in given]
    kinds = [one.kind for one in given]
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        lines.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "    *,")
    return "\n".join([f"{word}{name}(", *lines, f"){arrow}"])


def unquoted(text: str) -> str:
    """Return a signature without the quotation marks of annotations that are text."""
    return re.sub(r": '([^']*)'|: \"([^\"]*)\"", lambda found: f": {found[1] or found[2]}", text)


def docstring(value: Any) -> str:
    """Return a docstring as Markdown."""
    lines = (inspect.getdoc(value) or "").splitlines()
    assert lines, f"{value} has no docstring"
    found: list[str] = []
    in_part = in_code = listed = False
    for line in lines:
        if part := _PART.match(line):
            in_part, listed = True, part[1] not in ("Returns", "Yields")
            found += [f"**{part[1]}**", ""]
        elif in_part and line:
            item = _ITEM.match(line) if listed else None
            more = f"  {line.strip()}" if listed else line.strip()
            found.append(f"* `{item[1]}`: {line[item.end() :]}" if item else more)
        elif not in_part and line.startswith("    ") != in_code and line:
            in_code = not in_code
            while not found[-1]:
                found.pop()
            found += ["", "```", line[4:]] if in_code else ["```", "", line]
        else:
            in_part = in_part and bool(line)
            found.append(line.removeprefix("    ") if in_code else line)
    return "\n".join([*found, *(["```"] if in_code else []), "", ""])


if __name__ == "__main__":
    print(page(), end="")
