"""Starting a service and watching it until it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from winesilo.errors import ServiceDied, ServiceError, ServiceStartFailed, ServiceTimeout, WinesiloError
from winesilo.rpc import codes
from winesilo.rpc.guest import process_wait
from winesilo.rpc.scmr import SERVICE_ALL_ACCESS, SERVICE_SET_STATUS, SERVICE_WIN32
from winesilo.rpc.seam import service_error
from winesilo.services import model
from winesilo.services.session import Session, outcome
from winesilo.services.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from winesilo.rpc.scmr import RawStatus, ScmConnection, ServiceHandle

#: How closely the process is watched while the SCM waits for its first report.
_WATCH_S: Final = 0.01


def start(session: Session, name: str, arguments: Sequence[str], timeout_s: float) -> None:
    """Start what the service depends on, then the service; returns when it runs.

    Wine's SCM ignores dependencies.  Those that do not exist and those that are drivers are skipped:
    Windows programs name ``Tcpip`` and ``Afd``, which Wine has not, and drivers belong to the host.

    Raises:
        ServiceError: and its subclasses; see :meth:`ServiceControl.start`.
    """
    deadline = Deadline(timeout_s)
    with session.scm.open(name) as handle:
        status = session.scm.status(handle)
        if status.state != model.STOPPED and session.dead_exit_code(status) is None:
            raise service_error(codes.ERROR_SERVICE_ALREADY_RUNNING, f"cannot start service {name!r}")
    existing = {row[0].lower() for row in session.scm.enumerate(SERVICE_WIN32)}
    for needed in _start_order(session, name, existing):
        _start_dependency(session, needed, name, deadline)
    _start_one(session, name, arguments, deadline)


def _start_order(session: Session, name: str, existing: set[str]) -> list[str]:
    """All direct and indirect dependencies, innermost first.

    Raises:
        ServiceError: 1059, they form a circle.
    """
    order: list[str] = []

    def visit(service: str, above: tuple[str, ...]) -> None:
        if service.lower() in above:
            what = f"cannot start service {name!r}: {' needs '.join((*above, service))}"
            raise service_error(codes.ERROR_CIRCULAR_DEPENDENCY, what)
        for needed in session.keys.dependencies(service):
            if needed.lower() in existing:
                visit(needed, (*above, service.lower()))
        if above and service.lower() not in (n.lower() for n in order):
            order.append(service)

    visit(name, ())
    return order


def _start_dependency(session: Session, needed: str, of: str, deadline: Deadline) -> None:
    with session.scm.open(needed) as handle:
        status = session.scm.status(handle)
    try:
        if status.state in (model.STOPPED, model.STOP_PENDING) or session.dead_exit_code(status) is not None:
            _start_one(session, needed, (), deadline)
        elif status.state == model.START_PENDING:
            with session.scm.open(needed) as handle:
                _Starting(session, session.scm, handle, deadline).await_running()
    except ServiceError as error:
        known = codes.describe(codes.ERROR_SERVICE_DEPENDENCY_FAIL)
        raise ServiceStartFailed(
            f"cannot start service {of!r}: it needs {needed!r}: {error.message}",
            error.hint,
            code=known.code,
            code_name=known.name,
            dependency=needed,
        ) from error


def _start_one(session: Session, name: str, arguments: Sequence[str], deadline: Deadline) -> None:
    scm = session.scm
    with scm.open(name, SERVICE_ALL_ACCESS | SERVICE_SET_STATUS) as handle:
        status = scm.status(handle)
        if status.service_type & SERVICE_WIN32:
            # Forget a process that died, and an old exit code: what is found later is this start's.
            scm.set_stopped(handle, status.service_type, codes.ERROR_SERVICE_NEVER_STARTED)
        starting = _Starting(session, scm, handle, deadline)
        call = _StartCall(session, name, arguments, deadline)
        starting.watch(call)
        if call.error is not None:
            raise starting.start_error(call)
        if not call.done.is_set():
            raise starting.timeout()
        starting.await_running()


class _StartCall:
    """RStartServiceW on a connection and a thread of its own: it blocks until the first report."""

    def __init__(self, session: Session, name: str, arguments: Sequence[str], deadline: Deadline) -> None:
        self.done = threading.Event()
        self.error: WinesiloError | None = None
        self.took_s = 0.0
        self._began_s = deadline.elapsed_s
        self._session, self._name, self._deadline = session, name, deadline
        self._arguments = tuple(arguments)
        threading.Thread(target=self._run, name=f"start {name}", daemon=True).start()

    def _run(self) -> None:
        try:
            with self._session.connect() as scm, scm.open(self._name) as handle:
                while self._locked(scm, handle):
                    pass
        except WinesiloError as error:
            self.error = error
        finally:
            self.took_s = self._deadline.elapsed_s - self._began_s
            self.done.set()

    def _locked(self, scm: ScmConnection, handle: ServiceHandle) -> bool:
        """Start it; True if another service was starting for the 3 s that the SCM waits for that."""
        try:
            scm.start(handle, self._arguments)
        except ServiceError as error:
            if error.code == codes.ERROR_SERVICE_DATABASE_LOCKED and not self._deadline.passed:
                return True
            raise
        return False


class _Starting:
    """A service between RStartServiceW and running."""

    def __init__(
        self, session: Session, scm: ScmConnection, handle: ServiceHandle, deadline: Deadline
    ) -> None:
        self._session, self._scm, self._handle, self._deadline = session, scm, handle, deadline
        self._pid = 0
        self._exit_code: int | None = None

    def watch(self, call: _StartCall) -> None:
        """Wait for the start call, and remember the process and how it ended, if it does meanwhile.

        The SCM lets go of the process as soon as the start fails: then it is too late to ask.
        """
        while not call.done.is_set() and not self._deadline.passed:
            if self._pid and self._exit_code is None:
                self._exit_code = process_wait(self._session.agent, self._pid, _WATCH_S)
            else:
                call.done.wait(_WATCH_S)
            if not self._pid:
                self._pid = self._scm.status(self._handle).pid

    def await_running(self) -> None:
        """Wait until the service runs (or is paused) and its process lives."""
        while True:
            status = self._scm.status(self._handle)
            if status.state == model.STOPPED:
                raise self._stopped_again(status)
            exit_code = self._session.dead_exit_code(status)
            if exit_code is not None:
                if self._scm.status(self._handle).state != model.STOPPED:
                    self._pid, self._exit_code = status.pid, exit_code
                    raise self._died()
                continue  # it reported that with its last breath
            if status.state != model.START_PENDING:
                return
            self._deadline.observe(status)
            if self._deadline.hung:
                raise self.timeout()
            self._session.pause(status.pid, self._deadline.next_pause_s())

    # -- errors ---------------------------------------------------------------------------------

    def start_error(self, call: _StartCall) -> WinesiloError:
        """What RStartServiceW's error means: 1053 stands for three different things."""
        error = call.error
        assert error is not None
        if not isinstance(error, ServiceError) or error.code != codes.ERROR_SERVICE_REQUEST_TIMEOUT:
            return error
        status = self._scm.status(self._handle)
        if status.win32_exit_code != codes.ERROR_SERVICE_NEVER_STARTED:
            return self._stopped_again(status)
        died = call.took_s < self._session.keys.pipe_timeout_s() * 0.9
        code = codes.ERROR_PROCESS_ABORTED if died else codes.ERROR_SERVICE_REQUEST_TIMEOUT
        self._scm.set_stopped(self._handle, status.service_type, code)
        return self._died() if died else self._never_reported()

    def timeout(self) -> ServiceTimeout:
        """The caller's limit is over, or the service makes no progress."""
        status = self._scm.status(self._handle)
        state = model.word_of(status.state, model.STATES)
        limit = (
            f"within {self._deadline.timeout_s:g} s"
            if self._deadline.passed
            else f"and made no progress for {self._deadline.waited_s:.0f} s"
        )
        return ServiceTimeout(
            f"service {self._handle.name!r} did not start {limit} "
            f"(it is {state}, checkpoint {status.checkpoint})",
            self._where_to_look(),
            state=state,
            **_code(codes.ERROR_SERVICE_REQUEST_TIMEOUT),
        )

    def _where_to_look(self) -> str:
        silo, name = self._session.silo_name or "SILO", self._handle.name
        program = self._scm.config(self._handle).binary_path
        return f"look at: silo logs {silo} {name}; or run its program by hand: silo exec {silo} -- {program}"

    def _stopped_again(self, status: RawStatus) -> ServiceStartFailed:
        return ServiceStartFailed(
            f"service {self._handle.name!r} stopped while it started: {outcome(status)}",
            self._where_to_look(),
            service_exit_code=status.service_exit_code,
            **_code(status.win32_exit_code),
        )

    def _died(self) -> ServiceDied:
        exit_code = self._exit_code if self._exit_code is not None and self._exit_code >= 0 else None
        how = "unknown exit code" if exit_code is None else codes.describe_exit(exit_code)
        process = f"its process {self._pid}" if self._pid else "its process"
        return ServiceDied(
            f"service {self._handle.name!r} died while it started: {process} ended without a report ({how})",
            self._where_to_look(),
            pid=self._pid,
            process_exit_code=exit_code,
            **_code(codes.ERROR_PROCESS_ABORTED),
        )

    def _never_reported(self) -> ServiceTimeout:
        seconds = self._session.keys.pipe_timeout_s()
        known = codes.describe(codes.ERROR_SERVICE_REQUEST_TIMEOUT)
        return ServiceTimeout(
            f"service {self._handle.name!r} did not report to the service control manager within "
            f"{seconds:g} s, which ended it: {known}",
            "is it a service program? One that is not needs a wrapper such as NSSM; " + self._where_to_look(),
            **_code(codes.ERROR_SERVICE_REQUEST_TIMEOUT),
        )


def _code(code: int) -> dict[str, Any]:
    return {"code": code, "code_name": codes.describe(code).name}
