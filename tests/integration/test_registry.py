"""The registry of a silo beside the host's: random calls answer alike, what the host changes shows."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TemporarySilo
from hostside import HostSide

from winesilo import Host
from winesilo.host.registry_file import Registry, parse
from winesilo.vm.registry import unseal

Guest = Callable[[str], Path]
#: Of many seeds that were run: these do most of what the calls can do with keys of the base.
SEEDS = (14, 105, 110, 207, 217)
STEPS = 250


def on_host(host: Host, silo: TemporarySilo, *argv: str) -> str:
    """Run a program in the base, on the same wineserver, without the interposer."""
    with tempfile.TemporaryFile() as output:
        side = HostSide(host, silo.name)
        program = side.popen(argv, subprocess.DEVNULL, output, subprocess.DEVNULL)
        assert program.wait() == 0, argv
        output.seek(0)
        return output.read().decode().replace("\r\n", "\n")


@pytest.fixture
def both(host: Host, silo: TemporarySilo, guest: Guest) -> Callable[[str], str]:
    """Put a test program both into the silo and into the base; its path there."""

    def copy(name: str) -> str:
        silo.silo.copy_in(guest(name), "C:\\")
        shutil.copy(guest(name), host.base / "drive_c")
        return rf"C:\{name}.exe"

    return copy


def saved(silo: TemporarySilo) -> Registry:
    """What its hive holds once it is stopped."""
    silo.silo.stop()
    directory = silo.silo.info().directory
    assert directory is not None
    path = Path(directory) / "registry.hive"
    return parse(unseal(path.read_bytes(), path).decode())


@pytest.mark.parametrize("seed", SEEDS)
def test_random_calls(host: Host, silo: TemporarySilo, both: Callable[[str], str], seed: int) -> None:
    program = both("regfuzz")
    on_host(host, silo, program, "prepare", str(seed))
    try:
        inside = silo.run(program, "run", str(seed), str(STEPS))
        outside = on_host(host, silo, program, "run", str(seed), str(STEPS))
    finally:
        on_host(host, silo, program, "clean", str(seed))
    assert inside.endswith("done\n")
    assert inside.splitlines() == outside.splitlines()


def test_handles_follow_renamed_keys(host: Host, silo: TemporarySilo, both: Callable[[str], str]) -> None:
    """Also where another key has taken the old name, and below; names are kept as the last one gave them."""
    program, seed = both("regfuzz"), "1"
    on_host(host, silo, program, "prepare-again", seed)
    try:
        inside = silo.run(program, "again", seed)
        outside = on_host(host, silo, program, "again", seed)
    finally:
        on_host(host, silo, program, "clean", seed)
    assert inside.endswith("done\n")
    assert inside.splitlines() == outside.splitlines()


def test_what_the_host_changes_shows(host: Host, silo: TemporarySilo, both: Callable[[str], str]) -> None:
    """Also below keys that the silo has of its own, and a watch on such a key ends."""
    program = both("registry")
    top = r"Software\WinesiloLive"
    on_host(host, silo, program, "set", top + r"\Base", "value", "first")
    silo.run(program, "set", top + r"\Own", "value", "silo")
    assert silo.run(program, "keys", top) == "key Base\nkey Own\n"
    with silo.silo.popen(
        [both("keys"), "watch", top], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline().strip() == b"ready"
        on_host(host, silo, program, "set", top + r"\Base\Deep", "value", "second")
        assert watcher.stdout.readline().strip() == b"changed"
    on_host(host, silo, program, "set", top + r"\Also", "value", "third")
    assert silo.run(program, "keys", top) == "key Also\nkey Base\nkey Own\n"
    assert silo.run(program, "get", top + r"\Base\Deep", "value") == "value second\n"
    assert on_host(host, silo, program, "keys", top) == "key Also\nkey Base\n"
    on_host(host, silo, program, "delete", top)
    assert silo.run(program, "keys", top) == "key Own\n"


def test_hives_are_not_there(
    host: Host, silo: TemporarySilo, new_silo: Callable[..., TemporarySilo], both: Callable[[str], str]
) -> None:
    """A silo sees neither its own hive nor another's, by any name, and can make none."""
    program, other = both("hives"), new_silo()
    numbers = [str(one.silo.info().id) for one in (silo, other)]
    assert on_host(host, silo, program, "open", *numbers) == "open\n" * 2
    done = silo.silo.run([program, "check", *numbers, "999999"], timeout=120)
    assert [line for line in done.stdout.splitlines() if line.startswith("not ok ")] == []
    assert done.returncode == 0, done
    assert on_host(host, silo, program, "open", *numbers, "999999") == "open\n" * 2 + "absent\n"
    assert other.run("cmd", "/c", "echo hello").strip() == "hello"
    silo.silo.restart()
    assert silo.silo.run([program, "check", *numbers], timeout=120).returncode == 0


def test_reading_copies_nothing(silo: TemporarySilo, guest: Guest) -> None:
    """Keys are copied up by the first write, not when they are opened for writing, listed or queried."""
    silo.silo.copy_in(guest("keys"), "C:\\")
    silo.run("cmd", "/c", "ver")  # Wine's own first changes are made
    before = {key.path for key in saved(silo)}
    silo.silo.start()
    assert int(silo.run(r"C:\keys.exe", "open").split()[0]) > 300
    assert {key.path for key in saved(silo)} == before


def test_deleted_and_renamed_keys_stay_so(silo: TemporarySilo, guest: Guest) -> None:
    """After a restart the index is made from the hive."""
    silo.silo.copy_in(guest("registry"), "C:\\")
    program = r"C:\registry.exe"
    top = r"Software\Microsoft\Cryptography\Providers"
    names = silo.run(program, "keys", top + r"\Trust").splitlines()
    assert len(names) > 3
    first = names[0].removeprefix("key ")
    silo.run(program, "delete", rf"{top}\Trust\{first}")
    silo.run(program, "delete", r"Software\Classes\.chm")
    silo.run(program, "set", r"Software\Classes\.chm", "new", "yes")
    before = [silo.run(program, "keys", path) for path in (top + r"\Trust", r"Software\Classes\.chm")]
    assert before == ["".join(f"{name}\n" for name in names[1:]), ""]
    silo.silo.restart()
    assert [silo.run(program, "keys", path) for path in (top + r"\Trust", r"Software\Classes\.chm")] == before
    assert silo.run(program, "get", r"Software\Classes\.chm", "new") == "value yes\n"


def test_a_killed_process_leaves_the_tree_whole(silo: TemporarySilo, guest: Guest) -> None:
    """Whatever it was at: the others go on, and nothing of the base is lost."""
    silo.silo.copy_in(guest("registry"), "C:\\")
    silo.silo.copy_in(guest("keys"), "C:\\")
    names = silo.run(r"C:\registry.exe", "keys", r"Software\Microsoft\Windows\CurrentVersion")
    for delay in (0.3, 0.5, 0.8):
        victim = silo.silo.popen(
            [r"C:\keys.exe", "silo"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        with pytest.raises(subprocess.TimeoutExpired):
            victim.wait(timeout=delay)
        victim.kill()
        victim.wait()
        silo.run(r"C:\registry.exe", "set", r"Software\WinesiloAfter", "value", str(delay))
        assert silo.run(r"C:\registry.exe", "get", r"Software\WinesiloAfter", "value") == f"value {delay}\n"
    assert silo.run(r"C:\registry.exe", "keys", r"Software\Microsoft\Windows\CurrentVersion") == names
