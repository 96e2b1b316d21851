"""A telnet client: a plain socket, as any other machine has it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from winesilo.errors import DemoError

__all__ = ["DO", "ECHO", "IAC", "NAWS", "PORT", "SB", "SE", "WILL", "Telnet", "telnet"]

PORT = 23
IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
ECHO, NAWS = 1, 31


class Telnet:
    """A session that reads until something has come, with a deadline."""

    def __init__(self, address: str, port: int = PORT) -> None:
        self._socket = socket.create_connection((address, port), 30)
        self.seen = b""

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def line(self, text: str) -> None:
        """Type a line and press Enter."""
        self.send(text.encode() + b"\r\n")

    def until(self, wanted: bytes, deadline_s: float = 30) -> bytes:
        """What came up to some text, with that; the rest stays for the next call.

        Raises:
            DemoError: it did not come in time, or the server ended the connection.
        """
        deadline = time.monotonic() + deadline_s
        while wanted not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DemoError(f"{wanted!r} did not come, but {self.seen!r}")
            self._socket.settimeout(left)
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                continue
            if not chunk:
                raise DemoError(f"the connection ended before {wanted!r} came; it said {self.seen!r}")
            self.seen += chunk
        before, _, self.seen = self.seen.partition(wanted)
        return before + wanted

    def rest(self) -> bytes:
        """What comes until the server ends the connection."""
        self._socket.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            while chunk := self._socket.recv(65536):
                self.seen += chunk
        return self.seen


@contextlib.contextmanager
def telnet(address: str) -> Iterator[Telnet]:
    """A telnet connection to port 23; raises OSError where nobody answers."""
    client = Telnet(address)
    try:
        yield client
    finally:
        client.close()
