r"""A client of a silo's service control manager that writes and reads the bytes of [MS-SCMR] by itself.

It speaks the calls that neither Wine's clients nor impacket make: those with text in the ANSI code page, and
notifications. ``relay.exe`` in the silo opens ``\pipe\svcctl`` and hands the messages on; only the packets'
headers are impacket's. NDR is that of [C706] chapter 14, little-endian.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from epmapper import RelayTransport
from impacket.dcerpc.v5 import scmr
from impacket.dcerpc.v5.rpcrt import DCERPC_v5

from winesilo import Silo

__all__ = ["HANDLE_SIZE", "NO_HANDLE", "Answer", "Request", "Wire"]

HANDLE_SIZE = 20
NO_HANDLE = bytes(HANDLE_SIZE)
#: What a pointer that leads somewhere has as its value: anything but 0.
_SOMEWHERE = 0x20000


class Request:
    """The arguments of a call, in order; each method returns the request."""

    def __init__(self) -> None:
        self.data = b""

    def _put(self, data: bytes, alignment: int = 4) -> Request:
        self.data += bytes(-len(self.data) % alignment) + data
        return self

    def number(self, *numbers: int) -> Request:
        """Numbers of 32 bits."""
        return self._put(struct.pack(f"<{len(numbers)}I", *numbers))

    def short(self, number: int) -> Request:
        """A number of 16 bits."""
        return self._put(struct.pack("<H", number), 2)

    def handle(self, handle: bytes) -> Request:
        """A context handle."""
        return self._put(handle)

    def raw(self, data: bytes, alignment: int = 1) -> Request:
        """A structure that the caller has packed."""
        return self._put(data, alignment)

    def text(self, text: bytes) -> Request:
        """A string in the ANSI code page that must be there."""
        data = text + b"\0"
        return self.number(len(data), 0, len(data))._put(data, 1)

    def wide(self, text: str) -> Request:
        """A string in UTF-16 that must be there."""
        data = (text + "\0").encode("utf-16-le")
        return self.number(len(data) // 2, 0, len(data) // 2)._put(data, 2)

    def maybe_text(self, text: bytes | None) -> Request:
        """A string in the ANSI code page, or none."""
        return self.number(0) if text is None else self.number(_SOMEWHERE).text(text)

    def maybe_wide(self, text: str | None) -> Request:
        """A string in UTF-16, or none."""
        return self.number(0) if text is None else self.number(_SOMEWHERE).wide(text)

    def maybe_number(self, number: int | None) -> Request:
        """A pointer to a number, or none."""
        return self.number(0) if number is None else self.number(_SOMEWHERE, number)

    def maybe_bytes(self, data: bytes | None) -> Request:
        """A pointer to bytes, and how many."""
        if data is None:
            return self.number(0, 0)
        return self.number(_SOMEWHERE, len(data))._put(data, 1).number(len(data))

    def texts(self, texts: list[bytes]) -> Request:
        """How many strings, and a pointer to pointers to them."""
        self.number(len(texts), _SOMEWHERE, len(texts), *(_SOMEWHERE for _ in texts))
        for text in texts:
            self.text(text)
        return self


class Answer:
    """The results of a call, read in order.

    Attributes:
        code: the Windows error that it ends with.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.code = int.from_bytes(data[-4:], "little")
        self._at = 0

    def _take(self, size: int, alignment: int = 4) -> bytes:
        self._at += -self._at % alignment
        data = self.data[self._at : self._at + size]
        assert len(data) == size, f"the answer ends early: {self.data!r}"
        self._at += size
        return data

    def number(self) -> int:
        """A number of 32 bits."""
        return int.from_bytes(self._take(4), "little")

    def numbers(self, count: int) -> tuple[int, ...]:
        """Several of them."""
        return tuple(self.number() for _ in range(count))

    def handle(self) -> bytes:
        """A context handle."""
        return self._take(HANDLE_SIZE)

    def raw(self, size: int, alignment: int = 1) -> bytes:
        """A structure that the caller unpacks."""
        return self._take(size, alignment)

    def buffer(self) -> bytes:
        """A conformant array of bytes."""
        return self._take(self.number(), 1)

    def text(self) -> bytes:
        """A string in the ANSI code page."""
        most, offset, size = self.numbers(3)
        assert (offset, size <= most) == (0, True)
        data = self._take(size, 1)
        assert data.endswith(b"\0")
        return data[:-1]

    def wide(self) -> str:
        """A string in UTF-16."""
        most, offset, size = self.numbers(3)
        assert (offset, size <= most) == (0, True)
        return self._take(2 * size, 2).decode("utf-16-le").removesuffix("\0")


class Wire(contextlib.AbstractContextManager["Wire"]):
    """A connection; a context manager.

    Args:
        silo: runs, and has ``relay.exe`` in ``C:\\``.
    """

    def __init__(self, silo: Silo) -> None:
        self._relay = RelayTransport(silo, r"\\.\pipe\svcctl")
        self._dce: Any = DCERPC_v5(self._relay)
        try:
            self._dce.connect()
            self._dce.bind(scmr.MSRPC_UUID_SCMR)
        except BaseException:
            self._relay.__exit__(None, None, None)
            raise

    def __exit__(self, *exc: object) -> None:
        self._relay.__exit__(None, None, None)

    def send(self, opnum: int, request: Request) -> None:
        """Make a call whose answer comes later."""
        self._dce.call(opnum, request.data)

    def answer(self) -> Answer:
        """Wait for the answer."""
        return Answer(self._dce.recv())

    def call(self, opnum: int, request: Request) -> Answer:
        """Make a call."""
        self.send(opnum, request)
        return self.answer()

    def manager(self, access: int = 0xF003F) -> bytes:
        """A handle of the manager."""
        answer = self.call(15, Request().maybe_wide(None).maybe_wide(None).number(access))
        assert answer.code == 0
        return answer.handle()

    def service(self, name: str, access: int = 0xF01FF) -> bytes:
        """A handle of a service."""
        answer = self.call(16, Request().handle(self.manager()).wide(name).number(access))
        assert answer.code == 0
        return answer.handle()

    def close(self, handle: bytes) -> int:
        """Close a handle of the manager or of a service."""
        return self.call(0, Request().handle(handle)).code
