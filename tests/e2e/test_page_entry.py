"""How users come in by the page: what the login page offers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from gtchat.server.admin.console import SOCKET
from gtchat.server.admin.socket import request
from tests.e2e import axe
from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

PASSWORD = "long enough"


class PageEntryTest(TestCase):
    """One browser, and an operator at the server."""

    skip = MISSING or None

    def setUp(self) -> None:
        self.server = Server("--commands-per-second", "0").start()
        self.addCleanup(self.server.kill)
        self.url = f"http://127.0.0.1:{self.server.web_port}/"

    def open(self, fragment: str = "") -> Browser:
        """Open the page."""
        page = Browser(self.url + fragment)
        self.addCleanup(page.close)
        self.addCleanup(lambda: self.assertEqual(page.console_errors(), []))
        return page

    def admin(self, command: str, **arguments: object) -> Any:
        """Run an administrative command at the server; return its result."""
        return request(self.server.folder / SOCKET, command, arguments).data

    def test_the_login_page_offers_what_is_possible(self) -> None:
        self.admin("registration", mode="closed")
        page = self.open()
        page.wait_gone("input[value=register]")
        page.expect(lambda: page.texts_of(".segments label"), ["Log in", "Guest"])
        self.admin("guests", on="off")
        page.submit_login("gus", mode="guest")
        page.find("#form-problem", "not allowed here")
        page.wait_gone(".segments")  # there is one way left
        axe.load(page)
        self.assertEqual(axe.violations(page, "light"), [])
        self.admin("registration", mode="open")
        page.driver.refresh()
        page.find("input[value=register]")
        page.log_in("ann", PASSWORD, "register")

    def test_an_invitation_lets_its_reader_register_and_join(self) -> None:
        ann = Client(self.server.ws_port)
        self.addCleanup(ann.close)
        self.admin("accounts create", name="ann", password=PASSWORD)
        ann.call("login", type="reg", usr="ann", pwd=PASSWORD)
        ann.call("create_room", room_name="Den", public=False)
        self.admin("registration", mode="invite")
        secret = self.admin("invitations create", uses=2, rooms="Den")["invite"]
        page = self.open(f"#/invite/{secret}")
        page.find(".note", "You are invited to this chat. You will join Den.")
        page.wait_until(lambda: secret not in page.driver.current_url)
        page.wait_gone("[name=invite]")
        page.driver.refresh()
        page.find(".note", "You will join Den")
        axe.load(page)
        self.assertEqual(axe.violations(page, "dark"), [])
        page.submit_login("bob", PASSWORD, "register")
        page.find(".place", "Den")
        page.log_out()
        # Another one has the link only, and pastes it.
        page.click("label:has(> input[value=register])")
        page.fill("invite", f"{self.url}#/invite/wrong")
        page.submit_login("cat", PASSWORD, "register")
        page.find("#invite-problem", "not valid any more")
        page.fill("invite", f"{self.url}#/invite/{secret}")
        page.click("form button.primary:not(:disabled)")
        page.find(".place", "Den")

    def test_the_first_operator_sets_up_the_chat(self) -> None:
        link = self.admin("operator-link")["link"]
        page = self.open(link[link.index("#") :])
        page.find("h1", "Set up your chat")
        page.driver.refresh()
        page.find("h1", "Set up your chat")
        axe.load(page)
        self.assertEqual(axe.violations(page, "light"), [])
        page.fill("user", "Ann")
        page.fill("new_password", "short")
        page.fill("chat_name", "The Garden")
        page.click("form button.primary")
        page.find("[name=new_password][aria-invalid=true]")
        page.fill("new_password", PASSWORD)
        page.click("form button.primary:not(:disabled)")
        page.find("h1", "Your chat is ready")
        page.expect(
            lambda: page.run("return document.activeElement.innerText"), "Your chat is ready"
        )
        url = page.find("[name=shared_link]").get_attribute("value")
        path = page.find(".qr path").get_attribute("d")
        self.assertTrue(path.startswith("M0 0h7v1h-7z"))  # the finder pattern of a code
        axe.load(page)
        self.assertEqual(axe.violations(page, "dark"), [])
        access = self.admin("access")
        self.assertEqual((access["name"], access["registration"]), ("The Garden", "invite"))
        self.assertTrue(self.admin("accounts show", name="ann")["operator"])
        page.click("button.primary", "Open the chat")
        page.find(".brand", "The Garden")
        page.wait_until(lambda: "The Garden" in page.driver.title)
        # Another one comes with the invitation; the link of the operator is used.
        page.log_out()
        page.driver.get("about:blank")
        page.driver.get(url)
        page.find(".title", "The Garden")
        page.find(".note", "Ann invites you")
        page.driver.get("about:blank")
        page.driver.get(self.url + link[link.index("#") :])
        page.fill("user", "Bob")
        page.fill("new_password", PASSWORD)
        page.click("form button.primary:not(:disabled)")
        page.click("form .body button.full", "Log in")
        page.find("input[value=member]")

    def test_the_first_operator_lets_no_others_register(self) -> None:
        link = self.admin("operator-link")["link"]
        page = self.open(link[link.index("#") :])
        page.fill("user", "Ann")
        page.fill("new_password", PASSWORD)
        page.click("label", "No one else can register")
        page.click("form button.primary:not(:disabled)")
        page.find("h1", "Your chat is ready")
        page.find(".form-box", "You create accounts in the settings")
        self.assertEqual(self.admin("access")["registration"], "closed")

    def test_a_session_is_taken_to_a_phone(self) -> None:
        page = self.open()
        page.log_in("ann", PASSWORD, "register")
        page.open_settings("Devices")
        page.click(".settings button", "Log in on a phone")
        url = page.find("dialog [name=shared_link]").get_attribute("value")
        page.find("dialog .qr path")
        axe.load(page)
        self.assertEqual(axe.violations(page, "light"), [])
        phone = self.open(url[url.index("#") :])
        phone.find(".composer")
        phone.find(".account", "ann")
        page.click("dialog footer button", "Close")
        page.find(".device")
        page.wait_count(".device", 2)
