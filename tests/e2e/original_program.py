"""The program of original_client.py: a client of Message Center or PA1.

It imports nothing of ours: that would take twenty times the time of all that it does.
"""

from __future__ import annotations

import json
import socket
import struct
import sys

#: Timeout of a login.
SECONDS = 60


def framed(body: bytes) -> bytes:
    """Return a frame: the length in four bytes, and the body."""
    return struct.pack("!I", len(body)) + body


def read_frame(line: socket.socket) -> bytes:
    """Return the body of the next frame, or what arrived of it before the end."""
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack("!I", data[:4])[0]:
        more = line.recv(1 if len(data) < 4 else 4 + struct.unpack("!I", data[:4])[0] - len(data))
        if not more:
            return data[4:]
        data += more
    return data[4:]


def say(value: object) -> None:
    """Print a value as a line of JSON."""
    print(json.dumps(value), flush=True)


def log_in_message_center(server: int, name: str, password: str, port: int) -> str:
    """Log in; return the token."""
    with socket.create_connection(("127.0.0.1", server), SECONDS) as line:
        line.sendall(framed(b"LIN") + framed(name.encode()) + framed(password.encode()))
        assert read_frame(line) == b"LOGIN_OKAY"
        token = read_frame(line).decode()
        line.sendall(framed(b"localhost") + framed(str(port).encode()))
        assert line.recv(1) == b""
    return token


def log_in_pa1(server: int, name: str, password: str, port: int) -> str:
    """Log in; the answer is a push."""
    with socket.create_connection(("127.0.0.1", server), SECONDS) as line:
        line.sendall(f"logIn {name} {password} {port}".encode())
        assert line.recv(1) == b""
    return ""


def read_message_center(call: socket.socket) -> str:
    """Return a push: one read for the length, one for the text."""
    return call.recv(struct.unpack("!I", call.recv(4))[0]).decode()


def read_pa1(call: socket.socket) -> str:
    """Return a push: one read, and another one for what follows Ok."""
    text = call.recv(4096).decode()
    return text + call.recv(4096).decode() if text == "Ok" else text


def main(protocol: str, server: str, name: str, password: str, port: str) -> None:
    """Log in, and print what is pushed, until the process is killed."""
    log_in, read = {
        "message_center": (log_in_message_center, read_message_center),
        "pa1": (log_in_pa1, read_pa1),
    }[protocol]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", int(port)))
        listening.listen(5)
        own = listening.getsockname()[1]
        say([own, log_in(int(server), name, password, own)])
        while True:
            call, _ = listening.accept()
            with call:
                text = read(call)
            say(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
