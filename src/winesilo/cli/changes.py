"""``silo diff``: what was changed in a silo."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, as_json, pass_settings

#: How much of a value's data a row shows.
_SHOWN: Final = 60
#: The usual abbreviations of the registry's roots.
_SHORT: Final = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU", "HKEY_USERS": "HKU"}


@click.command()
@click.argument("name")
@as_json
@pass_settings
def diff(settings: Settings, name: str, as_json: bool) -> None:
    """List what was changed in a silo since it was new: files, registry, services.

    A clone is compared with a new silo, too. Of a silo that runs, files are compared as they are, and
    the registry as programs have written it.
    """
    with output.progress():
        found = settings.silo(name).diff()
    if as_json:
        output.print_json(dataclasses.asdict(found))
        return
    short = (*found.services, *found.files, *found.keys)
    rows = [(row["change"], row["kind"], _key(row["name"]), "") for row in short]
    rows += [
        (row["change"], "value", f"{_key(row['name'])}: {_name(row)}", _detail(row)) for row in found.values
    ]
    output.print_table(("CHANGE", "KIND", "NAME", "DATA"), rows)


def _key(path: str) -> str:
    root, slash, rest = path.partition("\\")
    return output.printable(_SHORT.get(root, root) + slash + rest)


def _name(row: Mapping[str, Any]) -> str:
    return output.printable(row["value"]) or "(default)"


def _detail(row: Mapping[str, Any]) -> str:
    return " -> ".join(_data(side) for side in (row["old"], row["new"]) if side is not None)


def _data(side: Mapping[str, Any]) -> str:
    data = side["data"]
    text = (
        f"{data:#x}" if isinstance(data, int) else data if side["type"] == "REG_BINARY" else json.dumps(data)
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


COMMANDS = (diff,)
