"""Bad arguments to every hooked call: what a program gets in a silo is what it gets on the host."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TemporarySilo, tree_hash
from test_registry import on_host

from winesilo import Host

Guest = Callable[[str], Path]
INTERPOSER = Path(__file__).resolve().parents[2] / "src" / "interposer"
#: Lines that differ, and why.
KNOWN = {
    # No room is left for the silo's prefix in a target of 65,534 bytes; it must not lead to the host.
    "NtCreateSymbolicLinkObject target=long",
}
#: Wine itself ends a program whose memory it can't hand to the wineserver. A silo may also report an error.
ENDS = "ends"
#: The mount manager answers from another process. Only if it does so before the call returns, the call can
#: report a bad status block; else Wine ends the program when the answer comes.
LATE = re.compile(r"NtDeviceIoControlFile\[mount-[a-z-]+\] io=")
#: One octet, the lowest of the time of the last write: now and then it is 0, as what was there before.
TIME = re.compile(r"Nt(Query|Enumerate)Key size=1$")


def split(output: str) -> dict[str, list[str]]:
    """What each call with each value led to, by the call and its value; some values are there twice."""
    result: dict[str, list[str]] = {}
    for line in output.splitlines():
        if line == "done":
            continue
        call, value, outcome = line.split(" ", 2)
        result.setdefault(f"{call} {value}", []).append(outcome)
    return result


def rows(file: str) -> set[str]:
    """The calls of a table of hooks."""
    text = (INTERPOSER / file).read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return set(re.findall(r"^(?:SYSCALL|HOOKED|CHECKED)\(\w+, (\w+),", text, re.MULTILINE))


def certain(what: str, outcomes: list[str]) -> list[str]:
    """The outcomes of a call without what is left to chance."""
    return [outcome.replace(" info=written", "") for outcome in outcomes] if TIME.match(what) else outcomes


def differences(inside: dict[str, list[str]], outside: dict[str, list[str]]) -> list[str]:
    return [
        f"{what}: {theirs} on the host, {inside[what]} in the silo"
        for what, theirs in outside.items()
        if what not in KNOWN
        and ENDS not in theirs
        and certain(what, inside[what]) != certain(what, theirs)
        and not (ENDS in inside[what] and LATE.match(what))
    ]


def check(host: Host, silo: TemporarySilo, other: TemporarySilo, guest: Guest, program: str) -> None:
    """The same lines, nothing of it at the base or in another silo, and all three go on working."""
    folder = host.base / "drive_c"
    shutil.copy(guest(program), folder)
    silo.silo.copy_in(guest(program), "C:\\")
    outside = split(on_host(host, silo, rf"C:\{program}.exe", "run"))
    before = tree_hash(folder)
    done = silo.silo.run([rf"C:\{program}.exe", "run"], timeout=600)
    assert done.returncode == 0, done.stderr[-1000:]
    inside = split(done.stdout)
    assert tree_hash(folder) == before
    assert inside.keys() == outside.keys()
    assert differences(inside, outside) == []
    driven = {what.split(" ")[0].split("[")[0] for what in outside}
    assert rows("syscalls.def") | rows("windows.def") == driven
    for one in (silo, other):
        assert one.run("cmd", "/c", "echo hello").strip() == "hello"
        assert one.run("reg", "query", r"HKLM\Software\Microsoft\Windows NT\CurrentVersion")
    assert on_host(host, silo, r"C:\windows\system32\cmd.exe", "/c", "echo hello").strip() == "hello"


@pytest.mark.timeout(1200)
def test_hostile_arguments(
    host: Host, silo: TemporarySilo, new_silo: Callable[..., TemporarySilo], guest: Guest
) -> None:
    check(host, silo, new_silo(), guest, "hostile")


@pytest.mark.timeout(1200)
def test_hostile_arguments_of_32_bits(host32: Host, silo32: TemporarySilo, guest: Guest) -> None:
    with TemporarySilo(host32) as other:
        check(host32, silo32, other, guest, "hostile32")
