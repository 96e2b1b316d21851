"""What the demo runs in its silos: one class per service, all used in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from winesilo.api import Silo
from winesilo.demo.prefix import PlainPrefix
from winesilo.errors import DemoError

Say = Callable[[str], None]
T = TypeVar("T")

POLL_S = 0.02


class Workload(Protocol):
    """A service to show.

    Attributes:
        service: its name in the Service Control Manager.
        title: what people call it.
    """

    service: str
    title: str

    def fetch(self, say: Say) -> None:
        """Get the program, before anything is made."""

    def prepare(self, template: Silo, say: Say) -> None:
        """Install what all silos of the demo share, in a running silo."""

    def install(self, silo: Silo) -> None:
        """Install the service in a running silo."""

    def install_in_prefix(self, template: Silo, prefix: PlainPrefix) -> None:
        """Install the same in a plain Wine prefix that runs."""

    def wait_ready(self, silo: Silo) -> None:
        """Wait until the silo's service, once started, answers a client."""

    def wait_ready_in_prefix(self) -> None:
        """The same for the plain prefix."""

    def write(self, silo: Silo) -> None:
        """Store something that only this silo has."""

    def check(self, silo: Silo) -> str:
        """Read it back: nothing of the other silos may be there; returns a line that says so."""

    def check_base(self, base: Path) -> None:
        """Nothing of what the silos hold may be in the host's prefix."""

    def check_gone(self, silo: Silo) -> None:
        """After the silo was stopped, nothing of it may answer."""


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
