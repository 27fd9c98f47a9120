"""Checks, inside a server that a test runs, each frame that it sends to any client."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from gtchat.protocols.gtchat_json import api, pushes
from tests import frames

#: How a line of the server's output begins that reports a frame; it fails the test.
REPORT = "not in docs/schema.json: "


def install() -> None:
    """Check what the encoders of replies and of pushes return."""
    for module in (api, pushes):
        module._encode = _checked(module._encode)  # type: ignore[assignment]


def _checked(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def checked(message: Any) -> bytes:
        encoded = encode(message)
        try:
            frames.check(json.loads(encoded))
        except AssertionError as error:
            print(REPORT + str(error), file=sys.stderr, flush=True)
        return encoded

    return checked
