"""Stopping services, with a deadline after which their processes are ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from winesilo.errors import RpcError, ServiceError
from winesilo.rpc import codes
from winesilo.rpc.guest import process_wait
from winesilo.rpc.scmr import SERVICE_ACTIVE, SERVICE_CONTROL_STOP
from winesilo.rpc.seam import service_error
from winesilo.services import model
from winesilo.services.model import Stopped
from winesilo.services.session import Session, is_dead
from winesilo.services.waiting import Deadline

if TYPE_CHECKING:
    from winesilo.rpc.scmextra import Status

#: Answers to the stop control that mean "it can't be asked now" rather than "it was asked".
_REFUSALS: Final = frozenset({codes.ERROR_INVALID_SERVICE_CONTROL, codes.ERROR_SERVICE_CANNOT_ACCEPT_CTRL})


def stop(
    session: Session, name: str, timeout_s: float, *, with_dependents: bool, force: bool
) -> list[Stopped]:
    """Stop a service, and first those that depend on it if the caller wants that.

    Raises:
        ServiceError: and its subclasses; see :meth:`ServiceControl.stop`.
    """
    scm = session.scm
    with scm.open(name) as handle:
        if session.extra.status(name).state == model.STOPPED:
            raise service_error(codes.ERROR_SERVICE_NOT_ACTIVE, f"cannot stop service {name!r}")
        needing = scm.dependents(handle, SERVICE_ACTIVE)
    if needing and not with_dependents:
        raise service_error(
            codes.ERROR_DEPENDENT_SERVICES_RUNNING,
            f"cannot stop service {name!r}, needed by {', '.join(map(repr, needing))}",
            "stop those first",
        )
    deadline = Deadline(timeout_s)
    return [_stop_one(session, service, deadline, force=force) for service in (*needing, name)]


def _ask(session: Session, name: str, deadline: Deadline) -> ServiceError | None:
    """Send the stop control; returns the SCM's refusal, if that is what it was.

    Anything else that goes wrong (the handler hangs, the process died) shows in the state afterwards.
    """
    scm = session.scm
    try:
        with scm.open(name) as handle:
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

    status = session.extra.status(name)
    pending = status.state in (model.STOPPED, model.STOP_PENDING)
    refusal = None if pending else _ask(session, name, deadline)
    last = _await_stopped(session, name, deadline, wait=refusal is None)
    if is_dead(last):
        return done("dead", f"its process ended without a report ({codes.describe_exit(last.process_exit)})")
    if last.state == model.STOPPED:
        return done("stopped", _await_exit(session, name, status.pid, deadline))
    if refusal is not None and not force:
        raise _refused(session, name, refusal)
    return done("ended", _end(session, name, last, deadline, refusal))


def _await_stopped(session: Session, name: str, deadline: Deadline, *, wait: bool) -> Status:
    """Wait for STOPPED; returns the last status, whatever it is, when there is nothing to wait for."""
    progress = Deadline(deadline.left_s)
    status = session.extra.status(name)
    while wait and status.state != model.STOPPED:
        progress.observe(status)
        if progress.hung:
            break
        status = session.extra.wait(name, status.changes, progress.patience_s)
    return status


def _await_exit(session: Session, name: str, pid: int, deadline: Deadline) -> str | None:
    """The process may clean up after it has reported; give it the rest of the time, then end it."""
    if not pid or session.sharing(pid, name):
        return None
    if process_wait(session.agent, pid, max(deadline.left_s, 0.1)) is not None:
        return None
    session.end_process(pid)
    return f"its process {pid} still ran after it had stopped, and was ended"


def _end(
    session: Session, name: str, status: Status, deadline: Deadline, refusal: ServiceError | None
) -> str:
    """End the process of a service; the SCM sees it, and those that share it, as dead."""
    others = [other for other in session.extra.terminate(name) if other.lower() != name.lower()]
    if status.pid and process_wait(session.agent, status.pid, 5.0) is None:
        raise service_error(
            codes.ERROR_SERVICE_REQUEST_TIMEOUT,
            f"service {name!r} did not stop, and its process {status.pid} could not be ended",
        )
    why = "refused to stop" if refusal is not None else f"did not stop within {deadline.elapsed_s:.1f} s"
    shared = f", and with it {', '.join(map(repr, others))}" if others else ""
    return f"it {why}; its process {status.pid} was ended{shared}"


def _refused(session: Session, name: str, refusal: ServiceError) -> ServiceError:
    state = model.word_of(session.extra.status(name).state, model.STATES)
    return service_error(
        refusal.code,
        f"service {name!r} refuses to stop (it is {state})",
        f"to end its process: silo service {session.silo_name or 'SILO'} stop --force {name}",
    )
