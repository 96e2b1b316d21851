r"""PostgreSQL 15 for Windows as a service.

``initdb`` makes the data folder once, in the template. ``pg_ctl register`` makes the service: the SCM runs
``pg_ctl runservice``, which starts ``postgres.exe``, which starts a process per connection and some more;
they share memory by a named section and inherited handles.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import pg8000.native

from winesilo.api import Silo
from winesilo.demo.package import NpmPackage, extract, fetch
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

__all__ = ["PORT", "Postgres", "connect"]

PACKAGE: Final = NpmPackage(
    name="@embedded-postgres/windows-x64",
    version="15.18.0-beta.17",
    sha256="f97238cf4ff03182da7cb4294f694ebf219eac851a6635820549a41d6e8d0be7",
    size=35_683_922,
    files={
        "native/bin/postgres.exe": "4e56d111c35353e3f9efe5e55cd84d72f91fdcb2c781a87da8a1add2b9799fe3",
        "native/bin/pg_ctl.exe": "1e4d8d6a3338e404dc587742005520d49f89bfb859e8999b4355d9ab53a790eb",
        "native/bin/initdb.exe": "2d6a09e73d2d7da5fcf8fa2218ff7881048fdeaeec62372f55356d236b50b71c",
    },
)
#: The server; its encodings, other languages and other clients are left out.
WANTED: Final = (
    "bin/postgres.exe",
    "bin/pg_ctl.exe",
    "bin/initdb.exe",
    "bin/icu*.dll",
    "bin/lib*.dll",
    "bin/zlib1.dll",
    "lib/plpgsql.dll",
    "lib/dict_snowball.dll",
    "share/*.*",
    "share/timezone",
    "share/timezonesets",
    "share/tsearch_data",
    "share/extension/plpgsql*",
)
PORT: Final = 5432
DATA: Final = r"C:\pg\data"
INITIALISE: Final = (
    r"C:\pg\bin\initdb.exe",
    *("-D", DATA, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
)
REGISTER: Final = (r"C:\pg\bin\pg_ctl.exe", "register", "-N", "PostgreSQL", "-D", DATA, "-S", "demand")
SETTINGS: Final = """
listen_addresses = '{address}'
port = {port}
shared_buffers = 16MB
max_connections = 20
log_timezone = 'UTC'
timezone = 'UTC'
"""
INITIALISE_S: Final = 180.0
READY_S: Final = 60.0


def connect(address: str, port: int = PORT) -> pg8000.native.Connection:
    """A connection to a server that may still be starting.

    Raises:
        DemoError: it did not answer in time.
    """

    def attempt() -> pg8000.native.Connection:
        return pg8000.native.Connection("postgres", host=address, port=port, timeout=30)

    # While it starts it refuses (an InterfaceError) or says so (a DatabaseError).
    return eventually(attempt, pg8000.Error, READY_S, f"PostgreSQL did not answer at {address}:{port}")


class Postgres:
    """PostgreSQL 15 from the npm registry; see :class:`winesilo.demo.workload.Workload`."""

    service = "PostgreSQL"
    title = "PostgreSQL 15 for Windows"

    def __init__(self) -> None:
        self._archive: Path | None = None
        self.prefix_port = 0

    def fetch(self, say: Say) -> None:
        """Get the package, from the cache or through npm."""
        self._archive = fetch(PACKAGE, say)

    def prepare(self, template: Silo, say: Say) -> None:
        r"""Copy the program to ``C:\pg`` and initialise its data folder."""
        assert self._archive is not None, "fetch comes first"
        say("installing PostgreSQL in the template")
        with tempfile.TemporaryDirectory(prefix="winesilo-pg-") as folder:
            extract(PACKAGE, self._archive, "native", WANTED, Path(folder) / "pg")
            template.copy_in(Path(folder) / "pg", r"C:\pg")
            say("initialising PostgreSQL's data folder")
            done = template.run(INITIALISE, timeout=INITIALISE_S)
            if done.returncode != 0:
                raise DemoError(
                    f"initdb failed ({done.returncode}): {done.stdout[-500:]}{done.stderr[-500:]}"
                )
            settings = Path(folder) / "postgresql.auto.conf"
            settings.write_text(SETTINGS.format(address="*", port=PORT))
            template.copy_in(settings, DATA)

    def install(self, silo: Silo) -> None:
        """Let PostgreSQL install itself as a service, as its manual says."""
        install_with(silo, REGISTER)

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """Copy the initialised program into a plain prefix and install the service there."""
        self.prefix_port = free_port()
        folder = prefix.drive_c / "pg"
        template.copy_out(r"C:\pg", folder)
        settings = folder / "data" / "postgresql.auto.conf"
        settings.write_text(SETTINGS.format(address=PREFIX_ADDRESS, port=self.prefix_port))
        prefix.run(REGISTER)

    def wait_ready(self, silo: Silo) -> None:
        """Wait until the silo's server lets a client in."""
        connect(silo.address).close()

    def wait_ready_in_prefix(self) -> None:
        """Wait until the plain prefix' server lets a client in."""
        connect(PREFIX_ADDRESS, self.prefix_port).close()

    def write(self, silo: Silo) -> None:
        """Make a table with one row that names the silo."""
        connection = connect(silo.address)
        try:
            connection.run("CREATE TABLE note (id SERIAL PRIMARY KEY, silo TEXT)")
            connection.run("INSERT INTO note (silo) VALUES (:silo)", silo=silo.name)
        finally:
            connection.close()

    def check(self, silo: Silo) -> str:
        """Read the rows back; only this silo's own may be there."""
        connection = connect(silo.address)
        try:
            rows = [row[0] for row in connection.run("SELECT silo FROM note ORDER BY id")]
        finally:
            connection.close()
        if rows != [silo.name]:
            raise DemoError(f"PostgreSQL in silo {silo.name} holds the rows {rows}, not its own one")
        return f"{silo.address}:{PORT} answers with its own row"

    def check_gone(self, silo: Silo) -> None:
        """After its end nobody may answer on the silo's address."""
        check_nobody_answers(silo.address, PORT)

    def check_base(self, base: Path) -> None:
        """Its files may not be in the host's prefix."""
        if (base / "drive_c" / "pg").exists():
            raise DemoError(f"PostgreSQL's files are in the host's prefix {base}")
