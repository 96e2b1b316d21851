"""``silo service``: the services of a silo, through its own Service Control Manager."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, as_json, timeout_option

if TYPE_CHECKING:
    from winesilo.api import Service, ServiceInfo, Silo

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
@click.argument("name")
@click.pass_context
def service(ctx: click.Context, name: str) -> None:
    """Look at, start, stop and change the services of the silo NAME.

    Services are named by their key names, as `silo service NAME ls` shows them.
    """
    settings = ctx.find_object(Settings)
    assert settings is not None, "the group above made it"
    ctx.obj = Selection(settings, name)


@dataclasses.dataclass(frozen=True)
class Selection:
    """The silo that a ``silo service`` command is about."""

    settings: Settings
    name: str

    def silo(self) -> Silo:
        """The silo."""
        return self.settings.silo(self.name)

    def service(self, name: str) -> Service:
        """One of its services."""
        return self.silo().service(name)


pass_selection = click.make_pass_decorator(Selection)
service_argument = click.argument("service_name", metavar="SERVICE")
force_option = click.option("-f", "--force", is_flag=True, help="End its process if it refuses to stop.")
arguments_argument = click.argument("arguments", metavar="[ARG]...", nargs=-1)


def configuration_options(command: F) -> F:
    """The options that ``create`` and ``config`` share; each row is one field of the configuration."""
    rows = (
        click.option("--display-name", metavar="TEXT", help="Its name for people."),
        click.option(
            "--start-type", type=click.Choice(["auto", "demand", "disabled"]), help="When it starts."
        ),
        click.option(
            "--delayed-start/--no-delayed-start",
            default=None,
            help="Start an 'auto' service two minutes after the others.",
        ),
        click.option(
            "--error-control",
            type=click.Choice(["ignore", "normal", "severe", "critical"]),
            help="What a failed start means.",
        ),
        click.option("--account", metavar="USER", help="The user it runs as; Wine has one only."),
        click.option(
            "--type",
            "service_type",
            type=click.Choice(["own-process", "share-process"]),
            help="Whether it shares a process with the others of the same COMMAND.",
        ),
        click.option("--group", metavar="GROUP", help="Its load order group."),
        click.option(
            "--depends-on",
            "dependencies",
            metavar="SERVICE",
            multiple=True,
            help="A service, or +GROUP, that must run before it; may be repeated; '' for none.",
        ),
        click.option("--description", metavar="TEXT", help="A sentence for people."),
        click.option(
            "--failure-action",
            "failure_actions",
            metavar="ACTION[:MS]",
            multiple=True,
            help="What to do at its first, second ... failure: restart, run, reboot or none; '' for nothing.",
        ),
        click.option(
            "--failure-reset",
            "failure_reset_s",
            type=click.IntRange(0, 0xFFFFFFFF),
            metavar="SECONDS",
            help="After this time without a failure they are counted anew.",
        ),
        click.option("--failure-command", metavar="COMMAND", help="What the failure action 'run' runs."),
        click.option(
            "--failure-on-error/--no-failure-on-error",
            default=None,
            help="A stop with an error code is a failure too, not only a death.",
        ),
    )
    for row in reversed(rows):
        command = row(command)
    return command


@service.command()
@click.option("--drivers", is_flag=True, help="Show kernel and file-system drivers too; they are the host's.")
@as_json
@pass_selection
def ls(selection: Selection, drivers: bool, as_json: bool) -> None:
    """List the services."""
    services = selection.silo().services(drivers=drivers)
    if as_json:
        output.print_json([dataclasses.asdict(info) for info in services])
        return
    rows = [
        (info.name, info.state, output.text_or_dash(info.pid), info.start_type, info.display_name)
        for info in services
    ]
    output.print_table(("SERVICE", "STATE", "PID", "START", "DISPLAY NAME"), rows)


@service.command()
@service_argument
@as_json
@pass_selection
def show(selection: Selection, service_name: str, as_json: bool) -> None:
    """Show everything known about a service."""
    _print(selection.service(service_name).info(), as_json=as_json, full=True)


@service.command()
@service_argument
@click.argument("binary_path", metavar="COMMAND")
@configuration_options
@as_json
@pass_selection
def create(
    selection: Selection, /, service_name: str, binary_path: str, as_json: bool, **options: Any
) -> None:
    """Create a service that runs COMMAND.

    COMMAND is one word for the shell: the program's Windows path, in quotes of its own if it has
    spaces, and its arguments.
    """
    created = selection.silo().create_service(service_name, binary_path, **_given(options))
    if as_json:
        _print(created.info(), as_json=True)


@service.command()
@service_argument
@arguments_argument
@timeout_option
@as_json
@pass_selection
def start(
    selection: Selection, service_name: str, arguments: Sequence[str], timeout: float | None, as_json: bool
) -> None:
    """Start a service, after what it depends on, and wait until it runs."""
    _print(selection.service(service_name).start(arguments, timeout=timeout), as_json=as_json)


@service.command()
@service_argument
@timeout_option
@click.option("--with-dependents", is_flag=True, help="Stop what depends on it first.")
@force_option
@as_json
@pass_selection
def stop(
    selection: Selection,
    service_name: str,
    timeout: float | None,
    with_dependents: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Stop a service and wait until its process has ended; one that takes too long is ended."""
    stopped = selection.service(service_name).stop(
        timeout=timeout, with_dependents=with_dependents, force=force
    )
    _print(stopped, as_json=as_json)


