"""Real services in a silo and on the host: how long they take to start, how much they do.

Both sides have the same program with the same data, installed by its own installer, and start it with
``net start``.  On the host it runs in the base, on the same wineserver, without the interposer.  Everything
is measured in turns, the order alternating.  A round is a start of both with the client's first answer, then
slices of load, then a stop: which cores the scheduler gives to whom, and the memory that processes happen to
get, make one start up to 15 % quicker or slower than the next, on either side, so each round counts as one
observation.  Rates are given as the time of one request or transaction, so that less is better as everywhere
here.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import postgres
import w3svc
import web
from hostside import HostSide
from sides import median_of

from winesilo.demo import mysql
from winesilo.demo.workload import check_nobody_answers, eventually, install_with
from winesilo.errors import DemoError, WinesiloError

if TYPE_CHECKING:
    from run import Options, Results

    from winesilo import Host, Silo
    from winesilo.demo.prefix import PlainPrefix
    from winesilo.demo.workload import Measurable

START_LIMIT = 1.10
#: A silo may do 3 % less in the same time.
RATE_LIMIT = 1 / 0.97
#: Short, so that neighbours see the same machine.
SLICE_S = 0.25
#: Slices of load for each start, on each side.
SLICES = 8
#: Rounds go on, up to so many times those asked for, while it is unclear if a rate is over its limit.
REPEATS = 4
#: About a slice.
HTTP_REQUESTS = 150
HTTP_CLIENTS = 4
ROWS = 1000
STOPPED_S = 60.0


@dataclass(frozen=True)
class Measured:
    """A service to measure.

    Attributes:
        workload: what is installed.
        installer: the command that makes its service; the word that is the service's name is replaced;
            empty where the workload has made it.
        port: where it listens in a silo.
        prepare: makes the data for the load.
        load: the seconds that one request takes, as the mean of a slice.
        image: the program to end; empty where the service stops by itself.
        left: a program of which some may be left when the service has stopped: nginx' workers, if NSSM ends
            the master before it has told them.
    """

    workload: Measurable
    installer: Sequence[str]
    port: int
    prepare: Callable[[str, int], None]
    load: Callable[[str, int], float]
    image: str = ""
    left: str = ""


class Side:
    """The service on one of the two sides.

    Args:
        side: its name.
        measured: what.
        address: where it listens.
        port: the same.
        run: runs a Windows program there, which must succeed.
        ready: waits until it answers.
    """

    def __init__(
        self,
        side: str,
        measured: Measured,
        address: str,
        port: int,
        run: Callable[[Sequence[str]], object],
        ready: Callable[[], None],
    ) -> None:
        self._side = side
        self._measured = measured
        self._run = run
        self._ready = ready
        self._number = 0
        self.address, self.port = address, port

    @property
    def _name(self) -> str:
        """A service of its own for each start: Wine's SCM never sees the end of one that was killed.

        And for each side: a silo sees the services of the host's base.
        """
        return f"{self._side}{self._number}" if self._measured.installer else self._measured.workload.service

    def start(self) -> float:
        """Seconds from ``net start`` to the client's first answer."""
        self._number += 1
        name = self._measured.workload.service
        if self._measured.installer:
            self._run([self._name if word == name else word for word in self._measured.installer])
        begin = time.monotonic()
        self._run(["net", "start", self._name])
        self._ready()
        return time.monotonic() - begin

    def stop(self) -> None:
        """Stop it, and wait until nobody answers any more."""
        if self._measured.image:
            self._run(["taskkill", "/f", "/im", self._measured.image])
        else:
            self._run(["net", "stop", self._name])
        if self._measured.left:
            with contextlib.suppress(WinesiloError):  # none is the rule
                self._run(["taskkill", "/f", "/im", self._measured.left])
        eventually(
            lambda: check_nobody_answers(self.address, self.port), DemoError, STOPPED_S, "it did not stop"
        )

    def load(self) -> float:
        """Seconds for one request."""
        return self._measured.load(self.address, self.port)

    def prepare(self) -> None:
        """Make the data for the load."""
        self._measured.prepare(self.address, self.port)


