"""The keys and certificates of `ssl:` endpoints, read from files."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.certificates import CertificateError, Credentials
from tests.e2e.certificate import make_certificate, make_chain, trusting_all

#: The group ffdhe2048 (RFC 7919 appendix A.1).
PARAMETERS = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


class DiffieHellman(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        self.pem, self.parameters = folder / "key.pem", folder / "dh.pem"
        make_certificate(self.pem)

    def test_parameters_are_used(self) -> None:
        loaded: list[str] = []
        self.patch(ssl.SSLContext, "load_dh_params", lambda context, file: loaded.append(file))
        self.parameters.write_text(PARAMETERS)
        Credentials(self.pem, self.pem, dh_parameters=self.parameters)
        self.assertEqual(loaded, [str(self.parameters)])

    def test_parameters_that_openssl_accepts_are_accepted(self) -> None:
        self.parameters.write_text(PARAMETERS)
        made = Credentials(self.pem, self.pem, dh_parameters=self.parameters)
        made.read()()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_parameters_that_cannot_be_used_are_named(self) -> None:
        for content, why in (
            (None, "cannot read"),
            ("", "no Diffie-Hellman parameters"),
            (PARAMETERS.replace("A", "B"), "no Diffie-Hellman parameters"),
        ):
            if content is not None:
                self.parameters.write_text(content)
            with self.assertRaises(CertificateError) as caught:
                Credentials(self.pem, self.pem, dh_parameters=self.parameters)
            self.assertIn(why, str(caught.exception))
            self.assertIn(str(self.parameters), str(caught.exception))


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        self.pem, self.chain = folder / "key.pem", folder / "chain.pem"

    def sent(self, credentials: Credentials) -> list[str]:
        """Return the names of the certificates that a server sends, its own first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = credentials.context.wrap_bio(incoming, outgoing, server_side=True)
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        client.set_connect_state()
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        incoming.write(client.bio_read(100_000))
        self.assertRaises(ssl.SSLWantReadError, server.do_handshake)
        client.bio_write(outgoing.read())
        client.do_handshake()
        chain = client.get_peer_cert_chain(as_cryptography=True) or []
        return [found.subject.rfc4514_string() for found in chain]

    def test_certificates_of_the_chain_are_sent_wherever_they_are(self) -> None:
        make_chain(self.pem)
        expected = ["CN=localhost", "CN=intermediate"]
        self.assertEqual(self.sent(Credentials(self.pem, self.pem)), expected)
        text = self.pem.read_text()
        begin = text.rindex("-----BEGIN CERTIFICATE")
        self.pem.write_text(text[:begin])
        self.chain.write_text(text[begin:])
        self.assertEqual(self.sent(Credentials(self.pem, self.pem)), expected[:1])
        self.assertEqual(self.sent(Credentials(self.pem, self.pem, self.chain)), expected)
        self.assertEqual(len(load_pem_x509_certificates(self.chain.read_bytes())), 1)

    def test_an_application_protocol_is_offered_also_after_a_reload(self) -> None:
        make_certificate(self.pem)
        credentials = Credentials(self.pem, self.pem)
        credentials.offer(["http/1.1"])
        for _ in range(2):
            client = trusting_all()
            client.set_alpn_protocols(["h2", "http/1.1"])
            to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
            server = credentials.context.wrap_bio(to_server, to_client, server_side=True)
            tls = client.wrap_bio(to_client, to_server)
            self.assertRaises(ssl.SSLWantReadError, tls.do_handshake)
            self.assertRaises(ssl.SSLWantReadError, server.do_handshake)
            tls.do_handshake()
            self.assertEqual(tls.selected_alpn_protocol(), "http/1.1")
            credentials.read()()

    def test_key_and_certificate_of_different_kinds_are_one_line(self) -> None:
        make_certificate(self.pem)
        other = self.pem.with_name("rsa.pem")
        key = rsa.generate_private_key(65_537, 2_048)
        other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        error = self.assertRaises(CertificateError, Credentials, other, self.pem)
        self.assertIn("does not belong to the certificate", str(error))
        self.assertNotIn("\n", str(error))
