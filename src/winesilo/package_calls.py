"""The part of :class:`winesilo.api.Silo` that is about packages of services."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from winesilo.host.base import OnProgress

__all__ = ["WithPackages"]


class WithPackages(ABC):
    """A silo that packages can be installed in."""

    @abstractmethod
    def _call(self, method: str, on_progress: OnProgress | None = None, **params: Any) -> Any:
        """Ask the daemon for something about this silo."""

    def install(self, package: str | Path, on_progress: OnProgress | None = None) -> list[str]:
        """Put a package of services into it: files, registry values, services; all of it or nothing.

        Args:
            package: the name of one that winesilo brings along, or the folder of one (a text with a ``/``).
            on_progress: told what goes on.

        Returns:
            The names of its services, which do not run yet.

        Raises:
            PackageError: it is wrong, or installed already.
            PackageNotFound: there is none of that name.
            ServiceExists: the silo has a service of one of its names.
            SiloNotFound, SiloNotRunning, ServiceError, DiskFull, HostError: as it says.
        """
        is_folder = isinstance(package, Path) or "/" in package
        what = str(Path(package).absolute()) if is_folder else str(package)
        answer = self._call("service.install", on_progress, package=what)
        return [str(name) for name in answer["services"]]

    def uninstall(self, package: str, on_progress: OnProgress | None = None) -> None:
        """Take a package out of it: its services are stopped and deleted, the rest is as it was before.

        Args:
            package: its name.
            on_progress: told what goes on.

        Raises:
            PackageNotFound: it is not installed.
            SiloNotFound, SiloNotRunning, ServiceError, DiskFull, HostError: as it says.
        """
        self._call("service.uninstall", on_progress, package=package)
