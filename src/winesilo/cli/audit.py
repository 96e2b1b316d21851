"""The commands that look at what programs share: audit, analyze."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, as_json, pass_settings, timeout_option
from winesilo.errors import EXIT_FAILED
from winesilo.models import Audit, Rendezvous

if TYPE_CHECKING:
    from winesilo.analysis import Analysis


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
    return (one["class"], one["kind"], ",".join(one["how"]), output.printable(one["name"]), why)


def _summary(found: Audit) -> str:
    parts = [f"{count} {klass}" for klass, count in found.counts.items()]
    if found.lost:
        parts.append(f"{found.lost} lost: there was no room for them")
    if found.unfinished:
        parts.append(f"{found.unfinished} unfinished: their programs were ended")
    return ", ".join(parts)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("target")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option("--from", "source", metavar="SILO", help="Clone SILO, which must be stopped; else a new silo.")
@click.option("--folder", is_flag=True, help="Copy the whole folder that the program is in.")
@timeout_option
@as_json
@pass_settings
def analyze(
    settings: Settings,
    target: str,
    args: Sequence[str],
    source: str | None,
    folder: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    r"""Run a program or service in throw-away silos; report what it needs, and what two of it fight over.

    TARGET is a file (with a slash in its name), a program of the silo (C:\\...), or a service. A program is
    run to its end; services that it has installed are started and stopped. Ends with 1 if a step failed, or
    something is shared and no rule says why.
    """
    from winesilo.analysis import DEFAULT_TIMEOUT_S, analyze

    with output.progress() as on_progress:
        found = analyze(
            settings.host(),
            target,
            args,
            source=source,
            folder=folder,
            timeout_s=timeout or DEFAULT_TIMEOUT_S,
            on_progress=on_progress,
        )
    if as_json:
        output.print_json(dataclasses.asdict(found))
    else:
        _print_analysis(found)
    return 0 if found.good else EXIT_FAILED


def _print_analysis(found: Analysis) -> None:
    for step in found.steps:
        detail = f": {step.detail}" if step.detail else ""
        sys.stdout.write(f"{step.name}: {'done' if step.ok else 'failed'}{detail}\n")
    for title, names in (("services", found.services), ("needs services", found.needs_services)):
        sys.stdout.write(f"{title}: {', '.join(names) or '-'}\n")
    for title, rows in (
        ("shared and not declared", found.undeclared),
        ("would collide between two instances", found.collides),
        ("uses", found.uses),
        ("makes", found.makes),
    ):
        sys.stdout.write(f"\n{title}: {len(rows)}\n")
        if rows:
            output.print_table(("CLASS", "KIND", "HOW", "NAME", "WHY"), [_row(one) for one in rows])


COMMANDS = (audit, analyze)
