"""One boot of a silo: from mounting its files to unmounting them."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from winesilo.errors import (
    AgentError,
    HostError,
    RpcError,
    ServiceError,
    SiloStartFailed,
    WinesiloError,
)
from winesilo.host import catalogue
from winesilo.host.agent import Agent
from winesilo.host.files import os_errors
from winesilo.host.namespaces import is_mounted
from winesilo.host.process import Process
from winesilo.host.runtime import HostRuntime, SiloProcess
from winesilo.host.template import volatile_keys
from winesilo.host.watcher import READABLE, Watcher
from winesilo.host.wine import dll_folders
from winesilo.interposer.config import Config, PrivateKey, SharedMemory
from winesilo.interposer.record import Recorded, RecordFile, Rule
from winesilo.services.control import ServiceControl
from winesilo.services.model import RUNNING, STATES, STOPPED
from winesilo.vm import outside, processes
from winesilo.vm.housekeeping import Housekeeper
from winesilo.vm.listings import Listings
from winesilo.vm.network import Networks
from winesilo.vm.overlay import overlay_of
from winesilo.vm.printed import tail
from winesilo.vm.registry import Hive, check_hive
from winesilo.vm.store import Record, Store

log = logging.getLogger(__name__)

SCM_PROGRAM: Final = r"C:\windows\system32\services.exe"
#: Services that must run before a silo counts as started.
ESSENTIAL: Final = ("RpcSs",)
#: Where Linux has its libraries and their data, and Wine its own.
_SYSTEM: Final = Path("/usr")
_WAIT_TIMEOUT: Final = 258  # WAIT_TIMEOUT, the agent's status for WAIT_SCM
_SLICE_S: Final = 0.2
#: The first Wine known to bind a datagram socket to an address of no interface (docs/design/sockets.md).
_SERVER_BINDS: Final = (10, 0)
_KILL_TIMEOUT_S: Final = 10.0
_LOG_LIMIT: Final = 1 << 20
#: Set to have the interposer write every redirected call to the silo's log/trace.log.
TRACE_VARIABLE: Final = "WINESILO_TRACE"


class Instance:
    """A silo that is booted, being booted or being ended.

    Args:
        runtime: the host.
        store: where the silo is on disk.
        record: the silo.
        housekeeper: does its regular jobs.
        watcher: watches its services.exe.
        networks: what its sockets may do.
        on_died: called (from the watcher's thread) when services.exe ends.
    """

    def __init__(
        self,
        runtime: HostRuntime,
        store: Store,
        record: Record,
        housekeeper: Housekeeper,
        watcher: Watcher,
        networks: Networks,
        on_died: Callable[[Instance], None],
    ) -> None:
        self.record = record
        self.started = time.time()
        self.place = store.silo(record.name)
        self._runtime = runtime
        self._store = store
        self._housekeeper = housekeeper
        self._watcher = watcher
        self._networks = networks
        self._on_died = on_died
        self._undo = contextlib.ExitStack()
        self._scm: Process[bytes] | None = None
        self._scm_pidfd = -1
        self._died = threading.Event()
        self._shared: SharedMemory | None = None
        self._record: RecordFile | None = None
        self.catalogue = catalogue.load([self.place.catalogue, runtime.paths.catalogue])
        self._hive: Hive | None = None
        self._directory = runtime.paths.shm / str(record.id)

    @property
    def agent(self) -> Agent:
        """The host's agent."""
        return self._runtime.agent

    @property
    def root(self) -> Path:
        """Where its C: is mounted: the drive itself, in the Wine prefix that its processes see."""
        return self._directory / "dosdevices" / "c:"

    @property
    def config_path(self) -> Path:
        """The interposer's configuration of this boot."""
        return self._directory / "interposer.conf"

    @property
    def where(self) -> SiloProcess:
        """How to run a process in it."""
        return SiloProcess(self._directory, self.config_path, self.root)

    @property
    def scm_pid(self) -> int | None:
        """Unix id (in the host's namespace) of its services.exe."""
        return self._scm.pid if self._scm is not None else None

    @property
    def died(self) -> bool:
        """Whether services.exe has ended."""
        return self._died.is_set()

    # -- start --------------------------------------------------------------------------------

    def start(self, timeout_s: float, check: Callable[[], None]) -> None:
        """Boot: files, registry, SCM, essential services.

        Args:
            timeout_s: seconds until the services must run.
            check: called often; raises Cancelled to give up.

        Raises:
            SiloStartFailed, SiloCorrupt, Cancelled and others; what was done is undone.
        """
        deadline = time.monotonic() + timeout_s
        try:
            with os_errors(f"start silo {self.record.name!r}"):
                self._prepare_files()
                check()
                self._prepare_registry()
            self._start_scm()
            self._wait_scm(deadline, check)
            self._wait_services(deadline, check)
        except BaseException:
            self.end()
            raise

    def _prepare_files(self) -> None:
        check_hive(self.place.hive)
        self._remove_directory()
        self.root.mkdir(mode=0o700, parents=True)
        for port in self._runtime.ports():
            (self.root.parent / port.name).symlink_to(port.readlink())
        self._undo.callback(_quietly, "remove the run-time files", self._remove_directory)
        overlay = overlay_of(self._store, self.record, self._runtime.overlay_method, self.root)
        overlay.execute()
        self._undo.callback(_quietly, "unmount", overlay.unmount)
        listings = Listings(self.root, [overlay.upper, *overlay.lower])
        self._undo.callback(listings.close)
        self._housekeeper.add(self.record.id, listings.refresh)
        self._undo.callback(self._housekeeper.remove, self.record.id)
        stamp = self._runtime.paths.base / ".update-timestamp"
        if stamp.is_file():
            shutil.copyfile(stamp, self._directory / ".update-timestamp")
        self._shared = SharedMemory(self._directory / "shared.mem")
        self._undo.callback(self._shared.close)
        self._record = RecordFile(self._directory / "audit.mem")
        self._undo.callback(self._record.close)
        self._networks.begin(self.record)
        self._undo.callback(self._networks.end, self.record)
        self._config().write(self.config_path)

    def _remove_directory(self) -> None:
        """Remove the run-time files; never what is mounted among them."""
        if is_mounted(self.root):
            raise HostError(f"{self.root} is still mounted", "stop the host: silo host stop")
        shutil.rmtree(self._directory, ignore_errors=True)

    def _config(self) -> Config:
        trace = self.place.log / "trace.log" if os.environ.get(TRACE_VARIABLE) else None
        return Config(
            silo_id=self.record.id,
            address=self.record.address,
            shared=self._directory / "shared.mem",
            network=self._networks.path(self.record),
            record=self._directory / "audit.mem",
            devices=[(entry.kind, pattern) for pattern, entry in self.catalogue.patterns()],
            loaders=self._runtime.wine.executables(),
            folders=[*dll_folders(self._runtime.wine32), *self._runtime.wine.data_folders()],
            links=self._runtime.info.links,
            volatile=volatile_keys(self._runtime.info.links),
            server_binds=self._runtime.wine.version >= _SERVER_BINDS,
            trace=trace,
        )

    def _prepare_registry(self) -> None:
        assert self._shared is not None
        self.agent.silo_open(self.record.id)
        self._undo.callback(_quietly, "close objects", lambda: self.agent.silo_close(self.record.id))
        self._hive = Hive(self.agent, self.record.id, self.place.hive, self._shared)
        self._hive.load()
        self._undo.callback(_quietly, "unload the hive", self._hive.unload)
        self._undo.callback(_quietly, "save the hive", self._hive.save_if_changed)
        self._housekeeper.add(self.record.id, self._hive.save_if_changed)
        self._undo.callback(self._housekeeper.remove, self.record.id)

    def _start_scm(self) -> None:
        path = self.place.services_log
        if path.is_file() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            self._scm = self._runtime.spawn_in_silo(self.where, [SCM_PROGRAM], output)
        self._undo.callback(self._kill_all)
        self._scm_pidfd = os.pidfd_open(self._scm.pid)
        self._watcher.add(self._scm_pidfd, READABLE, self._scm_ended)

    def _scm_ended(self) -> None:
        self._died.set()
        self._on_died(self)

    def _check_alive(self) -> None:
        if self.died:
            code = self._scm.wait() if self._scm is not None else None
            said = self.log_tail(1).strip()
            raise SiloStartFailed(
                f"the services of silo {self.record.name!r} ended while they started (exit code {code})"
                + (f": {said}" if said else ""),
                f"see: silo logs {self.record.name}",
                log=self.log_tail(),
            )

    def _wait_scm(self, deadline: float, check: Callable[[], None]) -> None:
        while True:
            check()
            self._check_alive()
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise self._too_late("its service control manager did not answer")
            try:
                self.agent.wait_scm(self.record.id, max(1, int(min(_SLICE_S, remaining) * 1000)))
                return
            except AgentError as error:
                if error.status != _WAIT_TIMEOUT:
                    raise

    def _wait_services(self, deadline: float, check: Callable[[], None]) -> None:
        """Wait for the essential services to report that they run.

        The SCM has tried those that start by themselves.  One that has failed, as on a very busy
        machine, or that somebody has set to start on demand, is started here, once.
        """
        with ServiceControl(self.agent, self.record.id) as control:
            for name in ESSENTIAL:
                status = control.wait(name, None, 0.0)
                if status.state == STOPPED:
                    with contextlib.suppress(ServiceError):  # its state says so
                        control.start(name, timeout_s=max(deadline - time.monotonic(), 0.0))
                    status = control.wait(name, None, 0.0)
                while status.state != RUNNING:
                    check()
                    self._check_alive()
                    remaining = deadline - time.monotonic()
                    if remaining <= 0:
                        raise self._too_late(f"{name} is {STATES.get(status.state, status.state)}")
                    status = control.wait(name, status, min(_SLICE_S, remaining))

    def _too_late(self, why: str) -> SiloStartFailed:
        return SiloStartFailed(
            f"the silo {self.record.name!r} did not start in time: {why}",
            f"see: silo logs {self.record.name}",
            log=self.log_tail(),
        )

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the services' output."""
        return tail(self.place.services_log, lines)

    # -- stop ---------------------------------------------------------------------------------

    def stop_services(self, timeout_s: float) -> None:
        """Have the SCM stop the services, in dependency order; failures are only logged."""
        try:
            with ServiceControl(self.agent, self.record.id) as control:
                for service, how, took_s in control.shut_down(timeout_s):
                    if how != "stopped":
                        log.warning(
                            "silo %s: service %s: %s in %.1f s", self.record.name, service, how, took_s
                        )
        except (ServiceError, RpcError, AgentError) as error:
            log.warning("silo %s: services were not stopped: %s", self.record.name, error.message)

    def suspend(self) -> None:
        """Stop all its processes where they are.

        Raises:
            SiloError: some can't be stopped; all go on.
        """
        processes.suspend(self.config_path, _KILL_TIMEOUT_S)

    def resume(self) -> None:
        """Let its processes go on."""
        processes.resume(self.config_path)

    def end(self) -> None:
        """End what still runs, save the registry, unmount.  Never raises; safe to repeat."""
        if self._scm_pidfd >= 0:
            self._watcher.remove(self._scm_pidfd)
            os.close(self._scm_pidfd)
            self._scm_pidfd = -1
        self._undo.close()

    def _kill_all(self) -> None:
        left = processes.kill(self.config_path, _KILL_TIMEOUT_S)
        if left:
            log.error("silo %s: processes %s can't be ended", self.record.name, left)
        if self._scm is not None:
            if self._scm.poll() is None:
                self._scm.kill()
            self._scm.wait()

    def spawn(self, argv: list[str], output: IO[Any]) -> Process[bytes]:
        """Start a program in it, without input; see :meth:`HostRuntime.spawn_in_silo`."""
        return self._runtime.spawn_in_silo(self.where, argv, output)

    # -- look ---------------------------------------------------------------------------------

    def processes(self) -> list[dict[str, Any]]:
        """Its processes; see :func:`winesilo.vm.processes.table`."""
        if self._shared is None:
            return []
        return processes.table(self.agent.processes(), self._shared, self.config_path)

    def unix_pids(self) -> list[int]:
        """Unix ids of its processes, from a look at /proc (no Wine involved)."""
        return processes.unix_pids(self.config_path)

    def recorded(self) -> Recorded:
        """The names its processes have asked for since it was started."""
        assert self._record is not None
        return self._record.read(catalogue_rules(self.catalogue))

    def seen_from_outside(self, published: frozenset[tuple[str, int]]) -> outside.Place:
        """What is its own.

        Args:
            published: see :class:`winesilo.vm.outside.Place`.
        """
        wine = self._runtime.wine
        return outside.Place(
            silo_id=self.record.id,
            address=self.record.address,
            root=self.root,
            own=[
                self._directory,
                self._networks.path(self.record),
                self.place.log,
                self._runtime.paths.daemon_log,
            ],
            wine=[*wine.data_folders(), *dll_folders(self._runtime.wine32), wine.loader.parent, _SYSTEM],
            server=self._runtime.server_directory,
            published=published,
        )

    def private_keys(self) -> list[PrivateKey]:
        """The keys that its registry has of its own."""
        assert self._shared is not None
        return self._shared.private_keys()

    def save_registry(self) -> None:
        """Save the hive now if it changed."""
        if self._hive is not None:
            self._hive.save_if_changed()


def catalogue_rules(known: catalogue.Catalogue) -> list[Rule]:
    """The catalogue's patterns as rules, in the order of the configuration's ``device`` lines."""
    return [Rule("catalogue", entry.kind, pattern, entry.reason) for pattern, entry in known.patterns()]


def _quietly(doing: str, action: Callable[[], object]) -> None:
    """Undo one step of a start; the others must be undone even if this one fails."""
    try:
        action()
    except (WinesiloError, OSError) as error:
        log.error("could not %s: %s", doing, error)
