"""Settings that are read again while the server runs: which of them hold at once, which do not.

All limits do, and the settings that are marked `live` in `settings`; but what operators chose at
run time goes before them. The others need a restart: they are named, and stay what they are. How
the server takes them over is in `service`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from gtchat.server.settings import FIELDS, Settings


@attrs.frozen
class Reloaded:
    """What has come of reading settings again.

    Attributes:
        changed: settings that hold now and are other ones than before.
        restart: settings that are other ones, and hold after a restart.
        overridden: settings that are other ones, and do not hold, since operators have chosen
            values that go before them.
    """

    changed: tuple[str, ...]
    restart: tuple[str, ...]
    overridden: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The lines for the operator."""
        parts = {
            "changed": self.changed,
            "after a restart": self.restart,
            "operators have chosen other values": self.overridden,
        }
        lines = [f"{what}: {', '.join(keys)}" for what, keys in parts.items() if keys]
        return "\n".join(lines or ["no setting has changed"])


def is_live(key: str) -> bool:
    """Return whether a setting can change while the server runs."""
    table, field = FIELDS[key]
    return table == "limits" or bool(field.metadata.get("live"))


def compare(running: Settings, new: Settings, is_chosen: Callable[[str], bool]) -> Reloaded:
    """Return what is other in new settings than in those with which the server runs.

    Args:
        running: those with which it runs.
        new: those that were read.
        is_chosen: returns whether operators have chosen a value that goes before a setting.
    """
    changed = [key for key in FIELDS if _value(running, key) != _value(new, key)]
    return Reloaded(
        tuple(key for key in changed if is_live(key) and not is_chosen(key)),
        tuple(key for key in changed if not is_live(key)),
        tuple(key for key in changed if is_live(key) and is_chosen(key)),
    )


def merge(running: Settings, new: Settings) -> Settings:
    """Return the settings with which the server goes on.

    Args:
        running: those with which it runs.
        new: those that were read.
    """
    live = {
        field.name: getattr(new.server, field.name)
        for field in attrs.fields(type(new.server))
        if is_live(field.name)
    }
    sources = {
        key: (new if is_live(key) else running).sources.get(key)
        for key in (*running.sources, *new.sources)
    }
    return attrs.evolve(
        running,
        server=attrs.evolve(running.server, **live),
        limits=new.limits,
        sources={key: source for key, source in sources.items() if source is not None},
    )


def _value(settings: Settings, key: str) -> Any:
    return getattr(getattr(settings, FIELDS[key][0]), key)
