"""What clients can ask for about packages of services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from winesilo.vm import packages

if TYPE_CHECKING:
    from winesilo.daemon.methods import Request


def service_install(request: Request) -> dict[str, Any]:
    """Put a package of services into a silo."""
    request.progress("installing", None)
    params = request.params
    return packages.install(request.engine, params.text("name"), params.text("package"), request.check)


def service_uninstall(request: Request) -> None:
    """Take a package of services out of a silo."""
    request.progress("uninstalling", None)
    params = request.params
    packages.uninstall(request.engine, params.text("name"), params.text("package"), request.check)
