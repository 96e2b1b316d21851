"""What clients can ask for: one function per method, from parameters to the engine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from winesilo.daemon.package_methods import service_install, service_uninstall
from winesilo.daemon.params import Params
from winesilo.errors import Cancelled, UsageError
from winesilo.services.control import DEFAULT_START_S, DEFAULT_STOP_S, ServiceControl
from winesilo.vm.engine import START_TIMEOUT_S, STOP_TIMEOUT_S, Engine
from winesilo.vm.processes import host_pids, pss_bytes


@dataclass(slots=True)
class Request:
    """One request being served.

    Attributes:
        engine: the host's silos.
        params: what was asked.
        progress: sends a progress message to the client.
        stop_daemon: ends the daemon after the reply.
        cancelled: set when the client has gone.
        fds: descriptors to send with the result; closed afterwards.
    """

    engine: Engine
    params: Params
    progress: Callable[[str, float | None], None]
    stop_daemon: Callable[[], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    fds: list[int] = field(default_factory=list)

    def check(self) -> None:
        """Give up if nobody waits for the result any more.

        Raises:
            Cancelled: the client has gone.
        """
        if self.cancelled.is_set():
            raise Cancelled("the request was cancelled: its client has gone")


Method = Callable[[Request], Any]


def host_status(request: Request) -> dict[str, Any]:
    """The host: version, base, silos, and the memory of what belongs to no silo."""
    runtime = request.engine.runtime
    silos = request.engine.list_all()
    return {
        "name": runtime.paths.name,
        "initialised": True,
        "running": True,
        "wine": runtime.wine.version_text,
        "base": str(runtime.paths.base),
        "pid": None,  # the client knows it: ours is of another namespace
        "silos": len(silos),
        "silos_running": sum(silo["state"] in ("running", "suspended") for silo in silos),
        "overlay": runtime.overlay_method.value,
        "user_namespace": runtime.user_namespace,
        "uptime_s": time.time() - runtime.started,
        "memory_pss_bytes": sum(pss_bytes(pid) for pid in host_pids()),
    }


def host_stop(request: Request) -> None:
    """End the daemon; running silos are stopped with ``force`` only."""
    if not request.params.flag("force"):
        request.engine.check_idle()
    request.progress("stopping", None)
    request.stop_daemon()


def silo_create(request: Request) -> dict[str, Any]:
    """Make a silo."""
    params = request.params
    layers = params.texts("layers")
    if layers:
        raise UsageError("layers can't be chosen", "use silo.clone")
    return request.engine.create(
        params.text("name"),
        params.optional_text("windows"),
        params.optional_text("address"),
        params.texts("links"),
        params.texts("publish"),
        params.optional_text("catalogue"),
    )


def silo_update(request: Request) -> dict[str, Any]:
    """Change a silo's links, published ports and Windows version."""
    params = request.params
    return request.engine.update(
        params.text("name"),
        windows=params.optional_text("windows"),
        link=params.texts("link"),
        unlink=params.texts("unlink"),
        publish=params.texts("publish"),
        unpublish=params.texts("unpublish"),
        check=request.check,
    )


def silo_start(request: Request) -> dict[str, Any]:
    """Boot a silo."""
    request.progress("starting", None)
    timeout_s = request.params.seconds("timeout_s", START_TIMEOUT_S)
    return request.engine.start(request.params.text("name"), timeout_s, request.check)


def silo_stop(request: Request) -> dict[str, Any]:
    """Stop a silo; goes on when the client leaves."""
    request.progress("stopping", None)
    timeout_s = request.params.seconds("timeout_s", STOP_TIMEOUT_S)
    return request.engine.stop(request.params.text("name"), timeout_s, request.check)


def silo_suspend(request: Request) -> dict[str, Any]:
    """Keep a silo's processes from running."""
    return request.engine.suspend(request.params.text("name"), request.check)


def silo_resume(request: Request) -> dict[str, Any]:
    """Let a suspended silo go on."""
    return request.engine.resume(request.params.text("name"), request.check)


def silo_restart(request: Request) -> dict[str, Any]:
    """Stop and start a silo."""
    timeout_s = request.params.seconds("timeout_s", START_TIMEOUT_S)
    return request.engine.restart(request.params.text("name"), timeout_s, request.check)


def silo_rm(request: Request) -> None:
    """Remove a silo."""
    request.engine.remove(request.params.text("name"), request.params.flag("force"), request.check)


def silo_clone(request: Request) -> dict[str, Any]:
    """Copy a stopped silo."""
    return request.engine.clone(request.params.text("source"), request.params.text("name"), request.check)


def silo_ls(request: Request) -> list[dict[str, Any]]:
    """All silos."""
    return request.engine.list_all()


def silo_inspect(request: Request) -> dict[str, Any]:
    """One silo."""
    return request.engine.view(request.params.text("name"))


def silo_ps(request: Request) -> list[dict[str, Any]]:
    """A silo's processes."""
    return request.engine.processes(request.params.text("name"))


def silo_audit(request: Request) -> dict[str, Any]:
    """Every rendezvous of a silo."""
    return request.engine.audit(request.params.text("name"))


def silo_diff(request: Request) -> dict[str, Any]:
    """In what a silo differs from a new one."""
    return request.engine.diff(request.params.text("name"), request.check)


