"""Settings that are read again while the server runs: which of them hold at once, which do not.

All limits do, and the settings that are marked `live` in `settings`. The others need a restart:
they are named, and stay what they are. How the server takes them over is in `service`.
"""

from __future__ import annotations

from typing import Any

import attrs

from gtchat.server.settings import FIELDS, Settings


@attrs.frozen
class Reloaded:
    """What has come of reading settings again.

    Attributes:
        changed: settings that hold now and are other ones than before.
        restart: settings that are other ones, and hold after a restart.
    """

    changed: tuple[str, ...]
    restart: tuple[str, ...]

    @property
    def text(self) -> str:
        """One or two lines for the operator."""
        changed = f"changed: {', '.join(self.changed)}"
        restart = f"after a restart: {', '.join(self.restart)}"
        lines = [changed] * bool(self.changed) + [restart] * bool(self.restart)
        return "\n".join(lines or ["no setting has changed"])


def is_live(key: str) -> bool:
    """Return whether a setting can change while the server runs."""
    table, field = FIELDS[key]
    return table == "limits" or bool(field.metadata.get("live"))


def compare(running: Settings, new: Settings) -> Reloaded:
    """Return what is other in new settings than in those with which the server runs."""
    changed = [key for key in FIELDS if _value(running, key) != _value(new, key)]
    return Reloaded(
        tuple(key for key in changed if is_live(key)),
        tuple(key for key in changed if not is_live(key)),
    )


def merge(running: Settings, new: Settings) -> Settings:
    """Return the settings with which the server goes on.

    Args:
        running: those with which it runs. Its limits are the object that all parts of the server
            share: they are left to `Chat.change_limits`.
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
        sources={key: source for key, source in sources.items() if source is not None},
    )


def _value(settings: Settings, key: str) -> Any:
    return getattr(getattr(settings, FIELDS[key][0]), key)
