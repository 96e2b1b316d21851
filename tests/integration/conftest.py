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
from typing import Any

import pytest
from helpers import Cli, Machine, Place, TemporarySilo
from users import user_command_line

from winesilo import Host
from winesilo.host import files, wine

HOSTS = ("t", "t32", "user")
FOLDER = pytest.StashKey[Path]()
LEFT = pytest.StashKey[list[str]]()


def new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="winesilo-test-", dir=os.environ.get("WINESILO_TEST_DIR", "/tmp")))
    folder.chmod(0o711)  # for the folders of an ordinary user
    return folder


# -- in the process that has others run the tests -----------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All workers' folders are in one, which this process looks through and removes when they have ended."""
    if FOLDER not in node.config.stash:
        node.config.stash[FOLDER] = new_folder()
    node.workerinput["folder"] = str(node.config.stash[FOLDER])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each worker cleans up, or fails; but one may have crashed, or been killed after Ctrl-C."""
    if FOLDER not in session.config.stash:
        return
    machine = Machine(session.config.stash[FOLDER])
    left = [*machine.processes(), *machine.mounts(), *map(str, machine.root.iterdir())]
    machine.end_all()
    if not machine.mounts():
        files.remove_tree(machine.root)
    session.config.stash[LEFT] = left
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left := config.stash.get(LEFT, []):
        terminalreporter.section("left behind", red=True)
        for line in left:
            terminalreporter.write_line(line)


# -- in each process that runs tests ------------------------------------------------------------


@pytest.fixture(scope="session")
def place(pytestconfig: pytest.Config) -> Iterator[Place]:
    """Where the tests of this process make what they need."""
    given = getattr(pytestconfig, "workerinput", {})
    if "folder" in given:
        worker = int(given["workerid"].removeprefix("gw"))
        yield Place(Path(given["folder"]), worker, given["workercount"])
        return
    folder = new_folder()
    yield Place(folder)
    folder.rmdir()


@pytest.fixture(scope="session")
def machine(place: Place) -> Iterator[Machine]:
    """A private place for hosts."""
    root = place.private(*(f"data/winesilo/hosts/{name}" for name in HOSTS))
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
            left = [*machine.processes(), *machine.mounts()]
            machine.end_all()
            files.remove_tree(root)
    assert not left, f"this was left behind: {left}"


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
def user_cli(machine: Machine, place: Place) -> Iterator[Cli]:
    """The command line run by an ordinary user, on a host of this user's own."""
    with user_command_line(machine, place) as cli:
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
