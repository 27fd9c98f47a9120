"""Accounts with a telephone number."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat import phones
from gtchat.chat.credentials import phone_hash, phone_number
from gtchat.chat.errors import BadCredentials, BadName, BadRequest, NameTaken
from gtchat.chat.interfaces import PhoneAccount
from tests.fakes import RecordingConnection, RecordingEncoder, TestServer

T = TypeVar("T")


class PhoneAccounts(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer()

    def run_coroutine(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        done = Deferred.fromCoroutine(coroutine)
        self.server.run_pending()
        return done

    def register(self, name: str, number: str) -> Deferred[PhoneAccount]:
        register = self.server.chat.phones.register
        return self.run_coroutine(register(name, number, "192.0.2.1"))

    def test_numbers_are_normalized_or_refused(self) -> None:
        for raw, number in (("111", "111"), ("+34 600-11.22 (33)", "+34600112233")):
            self.assertEqual(phone_number(raw), number)
        for raw in ("", "12", "1" * 16, "12a4", "+", "\u0661\u0662\u0663"):
            self.assertRaises(BadRequest, phone_number, raw)
        self.assertNotEqual(phone_hash("111"), phone_hash("+111"))

    def test_taken_name_gets_a_number_appended(self) -> None:
        names = [
            self.successResultOf(self.register(name, str(100 + index))).name
            for index, name in enumerate(("Ana", "ana", "Ana Mar\u00eda!", "Ana"))
        ]
        self.assertEqual(names, ["Ana", "ana-2", "Ana-Mar\u00eda", "Ana-3"])

    def test_name_that_looks_like_a_taken_one_gets_a_number_appended(self) -> None:
        self.server.guest("cop")
        phone = self.successResultOf(self.register("\u0441\u043e\u0440", "111"))
        self.assertEqual(phone.name, "\u0441\u043e\u0440-2")

    def test_long_names_are_cut_before_they_are_read(self) -> None:
        phone = self.successResultOf(self.register("A" + " x" * 30_000, "111"))
        self.assertEqual(len(phone.name), 27)
        self.failureResultOf(self.register("<" * 256 + "Ana", "112"), BadName)
        self.assertRaises(BadRequest, phone_number, "1" + " " * 64)

    def test_names_that_cannot_be_given_are_refused(self) -> None:
        self.failureResultOf(self.register("<>", "111"), BadName)
        self.patch(phones, "NAME_ATTEMPTS", 2)
        for number in ("111", "112"):
            self.successResultOf(self.register("Ana", number))
        self.failureResultOf(self.register("Ana", "113"), NameTaken)

    def test_number_has_one_account(self) -> None:
        self.successResultOf(self.register("Ana", "111"))
        self.failureResultOf(self.register("Bob", "111"), NameTaken)

    def test_number_logs_in(self) -> None:
        login = self.server.chat.logins.login_phone
        connection = RecordingConnection()
        self.failureResultOf(
            self.run_coroutine(login("111", RecordingEncoder(), connection, None)), BadCredentials
        )
        phone = self.successResultOf(self.register("Ana", "111"))
        session = self.successResultOf(
            self.run_coroutine(login("111", RecordingEncoder(), connection, None))
        )
        self.assertEqual((session.user.id, session.user.name), (phone.account_id, "Ana"))

    def test_last_time_online_is_stored(self) -> None:
        phone = self.successResultOf(self.register("Ana", "111"))
        numbers = self.server.chat.phones
        numbers.set_left(attrs.evolve(phone, left_at=phone.left_at + 60_000))
        self.server.run_pending()
        listing = numbers.listed()
        self.server.run_pending()
        [found] = self.successResultOf(listing)
        self.assertEqual((found.number, found.left_at), ("111", phone.left_at + 60_000))
