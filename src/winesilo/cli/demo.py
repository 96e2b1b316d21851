"""``silo demo``: the main job, end to end, with a summary."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, pass_settings

if TYPE_CHECKING:
    from winesilo.demo.flow import Report


@click.command()
@click.option(
    "--service",
    type=click.Choice(["mysql", "spooler"]),
    default="mysql",
    show_default=True,
    help="What to run in the silos: MySQL 5.7 for Windows, or Wine's own spooler, which needs no network.",
)
@click.option("--keep", is_flag=True, help="Leave the two silos behind, running.")
@pass_settings
def demo(settings: Settings, service: str, keep: bool) -> None:
    """Run the same Windows service in two silos and show that each has its own.

    Makes the silos demo-db1 and demo-db2, starts the service in both, has each store something else,
    reads it back, stops one and shows that the other goes on; then the same in a Wine prefix, for
    comparison. In the end it removes what it made, but for the host's base.
    """
    from winesilo.demo import flow

    report = flow.run(settings.host(), service, keep=keep, say=_say)
    _print(report)


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()


def _print(report: Report) -> None:
    sys.stdout.write(f"\n{report.title} in two silos of one Wine host, and in a Wine prefix of its own:\n\n")
    rows = [
        (
            row.name,
            row.address,
            row.services,
            f"{row.create_s:.2f} s",
            f"{row.boot_s:.2f} s",
            f"{row.service_s:.2f} s",
            output.size(row.pss),
            output.size(row.disk),
        )
        for row in report.rows
    ]
    columns = (
        "SILO",
        "ADDRESS",
        "SERVICES",
        "MADE IN",
        "BOOTED IN",
        "ANSWERS AFTER",
        "MEMORY (PSS)",
        "OWN DISK",
    )
    output.print_table(columns, rows)
    sys.stdout.write("\nall checks passed\n")


COMMANDS = (demo,)
