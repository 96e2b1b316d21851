"""A Wine host of the tests' own, in a folder of their own; silos that are always cleaned up.

Everything goes through ``XDG_DATA_HOME`` and ``XDG_RUNTIME_DIR``, which are set for this process and its
children: the user's own hosts are never touched.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import Cli, Machine, TemporarySilo
from users import user_command_line

from winesilo import Host
from winesilo.host import files, wine


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A private place for hosts; its path is short, because sockets' paths must be."""
    root = Path(tempfile.mkdtemp(prefix="winesilo-test-", dir=os.environ.get("WINESILO_TEST_DIR", "/tmp")))
    machine = Machine(root)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in machine.variables().items():
            patch.setenv(name, value)
        patch.delenv("TMPDIR", raising=False)
        patch.delenv("WINESILO_HOST", raising=False)
        try:
            yield machine
        finally:
            for host in machine.hosts():
                host.stop(force=True)
            left = machine.processes()
            machine.end_all()
            files.remove_tree(root)
    assert not left, f"processes were left behind: {left}"


@pytest.fixture(scope="session")
def host(machine: Machine) -> Host:
    """The host all tests share; its base is made once."""
    host = Host("t")
    host.init()
    return host


@pytest.fixture(scope="session")
def cli(machine: Machine, host: Host) -> Cli:
    """The command line, working on the shared host."""
    return Cli({**os.environ, "WINESILO_HOST": host.name})


@pytest.fixture(scope="session")
def user_cli(machine: Machine) -> Iterator[Cli]:
    """The command line run by an ordinary user, on a host of this user's own."""
    with user_command_line(machine) as cli:
        yield cli


@pytest.fixture(scope="session")
def host32(machine: Machine) -> Iterator[Host]:
    """A host whose base can run 32-bit programs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "winesilo" / "wine32-{}.{}".format(*wine.find().version)
    if not (folder / "i386-windows" / "ntdll.dll").is_file():
        pytest.skip(f"{folder} is missing: make wine32")
    host = Host("t32")
    host.init(wine32=str(folder))
    yield host
    host.stop(force=True)


@pytest.fixture
def silo32(host32: Host) -> Iterator[TemporarySilo]:
    """A running silo that can run 32-bit programs."""
    with TemporarySilo(host32) as silo:
        yield silo


@pytest.fixture
def silo(host: Host) -> Iterator[TemporarySilo]:
    """A running silo with a name of its own."""
    with TemporarySilo(host) as silo:
        yield silo


@pytest.fixture
def new_silo(host: Host) -> Iterator[Callable[..., TemporarySilo]]:
    """Makes further silos, all removed at the end; ``start=False`` only creates them."""
    made: list[TemporarySilo] = []

    def make(*, start: bool = True) -> TemporarySilo:
        silo = TemporarySilo(host, start=start)
        made.append(silo)
        return silo.__enter__()

    yield make
    for silo in reversed(made):
        silo.__exit__(None, None, None)


@pytest.fixture(scope="session")
def guest() -> Callable[[str], Path]:
    """Finds a Windows test program by its name, without ``.exe``."""
    folder = Path(__file__).resolve().parent.parent / "guest" / "build"

    def find(name: str) -> Path:
        program = folder / f"{name}.exe"
        if not program.is_file():
            pytest.skip(f"{program} is not built: make guest-tests")
        return program

    return find


@pytest.fixture
def scratch(machine: Machine) -> Iterator[Path]:
    """A folder for files of one test."""
    folder = Path(tempfile.mkdtemp(dir=machine.root))
    yield folder
    shutil.rmtree(folder)
