"""The running object table, which RpcSs keeps: each silo has its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from guests import ask, holding
from helpers import TemporarySilo
from hostside import HostSide

from winesilo import Host

Guest = Callable[[str], Path]
#: ROTFLAGS_REGISTRATIONKEEPSALIVE and ROTFLAGS_ALLOWANYCLIENT, objidl.h.
KEEP, ANY_CLIENT = 1, 2
NOWHERE = ["mine 0 0 0"]


def table(silo: TemporarySilo, guest: Guest) -> list[str]:
    return ask(silo, guest, "rot", "look", "mine")


def on_host(host: Host, silo: TemporarySilo, guest: Guest) -> list[str]:
    side = HostSide(host, silo.name)
    side.start("RpcSs")
    program = side.drive_c / "rot.exe"
    program.write_bytes(guest("rot").read_bytes())
    try:
        return side.run([r"C:\rot.exe", "look", "mine"]).splitlines()
    finally:
        program.unlink()


@pytest.mark.parametrize("flags", [KEEP, KEEP | ANY_CLIENT], ids=["own", "any client"])
def test_each_silo_has_its_own(
    host: Host, new_silo: Callable[..., TemporarySilo], guest: Guest, flags: int
) -> None:
    one, other = new_silo(), new_silo()
    with holding(one, guest, "rot", "register", "mine", str(flags)):
        name, running, pid, listed = table(one, guest)[0].split()
        assert (name, running, listed) == ("mine", "1", "1"), "another process of the silo finds it"
        assert int(pid) in {process.pid for process in one.silo.ps() if process.name == "rot.exe"}
        assert table(other, guest) == NOWHERE
        assert on_host(host, one, guest) == NOWHERE
        with holding(other, guest, "rot", "register", "mine", str(flags)):
            assert table(other, guest)[0].split()[1] == "1"
            assert table(other, guest)[0].split()[2:] != [pid, listed], "the same name, another object"
            assert table(one, guest) == [f"mine 1 {pid} 1"]
            assert on_host(host, one, guest) == NOWHERE
