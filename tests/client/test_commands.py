"""What the client knows of the protocol, compared with the contract of the server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.client.close_codes import COME_BACK, MEANINGS, is_final
from gtchat.client.commands import (
    COMMANDS,
    LOGIN_AGAIN_ERRORS,
    TEMPORARY_ERRORS,
    Effect,
    Repeat,
    effect_of,
    repeat_of,
)
from gtchat.protocols.base.closing import CloseReason
from gtchat.protocols.gtchat_json import contract
from gtchat.protocols.gtchat_json.commands import BY_CMD


class Table(SynchronousTestCase):
    def test_every_row_is_a_command_of_the_protocol(self) -> None:
        self.assertEqual(COMMANDS.keys() - BY_CMD.keys(), set())

    def test_the_commands_that_are_repeated_are_those_that_may_be(self) -> None:
        names = {Repeat.ALWAYS: "always", Repeat.WITH_TXN: "txn", Repeat.NEVER: "no"}
        found = {cmd: names[repeat_of(cmd)] for cmd in BY_CMD}
        expected = {cmd: one.value for cmd, one in contract.REPEATABLE.items()}
        self.assertEqual(found, expected)

    def test_temporary_errors_are_those_of_the_protocol(self) -> None:
        expected = {code for code, temporary in contract.TEMPORARY.items() if temporary}
        self.assertEqual(TEMPORARY_ERRORS, expected)
        self.assertEqual(LOGIN_AGAIN_ERRORS, contract.LOGIN_AGAIN)

    def test_the_client_comes_back_from_the_close_codes_of_the_protocol(self) -> None:
        expected = {code: one.value for code, one in contract.COME_BACK.items()}
        self.assertEqual({code: one.value for code, one in COME_BACK.items()}, expected)
        self.assertFalse(is_final(4999))
        self.assertFalse(is_final(None))

    def test_the_client_knows_what_each_close_reason_means(self) -> None:
        self.assertEqual(MEANINGS.keys(), {reason.word for reason in CloseReason})

    def test_an_unknown_command_is_never_repeated(self) -> None:
        self.assertEqual((effect_of("new"), repeat_of("new")), (Effect.NONE, Repeat.NEVER))
