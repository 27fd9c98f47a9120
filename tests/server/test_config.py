"""Settings: their sources, their errors, and the files and pages that list them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unittest import mock

import attrs
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server import config
from gtchat.server.checks import hide_login
from gtchat.server.config import load, public_endpoints
from gtchat.server.settings import FIELDS, Settings, SettingsError, kinds_of_sources
from gtchat.server.settings_file import default_file, format_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Loading(SynchronousTestCase):
    def file(self, text: str) -> str:
        path = self.mktemp()
        Path(path).write_text(text)
        return path

    def test_options_override_the_environment_which_overrides_the_file(self) -> None:
        file = self.file('[server]\nws = ["tcp:1"]\n[limits]\ntext_chars = 1\nping_interval = 1\n')
        env = {"GTCHAT_TEXT_CHARS": "2", "GTCHAT_WEB": "tcp:2, tcp:3"}
        settings = load({"text_chars": "3"}, env, file)
        self.assertEqual(settings.limits.text_chars, 3)
        self.assertEqual(settings.limits.ping_interval, 1.0)
        self.assertEqual(settings.server.ws, ("tcp:1",))
        self.assertEqual(settings.server.web, ("tcp:2", "tcp:3"))
        self.assertEqual(settings.sources["text_chars"], "--text-chars")
        self.assertEqual(settings.sources["web"], "GTCHAT_WEB")
        self.assertEqual(settings.sources["ws"], f"{file} [server]")
        kinds = kinds_of_sources(settings)
        found = [kinds[key] for key in ("text_chars", "web", "ws")]
        self.assertEqual(found, ["option", "environment", "file"])

    def test_public_opens_both_ports_unless_endpoints_are_given(self) -> None:
        server = load({"web": "tcp:1"}, {}, public=True).server
        self.assertEqual((server.ws, server.web), (public_endpoints(9000), ("tcp:1",)))

    def test_public_endpoints_have_ipv4_and_ipv6_where_the_system_has_both(self) -> None:
        both = r"tcp:1:interface=\:\:"
        for separate, expected in ((0, (both,)), (1, ("tcp:1", both)), (None, ("tcp:1",))):
            probe = mock.MagicMock()
            probe.__enter__.return_value.getsockopt.return_value = separate
            if separate is None:
                probe = OSError(97, "Address family not supported by protocol")
            self.patch(config.socket, "socket", mock.Mock(side_effect=[probe]))
            self.assertEqual(public_endpoints(1), expected)

    def test_all_protocols_get_their_usual_ports(self) -> None:
        off = load({}, {}).server
        self.assertEqual((off.pa1, off.livechat, off.randomchat), ((), (), False))
        here = load({"all_protocols": "true", "pa1": "tcp:1"}, {}).server
        self.assertEqual(here.message_center, ("tcp:6066:interface=127.0.0.1",))
        self.assertEqual((here.pa1, here.randomchat), (("tcp:1",), True))
        self.assertEqual(
            load({"all_protocols": "true"}, {}, public=True).server.livechat,
            public_endpoints(3001),
        )

    def test_errors_are_one_line(self) -> None:
        for text, word in (
            ("[limit]", "did you mean limits?"),
            ("[limits]\ntext_char = 1", "did you mean text_chars?"),
            ("[limits]\ntext_chars = '1'", "a whole number"),
            ("[limits]\ntext_chars = 1.5", "a whole number"),
            ("[limits]\ntext_chars = -1", "0 is no limit"),
            ("[limits]\ntext_chars = 100000000001", "100000000000 the largest"),
            ("[limits]\nkeep_days = inf", "100000000000 the largest"),
            ("[limits]\nreports_per_hour = 9e-7", "0.000001 the smallest"),
            ("[limits]\nreports_per_hour = nan", "0.000001 the smallest"),
            ("[limits]\ntext_chars = true", "a whole number"),
            ("[server]\nws = 1", "text"),
            ("[server]\nfile_page = 'x'", "true or false"),
            ("[server]\nsessions = 'x'", "one of devices, replace, refuse, share"),
            ("[limits]\ntext_chars = inf", "a whole number"),
            ("[server]\nallowed_origins = 'chat.example'", "no web origin"),
            ("[server]\nallowed_origins = 'https://chat.example/'", "send https://chat.example"),
            ("[server]\nallowed_origins = 'https://Chat.example'", "send https://chat.example"),
            ("[server]\nallowed_origins = 'https://chat.example:443'", "https://chat.example"),
            ("[server]\nallowed_origins = 'https://chat.example:x'", "no web origin"),
            ("[server]\nallowed_hosts = 'https://chat.example'", "no host name"),
            ("[server]\nallowed_hosts = ['chat.example', 'a:1']", "'a:1' is no host name"),
            ("[server]\ncallback_allow = 'here'", "no IP address and no network"),
            ("[server]\ntrusted_proxies = '127.0.0.1/33'", "no IP address and no network"),
            ("[server", "not TOML"),
            ("[server]\nws = " + "[" * 5_000, "not TOML"),
            ("[limits]\ntext_chars = " + "9" * 5_000, "not TOML"),
            ("server = 1", "[server]"),
        ):
            with self.assertRaises(SettingsError) as caught:
                load({}, {}, self.file(text))
            self.assertIn(word, str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))
        with self.assertRaises(SettingsError) as caught:
            load({}, {}, "no/such/file")
        self.assertIn("No such file", str(caught.exception))
        with self.assertRaises(SettingsError):
            load({}, {"GTCHAT_PING_TIMEOUT": "inf"})
        file = self.file("")
        Path(file).write_bytes(b"\xff")
        with self.assertRaises(SettingsError) as caught:
            load({}, {}, file)
        self.assertIn("not TOML", str(caught.exception))

    def test_addresses_of_what_wakes_servers(self) -> None:
        for value in (
            *("postgres", "off", "nats://nats.example:4222", "tls://ann:s3cret@[::1]:4222"),
            *("nats://t0ken@nats.example", "nats://ann:s%2C%40cret@10.0.0.1:65535"),
            *("nats://a:4222,tls://ann:s,cret@b:4222", "nats://ann:a,b@c"),
        ):
            self.assertEqual(load({"notify": value}, {}).server.notify, value)
        for value in (
            *("", "nats", "nats://", "nats://:4222", "http://s3cret@db", "nats://db/s3cret"),
            *("nats://ann:s3/cret@db", "nats://db:s3cret", "nats://db:0", "nats://db?s3cret"),
            *("ann:s3cret@db:4222", "nats://[s3cret", "nats://s3cret@a,b", "nats://a,nats://"),
            *("postgres,nats://s3cret@a", "nats://a, nats://s3cret@b"),
        ):
            with self.assertRaises(SettingsError) as caught:
                load({}, {"GTCHAT_NOTIFY": value})
            self.assertIn("GTCHAT_NOTIFY: notify: use postgres, off, or", str(caught.exception))
            self.assertNotIn("cret", str(caught.exception))

    def test_what_a_server_of_nats_is_told_is_not_shown(self) -> None:
        for value, shown in (
            ("nats://ann:s3cret@db:4222", "nats://…@db:4222"),
            ("tls://t0ken@db", "tls://…@db"),
            ("nats://db:4222", "nats://db:4222"),
            ("nats://s3,cret@a,tls://b,nats://t0ken@c", "nats://…@a,tls://b,nats://…@c"),
            ("postgres", "postgres"),
        ):
            self.assertEqual(hide_login(value), shown)
            self.assertEqual(load({"notify": value}, {}).chosen(), f"notify {json.dumps(shown)}")

    def test_valid_origins_hosts_and_networks(self) -> None:
        origins = ["*", "https://chat.example", "http://[::1]:8080", "http://localhost:81"]
        server = load(
            {
                "allowed_origins": ",".join(origins),
                "allowed_hosts": "Chat.example,localhost,a_b-c.d",
                "trusted_proxies": "127.0.0.1,10.0.0.0/8,unix",
            },
            {},
        ).server
        self.assertEqual(list(server.allowed_origins), origins)
        self.assertEqual(len(server.trusted_proxies), 3)

    def test_unknown_variables_of_the_environment_are_named(self) -> None:
        with self.assertRaises(SettingsError) as caught:
            load({}, {"GTCHAT_TXT_CHARS": "5"})
        self.assertEqual(
            str(caught.exception),
            "there is no variable GTCHAT_TXT_CHARS; did you mean GTCHAT_TEXT_CHARS?",
        )
        load({}, {"OTHER_TXT_CHARS": "5"})

    def test_variables_that_a_cluster_sets_for_a_service_are_ignored(self) -> None:
        services = {
            "SERVICE_HOST": "10.96.0.7",
            "SERVICE_PORT": "8080",
            "SERVICE_PORT_HTTP_WEB": "8080",
            "PORT": "tcp://10.96.0.7:8080",
            "PORT_8080_TCP": "tcp://10.96.0.7:8080",
            "PORT_8080_TCP_PROTO": "tcp",
            "PORT_8080_TCP_PORT": "8080",
            "PORT_8080_TCP_ADDR": "10.96.0.7",
            "PORT_53_UDP": "udp://[fd00::7]:53",
            "PORT_53_UDP_ADDR": "fd00::7",
        }
        for prefix in ("GTCHAT", "GTCHAT_WEB", "GTCHAT_WS_2"):
            load({}, {f"{prefix}_{name}": value for name, value in services.items()})
        for name, value in (
            ("GTCHAT_PORT", "8080"),
            ("GTCHAT_PORT", "tcp:8080"),
            ("GTCHAT_WEB_PORT", "8080"),
            ("GTCHAT_PORT_8080", "tcp://10.96.0.7:8080"),
            ("GTCHAT_PORT_8080_TCP_NAME", "x"),
            ("GTCHAT_SERVICE", "10.96.0.7"),
            ("GTCHAT_SERVICE_HOST", "chat.example"),
            ("GTCHAT_SERVICE_PORT", "tcp:8080"),
            ("GTCHAT_SERVICE_HOST_", "10.96.0.7"),
        ):
            with self.assertRaises(SettingsError, msg=(name, value)):
                load({}, {name: value})

    def test_file_of_an_editor_on_windows(self) -> None:
        file = self.file("")
        Path(file).write_bytes(b"\xef\xbb\xbf[limits]\r\ntext_chars = 7\r\n")
        self.assertEqual(load({}, {}, file).limits.text_chars, 7)

    def test_path_that_is_not_utf_8_is_shown_escaped(self) -> None:
        self.assertIn(r"/\udcff", format_settings(load({}, {"GTCHAT_DATA": "/\udcff"})))

    def test_secrets_are_not_shown(self) -> None:
        text = format_settings(load({"broadcast_key": "sesame"}, {}))
        self.assertNotIn("sesame", text)
        self.assertIn("broadcast_key is set", text)

    def test_an_address_of_a_database_is_shown_without_its_password(self) -> None:
        for given, shown in (
            ("sqlite:///a:b@c", "sqlite:///a:b@c"),
            ("postgresql://ann@db/chat", "postgresql://ann@db/chat"),
            ("postgresql://db:5432/chat?host=/run/pg", "postgresql://db:5432/chat?host=/run/pg"),
            ("postgresql://ann:sesame@db:5432/chat", "postgresql://ann:…@db:5432/chat"),
            ("postgresql://ann:s/e@s?a:m#e@db/chat", "postgresql://ann:…@db/chat"),
            (
                "postgres://db/chat?user=ann&password=se&x=1",
                "postgres://db/chat?user=ann&password=…&x=1",
            ),
            ("postgresql:///chat?sslpassword=sesame", "postgresql:///chat?sslpassword=…"),
            ("postgresql://db:5432/chat?password=s@same", "postgresql://db:5432/chat?password=…"),
            ("mysql://ann:sesame@db/chat", "mysql://ann:…@db/chat"),
        ):
            settings = load({"store": given}, {})
            self.assertIn(f'store = "{shown}"  #', format_settings(settings))
            self.assertEqual(settings.chosen(), f"store {json.dumps(shown)}")

    def test_chosen_settings_are_listed_without_secrets(self) -> None:
        self.assertEqual(load({}, {}).chosen(), "default settings")
        settings = load({"broadcast_key": "sesame", "text_chars": "7", "data": "a\x9b\x7fb"}, {})
        self.assertEqual(
            settings.chosen(), 'broadcast_key set, data "a\\u009b\\u007fb", text_chars 7'
        )

    def test_shown_settings_can_be_loaded_again(self) -> None:
        settings = load({"text_chars": "7", "ws": "tcp:1,tcp:2", "file_page": "true"}, {})
        again = load({}, {}, self.file(format_settings(settings)))
        self.assertEqual((again.server, again.limits), (settings.server, settings.limits))

    def test_operations_page_has_every_setting_with_its_default_and_no_other(self) -> None:
        page = (DOCS / "operations.md").read_text(encoding="utf-8")
        section = page.split("\n## Settings\n", 1)[1].split("\n## ", 1)[0]
        rows = dict(re.findall(r"^\| `([a-z_0-9]+)` \| ([^|]+) \|", section, re.M))
        self.assertEqual(set(rows), set(FIELDS))
        limits = load({}, {}).limits
        for key, (table, _) in FIELDS.items():
            if table == "limits":
                self.assertEqual(float(rows[key]), getattr(limits, key), key)


class DefaultFile(SynchronousTestCase):
    """docs/gtchat.toml."""

    def load(self, text: str) -> Settings:
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return load({}, {}, str(path))

    def test_page_is_what_gtchat_settings_prints(self) -> None:
        page = (DOCS / "gtchat.toml").read_text(encoding="utf-8")
        self.assertEqual(page, default_file(), "run: gtchat settings > docs/gtchat.toml")

    def test_file_as_it_is_changes_nothing(self) -> None:
        self.assertEqual(self.load(default_file()).sources, {})

    def test_file_has_every_setting_with_its_default(self) -> None:
        settings = self.load(re.sub(r"(?m)^#(?=[a-z_0-9]+ = )", "", default_file()))
        self.assertEqual(set(settings.sources), set(FIELDS))
        defaults = load({}, {})
        self.assertEqual(settings.limits, defaults.limits)
        data = {"data": "~/.local/share/gtchat"}
        self.assertEqual(settings.server, attrs.evolve(defaults.server, **data))

    def test_every_setting_follows_its_help(self) -> None:
        words = default_file().replace("\n# ", " ")
        for key, (_, field) in FIELDS.items():
            self.assertIn(f"\n {field.metadata['help']}\n#{key} = ", words)
