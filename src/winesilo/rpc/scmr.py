"""MS-SCMR, the protocol of the service control manager, typed.

Numbers and structures are those of MS-SCMR; where our server speaks as Wine's does, for Wine's clients
(docs/design/scm.md), the docstring says so.  A manager handle and a service handle are different types.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from impacket.dcerpc.v5 import scmr

from winesilo.errors import RpcError, ServiceError
from winesilo.rpc import codes
from winesilo.rpc.seam import rpc_errors
from winesilo.rpc.transport import RpcConnection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from winesilo.host.agent import Agent

SERVICE_ALL_ACCESS: Final = 0xF01FF
SC_MANAGER_ALL_ACCESS: Final = 0xF003F
SERVICE_NO_CHANGE: Final = 0xFFFFFFFF
SERVICE_CONTROL_STOP: Final = 1
SERVICE_ACTIVE: Final = 1
SERVICE_STATE_ALL: Final = 3
SERVICE_DRIVER: Final = 0x0B
SERVICE_WIN32: Final = 0x30
SERVICE_CONFIG_DESCRIPTION: Final = 1
SERVICE_CONFIG_FAILURE_ACTIONS: Final = 2
SERVICE_CONFIG_DELAYED_AUTO_START_INFO: Final = 3
SERVICE_CONFIG_FAILURE_ACTIONS_FLAG: Final = 4

_STATUS: Final = struct.Struct("<9I")
#: A row of EnumServicesStatusExW: two offsets into the buffer, then the status.
_ENUM_ROW: Final = struct.Struct("<2I9I")
#: A row of EnumDependentServicesW: the same without the process.
_DEPENDENT_ROW: Final = struct.Struct("<2I7I")
#: SERVICE_FAILURE_ACTIONS_WOW64: reset period, offsets of two texts, count and offset of the actions.
_FAILURE_ACTIONS: Final = struct.Struct("<5I")
_FAILURE_ACTION: Final = struct.Struct("<2I")
#: Buffer sizes to offer; the server sends all of the buffer, so begin small (MS-SCMR allows 256 KiB).
_ENUM_SIZES: Final = (16 * 1024, 64 * 1024, 256 * 1024)
_LEVEL_SIZE: Final = 8192
_MAX_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class RawStatus:
    """SERVICE_STATUS_PROCESS."""

    service_type: int
    state: int
    controls: int
    win32_exit_code: int
    service_exit_code: int
    checkpoint: int
    wait_hint: int
    pid: int
    flags: int


@dataclass(frozen=True, slots=True)
class RawConfig:
    """QUERY_SERVICE_CONFIGW.

    Attributes:
        dependencies: services, and groups with a plus sign in front.
    """

    service_type: int
    start_type: int
    error_control: int
    binary_path: str
    load_order_group: str
    tag: int
    dependencies: tuple[str, ...]
    account: str
    display_name: str


@dataclass(frozen=True, slots=True)
class FailureActions:
    """SERVICE_FAILURE_ACTIONSW.

    Attributes:
        reset_period: seconds without a failure after which they are counted anew; 0xFFFFFFFF: never.
        command: what action 3 runs; "" for nothing.
        actions: (type, delay in ms) for the first, second ... failure; the last one for all that follow.
    """

    reset_period: int = 0
    command: str = ""
    actions: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceHandle:
    """An open service; made by :meth:`ScmConnection.open`."""

    name: str
    context: bytes


class ScmConnection:
    r"""A connection to one SCM with an open manager handle; a context manager.

    Args:
        agent: opens the pipe.
        pipe_prefix: ``winesilo\N\`` for a silo, "" for the host's own SCM.
        connect_timeout_s: how long to wait for the pipe to appear.

    Raises:
        RpcError: the SCM does not answer.
        AgentGone: the agent ended.
    """

    def __init__(self, agent: Agent, pipe_prefix: str, connect_timeout_s: float = 5.0) -> None:
        self._rpc = RpcConnection(agent, pipe_prefix + "svcctl", scmr.MSRPC_UUID_SCMR, connect_timeout_s)
        try:
            with rpc_errors("cannot open the service control manager"):
                answer = scmr.hROpenSCManagerW(self._rpc.dce, dwDesiredAccess=SC_MANAGER_ALL_ACCESS)
                self._manager: bytes = answer["lpScHandle"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ScmConnection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def usable(self) -> bool:
        """False once a call failed half-way: open another connection."""
        return self._rpc.usable

    def set_deadline(self, deadline: float | None) -> None:
        """See :meth:`RpcConnection.set_deadline`."""
        self._rpc.set_deadline(deadline)

    def close(self) -> None:
        """Close the connection; the SCM closes our handles."""
        self._rpc.close()

    # -- handles --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def open(self, name: str, access: int = SERVICE_ALL_ACCESS) -> Iterator[ServiceHandle]:
        """Open a service by its key name (case does not matter).

        Raises:
            ServiceNotFound: no such service.
        """
        with rpc_errors(f"cannot open service {name!r}"):
            answer = scmr.hROpenServiceW(self._rpc.dce, self._manager, name, access)
        handle = ServiceHandle(name, answer["lpServiceHandle"])
        try:
            yield handle
        finally:
            self._close(handle)

    def _close(self, handle: ServiceHandle) -> None:
        """Close a handle; after a failed call the connection is closed as a whole instead."""
        if self.usable:
            with contextlib.suppress(RpcError, ServiceError), rpc_errors("cannot close a handle"):
                scmr.hRCloseServiceHandle(self._rpc.dce, handle.context)

    # -- manager --------------------------------------------------------------------------------

    def enumerate(self, service_types: int) -> list[tuple[str, str, RawStatus]]:
        """Key name, display name and status of every service of these types."""
        request = scmr.REnumServicesStatusExW()
        request["hSCManager"] = self._manager
        request["InfoLevel"] = 0
        request["dwServiceType"] = service_types
        request["dwServiceState"] = SERVICE_STATE_ALL
        request["lpResumeIndex"] = scmr.NULL
        request["pszGroupName"] = scmr.NULL
        what = "cannot list the services"
        for size in _ENUM_SIZES:
            request["cbBufSize"] = size
            try:
                buffer = self._rpc.call_for_bytes(request, what)
            except ServiceError as error:
                if error.code != codes.ERROR_MORE_DATA or size == _ENUM_SIZES[-1]:
                    raise
            else:
                with rpc_errors(what):
                    return _enum_rows(buffer)
        raise AssertionError("the last size returns or raises")

    def key_name(self, display_name: str) -> str:
        """The key name of the service with this display name; "" if there is none."""
        try:
            with rpc_errors(f"cannot find service {display_name!r}"):
                answer = scmr.hRGetServiceKeyNameW(self._rpc.dce, self._manager, display_name, _MAX_NAME)
                return _text(answer["lpDisplayName"])
        except ServiceError:
            return ""

    def create(
        self,
        name: str,
        *,
        display_name: str,
        service_type: int,
        start_type: int,
        error_control: int,
        binary_path: str,
        dependencies: Sequence[str],
        account: str | None,
        group: str | None = None,
    ) -> None:
        """Create a service.

        Raises:
            ServiceExists: the key name or the display name is taken.
            ServiceError: the combination makes no sense (87), or it is marked for deletion (1072).
        """
        packed = pack_strings(dependencies)
        with rpc_errors(f"cannot create service {name!r}"):
            answer = scmr.hRCreateServiceW(
                self._rpc.dce,
                self._manager,
                name,
                display_name,
                dwServiceType=service_type,
                dwStartType=start_type,
                dwErrorControl=error_control,
                lpBinaryPathName=binary_path,
                lpDependencies=packed or scmr.NULL,
                dwDependSize=len(packed),
                lpServiceStartName=account or scmr.NULL,
                lpLoadOrderGroup=group or scmr.NULL,
            )
        self._close(ServiceHandle(name, answer["lpServiceHandle"]))

    # -- service --------------------------------------------------------------------------------

    def dependents(self, service: ServiceHandle, states: int = SERVICE_STATE_ALL) -> list[str]:
        """Key names of the services that depend on it, directly or not, in the order to stop them."""
        request = scmr.REnumDependentServicesW()
        request["hService"] = service.context
        request["dwServiceState"] = states
        request["cbBufSize"] = _ENUM_SIZES[1]
        what = f"cannot list the dependents of service {service.name!r}"
        buffer = self._rpc.call_for_bytes(request, what)
        with rpc_errors(what):
            end = int.from_bytes(buffer[:4], "little")
            offsets = range(0, end - _DEPENDENT_ROW.size + 1, _DEPENDENT_ROW.size)
            return [_text_at(buffer, _DEPENDENT_ROW.unpack_from(buffer, offset)[0]) for offset in offsets]

    def config(self, service: ServiceHandle) -> RawConfig:
        """The configuration as the SCM has it in memory."""
        with rpc_errors(f"cannot read the configuration of service {service.name!r}"):
            found = scmr.hRQueryServiceConfigW(self._rpc.dce, service.context)["lpServiceConfig"]
            return RawConfig(
                service_type=int(found["dwServiceType"]),
                start_type=int(found["dwStartType"]),
                error_control=int(found["dwErrorControl"]),
                binary_path=_text(found["lpBinaryPathName"]),
                load_order_group=_text(found["lpLoadOrderGroup"]),
                tag=int(found["dwTagId"]),
                # one string on the wire, a slash behind each
                dependencies=tuple(name for name in _text(found["lpDependencies"]).split("/") if name),
                account=_text(found["lpServiceStartName"]),
                display_name=_text(found["lpDisplayName"]),
            )

    def description(self, service: ServiceHandle) -> str:
        """The description; the buffer is an offset and the text."""
        buffer = self._level(service, SERVICE_CONFIG_DESCRIPTION)
        return _text_at(buffer, _number(buffer))

    def delayed_start(self, service: ServiceHandle) -> bool:
        """Whether an auto-start service starts after the others."""
        return bool(_number(self._level(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO)))

    def failure_flag(self, service: ServiceHandle) -> bool:
        """Whether a stop with an error code counts as a failure too."""
        return bool(_number(self._level(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG)))

    def failure_actions(self, service: ServiceHandle) -> FailureActions:
        """What is done when the service fails."""
        buffer = self._level(service, SERVICE_CONFIG_FAILURE_ACTIONS)
        with rpc_errors(f"cannot read the failure actions of service {service.name!r}"):
            reset, _, command, count, first = _FAILURE_ACTIONS.unpack_from(buffer)
            offsets = range(first, first + count * _FAILURE_ACTION.size, _FAILURE_ACTION.size)
            rows = [_FAILURE_ACTION.unpack_from(buffer, offset) for offset in offsets]
            return FailureActions(
                reset, _text_at(buffer, command), tuple((kind, delay) for kind, delay in rows)
            )

    def _level(self, service: ServiceHandle, level: int) -> bytes:
        request = scmr.RQueryServiceConfig2W()
        request["hService"] = service.context
        request["dwInfoLevel"] = level
        request["cbBufSize"] = _LEVEL_SIZE
        return self._rpc.call_for_bytes(request, f"cannot read the configuration of service {service.name!r}")

    def start(self, service: ServiceHandle, arguments: Sequence[str]) -> None:
        """Start the service after what it needs; returns when it has reported its first state.

        Raises:
            ServiceError: 1053 the process ended or did not report within ServicesPipeTimeout, 1056 it
                runs, 1058 disabled, 1059 a circle of dependencies, 1068 one does not start, 1075 one is
                missing, 2 its program is missing ...
        """
        with rpc_errors(f"cannot start service {service.name!r}"):
            scmr.hRStartServiceW(self._rpc.dce, service.context, len(arguments), arguments)

    def control(self, service: ServiceHandle, control: int) -> None:
        """Send a control code; waits for the service's handler to return.

        Raises:
            ServiceError: 1051 a stop, and others depend on it, 1052 it does not take the code, 1053 the
                handler did not return within ServicesPipeTimeout, 1061 not now, 1062 it does not run.
        """
        with rpc_errors(f"cannot control service {service.name!r}"):
            scmr.hRControlService(self._rpc.dce, service.context, control)

    def delete(self, service: ServiceHandle) -> None:
        """Mark the service for deletion; it goes when its last handle is closed."""
        with rpc_errors(f"cannot delete service {service.name!r}"):
            scmr.hRDeleteService(self._rpc.dce, service.context)

    def change(
        self,
        service: ServiceHandle,
        *,
        dependencies: Sequence[str] | None = None,
        service_type: int = SERVICE_NO_CHANGE,
        start_type: int = SERVICE_NO_CHANGE,
        error_control: int = SERVICE_NO_CHANGE,
        binary_path: str | None = None,
        account: str | None = None,
        group: str | None = None,
        display_name: str | None = None,
    ) -> None:
        """Change the configuration; what is None stays."""
        packed = None if dependencies is None else pack_strings(dependencies) or b"\0\0"
        with rpc_errors(f"cannot configure service {service.name!r}"):
            scmr.hRChangeServiceConfigW(
                self._rpc.dce,
                service.context,
                service_type,
                start_type,
                error_control,
                lpBinaryPathName=_pointer(binary_path),
                lpDependencies=scmr.NULL if packed is None else packed,
                dwDependSize=len(packed or b""),
                lpServiceStartName=_pointer(account),
                lpLoadOrderGroup=_pointer(group),
                lpDisplayName=_pointer(display_name),
            )

    def set_description(self, service: ServiceHandle, text: str) -> None:
        """Set the description; "" removes it."""
        request = self._change2(service, SERVICE_CONFIG_DESCRIPTION)
        request["Info"]["Union"]["psd"]["lpDescription"] = text + "\0"
        with rpc_errors(f"cannot describe service {service.name!r}"):
            self._rpc.dce.request(request)

    def set_delayed_start(self, service: ServiceHandle, delayed: bool) -> None:
        """Set or clear delayed auto-start."""
        request = self._change2(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO)
        request["Info"]["Union"]["psda"]["fDelayedAutostart"] = int(delayed)
        with rpc_errors(f"cannot configure service {service.name!r}"):
            self._rpc.dce.request(request)

    def set_failure_flag(self, service: ServiceHandle, on_error: bool) -> None:
        """Say whether a stop with an error code counts as a failure too."""
        request = self._change2(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG)
        request["Info"]["Union"]["psfaf"]["fFailureActionsOnNonCrashFailures"] = int(on_error)
        with rpc_errors(f"cannot configure service {service.name!r}"):
            self._rpc.dce.request(request)

    def set_failure_actions(self, service: ServiceHandle, wanted: FailureActions) -> None:
        """Say what is done when the service fails."""
        request = self._change2(service, SERVICE_CONFIG_FAILURE_ACTIONS)
        body = request["Info"]["Union"]["psfa"]
        body["dwResetPeriod"] = wanted.reset_period
        body["lpRebootMsg"] = scmr.NULL
        body["lpCommand"] = wanted.command + "\0"
        body["cActions"] = len(wanted.actions)
        array = scmr.SC_ACTION_ARRAY()
        for kind, delay in wanted.actions:
            action = scmr.SC_ACTION()
            action["Type"] = kind
            action["Delay"] = delay
            array["Data"].append(action)
        pointer = scmr.SC_ACTIONS()
        pointer["Data"] = array
        body["lpsaActions"] = pointer
        with rpc_errors(f"cannot configure service {service.name!r}"):
            self._rpc.dce.request(request)

    @staticmethod
    def _change2(service: ServiceHandle, level: int) -> Any:
        request = scmr.RChangeServiceConfig2W()
        request["hService"] = service.context
        request["Info"]["dwInfoLevel"] = level
        request["Info"]["Union"]["tag"] = level
        return request


def pack_strings(strings: Sequence[str]) -> bytes:
    """A REG_MULTI_SZ in UTF-16: each string and the list end in NUL; b"" for none."""
    if not strings:
        return b""
    return ("\0".join(strings) + "\0\0").encode("utf-16-le")


def _number(buffer: bytes) -> int:
    return int.from_bytes(buffer[:4], "little")


def _enum_rows(buffer: bytes) -> list[tuple[str, str, RawStatus]]:
    """The rows up to the first name, which stands behind the last row."""
    rows: list[tuple[str, str, RawStatus]] = []
    end = int.from_bytes(buffer[:4], "little")
    for offset in range(0, end - _ENUM_ROW.size + 1, _ENUM_ROW.size):
        name, display, *status = _ENUM_ROW.unpack_from(buffer, offset)
        rows.append((_text_at(buffer, name), _text_at(buffer, display), RawStatus(*status)))
    return rows


def _text_at(buffer: bytes, offset: int) -> str:
    """The NUL-terminated UTF-16 text at an offset; offset 0 means there is none."""
    end = offset
    while offset and buffer[end : end + 2] not in (b"\0\0", b"", b"\0"):
        end += 2
    return buffer[offset:end].decode("utf-16-le", "replace") if offset else ""


def _text(value: Any) -> str:
    return str(value).rstrip("\0") if value else ""


def _pointer(text: str | None) -> Any:
    return scmr.NULL if text is None else text
