"""Options and helpers that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from winesilo.api import Host, Silo


@dataclass(frozen=True)
class Settings:
    """The options before the command.

    Attributes:
        host_name: the Wine host to work on.
        debug: show tracebacks.
    """

    host_name: str
    debug: bool

    def host(self) -> Host:
        """The host to work on."""
        from winesilo.api import Host

        return Host(self.host_name)

    def silo(self, name: str) -> Silo:
        """A silo of that host; whether it exists shows when it is used."""
        return self.host().silo(name)


pass_settings = click.make_pass_decorator(Settings)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long to wait before giving up.",
)
