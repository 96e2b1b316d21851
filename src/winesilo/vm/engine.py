"""The silos of a running host: what may be done in which state, and doing it.

States: stopped and failed (on disk only), starting, running, suspended, stopping (an Instance exists).
Requests that change a silo exclude each other; requests for different silos run at the same time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from winesilo.errors import (
    Cancelled,
    HostBusy,
    HostStartFailed,
    InvalidPath,
    ProgramError,
    SiloCorrupt,
    SiloExists,
    SiloNotFound,
    SiloNotRunning,
    SiloRunning,
    SiloSuspended,
    UsageError,
    WinesiloError,
)
from winesilo.host.base import check_base
from winesilo.host.files import os_errors, require_space
from winesilo.host.runtime import HostRuntime
from winesilo.host.watcher import Watcher
from winesilo.host.wine import is_i386
from winesilo.services.control import ServiceControl
from winesilo.vm import copying, events, guestpath, hives, network, views, winver
from winesilo.vm.audit import audit
from winesilo.vm.diff import diff
from winesilo.vm.housekeeping import Housekeeper
from winesilo.vm.instance import Instance
from winesilo.vm.overlay import mounted, overlay_of
from winesilo.vm.processes import pss_bytes
from winesilo.vm.registry import check_hive, read_hive, seal
from winesilo.vm.store import Record, Store, new_record

log = logging.getLogger(__name__)

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
_MIN_FREE: Final = 8 << 20

#: Called often in long operations; raises Cancelled when the client has gone.
Check = Callable[[], None]


class Engine:
    """All silos of one host.

    Args:
        runtime: the host; may still be starting.
        ready: done when the host's Wine is up, or holds its error.
        watcher: for the ends of processes.
    """

    def __init__(self, runtime: HostRuntime, ready: Future[None], watcher: Watcher) -> None:
        self.runtime = runtime
        self.store = Store(runtime.paths)
        self._ready = ready
        self._watcher = watcher
        self.networks = network.Networks(runtime.paths, self.store)
        self._housekeeper = Housekeeper()
        self._instances: dict[str, Instance] = {}
        self._states: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._create_lock = threading.Lock()
        self._closing = False
        self.store.sweep()

    # -- locking and states -------------------------------------------------------------------

    @contextlib.contextmanager
    def _exclusive(self, name: str, check: Check) -> Iterator[None]:
        """Be the only one to change a silo."""
        self.store.silo(name)
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        while not lock.acquire(timeout=0.2):
            check()
        try:
            yield
        finally:
            lock.release()

    def _unless_closing(self, check: Check) -> Check:
        """``check``, which also gives up when the host is being stopped."""

        def either() -> None:
            if self._closing:
                raise Cancelled("the host is being stopped")
            check()

        return either

    def _running(self, name: str) -> Instance:
        instance = self._running_or_suspended(name)
        self._not_suspended(name)
        return instance

    def _running_or_suspended(self, name: str) -> Instance:
        self._exists(name)
        instance = self._instances.get(name)
        if instance is None or self._states.get(name) not in ("running", "suspended"):
            raise SiloNotRunning(f"the silo {name!r} is not running", f"run: silo start {name}", name=name)
        return instance

    def _not_suspended(self, name: str) -> None:
        if self._states.get(name) == "suspended":
            raise SiloSuspended(f"the silo {name!r} is suspended", f"run: silo resume {name}", name=name)

    def _awake(self, name: str) -> Instance:
        """A running silo, resumed if need be; to be called by who may change it."""
        instance = self._running_or_suspended(name)
        if self._states[name] == "suspended":
            instance.resume()
            self._states[name] = "running"
        return instance

    @contextlib.contextmanager
    def changing(self, name: str, check: Check) -> Iterator[Instance]:
        """A running silo, which nobody stops, removes or changes meanwhile.

        Raises:
            SiloNotFound, SiloNotRunning: as it says.
        """
        self._exists(name)
        with self._exclusive(name, check):
            yield self._running(name)

    def _exists(self, name: str) -> None:
        if not self.store.exists(name):
            raise SiloNotFound(f"there is no silo {name!r}", "see: silo ls", name=name)

    def _not_running(self, name: str, what: str) -> None:
        if name in self._instances:
            raise SiloRunning(
                f"the silo {name!r} is running and can't be {what}", f"run: silo stop {name}", name=name
            )

    def _wait_ready(self, check: Check) -> None:
        """Wait for the host's Wine."""
        while True:
            try:
                self._ready.result(0.1)
                return
            except TimeoutError:
                check()

    # -- life ---------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        windows: str | None,
        address: str | None,
        links: Sequence[str] = (),
        publish: Sequence[str] = (),
        drivers: str | None = None,
    ) -> dict[str, Any]:
        """Make a silo.

        Args:
            name: its name.
            windows: version to report, see :mod:`winesilo.vm.winver`; None as the base.
            address: 127.A.B.C, or None for a free one.
            links: silos it may reach.
            publish: its published ports, see :func:`winesilo.vm.network.parse_publish`.
            drivers: the text of a catalogue of drivers and devices of its own.

        Raises:
            InvalidName, InvalidAddress, InvalidPublish, UsageError, AddressInUse, PublishFailed, SiloExists,
            SiloNotFound, DiskFull, BaseDamaged.
        """
        version = winver.check_version(windows) if windows is not None else None
        rules = network.check_rules(publish)
        known = hives.known_drivers(self.runtime.paths, drivers)
        check_base(self.runtime.paths)
        require_space(self.runtime.paths.data, _MIN_FREE, "a silo")
        with self._create_lock:
            if self.store.exists(name):
                raise SiloExists(f"the silo {name!r} exists already", f"see: silo inspect {name}", name=name)
            self.networks.check_machine(rules)
            kept = network.check_links(name, links, self.store)
            with os_errors(f"create silo {name!r}"):
                number = self.store.next_id()
            record = new_record(name, number, self.store.choose_address(address, number), version, [])
            record = dataclasses.replace(record, links=kept, publish=rules)
            own = None if drivers is None else drivers.encode()
            self.store.create(record, hives.first(self.runtime, number, version, known), own)
        self._failures.pop(name, None)
        return self.view(name)

    def _change_version(self, record: Record, windows: str) -> Record:
        """Write another Windows version into the hive of a silo that does not run."""
        version = winver.check_version(windows)
        self._not_running(record.name, "given another Windows version")
        content = hives.with_version(self.runtime, read_hive(self.store.silo(record.name).hive), version)
        require_space(self.runtime.paths.data, _MIN_FREE, "a registry")
        self.store.save_hive(record.name, seal(content))
        return dataclasses.replace(record, windows=version)

    def update(
        self,
        name: str,
        *,
        windows: str | None,
        link: Sequence[str],
        unlink: Sequence[str],
        publish: Sequence[str],
        unpublish: Sequence[str],
        check: Check,
    ) -> dict[str, Any]:
        """Change what a silo may reach and which ports it publishes; a running one follows at its next bind.

        Only a stopped one can get another Windows version.

        Raises:
            SiloNotFound, SiloCorrupt, SiloRunning, InvalidName, InvalidPublish, PublishFailed,
            UsageError, DiskFull.
        """
        with self._exclusive(name, check), self._create_lock:
            record = self.store.load(name)
            links = network.check_links(name, [*record.links, *link], self.store)
            if missing := [other for other in unlink if other not in links]:
                raise UsageError(
                    f"the silo {name!r} is not linked to {missing[0]!r}", f"see: silo inspect {name}"
                )
            rules = network.check_rules([*network.without(record.publish, unpublish), *publish])
            self.networks.check_machine(rule for rule in rules if rule not in record.publish)
            kept = [other for other in links if other not in unlink]
            if windows is not None:
                record = self._change_version(record, windows)
            self.store.save(dataclasses.replace(record, links=kept, publish=rules))
            self.networks.changed()
        return self.view(name)

    def start(self, name: str, timeout_s: float, check: Check) -> dict[str, Any]:
        """Boot a silo; undone if ``check`` raises.

        Raises:
            SiloNotFound, SiloRunning, SiloCorrupt, SiloStartFailed, BaseDamaged, DiskFull.
        """
        check = self._unless_closing(check)
        with self._exclusive(name, check):
            record = self.store.load(name)
            self._not_suspended(name)
            self._not_running(name, "started again")
            check_base(self.runtime.paths)
            require_space(self.runtime.paths.data, _MIN_FREE, f"starting silo {name!r}")
            self._wait_ready(check)
            began = time.monotonic()
            parts = self._housekeeper, self._watcher, self.networks
            instance = Instance(self.runtime, self.store, record, *parts, self._scm_died)
            self._states[name] = "starting"
            self._instances[name] = instance
            try:
                instance.start(timeout_s, check)
            except BaseException as error:
                self._forget(name)
                if isinstance(error, WinesiloError) and not isinstance(error, Cancelled):
                    self._failures[name] = error.message
                raise
            self._states[name] = "running"
            self._failures.pop(name, None)
            log.info("silo %s started in %.3f s", name, time.monotonic() - began)
            if instance.died:
                self._scm_died(instance)
        return self.view(name)

    def _forget(self, name: str) -> None:
        self._instances.pop(name, None)
        self._states.pop(name, None)

    def stop(self, name: str, timeout_s: float, check: Check) -> dict[str, Any]:
        """Stop a silo's services, end the rest, save its registry, unmount.

        Raises:
            SiloNotFound, SiloNotRunning.
            DiskFull, HostError: its registry can't be saved; it runs on.
        """
        with self._exclusive(name, check):
            self._awake(name).save_registry()
            self._stop(name, timeout_s)
        return self.view(name)

    def suspend(self, name: str, check: Check) -> dict[str, Any]:
        """Keep all processes of a silo from running, until it is resumed or stopped.

        Raises:
            SiloNotFound, SiloNotRunning, SiloSuspended.
            SiloError: some of its processes can't be stopped; it runs on.
        """
        with self._exclusive(name, check):
            self._running(name).suspend()
            self._states[name] = "suspended"
        log.info("silo %s suspended", name)
        return self.view(name)

    def resume(self, name: str, check: Check) -> dict[str, Any]:
        """Let a suspended silo go on.

        Raises:
            SiloNotFound, SiloNotRunning.
            SiloRunning: it is not suspended.
        """
        with self._exclusive(name, check):
            self._running_or_suspended(name)
            if self._states[name] == "running":
                raise SiloRunning(f"the silo {name!r} is running, not suspended", name=name)
            self._awake(name)
        log.info("silo %s resumed", name)
        return self.view(name)

    def _stop(self, name: str, timeout_s: float | None) -> None:
        """Stop a silo that runs; without a time for its services they are ended like all else."""
        instance = self._awake(name)
        self._states[name] = "stopping"
        began = time.monotonic()
        try:
            if timeout_s is not None and not instance.died:
                instance.stop_services(timeout_s)
        finally:
            instance.end()
            self._forget(name)
        log.info("silo %s stopped in %.3f s", name, time.monotonic() - began)

    def _scm_died(self, instance: Instance) -> None:
        """services.exe ended by itself: clean up on a thread of its own."""
        threading.Thread(target=self._bury, args=(instance,), name="bury", daemon=True).start()

    def _bury(self, instance: Instance) -> None:
        name = instance.record.name
        with self._exclusive(name, lambda: None):
            if self._instances.get(name) is not instance:
                return
            if self._states.get(name) not in ("running", "suspended"):
                return
            log.error("silo %s: its services.exe has ended", name)
            instance.end()
            self._forget(name)
            self._failures[name] = "its service control manager ended unexpectedly"

    def restart(self, name: str, timeout_s: float, check: Check) -> dict[str, Any]:
        """Stop, if it runs, and start."""
        with self._exclusive(name, check):
            self._exists(name)
            if name in self._instances:
                self._awake(name).save_registry()
                self._stop(name, STOP_TIMEOUT_S)
        return self.start(name, timeout_s, check)

    def remove(self, name: str, force: bool, check: Check) -> None:
        """Remove a silo; one that runs is ended at once, its services are not stopped.

        Raises:
            SiloNotFound; SiloRunning unless ``force``.
        """
        with self._exclusive(name, check):
            self._exists(name)
            if name in self._instances:
                if not force:
                    raise SiloRunning(
                        f"the silo {name!r} is running",
                        f"run: silo stop {name}, or: silo rm -f {name}",
                        name=name,
                    )
                self._stop(name, None)
            with self._create_lock:
                record = self._record_or_none(name)
                self.store.remove(name)
                if record is not None:
                    self.networks.forget(record)
            self._failures.pop(name, None)

    def _record_or_none(self, name: str) -> Record | None:
        with contextlib.suppress(SiloCorrupt):
            return self.store.load(name)
        return None

    def clone(self, source: str, name: str, check: Check) -> dict[str, Any]:
        """Make a silo that starts as a copy of a stopped one; they share its files, read-only.

        It has the same links, but publishes nothing: a port can be published once.

        Raises:
            SiloNotFound, SiloExists, SiloRunning, SiloCorrupt, DiskFull.
        """
        with self._exclusive(source, check), self._create_lock:
            record = self.store.load(source)
            self._not_running(source, "cloned")
            if self.store.exists(name):
                raise SiloExists(f"the silo {name!r} exists already", f"see: silo inspect {name}", name=name)
            hive = self.store.silo(source).hive
            check_hive(hive)
            require_space(self.runtime.paths.data, _MIN_FREE, "a silo")
            record = self.store.freeze(record)
            with os_errors(f"clone silo {source!r}"):
                number = self.store.next_id()
                content = hive.read_bytes()
                own = self.store.silo(source).catalogue
                drivers = own.read_bytes() if own.is_file() else None
            address = self.store.choose_address(None, number)
            made = new_record(name, number, address, record.windows, record.layers)
            self.store.create(dataclasses.replace(made, links=record.links), content, drivers)
        return self.view(name)

    def close(self) -> None:
        """Stop every silo (the daemon ends)."""
        self._closing = True
        for name in list(self._instances):
            with contextlib.suppress(WinesiloError), self._exclusive(name, lambda: None):
                self._stop(name, STOP_TIMEOUT_S)
        self._housekeeper.close()

    def check_idle(self) -> None:
        """Check that no silo runs.

        Raises:
            HostBusy: naming those that do.
        """
        if names := sorted(self._instances):
            raise HostBusy(
                f"silos are running: {', '.join(names)}", "stop them first, or: silo host stop --force"
            )

    # -- look ---------------------------------------------------------------------------------

    def view(self, name: str) -> dict[str, Any]:
        """One silo, as the API shows it.

        Raises:
            SiloNotFound, SiloCorrupt.
        """
        return self._view(self.store.load(name))

    def _view(self, record: Record) -> dict[str, Any]:
        shown = views.stopped(self.store, record, self._failures.get(record.name))
        instance = self._instances.get(record.name)
        if instance is not None:
            shown["state"] = self._states.get(record.name, "starting")
            shown["started"] = views.iso(instance.started)
            shown["scm_pid"] = instance.scm_pid
            pids = instance.unix_pids()
            shown["ports"] = self.networks.ports(record)
            shown["processes"] = len(pids)
            shown["memory_pss_bytes"] = sum(pss_bytes(pid) for pid in pids)
        return shown

    def list_all(self) -> list[dict[str, Any]]:
        """All silos; those whose record can't be read are shown as failed, with the reason."""
        return [
            self._view(entry) if isinstance(entry, Record) else views.corrupt(entry)
            for entry in self.store.load_all()
        ]

    def processes(self, name: str) -> list[dict[str, Any]]:
        """The Windows processes of a running or suspended silo."""
        return self._running_or_suspended(name).processes()

    def audit(self, name: str) -> dict[str, Any]:
        """Every rendezvous of a running silo; see :func:`winesilo.vm.audit.audit`."""
        instance = self._running(name)
        return audit(instance, self.networks, hives.template_of(self.runtime.paths, instance.record.windows))

    def diff(self, name: str, check: Check) -> dict[str, Any]:
        """In what a silo differs from a new one; see :func:`winesilo.vm.diff.diff`."""
        with self._held_root(name, check) as root:
            if (instance := self._instances.get(name)) is not None:
                instance.save_registry()
            return diff(self.runtime, self.store, self.store.load(name), root, check)

    def logs(self, name: str, service: str | None, lines: int) -> list[dict[str, Any]]:
        """See :func:`winesilo.vm.views.logs`."""
        self._exists(name)
        return views.logs(self.store, name, service, lines)

    def events(self, name: str, service: str | None, log: str | None, lines: int) -> list[dict[str, Any]]:
        """See :func:`winesilo.vm.events.events`; the registry, which says where logs are, is saved first."""
        if (instance := self._instances.get(name)) is not None:
            instance.save_registry()
        return events.events(self.store, name, service, log, lines)

    # -- use ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def services(self, name: str) -> Iterator[ServiceControl]:
        """The service control manager of a running silo."""
        instance = self._running(name)
        with ServiceControl(instance.agent, instance.record.id) as control:
            yield control

    def _check_machine(self, path: Path, program: str) -> None:
        if self.runtime.info.wine32 is None and is_i386(path):
            raise ProgramError(
                f"'{program}' is a 32-bit program, and the host's base has no files for those",
                "install Wine's i386 DLLs (Debian: libwine:i386) and make the host anew: silo host init",
                path=program,
            )

    def exec_spec(
        self, name: str, argv: list[str], cwd: str | None, env: dict[str, str]
    ) -> tuple[dict[str, Any], Any]:
        r"""How to run a program in a silo: the client forks, joins our namespaces and execs it.

        Args:
            name: a running silo.
            argv: program and arguments.
            cwd: working directory in the silo; None for ``C:\``.
            env: additional environment variables.

        Returns:
            The specification (argv, env without WINESERVERSOCKET, cwd, program, user_ns) and the socket.

        Raises:
            SiloNotRunning, ProgramNotFound, ProgramError, InvalidPath.
        """
        instance = self._running(name)
        root = instance.root
        if not argv:
            raise ProgramError("no program was given")
        folder = cwd or "C:\\"
        try:
            directory = guestpath.to_unix(root, folder)
            program = guestpath.find_program(root, argv[0], folder)
            self._check_machine(guestpath.to_unix(root, program), argv[0])
        except InvalidPath as error:
            raise ProgramError(error.message, error.hint, path=argv[0]) from error
        if not directory.is_dir():
            raise ProgramError(f"the working directory '{folder}' does not exist in the silo", path=folder)
        command = guestpath.command(program, argv[1:])
        spec = {
            "argv": [str(self.runtime.wine.loader), *command],
            "env": self.runtime.silo_environment(instance.where, env),
            "cwd": str(directory),
            "program": program,
            "user_ns": self.runtime.user_namespace,
        }
        try:
            return spec, self.runtime.connect()
        except HostStartFailed as error:
            raise ProgramError(error.message, error.hint) from error

    def copy(self, source: str, target: str, check: Check) -> int:
        r"""Copy files; exactly one side is ``NAME:C:\path``, the other an absolute Linux path.

        Returns:
            How many files were copied.

        Raises:
            InvalidPath, SiloNotFound, DiskFull, HostError.
        """
        from_silo, to_silo = views.split_copy_path(source), views.split_copy_path(target)
        with os_errors(f"copy {source} to {target}"):
            if to_silo is not None and from_silo is None:
                with self._root(to_silo[0], check) as root:
                    return copying.copy_in(copying.absolute(source), root, to_silo[1], check)
            if from_silo is not None and to_silo is None:
                with self._root(from_silo[0], check) as root:
                    return copying.copy_out(root, from_silo[1], copying.absolute(target), check)
        raise InvalidPath(
            "exactly one side must be in a silo",
            r"silo cp FILE NAME:C:\folder, or: silo cp NAME:C:\file FOLDER",
        )

    @contextlib.contextmanager
    def _root(self, name: str, check: Check) -> Iterator[Path]:
        """The silo's mounted C:, mounted for the time being if it does not run."""
        instance = self._instances.get(name)
        if instance is not None and self._states.get(name) in ("running", "suspended"):
            yield instance.root
            return
        with self._held_root(name, check) as root:
            yield root

    @contextlib.contextmanager
    def _held_root(self, name: str, check: Check) -> Iterator[Path]:
        """The same, and nobody starts, stops or changes the silo meanwhile."""
        self._exists(name)
        with self._exclusive(name, check):
            if name in self._instances:
                yield self._instances[name].root
                return
            with mounted(overlay_of(self.store, self.store.load(name), self.runtime.overlay_method)):
                yield self.store.silo(name).root
