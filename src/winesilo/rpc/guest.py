"""The agent's operations on processes and registry values, typed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from winesilo.errors import AgentError, AgentGone
from winesilo.host.agent import GRACE_S, Agent, Op
from winesilo.rpc import codes

REG_SZ: Final = 1
REG_EXPAND_SZ: Final = 2
REG_DWORD: Final = 4
REG_MULTI_SZ: Final = 7

#: STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND and STATUS_KEY_DELETED.
_NOT_FOUND: Final = frozenset({0xC0000034, 0xC000003A, 0xC000017C})


@dataclass(frozen=True, slots=True)
class RegistryValue:
    """The type and the bytes of a registry value."""

    type: int
    data: bytes

    def as_int(self) -> int:
        """The number of a REG_DWORD; 0 for other types, as services.exe reads them."""
        if self.type != REG_DWORD or len(self.data) < 4:
            return 0
        return int.from_bytes(self.data[:4], "little")

    def as_strings(self) -> tuple[str, ...]:
        """The strings of a REG_SZ, REG_EXPAND_SZ or REG_MULTI_SZ, without empty ones."""
        if self.type not in (REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ):
            return ()
        text = self.data.decode("utf-16-le", "surrogatepass")
        return tuple(part for part in text.split("\0") if part)


def process_wait(agent: Agent, pid: int, timeout_s: float) -> int | None:
    """Wait for a Windows process to end.

    Args:
        agent: the host's agent.
        pid: Windows process id, of any silo.
        timeout_s: seconds; 0 looks once.

    Returns:
        None while it still runs, else its exit code; -1 if it is gone and its exit code with it.

    Raises:
        AgentError: the process may not be opened.
        AgentGone: the agent ended.
    """
    milliseconds = max(int(timeout_s * 1000), 0)
    try:
        reply = agent.call(Op.PROCESS_WAIT, struct.pack("<II", pid, milliseconds), timeout_s + GRACE_S)
    except AgentGone:
        raise
    except AgentError as error:
        if error.status == codes.WAIT_TIMEOUT:
            return None
        if error.status == codes.ERROR_INVALID_PARAMETER:
            return -1
        raise
    return int(struct.unpack_from("<I", reply)[0])


def key_get(agent: Agent, key: str, value: str) -> RegistryValue | None:
    r"""Read a value by the absolute NT name of its key; None if the key or the value does not exist.

    Args:
        agent: the host's agent.
        key: for example ``\Registry\User\winesilo-7\Machine\Software``.
        value: name of the value, "" for the default one.

    Raises:
        AgentError: another NT status.
    """
    try:
        reply = agent.call(Op.KEY_GET, _strings(key, value))
    except AgentError as error:
        if error.status in _NOT_FOUND:
            return None
        raise
    return RegistryValue(int(struct.unpack_from("<I", reply)[0]), reply[4:])


def key_set(agent: Agent, key: str, value: str, data: RegistryValue) -> bool:
    """Set a value of an existing key; False if the key does not exist.

    Raises:
        AgentError: another NT status.
    """
    try:
        agent.call(Op.KEY_SET, _strings(key, value) + struct.pack("<I", data.type) + data.data)
    except AgentError as error:
        if error.status in _NOT_FOUND:
            return False
        raise
    return True


def _strings(*texts: str) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts)
