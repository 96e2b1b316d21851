r"""Control of a silo's services over MS-SCMR on its ``\pipe\svcctl``."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

from winesilo.errors import ServiceTimeout, UsageError
from winesilo.rpc import codes
from winesilo.rpc.scmr import SERVICE_DRIVER, SERVICE_NO_CHANGE, SERVICE_WIN32, FailureActions
from winesilo.rpc.seam import service_error
from winesilo.services import model, starting, stopping
from winesilo.services.session import Session
from winesilo.services.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from winesilo.host.agent import Agent
    from winesilo.rpc.scmextra import Status
    from winesilo.rpc.scmr import ServiceHandle
    from winesilo.services.model import Service

DEFAULT_START_S: Final = 120.0
DEFAULT_STOP_S: Final = 30.0
#: Beyond the time that the SCM has for stopping the services, for it to end those that did not.
_ENDING_S: Final = 10.0
PAUSE: Final = 2
CONTINUE: Final = 3


class ServiceControl:
    """The services of one silo; a context manager.  Not for several threads at once.

    Args:
        agent: the host's agent.
        silo_id: number of the silo.
        silo_name: name of the silo, for hints in errors.
        connect_timeout_s: how long to wait for the silo's SCM to answer.

    Every method raises, besides what it says:
        RpcError: the SCM does not answer.
        AgentGone: the host's agent ended.
    """

    def __init__(
        self,
        agent: Agent,
        silo_id: int,
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
        for name, _, _ in scm.enumerate(kinds):
            with scm.open(name) as handle:
                services.append(self._session.service(handle))
        return sorted(services, key=lambda service: service.name.lower())

    def show(self, name: str) -> Service:
        """One service, found by its key name; case does not matter.

        Raises:
            ServiceNotFound: no such service.
        """
        return self._session.describe(model.check_name(name))

    def wait(self, name: str, seen: Status | None, timeout_s: float) -> Status:
        """Wait for a new report of a service.

        Args:
            name: key name.
            seen: the last status that the caller knows; None: return what there is now.
            timeout_s: seconds; then the status is returned as it is.

        Raises:
            ServiceNotFound: no such service.
        """
        if seen is None:
            return self._session.extra.status(name)
        return self._session.extra.wait(name, seen.changes, timeout_s)

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
        with self._session.scm.open(
            model.check_name(name)
        ):  # so that one marked for deletion stays meanwhile
            stopped = stopping.stop(
                self._session, name, timeout_s, with_dependents=with_dependents, force=force
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

    def control(self, name: str, code: int) -> Service:
        """Send a control code; returns when the service's handler has.

        Args:
            name: key name.
            code: 128 to 255 are the service's own; the others are Windows' (6 is param-change).

        Raises:
            ServiceNotFound: no such service.
            ServiceError: 1052 it does not take the code, 1053 the handler did not return in time, 1061 not
                now, 1062 it does not run.
        """
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            scm.control(handle, code)
        return self.show(name)

    def pause(self, name: str, *, timeout_s: float = DEFAULT_STOP_S) -> Service:
        """Pause a service and wait until it is; raises what :meth:`control` raises, and ServiceTimeout."""
        return self._control_and_wait(name, PAUSE, model.PAUSE_PENDING, timeout_s)

    def resume(self, name: str, *, timeout_s: float = DEFAULT_STOP_S) -> Service:
        """Have a paused service continue and wait until it runs; raises what :meth:`pause` raises."""
        return self._control_and_wait(name, CONTINUE, model.CONTINUE_PENDING, timeout_s)

    def _control_and_wait(self, name: str, code: int, pending: int, timeout_s: float) -> Service:
        deadline = Deadline(timeout_s)
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            scm.control(handle, code)
        status = self._session.extra.status(name)
        while status.state == pending:
            deadline.observe(status)
            if deadline.hung:
                raise ServiceTimeout(f"service {name!r} is still {model.word_of(pending, model.STATES)}")
            status = self._session.extra.wait(name, status.changes, deadline.patience_s)
        return self.show(name)

    def shut_down(self, timeout_s: float = DEFAULT_STOP_S) -> Sequence[tuple[str, str, float]]:
        """Have the SCM stop all services, dependents first and RpcSs last; none starts afterwards.

        Those that want to know before get the preshutdown control, the others stop or shutdown. What is
        not stopped at the deadline, or refuses, has its process ended.

        Args:
            timeout_s: limit for all of them.

        Returns:
            See :meth:`ScmExtra.shutdown`.
        """
        extra = self._session.extra
        extra.set_deadline(time.monotonic() + timeout_s + _ENDING_S)
        return extra.shutdown(timeout_s)

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
        group: str | None = None,
        dependencies: Sequence[str] = (),
        description: str = "",
        failure_actions: Sequence[str] = (),
        failure_reset_s: int | None = None,
        failure_command: str | None = None,
        failure_on_error: bool | None = None,
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
            group: load order group.
            dependencies: services that must run before it, and groups with a plus sign in front.
            description: a sentence for people.
            failure_actions: see :class:`Service`.
            failure_reset_s: see :class:`Service`.
            failure_command: see :class:`Service`.
            failure_on_error: see :class:`Service`.

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
            dependencies=[needed for needed in dependencies if needed],
            account=account,
            group=group,
        )
        try:
            with self._session.scm.open(name) as handle:
                self._set_levels(handle, description or None, delayed_start or None)
                self._set_failure(
                    handle, failure_actions or None, failure_reset_s, failure_command, failure_on_error
                )
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
        service_type: str | None = None,
        group: str | None = None,
        dependencies: Sequence[str] | None = None,
        description: str | None = None,
        failure_actions: Sequence[str] | None = None,
        failure_reset_s: int | None = None,
        failure_command: str | None = None,
        failure_on_error: bool | None = None,
    ) -> Service:
        """Change the configuration of a service; what is None stays. See :meth:`create`.

        A running service sees the change at its next start, delayed start at the silo's next start.

        Raises:
            ServiceNotFound: no such service.
            ServiceExists: the display name is taken.
            UsageError: an unknown word or an empty command line.
        """
        self._check(start_type or "demand", service_type, binary_path, delayed_start=False)
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            scm.change(
                handle,
                dependencies=None if dependencies is None else [d for d in dependencies if d],
                service_type=_number_or_same(service_type, model.TYPES, "service type"),
                start_type=_number_or_same(start_type, model.START_TYPES, "start type"),
                error_control=_number_or_same(error_control, model.ERROR_CONTROLS, "error control"),
                binary_path=binary_path,
                account=account,
                group=group,
                display_name=display_name,
            )
            self._set_levels(handle, description, delayed_start)
            self._set_failure(handle, failure_actions, failure_reset_s, failure_command, failure_on_error)
        return self.show(name)

    def delete(self, name: str) -> None:
        """Delete a service that does not run.

        Raises:
            ServiceNotFound: no such service.
            ServiceError: 1056 it runs, 1072 it is being deleted.
        """
        scm = self._session.scm
        with scm.open(model.check_name(name)) as handle:
            if self._session.extra.status(name).state != model.STOPPED:
                raise service_error(
                    codes.ERROR_SERVICE_ALREADY_RUNNING, f"cannot delete service {name!r}", "stop it first"
                )
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

    def _set_levels(self, handle: ServiceHandle, description: str | None, delayed_start: bool | None) -> None:
        scm = self._session.scm
        if description is not None:
            scm.set_description(handle, description)
        if delayed_start is not None:
            scm.set_delayed_start(handle, delayed_start)

    def _set_failure(
        self,
        handle: ServiceHandle,
        actions: Sequence[str] | None,
        reset_s: int | None,
        command: str | None,
        on_error: bool | None,
    ) -> None:
        scm = self._session.scm
        if actions is not None or reset_s is not None or command is not None:
            old = scm.failure_actions(handle)
            new = None if actions is None else tuple(model.failure_action(text) for text in actions if text)
            wanted = FailureActions(
                old.reset_period if reset_s is None else reset_s,
                old.command if command is None else command,
                old.actions if new is None else new,
            )
            scm.set_failure_actions(handle, wanted)
        if on_error is not None:
            scm.set_failure_flag(handle, on_error)


def _number_or_same(word: str | None, names: Mapping[int, str], what: str) -> int:
    return SERVICE_NO_CHANGE if word is None else model.number_of(word, names, what)
