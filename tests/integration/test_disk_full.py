"""The disk is really full: what can't be done says so, and nothing is lost or left half done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import TemporarySilo

from winesilo import Host
from winesilo.errors import DiskFull, HostError

KEY = r"HKLM\Software\Full"


@pytest.fixture
def small_disk(host: Host) -> Iterator[Path]:
    """All silos of the host on a file system of 4 MiB, mounted before the host starts, so that it sees it."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    silos = host.base.parent / "silos"
    host.stop(force=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", silos], check=True)
    try:
        yield silos
    finally:
        host.stop(force=True)
        subprocess.run(["umount", silos], check=True)


def fill(folder: Path) -> Path:
    """Take all the space that is left."""
    path = folder / ".fill"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            while True:
                try:
                    file.write(bytes(size))
                except OSError:
                    break
    return path


def test_full(host: Host, small_disk: Path, scratch: Path) -> None:
    (scratch / "big").write_bytes(bytes(1 << 20))
    with TemporarySilo(host) as silo:
        silo.reg_set(KEY, "before", "kept")
        host.silo(silo.name).stop()
        host.silo(silo.name).start()
        filler = fill(small_disk)

        # nothing new: a clear error, nothing left behind
        with pytest.raises(DiskFull):
            host.create("never")
        assert [one.name for one in host.list()] == [silo.name]
        assert not (small_disk / "never").exists()
        with pytest.raises(HostError):
            silo.silo.copy_in(scratch / "big", r"C:\big")

        # programs get the error that Windows has for it, and go on
        done = silo.silo.run(["cmd", "/c", r"copy C:\windows\explorer.exe C:\copy.exe"])
        assert done.returncode != 0, done
        assert silo.run("cmd", "/c", r"type C:\windows\win.ini")

        # the registry is in memory; stopping would lose it, and is refused
        silo.reg_set(KEY, "while", "full")
        with pytest.raises(HostError):
            silo.silo.stop()
        assert silo.reg_get(KEY, "while") == "full"

        # with room again, all goes on, and what was written meanwhile is kept
        filler.unlink()
        silo.silo.copy_in(scratch / "big", r"C:\big")
        silo.silo.stop()
        silo.silo.start()
        assert silo.reg_get(KEY, "before") == "kept"
        assert silo.reg_get(KEY, "while") == "full"

        # starting needs no room
        silo.silo.stop()
        filler = fill(small_disk)
        silo.silo.start()
        assert silo.reg_get(KEY, "while") == "full"
        filler.unlink()
