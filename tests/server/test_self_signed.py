"""`gtchat certificate self-signed`."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from gtchat.server.certificates import Credentials
from tests.server.test_cli import CliCase


class SelfSigned(CliCase):
    def setUp(self) -> None:
        super().setUp()
        self.pem = self.directory / "server.pem"

    def make(self, *words: str) -> x509.Certificate:
        status, out, err = self.run_command("certificate", "self-signed", str(self.pem), *words)
        self.assertEqual((status, err), (0, ""))
        self.assertIn(f"--web ssl:8443:privateKey={self.pem}", out)
        return x509.load_pem_x509_certificate(self.pem.read_bytes())

    def test_the_server_takes_it_and_clients_that_are_given_it_trust_it(self) -> None:
        self.make()
        credentials = Credentials(self.pem, self.pem)
        client = ssl.create_default_context(cafile=str(self.pem))
        for host in ("localhost", "127.0.0.1"):
            to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
            server = credentials.context.wrap_bio(to_server, to_client, server_side=True)
            tls = client.wrap_bio(to_client, to_server, server_hostname=host)
            self.assertRaises(ssl.SSLWantReadError, tls.do_handshake)
            self.assertRaises(ssl.SSLWantReadError, server.do_handshake)
            tls.do_handshake()

    def test_names_and_days_can_be_given(self) -> None:
        made = self.make("--host", "chat.example", "--host", "2001:db8::1", "--days", "10")
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["chat.example"])
        self.assertEqual([*map(str, names.get_values_for_type(x509.IPAddress))], ["2001:db8::1"])
        self.assertEqual((made.not_valid_after_utc - made.not_valid_before_utc).days, 10)

    def test_only_its_owner_can_read_the_key(self) -> None:
        self.make()
        self.assertEqual(self.pem.stat().st_mode & 0o777, 0o600)

    def test_a_file_that_exists_is_kept(self) -> None:
        self.pem.write_text("precious")
        self.assertError("File exists", "certificate", "self-signed", str(self.pem))
        self.assertEqual(self.pem.read_text(), "precious")

    def test_what_cannot_be_is_one_line(self) -> None:
        for *words, text in (
            ("--host", "a b", "no host name"),
            ("--host", "x:y", "no host name"),
            ("--days", "0", "'0' is no number of days, 1 to 3650"),
            ("--days", "9" * 9, "no number of days"),
        ):
            command = ("certificate", "self-signed", str(self.pem), *words)
            self.assertError(text, *command)
            self.assertFalse(Path(self.pem).exists())
