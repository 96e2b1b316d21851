"""What starting, stopping and looking at services have in common: the connection and the facts."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from winesilo.errors import AgentError, AgentGone
from winesilo.rpc import codes
from winesilo.rpc.guest import process_wait
from winesilo.rpc.scmr import SERVICE_ALL_ACCESS, SERVICE_SET_STATUS, SERVICE_WIN32, RawStatus, ScmConnection
from winesilo.services import model
from winesilo.services.keys import ServiceKeys
from winesilo.services.model import Service

if TYPE_CHECKING:
    from winesilo.host.agent import Agent
    from winesilo.rpc.scmr import ServiceHandle

#: States in which a service without a process can't be; START_PENDING is left out because the SCM
#: sets it just before it makes the process.
_NEEDS_PROCESS = frozenset(model.STATES) - {model.STOPPED, model.START_PENDING}


class Session:
    r"""One user's access to an SCM; opens a new connection when the last one broke.

    Args:
        agent: the host's agent.
        silo_id: number of the silo; None for the host's own SCM.
        silo_name: for hints in errors.
        connect_timeout_s: how long to wait for ``\pipe\svcctl``.
    """

    def __init__(
        self, agent: Agent, silo_id: int | None, silo_name: str | None, connect_timeout_s: float
    ) -> None:
        self.agent = agent
        self.silo_name = silo_name
        self.keys = ServiceKeys(agent, silo_id)
        self._prefix = "" if silo_id is None else f"winesilo\\{silo_id}\\"
        self._connect_timeout_s = connect_timeout_s
        self._scm: ScmConnection | None = None

    def connect(self) -> ScmConnection:
        """A new connection; the caller closes it."""
        return ScmConnection(self.agent, self._prefix, self._connect_timeout_s)

    @property
    def scm(self) -> ScmConnection:
        """The session's own connection."""
        if self._scm is None or not self._scm.usable:
            self.close()
            self._scm = self.connect()
        self._scm.set_deadline(None)
        return self._scm

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._scm is not None:
            scm, self._scm = self._scm, None
            scm.close()

    # -- facts ----------------------------------------------------------------------------------

    def dead_exit_code(self, status: RawStatus) -> int | None:
        """The exit code of the process of a service which died, -1 if unknown; None if it did not die.

        Wine's SCM keeps the last state of such a service (10.0 notices a death while it was running and
        sets it to stopped with 1067, ERROR_PROCESS_ABORTED).  It keeps a handle too, so the ended
        process can still be asked for its exit code.
        """
        if status.state == model.STOPPED or not status.service_type & SERVICE_WIN32:
            return None
        if not status.pid:
            return -1 if status.state in _NEEDS_PROCESS else None
        return process_wait(self.agent, status.pid, 0)

    def state(self, status: RawStatus) -> str:
        """The state word."""
        if is_aborted(status) or self.dead_exit_code(status) is not None:
            return model.DEAD
        return model.word_of(status.state, model.STATES)

    def describe(self, name: str) -> Service:
        """Everything about one service.

        Raises:
            ServiceNotFound: no such service.
        """
        scm = self.scm
        with scm.open(name) as handle:
            service = self.service(scm, handle, scm.status(handle))
        real = scm.key_name(service.display_name)  # of the case it was created with
        return replace(service, name=real) if real.lower() == name.lower() else service

    def service(self, scm: ScmConnection, handle: ServiceHandle, status: RawStatus) -> Service:
        """Put a status and the configuration of a service together."""
        config = scm.config(handle)
        exit_code = self.dead_exit_code(status)
        dead = exit_code is not None or is_aborted(status)
        dependencies, delayed_start = self.keys.dependencies_and_delay(handle.name)
        kind = config.service_type & ~model.INTERACTIVE
        return Service(
            name=handle.name,
            display_name=config.display_name or handle.name,
            state=model.DEAD if dead else model.word_of(status.state, model.STATES),
            pid=status.pid or None if not dead else None,
            win32_exit_code=status.win32_exit_code,
            win32_exit_name=codes.describe(status.win32_exit_code).name,
            service_exit_code=status.service_exit_code,
            process_exit_code=exit_code if exit_code is not None and exit_code >= 0 else None,
            controls=() if dead else model.words_of(status.controls, model.CONTROLS),
            checkpoint=status.checkpoint,
            wait_hint_ms=status.wait_hint,
            type=model.word_of(kind, model.TYPES),
            interactive=bool(config.service_type & model.INTERACTIVE),
            start_type=model.word_of(config.start_type, model.START_TYPES),
            delayed_start=delayed_start,
            error_control=model.word_of(config.error_control, model.ERROR_CONTROLS),
            binary_path=config.binary_path,
            account=config.account,
            group=config.load_order_group,
            dependencies=dependencies,
            description=scm.description(handle),
        )

    # -- acts -----------------------------------------------------------------------------------

    def settle(self, name: str, service_type: int, win32_exit_code: int) -> None:
        """Make the SCM see a service as stopped whose process does not run."""
        scm = self.scm
        with scm.open(name, SERVICE_ALL_ACCESS | SERVICE_SET_STATUS) as handle:
            scm.set_stopped(handle, service_type, win32_exit_code)

    def pause(self, pid: int, seconds: float) -> None:
        """Wait, but not past the end of the process, which is all that signals anything here."""
        if not pid:
            threading.Event().wait(seconds)
        else:
            process_wait(self.agent, pid, seconds)

    def end_process(self, pid: int, timeout_s: float = 5.0) -> bool:
        """End a process; False if it does not end.

        Raises:
            AgentGone: the agent ended.
        """
        try:
            self.agent.terminate(pid, codes.ERROR_PROCESS_ABORTED)
        except AgentGone:
            raise
        except AgentError:
            pass  # it may have ended by itself just now; the wait tells
        return process_wait(self.agent, pid, timeout_s) is not None

    def sharing(self, pid: int, but: str) -> list[tuple[str, RawStatus]]:
        """The other services in a process."""
        rows = self.scm.enumerate(SERVICE_WIN32)
        return [(n, s) for n, _, s in rows if s.pid == pid and n.lower() != but.lower()]

    def active(self) -> dict[str, RawStatus]:
        """The services with a process, or with the state of one that died."""
        rows = self.scm.enumerate(SERVICE_WIN32)
        return {name: status for name, _, status in rows if status.state != model.STOPPED}


def is_aborted(status: RawStatus) -> bool:
    """Stopped by the SCM because the process had ended without a report."""
    return status.state == model.STOPPED and status.win32_exit_code == codes.ERROR_PROCESS_ABORTED


def outcome(status: RawStatus) -> str:
    """The exit codes of a stopped service in words."""
    code = status.win32_exit_code
    if code == codes.ERROR_SERVICE_SPECIFIC_ERROR:
        return f"service-specific error {codes.format_code(status.service_exit_code)}"
    if code == codes.ERROR_SUCCESS:
        return "without an error code"
    return str(codes.describe(code))
