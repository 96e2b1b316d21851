"""``silo cp``: files in and out of a silo."""

from __future__ import annotations

import click

from winesilo.cli.options import Settings, pass_settings


@click.command()
@click.argument("source")
@click.argument("target")
@pass_settings
def cp(settings: Settings, source: str, target: str) -> None:
    r"""Copy a file or a folder; one of SOURCE and TARGET is NAME:C:\path, the other a Unix path."""
    settings.host().copy(source, target)


COMMANDS = (cp,)
