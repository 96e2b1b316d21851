"""winesilo: OS-level virtual machines for Windows services, on Wine.

``from winesilo import Host`` is the way in; see :mod:`winesilo.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winesilo.api import Host, Service, Silo

__all__ = ["Host", "Service", "Silo", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the API when it is first asked for: the daemon and the helpers do not need it."""
    if name in ("Host", "Service", "Silo"):
        from winesilo import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
