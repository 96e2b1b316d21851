r"""What our service control manager answers beyond MS-SCMR, over the same ``\pipe\svcctl``.

The interface is ``src/guest/scm/extra.idl``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from impacket.dcerpc.v5.dtypes import DWORD, WSTR
from impacket.dcerpc.v5.ndr import NDRCALL, NDRSTRUCT
from impacket.uuid import uuidtup_to_bin

from winesilo.rpc import codes
from winesilo.rpc.scmr import RawStatus
from winesilo.rpc.seam import rpc_errors
from winesilo.rpc.transport import RpcConnection

if TYPE_CHECKING:
    from winesilo.host.agent import Agent

INTERFACE: Final = uuidtup_to_bin((str(uuid.UUID("5c8f2f0e-6f6b-4d0e-9d0a-1f4b6c0a7e31")), "1.0"))
#: No service has had so many reports: a look at its status, without a wait.
_ANY: Final = 0xFFFFFFFF
_FIELDS: Final = (
    "service_type", "state", "controls", "win32_exit_code", "service_exit_code", "checkpoint", "wait_hint",
    "pid", "flags", "changes", "died", "process_exit", "failures",
)  # fmt: skip


class _Status(NDRSTRUCT):
    structure = tuple((field, DWORD) for field in _FIELDS)


class _Wait(NDRCALL):
    opnum = 0
    structure = (("Name", WSTR), ("Changes", DWORD), ("Timeout", DWORD))


class _WaitResponse(NDRCALL):
    structure = (("Status", _Status), ("ErrorCode", DWORD))


class _Shutdown(NDRCALL):
    opnum = 1
    structure = (("Timeout", DWORD), ("Size", DWORD))


class _Terminate(NDRCALL):
    opnum = 2
    structure = (("Name", WSTR), ("Size", DWORD))


#: Bytes of text that an answer may have.
_TEXT_SIZE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Status(RawStatus):
    """SERVICE_STATUS_PROCESS, and what the SCM knows besides.

    Attributes:
        changes: counts the service's reports; see :meth:`ScmExtra.wait`.
        died: not 0 if its last process ended without a report; ``process_exit`` is its exit code then.
        failures: how often it failed within the reset period of its failure actions.
    """

    changes: int
    died: int
    process_exit: int
    failures: int


class ScmExtra:
    r"""A connection; see :class:`winesilo.rpc.scmr.ScmConnection` for the arguments and errors."""

    def __init__(self, agent: Agent, pipe_prefix: str, connect_timeout_s: float = 5.0) -> None:
        self._rpc = RpcConnection(agent, pipe_prefix + "svcctl", INTERFACE, connect_timeout_s)

    @property
    def usable(self) -> bool:
        """False once a call failed half-way: open another connection."""
        return self._rpc.usable

    def close(self) -> None:
        """Close the connection."""
        self._rpc.close()

    def status(self, name: str) -> Status:
        """The service's status as it is now.

        Raises:
            ServiceNotFound: no such service.
        """
        return self.wait(name, _ANY, 0.0)

    def wait(self, name: str, changes: int, timeout_s: float) -> Status:
        """Wait until the service has reported something new, or the time is over.

        Args:
            name: key name.
            changes: of the last status that the caller has seen.
            timeout_s: seconds; then the status is returned as it is.

        Raises:
            ServiceNotFound: no such service.
        """
        request = _Wait()
        request["Name"] = name + "\0"
        request["Changes"] = changes
        request["Timeout"] = max(int(timeout_s * 1000), 0)
        what = f"cannot query service {name!r}"
        with rpc_errors(what):
            answer = self._rpc.exchange(request, _WaitResponse, what, expected=codes.WAIT_TIMEOUT)
        return Status(*(answer["Status"][field] for field in _FIELDS))

    def shutdown(self, timeout_s: float) -> list[tuple[str, str, float]]:
        """Stop every service, dependents first; none starts any more.

        Returns:
            For each service that was active its name, how it went (``stopped``, ``dead`` or ``ended``: its
            process did not stop by the deadline), and the seconds it took.
        """
        request = _Shutdown()
        request["Timeout"] = max(int(timeout_s * 1000), 0)
        rows = [line.split("\t") for line in self._text(request, "cannot stop the services").splitlines()]
        return [(name, how, int(milliseconds) / 1000) for name, how, milliseconds in rows]

    def terminate(self, name: str) -> list[str]:
        """End the service's process; the services in it are stopped then, with 1053, and have not failed.

        Returns:
            The services that were in the process.

        Raises:
            ServiceNotFound: no such service.
            ServiceError: 1062, it has no process.
        """
        request = _Terminate()
        request["Name"] = name + "\0"
        return self._text(request, f"cannot end the process of service {name!r}").splitlines()

    def set_deadline(self, deadline: float | None) -> None:
        """See :meth:`RpcConnection.set_deadline`."""
        self._rpc.set_deadline(deadline)

    def _text(self, request: Any, what: str) -> str:
        request["Size"] = _TEXT_SIZE
        return self._rpc.call_for_bytes(request, what).decode("utf-16-le", "replace").split("\0")[0]
