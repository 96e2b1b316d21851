"""DCE/RPC over a named pipe that the agent opens for us.

impacket's ``DCERPC_v5`` asks its transport for four methods only; this one has no sockets and no
SMB in it.  In message mode one PDU fragment is one pipe message.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from impacket.dcerpc.v5.rpcrt import DCERPC_v5

from winesilo.errors import AgentError, RpcError
from winesilo.rpc.seam import rpc_errors, service_error

if TYPE_CHECKING:
    from winesilo.host.agent import Agent

#: Seconds for one request when the caller sets no deadline; more than Wine's SCM takes for any call
#: (30 s for the service's mutex, 10 s for its control pipe, 10 s for its first report).
DEFAULT_CALL_S: Final = 60.0


class PipeTransport:
    r"""What ``DCERPC_v5`` needs of a transport, on the agent's pipe operations.

    Args:
        agent: opens the pipe.
        name: full name below ``\??\pipe\``.
        connect_timeout_s: how long to wait for the pipe to appear.
    """

    def __init__(self, agent: Agent, name: str, connect_timeout_s: float) -> None:
        self._agent = agent
        self._name = name
        self._connect_timeout_s = connect_timeout_s
        self._pipe: int | None = None
        self._unsent: list[bytes] = []
        self._unread = b""
        #: time.monotonic() by which calls must have been answered; None: DEFAULT_CALL_S for each.
        self.deadline: float | None = None
        #: False after a failure in the middle of a call: what comes next on the pipe is unknown.
        self.usable = False

    def connect(self) -> int:
        """Open the pipe (impacket expects 1)."""
        self._pipe = self._agent.pipe_open(self._name, int(self._connect_timeout_s * 1000))
        self.usable = True
        return 1

    def disconnect(self) -> None:
        """Close the pipe; may be called twice."""
        if self._pipe is not None:
            pipe, self._pipe, self.usable = self._pipe, None, False
            self._agent.pipe_close(pipe)

    def send(self, data: bytes, **_flags: Any) -> None:
        """Keep one fragment until the answer is asked for, so that both make one trip."""
        self._unsent.append(data)

    def recv(self, _force: int = 0, count: int = 0) -> bytes:
        """Return bytes of the answer: all of the current fragment, or ``count`` bytes of it."""
        if not self._unread:
            self._unread = self._exchange()
        size = count or len(self._unread)
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _exchange(self) -> bytes:
        if self._pipe is None:
            raise RpcError("the RPC connection is closed")
        pipe, fragments, self._unsent = self._pipe, self._unsent, []
        self.usable = False
        for fragment in fragments[:-1]:
            self._agent.pipe_write(pipe, fragment, self._time_left())
        if fragments:
            answer = self._agent.pipe_write_read(pipe, fragments[-1], self._time_left())
        else:
            answer = self._agent.pipe_read(pipe, 0, self._time_left())
        self.usable = True
        return answer

    def _time_left(self) -> float:
        if self.deadline is None:
            return DEFAULT_CALL_S
        return max(self.deadline - time.monotonic(), 0.001)


class RpcConnection:
    r"""A bound RPC connection; a context manager.

    Args:
        agent: opens the pipe.
        pipe: name below ``\??\pipe\``, for example ``winesilo\7\svcctl``.
        interface: the interface's UUID and version in impacket's binary form.
        connect_timeout_s: how long to wait for the pipe to appear.

    Raises:
        RpcError: no such pipe, or the server refuses the interface.
        AgentGone: the agent ended.
    """

    def __init__(self, agent: Agent, pipe: str, interface: bytes, connect_timeout_s: float = 5.0) -> None:
        self._transport = PipeTransport(agent, pipe, connect_timeout_s)
        self.dce: Any = DCERPC_v5(self._transport)
        with rpc_errors(f"cannot connect to the pipe {pipe}"):
            self.dce.connect()
            try:
                self.dce.bind(interface)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> RpcConnection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def usable(self) -> bool:
        """False once a call failed half-way (a time-out, a broken pipe): open another connection."""
        return self._transport.usable

    def set_deadline(self, deadline: float | None) -> None:
        """Let calls fail with RpcError after ``deadline`` (time.monotonic()); None: the default."""
        self._transport.deadline = deadline

    def call_for_bytes(self, request: Any, what: str) -> bytes:
        """Make a call whose answer is a byte array, more numbers, and a Win32 code.

        impacket's own decoder makes an object of every byte, which takes a second per megabyte.

        Args:
            request: an impacket NDRCALL.
            what: see :func:`rpc_errors`.

        Raises:
            ServiceError: the Win32 code.
        """
        with rpc_errors(what):
            self.dce.call(request.opnum, request)
            answer: bytes = self.dce.recv()
            code = int.from_bytes(answer[-4:], "little")
            if code:
                raise service_error(code, what)
            size = int.from_bytes(answer[:4], "little")
            return answer[4 : 4 + size]

    def exchange(self, request: Any, response: type[Any], what: str, expected: int = 0) -> Any:
        """Make a call of an interface that impacket has no module for.

        Args:
            request: an impacket NDRCALL.
            response: its class of answer, which ends in a Win32 code.
            what: see :func:`rpc_errors`.
            expected: a code that is no error.

        Raises:
            ServiceError: the Win32 code.
        """
        with rpc_errors(what):
            self.dce.call(request.opnum, request)
            answer: bytes = self.dce.recv()
            code = int.from_bytes(answer[-4:], "little")
            if code not in (0, expected):
                raise service_error(code, what)
            return response(answer)

    def close(self) -> None:
        """Close the pipe; the server runs down our handles.  May be called twice."""
        try:
            self._transport.disconnect()
        except AgentError:
            return  # the pipe went away with the server or with the agent: that is closed too
