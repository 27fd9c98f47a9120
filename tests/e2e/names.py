"""Names in transcripts, which are others on a server that serves several transcripts."""

from __future__ import annotations

import re

import attrs

#: The users and rooms of all transcripts, and the phone numbers.
_NAMES = re.compile(
    rb"\b(seas|google|columbia|unknown|alice|bob|dave|ann|lea|ana|bobby|carl|pia"
    rb"|room1|den|still here|elsewhere|111|1 11|222|333|999)\b",
    re.IGNORECASE,
)
#: Users who stay at a server that serves several transcripts, in lists of users. Live chat always
#: lists Host.
_WATCHER = re.compile(rb"&zwatcher\d|zwatcher\d[ \n]|(?<![&\w])Host[ \n]")


@attrs.frozen
class Names:
    """Names of one run of a transcript.

    Attributes:
        suffix: follows each name at the server, which the transcript does not see. It is no part
            of anything else that is sent, and has digits only, since phone numbers get it, too.
    """

    suffix: bytes = b""

    def sent(self, data: bytes) -> bytes:
        """Return what is sent to the server."""
        return _NAMES.sub(rb"\g<1>" + self.suffix, data)

    def received(self, data: bytes) -> bytes:
        """Return what the transcript sees of what the server sent."""
        return _WATCHER.sub(b"", data).replace(self.suffix, b"") if self.suffix else data


#: Leaves names as they are.
AS_WRITTEN = Names()
