"""What the library logs: through twisted.logger, and through `logging` as `gtchat.client`.

A program that sends one of the two to the other gets each line twice; it turns the second one off
with `logging.getLogger("gtchat.client").propagate = False`.
"""

from __future__ import annotations

import logging

from twisted.logger import Logger, LogPublisher, STDLibLogObserver, globalLogPublisher

NAME = "gtchat.client"

# Without a handler of the program's own, `logging` would write warnings to stderr.
logging.getLogger(NAME).addHandler(logging.NullHandler())
log = Logger(NAME, observer=LogPublisher(globalLogPublisher, STDLibLogObserver(NAME)))
