"""Stopping services, with a deadline after which their processes are ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from winesilo.errors import RpcError, ServiceError, ServiceNotFound
from winesilo.rpc import codes
from winesilo.rpc.guest import process_wait
from winesilo.rpc.scmr import SERVICE_CONTROL_STOP
from winesilo.rpc.seam import service_error
from winesilo.services import model
from winesilo.services.model import Stopped
from winesilo.services.ordering import dependents, stop_levels
from winesilo.services.session import Session, is_aborted
from winesilo.services.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from winesilo.rpc.scmr import RawStatus

#: Answers to the stop control that mean "it can't be asked now" rather than "it was asked".
_REFUSALS: Final = frozenset({codes.ERROR_INVALID_SERVICE_CONTROL, codes.ERROR_SERVICE_CANNOT_ACCEPT_CTRL})


def stop(
    session: Session, name: str, timeout_s: float, *, with_dependents: bool, force: bool
) -> list[Stopped]:
    """Stop a service, and first those that depend on it if the caller wants that.

    Raises:
        ServiceError: and its subclasses; see :meth:`ServiceControl.stop`.
    """
    with session.scm.open(name) as handle:
        status = session.scm.status(handle)
    if status.state == model.STOPPED and not is_aborted(status):
        raise service_error(codes.ERROR_SERVICE_NOT_ACTIVE, f"cannot stop service {name!r}")
    needing = _running_dependents(session, name)
    if needing and not with_dependents:
        raise service_error(
            codes.ERROR_DEPENDENT_SERVICES_RUNNING,
            f"cannot stop service {name!r}, needed by {', '.join(map(repr, needing))}",
            "stop those first",
        )
    deadline = Deadline(timeout_s)
    needs = {n: session.keys.dependencies(n) for n in (*needing, name)}
    order = [n for level in stop_levels(needs) for n in level]
    return [_stop_one(session, n, deadline, force=force) for n in order]


def _running_dependents(session: Session, name: str) -> list[str]:
    alive = [n for n, status in session.active().items() if session.dead_exit_code(status) is None]
    return dependents(name, {n: session.keys.dependencies(n) for n in alive})


def stop_all(
    session: Session, timeout_s: float, on_stopped: Callable[[Stopped], None] | None
) -> list[Stopped]:
    """Stop every active service, dependents first; see :meth:`ServiceControl.stop_all`."""
    deadline = Deadline(timeout_s)
    results: list[Stopped] = []
    for level in stop_levels({n: session.keys.dependencies(n) for n in session.active()}):
        for name in level:  # ask all of them, then wait: they stop side by side
            _ask(session, name, deadline)
        for name in level:
            try:
                result = _stop_one(session, name, deadline, force=True)
            except ServiceNotFound:
                continue  # it went with a process that was ended: the SCM makes such for drivers
            except ServiceError as error:
                result = Stopped(name, "failed", deadline.elapsed_s, error.message)
            results.append(result)
            if on_stopped is not None:
                on_stopped(result)
    return results


def _status(session: Session, name: str) -> RawStatus:
    with session.scm.open(name) as handle:
        return session.scm.status(handle)


def _ask(session: Session, name: str, deadline: Deadline) -> ServiceError | None:
    """Send the stop control if the service runs; returns the SCM's refusal, if that is what it was.

    Anything else that goes wrong (the handler hangs, the process died) shows in the state afterwards.
    """
    scm = session.scm
    try:
        with scm.open(name) as handle:
            status = scm.status(handle)
            if status.state in (model.STOPPED, model.STOP_PENDING):
                return None
            if session.dead_exit_code(status) is None:
                scm.set_deadline(deadline.at)
                scm.control(handle, SERVICE_CONTROL_STOP)
    except ServiceError as error:
        return error if error.code in _REFUSALS else None
    except RpcError:
        return None
    return None


def _stop_one(session: Session, name: str, deadline: Deadline, *, force: bool) -> Stopped:
    began = time.monotonic()

    def done(how: str, note: str | None = None) -> Stopped:
        return Stopped(name, how, round(time.monotonic() - began, 3), note)

    status = _status(session, name)
    if is_aborted(status) or session.dead_exit_code(status) is not None:
        return done("dead", _bury(session, name, status))
    refusal = _ask(session, name, deadline)
    last = _await_stopped(session, name, deadline, status if refusal is None else None)
    if last is None:
        return done("stopped", _await_exit(session, name, status.pid, deadline))
    if session.dead_exit_code(last) is not None:
        return done("dead", _bury(session, name, last))
    if refusal is not None and not force:
        raise _refused(session, name, refusal)
    return done("ended", _end(session, name, last, deadline, refusal))


def _await_stopped(
    session: Session, name: str, deadline: Deadline, began: RawStatus | None
) -> RawStatus | None:
    """Wait for STOPPED; returns the last status if it died, or does not stop in time.

    ``began`` is None when the service refused, and there is nothing to wait for.
    """
    progress = Deadline(deadline.left_s)
    while True:
        scm = session.scm
        with scm.open(name) as handle:
            status = scm.status(handle)
            while True:
                if status.state == model.STOPPED:
                    return None
                progress.observe(status)
                if began is None or progress.hung or session.dead_exit_code(status) is not None:
                    return status
                session.pause(status.pid, progress.next_pause_s())
                status = scm.status(handle)


def _await_exit(session: Session, name: str, pid: int, deadline: Deadline) -> str | None:
    """The process may clean up after it has reported; give it the rest of the time, then end it."""
    if not pid or session.sharing(pid, name):
        return None
    if process_wait(session.agent, pid, max(deadline.left_s, 0.1)) is not None:
        return None
    session.end_process(pid)
    return f"its process {pid} still ran after it had stopped, and was ended"


def _bury(session: Session, name: str, status: RawStatus) -> str:
    exit_code = session.dead_exit_code(status)
    session.settle(name, status.service_type, codes.ERROR_SUCCESS)
    if exit_code is None or exit_code < 0:
        return "its process had ended before, without a report"
    return f"its process had ended before, without a report ({codes.describe_exit(exit_code)})"


def _end(
    session: Session, name: str, status: RawStatus, deadline: Deadline, refusal: ServiceError | None
) -> str:
    """End the process of a service and make the SCM see it, and those that share it, as stopped."""
    others = session.sharing(status.pid, name) if status.pid else []
    if status.pid and not session.end_process(status.pid):
        raise service_error(
            codes.ERROR_SERVICE_REQUEST_TIMEOUT,
            f"service {name!r} did not stop, and its process {status.pid} could not be ended",
        )
    for other, other_status in [(name, status), *others]:
        session.settle(other, other_status.service_type, codes.ERROR_SERVICE_REQUEST_TIMEOUT)
    why = "refused to stop" if refusal is not None else f"did not stop within {deadline.elapsed_s:.1f} s"
    shared = f", and with it {', '.join(repr(n) for n, _ in others)}" if others else ""
    return f"it {why}; its process {status.pid} was ended{shared}"


def _refused(session: Session, name: str, refusal: ServiceError) -> ServiceError:
    with session.scm.open(name) as handle:
        state = model.word_of(session.scm.status(handle).state, model.STATES)
    return service_error(
        refusal.code,
        f"service {name!r} refuses to stop (it is {state})",
        f"to end its process: silo service {session.silo_name or 'SILO'} stop --force {name}",
    )