def measure(host: Host, prefix: PlainPrefix, options: Options, results: Results) -> None:
    """Measure all services, or those whose names ``options.only`` fits; a part of ``bench/run.py``."""
    del prefix
    with host.create("keeper") as keeper:
        hostside = HostSide(host, keeper.name)
        for measured in _catalogue():
            if options.only.search(measured.workload.service):
                _measure(host, hostside, measured, options.rounds, results)


def _catalogue() -> list[Measured]:
    return [
        Measured(web.Apache(), web.Apache.installer, web.PORT, _nothing, _http),
        Measured(web.Nginx(), web.Nginx.installer, web.PORT, _nothing, _http, left="nginx.exe"),
        Measured(w3svc.W3Svc(), (), w3svc.PORT, _nothing, _http_kept),
        Measured(mysql.MySql(), mysql.INSTALL, mysql.PORT, _prepare_mysql, _mysql, image="mysqld.exe"),
        Measured(postgres.Postgres(), postgres.REGISTER, postgres.PORT, _prepare_postgres, _postgres),
    ]


def _measure(host: Host, hostside: HostSide, measured: Measured, rounds: int, results: Results) -> None:
    workload = measured.workload
    workload.fetch(lambda _: None)
    template = host.create("template")
    starts = rounds * REPEATS
    names = [workload.service, *(f"host{number + 1}" for number in range(starts))]
    try:
        template.start()
        workload.prepare(template, lambda _: None)
        template.stop()
        with template.clone("bench") as silo:
            # Now, and gone in the end: a silo that boots starts what it sees in the base, too.
            workload.install_in_prefix(silo, hostside)
            _measure_sides(_sides(silo, hostside, measured), workload.service, rounds, results)
    finally:
        for name in names:
            hostside.try_run(["sc", "delete", name])
        template.remove(force=True)


def _sides(silo: Silo, hostside: HostSide, measured: Measured) -> tuple[Side, Side]:
    workload: Any = measured.workload
    return (
        Side(
            "silo",
            measured,
            silo.address,
            measured.port,
            lambda words: install_with(silo, words),
            lambda: workload.wait_ready(silo),
        ),
        Side(
            "host",
            measured,
            "127.0.0.1",
            workload.prefix_port,
            hostside.run,
            workload.wait_ready_in_prefix,
        ),
    )


def _measure_sides(sides: tuple[Side, Side], name: str, rounds: int, results: Results) -> None:
    starts: list[tuple[float, float]] = []
    loads: list[tuple[float, float]] = []
    for number in range(rounds * REPEATS):
        starts.append(_in_turn(sides, number, Side.start))
        try:
            loads.append(_load(sides, number))
        finally:
            _stop(sides)
        _, low, high = _compare(loads)
        if number + 1 >= rounds and not low <= RATE_LIMIT <= high:
            break
    _add(results, f"{name}: start to first answer", starts, 1, "s", START_LIMIT)
    _add(results, f"{name}: one request", loads, 1e6, "µs", RATE_LIMIT)


def _load(sides: tuple[Side, Side], number: int) -> tuple[float, float]:
    """Both sides' seconds for one request, from slices in turns."""
    for side in sides:
        if not number:
            side.prepare()
        side.load()  # warm
    silo, host = zip(*(_in_turn(sides, turn, Side.load) for turn in range(SLICES)), strict=True)
    return statistics.median(silo), statistics.median(host)


def _stop(sides: tuple[Side, Side]) -> None:
    for side in sides:  # the silo's first: the host's taskkill sees both
        side.stop()


def _in_turn(sides: tuple[Side, Side], number: int, what: Callable[[Side], float]) -> tuple[float, float]:
    """Both sides' figures, the host's first every other time: such a pair sees the same machine."""
    silo, host = sides
    if number % 2:
        return what(silo), what(host)
    other = what(host)
    return what(silo), other


