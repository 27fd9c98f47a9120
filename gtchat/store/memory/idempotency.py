"""Which account used which txn (idempotency key), for what, and the ack it got."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import attrs

from gtchat.chat.errors import TxnConflict
from gtchat.chat.interfaces import Ack, RepeatableRequest

T = TypeVar("T")


class TxnTable:
    """The txns (idempotency keys) of all accounts, with the acks that they got."""

    def __init__(self) -> None:
        self._acks: defaultdict[int, dict[str, tuple[object, Ack]]] = defaultdict(dict)

    def find_ack(self, account_id: int, txn: str, content: object) -> Ack | None:
        """Return the ack of the request that used this txn before, None if there was none.

        Args:
            account_id: the account that sends.
            txn: its idempotency key.
            content: what it sends.

        Raises:
            TxnConflict: the txn was used for other content.
        """
        found = self._acks[account_id].get(txn)
        if found is None:
            return None
        if found[0] != content:
            raise TxnConflict()
        return attrs.evolve(found[1], dup=True)

    def save_ack(self, account_id: int, txn: str, content: object, ack: Ack) -> None:
        """Keep the ack that an account gets for a txn; the arguments are those of `find_ack`."""
        self._acks[account_id][txn] = (content, ack)

    def has(self, account_id: int, txn: str) -> bool:
        """Return whether an account has used a txn, for whatever."""
        return txn in self._acks.get(account_id, ())

    def find_request(self, request: RepeatableRequest) -> Ack | None:
        """Return the ack of the request that used a txn before; see `IStore.find_ack`."""
        return self.find_ack(request.account_id, request.txn, (request.content, ""))

    def do_once(self, request: RepeatableRequest | None, done: T, do: Callable[[], T]) -> T:
        """Do what a request that appends no entry asks for; return `done` if it was done before."""
        if request is None:
            return do()
        if self.find_request(request) is not None:
            return done
        result = do()
        ack = Ack("", 0, request.at)
        self.save_ack(request.account_id, request.txn, (request.content, ""), ack)
        return result

    def delete_account(self, account_id: int) -> None:
        """Delete the txns of an account."""
        self._acks.pop(account_id, None)

    def prune(self, before: int) -> None:
        """Delete txns stored before a time, in milliseconds since 1970, UTC."""
        for account_id, acks in list(self._acks.items()):
            young = {txn: acks[txn] for txn in acks if acks[txn][1].at >= before}
            if young:
                self._acks[account_id] = young
            else:
                del self._acks[account_id]
