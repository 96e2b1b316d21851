"""COM classes in DLLs that a surrogate serves: Wine's COM starts it, and each silo has its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from guests import holding
from helpers import TemporarySilo, wait_until
from hostside import HostSide

from winesilo import Host

Guest = Callable[[str], Path]
#: REGDB_E_CLASSNOTREG and REGDB_E_KEYMISSING, [MS-ERREF] 2.1: the class is not known.
UNKNOWN = ("80040154", "80040152")
#: Programs of a surrogate, 64-bit and 32-bit.
SURROGATES = ("dllhost.exe", "dllhst32.exe")


def registered(silo: TemporarySilo, guest: Guest, width: str = "") -> TemporarySilo:
    dll = guest("surrogate").with_name(f"comdll{width}.dll")
    silo.silo.copy_in(dll, "C:\\")
    silo.silo.copy_in(guest(f"surrogate{width}"), "C:\\")
    silo.run(rf"C:\surrogate{width}.exe", "register", rf"C:\{dll.name}")
    return silo


def values(lines: list[str]) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in lines if " " in line)


def surrogates(silo: TemporarySilo) -> list[str]:
    return [process.name for process in silo.silo.ps() if process.name in SURROGATES]


def test_each_silo_has_its_own(host: Host, new_silo: Callable[..., TemporarySilo], guest: Guest) -> None:
    one, other, third = registered(new_silo(), guest), registered(new_silo(), guest), new_silo()
    with holding(one, guest, "surrogate", "activate") as first:
        with holding(other, guest, "surrogate", "activate") as second:
            found = [values(first), values(second)]
            assert [entry["program"] for entry in found] == ["dllhost.exe", "dllhost.exe"]
            assert [entry["bits"] for entry in found] == ["64", "64"]
            for silo, entry in zip((one, other), found, strict=True):
                pids = {process.pid: process.unix_pid for process in silo.silo.ps()}
                assert int(entry["server"]) in pids
                assert entry["server"] != entry["own"], "not in the client"
            assert surrogates(one) == surrogates(other) == ["dllhost.exe"]
            again = values(silo_activation(one))
            assert again["server"] == values(first)["server"], "the surrogate that runs is found"
        third.silo.copy_in(guest("surrogate"), "C:\\")
        assert third.run(r"C:\surrogate.exe", "look").strip() in UNKNOWN
        assert not surrogates(third)
        side = HostSide(host, one.name)
        program = side.drive_c / "surrogate.exe"
        program.write_bytes(guest("surrogate").read_bytes())
        try:
            assert side.run([r"C:\surrogate.exe", "look"]).strip() in UNKNOWN
        finally:
            program.unlink()


def test_it_ends_with_its_last_object(silo: TemporarySilo, guest: Guest) -> None:
    registered(silo, guest)
    first = values(silo_activation(silo))
    assert first["program"] == "dllhost.exe"
    wait_until(lambda: not surrogates(silo), "the surrogate ends")
    assert values(silo_activation(silo))["server"] != first["own"], "and is started again"


def silo_activation(silo: TemporarySilo, width: str = "") -> list[str]:
    return silo.run(rf"C:\surrogate{width}.exe", "activate").splitlines()


def test_with_dcomlaunch(silo: TemporarySilo, guest: Guest) -> None:
    registered(silo, guest)
    silo.silo.install("dcomlaunch")
    silo.silo.service("DcomLaunch").start()
    assert values(silo_activation(silo))["program"] == "dllhost.exe"


def test_64_bit_class_where_32_bits_run(silo32: TemporarySilo, guest: Guest) -> None:
    found = values(silo_activation(registered(silo32, guest)))
    assert (found["program"], found["bits"]) == ("dllhost.exe", "64")


@pytest.mark.parametrize("client", ["", "32"])
def test_32_bit_class(silo32: TemporarySilo, guest: Guest, client: str) -> None:
    registered(silo32, guest, "32")
    silo32.silo.copy_in(guest(f"surrogate{client}"), "C:\\")
    found = values(silo_activation(silo32, client))
    assert (found["program"], found["bits"]) == ("dllhst32.exe", "32")
    wait_until(lambda: not surrogates(silo32), "both processes of the surrogate end")
