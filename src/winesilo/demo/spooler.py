"""Wine's own print spooler as a service: the demo that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from winesilo.api import Silo
from winesilo.demo.workload import Outside, Say
from winesilo.errors import DemoError

KEY_NAME: Final = "winesilo demo"
KEY: Final = rf"HKLM\Software\{KEY_NAME}"


class Spooler:
    """The spooler of Wine; see :class:`winesilo.demo.workload.Workload`.

    Each silo's registry stands in for its data: the same key holds a different value in each.
    """

    service = "Spooler"
    title = "Wine's print spooler"

    def fetch(self, say: Say) -> None:
        """Nothing to get: it is part of Wine."""

    def prepare(self, template: Silo, say: Say) -> None:
        """Nothing to prepare."""

    def install(self, silo: Silo) -> None:
        """Nothing to install."""

    def install_in_prefix(self, template: Silo, prefix: Outside) -> None:
        """Nothing to install."""

    def wait_ready(self, silo: Silo) -> None:
        """The spooler has no client but the SCM, which has answered already."""

    def wait_ready_in_prefix(self) -> None:
        """As in a silo."""

    def write(self, silo: Silo) -> None:
        """Write the silo's name into its registry."""
        done = silo.run(["reg", "add", KEY, "/v", "silo", "/d", silo.name, "/f"])
        if done.returncode != 0:
            raise DemoError(f"reg add failed in silo {silo.name}: {done.stdout}{done.stderr}")

    def check(self, silo: Silo) -> str:
        """Read the registry back, and ask the silo's SCM for the spooler."""
        done = silo.run(["reg", "query", KEY, "/v", "silo"])
        words = done.stdout.split()
        if done.returncode != 0 or words[-1:] != [silo.name]:
            raise DemoError(f"the registry of silo {silo.name} does not hold its own value: {done.stdout}")
        state = silo.service(self.service).info().state
        if state != "running":
            raise DemoError(f"the spooler of silo {silo.name} is {state}")
        return f"the spooler runs and {KEY} holds {silo.name}"

    def check_base(self, base: Path) -> None:
        """The demo's registry key may not be in the host's registry."""
        if KEY_NAME in (base / "system.reg").read_text(errors="replace"):
            raise DemoError(f"the host's registry has got the key {KEY}")

    def check_gone(self, silo: Silo) -> None:
        """Nothing of it answers in any case: a stopped silo has no SCM."""
