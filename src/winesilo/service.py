"""A service of a silo, as the API shows it; see :mod:`winesilo.api`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from winesilo.models import ServiceOptions, model
from winesilo.services.model import Service as ServiceInfo

if TYPE_CHECKING:
    from winesilo.api import Silo

__all__ = ["Service"]


class Service:
    """A service of a running silo; made by :meth:`Silo.service`.

    Every method raises SiloNotFound, SiloNotRunning, SiloSuspended and ServiceNotFound where those apply.
    """

    def __init__(self, silo: Silo, name: str) -> None:
        self.silo = silo
        self.name = name

    def __repr__(self) -> str:
        return f"Service({self.name!r}, silo={self.silo.name!r})"

    def info(self) -> ServiceInfo:
        """Its state and its configuration."""
        return model(ServiceInfo, self._call("service.show"))

    def start(self, args: Sequence[str] = (), *, timeout: float | None = None) -> ServiceInfo:
        """Start it, after what it depends on, and wait until it runs.

        Args:
            args: handed to the service's main function.
            timeout: seconds for all of it; the service's own wait hints count within it.

        Raises:
            ServiceStartFailed, ServiceDied, ServiceTimeout, ServiceError: what went wrong, with the
                Windows code.
        """
        return model(ServiceInfo, self._call("service.start", args=list(args), timeout_s=timeout))

    def stop(
        self, *, timeout: float | None = None, with_dependents: bool = False, force: bool = False
    ) -> ServiceInfo:
        """Stop it and wait until its process has ended, which is ended if it takes too long.

        Args:
            timeout: seconds to wait.
            with_dependents: stop what depends on it first.
            force: end its process also where it refuses to stop.

        Raises:
            ServiceError: it does not run, others depend on it, it refuses.
        """
        answer = self._call("service.stop", timeout_s=timeout, with_dependents=with_dependents, force=force)
        return model(ServiceInfo, answer)

    def restart(
        self, args: Sequence[str] = (), *, timeout: float | None = None, force: bool = False
    ) -> ServiceInfo:
        """Stop it if it runs, then start it; see :meth:`stop` and :meth:`start`."""
        answer = self._call("service.restart", args=list(args), timeout_s=timeout, force=force)
        return model(ServiceInfo, answer)

    def pause(self, *, timeout: float | None = None) -> ServiceInfo:
        """Pause it and wait until it is.

        Args:
            timeout: seconds to wait.

        Raises:
            ServiceError: it does not run, or can't be paused.
            ServiceTimeout: it is not paused in time.
        """
        return model(ServiceInfo, self._call("service.pause", timeout_s=timeout))

    def resume(self, *, timeout: float | None = None) -> ServiceInfo:
        """Have it continue after :meth:`pause`; the same arguments and errors."""
        return model(ServiceInfo, self._call("service.continue", timeout_s=timeout))

    def control(self, code: int) -> ServiceInfo:
        """Send it a control code.

        Args:
            code: 128 to 255 are its own; the others are Windows' (6 is param-change).

        Raises:
            ServiceError: it does not run, or does not take the code.
        """
        return model(ServiceInfo, self._call("service.control", code=code))

    def config(self, *, binary_path: str | None = None, **options: Unpack[ServiceOptions]) -> ServiceInfo:
        """Change its configuration; what is not given stays.

        Args:
            binary_path: its command line.
            **options: see :class:`ServiceOptions`.

        Raises:
            UsageError: an argument is wrong.
            ServiceExists: the display name is taken.
        """
        return model(ServiceInfo, self._call("service.config", binary_path=binary_path, **options))

    def delete(self) -> None:
        """Delete it; it must not run.

        Raises:
            ServiceError: it runs.
        """
        self._call("service.delete")

    def _call(self, method: str, **params: Any) -> Any:
        return self.silo._call(method, service=self.name, **params)
