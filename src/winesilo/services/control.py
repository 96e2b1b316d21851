r"""Control of a silo's services over MS-SCMR on its ``\pipe\svcctl``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from winesilo.errors import ServiceError, UsageError
from winesilo.rpc import codes
from winesilo.rpc.scmr import SERVICE_DRIVER, SERVICE_NO_CHANGE, SERVICE_WIN32
from winesilo.rpc.seam import service_error
from winesilo.services import model, starting, stopping
from winesilo.services.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from winesilo.host.agent import Agent
    from winesilo.rpc.scmr import ScmConnection, ServiceHandle
    from winesilo.services.model import Service, Stopped

DEFAULT_START_S: Final = 120.0
DEFAULT_STOP_S: Final = 30.0


class ServiceControl:
    """The services of one silo; a context manager.  Not for several threads at once.

    Args:
        agent: the host's agent.
        silo_id: number of the silo; None for the host's own service control manager.
        silo_name: name of the silo, for hints in errors.
        connect_timeout_s: how long to wait for the silo's SCM to answer.

    Every method raises, besides what it says:
        RpcError: the SCM does not answer.
        AgentGone: the host's agent ended.
    """

    def __init__(
        self,
        agent: Agent,
        silo_id: int | None,
        *,
        silo_name: str | None = None,
        connect_timeout_s: float = 5.0,
    ) -> None:
        self._session = Session(agent, silo_id, silo_name, connect_timeout_s)

    def __enter__(self) -> ServiceControl:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the object can still be used and opens another one then."""
        self._session.close()

    # -- looking --------------------------------------------------------------------------------

    def list(self, *, drivers: bool = False) -> Sequence[Service]:
        """All services, sorted by name.

        Args:
            drivers: include kernel and file-system drivers, which belong to the host.
        """
        kinds = SERVICE_WIN32 | (SERVICE_DRIVER if drivers else 0)
        scm = self._session.scm
        services = []
        for name, _, status in scm.enumerate(kinds):
            with scm.open(name) as handle:
                services.append(self._session.service(scm, handle, status))
        return sorted(services, key=lambda service: service.name.lower())

    def show(self, name: str) -> Service:
        """One service, found by its key name; case does not matter.

        Raises:
            ServiceNotFound: no such service.
        """
        return self._session.describe(model.check_name(name))

    def state(self, name: str) -> str:
        """The state word of one service; cheaper than :meth:`show`.

        Raises:
            ServiceNotFound: no such service.
        """
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            return self._session.state(scm.status(handle))

    def dead(self) -> Sequence[str]:
        """The services whose processes ended without telling the SCM."""
        active = self._session.active().items()
        return [name for name, status in active if self._session.dead_exit_code(status) is not None]

    def settle_dead(self) -> Sequence[str]:
        """Make the SCM see dead services as stopped with 1067, as Windows does by itself.

        Returns:
            Their names.
        """
        found = []
        for name, status in self._session.active().items():
            if self._session.dead_exit_code(status) is not None:
                self._session.settle(name, status.service_type, codes.ERROR_PROCESS_ABORTED)
                found.append(name)
        return found

    # -- starting and stopping ------------------------------------------------------------------

    def start(
        self, name: str, arguments: Sequence[str] = (), *, timeout_s: float = DEFAULT_START_S
    ) -> Service:
        """Start a service, after the services it depends on, and wait until it runs.

        Args:
            name: key name.
            arguments: passed to the service's main function after its name.
            timeout_s: limit for all of it; the service's own wait hints count within it.

        Raises:
            ServiceNotFound: no such service.
            ServiceStartFailed: it stopped again, or something it depends on does not start.
            ServiceDied: its process ended without a report.
            ServiceTimeout: it did not report, or made no progress for longer than it said.
            ServiceError: the SCM refuses, for example 1056 (it runs) or 1058 (it is disabled).
        """
        starting.start(self._session, model.check_name(name), arguments, timeout_s)
        return self.show(name)

    def stop(
        self,
        name: str,
        *,
        timeout_s: float = DEFAULT_STOP_S,
        with_dependents: bool = False,
        force: bool = False,
    ) -> Service:
        """Stop a service and wait until it has stopped and its process has ended.

        A service that does not stop in time has its process ended; the result's ``note`` says so.

        Args:
            name: key name.
            timeout_s: limit for all of it; the service's own wait hints count within it.
            with_dependents: stop running services that depend on it first.
            force: end the process also when the service refuses to stop.

        Raises:
            ServiceNotFound: no such service.
            ServiceError: 1062 it does not run, 1051 running services depend on it, 1052 or 1061 it
                refuses, 1053 its process can't be ended.
        """
        stopped = stopping.stop(
            self._session, model.check_name(name), timeout_s, with_dependents=with_dependents, force=force
        )
        notes = [s.note if s.name == name else f"{s.name}: {s.note}" for s in stopped if s.note]
        return dataclasses.replace(self.show(name), note="; ".join(n for n in notes if n) or None)

    def restart(
        self,
        name: str,
        arguments: Sequence[str] = (),
        *,
        stop_timeout_s: float = DEFAULT_STOP_S,
        start_timeout_s: float = DEFAULT_START_S,
        force: bool = False,
    ) -> Service:
        """Stop the service if it is active, then start it; raises what those two raise."""
        note = None
        if self.show(name).state not in (model.DEAD, model.STATES[model.STOPPED]):
            note = self.stop(name, timeout_s=stop_timeout_s, force=force).note
        return dataclasses.replace(self.start(name, arguments, timeout_s=start_timeout_s), note=note)

    def stop_all(
        self,
        timeout_s: float = DEFAULT_STOP_S,
        on_stopped: Callable[[Stopped], None] | None = None,
    ) -> Sequence[Stopped]:
        """Stop all services, dependents first and RpcSs last, each level side by side.

        Services that are not stopped at the deadline, or refuse, have their processes ended.

        Args:
            timeout_s: limit for all of them.
            on_stopped: called for each service.

        Returns:
            What became of each service that was active.
        """
        return stopping.stop_all(self._session, timeout_s, on_stopped)

    # -- configuration --------------------------------------------------------------------------

    def create(
        self,
        name: str,
        binary_path: str,
        *,
        display_name: str | None = None,
        start_type: str = "demand",
        delayed_start: bool = False,
        service_type: str = "own-process",
        error_control: str = "normal",
        account: str | None = None,
        dependencies: Sequence[str] = (),
        description: str = "",
    ) -> Service:
        """Create a service.

        Args:
            name: key name.
            binary_path: command line; quote a program path that has spaces.
            display_name: name for people; the key name if None.
            start_type: ``auto``, ``demand`` or ``disabled``.
            delayed_start: start it two minutes after the other ``auto`` services.
            service_type: ``own-process`` or ``share-process``.
            error_control: ``ignore``, ``normal``, ``severe`` or ``critical``.
            account: user name; None is LocalSystem.
            dependencies: services that must run before it.
            description: a sentence for people.

        Raises:
            InvalidName: the SCM can't have a service of that name.
            UsageError: an unknown word, an empty command line, or a driver.
            ServiceExists: the name or the display name is taken.
        """
        self._check(start_type, service_type, binary_path, delayed_start=delayed_start)
        self._session.scm.create(
            model.check_name(name),
            display_name=display_name or name,
            service_type=model.number_of(service_type, model.TYPES, "service type"),
            start_type=model.number_of(start_type, model.START_TYPES, "start type"),
            error_control=model.number_of(error_control, model.ERROR_CONTROLS, "error control"),
            binary_path=binary_path,
            dependencies=dependencies,
            account=account,
        )
        try:
            scm = self._session.scm
            with scm.open(name) as handle:
                if description:
                    scm.set_description(handle, description)
                if delayed_start:
                    self._set_delayed_start(scm, handle, dependencies, delayed=True)
        except BaseException:
            self.delete(name)
            raise
        return self.show(name)

    def config(
        self,
        name: str,
        *,
        binary_path: str | None = None,
        display_name: str | None = None,
        start_type: str | None = None,
        delayed_start: bool | None = None,
        error_control: str | None = None,
        account: str | None = None,
        dependencies: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Service:
        """Change the configuration of a service; what is None stays. See :meth:`create`.

        A running service sees the change at its next start, delayed start at the silo's next start.

        Raises:
            ServiceNotFound: no such service.
            ServiceExists: the display name is taken.
            UsageError: an unknown word or an empty command line.
        """
        self._check(start_type or "demand", None, binary_path, delayed_start=False)
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            needed = self._session.keys.dependencies(name) if dependencies is None else dependencies
            scm.change(
                handle,
                dependencies=needed,
                start_type=_number_or_same(start_type, model.START_TYPES, "start type"),
                error_control=_number_or_same(error_control, model.ERROR_CONTROLS, "error control"),
                binary_path=binary_path,
                account=account,
                display_name=display_name,
            )
            if description is not None:
                scm.set_description(handle, description)
            if delayed_start is not None:
                self._set_delayed_start(scm, handle, needed, delayed=delayed_start)
        return self.show(name)

    def delete(self, name: str) -> None:
        """Delete a service that does not run.

        Raises:
            ServiceNotFound: no such service.
            ServiceError: 1056 it runs, 1072 it is being deleted.
        """
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            status = scm.status(handle)
            if status.state != model.STOPPED:
                if self._session.dead_exit_code(status) is None:
                    raise service_error(
                        codes.ERROR_SERVICE_ALREADY_RUNNING,
                        f"cannot delete service {name!r}",
                        "stop it first",
                    )
                self._session.settle(name, status.service_type, codes.ERROR_PROCESS_ABORTED)
            scm.delete(handle)

    @staticmethod
    def _check(
        start_type: str, service_type: str | None, binary_path: str | None, delayed_start: bool
    ) -> None:
        if binary_path is not None and not binary_path.strip():
            raise UsageError("a service needs a command line")
        if service_type in (model.TYPES[model.KERNEL_DRIVER], model.TYPES[model.FILE_SYSTEM_DRIVER]):
            raise UsageError("a silo has no drivers of its own", "drivers belong to the host")
        if start_type in ("boot", "system"):
            raise UsageError(f"start type {start_type!r} is for drivers", "use auto, demand or disabled")
        if delayed_start and start_type != "auto":
            raise UsageError("only a service of start type auto can start delayed")

    def _set_delayed_start(
        self, scm: ScmConnection, handle: ServiceHandle, dependencies: Sequence[str], *, delayed: bool
    ) -> None:
        """Set it through the SCM, or where that can't (Wine 8.0), in the registry as the SCM reads it.

        The change before it made the key private to the silo; the one after it makes the silo's
        registry count as changed, so that it is saved.
        """
        if scm.set_delayed_start(handle, delayed):
            return
        scm.change(handle, dependencies=dependencies)
        if not self._session.keys.set_delayed_start(handle.name, delayed):
            raise ServiceError(
                f"cannot set the delayed start of service {handle.name!r}: its key is gone",
                code=codes.ERROR_SERVICE_MARKED_FOR_DELETE,
                code_name=codes.describe(codes.ERROR_SERVICE_MARKED_FOR_DELETE).name,
            )
        scm.change(handle, dependencies=dependencies)


def _number_or_same(word: str | None, names: Mapping[int, str], what: str) -> int:
    return SERVICE_NO_CHANGE if word is None else model.number_of(word, names, what)
