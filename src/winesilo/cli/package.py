"""``silo service NAME install`` and ``uninstall``: packages of services."""

from __future__ import annotations

import click

from winesilo.cli import output
from winesilo.cli.options import as_json
from winesilo.cli.service import Selection, pass_selection, service


@service.command()
@click.argument("package", metavar="PACKAGE|FOLDER")
@as_json
@pass_selection
def install(selection: Selection, package: str, as_json: bool) -> None:
    """Install a package of services: its files, registry values and services.

    PACKAGE is one that winesilo brings along; FOLDER, with a '/', one of your own, with a service.toml.
    """
    services = selection.silo().install(package)
    if as_json:
        output.print_json({"services": services})


@service.command()
@click.argument("package")
@pass_selection
def uninstall(selection: Selection, package: str) -> None:
    """Stop and delete the services of an installed package; its files and registry values go, too."""
    selection.silo().uninstall(package)
