"""One account over several protocols: a login ends no session of another, the page ends any."""

from __future__ import annotations

from tests.protocols.cases import CenterTestCase, PA1TestCase


class Center(CenterTestCase):
    def test_sessions_of_two_protocols_live_side_by_side(self) -> None:
        first = self.log_in_web("ann")
        self.log_in_all("ann")
        second = self.log_in_web("ann")
        self.assertEqual(first.closed, (4001, "replaced: logged in elsewhere"))
        self.assertEqual(self.pushed(), [])
        self.assertEqual(self.online(), ["ann"])
        listed = second.call("get_sessions")["sessions"]
        self.assertEqual(
            {(one["protocol"], one["address"], one.get("current")) for one in listed},
            {("message_center", "192.0.2.7", None), ("gtchat", "203.0.113.99", True)},
        )
        second.drop(clean=True)
        self.assertEqual(self.online(), ["ann"])

    def test_a_login_elsewhere_ends_the_session_of_the_same_protocol(self) -> None:
        page = self.log_in_web("ann")
        self.log_in_all("ann")
        self.log_in("ann", 6002)
        self.assertIn((6001, "Logged on different location!"), self.pushed())
        self.assertIsNone(page.closed)
        self.assertEqual(page.call("get_sessions")["sessions_total"], 2)


class OverPA1(PA1TestCase):
    def test_the_page_ends_the_session(self) -> None:
        self.log_in_all("ann", "bob")
        page = self.log_in_web("ann")
        [other] = [one for one in page.call("get_sessions")["sessions"] if "current" not in one]
        self.assertEqual(other["protocol"], "pa1")
        self.assertEqual(page.call("end_session", id=other["id"])["status"], "ok")
        self.assertEqual(self.called(), [])
        self.assertEqual(list(self.pa1.by_key), ["bob"])
        self.assertEqual(page.call("get_sessions")["sessions_total"], 1)

    def test_a_changed_password_ends_it(self) -> None:
        self.log_in_all("ann")
        page = self.log_in_web("ann")
        change = {"new_pwd": "new password", "new_pwd2": "new password"}
        self.assertEqual(page.call("update_pwd", pwd="password", **change)["status"], "ok")
        self.assertEqual(self.pa1.by_key, {})

    def test_a_session_that_ends_is_not_kept_for_a_resume(self) -> None:
        self.log_in_all("ann")
        page = self.log_in_web("ann")
        self.reactor.advance(60)  # without a heartbeat
        self.server.run_pending()
        self.assertEqual(page.call("get_sessions")["sessions_total"], 1)
