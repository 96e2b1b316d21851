"""Wine's own services, each with a client; the host has them as well, and its own run beside the silos'.

Most clients are Windows programs of ``tests/guest``, run in the silo; RpcSs and BITS have the other side on
Linux.
"""

from __future__ import annotations

import contextlib
import http.server
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from epmapper import bind, map_endpoint, map_endpoint_tcp

from winesilo.api import PIPE, Program, Silo
from winesilo.demo.workload import Say
from winesilo.errors import DemoError, ServiceError

__all__ = ["NAMES", "Bits", "EventLog", "Installer", "RpcSs", "Schedule", "Spooler", "WineOwn", "interface"]

GUESTS: Final = Path(__file__).resolve().parents[1] / "guest" / "build"
CLIENT_S: Final = 90.0
#: The silos of a trial.
NAMES: Final = ("matrix-a", "matrix-b")


class WineOwn:
    """What they have in common: nothing to fetch and to install but the client.

    Attributes:
        programs: the clients, of ``tests/guest``.
    """

    service: str
    title: str
    programs: ClassVar[tuple[str, ...]] = ()

    def fetch(self, say: Say) -> None:
        """Nothing to get: it is part of Wine.

        Raises:
            DemoError: a client is not built.
        """
        del say
        for name in self.programs:
            if not (GUESTS / f"{name}.exe").is_file():
                raise DemoError(f"{name}.exe is not built", "run: make guest-tests")

    def prepare(self, template: Silo, say: Say) -> None:
        """Copy the clients."""
        del say
        for name in self.programs:
            template.copy_in(GUESTS / f"{name}.exe", "C:\\")

    def install(self, silo: Silo) -> None:
        """Nothing to install."""

    def wait_ready(self, silo: Silo) -> None:
        """The SCM has said that it runs."""

    def write(self, silo: Silo) -> None:
        """Nothing to store."""

    def check(self, silo: Silo) -> str:
        """The SCM of the silo must say that it runs, asked from outside and from inside."""
        self.client(silo, "sc", "query", self.service)
        if (state := silo.service(self.service).info().state) != "running":
            raise DemoError(f"{self.service} in silo {silo.name} is {state}")
        return f"{self.service} runs"

    def check_gone(self, silo: Silo) -> None:
        """The SCM has said that it is stopped."""

    def client(self, silo: Silo, *words: str) -> list[str]:
        """Run a program in the silo; the lines it printed.

        Raises:
            DemoError: it failed.
        """
        done = silo.run(words, timeout=CLIENT_S)
        if done.returncode != 0:
            output = " ".join((done.stdout + done.stderr).split())
            raise DemoError(f"'{' '.join(words)}' failed ({done.returncode}) in silo {silo.name}: {output}")
        return done.stdout.split("\r\n")


class EventLog(WineOwn):
    """Wine's event log keeps no events: there is its state alone to look at."""

    service = "EventLog"
    title = "Wine's EventLog"


class Spooler(WineOwn):
    """The print spooler: each silo has a printer that the other one has not."""

    service = "Spooler"
    title = "Wine's Spooler"
    programs = ("printers",)

    def write(self, silo: Silo) -> None:
        """Add a printer that has the silo's name."""
        self.client(silo, r"C:\printers.exe", "add", silo.name)

    def check(self, silo: Silo) -> str:
        """List the printers."""
        super().check(silo)
        return _only_own(silo, self.client(silo, r"C:\printers.exe", "list"), "printers")


class Schedule(WineOwn):
    """The task scheduler, which its client reaches over the pipe atsvc."""

    service = "Schedule"
    title = "Wine's Schedule"
    programs = ("tasks",)

    def write(self, silo: Silo) -> None:
        """Register a task that has the silo's name."""
        self.client(silo, r"C:\tasks.exe", "register", silo.name)

    def check(self, silo: Silo) -> str:
        """Look for the tasks of both."""
        super().check(silo)
        return _only_own(silo, self.client(silo, r"C:\tasks.exe", "look", *NAMES), "tasks")


class Installer(WineOwn):
    """The Windows Installer: each silo has a product that the other one has not."""

    service = "MSIServer"
    title = "Wine's MSIServer"
    programs = ("installer",)

    def write(self, silo: Silo) -> None:
        """Make a package and install it."""
        self.client(silo, r"C:\installer.exe", "install", _code(silo), silo.name)

    def check(self, silo: Silo) -> str:
        """List the products, and look for what the product has put into the registry."""
        super().check(silo)
        found = {line for line in self.client(silo, r"C:\installer.exe", "list") if line}
        if _code(silo) not in found or len(found & {_code_of(name) for name in NAMES}) > 1:
            raise DemoError(f"the products in silo {silo.name} are {sorted(found)}")
        lines = self.client(silo, "reg", "query", r"HKLM\Software\winesilo msi", "/v", "product")
        return _only_own(silo, " ".join(lines).split(), "registered products")


