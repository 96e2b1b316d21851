"""Two silos and the host: what one makes, the others do not see."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable

import pytest
from guests import Guest, ask, holding
from helpers import Cli, TemporarySilo, pty_session, read_until, tree_hash
from test_registry import on_host

from winesilo import Host

NewSilo = Callable[..., TemporarySilo]
#: A key of the base that nothing in these tests needs.
BASE_KEY = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\ProfileList"


@pytest.fixture
def pair(new_silo: NewSilo) -> tuple[TemporarySilo, TemporarySilo]:
    return new_silo(), new_silo()


@pytest.mark.parametrize("program", ["objects", "pipes", "mailslots", "devices", "names"])
def test_names(pair: tuple[TemporarySilo, TemporarySilo], guest: Guest, program: str) -> None:
    """The same name in both at once, each finding its own; a name of one is not found in the other."""
    one, other = pair
    with holding(one, guest, program, "hold", "winesilo-test"):
        inside = ask(one, guest, program, "probe", "winesilo-test")
        outside = ask(other, guest, program, "probe", "winesilo-test")
        assert inside
        assert all(line.startswith(("found", "note")) for line in inside), inside
        assert all(line.startswith(("absent", "note")) for line in outside), outside
        with holding(other, guest, program, "hold", "winesilo-test"):
            again = ask(other, guest, program, "probe", "winesilo-test")
            assert all(line.startswith(("found", "note")) for line in again), again


def test_device_names_end_with_the_silo(silo: TemporarySilo, guest: Guest) -> None:
    """They outlive the program that made them, as in Windows, but not the boot."""
    with holding(silo, guest, "devices", "hold", "winesilo-test"):
        pass
    assert all(line.startswith("found") for line in ask(silo, guest, "devices", "probe", "winesilo-test"))
    silo.silo.restart()
    assert all(line.startswith("absent") for line in ask(silo, guest, "devices", "probe", "winesilo-test"))


def test_permanent_objects_end_with_the_boot(
    host: Host, silo: TemporarySilo, new_silo: NewSilo, guest: Guest
) -> None:
    """They outlive their programs, in whatever directories, and nothing is left to the wineserver."""
    other = new_silo()
    kinds = ["directories", "debug-object", "long-name", "mutant"]
    made = ask(silo, guest, "objects", "leave", "wst-left")
    assert made == [f"made {kind}" for kind in [*kinds, "pipe"]]
    assert ask(silo, guest, "objects", "left", "wst-left") == [
        *(f"found {kind}" for kind in kinds),
        "absent pipe",
    ]
    absent = [f"absent {kind}" for kind in [*kinds, "pipe"]]
    assert ask(other, guest, "objects", "left", "wst-left") == absent
    silo.silo.restart()
    assert ask(silo, guest, "objects", "left", "wst-left") == absent
    assert ask(silo, guest, "objects", "leave", "wst-left") == made
    number = str(silo.silo.info().id)
    shutil.copy(guest("objects"), host.base / "drive_c")
    listed = [r"C:\objects.exe", "list", r"\winesilo"]
    assert number in on_host(host, other, *listed).split()
    silo.silo.remove(force=True)
    assert number not in on_host(host, other, *listed).split()


def test_registry(pair: tuple[TemporarySilo, TemporarySilo], host: Host) -> None:
    one, other = pair
    key = r"HKLM\Software\WinesiloIsolation"
    one.reg_set(key, "whose", "one")
    assert other.reg_get(key, "whose") is None
    other.reg_set(key, "whose", "other")
    assert one.reg_get(key, "whose") == "one"
    one.run("reg", "delete", key, "/f")
    assert one.reg_get(key, "whose") is None
    assert other.reg_get(key, "whose") == "other"
    assert "WinesiloIsolation" not in (host.base / "system.reg").read_text(errors="replace")


def test_registry_of_the_base_can_be_changed_and_deleted_privately(
    pair: tuple[TemporarySilo, TemporarySilo],
) -> None:
    one, other = pair
    key, value = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion", "ProductName"
    original = one.reg_get(key, value)
    assert original
    one.reg_set(key, value, "Silo")
    assert one.reg_get(key, value) == "Silo"
    assert other.reg_get(key, value) == original
    one.run("reg", "delete", key, "/v", value, "/f")
    assert one.reg_get(key, value) is None
    assert other.reg_get(key, value) == original
    one.run("reg", "delete", BASE_KEY, "/f")
    assert one.silo.run(["reg", "query", BASE_KEY]).returncode != 0
    assert other.silo.run(["reg", "query", BASE_KEY]).returncode == 0


def test_files(pair: tuple[TemporarySilo, TemporarySilo], host: Host) -> None:
    one, other = pair
    one.run("cmd", "/c", r"echo one>C:\windows\win.ini")
    assert one.run("cmd", "/c", r"type C:\windows\win.ini").strip() == "one"
    assert other.run("cmd", "/c", r"type C:\windows\win.ini").strip() != "one"
    one.run("cmd", "/c", r"del C:\windows\notepad.exe")
    assert other.silo.run(["cmd", "/c", r"dir C:\windows\notepad.exe"]).returncode == 0
    assert one.silo.run(["cmd", "/c", r"dir C:\windows\notepad.exe"]).returncode != 0
    assert (host.base / "drive_c" / "windows" / "notepad.exe").is_file()


def test_processes(pair: tuple[TemporarySilo, TemporarySilo], guest: Guest) -> None:
    one, other = pair
    with holding(one, guest, "processes", "hold") as lines:
        _, pid, _, tid = next(line for line in lines if line.startswith("pid ")).split()
        outside = ask(other, guest, "processes", "probe", pid, tid)
        assert len(outside) > 6
        assert all(line.startswith("absent") for line in outside), outside
        inside = ask(one, guest, "processes", "probe", pid, tid)
        assert all(line.startswith("found") for line in inside), inside
        assert {process.pid for process in one.silo.ps()} >= {int(pid)}
        assert int(pid) not in {process.pid for process in other.silo.ps()}
        assert not any("processes.exe" in line for line in ask(other, guest, "processes", "list")[1:-1])


def test_consoles(cli: Cli, pair: tuple[TemporarySilo, TemporarySilo], guest: Guest) -> None:
    """A program may use the console of a process by its id: of its own silo's processes only."""
    one, other = pair
    one.silo.copy_in(guest("processes"), "C:\\")
    session, terminal = pty_session(cli, "exec", one.name, r"C:\processes.exe", "hold")
    try:
        read_until(terminal, b"\n")  # it writes to its console
        pid = next(str(process.pid) for process in one.silo.ps() if process.name == "processes.exe")
        missing = ask(other, guest, "processes", "console", "2147483632")
        assert missing[0].startswith("absent")
        assert ask(other, guest, "processes", "console", pid) == missing
        assert ask(one, guest, "processes", "console", pid) == ["found console"]
    finally:
        session.terminate()
        session.wait(30)
        os.close(terminal)


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::", "::1"])
def test_same_port(pair: tuple[TemporarySilo, TemporarySilo], guest: Guest, address: str) -> None:
    """Both listen on the same port; each client reaches the one of its own silo."""
    one, other = pair
    loopback = "::1" if ":" in address else "127.0.0.1"
    with (
        holding(one, guest, "sockets", "serve", address, "4455", one.name),
        holding(other, guest, "sockets", "serve", address, "4455", other.name),
    ):
        for silo in pair:
            answer = ask(silo, guest, "sockets", "connect", loopback, "4455")
            assert answer == [f"connected hello from {silo.name}"]