def _compare(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The median of the ratios, and between what it lies by 19 in 20."""
    return median_of([mine / other for mine, other in pairs])


def _add(
    results: Results, name: str, pairs: Sequence[tuple[float, float]], scale: float, unit: str, limit: float
) -> None:
    silo, host = (f"{statistics.median(side) * scale:.4g} {unit}" for side in zip(*pairs, strict=True))
    ratio, low, high = _compare(pairs)
    results.add(name, silo, host, ratio, limit, (low, high))


def _nothing(_address: str, _port: int) -> None:
    """Its pages are there already."""


def _http(address: str, port: int) -> float:
    words = ["ab", "-q", "-n", str(HTTP_REQUESTS), "-c", str(HTTP_CLIENTS)]
    done = subprocess.run(
        [*words, f"http://{address}:{port}/index.html"], capture_output=True, text=True, check=True
    )
    failed = re.search(r"Failed requests:\s+(\d+)", done.stdout)
    rate = re.search(r"Requests per second:\s+([0-9.]+)", done.stdout)
    if not failed or int(failed[1]) or not rate or "Non-2xx" in done.stdout:
        raise SystemExit(f"ab: {done.stdout}{done.stderr}")
    return 1 / float(rate[1])


def _http_kept(address: str, port: int) -> float:
    """Over connections that stay open: http.sys closes none, and ab waits for that."""
    words = ["wrk", "-t", "1", "-c", str(HTTP_CLIENTS), "-d", "1s"]  # it takes whole ones only
    done = subprocess.run(
        [*words, f"http://{address}:{port}/index.html"], capture_output=True, text=True, check=True
    )
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if not rate or not float(rate[1]) or "Socket errors" in done.stdout or "Non-2xx" in done.stdout:
        raise SystemExit(f"wrk: {done.stdout}{done.stderr}")
    return 1 / float(rate[1])


def _timed(transaction: Callable[[int], None]) -> float:
    """Seconds that a transaction takes, over a slice."""
    count, begin = 0, time.monotonic()
    while (elapsed := time.monotonic() - begin) < SLICE_S:
        transaction(count)
        count += 1
    return elapsed / count


def _prepare_mysql(address: str, port: int) -> None:
    with mysql.connect(address, port) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE bench")
        cursor.execute("CREATE TABLE bench.t (id INT PRIMARY KEY, n INT, c CHAR(120))")
        cursor.executemany("INSERT INTO bench.t VALUES (%s, 0, %s)", [(i, "x" * 100) for i in range(ROWS)])
        connection.commit()


def _mysql(address: str, port: int) -> float:
    """As sysbench's mix: ten reads, a range, an update, an exchange of a row, a commit."""
    with mysql.connect(address, port) as connection, connection.cursor() as cursor:

        def transaction(count: int) -> None:
            for i in range(10):
                cursor.execute("SELECT c FROM bench.t WHERE id = %s", ((count * 17 + i * 101) % ROWS,))
                cursor.fetchall()
            low = count * 31 % (ROWS - 100)
            cursor.execute("SELECT SUM(n) FROM bench.t WHERE id BETWEEN %s AND %s", (low, low + 99))
            cursor.fetchall()
            cursor.execute("UPDATE bench.t SET n = n + 1 WHERE id = %s", (count * 13 % ROWS,))
            cursor.execute("DELETE FROM bench.t WHERE id = %s", (low,))
            cursor.execute("INSERT INTO bench.t VALUES (%s, 0, %s)", (low, "y" * 100))
            connection.commit()

        return _timed(transaction)


def _prepare_postgres(address: str, port: int) -> None:
    with contextlib.closing(postgres.connect(address, port)) as connection:
        connection.run("CREATE TABLE accounts (id INT PRIMARY KEY, n INT)")
        connection.run("CREATE TABLE history (id INT, delta INT)")
        connection.run(f"INSERT INTO accounts SELECT i, 0 FROM generate_series(0, {ROWS - 1}) i")


def _postgres(address: str, port: int) -> float:
    """As pgbench's own: an update, a read, an insertion, a commit."""
    with contextlib.closing(postgres.connect(address, port)) as connection:

        def transaction(count: int) -> None:
            connection.run("BEGIN")
            connection.run("UPDATE accounts SET n = n + 1 WHERE id = :id", id=count * 13 % ROWS)
            connection.run("SELECT n FROM accounts WHERE id = :id", id=count * 17 % ROWS)
            connection.run("INSERT INTO history VALUES (:id, 1)", id=count % ROWS)
            connection.run("COMMIT")

        return _timed(transaction)
