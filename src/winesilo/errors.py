"""Every exception winesilo raises on purpose.

    WinesiloError
    ├── UsageError                  bad name, address, path or option (exit code 2)
    │   ├── InvalidName
    │   ├── InvalidAddress
    │   ├── InvalidPublish
    │   └── InvalidPath
    ├── HostError
    │   ├── HostNotInitialised
    │   ├── HostExists
    │   ├── HostNotRunning
    │   ├── HostBusy
    │   ├── HostStartFailed
    │   ├── BaseDamaged
    │   ├── WineNotFound
    │   ├── WineTooOld
    │   ├── NamespaceError
    │   ├── OverlayError
    │   └── DiskFull
    ├── DaemonError
    │   ├── ProtocolError
    │   └── Cancelled
    ├── AgentError                  the Windows helper answered with an NT status
    │   └── AgentGone
    ├── InterposerError
    │   └── LibraryMissing
    ├── SiloError
    │   ├── SiloNotFound
    │   ├── SiloExists
    │   ├── SiloRunning
    │   ├── SiloNotRunning
    │   ├── SiloSuspended
    │   ├── SiloBusy
    │   ├── SiloCorrupt
    │   ├── SiloStartFailed
    │   ├── AddressInUse
    │   └── PublishFailed
    ├── ProgramError                the program itself could not be run (exit code 125)
    │   └── ProgramNotFound
    ├── DemoError                   a check of ``silo demo`` failed
    │   └── DownloadError
    ├── PackageError                a package of services is wrong, or can't be installed
    │   └── PackageNotFound
    ├── RpcError                    MS-RPC transport or fault
    └── ServiceError                the silo's SCM refused; carries the Windows code
        ├── ServiceNotFound
        ├── ServiceExists
        ├── ServiceStartFailed
        ├── ServiceDied
        └── ServiceTimeout

Each error has a message (what failed), perhaps a hint (what fixes it) and an exit code for the
command line.  ``details`` holds JSON-serialisable extras, which survive the trip from the daemon
to the client (see :func:`to_wire` and :func:`from_wire`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUN = 125


class WinesiloError(Exception):
    """Base of all errors: a message, an optional hint, an exit code, extra facts.

    Args:
        message: what failed, one sentence, without a trailing full stop.
        hint: what the user can do about it.
        details: JSON-serialisable facts for programs (a Windows code, a path ...).
    """

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = details

    def __str__(self) -> str:
        return self.message


class UsageError(WinesiloError):
    """The request itself is wrong."""

    exit_code = EXIT_USAGE


class InvalidName(UsageError):
    """A silo, host or service name that is not allowed."""


class InvalidAddress(UsageError):
    """An address that is not of the form silos use."""


class InvalidPublish(UsageError):
    """A rule of ``--publish`` makes no sense."""


class InvalidPath(UsageError):
    r"""A path that is not ``NAME:C:\...`` or not absolute."""


class HostError(WinesiloError):
    """The Wine host can't do what was asked."""


class HostNotInitialised(HostError):
    """There is no base prefix yet."""


class HostExists(HostError):
    """The base prefix exists already."""


class HostNotRunning(HostError):
    """The host's daemon does not run."""


class HostBusy(HostError):
    """Another process does the same thing, or silos still run."""


class HostStartFailed(HostError):
    """The daemon, the wineserver or the agent did not come up."""


class BaseDamaged(HostError):
    """The base prefix was changed or removed underneath."""


class WineNotFound(HostError):
    """No 64-bit Wine on this machine."""


class WineTooOld(HostError):
    """Wine older than 8.0."""


class NamespaceError(HostError):
    """unshare(2), setns(2) or mount(2) was refused."""


class OverlayError(HostError):
    """No way to mount a silo's file layer."""


class DiskFull(HostError):
    """Not enough disk space."""


class DaemonError(WinesiloError):
    """Talking to the daemon failed."""


class ProtocolError(DaemonError):
    """A message that is not part of the protocol."""


class Cancelled(DaemonError):
    """The request was given up (its client went away, or the daemon stops)."""


class AgentError(WinesiloError):
    """The agent answered with a non-zero status; ``status`` is the NT or Win32 code."""

    def __init__(self, message: str, hint: str | None = None, status: int = 0, **details: Any) -> None:
        super().__init__(message, hint, status=status, **details)
        self.status = status


class AgentGone(AgentError):
    """The agent process ended."""


class InterposerError(WinesiloError):
    """The C library can't be used."""


class LibraryMissing(InterposerError):
    """libwinesilo.so or agent.exe has not been built."""


class SiloError(WinesiloError):
    """A silo can't do what was asked."""


class SiloNotFound(SiloError):
    """No silo of that name."""


class SiloExists(SiloError):
    """The name is taken."""


class SiloRunning(SiloError):
    """The silo must be stopped first."""


class SiloNotRunning(SiloError):
    """The silo must be running."""


class SiloSuspended(SiloError):
    """The silo must be resumed first."""


class SiloBusy(SiloError):
    """Another request is changing the silo."""


class SiloCorrupt(SiloError):
    """silo.json or the registry hive can't be read; the file is named in ``details['path']``."""


class SiloStartFailed(SiloError):
    """The silo's services did not come up."""


class AddressInUse(SiloError):
    """Another silo has the address."""


class PublishFailed(SiloError):
    """A port can't be published: it is taken, or the address is not this machine's."""


class ProgramError(WinesiloError):
    """A program could not be run in a silo."""

    exit_code = EXIT_NOT_RUN


class ProgramNotFound(ProgramError):
    """The program's file does not exist in the silo."""


class DemoError(WinesiloError):
    """``silo demo`` found something that is not as it must be."""


class DownloadError(DemoError):
    """A Windows program could not be fetched, or is not the one expected."""


class PackageError(WinesiloError):
    """A package of services is wrong, or can't be installed."""


class PackageNotFound(PackageError):
    """There is no such package, or the silo does not have it."""


class RpcError(WinesiloError):
    """The RPC transport failed or the server answered with a fault."""


class ServiceError(WinesiloError):
    """The service control manager refused: ``code`` is the Win32 code, ``code_name`` its name."""

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        code: int = 0,
        code_name: str = "",
        **details: Any,
    ) -> None:
        super().__init__(message, hint, code=code, code_name=code_name, **details)
        self.code = code
        self.code_name = code_name


class ServiceNotFound(ServiceError):
    """No service of that name (1060)."""


class ServiceExists(ServiceError):
    """The service name is taken (1073)."""


class ServiceStartFailed(ServiceError):
    """The service stopped again while it started."""


class ServiceDied(ServiceError):
    """The service's process ended without telling the SCM."""


class ServiceTimeout(ServiceError):
    """The service made no progress within its wait hint or the caller's deadline."""


def _tree(root: type[WinesiloError]) -> Iterator[type[WinesiloError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def to_wire(error: WinesiloError) -> dict[str, Any]:
    """The JSON form of an error, as the daemon sends it."""
    return {
        **error.details,
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


def from_wire(data: Mapping[str, Any]) -> WinesiloError:
    """Make the error again that :func:`to_wire` described; unknown types become DaemonError."""
    details = {k: v for k, v in data.items() if k not in ("type", "message", "hint", "exit_code")}
    classes = {cls.__name__: cls for cls in _tree(WinesiloError)}
    cls = classes.get(str(data.get("type")), DaemonError)
    hint = data.get("hint")
    return cls(str(data.get("message", "unknown error")), str(hint) if hint else None, **details)
