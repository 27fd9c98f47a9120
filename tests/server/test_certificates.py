"""The keys and certificates of `ssl:` endpoints, read from files."""

from __future__ import annotations

from pathlib import Path

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from gtchat.server.certificates import CertificateError, Credentials
from tests.e2e.certificate import make_certificate

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
        self.patch(SSL.Context, "load_tmp_dh", lambda context, file: loaded.append(file))
        self.parameters.write_text(PARAMETERS)
        Credentials(self.pem, self.pem, dh_parameters=self.parameters)
        self.assertEqual(loaded, [str(self.parameters)] * 2)  # checked, and used

    def test_parameters_that_openssl_accepts_are_accepted(self) -> None:
        self.parameters.write_text(PARAMETERS)
        made = Credentials(self.pem, self.pem, dh_parameters=self.parameters)
        made.reload()
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
