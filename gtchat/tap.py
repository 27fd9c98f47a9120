"""The service of `twistd gtchat`: the entry point, which owns the reactor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gtchat.server.daemon import check_pid_file, fail, wait_as_first_process
from gtchat.server.logs import LogTarget
from gtchat.server.options import Options
from gtchat.server.process import StartError, pause_garbage_collector, use_monotonic_clock

if TYPE_CHECKING:
    from gtchat.server.service import ChatService

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> ChatService:
    """Return the service that twistd runs (IServiceMaker.makeService).

    Args:
        options: parsed; their parent is twistd's own options.

    Raises:
        SystemExit: the log file or the PID file cannot be written, or an endpoint is invalid. All
            that can be checked is checked here, before twistd forks.
    """
    pause_garbage_collector()
    # Most of what a start takes is this import: it comes when the collector is paused, and `twistd
    # gtchat --help` and wrong options have no need of it.
    from twisted.internet import reactor  # twistd has installed it by now

    from gtchat.server.service import ChatService

    twistd: Mapping[str, Any] = options.parent or {}
    try:
        log = LogTarget.chosen(twistd, bool(options["log-json"]), options.chosen.server.log_level)
        check_pid_file(twistd)
        service = ChatService(options.chosen, reactor, log, twistd, options.reread)
        service.check()
    except OSError as error:
        raise SystemExit(f"gtchat: cannot write the log: {error}") from None
    except StartError as error:
        raise fail(error, {}) from None
    use_monotonic_clock(reactor)
    wait_as_first_process()
    return service