def test_port_from_linux(pair: tuple[TemporarySilo, TemporarySilo], guest: Guest) -> None:
    """A service that listens everywhere is reached at its silo's address, and at no other."""
    one, other = pair
    with holding(one, guest, "sockets", "serve", "0.0.0.0", "4456", one.name):
        with socket.create_connection((one.silo.address, 4456), 10) as client:
            assert client.recv(100).decode().strip() == f"hello from {one.name}"
        for address in (other.silo.address, "127.0.0.1"):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, 4456), 10)


def test_ports_of_silos_do_not_take_linux_ports(silo: TemporarySilo, guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with holding(silo, guest, "sockets", "serve", "127.0.0.1", str(port), silo.name):
            assert ask(silo, guest, "sockets", "connect", "127.0.0.1", str(port)) == [
                f"connected hello from {silo.name}"
            ]


def test_services(pair: tuple[TemporarySilo, TemporarySilo]) -> None:
    one, other = pair
    assert one.silo.service("Spooler").start().state == "running"
    assert other.silo.service("Spooler").info().state == "stopped"
    assert other.silo.service("Spooler").start().state == "running"
    one.silo.stop()
    assert other.silo.service("Spooler").info().state == "running"


@pytest.mark.parametrize("program", ["/bin/sh", r"\\?\unix\bin\sh", r"Z:\bin\sh", r"\\.\unix\bin\sh"])
def test_no_unix_programs(silo: TemporarySilo, cli: Cli, program: str) -> None:
    result = cli("exec", silo.name, "--", program)
    assert result.code == 125, result
    assert result.err.startswith("silo: "), result


def test_no_other_drives(silo: TemporarySilo) -> None:
    for drive in ("D:", "Y:", "Z:"):
        assert silo.silo.run(["cmd", "/c", "dir", drive + "\\"]).returncode != 0
    done = silo.silo.run(["cmd", "/c", r"type \\?\unix\etc\passwd"])
    assert "root:" not in done.stdout


def test_base_does_not_change(host: Host, new_silo: NewSilo) -> None:
    """Hashes over the base's files and registry, before and after a silo has done its worst."""
    host.stop(force=True)
    before = tree_hash(host.base)
    silo = new_silo()
    silo.reg_set(r"HKLM\Software\Worst", "a", "b")
    silo.reg_set(r"HKCU\Software\Worst", "a", "b")
    silo.run("reg", "delete", BASE_KEY, "/f")
    silo.run("cmd", "/c", r"echo x>C:\windows\system32\drivers\etc\hosts")
    silo.run("cmd", "/c", r"rmdir /s /q C:\windows\inf")
    silo.silo.service("Spooler").start()
    silo.silo.stop()
    silo.silo.remove()
    host.stop(force=True)
    after = tree_hash(host.base)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()
