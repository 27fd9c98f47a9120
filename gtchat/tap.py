"""The service of `twistd gtchat`: the entry point, which owns the reactor."""

from __future__ import annotations

from gtchat.server.logs import LogTarget
from gtchat.server.options import Options
from gtchat.server.process import use_monotonic_clock
from gtchat.server.service import ChatService

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> ChatService:
    """Return the service that twistd runs (IServiceMaker.makeService).

    Args:
        options: parsed; their parent is twistd's own options.

    Raises:
        SystemExit: the log file cannot be written.
    """
    from twisted.internet import reactor  # twistd has installed it by now

    try:
        log = LogTarget.chosen(options.parent or {}, bool(options["log-json"]))
    except OSError as error:
        raise SystemExit(f"gtchat: cannot write the log: {error}") from None
    use_monotonic_clock(reactor)
    return ChatService(options.chosen, reactor, log)
