"""The WebSocket protocol (RFC 6455): Autobahn's server, with bounds and a quick path for text.

States (`context.ConnectionState`; in brackets what ends a state that lasts too long)

    CONNECTING    opening handshake, section 4.2           [5 s: TCP is closed]
      OPEN        messages, section 6                      [pings, section 5.5.2; no login: 4003]
        CLOSING   a close frame was sent, section 7.1.2    [5 s: TCP is closed]
    CLOSED        TCP is being closed, section 7.1.1       [5 s: TCP is aborted]

Every state may change to CLOSED: a refused handshake (an HTTP status code, then 0.5 s), a lost TCP
connection, an unanswered ping (`deadlines.Keepalive`).

Messages: text only, UTF-8 (section 8.1), at most `message_bytes` bytes and `max_fragments` frames,
complete within 30 s (section 5.4). No extension is negotiated (section 9), binary messages are
closed with 1003. Close codes: `base.closing`; a close by the client with code 1000 or without
a code ends its session, any other loss may be resumed.

Modules: `opening` is a connection up to OPEN, `connection` from then on; `request` and `frames` are
the quick paths of handshakes and of frames; `deadlines` and `timer_wheel` are its timeouts;
`footprint` keeps it small; `context` is what connections share; `factory` makes them.

What is left to Autobahn: opening handshakes of other than the common forms, their rules (section
4.2.1) and responses (4.2.2); frame headers and their rules (5.2), unmasking (5.3), fragmentation
(5.4), control frames (5.5), close codes (7.4), incremental UTF-8 validation (8.1). So every request
and frame that is not one of the most common ones, and every invalid one, is judged by a library
with a test suite of its own (tests/compliance). The quick paths accept only what Autobahn would
accept with the same result; property-based tests compare the two.

What is not left to it, and why (measured and found with Autobahn 26):

* it reads an opening handshake of any size: `find_request` bounds it;
* it writes to the transport without limit: `Outbox` bounds it and joins the writes of a reactor
  iteration;
* it has a delayed call for each timeout of each connection: `TimerWheel` has one for all;
* it handles all frames of one read at once: at most `FRAMES_PER_ITERATION` are, in turn;
* it reads an opening handshake with 118 calls of Python functions: `parse_request` is one for those
  of the common forms, which browsers send, too (they offer compression, and no offer is accepted);
* it decodes a text frame in 57 calls of Python functions: `text_messages` is one for many frames;
* it sets 80 attributes in each connection, 7 kB in all: `footprint` leaves about ten, 1 kB;
* its HTTP errors quote the request; its log has a warning for each invalid frame; after a clean
  close it resets TCP.

None of this can be set by its documented options, so names are relied on that Autobahn may change.
`setup.py` bounds its version; each name has a row in tests/protocols/websocket/test_private_names.

Overridden, that is, called by Autobahn
    _onOpen                 when the response 101 is sent: make the outbox, forget the handshake
    _closeConnection        to close TCP: flush the outbox first, do not reset after a clean close
    sendData                for all that it sends: through the outbox
    onCloseFrame            for each close frame of the peer: answer it when its end is stored
    sendCloseFrame          for each close frame, its answers included: detach the API, once
    failHandshake           for each handshake that it refuses: our response
    unregisterProducer      before TCP is closed: the outbox does that
    onMessageBegin, onMessageFrameBegin    to count fragments and time (documented, called in
                            `_onMessageBegin` and `_onMessageFrameBegin`)
    utf8validator           set in each connection, used by text messages: made when needed
    is_open, is_closed      Deferreds in each connection, `callback` is called: one object for all
    log                     its logger: silent
Called
    __init__, _connectionMade    set the attributes of a connection: once, on a pattern
    _dataReceived           appends to `data` and handles what is complete
Read
    state                   with the numbers of STATE_CONNECTING, STATE_OPEN, ...; also set
    data                    bytes that it has not handled; also set
    current_frame           None, or the header that was read last; `length` is the body's size
    current_frame_masker    `pointer()` is how much of the body was read
    inside_message          whether the last frame of a message is still to come
    wasClean                whether both close frames were exchanged
    remoteCloseCode         code in the peer's close frame, None without one
    CONFIG_ATTRS            names of the options that it copies into each connection
Set or removed
    websocket_version, websocket_protocol_in_use, and all of `footprint.HANDSHAKE_PREFIXES` and
    `footprint.FRAME_ATTRIBUTES`: removed from the instance, where the class has the same value
"""

from gtchat.protocols.websocket.connection import ChatProtocol
from gtchat.protocols.websocket.context import API
from gtchat.protocols.websocket.factory import ChatFactory, build_factory
from gtchat.protocols.websocket.frames import text_frame

__all__ = ["API", "ChatFactory", "ChatProtocol", "build_factory", "text_frame"]
