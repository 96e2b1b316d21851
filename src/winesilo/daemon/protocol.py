"""Messages between clients and the daemon.

One request per connection, each message one line of JSON: the client sends ``{"method", "params"}``,
the daemon any number of ``{"progress": {"text", "done"}}``, then ``{"result": ...}`` or
``{"error": {...}}``.  Descriptors travel with the result's first byte (SCM_RIGHTS).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from winesilo.errors import ProtocolError

MAX_MESSAGE: Final = 64 << 20
MAX_FDS: Final = 4
_SUN_PATH_MAX: Final = 107  # <sys/un.h>, without the terminating NUL


class Channel:
    """One connection, either end.

    Args:
        connection: a connected stream socket; becomes the channel's.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()
        self._fds: list[int] = []

    def send(self, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one message, with descriptors.

        Raises:
            OSError: the other end is gone.
        """
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if fds:
            sent = socket.send_fds(self.socket, [data], list(fds))
            data = data[sent:]
        if data:
            self.socket.sendall(data)

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other end closed.

        Raises:
            ProtocolError: not a JSON object, or too long.
            OSError: the connection failed.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            data, fds, _, _ = socket.recv_fds(self.socket, 1 << 16, MAX_FDS)
            self._fds += fds
            if not data:
                return None
            self._buffer += data
            if len(self._buffer) > MAX_MESSAGE:
                raise ProtocolError("a message on the control socket is too long")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            message = json.loads(line)
        except ValueError:
            raise ProtocolError("a message on the control socket is not JSON") from None
        if not isinstance(message, dict):
            raise ProtocolError("a message on the control socket is not a JSON object")
        return message

    def take_fds(self) -> list[int]:
        """The descriptors received so far; they become the caller's."""
        fds, self._fds = self._fds, []
        return fds

    def close(self) -> None:
        """Close the connection and descriptors nobody took."""
        for descriptor in self.take_fds():
            os.close(descriptor)
        self.socket.close()


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """A name for bind and connect that fits, however long the socket's path is."""
    if len(os.fsencode(path)) <= _SUN_PATH_MAX:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