class Bits(WineOwn):
    """The transfer service: fetches from http://127.0.0.1 what is served at the silo's address on Linux."""

    service = "BITS"
    title = "Wine's BITS"
    programs = ("bits",)

    def write(self, silo: Silo) -> None:
        """Have it fetch a page that names the silo."""
        self.client(silo, "cmd", "/c", "if", "exist", r"C:\got.txt", "del", r"C:\got.txt")
        with _served(silo.address, silo.name) as port:
            self.client(silo, r"C:\bits.exe", f"http://127.0.0.1:{port}/page", r"C:\got.txt")

    def check(self, silo: Silo) -> str:
        """Look at what it has fetched."""
        super().check(silo)
        with tempfile.TemporaryDirectory(prefix="winesilo-bits-") as folder:
            silo.copy_out(r"C:\got.txt", Path(folder) / "got.txt")
            text = (Path(folder) / "got.txt").read_text()
        return _only_own(silo, [text], "fetched pages")


class RpcSs(WineOwn):
    """The endpoint mapper: knows the endpoints of its silo's servers, which answer at the silo's address.

    Each silo has a server with an interface of its own. A client on Linux asks the silo's mapper, over its
    pipe ``epmapper``, where that is, and binds to it over TCP. Where the package rpceptmapper was installed,
    it asks over TCP, too, at the silo's address.
    """

    service = "RpcSs"
    title = "Wine's RpcSs, and RpcEptMapper (stand-in)"
    programs = ("endpoints", "relay")

    def __init__(self) -> None:
        self._servers: dict[str, Program] = {}
        self._mappers: set[str] = set()

    def install(self, silo: Silo) -> None:
        """Install the mapper's TCP endpoint, and start it."""
        (name,) = silo.install("rpceptmapper")
        silo.service(name).start()
        self._mappers.add(silo.name)

    def wait_ready(self, silo: Silo) -> None:
        """Start a server, which registers itself; a mapper that was stopped has forgotten the one before."""
        self._end_server(silo.name)
        words = [r"C:\endpoints.exe", interface(silo.name)]
        server = silo.popen(words, stdin=PIPE, stdout=PIPE)
        self._servers[silo.name] = server
        watchdog = threading.Timer(CLIENT_S, server.terminate)
        watchdog.start()
        try:
            assert server.stdout is not None
            if server.stdout.readline().strip() != b"ready":
                raise DemoError(f"endpoints.exe could not register itself in silo {silo.name}")
        finally:
            watchdog.cancel()

    def check(self, silo: Silo) -> str:
        """Ask the mapper for the silo's interface, and for the others', which it may not know."""
        super().check(silo)
        for name in self._servers:
            self._check_one(silo, name, map_endpoint(silo, interface(name)))
            if silo.name in self._mappers:
                self._check_one(silo, name, map_endpoint_tcp(silo.address, interface(name)))
        return "its endpoint mapper knows its own server alone"

    def _check_one(self, silo: Silo, name: str, port: int | None) -> None:
        if name != silo.name and port is not None:
            raise DemoError(f"the endpoint mapper of silo {silo.name} knows the server of silo {name}")
        if name == silo.name:
            if port is None:
                raise DemoError(f"the endpoint mapper of silo {silo.name} does not know its own server")
            bind(silo.address, port, interface(name))

    def check_gone(self, silo: Silo) -> None:
        """No mapper may answer."""
        self._end_server(silo.name)
        with contextlib.suppress(ServiceError, DemoError):
            map_endpoint(silo, interface(silo.name))
            raise AssertionError(f"the endpoint mapper of silo {silo.name} still answers")
        with contextlib.suppress(DemoError):
            map_endpoint_tcp(silo.address, interface(silo.name))
            raise AssertionError(f"the endpoint mapper of silo {silo.name} still answers over TCP")

    def close(self) -> None:
        """End the servers that still run."""
        for name in list(self._servers):
            self._end_server(name)

    def _end_server(self, name: str) -> None:
        server = self._servers.pop(name, None)
        if server is not None:
            server.terminate()
            with server:  # closes its pipes and waits for its end
                pass


def interface(name: str) -> str:
    """An interface's id for a silo."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _code_of(name: str) -> str:
    return f"{{{interface(name).upper()}}}"


def _code(silo: Silo) -> str:
    """A product's code for a silo."""
    return _code_of(silo.name)


def _only_own(silo: Silo, found: list[str], what: str) -> str:
    """Of the names of silos in a list there must be the silo's own one alone."""
    names = [name for name in found if name in NAMES]
    if names != [silo.name]:
        raise DemoError(f"the {what} in silo {silo.name} are {found}")
    return f"its {what} are its own"


@contextlib.contextmanager
def _served(address: str, text: str) -> Iterator[int]:
    """A web server that has one page; yields its port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Last-Modified", self.date_time_string(0))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((address, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
