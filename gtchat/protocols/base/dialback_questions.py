"""Questions of other users that the user of a client that is called back is asked, by a call each.

Only clients of PA1 are asked anything: whether another user may have their address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from gtchat.protocols.base.dialback import DialbackQueue, OutgoingCall

#: Seconds for the answer to a question.
ANSWER_TIMEOUT = 60.0
#: Questions of different users that may wait for an answer.
QUESTION_LIMIT = 10


@attrs.define(eq=False)
class Question:
    """A call that waits for an answer.

    Args:
        clock: calls later.
        text: what is asked.
        answered: called once, with whether the answer was yes.
    """

    clock: IReactorTime
    text: bytes
    answered: Callable[[bool], None]
    seconds: float = ANSWER_TIMEOUT
    proves_arrival: bool = False
    _transport: Any = None
    _timer: IDelayedCall | None = None

    @property
    def size(self) -> int:
        """Bytes of the question."""
        return len(self.text)

    def connected(self, transport: Any) -> None:
        """Ask."""
        self._transport = transport
        self._timer = self.clock.callLater(ANSWER_TIMEOUT, self.received, b"N")
        transport.write(self.text)

    def received(self, data: bytes) -> None:
        """Take the answer; only the first one counts."""
        timer, self._timer = self._timer, None
        if timer is not None:
            if timer.active():
                timer.cancel()
            self.answered(data.strip() in (b"Y", b"y"))
        self._transport.loseConnection()

    def disconnected(self) -> None:
        """A client that closes the connection without an answer does not agree."""
        self.received(b"")


class QuestionQueue:
    """The questions that one user is asked, beside the other calls to the client.

    Args:
        calls: makes the calls.
        undeliverable: called with the failure of a question that could not be asked.
    """

    def __init__(self, calls: DialbackQueue, undeliverable: Callable[[Failure], None]) -> None:
        self._calls = calls
        self._undeliverable = undeliverable
        #: Keys of the users whose question waits for an answer.
        self._asking: set[str] = set()

    def ask(self, asker: str, question: OutgoingCall) -> bool:
        """Ask a question.

        It is dropped while the last one of the same user waits for an answer.

        Args:
            asker: key of the user who asks.
            question: the call that asks.

        Returns:
            Whether it was asked, or had been; False if too many questions wait.
        """
        if asker in self._asking:
            return True
        if len(self._asking) >= QUESTION_LIMIT:
            return False
        self._asking.add(asker)
        asked = self._calls.call(question).addErrback(self._undeliverable)
        asked.addBoth(lambda _: self._asking.discard(asker))
        return True

    def close(self) -> None:
        """Give up the questions."""
        self._calls.close()
