"""The plan of the house, read off the imports: dependencies go downwards only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gtchat

PACKAGE = Path(gtchat.__file__).parent
TOP = {"cli", "console", "service", "tap", "config", "credentials", "passwords"}
SHARED = {"outbox", "dialback", "called", "plain", "crowd"}


def modules() -> Iterator[tuple[tuple[str, ...], ast.Module]]:
    """Every module of the package, by its parts below gtchat."""
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if "migrations" not in parts:
            yield parts, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """The full names of everything that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(parts: tuple[str, ...], name: str) -> bool:
    """Whether a module may not import a name."""
    floor, words = parts[0], name.split(".")
    if name == "twisted.internet.reactor":
        return floor in ("chat", "store", "protocols", "web")
    if floor == "chat" and words[0] in ("sqlalchemy", "sqlite3", "json", "msgspec", "socket"):
        return True
    if words[0] != "gtchat" or len(words) < 2 or words[1] == "__version__":
        return False
    below = words[1]
    if floor == "chat":
        return below != "chat"
    if floor == "store":
        return below not in ("store", "chat")
    if floor == "client":
        return below != "client"
    if floor == "ui":
        return below not in ("ui", "client")
    if floor == "web":
        return below not in ("web", "chat")
    if floor == "protocols":
        if below == "chat":
            return False
        own = {parts[1], "handshake" if parts[1] == "websocket" else parts[1]}
        return below != "protocols" or (len(words) > 2 and words[2] not in own | SHARED)
    return floor not in TOP and floor != "__init__"


class DependencyRule(SynchronousTestCase):
    def test_imports_go_downwards_only(self) -> None:
        wrong = [
            f"{'.'.join(parts)} imports {name}"
            for parts, tree in modules()
            for name in imports(tree)
            if forbidden(parts, name)
        ]
        self.assertEqual(wrong, [])

    def test_the_rule_can_be_broken(self) -> None:
        self.assertTrue(forbidden(("chat", "chat"), "gtchat.store.sql"))
        self.assertTrue(forbidden(("protocols", "pa1"), "gtchat.protocols.websocket"))
        self.assertTrue(forbidden(("ui", "console"), "gtchat.chat.names"))
        self.assertTrue(forbidden(("client", "connection"), "gtchat.ui.rendering"))
        self.assertFalse(forbidden(("protocols", "pa1"), "gtchat.protocols.outbox"))
