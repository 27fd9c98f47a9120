"""The client's table of commands, compared with the commands of the server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gtchat.client.commands import COMMANDS, Effect, Repeat, effect_of, repeat_of
from gtchat.protocols.gtchat_json.commands import BY_CMD


class Table(SynchronousTestCase):
    def test_every_row_is_a_command_of_the_protocol(self) -> None:
        self.assertEqual(COMMANDS.keys() - BY_CMD.keys(), set())

    def test_commands_with_a_txn_are_those_whose_request_has_one(self) -> None:
        found = {cmd for cmd in BY_CMD if repeat_of(cmd) is Repeat.WITH_TXN}
        expected = {cmd for cmd, request in BY_CMD.items() if "txn" in request.__struct_fields__}
        self.assertEqual(found, expected)

    def test_an_unknown_command_is_never_repeated(self) -> None:
        self.assertEqual((effect_of("new"), repeat_of("new")), (Effect.NONE, Repeat.NEVER))
