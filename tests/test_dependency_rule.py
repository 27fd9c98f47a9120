"""The layers of `docs/architecture.md`, checked against the imports of every module.

Three rules: dependencies point downwards only, no modules import each other in a circle (imports
for type checkers included), and no object of ours is annotated `Any` to evade the first rule.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gtchat

PACKAGE = Path(gtchat.__file__).parent

#: Layer -> the layers that it may import, besides itself.
ALLOWED: dict[str, set[str]] = {
    "chat": set(),
    "store": {"chat"},
    "protocols": {"chat"},
    "web": {"chat", "protocols.base"},
    "server": {"chat", "store", "protocols", "web"},
    "client": set(),
    "ui": {"client"},
    "tap": {"server"},
    "cli": {"server", "store", "client", "ui", "tap"},
    "__init__": set(),
}
#: What the rules of the chat must not know.
NOT_IN_CHAT = {"sqlalchemy", "sqlite3", "json", "msgspec", "socket", "autobahn"}
#: Layers that are handed a reactor.
NO_REACTOR = {"chat", "store", "protocols", "web", "client"}
#: Names that stand for objects of ours; they have a type.
OURS = {
    "api", "batcher", "chat", "client", "delivery", "directory", "encoder", "entry", "limiter",
    "limits", "log_writer", "mailbox", "message", "outbox", "query", "room", "rooms", "server",
    "service", "session", "settings", "site", "state", "store", "user", "users", "writer",
}  # fmt: skip


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return the tree of each module by its dotted name below `gtchat`, migrations excepted."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if "migrations" not in parts and "static" not in parts:
            name = ".".join(parts)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[name.removesuffix(".__init__")] = tree
    return found


@functools.cache
def imports(tree: ast.AST) -> list[str]:
    """Return the full names of everything that a module imports."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def within(name: str, layer: str) -> bool:
    """Return whether a dotted name is a layer or below it."""
    return name == layer or name.startswith(layer + ".")


def unit(module: str) -> str:
    """Return the unit of a protocol: `protocols.pa1` of `protocols.pa1` and what is below it."""
    return ".".join(module.split(".")[:2])


def forbidden(module: str, imported: str) -> bool:
    """Return whether a module must not import a name."""
    layer = module.split(".")[0]
    if imported == "twisted.internet.reactor":
        return layer in NO_REACTOR and module != "client.connection"
    if layer == "chat" and imported.split(".")[0] in NOT_IN_CHAT:
        return True
    target = imported.removeprefix("gtchat.")
    if target == imported or target == "__version__":
        return False
    if layer == "protocols" and target.startswith("protocols."):
        return unit(target) not in (unit(module), "protocols.base")
    return not any(within(target, allowed) for allowed in ALLOWED[layer] | {layer})


def circles() -> list[list[str]]:
    """Return the groups of modules that import each other (strongly connected components)."""
    trees = modules()
    graph: dict[str, set[str]] = defaultdict(set)
    for module, tree in trees.items():
        found = {name.removeprefix("gtchat.") for name in imports(tree)}
        graph[module] = (found & trees.keys()) - {module}

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo += graph[module]
        return seen

    reach = {module: reachable(module) for module in trees}
    groups = {
        tuple(sorted(other for other in reach[module] if module in reach[other]))
        for module in trees
        if module in reach[module]
    }
    return [list(group) for group in sorted(groups)]


def untyped(tree: ast.Module) -> Iterator[str]:
    """Yield the names of objects of ours whose annotation has `Any` for their type."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name | ast.Attribute):
            target = node.target
            name = target.id if isinstance(target, ast.Name) else target.attr
            annotation = node.annotation
        else:
            continue
        ours = name.strip("_") in OURS and annotation is not None
        if ours and ast.unparse(annotation).partition(" ")[0] == "Any":
            yield name


class DependencyRule(SynchronousTestCase):
    def test_imports_point_downwards_only(self) -> None:
        wrong = [
            f"{module} imports {imported}"
            for module, tree in modules().items()
            for imported in imports(tree)
            if forbidden(module, imported)
        ]
        self.assertEqual(wrong, [])

    def test_no_modules_import_each_other_in_a_circle(self) -> None:
        self.assertEqual(circles(), [])

    def test_objects_of_ours_have_a_type(self) -> None:
        wrong = [
            f"{module}: {name}" for module, tree in modules().items() for name in untyped(tree)
        ]
        self.assertEqual(wrong, [])

    def test_the_rules_can_be_broken(self) -> None:
        for module, imported in (
            ("chat.chat", "gtchat.store.sql"),
            ("chat.chat", "json"),
            ("protocols.pa1", "gtchat.protocols.websocket"),
            ("protocols.pa1", "gtchat.store.sql"),
            ("store.sql.store", "twisted.internet.reactor"),
            ("ui.console", "gtchat.chat.names"),
            ("client.connection", "gtchat.ui.console"),
        ):
            self.assertTrue(forbidden(module, imported), (module, imported))
        self.assertFalse(forbidden("protocols.pa1", "gtchat.protocols.base.outbox"))
        self.assertFalse(forbidden("web.site", "gtchat.protocols.base.connection_limit"))
        self.assertEqual(list(untyped(ast.parse("def f(chat: Any, wall: Any): pass"))), ["chat"])


class Names(SynchronousTestCase):
    def test_a_class_name_is_used_once(self) -> None:
        """No two classes of one name outside `client`, and none within it."""
        found: dict[tuple[str, bool], list[str]] = defaultdict(list)
        for module, tree in modules().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    found[node.name, within(module, "client")].append(module)
        self.assertEqual({n: where for n, where in found.items() if len(where) > 1}, {})
