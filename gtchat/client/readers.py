"""Reading the log of a room: its history, and following it. For `Connection`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from twisted.internet.defer import Deferred, DeferredSemaphore

from gtchat.client.actions import MessageActions, target
from gtchat.client.commands import TEMPORARY_ERRORS
from gtchat.client.errors import CommandFailed, ConnectionClosed, HistoryChanged, Unanswered
from gtchat.client.event_decoder import ENTRY_KINDS
from gtchat.client.event_stream import EventStream
from gtchat.client.events import Cursor, Direct, Entry, RoomReset
from gtchat.client.follow import MAX_PAGE, Follower, fold, parse_cursor
from gtchat.client.resumable import resumable

#: Pages that all followers read at the same time.
PARALLEL_PAGES = 4


class LogReaders(MessageActions):
    """What reads logs, and what `MessageActions` has.

    Args:
        stream: the events.
    """

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._page_slots = DeferredSemaphore(PARALLEL_PAGES)

    @property
    @abstractmethod
    def epoch(self) -> str | None:
        """What identifies the database of the server."""

    @abstractmethod
    def _sleep(self, seconds: float) -> Deferred[None]:
        """Wait for some seconds."""

    @resumable
    async def history(
        self,
        room: str | Direct,
        *,
        after: int = 0,
        before: int | None = None,
        kinds: Iterable[str] = (),
    ) -> AsyncIterator[Entry]:
        """Yield the entries of a log, oldest first; pages are read as needed.

        Args:
            room: the room, or the direct conversation.
            after: the seq behind which it begins.
            before: the seq before which it ends; None: the end of the log.
            kinds: `c_speak`, `c_whisper` or kinds of events; () for all but changes of messages,
                which the messages show.

        Raises:
            HistoryChanged: the room was reset meanwhile.
            CommandFailed, Unanswered, ConnectionClosed: as `call`.
        """
        fields = {"kinds": list(kinds)} if kinds else {}
        resets = self._resets(room)
        while True:
            page = await self.call("history", **target(room), after=after, limit=MAX_PAGE, **fields)
            if self._resets(room) != resets:
                raise HistoryChanged("the room was reset while its history was read")
            for entry in page.entries:
                if not isinstance(entry, Entry) or entry.seq is None:
                    continue
                if before is not None and entry.seq >= before:
                    return
                yield entry
                after = entry.seq
            if not page.more or not page.entries:
                return

    def _resets(self, room: str | Direct) -> tuple[str | None, int]:
        """Return what changes when the log of a room becomes another one."""
        resets = self._stream.resets.get(fold(room), 0) if isinstance(room, str) else 0
        return self.epoch, resets

    def follow(self, room: str, *, after: Cursor | None) -> AsyncIterator[Entry | RoomReset]:
        """Return an iterator over the log of a room: its history, then live, without a gap.

        Own messages and all kinds of entries are included. After a RoomReset it begins anew with
        the first entry of the log: messages that are known already are told by their `id`. It
        ends after a RoomReset with the reason `left`, and after `close`.

        Args:
            room: the user is in it.
            after: the `cursor` of the last entry that is known; None: begin with the first one.

        Raises:
            ValueError: `after` is no cursor.
            CommandFailed: the log can't be read. Raised by the iterator, as what `call` raises.
        """
        position = parse_cursor(after)
        self._stream.read_otherwise()
        return self._follow(room, *position)

    @resumable
    async def _follow(
        self, room: str, epoch: str | None, seq: int
    ) -> AsyncIterator[Entry | RoomReset]:
        with self._stream.follower(room, seq) as follower:
            if epoch not in (None, self.epoch):
                follower.reset(RoomReset(room=room, reason="epoch", epoch=self.epoch))
            while True:
                item = follower.take()
                if item is not None:
                    yield item
                    if isinstance(item, RoomReset) and item.reason == "left":
                        return
                elif isinstance(follower.error, StopAsyncIteration):
                    return
                elif follower.error is not None:
                    raise follower.error
                elif follower.needs_page:
                    await self._read_page(room, follower)
                else:
                    await follower.wait()

    async def _read_page(self, room: str, follower: Follower) -> None:
        """Read the next page of the history for a follower."""
        await self._page_slots.acquire()
        size = follower.budget.reserve_page()
        try:
            after, resets = follower.ask(), self._resets(room)
            page = await self.call(
                "history", room_name=room, after=after, limit=size, kinds=ENTRY_KINDS
            )
        except ConnectionClosed:
            if follower.error is None:  # `close` waits for answers, and the stream ends after that
                follower.end(StopAsyncIteration())
            return
        except CommandFailed as error:
            if error.code in TEMPORARY_ERRORS:
                with suppress(Unanswered):  # the connection was lost
                    await self._sleep(error.retry_after or 1.0)
            elif follower.was_asked:  # the user is no longer in the room
                follower.reset(RoomReset(room=room, reason="left", epoch=self.epoch))
            else:
                raise
            return
        finally:
            follower.budget.release(size)
            self._page_slots.release()
        if follower.is_reset or self._resets(room) != resets:
            return  # it is of another log
        if page.log_last and page.log_last < after:
            reset = RoomReset(
                room=room, reason="recreated", epoch=self.epoch, last_seq=page.log_last
            )
            follower.reset(reset)
            return
        entries = [entry for entry in page.entries if isinstance(entry, Entry)]
        follower.add_page(entries, page.more, page.log_last)
