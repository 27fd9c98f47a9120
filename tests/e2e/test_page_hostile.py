"""Texts that would run, load or change something as HTML or code: the page shows them as text."""

from __future__ import annotations

from typing import Any

from selenium.common.exceptions import NoAlertPresentException
from twisted.trial.unittest import TestCase

from tests.e2e.browser import MISSING, Browser
from tests.e2e.server import Client, Server

#: As HTML or code each would call alert(), load something, or change the page.
HOSTILE = (
    "<script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=https://evil.example/x.js></script>",
    "<script\\x20type='text/javascript'>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/x.png'>",
    "![x](https://evil.example/x.png)",
    "![x](x onerror=alert(1))",
    '![x](https://evil.example/x.png"onerror="alert(1))',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:alert(1)'><text y=20>x</text></a></svg>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "<math><a xlink:href=javascript:alert(1)>x</a></math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:alert(1))",
    "<javascript:alert(1)>",
    '[x](https://x.example/"onmouseover="alert(1))',
    "[x]: javascript:alert(1)\n[x]",
    'https://x.example/"onmouseover=alert(1)//',
    "https://x.example/'><script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`",
    "```\n</pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "> <script>alert(1)</script>",
    "- <img src=x onerror=alert(1)>",
    "**<script>alert(1)</script>**",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action='https://evil.example/'><button>x</button></form>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "__proto__",
    "@constructor @__proto__ :constructor: :__proto__:",
    '{"__html":"<img src=x onerror=alert(1)>"}',
    "\u202e<script>alert(1)</script>",
)
#: The scripts, links and origins of the page, and elements that messages must not add to it.
COUNT = """
const scripts = [...document.scripts].map((script) => script.src);
const alien = [...document.querySelectorAll('*')].filter((element) => (
  ['IMG', 'IFRAME', 'OBJECT', 'EMBED', 'VIDEO', 'AUDIO', 'STYLE', 'BASE', 'TEMPLATE', 'MATH']
    .includes(element.tagName.toUpperCase()) && !/logo.svg$/.test(element.src)
  || [...element.attributes].some(({ name }) => /^on/.test(name))
  || (element.href && element.rel !== 'icon' && !/^(https?|mailto):/.test(element.href))));
const links = document.querySelectorAll('link').length;
return { scripts, links, alien: alien.map((element) => element.outerHTML),
  loaded: performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin),
  rel: [...document.querySelectorAll('.log a')].map((link) => `${link.rel} ${link.target}`) };
"""


class HostileTextTest(TestCase):
    """Messages, room names and topics of another user."""

    skip = MISSING or None

    def test_nothing_that_others_write_is_ever_html(self) -> None:  # E10, E11
        self.assertGreater(len(HOSTILE), 50)
        server = Server(
            *("--commands-per-second", "0", "--commands-burst", "0", "--rooms-per-user", "0"),
            *("--broadcast-key", "key", "--typing-interval", "0"),
        ).start()
        self.addCleanup(server.kill)
        page = Browser(f"http://127.0.0.1:{server.web_port}/")
        self.addCleanup(page.close)
        page.log_in("ann", "long enough", "register")
        before = page.driver.execute_script(COUNT)
        mallory = Client(server.ws_port)
        self.addCleanup(mallory.close)
        mallory.call("register", usr="mallory", pwd="long enough")
        mallory.call("login", type="reg", usr="mallory", pwd="long enough")
        rooms = []
        for number, text in enumerate(HOSTILE):
            room = {"room_name": f"{number} {text}"[:64].strip(), "topic": text}
            if mallory.call("create_room", **room)["status"] == "ok":
                rooms.append(room["room_name"])
                mallory.call("typing", room_name="lobby")
        self.assertGreater(len(rooms), 20)
        for text in HOSTILE:
            self._assert_ok(mallory.call("speak", room_name="lobby", msg=text))
            self._assert_ok(mallory.call("whisper", target_user="ann", msg=text))
            self._assert_ok(mallory.call("broadcast", msg=text, broadcast_key="key"))
        self._assert_harmless(page, before)
        page.wait_until(lambda: len(page.texts()) == len(HOSTILE))
        page.open_conversation("mallory")
        page.wait_until(lambda: len(page.texts()) == len(HOSTILE))
        self._assert_harmless(page, before)
        for room in rooms[:20]:
            mallory.call("invite", room_name=room, invitee="ann")
            mallory.call("add_member", room_name=room, user="ann")
        page.wait_until(lambda: len(page.texts_of(".sidebar .place")) > 20)
        self._assert_harmless(page, before)
        page.open_conversation(rooms[0])
        page.find(".topic", HOSTILE[0])
        page.click("button", "About this room")
        page.find(".panel.about .title", rooms[0])
        self._assert_harmless(page, before)

    def _assert_ok(self, reply: dict[str, Any]) -> None:
        self.assertEqual(reply["status"], "ok", reply)

    def _assert_harmless(self, page: Browser, before: dict[str, Any]) -> None:
        """Assert that the page is made of what it was, and that no alert is open."""
        found = page.driver.execute_script(COUNT)
        for part in ("scripts", "links"):
            self.assertEqual(found[part], before[part])
        self.assertEqual(found["alien"], [])
        self.assertEqual(set(found["loaded"]), set(before["loaded"]))
        self.assertLessEqual(set(found["rel"]), {"noopener noreferrer _blank"})
        with self.assertRaises(NoAlertPresentException):
            _ = page.driver.switch_to.alert.text
        self.assertEqual(page.console_errors(), [])
