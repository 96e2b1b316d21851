"""The command that looks at what a silo shares: audit."""

from __future__ import annotations

import dataclasses
import sys

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, as_json, pass_settings
from winesilo.errors import EXIT_FAILED
from winesilo.models import Audit, Rendezvous


@click.command()
@click.argument("name")
@as_json
@pass_settings
def audit(settings: Settings, name: str, as_json: bool) -> int:
    """List every rendezvous of the programs of a silo: private, shared by rule, refused.

    Ends with 1 if one is shared and no rule says why, or if names were lost.
    """
    found = settings.silo(name).audit()
    if as_json:
        output.print_json(dataclasses.asdict(found))
    else:
        output.print_table(("CLASS", "KIND", "HOW", "NAME", "WHY"), [_row(one) for one in found.rendezvous])
        sys.stdout.write(f"{_summary(found)}\n")
    return 0 if found.clean else EXIT_FAILED


def _row(one: Rendezvous) -> tuple[str, str, str, str, str]:
    rule = one["rule"]
    why = "no rule" if rule is None else rule["reason"]
    return (one["class"], one["kind"], ",".join(one["how"]), printable(one["name"]), why)


def printable(name: str) -> str:
    """A name on one line, whatever a program put into it."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in name)


def _summary(found: Audit) -> str:
    parts = [f"{count} {klass}" for klass, count in found.counts.items()]
    if found.lost:
        parts.append(f"{found.lost} lost: there was no room for them")
    if found.unfinished:
        parts.append(f"{found.unfinished} unfinished: their programs were ended")
    return ", ".join(parts)


COMMANDS = (audit,)
