"""What runs in the silos of the demo and of the matrix: one class per service, all used in the same way."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from winesilo.api import Silo
from winesilo.errors import DemoError

Say = Callable[[str], None]
T = TypeVar("T")

POLL_S = 0.02
#: Where the service of a prefix listens, the machine's own address.
PREFIX_ADDRESS: Final = "127.0.0.1"


class Outside(Protocol):
    """Windows without a silo: a Wine prefix that runs."""

    @property
    def drive_c(self) -> Path:
        """Its C: drive."""

    def run(self, argv: Sequence[str]) -> str:
        """Run a Windows program to its end, which must succeed; returns what it printed."""


class Installable(Protocol):
    """A service that a running silo can have.

    Attributes:
        service: its name in the Service Control Manager.
    """

    service: str

    def fetch(self, say: Say) -> None:
        """Get the program, before anything is made."""

    def prepare(self, template: Silo, say: Say) -> None:
        """Install what all silos share, in a running silo."""

    def wait_ready(self, silo: Silo) -> None:
        """Wait until the silo's service, once started, answers a client."""


class Workload(Installable, Protocol):
    """A service to run in several silos, and to see that they are apart.

    Attributes:
        title: what people call it.
    """

    title: str

    def install(self, silo: Silo) -> None:
        """Install the service in a running silo."""

    def write(self, silo: Silo) -> None:
        """Store something that only this silo has."""

    def check(self, silo: Silo) -> str:
        """Read it back: nothing of the other silos may be there; returns a line that says so."""

    def check_gone(self, silo: Silo) -> None:
        """After the service or the silo was stopped, nothing of it may answer."""


class Measurable(Installable, Protocol):
    """A service that can run without silos, too."""

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """Install the same in a Wine prefix that runs, to listen at an address of its own."""

    def wait_ready_in_prefix(self) -> None:
        """Wait until the prefix' service answers a client."""


class Comparable(Workload, Measurable, Protocol):
    """A service to compare in silos and in a prefix."""

    def check_base(self, base: Path) -> None:
        """Nothing of what the silos hold may be in the host's prefix."""


def eventually(attempt: Callable[[], T], expected: type[Exception], deadline_s: float, what: str) -> T:
    """Repeat an attempt until it succeeds: for a port to open there is nothing to wait on.

    Args:
        attempt: raises ``expected`` while it is too early.
        expected: what to bear with.
        deadline_s: seconds before giving up.
        what: for the error.

    Raises:
        DemoError: it did not succeed in time.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            return attempt()
        except expected as error:
            if time.monotonic() > deadline:
                raise DemoError(f"{what} within {deadline_s:.0f} s: {error}") from error
        time.sleep(POLL_S)


def free_port() -> int:
    """A TCP port that nobody uses at :data:`PREFIX_ADDRESS`."""
    with socket.create_server((PREFIX_ADDRESS, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def install_with(silo: Silo, argv: Sequence[str]) -> None:
    """Run a program's own installer in a silo.

    Raises:
        DemoError: it failed; with what it said.
    """
    done = silo.run(argv)
    if done.returncode != 0:
        output = " ".join((done.stdout + done.stderr).split())
        raise DemoError(f"'{' '.join(argv)}' failed ({done.returncode}) in silo {silo.name}: {output}")


def check_nobody_answers(address: str, port: int) -> None:
    """Raises DemoError if somebody accepts connections there."""
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((address, port), 5):
        raise DemoError(f"{address}:{port} still answers after the service was stopped")
