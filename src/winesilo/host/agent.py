"""Client of ``agent.exe``, the one Windows program that acts for us on the host.

Frames are little endian.  A request is ``u32 length of what follows, u32 tag, u32 op, payload``, a
reply ``u32 length, u32 tag, u32 status, payload``; strings are UTF-8 with a terminating NUL.  The
agent runs blocking operations on threads of its own, so replies come in any order and are matched
by tag.  The first frame is HELLO with tag 0.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
import struct
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Final

from winesilo.errors import AgentError, AgentGone

PROTOCOL_VERSION: Final = 1
MAX_FRAME: Final = 64 * 1024 * 1024
#: Added to an operation's own time-out before we stop waiting for the agent to report it.
GRACE_S: Final = 15.0
DEFAULT_TIMEOUT_S: Final = 60.0


class Op(enum.IntEnum):
    """Operations of the agent."""

    HELLO = 0
    SILO_OPEN = 1
    SILO_CLOSE = 2
    HIVE_LOAD = 3
    HIVE_SAVE = 4
    HIVE_UNLOAD = 5
    WAIT_SCM = 6
    PIPE_OPEN = 7
    PIPE_WRITE_READ = 8
    PIPE_WRITE = 9
    PIPE_READ = 10
    PIPE_CLOSE = 11
    PROCESSES = 12
    TERMINATE = 13
    PROCESS_WAIT = 14
    KEY_GET = 15
    KEY_SET = 16
    HANDLES = 17


@dataclass(frozen=True, slots=True)
class WindowsProcess:
    """One row of the PROCESSES operation (all processes of the host, silos included).

    ``created`` is a Windows time (100 ns since 1601), ``cpu_100ns`` kernel plus user time.
    """

    pid: int
    ppid: int
    threads: int
    created: int
    cpu_100ns: int
    working_set: int
    name: str


@dataclass(frozen=True, slots=True)
class Handle:
    """One row of the HANDLES operation: a handle of a Windows process that leads to something with a name.

    Attributes:
        pid: the process.
        value: the handle in it.
        access: what it allows.
        type: the type of object (``Event``, ``File`` ...).
        name: the object's name; of a process or thread, the process's id, 0 if it has ended.
    """

    pid: int
    value: int
    access: int
    type: str
    name: str


class Agent:
    """Thread-safe client of the agent; owns both descriptors.

    Args:
        write_fd: requests go here (the agent's standard input).
        read_fd: replies come from here (the agent's standard output).
        on_gone: called once, from the reader thread, when the agent's output ends.
    """

    def __init__(self, write_fd: int, read_fd: int, on_gone: Callable[[], None] | None = None) -> None:
        self._write_fd = write_fd
        self._read_fd = read_fd
        self._on_gone = on_gone
        self._tags = itertools.count(1)
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._pending: dict[int, Future[bytes]] = {}
        self._hello: Future[bytes] = Future()
        self._gone = False
        self.session_id = 0
        self._reader = threading.Thread(target=self._read_loop, name="agent-reader", daemon=True)
        self._reader.start()

    # -- life ---------------------------------------------------------------------------------

    def wait_hello(self, timeout_s: float) -> None:
        """Wait for the agent's first frame.

        Raises:
            AgentGone: it ended before.
            AgentError: it did not speak in time, or speaks another version.
        """
        try:
            payload = self._hello.result(timeout_s)
        except FutureTimeout:
            raise AgentError(f"the agent did not answer within {timeout_s:g} s") from None
        if len(payload) < 8:
            raise AgentError("the agent's first frame is too short")
        version, self.session_id = struct.unpack_from("<II", payload)
        if version != PROTOCOL_VERSION:
            raise AgentError(
                f"agent.exe speaks protocol {version}, not {PROTOCOL_VERSION}", "run: make build"
            )

    @property
    def alive(self) -> bool:
        """False once the agent's output ended."""
        return not self._gone

    def close(self) -> None:
        """Close the agent's input, which makes it exit; pending calls fail with AgentGone."""
        with self._send_lock:
            if self._write_fd >= 0:
                os.close(self._write_fd)
                self._write_fd = -1

    # -- operations ---------------------------------------------------------------------------

    def call(self, op: Op, payload: bytes = b"", timeout_s: float | None = DEFAULT_TIMEOUT_S) -> bytes:
        """Send one request and wait for its reply.

        Args:
            op: the operation.
            payload: its arguments, already encoded.
            timeout_s: seconds to wait for the reply; None waits as long as the agent lives.

        Raises:
            AgentError: a non-zero status, or no reply in time.
            AgentGone: the agent ended.
        """
        future: Future[bytes] = Future()
        with self._lock:
            if self._gone:
                raise AgentGone("the host's agent has ended", "run: silo host stop, then try again")
            tag = next(self._tags) & 0xFFFFFFFF or next(self._tags)
            self._pending[tag] = future
        try:
            self._send(struct.pack("<III", 8 + len(payload), tag, op) + payload)
            return future.result(timeout_s)
        except FutureTimeout:
            raise AgentError(f"the agent did not answer {op.name} within {timeout_s:g} s") from None
        except AgentError as error:
            raise type(error)(f"{op.name}: {error.message}", error.hint, status=error.status) from None
        finally:
            with self._lock:
                self._pending.pop(tag, None)

    def silo_open(self, silo_id: int) -> None:
        """Create and hold the silo's object directories and its SCM-started event."""
        self.call(Op.SILO_OPEN, struct.pack("<I", silo_id))

    def silo_close(self, silo_id: int) -> None:
        """Let go of the silo's object directories."""
        self.call(Op.SILO_CLOSE, struct.pack("<I", silo_id))

    def hive_load(self, silo_id: int, path: str) -> None:
        r"""Load the hive file (absolute Unix path) at ``\Registry\User\winesilo-N``."""
        self.call(Op.HIVE_LOAD, _id_and_string(silo_id, path))

    def hive_save(self, silo_id: int, path: str) -> None:
        """Write the silo's hive to ``path``, which the caller then renames into place."""
        self.call(Op.HIVE_SAVE, _id_and_string(silo_id, path))

    def hive_unload(self, silo_id: int) -> None:
        """Unload the silo's hive without saving it."""
        self.call(Op.HIVE_UNLOAD, struct.pack("<I", silo_id))

    def wait_scm(self, silo_id: int, timeout_ms: int) -> None:
        """Wait until the silo's services.exe has set its started event.

        Raises:
            AgentError: the time-out passed (status 0x102, STATUS_TIMEOUT), or the wait failed.
        """
        payload = struct.pack("<II", silo_id, timeout_ms)
        self.call(Op.WAIT_SCM, payload, timeout_ms / 1000 + GRACE_S)

    def pipe_open(self, name: str, timeout_ms: int) -> int:
        r"""Open ``\??\pipe\NAME`` in message mode; returns the agent's number for it.

        Args:
            name: full name below ``\??\pipe\``, for example ``winesilo\7\svcctl``.
            timeout_ms: how long to wait for a free instance or for the pipe to appear.
        """
        payload = struct.pack("<I", timeout_ms) + name.encode() + b"\0"
        reply = self.call(Op.PIPE_OPEN, payload, timeout_ms / 1000 + GRACE_S)
        return _u32(reply)

    def pipe_write_read(self, pipe: int, data: bytes, timeout_s: float | None = DEFAULT_TIMEOUT_S) -> bytes:
        """Write one message and read one message."""
        return self.call(Op.PIPE_WRITE_READ, struct.pack("<I", pipe) + data, timeout_s)

    def pipe_write(self, pipe: int, data: bytes, timeout_s: float | None = DEFAULT_TIMEOUT_S) -> None:
        """Write one message."""
        self.call(Op.PIPE_WRITE, struct.pack("<I", pipe) + data, timeout_s)

    def pipe_read(self, pipe: int, max_bytes: int, timeout_s: float | None = DEFAULT_TIMEOUT_S) -> bytes:
        """Read up to ``max_bytes`` of one message."""
        return self.call(Op.PIPE_READ, struct.pack("<II", pipe, max_bytes), timeout_s)

    def pipe_close(self, pipe: int) -> None:
        """Close a pipe opened by :meth:`pipe_open`."""
        self.call(Op.PIPE_CLOSE, struct.pack("<I", pipe))

    def processes(self) -> list[WindowsProcess]:
        """Every Windows process of the host, silos included."""
        return parse_processes(self.call(Op.PROCESSES))

    def handles(self, pids: Sequence[int]) -> list[Handle]:
        """The handles of some processes, where they lead to something with a name."""
        return parse_handles(self.call(Op.HANDLES, struct.pack(f"<{len(pids)}I", *pids)))

    def terminate(self, pid: int, exit_code: int = 1) -> None:
        """End a Windows process by its Windows id."""
        self.call(Op.TERMINATE, struct.pack("<II", pid, exit_code))

    # -- wire ---------------------------------------------------------------------------------

    def _send(self, frame: bytes) -> None:
        view = memoryview(frame)
        with self._send_lock:
            if self._write_fd < 0:
                raise AgentGone("the host's agent was closed")
            try:
                while view:
                    view = view[os.write(self._write_fd, view) :]
            except OSError as error:
                raise AgentGone(f"cannot write to the host's agent: {error.strerror}") from error

    def _read_exactly(self, size: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < size:
            chunk = os.read(self._read_fd, min(size - len(parts), 1 << 20))
            if not chunk:
                return None
            parts += chunk
        return bytes(parts)

    def _read_loop(self) -> None:
        try:
            while (head := self._read_exactly(12)) is not None:
                length, tag, status = struct.unpack("<III", head)
                if not 8 <= length <= MAX_FRAME:
                    break
                payload = self._read_exactly(length - 8)
                if payload is None:
                    break
                self._dispatch(tag, status, payload)
        except OSError:
            pass  # a read error means the same as the end of the stream: the agent is gone
        finally:
            self._fail_all()

    def _dispatch(self, tag: int, status: int, payload: bytes) -> None:
        if tag == 0:
            if not self._hello.done():
                self._hello.set_result(payload)
            return
        with self._lock:
            future = self._pending.pop(tag, None)
        if future is None:
            return
        if status:
            future.set_exception(AgentError(f"status {status:#010x}", status=status))
        else:
            future.set_result(payload)

    def _fail_all(self) -> None:
        with self._lock:
            self._gone = True
            pending = [*self._pending.values(), self._hello]
            self._pending.clear()
        for future in pending:
            if not future.done():
                future.set_exception(AgentGone("the host's agent has ended"))
        self.close()
        with contextlib.suppress(OSError):
            os.close(self._read_fd)
        if self._on_gone is not None:
            self._on_gone()


def _id_and_string(silo_id: int, text: str) -> bytes:
    return struct.pack("<I", silo_id) + os.fsencode(text) + b"\0"


def _u32(reply: bytes) -> int:
    if len(reply) < 4:
        raise AgentError("the agent's reply is too short")
    return int(struct.unpack_from("<I", reply)[0])


def parse_processes(reply: bytes) -> list[WindowsProcess]:
    """Decode the reply of PROCESSES: repeated u32 pid, ppid, threads, u64 created, cpu, working set, name."""
    rows: list[WindowsProcess] = []
    record = struct.Struct("<IIIQQQ")
    offset = 0
    while offset < len(reply):
        if offset + record.size > len(reply):
            raise AgentError("the agent's process list is cut off")
        pid, ppid, threads, created, cpu, working_set = record.unpack_from(reply, offset)
        offset += record.size
        end = reply.find(b"\0", offset)
        if end < 0:
            raise AgentError("the agent's process list is cut off")
        name = reply[offset:end].decode("utf-8", "replace")
        rows.append(WindowsProcess(pid, ppid, threads, created, cpu, working_set, name))
        offset = end + 1
    return rows


def parse_handles(reply: bytes) -> list[Handle]:
    """Decode the reply of HANDLES: repeated u32 pid, handle, access, type, name."""
    rows: list[Handle] = []
    head = struct.Struct("<III")
    offset = 0
    while offset < len(reply):
        type_end = reply.find(b"\0", offset + head.size)
        name_end = reply.find(b"\0", type_end + 1)
        if offset + head.size > len(reply) or type_end < 0 or name_end < 0:
            raise AgentError("the agent's list of handles is cut off")
        pid, value, access = head.unpack_from(reply, offset)
        kind = reply[offset + head.size : type_end].decode("utf-8", "replace")
        name = reply[type_end + 1 : name_end].decode("utf-8", "replace")
        rows.append(Handle(pid, value, access, kind, name))
        offset = name_end + 1
    return rows
