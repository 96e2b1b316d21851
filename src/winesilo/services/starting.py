"""Starting a service and watching it until it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from winesilo.errors import RpcError, ServiceDied, ServiceError, ServiceStartFailed, ServiceTimeout
from winesilo.rpc import codes
from winesilo.services import model
from winesilo.services.session import Session, is_dead, outcome
from winesilo.services.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from winesilo.rpc.scmextra import Status


def start(session: Session, name: str, arguments: Sequence[str], timeout_s: float) -> None:
    """Have the SCM start the service, after what it needs; returns when it runs.

    Raises:
        ServiceError: and its subclasses; see :meth:`ServiceControl.start`.
    """
    starting = _Starting(session, name, Deadline(timeout_s))
    starting.begin(arguments)
    starting.await_running()


class _Starting:
    """A service between RStartServiceW and running."""

    def __init__(self, session: Session, name: str, deadline: Deadline) -> None:
        self._session, self._name, self._deadline = session, name, deadline

    def begin(self, arguments: Sequence[str]) -> None:
        """The call itself, which waits for the first report, and for those of what the service needs."""
        scm = self._session.scm
        try:
            with scm.open(self._name) as handle:
                scm.set_deadline(self._deadline.at)
                scm.start(handle, arguments)
        except RpcError as error:
            if self._deadline.passed:
                raise self._timeout(self._session.extra.status(self._name)) from error
            raise
        except ServiceError as error:
            raise self._start_error(error) from error

    def await_running(self) -> None:
        """Wait until the service runs (or is paused)."""
        status = self._session.extra.status(self._name)
        while status.state == model.START_PENDING:
            self._deadline.observe(status)
            if self._deadline.hung:
                raise self._timeout(status)
            status = self._session.extra.wait(self._name, status.changes, self._deadline.patience_s)
        if is_dead(status):
            raise self._died(status)
        if status.state == model.STOPPED:
            raise self._stopped_again(status)

    # -- errors ---------------------------------------------------------------------------------

    def _start_error(self, error: ServiceError) -> ServiceError:
        """What RStartServiceW's error means: 1053 stands for three different things."""
        if error.code == codes.ERROR_SERVICE_DEPENDENCY_FAIL:
            return self._dependency_failed(error)
        if error.code != codes.ERROR_SERVICE_REQUEST_TIMEOUT:
            return error
        status = self._session.extra.status(self._name)
        if is_dead(status):
            return self._died(status)
        if status.win32_exit_code != codes.ERROR_SERVICE_REQUEST_TIMEOUT:
            return self._stopped_again(status)
        return ServiceTimeout(
            f"service {self._name!r} did not report to the service control manager in time, which ended it: "
            f"{codes.describe(error.code)}",
            "is it a service program? One that is not needs a wrapper such as NSSM; " + self._where_to_look(),
            **_code(error.code),
        )

    def _dependency_failed(self, error: ServiceError) -> ServiceError:
        scm = self._session.scm
        with scm.open(self._name) as handle:
            needed = scm.config(handle).dependencies
        idle = [n for n in needed if not n.startswith("+") and self._is_idle(n)]
        return ServiceStartFailed(
            f"cannot start service {self._name!r}: it needs {', '.join(map(repr, idle or needed))}: "
            f"{codes.describe(error.code)}",
            f"see: silo service {self._session.silo_name or 'SILO'} show {idle[0] if idle else 'SERVICE'}",
            dependencies=idle,
            **_code(error.code),
        )

    def _is_idle(self, name: str) -> bool:
        try:
            return self._session.extra.status(name).state == model.STOPPED
        except ServiceError:
            return False  # part of Wine, and no service of its own

    def _timeout(self, status: Status) -> ServiceTimeout:
        """The caller's limit is over, or the service makes no progress."""
        state = model.word_of(status.state, model.STATES)
        limit = (
            f"within {self._deadline.timeout_s:g} s"
            if self._deadline.passed
            else f"and made no progress for {self._deadline.waited_s:.0f} s"
        )
        return ServiceTimeout(
            f"service {self._name!r} did not start {limit} (it is {state}, checkpoint {status.checkpoint})",
            self._where_to_look(),
            state=state,
            **_code(codes.ERROR_SERVICE_REQUEST_TIMEOUT),
        )

    def _where_to_look(self) -> str:
        silo, name = self._session.silo_name or "SILO", self._name
        scm = self._session.scm
        with scm.open(name) as handle:
            program = scm.config(handle).binary_path
        return f"look at: silo logs {silo} {name}; or run its program by hand: silo exec {silo} -- {program}"

    def _stopped_again(self, status: Status) -> ServiceStartFailed:
        return ServiceStartFailed(
            f"service {self._name!r} stopped while it started: {outcome(status)}",
            self._where_to_look(),
            service_exit_code=status.service_exit_code,
            **_code(status.win32_exit_code),
        )

    def _died(self, status: Status) -> ServiceDied:
        return ServiceDied(
            f"service {self._name!r} died while it started: its process ended without a report "
            f"({codes.describe_exit(status.process_exit)})",
            self._where_to_look(),
            process_exit_code=status.process_exit,
            **_code(codes.ERROR_PROCESS_ABORTED),
        )


def _code(code: int) -> dict[str, Any]:
    return {"code": code, "code_name": codes.describe(code).name}
