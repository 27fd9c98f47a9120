"""Hashing in threads: what goes first, bounded queues, and no difference for unknown names."""

from __future__ import annotations

from threading import Event
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from gtchat.chat.errors import RateLimited
from gtchat.server.passwords import (
    QUEUE_LIMIT,
    VERIFICATIONS_IN_A_ROW,
    Passwords,
    decoy_hash,
)


class Hasher:
    """Records its calls; verifications wait while `may` is not set."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may = Event()
        self.may.set()

    def hash(self, password: str) -> str:
        self.asked.append("hash")
        return f"hash of {password}"

    def verify(self, hash: str, password: str) -> bool:
        self.may.wait()
        self.asked.append("verify")
        if hash != f"hash of {password}":
            raise VerifyMismatchError
        return True


class PasswordsTest(TestCase):
    def setUp(self) -> None:
        self.hasher = Hasher()
        self.passwords = Passwords(reactor, 1)
        patched: Any = self.passwords
        patched._hasher = self.hasher
        self.passwords.start()
        self.addCleanup(self.passwords.stop)

    async def test_unknown_name_costs_as_much_as_a_known_one(self) -> None:  # D01
        known = await self.passwords.hash("right")
        self.hasher.asked.clear()
        for hash, password, right in ((None, "right", False), (known, "wrong", False)):
            self.assertIs(await self.passwords.verify(hash, password), right)
            self.assertEqual(self.hasher.asked, ["verify"])
            self.hasher.asked.clear()
        self.assertTrue(await self.passwords.verify(known, "right"))

    async def test_number_of_waiting_requests_is_bounded(self) -> None:  # G08
        self.hasher.may.clear()
        waiting = [self.passwords.verify(None, "x") for _ in range(QUEUE_LIMIT + 1)]
        await self.assertFailure(self.passwords.verify(None, "x"), RateLimited)
        self.hasher.may.set()
        self.assertEqual(set(await gatherResults(waiting)), {False})
        self.assertFalse(await self.passwords.verify(None, "x"))

    async def test_logins_go_before_registrations_also_when_too_many_register(self) -> None:  # G08
        self.hasher.may.clear()
        busy = self.passwords.verify(None, "x")
        hashes = [self.passwords.hash("new") for _ in range(QUEUE_LIMIT)]
        await self.assertFailure(self.passwords.hash("new"), RateLimited)
        logins = [self.passwords.verify("hash of right", "right") for _ in range(2)]
        self.assertEqual(self.passwords.waiting, 1 + QUEUE_LIMIT + 2)
        self.hasher.may.set()
        self.assertEqual(await gatherResults([busy, *logins]), [False, True, True])
        self.assertEqual(self.hasher.asked[:3], ["verify"] * 3)
        self.assertEqual(set(await gatherResults(hashes)), {"hash of new"})
        self.assertEqual(self.passwords.waiting, 0)

    async def test_registrations_come_at_last_also_when_too_many_log_in(self) -> None:
        self.hasher.may.clear()
        logins = [self.passwords.verify(None, "x") for _ in range(QUEUE_LIMIT + 1)]
        hashes = [self.passwords.hash("new") for _ in range(2)]
        self.hasher.may.set()
        await gatherResults([*logins, *hashes])
        turn = ["verify"] * VERIFICATIONS_IN_A_ROW + ["hash"]
        self.assertEqual(self.hasher.asked[: 2 * len(turn)], 2 * turn)

    async def test_a_failure_keeps_no_thread(self) -> None:
        self.patch(self.hasher, "hash", lambda password: 1 // 0)
        await self.assertFailure(self.passwords.hash("new"), ZeroDivisionError)
        self.assertEqual(self.passwords.waiting, 0)
        self.assertFalse(await self.passwords.verify(None, "x"))


class DecoyTest(TestCase):
    """The hash that stands for the password of an unknown name."""

    def test_verifying_it_does_the_work_of_verifying_a_real_one(self) -> None:  # D01
        for cost in ({}, {"time_cost": 1, "memory_cost": 64, "parallelism": 2}, {"hash_len": 24}):
            hasher = PasswordHasher(**cost)
            decoy, real = decoy_hash(hasher), hasher.hash("right")
            # What Argon2 does depends on these alone, and on the length of the password.
            self.assertEqual(extract_parameters(decoy), extract_parameters(real))
            self.assertEqual(len(decoy), len(real))
            # A hash that is not well-formed would be rejected before any work is done.
            self.assertRaises(VerifyMismatchError, hasher.verify, decoy, "right")

    def test_it_is_not_computed_and_another_one_in_each_server(self) -> None:
        self.patch(PasswordHasher, "hash", lambda *args, **kwargs: self.fail("computed"))
        self.assertNotEqual(decoy_hash(PasswordHasher()), decoy_hash(PasswordHasher()))
        passwords = Passwords(reactor, 1)
        passwords.start()
        self.addCleanup(passwords.stop)


class CostTest(TestCase):
    async def test_hashes_have_the_cost_that_is_recommended(self) -> None:
        """RFC 9106, section 4: the second recommended option. Servers of e2e use less."""
        passwords = Passwords(reactor, 1)
        passwords.start()
        self.addCleanup(passwords.stop)
        hashed = await passwords.hash("long enough")
        self.assertTrue(hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), hashed)
        self.assertTrue(await passwords.verify(hashed, "long enough"))
        self.assertFalse(await passwords.verify(hashed, "long enouhg"))