@service.command()
@service_argument
@arguments_argument
@timeout_option
@force_option
@as_json
@pass_selection
def restart(
    selection: Selection,
    service_name: str,
    arguments: Sequence[str],
    timeout: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Stop a service if it runs, and start it."""
    restarted = selection.service(service_name).restart(arguments, timeout=timeout, force=force)
    _print(restarted, as_json=as_json)


@service.command()
@service_argument
@timeout_option
@as_json
@pass_selection
def pause(selection: Selection, service_name: str, timeout: float | None, as_json: bool) -> None:
    """Pause a service and wait until it is."""
    _print(selection.service(service_name).pause(timeout=timeout), as_json=as_json)


@service.command("continue")
@service_argument
@timeout_option
@as_json
@pass_selection
def resume(selection: Selection, service_name: str, timeout: float | None, as_json: bool) -> None:
    """Have a paused service continue."""
    _print(selection.service(service_name).resume(timeout=timeout), as_json=as_json)


@service.command()
@service_argument
@click.argument("code", type=click.IntRange(1, 255))
@as_json
@pass_selection
def control(selection: Selection, service_name: str, code: int, as_json: bool) -> None:
    """Send a service a control CODE; 128 to 255 are of its own making."""
    _print(selection.service(service_name).control(code), as_json=as_json)


@service.command()
@service_argument
@as_json
@pass_selection
def dependents(selection: Selection, service_name: str, as_json: bool) -> None:
    """List the services that depend on a service, directly or not, in the order to stop them."""
    names = selection.service(service_name).info().dependents
    if as_json:
        output.print_json(list(names))
        return
    states = {info.name: info.state for info in selection.silo().services()}
    output.print_table(("SERVICE", "STATE"), [(name, states.get(name, "-")) for name in names])


@service.command()
@service_argument
@click.option("--command", "binary_path", metavar="COMMAND", help="What it runs.")
@configuration_options
@as_json
@pass_selection
def config(
    selection: Selection, /, service_name: str, binary_path: str | None, as_json: bool, **options: Any
) -> None:
    """Change the configuration of a service; what is not given stays."""
    given = _given(options)
    if binary_path is None and not given:
        raise click.UsageError("nothing to change was given")
    _print(selection.service(service_name).config(binary_path=binary_path, **given), as_json=as_json)


@service.command()
@service_argument
@pass_selection
def delete(selection: Selection, service_name: str) -> None:
    """Delete a service that does not run."""
    selection.service(service_name).delete()


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Those options that were given."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value is not None and value != ()
    }


def _print(info: ServiceInfo, *, as_json: bool, full: bool = False) -> None:
    """The outcome of a command: JSON, everything, or only what the user must know."""
    if as_json:
        output.print_json(dataclasses.asdict(info))
    elif full:
        output.print_fields(_fields(info))
    elif info.note:
        output.print_error(info.note)


def _failure(info: ServiceInfo) -> str:
    if not info.failure_actions:
        return "-"
    what = ", ".join(info.failure_actions) + f", counted anew after {info.failure_reset_s} s"
    if info.failure_command:
        what += f", command {info.failure_command}"
    return what + (", also after a stop with an error code" if info.failure_on_error else "")


def _fields(info: ServiceInfo) -> list[tuple[str, str]]:
    exit_code = f"{info.win32_exit_code} {info.win32_exit_name}".strip()
    if info.service_exit_code:
        exit_code += f", its own code {info.service_exit_code}"
    start_type = info.start_type + (", delayed" if info.delayed_start else "")
    return [
        ("service", info.name),
        ("display name", info.display_name),
        ("description", output.text_or_dash(info.description)),
        ("state", info.state),
        ("pid", output.text_or_dash(info.pid)),
        ("exit code", exit_code),
        ("process exit code", output.text_or_dash(info.process_exit_code)),
        ("accepts", ", ".join(info.controls) or "-"),
        ("checkpoint", f"{info.checkpoint}, wait hint {info.wait_hint_ms} ms"),
        ("type", info.type + (", interactive" if info.interactive else "")),
        ("start type", start_type),
        ("error control", info.error_control),
        ("command", info.binary_path),
        ("account", output.text_or_dash(info.account)),
        ("group", output.text_or_dash(info.group)),
        ("depends on", ", ".join(info.dependencies) or "-"),
        ("needed by", ", ".join(info.dependents) or "-"),
        ("at failure", _failure(info)),
        ("failures", str(info.failures)),
    ]


COMMANDS = (service,)
