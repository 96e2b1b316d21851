"""A driver that a silo brings along: its device, and the name programs open it by, are the silo's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TemporarySilo
from hostside import HostSide

Guest = Callable[[str], Path]
NewSilo = Callable[..., TemporarySilo]
CLIENT = r"C:\owndevice.exe"
#: ERROR_FILE_NOT_FOUND
NO_DEVICE = "error 2"


@pytest.fixture
def silos(new_silo: NewSilo, guest: Guest) -> list[TemporarySilo]:
    """Two silos in which the driver runs."""
    made = [new_silo(), new_silo()]
    client = guest("owndevice")
    for silo in made:
        silo.silo.copy_in(client, "C:\\")
        silo.silo.copy_in(client.with_name("owndriver.sys"), "C:\\")
        assert silo.run(CLIENT, "get").strip() == NO_DEVICE
        silo.run("sc", "create", "WstOwn", "type=", "kernel", "binPath=", r"C:\owndriver.sys")
        silo.run("sc", "start", "WstOwn")
    return made


def test_each_silo_has_its_own_device(silos: list[TemporarySilo]) -> None:
    for silo in silos:
        silo.run(CLIENT, "put", silo.name)
    for silo in silos:
        assert silo.run(CLIENT, "get").strip() == f"kept {silo.name}"
        assert silo.run(CLIENT, "name").strip() == r"name \Device\WstOwn"
        audit = silo.silo.audit()
        devices = {one["name"]: one["class"] for one in audit.rendezvous if one["name"].endswith("WstOwn")}
        assert devices[r"\Device\WstOwn"] == "private"
        assert audit.counts.get("undeclared", 0) == 0


def test_one_stops_the_other_goes_on(silos: list[TemporarySilo]) -> None:
    one, other = silos
    other.run(CLIENT, "put", other.name)
    one.run("sc", "stop", "WstOwn")
    assert one.run(CLIENT, "get").strip() == NO_DEVICE
    assert other.run(CLIENT, "get").strip() == f"kept {other.name}"


def test_not_for_the_host(silos: list[TemporarySilo], guest: Guest) -> None:
    side = HostSide(silos[0].host, silos[0].name)
    assert side.run([str(guest("owndevice")), "get"]).strip() == NO_DEVICE
