"""``silo host``: the Wine host that all silos share."""

from __future__ import annotations

import dataclasses

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, as_json, pass_settings


@click.group()
def host() -> None:
    """Make, look at and stop the Wine host that all silos share."""


@host.command()
@click.option(
    "--wine32",
    metavar="DIR",
    help="The folder with Wine's i386-windows, for 32-bit programs; 'none' leaves them out. "
    "Without this option it is looked for.",
)
@pass_settings
def init(settings: Settings, wine32: str | None) -> None:
    """Make the host's base: the Wine prefix whose files and registry all silos share.

    This is done once. An interrupted run leaves nothing half-made.
    """
    with output.progress(plain=True) as on_progress:
        settings.host().init(on_progress=on_progress, wine32=wine32)


@host.command()
@as_json
@pass_settings
def status(settings: Settings, as_json: bool) -> None:
    """Show whether the host runs, and on which Wine."""
    info = settings.host().status()
    if as_json:
        output.print_json(dataclasses.asdict(info))
        return
    state = "running" if info.running else "stopped" if info.initialised else "not initialised"
    output.print_fields(
        [
            ("host", info.name),
            ("state", state),
            ("wine", output.text_or_dash(info.wine)),
            ("base", info.base),
            ("pid", output.text_or_dash(info.pid)),
            ("silos", f"{info.silos}, {info.silos_running} running"),
            ("memory", output.size(info.memory_pss_bytes)),
        ]
    )


@host.command()
@click.option("-f", "--force", is_flag=True, help="Stop the silos that still run, too.")
@pass_settings
def stop(settings: Settings, force: bool) -> None:
    """Stop the host's wineserver and services."""
    settings.host().stop(force=force)


COMMANDS = (host,)
