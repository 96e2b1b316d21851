"""The services that winesilo brings along, stand-ins for some that Wine lacks, each with a client.

Each is installed in the silo by ``silo service NAME install``, from its package in ``services/``.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from iso import content
from telnet import PORT as TELNET
from telnet import telnet
from web import PORT as HTTP
from web import get
from wineown import NAMES, WineOwn

from winesilo.api import Silo
from winesilo.demo.workload import check_nobody_answers, eventually
from winesilo.errors import DemoError

__all__ = ["SCOPES", "CiSvc", "DcomLaunch", "Iis", "Imapi", "TlntSvr", "find", "launcher", "launching_parent"]

READY_S: Final = 60.0
#: Folders that CiSvc's catalogue System is made of: a value each, its data the flags.
SCOPES: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\ContentIndex\Catalogs\System\Scopes"
#: What ciquery.exe says when there is no index yet (ERROR_NOT_READY).
NOT_READY: Final = "80070015"
PROMPT: Final = b"C:\\>"


class StandIn(WineOwn):
    """What they have in common: nothing to fetch, a package to install.

    Attributes:
        package: its name.
        images: the programs that may not run any more once it is stopped.
    """

    package: ClassVar[str]
    images: ClassVar[frozenset[str]] = frozenset()

    def install(self, silo: Silo) -> None:
        """Install the package."""
        if self.service not in (names := silo.install(self.package)):
            raise DemoError(f"the package {self.package} has brought {names}, but no {self.service}")

    def check_gone(self, silo: Silo) -> None:
        """None of its programs may run."""
        if left := self.images & {process.name for process in silo.ps()}:
            raise DemoError(f"{', '.join(sorted(left))} in silo {silo.name} still runs")


class TlntSvr(StandIn):
    """The telnet server: a session in each silo finds what a session there has left."""

    service = "TlntSvr"
    title = "TlntSvr (stand-in)"
    package = "tlntsvr"
    images = frozenset({"tlntsvr.exe", "tlntsess.exe"})

    def wait_ready(self, silo: Silo) -> None:
        """Wait for a session."""
        self._type(silo, "ver")

    def write(self, silo: Silo) -> None:
        """Type the silo's name into a file."""
        self._type(silo, rf"echo {silo.name}> C:\who.txt")

    def check(self, silo: Silo) -> str:
        """Read it in another session."""
        super().check(silo)
        if silo.name not in (lines := self._type(silo, r"type C:\who.txt")):
            raise DemoError(f"a telnet session in silo {silo.name} reads {lines}")
        return f"{silo.address}:{TELNET} gives sessions of its own"

    def _type(self, silo: Silo, line: str) -> list[str]:
        """Have a session run a line; what came up to the next prompt, the line's echo first."""

        def session() -> list[str]:
            try:
                with telnet(silo.address) as client:
                    client.until(PROMPT)
                    client.line(line)
                    lines = client.until(PROMPT).decode(errors="replace").split("\r\n")
                    client.line("exit")
                    client.rest()
            except OSError as error:
                raise DemoError(f"no session: {error}") from error
            return lines

        # A session that was just left may still count as one of the two that there may be.
        return eventually(session, DemoError, READY_S, f"no telnet session at {silo.address}")

    def check_gone(self, silo: Silo) -> None:
        """Nobody may answer, and no session may go on."""
        check_nobody_answers(silo.address, TELNET)
        super().check_gone(silo)


class CiSvc(StandIn):
    """The indexing service: queries in each silo find that silo's documents alone."""

    service = "CiSvc"
    title = "CiSvc (stand-in)"
    package = "cisvc"
    images = frozenset({"cisvc.exe", "cidaemon.exe"})
    document = r"C:\docs\mine.txt"

    def install(self, silo: Silo) -> None:
        """Install the package, and have it index a folder."""
        super().install(silo)
        self.client(silo, "cmd", "/c", "mkdir", r"C:\docs")
        self.client(silo, "reg", "add", SCOPES, "/v", r"C:\docs", "/d", ",,5", "/f")

    def wait_ready(self, silo: Silo) -> None:
        """Wait for the answer to a query, whatever it is."""
        eventually(lambda: find(silo, "anything"), DemoError, READY_S, "CiSvc did not answer")

    def write(self, silo: Silo) -> None:
        """Write a document with a word that both have, and one that only this silo has."""
        self.client(silo, "cmd", "/c", f"echo common word of {silo.name}> {self.document}")

    def check(self, silo: Silo) -> str:
        """Wait until it is found by both; the other silo's may not be."""
        super().check(silo)
        for words in (("common",), ("common", silo.name)):
            eventually(partial(self._found, silo, *words), DemoError, READY_S, "it was not indexed")
        other = next(name for name in NAMES if name != silo.name)
        if found := find(silo, "common", other):
            raise DemoError(f"the index of silo {silo.name} knows {found} of silo {other}")
        return "its index has its own document alone"

    def _found(self, silo: Silo, *words: str) -> None:
        if (found := find(silo, *words)) != [self.document]:
            raise DemoError(f"in silo {silo.name}, {' '.join(words)} is found in {found}")


