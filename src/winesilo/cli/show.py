"""The commands that only look: ls, inspect, ps, logs."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, as_json, pass_settings
from winesilo.models import BoundPort, Event, Printed


@click.command()
@as_json
@pass_settings
def ls(settings: Settings, as_json: bool) -> None:
    """List the silos."""
    silos = settings.host().list()
    if as_json:
        output.print_json([dataclasses.asdict(silo) for silo in silos])
        return
    rows = [
        (
            silo.name,
            silo.state,
            output.text_or_dash(silo.address),
            output.text_or_dash(silo.windows),
            str(silo.processes),
            output.size(silo.memory_pss_bytes),
            output.size(silo.private_bytes),
        )
        for silo in silos
    ]
    output.print_table(("NAME", "STATE", "ADDRESS", "WINDOWS", "PROCESSES", "MEMORY", "DISK"), rows)


@click.command()
@click.argument("name")
@as_json
@pass_settings
def inspect(settings: Settings, name: str, as_json: bool) -> None:
    """Show everything known about a silo."""
    info = settings.silo(name).info()
    if as_json:
        output.print_json(dataclasses.asdict(info))
        return
    output.print_fields(
        [
            ("name", info.name),
            ("id", output.text_or_dash(info.id)),
            ("state", info.state),
            ("error", output.text_or_dash(info.error)),
            ("address", output.text_or_dash(info.address)),
            ("links", ", ".join(info.links) or "-"),
            ("published", ", ".join(info.publish) or "-"),
            ("ports", ", ".join(map(_port, info.ports)) or "-"),
            ("windows", output.text_or_dash(info.windows)),
            ("created", output.moment(info.created)),
            ("started", output.moment(info.started)),
            ("scm pid", output.text_or_dash(info.scm_pid)),
            ("processes", str(info.processes)),
            ("memory", output.size(info.memory_pss_bytes)),
            ("private disk", output.size(info.private_bytes)),
            ("folder", output.text_or_dash(info.directory)),
            ("layers", ", ".join(info.layers) or "-"),
        ]
    )


def _port(bound: BoundPort) -> str:
    address = f"[{bound['address']}]" if ":" in bound["address"] else bound["address"]
    return f"{bound['port']}/{bound['protocol']} at {address}:{bound['host_port']}"


@click.command()
@click.argument("name")
@as_json
@pass_settings
def ps(settings: Settings, name: str, as_json: bool) -> None:
    """List the processes of a silo, with their Windows and their Unix process ids."""
    processes = settings.silo(name).ps()
    if as_json:
        output.print_json([dataclasses.asdict(process) for process in processes])
        return
    rows = [
        (
            str(process.pid),
            str(process.ppid),
            output.text_or_dash(process.unix_pid),
            str(process.threads),
            f"{process.cpu_s:.2f}",
            output.size(process.pss_bytes),
            output.moment(process.started),
            process.name,
        )
        for process in processes
    ]
    output.print_table(("PID", "PPID", "UNIX PID", "THREADS", "CPU S", "MEMORY", "STARTED", "NAME"), rows)


@click.command()
@click.argument("name")
@click.argument("service", required=False)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many lines and events, the last ones.",
)
@click.option("--events", is_flag=True, help="Only the events of the silo's logs, not what was printed.")
@click.option("--log", metavar="LOG", help="Only the events of one log, like System.")
@as_json
@pass_settings
def logs(
    settings: Settings,
    name: str,
    service: str | None,
    lines: int,
    events: bool,
    log: str | None,
    as_json: bool,
) -> None:
    """Print what the services of a silo wrote; of one SERVICE also its events."""
    silo = settings.silo(name)
    only_events = events or log is not None
    printed = [] if only_events else silo.logs(service, lines=lines)
    found = (
        silo.events(service, log=log, lines=lines) if only_events or as_json or service is not None else []
    )
    if as_json:
        output.print_json(
            {
                "events": [dataclasses.asdict(event) for event in found],
                "output": [dataclasses.asdict(line) for line in printed],
            }
        )
        return
    for text in _by_time(found, printed):
        sys.stdout.write(text)


def _by_time(events: Sequence[Event], printed: Sequence[Printed]) -> Iterator[str]:
    """Both as text; a line without a time stays behind the one before it."""
    rows = [(event.time, _event_lines(event)) for event in events]
    time = ""
    for line in printed:
        time = line.time or time
        rows.append((time, _printed_line(line)))
    rows.sort(key=lambda row: row[0])
    return (text for _, text in rows)


def _printed_line(line: Printed) -> str:
    if line.time is None:
        return f"{line.text}\n"
    return f"{output.moment(line.time)}  {', '.join(line.services)}: {line.text}\n"


def _event_lines(event: Event) -> str:
    """One line, and further lines of the text below it."""
    first, *more = event.text.splitlines() or [""]
    head = f"{output.moment(event.time)}  {event.level}  {event.source} {event.event_id}  {first}".rstrip()
    return "".join(f"{line}\n" for line in (head, *(f"    {line}" for line in more)))


COMMANDS = (ls, inspect, ps, logs)
