"""What a silo looks like to the API, also while no daemon runs."""

from __future__ import annotations

import datetime
import os
import re
from typing import Any

from winesilo.errors import SiloCorrupt, SiloNotFound
from winesilo.vm import printed
from winesilo.vm.store import Record, Store


def iso(seconds: float) -> str:
    """ISO 8601 of a Unix time."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def stopped(store: Store, record: Record, failure: str | None = None) -> dict[str, Any]:
    """A silo that does not run; ``failed`` with the reason if there is one."""
    place = store.silo(record.name)
    return {
        "name": record.name,
        "id": record.id,
        "state": "stopped" if failure is None else "failed",
        "address": record.address,
        "windows": record.windows,
        "created": record.created,
        "started": None,
        "scm_pid": None,
        "private_bytes": store.private_bytes(record.name),
        "memory_pss_bytes": 0,
        "processes": 0,
        "layers": record.layers,
        "links": record.links,
        "publish": record.publish,
        "ports": [],
        "directory": str(place.directory),
        "error": failure,
    }


def corrupt(error: SiloCorrupt) -> dict[str, Any]:
    """A silo whose record can't be read."""
    return {
        "name": error.details.get("name", ""),
        "id": None,
        "state": "failed",
        "address": None,
        "windows": None,
        "created": None,
        "started": None,
        "scm_pid": None,
        "private_bytes": 0,
        "memory_pss_bytes": 0,
        "processes": 0,
        "layers": [],
        "links": [],
        "publish": [],
        "ports": [],
        "directory": None if "path" not in error.details else os.path.dirname(error.details["path"]),
        "error": error.message,
    }


def list_stopped(store: Store) -> list[dict[str, Any]]:
    """All silos of a host that does not run."""
    return [
        stopped(store, entry) if isinstance(entry, Record) else corrupt(entry) for entry in store.load_all()
    ]


def logs(store: Store, name: str, service: str | None, lines: int) -> list[dict[str, Any]]:
    """The last lines that its services printed, see :func:`winesilo.vm.printed.last`; raises SiloNotFound."""
    if not store.exists(name):
        raise SiloNotFound(f"there is no silo {name!r}", "see: silo ls", name=name)
    return printed.last(store.silo(name).services_log, service, lines)


def split_copy_path(text: str) -> tuple[str, str] | None:
    r"""``NAME:C:\path`` as (name, Windows path); None for a Linux path."""
    match = re.match(r"([^/\\:]+):([A-Za-z]:[\\/].*|[\\/].*)\Z", text, re.DOTALL)
    return (match.group(1), match.group(2)) if match else None
