"""What calls about sessions need locked, and what other nodes are told of them: one table."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.chat.audit import audit_record
from gtchat.chat.deletion_rules import DELETED_USER
from gtchat.chat.interfaces import Account, AccountState, EndedSession, ResumeResult
from gtchat.chat.node_records import (
    AccountEnded,
    AccountRenamed,
    ChoiceMade,
    EpochBegun,
    OperatorSet,
    SessionsEnded,
    SystemEntry,
)
from gtchat.store import admin_tells, session_tells
from gtchat.store.jobs import NO_PLAN, Locks, Plan, audited
from tests.store.contract import new_session

ANN, GUEST = 3, 4
TOKEN, OLD = b"t" * 32, b"o" * 32
LOST = EndedSession(ANN, TOKEN, {})
NEW = new_session(TOKEN, address="192.0.2.9")
#: A login on the connection of a guest, whose session ends.
AFTER_GUEST = new_session(TOKEN, ended=[EndedSession(GUEST, OLD, {})])
WITHOUT_SESSION = new_session(None)


def state(*ended: bytes) -> AccountState:
    account = Account(ANN, "Ann", "ann", True)
    return AccountState(account, (), {}, frozenset(), ended=frozenset(ended))


def resumed(epoch: str | None = None, moved: bool = False) -> ResumeResult:
    return ResumeResult(state(), {}, epoch, (), moved)


def ended(reason: str, *tokens: bytes, address: str = "") -> SessionsEnded:
    return SessionsEnded(ANN, frozenset(tokens), reason, address)


LOGIN = Locks(accounts=(ANN,), begins=True, system=True)
RESUME = Locks(tokens=(TOKEN,), begins=True, held=frozenset([1]), system=True)
END = Locks(accounts=(ANN,), system=True)
RESUMED = session_tells.resume(TOKEN, "192.0.2.9", [1])

#: Plan of a call, its locks, the result of the call, and what is told then.
ROWS: tuple[tuple[Plan, Locks, Any, list[SystemEntry]], ...] = (
    (session_tells.login(ANN, NEW), LOGIN, state(), []),
    (
        session_tells.login(ANN, NEW),
        LOGIN,
        state(OLD),
        [ended("replaced", OLD, address="192.0.2.9")],
    ),
    (
        session_tells.login(ANN, AFTER_GUEST),
        Locks(accounts=(ANN, GUEST), begins=True, system=True),
        state(),
        [],
    ),
    (
        session_tells.login_guest("Bob", NEW),
        Locks(names=("Bob",), begins=True, system=True),
        7,
        [],
    ),
    (
        session_tells.login_guest("Bob", AFTER_GUEST),
        Locks(names=("Bob",), accounts=(GUEST,), begins=True, system=True),
        7,
        [],
    ),
    (RESUMED, RESUME, resumed(), []),
    (RESUMED, RESUME, resumed(moved=True), [ended("replaced", TOKEN, address="192.0.2.9")]),
    (RESUMED, RESUME, resumed("new"), [EpochBegun("new")]),
    (session_tells.session_lost(LOST), Locks(accounts=(ANN,)), None, []),
    (session_tells.end_session(LOST), END, None, [ended("ended", TOKEN)]),
    (session_tells.end_session(LOST, None, "kicked"), END, None, [ended("kicked", TOKEN)]),
    (session_tells.end_other_sessions(ANN, TOKEN), END, frozenset(), []),
    (session_tells.end_other_sessions(ANN, TOKEN), END, {OLD}, [ended("ended", OLD)]),
    (
        session_tells.end_other_sessions(ANN, None, "kicked"),
        END,
        frozenset(),
        [SessionsEnded(ANN, None, "kicked")],
    ),
    (
        session_tells.set_password(ANN),
        END,
        True,
        [SessionsEnded(ANN, None, "password")],
    ),
    (session_tells.begin_ending(ANN), LOGIN, (5, 6), []),
    (session_tells.end_guest(ANN), END, False, [AccountEnded(ANN)]),
    (
        session_tells.end_guest(ANN),
        END,
        True,
        [AccountRenamed(ANN, DELETED_USER, ""), AccountEnded(ANN)],
    ),
)


class Plans(SynchronousTestCase):
    def test_locks_and_what_is_told(self) -> None:
        for plan, locks, result, told in ROWS:
            self.assertEqual((plan.locks, list(plan.tells(result))), (locks, told))
            self.assertIsNone(plan.checked)
            self.assertTrue(locks.system or not told)

    def test_a_record_of_the_audit_log_goes_with_the_call(self) -> None:
        record = audit_record("put_out", 7, name="Ann")
        for plan in (
            session_tells.login(ANN, attrs.evolve(NEW, audit=record)),
            session_tells.login_guest("Bob", attrs.evolve(NEW, audit=record)),
            session_tells.end_session(LOST, record),
            session_tells.end_other_sessions(ANN, None, audit=record),
            session_tells.set_password(ANN, record),
            audited(NO_PLAN, record),
            admin_tells.record(record),
            admin_tells.set_operator(ANN, True, record),
            admin_tells.add_login_link(ANN, record),
        ):
            self.assertEqual(plan.audit, record)
        self.assertIs(audited(NO_PLAN, None), NO_PLAN)

    def test_a_new_name_is_told_and_locks_the_account(self) -> None:
        plan = admin_tells.rename(ANN, "Ann", "Zoe", "zoe", audit_record("account_renamed", 7))
        self.assertEqual(plan.locks, Locks(names=("Ann", "Zoe"), accounts=(ANN,), system=True))
        self.assertEqual(list(plan.tells(None)), [AccountRenamed(ANN, "Zoe", "zoe")])

    def test_the_operator_mark_is_told(self) -> None:
        plan = admin_tells.set_operator(ANN, False, audit_record("operator_off", 7))
        self.assertEqual(plan.locks, Locks(accounts=(ANN,), system=True))
        self.assertEqual(list(plan.tells(None)), [OperatorSet(ANN, False)])

    def test_a_choice_is_told(self) -> None:
        plan = admin_tells.choose("guests", "off", audit_record("chosen", 7))
        self.assertTrue(plan.locks.system)
        self.assertEqual(list(plan.tells(None)), [ChoiceMade("guests", "off")])

    def test_sessions_that_begin_or_go_on_belong_to_the_node(self) -> None:
        for plan, begun in (
            (session_tells.login(ANN, NEW), (TOKEN,)),
            (session_tells.login_guest("Bob", NEW), (TOKEN,)),
            (session_tells.login_guest("Bob", WITHOUT_SESSION), ()),
            (RESUMED, (TOKEN,)),
            (session_tells.end_session(LOST), ()),
        ):
            self.assertEqual(plan.begun, begun)
