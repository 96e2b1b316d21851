"""What the matrix runs: a row per service, each a class as ``winesilo.demo.workload.Workload`` says.

Another row is another class and a line here. One that needs more than the interface, a package that is
installed with ``silo service``, say, does that in its ``fetch``, ``prepare`` and ``install``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from postgres import Postgres
from standins import CiSvc, DcomLaunch, Iis, Imapi, TlntSvr
from web import Apache, Nginx, Node
from wineown import Bits, EventLog, Installer, RpcSs, Schedule, Spooler

from winesilo.demo.mysql import MySql
from winesilo.demo.workload import Workload

__all__ = ["CATALOGUE", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A row.

    Attributes:
        make: its class.
        needs: services that start with it and are stopped after it, in this order.
        activated: whether nobody starts it by name: its client's first call does.
        on_host: whether the host has the service too; then the host's runs beside the silos'.
        stop_s: seconds that it gets to stop by itself before its process is ended.
        force: whether it refuses to stop, on the host too, so that its process has to be ended: those of
            Wine 8 accept no control.
    """

    make: Callable[[], Workload]
    needs: tuple[str, ...] = ()
    activated: bool = False
    on_host: bool = False
    stop_s: float = 30.0
    force: bool = False


CATALOGUE: Final[dict[str, Entry]] = {
    "rpcss": Entry(RpcSs, on_host=True),
    "dcomlaunch": Entry(DcomLaunch),
    "iis": Entry(Iis, needs=("HTTPFilter", "IISADMIN")),
    "tlntsvr": Entry(TlntSvr),
    # Its process never ends by itself on Wine 8, whoever stops it (winesilo.demo.mysql).
    "mysql": Entry(MySql, stop_s=6.0),
    "apache": Entry(Apache),
    "cisvc": Entry(CiSvc),
    "imapi": Entry(Imapi, activated=True),
    "postgres": Entry(Postgres),
    "nginx": Entry(Nginx),
    "node": Entry(Node),
    "spooler": Entry(Spooler, on_host=True),
    "schedule": Entry(Schedule, on_host=True, force=True),
    "eventlog": Entry(EventLog, on_host=True, force=True),
    "bits": Entry(Bits, on_host=True),
    "msi": Entry(Installer, on_host=True),
}
