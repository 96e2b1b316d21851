"""What starting, stopping and looking at services have in common: the connections and the facts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from winesilo.errors import AgentError, AgentGone
from winesilo.rpc import codes
from winesilo.rpc.guest import process_wait
from winesilo.rpc.scmextra import ScmExtra, Status
from winesilo.rpc.scmr import SERVICE_WIN32, ScmConnection
from winesilo.services import model
from winesilo.services.model import Service

if TYPE_CHECKING:
    from winesilo.host.agent import Agent
    from winesilo.rpc.scmr import ServiceHandle


class Session:
    r"""One user's access to a silo's SCM; opens a new connection when the last one broke.

    Args:
        agent: the host's agent.
        silo_id: number of the silo.
        silo_name: for hints in errors.
        connect_timeout_s: how long to wait for ``\pipe\svcctl``.
    """

    def __init__(self, agent: Agent, silo_id: int, silo_name: str | None, connect_timeout_s: float) -> None:
        self.agent = agent
        self.silo_name = silo_name
        self._prefix = f"winesilo\\{silo_id}\\"
        self._connect_timeout_s = connect_timeout_s
        self._scm: ScmConnection | None = None
        self._extra: ScmExtra | None = None

    @property
    def scm(self) -> ScmConnection:
        """The connection that speaks MS-SCMR."""
        if self._scm is None or not self._scm.usable:
            if self._scm is not None:
                self._scm.close()
            self._scm = ScmConnection(self.agent, self._prefix, self._connect_timeout_s)
        self._scm.set_deadline(None)
        return self._scm

    @property
    def extra(self) -> ScmExtra:
        """The connection for what MS-SCMR has not got."""
        if self._extra is None or not self._extra.usable:
            if self._extra is not None:
                self._extra.close()
            self._extra = ScmExtra(self.agent, self._prefix, self._connect_timeout_s)
        self._extra.set_deadline(None)
        return self._extra

    def close(self) -> None:
        """Close what is open."""
        if self._scm is not None:
            scm, self._scm = self._scm, None
            scm.close()
        if self._extra is not None:
            extra, self._extra = self._extra, None
            extra.close()

    # -- facts ----------------------------------------------------------------------------------

    def describe(self, name: str) -> Service:
        """Everything about one service.

        Raises:
            ServiceNotFound: no such service.
        """
        scm = self.scm
        with scm.open(name) as handle:
            service = self.service(handle)
        real = scm.key_name(service.display_name)  # of the case it was created with
        return replace(service, name=real) if real.lower() == name.lower() else service

    def service(self, handle: ServiceHandle) -> Service:
        """Put the status and the configuration of a service together."""
        config = self.scm.config(handle)
        status = self.extra.status(handle.name)
        failure = self.scm.failure_actions(handle)
        dead = is_dead(status)
        kind = config.service_type & ~model.INTERACTIVE
        return Service(
            name=handle.name,
            display_name=config.display_name or handle.name,
            state=state_of(status),
            pid=status.pid or None,
            win32_exit_code=status.win32_exit_code,
            win32_exit_name=codes.describe(status.win32_exit_code).name,
            service_exit_code=status.service_exit_code,
            process_exit_code=status.process_exit if dead else None,
            controls=model.words_of(status.controls, model.CONTROLS),
            checkpoint=status.checkpoint,
            wait_hint_ms=status.wait_hint,
            type=model.word_of(kind, model.TYPES),
            interactive=bool(config.service_type & model.INTERACTIVE),
            start_type=model.word_of(config.start_type, model.START_TYPES),
            delayed_start=self.scm.delayed_start(handle),
            error_control=model.word_of(config.error_control, model.ERROR_CONTROLS),
            binary_path=config.binary_path,
            account=config.account,
            group=config.load_order_group,
            dependencies=config.dependencies,
            dependents=tuple(self.scm.dependents(handle)),
            description=self.scm.description(handle),
            failures=status.failures,
            failure_actions=tuple(
                f"{model.word_of(action, model.FAILURE_ACTIONS)}:{delay}" for action, delay in failure.actions
            ),
            failure_reset_s=failure.reset_period,
            failure_command=failure.command,
            failure_on_error=self.scm.failure_flag(handle),
        )

    # -- acts -----------------------------------------------------------------------------------

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

    def sharing(self, pid: int, but: str) -> list[str]:
        """The other services in a process."""
        rows = self.scm.enumerate(SERVICE_WIN32)
        return [name for name, _, status in rows if status.pid == pid and name.lower() != but.lower()]


def is_dead(status: Status) -> bool:
    """Stopped because its process ended without a report."""
    return status.state == model.STOPPED and bool(status.died)


def state_of(status: Status) -> str:
    """The state word."""
    return model.DEAD if is_dead(status) else model.word_of(status.state, model.STATES)


def outcome(status: Status) -> str:
    """The exit codes of a stopped service in words."""
    code = status.win32_exit_code
    if code == codes.ERROR_SERVICE_SPECIFIC_ERROR:
        return f"service-specific error {codes.format_code(status.service_exit_code)}"
    if code == codes.ERROR_SUCCESS:
        return "without an error code"
    return str(codes.describe(code))
