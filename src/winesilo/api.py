r"""The typed interface to winesilo; everything the command line does.

>>> from winesilo import Host
>>> host = Host()
>>> host.init()
>>> with host.create("db1") as silo:
...     silo.copy_in("mysql", r"C:\mysql")
...     silo.run([r"C:\mysql\mysqld.exe", "--install-manual", "MySQL"])
...     silo.service("MySQL").start()

Objects of this module are names, not connections: making one asks nothing. All errors are
:class:`winesilo.errors.WinesiloError`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from winesilo.daemon.client import Client, start_daemon
from winesilo.errors import (
    HostError,
    HostNotInitialised,
    HostNotRunning,
    ProgramError,
    SiloNotFound,
    SiloNotRunning,
)
from winesilo.host import enter, process
from winesilo.host.base import OnProgress, init_host
from winesilo.host.paths import DEFAULT_HOST, HostPaths
from winesilo.models import Audit, Diff, Event, HostStatus, Printed, Process, ServiceOptions, SiloInfo, model
from winesilo.package_calls import WithPackages
from winesilo.service import Service
from winesilo.services.model import Service as ServiceInfo
from winesilo.vm.views import split_copy_path

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Audit",
    "Completed",
    "Diff",
    "Event",
    "Host",
    "HostStatus",
    "OnProgress",
    "Printed",
    "Process",
    "Program",
    "Service",
    "ServiceInfo",
    "ServiceOptions",
    "Silo",
    "SiloInfo",
]

Completed = process.Completed
Program = process.Process[bytes]
Stream = process.Stream
DEVNULL = process.DEVNULL
PIPE = process.PIPE
STDOUT = process.STDOUT


class Host:
    """A Wine host: one prefix, one wineserver, any number of silos.

    Args:
        name: which one; a machine may have several.

    Raises:
        InvalidName: the name is not allowed.
    """

    def __init__(self, name: str = DEFAULT_HOST) -> None:
        self._paths = HostPaths.of(name)
        self._client = Client(name)
        self.name = name

    def __repr__(self) -> str:
        return f"Host({self.name!r})"

    @property
    def initialised(self) -> bool:
        """Whether its base exists."""
        return self._paths.initialised

    @property
    def running(self) -> bool:
        """Whether its daemon and wineserver run."""
        return self._client.running()

    @property
    def base(self) -> Path:
        """The Wine prefix that all silos share; read-only for them."""
        return self._paths.base

    def init(self, on_progress: OnProgress | None = None, wine32: str | None = None) -> bool:
        """Make the base, unless it exists.

        Args:
            on_progress: called with a text and, where known, the share done (0 to 1).
            wine32: the folder with Wine's ``i386-windows``, for 32-bit programs; None looks for one,
                ``none`` makes a base without.

        Returns:
            Whether it was made now.

        Raises:
            WineNotFound, WineTooOld, DiskFull, NamespaceError, OverlayError: what is missing, with the fix.
            HostBusy: another process does the same.
        """
        return init_host(self.name, on_progress, wine32)

    def status(self) -> HostStatus:
        """What is known about the host; starts nothing.

        Raises:
            BaseDamaged: its record can't be read.
        """
        if self.initialised:
            return model(HostStatus, self._call("host.status"))
        return HostStatus(
            name=self.name,
            running=False,
            initialised=False,
            wine=None,
            base=str(self.base),
            pid=None,
            silos=0,
            silos_running=0,
            uptime_s=0.0,
            memory_pss_bytes=0,
        )

    def start(self, on_progress: OnProgress | None = None) -> None:
        """Start the host's daemon, wineserver and services, if they do not run.

        There is no need to: whatever needs them starts them.

        Raises:
            HostNotInitialised: there is no base yet.
            HostStartFailed, NamespaceError, BaseDamaged: what is wrong, with the fix.
        """
        start_daemon(self.name, on_progress)

    def stop(self, *, force: bool = False) -> None:
        """Stop the host: services, wineserver, daemon. A host that does not run is fine.

        Args:
            force: stop the silos that still run, too.

        Raises:
            HostBusy: silos run, and ``force`` was not given.
        """
        with contextlib.suppress(HostNotRunning, HostNotInitialised):
            self._call("host.stop", {"force": force})

    def create(
        self,
        name: str,
        *,
        windows: str | None = None,
        address: str | None = None,
        links: Sequence[str] = (),
        publish: Sequence[str] = (),
        catalogue: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Silo:
        """Make a silo; it is not started.

        Args:
            name: 1 to 63 letters, digits, ``_``, ``.`` and ``-``.
            windows: the Windows version its programs see, in winecfg's words (``win10``); None: the base's.
            address: of the form 127.A.B.C; None: a free one.
            links: silos that it may reach, at their addresses and by their names.
            publish: ports to bind at an address of the machine in place of the silo's own, each as
                ``[HOSTADDR:]HOSTPORT:PORT[/tcp|/udp]``.
            catalogue: the text of a catalogue of drivers and devices; goes before the host's.
            on_progress: told what goes on.

        Raises:
            InvalidName, InvalidAddress, InvalidPublish, UsageError: an argument is wrong.
            SiloExists, AddressInUse: something is taken.
            SiloNotFound: there is no such silo to link to.
            PublishFailed: a port can't be published.
            HostNotInitialised, BaseDamaged, DiskFull: the host is not as it must be.
        """
        params: dict[str, Any] = {"name": name, "windows": windows, "address": address}
        params |= {} if catalogue is None else {"catalogue": catalogue}
        params |= {key: list(value) for key, value in (("links", links), ("publish", publish)) if value}
        self._call("silo.create", params, on_progress)
        return Silo(self, name, temporary=True)

    def silo(self, name: str) -> Silo:
        """An existing silo; that it exists is checked when it is used."""
        return Silo(self, name)

    def list(self) -> list[SiloInfo]:
        """All silos, sorted by name; starts nothing."""
        if not self.initialised:
            return []
        return [model(SiloInfo, row) for row in self._call("silo.ls")]

    def copy(self, source: str, target: str) -> int:
        r"""Copy a file or a folder into a silo or out of it.

        Args:
            source: ``NAME:C:\path`` or a Unix path.
            target: the other one of the two; where it is a folder, the copy lands in it.

        Returns:
            How many files were copied.

        Raises:
            InvalidPath: a path is wrong, or not exactly one of them is in a silo.
            SiloNotFound, DiskFull, HostError: as it says.
        """
        sides = [side if split_copy_path(side) else str(Path(side).absolute()) for side in (source, target)]
        return int(self._call("silo.cp", {"source": sides[0], "target": sides[1]}))

    def _call(
        self, method: str, params: Mapping[str, Any] | None = None, on_progress: OnProgress | None = None
    ) -> Any:
        """Ask the daemon, which is started where that makes sense."""
        return self._client.call(method, params, on_progress)


class Silo(WithPackages):
    """A silo of a host.

    As a context manager it is started, if it does not run. At the end it is stopped if it was started
    here, and removed if :meth:`Host.create` or :meth:`clone` returned this very object.

    Made by :meth:`Host.create` and :meth:`Host.silo`.
    """

    def __init__(self, host: Host, name: str, *, temporary: bool = False) -> None:
        self.host = host
        self.name = name
        self._temporary = temporary
        self._started = False

    def __repr__(self) -> str:
        return f"Silo({self.name!r}, host={self.host.name!r})"

    def __enter__(self) -> Silo:
        try:
            if self.info().state != "running":
                self.start()
                self._started = True
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(SiloNotFound, SiloNotRunning):
            if self._temporary:
                self.remove(force=True)
            elif self._started:
                self.stop()

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        address = self.info().address
        assert address is not None, "only a silo whose record is corrupt has none, and that raised"
        return address

    def update(
        self,
        *,
        windows: str | None = None,
        link: Sequence[str] = (),
        unlink: Sequence[str] = (),
        publish: Sequence[str] = (),
        unpublish: Sequence[str] = (),
    ) -> SiloInfo:
        """Change its links and published ports, also while it runs; a port moves when it is bound next.

        Args:
            windows: another Windows version, as for :meth:`Host.create`; it must be stopped.
            link: silos that it may reach from now on.
            unlink: silos that it may not reach any more.
            publish: as for :meth:`Host.create`.
            unpublish: rules to end, as they were given or by the silo's port (``80``, ``53/udp``).

        Raises:
            SiloNotFound, SiloCorrupt, InvalidName, InvalidPublish, PublishFailed, UsageError: as it says.
            SiloRunning: its Windows version can't be changed now.
        """
        answer = self._call(
            "silo.update",
            windows=windows,
            link=list(link),
            unlink=list(unlink),
            publish=list(publish),
            unpublish=list(unpublish),
        )
        return model(SiloInfo, answer)

    def info(self) -> SiloInfo:
        """What is known about it; starts nothing.

        Raises:
            SiloNotFound, SiloCorrupt: as it says.
        """
        return model(SiloInfo, self._call("silo.inspect"))

    def start(self, *, timeout: float | None = None, on_progress: OnProgress | None = None) -> SiloInfo:
        """Start it: its files, its registry, its SCM and RpcSs; returns when those run.

        Args:
            timeout: seconds to wait for them; None: a minute.
            on_progress: told what goes on.

        Raises:
            SiloNotFound, SiloRunning, SiloCorrupt: as it says.
            SiloStartFailed: it did not come up; nothing of it is left running.
            HostNotInitialised, BaseDamaged, DiskFull: the host is not as it must be.
        """
        return model(SiloInfo, self._call("silo.start", on_progress, timeout_s=timeout))

    def stop(self, *, timeout: float | None = None, on_progress: OnProgress | None = None) -> SiloInfo:
        """Stop it: its services in dependency order, then what is left; its registry is saved.

        Args:
            timeout: seconds for the services to stop by themselves; None: half a minute.
            on_progress: told what goes on.

        Raises:
            SiloNotFound, SiloNotRunning: as it says.
        """
        return model(SiloInfo, self._call("silo.stop", on_progress, timeout_s=timeout))

    def suspend(self) -> SiloInfo:
        """Keep all its processes from running, until it is resumed or stopped; waits go on and may run out.

        Raises:
            SiloNotFound, SiloNotRunning, SiloSuspended: as it says.
            SiloError: a process can't be stopped; it runs on.
        """
        return model(SiloInfo, self._call("silo.suspend"))

    def resume(self) -> SiloInfo:
        """Let it go on after :meth:`suspend`.

        Raises:
            SiloNotFound, SiloNotRunning: as it says.
            SiloRunning: it is not suspended.
        """
        return model(SiloInfo, self._call("silo.resume"))

    def restart(self, *, timeout: float | None = None, on_progress: OnProgress | None = None) -> SiloInfo:
        """Stop it if it runs, then start it; raises what :meth:`start` raises."""
        return model(SiloInfo, self._call("silo.restart", on_progress, timeout_s=timeout))

    def remove(self, *, force: bool = False) -> None:
        """Remove it with everything in it.

        Args:
            force: end it first if it runs, at once: its services are not stopped.

        Raises:
            SiloNotFound: there is none.
            SiloRunning: it runs, and ``force`` was not given.
        """
        self._call("silo.rm", force=force)

    def clone(self, name: str, on_progress: OnProgress | None = None) -> Silo:
        """Make another silo that starts as a copy of this one, which must be stopped.

        Files that this one has changed become a read-only layer that both share.

        Raises:
            SiloNotFound, SiloExists, SiloRunning, SiloCorrupt, DiskFull: as it says.
        """
        self.host._call("silo.clone", {"source": self.name, "name": name}, on_progress)
        return Silo(self.host, name, temporary=True)

    def exec(
        self, argv: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
    ) -> int:
        r"""Run a program on this process's own terminal, input and output, and wait for it.

        Signals that this process gets meanwhile go to the program. Only for a process without threads,
        from its main thread; :meth:`run` and :meth:`popen` are for all others.

        Args:
            argv: the program, by its Windows path or by a name to be found as Windows does, and arguments.
            cwd: where it starts, as a Windows path; None: ``C:\``.
            env: variables to set for it.

        Returns:
            Its exit code, or 128 and the number of the signal that ended it.

        Raises:
            SiloNotFound, SiloNotRunning, ProgramNotFound, ProgramError: it could not be run.
        """
        spec, connection = self._program(argv, cwd, env)
        return enter.run(spec, connection)

    def popen(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Stream = process.DEVNULL,
        stdout: Stream = process.DEVNULL,
        stderr: Stream = process.DEVNULL,
    ) -> Program:
        """Start a program and return at once.

        Args:
            argv: as for :meth:`exec`.
            cwd: as for :meth:`exec`.
            env: as for :meth:`exec`.
            stdin: a descriptor, a file, :data:`PIPE` or :data:`DEVNULL`.
            stdout: the same.
            stderr: the same, or :data:`STDOUT`.

        Returns:
            A :class:`subprocess.Popen`; signals sent to it reach the program.

        Raises:
            SiloNotFound, SiloNotRunning, ProgramNotFound, ProgramError: it could not be started.
        """
        spec, connection = self._program(argv, cwd, env)
        try:
            return enter.spawn(spec, connection, stdin, stdout, stderr)
        finally:
            os.close(connection)

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        input: bytes = b"",  # noqa: A002 - as subprocess.run has it
        timeout: float | None = None,
    ) -> Completed:
        """Run a program to its end and return its exit code and what it wrote.

        Args:
            argv: as for :meth:`exec`.
            cwd: as for :meth:`exec`.
            env: as for :meth:`exec`.
            input: what it reads.
            timeout: seconds until it is ended; None: no limit.

        Raises:
            SiloNotFound, SiloNotRunning, ProgramNotFound: it could not be run.
            ProgramError: it did not end in time.
        """
        program = self.popen(
            argv, cwd=cwd, env=env, stdin=process.PIPE, stdout=process.PIPE, stderr=process.PIPE
        )
        try:
            return process.finish(program, data=input, timeout_s=timeout)
        except HostError as error:
            raise ProgramError(f"{argv[0]} did not end within {timeout:g} s and was ended") from error

    def _program(
        self, argv: Sequence[str], cwd: str | None, env: Mapping[str, str] | None
    ) -> tuple[enter.ExecSpec, int]:
        """What to run, and a connection to the wineserver for it."""
        params = {"name": self.name, "argv": list(argv), "cwd": cwd, "env": dict(env or {})}
        reply, descriptors = self.host._client.call_with_fds("silo.exec", params)
        (connection,) = descriptors
        return enter.ExecSpec.from_reply(reply), connection

    def ps(self) -> list[Process]:
        """Its processes.

        Raises:
            SiloNotFound, SiloNotRunning: as it says.
        """
        return [model(Process, row) for row in self._call("silo.ps")]

    def audit(self) -> Audit:
        """Every rendezvous of its processes; raises SiloNotFound, SiloNotRunning."""
        return model(Audit, self._call("silo.audit"))

    def diff(self) -> Diff:
        """In what it differs from a new silo: files, registry keys and values, services.

        Raises:
            SiloNotFound, SiloCorrupt, HostError: it can't be compared.
        """
        return model(Diff, self._call("silo.diff"))

    def logs(self, service: str | None = None, *, lines: int = 100) -> list[Printed]:
        """What its services wrote to their standard output and error; of a stopped silo, too.

        Args:
            service: only what processes of this service wrote, and what the SCM says of it.
            lines: how many at most, the last ones.
        """
        return [model(Printed, row) for row in self._call("silo.logs", service=service, lines=lines)]

    def events(self, service: str | None = None, *, log: str | None = None, lines: int = 100) -> list[Event]:
        """The events in its logs, in the order in which they were reported; of a stopped silo, too.

        Args:
            service: only those of one service: what it reported, and what the SCM reported of it.
            log: only those of one log, like ``Application``.
            lines: how many at most, the last ones.
        """
        rows = self._call("silo.events", service=service, log=log, lines=lines)
        return [model(Event, row) for row in rows]

    def copy_in(self, source: str | Path, target: str) -> int:
        r"""Copy a file or a folder into it; see :meth:`Host.copy`.

        Args:
            source: a Unix path.
            target: a Windows path, ``C:\folder``.
        """
        return self.host.copy(str(Path(source).absolute()), f"{self.name}:{target}")

    def copy_out(self, source: str, target: str | Path) -> int:
        r"""Copy a file or a folder out of it; see :meth:`Host.copy`.

        Args:
            source: a Windows path, ``C:\folder``.
            target: a Unix path.
        """
        return self.host.copy(f"{self.name}:{source}", str(Path(target).absolute()))

    def services(self, *, drivers: bool = False) -> list[ServiceInfo]:
        """Its services, sorted by name.

        Args:
            drivers: kernel and file-system drivers too, which belong to the host.
        """
        return [model(ServiceInfo, row) for row in self._call("service.ls", drivers=drivers)]

    def service(self, name: str) -> Service:
        """One of its services, by its key name; that it exists is checked when it is used."""
        return Service(self, name)

    def create_service(self, name: str, binary_path: str, **options: Unpack[ServiceOptions]) -> Service:
        """Create a service.

        Args:
            name: its key name.
            binary_path: its command line; a program path with spaces in quotes.
            **options: see :class:`ServiceOptions`; what is not given has the SCM's default.

        Raises:
            InvalidName, UsageError: an argument is wrong.
            ServiceExists: the name or the display name is taken.
        """
        self._call("service.create", service=name, binary_path=binary_path, **options)
        return Service(self, name)

    def _call(self, method: str, on_progress: OnProgress | None = None, **params: Any) -> Any:
        given = {key: value for key, value in params.items() if value is not None}
        return self.host._call(method, {"name": self.name, **given}, on_progress)