def find(silo: Silo, *words: str) -> list[str]:
    """The documents that a query in a silo finds; none where there is no index yet.

    Raises:
        DemoError: CiSvc did not answer.
    """
    done = silo.run([r"C:\windows\system32\ciquery.exe", *words])
    if done.returncode not in (0, 1) and NOT_READY not in done.stderr:
        raise DemoError(f"ciquery failed ({done.returncode}) in silo {silo.name}: {done.stderr.strip()}")
    return done.stdout.split()


class Iis(StandIn):
    """IISADMIN, HTTPFilter and W3SVC, which needs both: each silo serves its own pages on port 80."""

    service = "W3SVC"
    title = "IIS: IISADMIN, HTTPFilter, W3SVC (stand-ins)"
    package = "iis"
    images = frozenset({"inetinfo.exe"})
    root = r"C:\inetpub\wwwroot"

    def wait_ready(self, silo: Silo) -> None:
        """Wait for its first page."""
        get(f"http://{silo.address}/")

    def write(self, silo: Silo) -> None:
        """Put a page there that names the silo."""
        with tempfile.TemporaryDirectory(prefix="winesilo-iis-") as place:
            page = Path(place) / "silo.txt"
            page.write_text(silo.name)
            silo.copy_in(page, self.root)

    def check(self, silo: Silo) -> str:
        """Get it back; it must name this silo."""
        super().check(silo)
        text = get(f"http://{silo.address}/silo.txt")
        if text != silo.name:
            raise DemoError(f"W3SVC in silo {silo.name} serves {text!r}")
        return f"{silo.address}:{HTTP} serves its own page"

    def check_gone(self, silo: Silo) -> None:
        """Nobody may answer."""
        check_nobody_answers(silo.address, HTTP)
        super().check_gone(silo)


class Imapi(StandIn):
    """The disc recording service, which COM starts when its client asks for the class."""

    service = "ImapiService"
    title = "ImapiService (stand-in), started by activation"
    package = "imapi"
    images = frozenset({"imapi.exe"})

    def wait_ready(self, silo: Silo) -> None:
        """Ask for the recorders."""
        if "ISO image" not in (found := " ".join(self.client(silo, "cdburn", "-list"))):
            raise DemoError(f"the recorders of silo {silo.name} are {found}")

    def write(self, silo: Silo) -> None:
        """Record a folder with a file that names the silo."""
        self.client(silo, "cmd", "/c", "mkdir", r"C:\disc")
        self.client(silo, "cmd", "/c", rf"echo {silo.name}> C:\disc\who.txt")
        (path, *_) = self.client(silo, "cdburn", "-burn", "0", r"C:\disc", "mine")
        if path != r"C:\images\disc1.iso":
            raise DemoError(f"the first image of silo {silo.name} is {path}")

    def check(self, silo: Silo) -> str:
        """The recorder must be there, the image be the silo's only one, and hold its own file."""
        self.wait_ready(silo)
        super().check(silo)
        with tempfile.TemporaryDirectory(prefix="winesilo-imapi-") as place:
            silo.copy_out(r"C:\images", place)
            images = {path.name: content(path) for path in Path(place).rglob("*.iso")}
        if images != {"disc1.iso": ("mine", {"who.txt": f"{silo.name}\r\n".encode()})}:
            raise DemoError(f"the images of silo {silo.name} are {images}")
        return "its image holds its own file"


class DcomLaunch(StandIn):
    """The launcher: COM servers of each silo are processes that this silo's service has started."""

    service = "DcomLaunch"
    title = "DcomLaunch (stand-in)"
    package = "dcomlaunch"
    programs = ("comserver",)

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}

    def install(self, silo: Silo) -> None:
        """Install the package and a COM server; RpcSs depends on it from the next start on."""
        super().install(silo)
        self.client(silo, r"C:\comserver.exe", "register")
        silo.restart()
        if self.service not in (needed := silo.service("RpcSs").info().dependencies):
            raise DemoError(f"RpcSs in silo {silo.name} depends on {needed}")

    def wait_ready(self, silo: Silo) -> None:
        """Wait until activation goes through it: until it has RpcSs, clients launch servers themselves."""
        eventually(lambda: self._launches(silo), DemoError, READY_S, "activation goes another way")

    def check(self, silo: Silo) -> str:
        """Activate a server; its parent must be the service's process."""
        super().check(silo)
        self._launches(silo)
        return "its servers are its own children"

    def check_gone(self, silo: Silo) -> None:
        """Its process may not run any more."""
        if self._pids[silo.name] in {process.pid for process in silo.ps()}:
            raise DemoError(f"the process of DcomLaunch in silo {silo.name} still runs")

    def _launches(self, silo: Silo) -> None:
        parent, own = launching_parent(silo), launcher(silo)
        if own is None or parent != own:
            raise DemoError(f"process {parent} launches servers in silo {silo.name}, not {own}")
        self._pids[silo.name] = own


def launcher(silo: Silo) -> int | None:
    """The process of a silo's DcomLaunch; None where it does not run."""
    return silo.service("DcomLaunch").info().pid


def launching_parent(silo: Silo) -> int:
    r"""Which process launches a COM server, ``C:\comserver.exe``, when a client asks for its class.

    Raises:
        DemoError: it can't be had.
    """
    done = silo.run([r"C:\comserver.exe", "activate"])
    values = dict(line.split() for line in done.stdout.splitlines() if " " in line)
    if done.returncode or "parent" not in values:
        raise DemoError(f"activation failed ({done.returncode}) in silo {silo.name}: {done.stderr}")
    return int(values["parent"])
