"""What a store tells of other nodes that use the same database, and what it tells them.

It is part of `interfaces.IStore`, whose conventions hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gtchat.chat.node_records import (
    AddressAnswered,
    AddressAsked,
    CountFailures,
    FailureCount,
    Foreign,
)
from gtchat.chat.records import StoredGuest, StoredState

T = TypeVar("T")


class INodeStore(Interface):
    """Keeps the nodes of one database in step.

    A store that no other node can use never calls `foreign`, `lost` and `restored`.
    """

    foreign: Callable[[Foreign], None] = Attribute(
        "Set by the chat: called with what other nodes have stored, before all results that come "
        "after it in the queue. Entries of a room come in the order of `seq`, without gaps. If it "
        "raises, what the chat has in memory may be wrong: the store has it load anew, as after "
        "`lost`, at once or some minutes after the last time."
    )
    lost: Callable[[], None] = Attribute(
        "Set by the chat: called when this node can't go on: other nodes have given it up, or it "
        "could not reach the database for 3 s. Nothing that is queued has a result that clients "
        "may be told: its Deferreds fail with NotStored after this call, once the connections are "
        "closed."
    )
    restored: Callable[[StoredState], None] = Attribute(
        "Set by the chat: called after `lost` with the state as it is now: the store works again, "
        "as a new node."
    )

    def catch_up(rooms: Collection[int] = ()) -> Deferred[None]:
        """Fire when what nodes have committed before the call is delivered, as far as is asked for.

        That is which rooms there are, all else that the system log tells, and the logs of `rooms`;
        other rooms may be behind. A look at all rooms would take a statement for 2,000 of them. A
        store that no other node can use fires at once, without a place in the queue.

        Args:
            rooms: room ids; those of unknown rooms are left out.
        """

    def announce(came: Mapping[int, str], went: Collection[int]) -> None:
        """Tell other nodes who has come online here, and who is not online here any more.

        Args:
            came: account id -> name as displayed.
            went: account ids.
        """

    is_shared: bool = Attribute(
        "Whether other nodes can use the database of this store. If not, nothing is ever behind, "
        "and `count_failures` is not called."
    )

    def has_others() -> Deferred[bool]:
        """Return whether other nodes live that users could go to, also such as load (read)."""

    def count_failures(
        keys: Sequence[tuple[str, str]], at: int, change: CountFailures[T]
    ) -> Deferred[tuple[T, FailureCount]]:
        """Run a rule on counts of wrong guesses, while no other node does.

        Args:
            keys: of each count what is counted, and the network, "" for all networks.
            at: now, in milliseconds since 1970, UTC.
            change: given the counts of `keys`, returns its result and the counts after it. It may
                run in another thread, and twice. If it raises a ChatError, nothing has changed.

        Returns:
            The result of the rule, and the first count after it.
        """

    def tell(entry: AddressAsked | AddressAnswered) -> Deferred[None]:
        """Tell other nodes something that is kept in the memory of all nodes only.

        All nodes take note of it in the same order, this one when the call fires. A store that no
        other node can use fires at once, without a place in the queue.

        Args:
            entry: what they are told.
        """

    def begin_ending(account_id: int) -> Deferred[tuple[int, ...] | None]:
        """End the sessions of a temporary account, so that none can be resumed.

        Those of an account whose deletion has begun have ended.

        Args:
            account_id: the account.

        Returns:
            The rooms that it is a member of, or owns; None if it is connected at a node, or does
            not exist: then nothing has changed.
        """

    def find_guest(key: str) -> Deferred[StoredGuest | None]:
        """Return the temporary account with a name that is connected nowhere, if any (read).

        Args:
            key: the name.

        Returns:
            None if there is no such account. Its `network` is that of its last login or resume.
        """
