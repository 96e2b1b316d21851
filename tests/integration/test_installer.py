"""An installer of a service, an MSI with the tables ServiceInstall and ServiceControl, all in one silo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli, TemporarySilo, tree_hash
from hostside import HostSide

from winesilo import Host
from winesilo.errors import ServiceError

NewSilo = Callable[..., TemporarySilo]
SERVICE = "InstalledService"
FOLDER = r"C:\Program Files\Winesilo test"
KEY = r"HKLM\Software\Winesilo\Installed"
UNINSTALL = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall"
PACKAGE = r"C:\testsvc.msi"


@pytest.fixture(scope="session")
def package() -> Path:
    path = Path(__file__).resolve().parent.parent / "guest" / "build" / "testsvc.msi"
    if not path.is_file():
        pytest.skip(f"{path} is not built, which takes wixl: make guest-tests")
    return path


def msiexec(silo: TemporarySilo, what: str) -> None:
    """Run the installer without a window; what it logs is in the silo's C:\\log.txt, for the message."""
    done = silo.silo.run(["msiexec", what, PACKAGE, "/qn", "/l*v", r"C:\log.txt"], timeout=120)
    assert done.returncode == 0, silo.silo.run(["cmd", "/c", r"type C:\log.txt"]).stdout


def names_of(silo: TemporarySilo) -> set[str]:
    return {service.name for service in silo.silo.services()}


def nothing_of_it(silo: TemporarySilo) -> None:
    """Neither the service nor a file or key of it is there."""
    assert SERVICE not in names_of(silo)
    assert silo.silo.run(["sc", "query", SERVICE]).returncode != 0
    assert silo.silo.run(["cmd", "/c", "dir", FOLDER]).returncode != 0
    for key in (KEY, rf"HKLM\System\CurrentControlSet\Services\{SERVICE}"):
        assert silo.silo.run(["reg", "query", key]).returncode != 0, key
    assert "Winesilo test service" not in silo.run("reg", "query", UNINSTALL, "/s")
    assert not [process for process in silo.silo.ps() if process.name == "testsvc.exe"]


def test_install_and_uninstall(new_silo: NewSilo, cli: Cli, package: Path) -> None:
    """The service runs after the installation and after a boot; uninstalling takes everything away."""
    silo, other = new_silo(), new_silo()
    silo.silo.copy_in(package, "C:\\")
    msiexec(silo, "/i")
    info = silo.silo.service(SERVICE).info()
    assert (info.state, info.start_type, info.display_name) == ("running", "auto", "Installed test service")
    assert info.binary_path.strip('"').startswith(FOLDER)
    shown = cli("service", silo.name, "show", SERVICE, "--json").json()
    assert (shown["description"], shown["dependencies"]) == ("Comes with an installer", ["RpcSs"])
    assert "RUNNING" in silo.run("sc", "query", SERVICE)
    assert [process.pid for process in silo.silo.ps() if process.name == "testsvc.exe"] == [info.pid]
    assert silo.reg_get(KEY, "Folder") == FOLDER + "\\"
    assert "ServiceDependency" in silo.run("cmd", "/c", "type", FOLDER + r"\settings.txt")
    assert "Winesilo test service" in silo.run("reg", "query", UNINSTALL, "/s")
    nothing_of_it(other)

    silo.silo.restart()
    assert silo.silo.service(SERVICE).info().state in ("start-pending", "running")
    silo.silo.service(SERVICE).restart()

    msiexec(silo, "/x")
    nothing_of_it(silo)
    silo.silo.restart()
    nothing_of_it(silo)


def test_two_at_once(new_silo: NewSilo, package: Path) -> None:
    """The same product in two silos: each has its own, and removing one leaves the other."""
    one, other = new_silo(), new_silo()
    for silo in (one, other):
        silo.silo.copy_in(package, "C:\\")
        msiexec(silo, "/i")
    assert one.silo.service(SERVICE).info().pid != other.silo.service(SERVICE).info().pid
    msiexec(one, "/x")
    nothing_of_it(one)
    assert other.silo.service(SERVICE).info().state == "running"
    assert other.reg_get(KEY, "Folder") == FOLDER + "\\"


def test_host_sees_nothing(silo: TemporarySilo, package: Path) -> None:
    silo.silo.copy_in(package, "C:\\")
    msiexec(silo, "/i")
    side = HostSide(silo.host, silo.name)

    def on_host(*words: str) -> int:
        return side.try_run(words)[0]

    assert on_host("sc", "query", "RpcSs") == 0
    assert on_host("sc", "query", SERVICE) != 0
    assert on_host("reg", "query", UNINSTALL.rpartition("\\")[0]) == 0
    assert on_host("reg", "query", KEY) != 0
    assert on_host("cmd", "/c", "dir", FOLDER) != 0


def test_base_does_not_change(host: Host, new_silo: NewSilo, package: Path) -> None:
    """Neither installing nor uninstalling touches the base."""
    host.stop(force=True)
    before = tree_hash(host.base)
    silo = new_silo()
    silo.silo.copy_in(package, "C:\\")
    msiexec(silo, "/i")
    assert silo.silo.service(SERVICE).info().state == "running"
    host.stop(force=True)
    assert tree_hash(host.base) == before
    silo.silo.start()
    msiexec(silo, "/x")
    with pytest.raises(ServiceError):
        silo.silo.service(SERVICE).info()
    host.stop(force=True)
    assert tree_hash(host.base) == before
