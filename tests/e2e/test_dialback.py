"""Message Center and PA1 on the real server, and all five protocols together."""

from __future__ import annotations

from tests.e2e import transcripts
from tests.e2e.original_program import framed


class MessageCenter(transcripts.MessageCenter):
    """At one server."""

    def test_forbidden_ports_are_not_connected(self) -> None:  # F06
        seas = self.message_center("seas")
        for port in (b"22", b"nonsense", b"99999", b"9" * 5000, str(self.server.ws_port).encode()):
            with seas.connect() as line:
                line.sendall(framed(b"LIN") + framed(b"google") + framed(b"hasglasses"))
                line.sendall(framed(b"127.0.0.1") + framed(port))
                while line.recv(100):
                    pass
            self.assertEqual(seas.next_push(), "google has logged on.")
            self.assertEqual(seas.next_push(), "google is offline.")


class PA1(transcripts.PA1):
    """At one server."""


class AllProtocols(transcripts.AllProtocols):
    """At one server."""
