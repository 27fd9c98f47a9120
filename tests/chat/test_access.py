"""Who may come in: what the settings say, and what operators choose, on one node and on two."""

from __future__ import annotations

from gtchat.chat.access import AccessSettings
from gtchat.chat.admin_store import AuditQuery
from gtchat.chat.audit import AT_CONSOLE
from gtchat.chat.errors import BadRequest, TooLong
from tests.chat.test_administration import Administered
from tests.fakes import FakeClient, RecordingConnection, RecordingEncoder, TestServer, nodes


def code_of(client: FakeClient, cmd: str, **fields: object) -> str:
    """Return the code of the error that a request gets, "" for none."""
    return str(client.call(cmd, **fields).get("code", ""))


class Access(Administered):
    def register(self, name: str, **fields: object) -> str:
        """Register an account; return the code of the error, "" for none."""
        return code_of(
            self.server.connect(), "register", usr=name, **(fields or {"pwd": "password"})
        )

    def choose(self, name: str, value: str) -> None:
        self.done(self.admin.access.choose(name, value, AT_CONSOLE))

    def test_all_can_register_and_be_guests_by_default(self) -> None:
        self.assertEqual(self.register("Ann"), "")
        self.server.guest("Gus")
        hello = self.server.connect().call("hello")
        self.assertEqual((hello["registration"], hello["guests"]), ("open", True))
        self.assertEqual(self.server.chat.access.told()["name"], hello["name"])

    def test_the_settings_say_who_can_register_and_whether_there_are_guests(self) -> None:
        uuid = "0b5e5e0e-35a2-4e0c-9b2b-2c8c6b4c5d1f"
        for mode, code in (("invite", "invite_wanted"), ("closed", "registration_closed")):
            self.use(TestServer(access=AccessSettings(mode, guests=False)))
            self.assertEqual(self.register("Ann"), code)
            self.assertEqual(self.register("Ann", uuid=uuid), code)
            self.assertEqual(self.server.connect().login("Gus")["code"], "not_allowed")
            hello = self.server.connect().call("hello")
            self.assertEqual((hello["registration"], hello["guests"]), (mode, False))

    def test_operators_make_accounts_and_host_logs_in_whatever_is_chosen(self) -> None:
        self.use(TestServer(access=AccessSettings("closed", guests=False)))
        self.done(self.admin.accounts.create("Ann", "password", AT_CONSOLE))
        self.assertEqual(self.server.connect().login("ann", pwd="password")["status"], "ok")
        host = self.server.chat.logins.login_host(RecordingEncoder(), RecordingConnection())
        self.assertEqual(self.done(host).user.name, "Host")

    def test_what_is_chosen_goes_before_the_setting_until_the_default_is_chosen(self) -> None:
        self.use(TestServer(access=AccessSettings("closed", guests=False)))
        self.choose("registration", "open")
        self.choose("guests", "on")
        self.assertEqual(self.register("Ann"), "")
        self.server.guest("Gus")
        self.server.start()
        self.admin = self.server.chat.admin
        self.assertEqual(self.register("Bob"), "")
        self.assertTrue(self.server.chat.access.is_chosen("guests"))
        self.choose("registration", "default")
        self.choose("guests", "default")
        self.assertEqual(self.register("Cat"), "registration_closed")
        self.assertEqual(self.server.connect().login("Hal")["code"], "not_allowed")
        self.server.start()
        self.assertEqual(self.register("Cat"), "registration_closed")

    def test_a_stored_value_that_this_program_does_not_know_is_that_of_the_setting(self) -> None:
        self.server.chat.access.choose("registration", "on request")
        self.assertEqual(self.register("Ann"), "")

    def test_the_chat_is_renamed(self) -> None:
        self.done(self.admin.access.rename(" Garden\u0301 ", AT_CONSOLE))
        self.assertEqual(self.server.connect().call("hello")["name"], "Garde\u0144")
        for name, error in (("", BadRequest), ("a\nb", BadRequest), ("x" * 65, TooLong)):
            self.refused(self.admin.access.rename(name, AT_CONSOLE), error)
        self.done(self.admin.access.rename("default", AT_CONSOLE))
        self.assertEqual(self.server.connect().call("hello")["name"], "GTChat")

    def test_a_choice_is_recorded(self) -> None:
        self.choose("guests", "off")
        [record] = self.done(self.admin.audit(AuditQuery(code="chosen")))
        self.assertEqual(
            dict(record.what), {"setting": "guests", "value": "off", "by": "(console)"}
        )

    def test_guests_who_are_logged_in_stay(self) -> None:
        gus = self.server.guest("Gus")
        self.choose("guests", "off")
        self.assertEqual(code_of(gus, "speak", room_name="lobby", msg="hi"), "")

    def test_a_registration_that_is_closed_while_its_password_is_hashed_is_refused(self) -> None:
        self.server.passwords.held = []
        client = self.server.connect()
        client.send("register", usr="Ann", pwd="password", tracker=1)
        self.server.run_pending()
        [hashing], self.server.passwords.held = self.server.passwords.held, None
        self.choose("registration", "closed")
        hashing.callback(None)
        self.assertEqual(client.reply("1")["code"], "registration_closed")
        self.assertIsNone(self.account("ann"))

    def test_a_choice_holds_at_each_node_at_once(self) -> None:
        first, second = nodes(2)
        self.use(first)
        for mode, code in (("closed", "registration_closed"), ("default", "")):
            self.choose("registration", mode)
            self.server.run_pending()
            self.assertEqual(code_of(second.connect(), "register", usr="A", pwd="password"), code)
        self.choose("guests", "off")
        self.server.run_pending()
        self.assertEqual(second.connect().login("Gus")["code"], "not_allowed")
