"""The operator's view of the page: what an account with the operator mark does there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import TestCase

from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Closed, Server

PASSWORD = "long enough"
#: The lists of which a part cannot be reached: only the page around them scrolls.
CUT = """
const cards = [...document.querySelectorAll('.card')];
return cards.filter((card) => card.scrollHeight > card.clientHeight)
  .map((card) => `${card.clientHeight} of ${card.scrollHeight} px`);
"""
#: Empties the search field. Returns what the page shows before it has asked the server.
EMPTIED = """async () => {
  const field = document.querySelector('.settings input[type=search]');
  field.value = '';
  field.dispatchEvent(new Event('input', { bubbles: true }));
  for (let turn = 0; turn < 20; turn += 1) await null;
  return document.querySelector('.settings .page').innerText;
}"""


class PageOperatorTest(TestCase):
    """Olga is an operator; Ann is online with another client."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0", "--member-invitations").start()
        self.addCleanup(self.server.kill)
        for name in ("olga", "ann", "spam1"):
            self.admin("accounts create", name=name, password=PASSWORD)
        self.admin("accounts operator", name="olga", on="on")
        self.ann = Client(self.server.ws_port)
        self.addCleanup(self.ann.close)
        self.ann.call("login", type="reg", usr="ann", pwd=PASSWORD)
        self.ann.call("create_room", room_name="Garden")
        self.page = Browser(f"http://127.0.0.1:{self.server.web_port}/")
        self.addCleanup(self.page.close)
        self.addCleanup(lambda: self.assertEqual(self.page.console_errors(), []))

    def admin(self, command: str, **arguments: object) -> Mapping[str, Any]:
        """Have an operator at the server run a command; return its result."""
        return request(self.server.folder / SOCKET, command, arguments).data

    def open_view(self) -> None:
        """Log the operator in, and open the view with the password."""
        page = self.page
        page.log_in("olga", PASSWORD, "member")
        page.open_settings("Account")
        self.assertEqual(page.run("return typeof GTChat.OperatorView"), "undefined")
        page.click(".settings .page button.line", "Administration")
        page.find(".settings .main h2", "Confirm your password")
        page.fill("old_password", PASSWORD)
        page.click(".settings .page button.primary", "Continue")

    def section(self, name: str) -> None:
        self.page.click(".settings nav button", name)
        self.page.find(".settings .main h2", name)

    def check(self, view: str) -> None:
        """Look for violations in the view that is shown, in both themes."""
        axe.load(self.page)
        for theme in ("dark", "light"):
            found = axe.violations(self.page, theme, only_contrast=theme == "light")
            self.assertEqual(found, [], f"{view}, {theme}")
        self.assertEqual(self.page.run(CUT), [], view)

    def test_an_operator_bans_and_looks_after_accounts(self) -> None:
        page = self.page
        self.admin("filter add", pattern="buy*", action="flag")
        self.ann.call("speak", room_name="Garden", msg="buying roses")
        self.ann.call("whisper", target_user="spam1", msg="come here")
        reporter = Client(self.server.ws_port)
        self.addCleanup(reporter.close)
        reporter.call("login", type="reg", usr="spam1", pwd=PASSWORD)
        reporter.call("report", target_user="ann", seq=1)
        self.open_view()
        page.find(".settings .card li", "spam1")
        self.check("accounts")
        page.click(".settings .card button[aria-label='Manage ann']")
        page.find(".dialog .card li", "127.0.0.1")
        page.find(".dialog .profile", "messages: 21 bytes")
        self.check("account")
        page.click(".dialog .card button.line", "Ban")
        page.fill("reason", "spam in all rooms")
        page.click(".dialog footer button.danger", "Ban")
        page.find(".settings .card li", "spam in all rooms")
        with self.assertRaises(Closed) as closed:
            while True:
                self.ann.message()
        self.assertEqual(closed.exception.code, 4002)
        self.check("bans")
        page.click(".settings .page button", "New ban")
        page.choose("kind", "name")
        page.fill("target", "spam*")
        page.click(".dialog footer button.danger", "Ban")
        page.find(".dialog .body", "match spam*: 1")
        page.click(".dialog footer button.danger", "Ban")
        page.find(".settings .card li", "spam*")
        page.click(".settings .card button[aria-label='Remove the ban of ann']")
        page.click(".dialog footer button.primary", "Remove")
        page.wait_gone(".settings .card button[aria-label='Remove the ban of ann']")
        self.section("Addresses")
        page.find(".settings .page .hint", "Enter an IP address")
        page.type(page.find(".settings input[type=search]"), "192.0.2.1")
        page.find(".settings .page [role=status]", "Nothing found")
        emptied = page.call(EMPTIED)
        self.assertIn("Enter an IP address", emptied)
        self.assertNotIn("nothing here yet", emptied)
        page.type(page.find(".settings input[type=search]"), "127.0.0.1")
        page.find(".settings .card li", "olga")
        page.wait_gone(".settings .page .hint")
        self.section("Rooms")
        page.click(".settings .card button[aria-label='Delete Garden']")
        page.find(".dialog .body", "The room is deleted with all of its messages")
        page.click(".dialog footer button.danger", "Delete")
        page.wait_gone(".settings .card button[aria-label='Delete Garden']")
        self.section("Invitations")
        page.click(".settings .page button", "New invitation")
        page.click(".dialog footer button.primary", "Make a link")
        link = page.find(".dialog:has(.qr.drawn) [name=shared_link]").get_attribute("value")
        self.assertIn(f"127.0.0.1:{self.server.web_port}/#/", link)
        page.click(".dialog header button")
        page.find(".settings .card li", "used 0 of 1")
        page.click(".settings .card button", "Revoke")
        page.click(".dialog footer button.danger", "Revoke")
        page.wait_gone(".settings .card button[aria-label='Revoke invitation 1']")
        self.section("Reports")
        page.find(".settings .report", "Direct message")
        page.find(".settings .report", "come here")
        page.find(".settings .report", "flagged by the word filter")
        page.find(".settings .report", "rule buy*")
        self.check("reports")
        page.click(".settings .report button", "Accept")
        page.click(".dialog footer button.primary", "Accept")
        page.wait_count(".settings .report", 1)
        page.click(".settings .report button", "Dismiss")
        page.find(".dialog .hint", "No user is told")
        page.click(".dialog footer button.primary", "Dismiss")
        page.find(".settings .main", "No report waits")
        self.section("Audit log")
        page.find(".settings .card li", "ban_added")
        self.check("audit log")
        self.section("Who may come in")
        page.find("[name=registration]")
        page.set_viewport(390, 800)
        self.check("a phone")
        self.assertEqual(self.admin("access")["panic"], "off")

    def test_an_operator_chooses_how_long_the_panic_switch_is_on(self) -> None:
        page = self.page
        self.open_view()
        self.section("Who may come in")
        page.find(".settings .page [role=status]", "It is off.")
        button = ".settings .page section button"
        page.find(button, "Turn on").send_keys(Keys.ENTER)
        focused = "return document.activeElement.name"
        self.assertEqual(page.wait_until(lambda: page.run(focused)), "time")
        page.find(".dialog [name=time]").send_keys("6")
        self.check("the panic switch")
        page.click(".dialog footer button.primary", "Turn on")
        page.find(".settings .page [role=status]", "It is on until")
        page.find("[name=registration]")
        chosen = "return document.querySelector('[name=registration]').value"
        page.expect(lambda: page.run(chosen), "closed")
        page.find(button, "Change the time")
        [record, *_] = self.admin("audit", code="chosen")["records"]
        self.assertIn("on for 21600 s", record["what"]["value"])
        self.check("it is on")
        page.find(button, "Turn off").send_keys(Keys.ENTER)
        page.find(".settings .page [role=status]", "It is off.")
        page.expect(lambda: page.run("return document.activeElement.textContent"), "Turn on")
        self.assertEqual(self.admin("access")["panic"], "off")

    def test_an_operator_gives_roles_and_a_name_to_the_chat(self) -> None:
        page = self.page
        lobby = {"room_name": "lobby"}
        self.assertEqual(self.ann.call("get_moderation", **lobby)["code"], "not_owner")
        self.open_view()
        self.section("Rooms")
        page.click(".settings .card button[aria-label='Give a role in lobby']")
        page.fill("user", "none")
        page.click(".dialog footer button.primary", "Save")
        page.find("[name=user][aria-invalid=true]")
        self.check("a role")
        page.fill("user", "ann")
        page.click(".dialog footer button.primary:not(:disabled)", "Save")
        page.find(".settings .card li", "Garden")
        self.assertEqual(self.ann.call("get_moderation", **lobby)["status"], "ok")
        self.section("Who may come in")
        page.fill("chat_name", "The Garden")
        page.click(".settings .page button.primary", "Save")
        page.find(".settings .page .hint", "Chosen here: Name")
        page.find(".brand", "The Garden")
        self.check("who may come in")
        self.section("Invitations")
        page.click(".settings .page button", "New invitation")
        page.fill("rooms", "garden, lobby")
        page.click(".dialog footer button.primary", "Make a link")
        page.find(".dialog .qr.drawn")
        self.check("an invitation")
        page.click(".dialog footer button.primary", "Close")
        page.find(".settings .card li", "Garden")

    def test_an_operator_sets_a_quota(self) -> None:
        page = self.page
        self.say("roses are red")
        self.open_view()
        self.section("Storage")
        page.find(".settings .page .hint", "The database has")
        page.choose("by", "accounts")
        page.find(".settings .card li", "13 bytes")
        self.check("storage")
        page.click(".settings .card button[aria-label='Quota of ann']")
        page.fill("quota", "1k")
        page.click(".dialog footer button.primary", "Save")
        page.find(".settings .page .hint", "The database has")
        page.wait_until(lambda: self.admin("accounts show", name="ann")["quota"] == 1024)

    def test_an_operator_deletes_an_account(self) -> None:
        page = self.page
        self.open_view()
        page.click(".settings .card button[aria-label='Manage spam1']")
        page.click(".dialog .card button.line", "Delete the account")
        page.find(".dialog .body", "spam1 leaves all rooms")
        self.check("the deletion of an account")
        page.click(".dialog footer button.danger", "Delete the account")
        page.find(".settings .card button[aria-label='Manage ann']")
        page.wait_gone(".settings .card button[aria-label='Manage spam1']")

    def say(self, words: str) -> str:
        """Have Ann write into the lobby; return the code of the reply, "" for none."""
        return self.ann.call("speak", room_name="lobby", msg=words).get("code", "")

    def test_a_rule_of_the_word_filter_is_tried_before_it_is_added(self) -> None:
        page = self.page
        self.say("cheap pills")
        self.say("roses")
        self.open_view()
        self.section("Word filter")
        page.find(".settings .page", "nothing here yet")
        page.click(".settings .page button", "New rule")
        self.check("a new rule")
        page.fill("pattern", "pills")
        page.click(".dialog footer button.primary", "Continue")
        page.find(".dialog .body", "that match: 1, users who wrote them: 1.")
        self.check("a rule that was tried")
        self.assertEqual(self.say("more pills"), "")  # it was not added yet
        page.click(".dialog footer button", "Cancel")
        self.assertEqual(page.find("[name=pattern]").get_attribute("value"), "pills")
        page.choose("effect", "mute 3600")
        page.click(".dialog footer button.primary", "Continue")
        page.find(".dialog .body", "that match: 2, users who wrote them: 1.")
        page.click(".dialog footer button.primary", "Add")
        page.find(".settings .card li", "mute the user for 60 min")
        self.check("rules")
        self.assertEqual(self.say("p1lls"), "filtered")
        page.click(".settings .card button[aria-label='Remove the rule pills']")
        page.find(".dialog .body", "pills")
        page.click(".dialog footer button.primary", "Remove")
        page.find(".settings .page", "nothing here yet")

    def test_limits_are_shown_and_some_are_set(self) -> None:
        page = self.page
        self.open_view()
        self.section("Limits")
        page.find(".settings .card li", "message_bytes")
        self.check("limits")
        page.type(page.find(".settings input[type=search]"), "text_chars")
        page.wait_gone(".settings .card button[aria-label='Change pins_per_room']")
        page.click(".settings .card button[aria-label='Change text_chars']")
        self.check("a limit")
        page.fill("value", "5")
        page.click(".dialog footer button.primary", "Set")
        page.find(".settings .card li", "by olga")
        self.assertEqual(self.say("more than five"), "too_long")
        page.click(".settings .card button[aria-label='Change text_chars']")
        page.click(".dialog [name=setting]")
        page.click(".dialog footer button.primary", "Set")
        page.find(".settings .card li", "the default")
        self.assertEqual(self.say("more than five"), "")

    def test_other_accounts_have_their_own_invitations_only(self) -> None:
        page = self.page
        page.log_in("spam1", PASSWORD, "member")
        page.open_settings("Account")
        page.find(".settings .page button.line", "Change password")
        self.assertNotIn("Administration", page.text_of(".settings .page"))
        page.click(".settings nav button", "Invite people")
        page.click(".settings .page button", "New invitation")
        page.fill("uses", "3")
        page.click(".dialog footer button.primary", "Make a link")
        page.find(".dialog .qr.drawn svg")
        link = page.find(".dialog [name=shared_link]").get_attribute("value")
        self.check("an invitation")
        invite = link.partition("#/invite/")[2]
        register = {"usr": "bob", "pwd": PASSWORD, "invite": invite}
        self.assertEqual(self.ann.call("find_invite_link", invite=invite)["inviter"], "spam1")
        other = Client(self.server.ws_port)
        self.addCleanup(other.close)
        self.assertEqual(other.call("register", **register)["status"], "ok")
        page.click(".dialog footer button.primary", "Close")
        page.find(".settings .card li", "used 1 of 3")
        self.check("own invitations")
        page.click(".settings .card button", "Revoke")
        page.click(".dialog footer button.danger", "Revoke")
        page.find(".settings .page button", "New invitation")
        page.wait_gone(".settings .card li")
