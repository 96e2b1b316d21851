"""The DcomLaunch package: COM servers are launched by the service, each silo's in that silo."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from helpers import TemporarySilo, wait_until
from standins import launcher, launching_parent

Guest = Callable[[str], Path]


def launching(silo: TemporarySilo, guest: Guest) -> TemporarySilo:
    silo.silo.copy_in(guest("comserver"), "C:\\")
    silo.run(r"C:\comserver.exe", "register")
    return silo


def test_launched_by_the_service_of_each_silo(new_silo: Callable[..., TemporarySilo], guest: Guest) -> None:
    one, other = launching(new_silo(), guest), launching(new_silo(), guest)
    for silo in (one, other):
        assert silo.silo.install("dcomlaunch") == ["DcomLaunch"]
        silo.silo.restart()
        wait_until(partial(runs, silo), "DcomLaunch runs")
        assert "DcomLaunch" in silo.silo.service("RpcSs").info().dependencies
        info = silo.silo.service("DcomLaunch").info()
        assert (info.type, info.start_type, info.group) == ("share-process", "auto", "COM Infrastructure")
    for silo in (one, other):
        # until DcomLaunch has RpcSs, clients launch servers themselves
        wait_until(partial(launched_by_service, silo), "activation goes through DcomLaunch")


def runs(silo: TemporarySilo) -> bool:
    return launcher(silo.silo) is not None


def launched_by_service(silo: TemporarySilo) -> bool:
    return launching_parent(silo.silo) == launcher(silo.silo)


def test_without_the_service_clients_launch(silo: TemporarySilo, guest: Guest) -> None:
    launching(silo, guest)
    silo.silo.install("dcomlaunch")
    service = silo.silo.service("DcomLaunch")
    service.start()
    wait_until(lambda: launched_by_service(silo), "activation goes through DcomLaunch")
    silo.silo.uninstall("dcomlaunch")
    launching_parent(silo.silo)
    assert "DcomLaunch" not in silo.silo.service("RpcSs").info().dependencies