def silo_exec(request: Request) -> dict[str, Any]:
    """How to run a program, and its connection to the wineserver."""
    params = request.params
    spec, connection = request.engine.exec_spec(
        params.text("name"), params.texts("argv"), params.optional_text("cwd"), params.variables("env")
    )
    request.fds.append(connection.detach())
    return spec


def silo_cp(request: Request) -> int:
    """Copy files in or out."""
    return request.engine.copy(request.params.text("source"), request.params.text("target"), request.check)


def silo_logs(request: Request) -> list[dict[str, Any]]:
    """The last lines that its services printed."""
    params = request.params
    return request.engine.logs(
        params.text("name"), params.optional_text("service"), params.integer("lines", 100)
    )


def silo_events(request: Request) -> list[dict[str, Any]]:
    """The last events of its logs."""
    params = request.params
    return request.engine.events(
        params.text("name"),
        params.optional_text("service"),
        params.optional_text("log"),
        params.integer("lines", 100),
    )


def service_ls(request: Request) -> list[dict[str, Any]]:
    """A silo's services."""
    with request.engine.services(request.params.text("name")) as control:
        return [service.as_dict() for service in control.list(drivers=request.params.flag("drivers"))]


def service_show(request: Request) -> dict[str, Any]:
    """One service."""
    with _service(request) as (control, name):
        return control.show(name).as_dict()


def service_create(request: Request) -> dict[str, Any]:
    """Create a service."""
    with _service(request) as (control, name), _keywords():
        return control.create(name, **request.params.rest("name", "service")).as_dict()


def service_start(request: Request) -> dict[str, Any]:
    """Start a service and wait for it."""
    timeout_s = request.params.seconds("timeout_s", DEFAULT_START_S)
    with _service(request) as (control, name):
        return control.start(name, request.params.texts("args"), timeout_s=timeout_s).as_dict()


def service_stop(request: Request) -> dict[str, Any]:
    """Stop a service and wait for it."""
    params = request.params
    with _service(request) as (control, name):
        return control.stop(
            name,
            timeout_s=params.seconds("timeout_s", DEFAULT_STOP_S),
            with_dependents=params.flag("with_dependents"),
            force=params.flag("force"),
        ).as_dict()


def service_restart(request: Request) -> dict[str, Any]:
    """Stop and start a service."""
    params = request.params
    with _service(request) as (control, name):
        return control.restart(
            name,
            params.texts("args"),
            stop_timeout_s=params.seconds("stop_timeout_s", DEFAULT_STOP_S),
            start_timeout_s=params.seconds("timeout_s", DEFAULT_START_S),
            force=params.flag("force"),
        ).as_dict()


def service_pause(request: Request) -> dict[str, Any]:
    """Pause a service and wait until it is."""
    with _service(request) as (control, name):
        timeout_s = request.params.seconds("timeout_s", DEFAULT_STOP_S)
        return control.pause(name, timeout_s=timeout_s).as_dict()


def service_continue(request: Request) -> dict[str, Any]:
    """Have a paused service continue."""
    with _service(request) as (control, name):
        timeout_s = request.params.seconds("timeout_s", DEFAULT_STOP_S)
        return control.resume(name, timeout_s=timeout_s).as_dict()


def service_control(request: Request) -> dict[str, Any]:
    """Send a service a control code."""
    with _service(request) as (control, name):
        return control.control(name, request.params.integer("code", 0)).as_dict()


def service_config(request: Request) -> dict[str, Any]:
    """Change a service's configuration."""
    with _service(request) as (control, name), _keywords():
        return control.config(name, **request.params.rest("name", "service")).as_dict()


def service_delete(request: Request) -> None:
    """Delete a service."""
    with _service(request) as (control, name):
        control.delete(name)


@contextlib.contextmanager
def _service(request: Request) -> Iterator[tuple[ServiceControl, str]]:
    with request.engine.services(request.params.text("name")) as control:
        yield control, request.params.text("service")


@contextlib.contextmanager
def _keywords() -> Iterator[None]:
    """A parameter that the service functions don't know is the client's mistake."""
    try:
        yield
    except TypeError as error:
        raise UsageError(f"unknown or malformed parameter: {error}") from error


METHODS: Final[dict[str, Method]] = {
    "host.status": host_status,
    "host.stop": host_stop,
    "silo.create": silo_create,
    "silo.start": silo_start,
    "silo.stop": silo_stop,
    "silo.restart": silo_restart,
    "silo.rm": silo_rm,
    "silo.clone": silo_clone,
    "silo.update": silo_update,
    "silo.suspend": silo_suspend,
    "silo.resume": silo_resume,
    "silo.ls": silo_ls,
    "silo.inspect": silo_inspect,
    "silo.ps": silo_ps,
    "silo.audit": silo_audit,
    "silo.diff": silo_diff,
    "silo.exec": silo_exec,
    "silo.cp": silo_cp,
    "silo.logs": silo_logs,
    "silo.events": silo_events,
    "service.ls": service_ls,
    "service.show": service_show,
    "service.create": service_create,
    "service.start": service_start,
    "service.stop": service_stop,
    "service.restart": service_restart,
    "service.pause": service_pause,
    "service.continue": service_continue,
    "service.control": service_control,
    "service.config": service_config,
    "service.delete": service_delete,
    "service.install": service_install,
    "service.uninstall": service_uninstall,
}
