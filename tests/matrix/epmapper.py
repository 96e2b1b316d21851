r"""Clients of a silo's endpoint mapper, on Linux, over ``\pipe\epmapper`` and over TCP.

They are independent of Wine and of winesilo. The marshalling is impacket's; ``relay.exe`` in the silo opens
the pipe and hands its messages on, TCP is the service RpcEptMapper of ``services/``.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from impacket.dcerpc.v5 import epm, transport
from impacket.dcerpc.v5.rpcrt import DCERPC_v5, DCERPCException
from impacket.uuid import uuidtup_to_bin

from winesilo.api import PIPE, Silo
from winesilo.errors import DemoError

__all__ = ["MAPPER_PORT", "bind", "map_endpoint", "map_endpoint_tcp", "mapper_tcp"]

PIPE_NAME = r"\\.\pipe\epmapper"
ANSWER_S = 60.0
#: Of the endpoint mapper, [MS-RPCE] 2.1.1.1.
MAPPER_PORT = 135


class RelayTransport:
    """What ``DCERPC_v5`` needs of a transport; a context manager.

    Args:
        silo: runs, and has ``relay.exe`` in ``C:\\``.
        pipe: its server's pipe.
    """

    def __init__(self, silo: Silo, pipe: str = PIPE_NAME) -> None:
        self._pipe = pipe
        self._program = silo.popen([r"C:\relay.exe", pipe], stdin=PIPE, stdout=PIPE)
        self._watchdog = threading.Timer(ANSWER_S, self._program.terminate)
        self._watchdog.start()
        self._unread = b""
        self._asked = False

    def __enter__(self) -> RelayTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        self._program.terminate()
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdout.close()
        self._program.stdin.close()
        self._program.wait()

    def connect(self) -> int:
        """Nothing to do (impacket expects 1)."""
        return 1

    def disconnect(self) -> None:
        """Nothing to do."""

    def send(self, data: bytes, **_: Any) -> None:
        """Send a message; none of no bytes."""
        assert self._program.stdin is not None
        try:
            self._program.stdin.write(struct.pack("<I", len(data)) + data)
            self._program.stdin.flush()
        except BrokenPipeError:
            raise DemoError(f"nobody answers at {self._pipe}") from None
        self._asked = True

    def recv(self, _force: int = 0, count: int = 0) -> bytes:
        """The answer, or ``count`` bytes of it."""
        assert self._program.stdout is not None
        if not self._unread:
            if not self._asked:  # the rest of an answer in several messages
                self.send(b"")
            self._asked = False
            head = self._program.stdout.read(4)
            if len(head) < 4:
                raise DemoError(f"nobody answers at {self._pipe}")
            self._unread = self._program.stdout.read(*struct.unpack("<I", head))
        size = count or len(self._unread)
        data, self._unread = self._unread[:size], self._unread[size:]
        return data


def map_endpoint(silo: Silo, interface: str) -> int | None:
    """Ask a silo's endpoint mapper for the TCP port of an interface.

    Args:
        silo: runs, and has ``relay.exe`` in ``C:\\``.
        interface: its id; the version is 1.0.

    Returns:
        The port; None where it knows none.

    Raises:
        DemoError: nobody answers.
    """
    with RelayTransport(silo) as relay:
        dce = DCERPC_v5(relay)
        dce.connect()
        return _map(dce, interface)


def map_endpoint_tcp(address: str, interface: str) -> int | None:
    """The same over TCP.

    Raises:
        DemoError: nobody answers.
    """
    with mapper_tcp(address) as dce:
        return _map(dce, interface)


@contextlib.contextmanager
def mapper_tcp(address: str) -> Iterator[DCERPC_v5]:
    """A connection to the endpoint mapper at an address.

    Raises:
        DemoError: nobody answers.
    """
    channel = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:{address}[{MAPPER_PORT}]")
    channel.set_connect_timeout(ANSWER_S)
    dce = channel.get_dce_rpc()
    try:
        dce.connect()
        channel.get_socket().settimeout(ANSWER_S)
        try:
            yield dce
        finally:
            dce.disconnect()
    # how impacket says that the other side has closed the connection: it takes what it has not got apart
    except (OSError, struct.error, DCERPCException) as error:
        raise DemoError(f"nobody answers at {address}:{MAPPER_PORT}: {error}") from error


def _map(dce: DCERPC_v5, interface: str) -> int | None:
    try:
        binding = epm.hept_map(
            "127.0.0.1", uuidtup_to_bin((interface, "1.0")), protocol="ncacn_ip_tcp", dce=dce
        )
    except IndexError:  # how impacket says that there was no tower in the answer
        return None
    return int(str(binding).split("[")[1].rstrip("]"))


def bind(address: str, port: int, interface: str) -> None:
    """Bind to an interface over TCP; raises what impacket raises where that is refused."""
    dce = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:{address}[{port}]").get_dce_rpc()
    dce.connect()
    try:
        dce.bind(uuidtup_to_bin((interface, "1.0")))
    finally:
        dce.disconnect()
