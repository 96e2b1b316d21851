"""The commands that change silos: create, update, clone, start, stop, restart, suspend, resume, rm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from winesilo.cli import output
from winesilo.cli.options import Settings, pass_settings, timeout_option
from winesilo.errors import UsageError, WinesiloError

names_argument = click.argument("names", metavar="NAME...", nargs=-1, required=True)

windows_option = click.option(
    "--windows",
    metavar="VERSION",
    help="The Windows version programs see, as in winecfg: win10, win2003, ...",
)
link_option = click.option(
    "--link",
    metavar="OTHER",
    multiple=True,
    help="Let it reach the silo OTHER, also by its name; repeatable.",
)
publish_option = click.option(
    "--publish",
    "-p",
    metavar="RULE",
    multiple=True,
    help="[HOSTADDR:]HOSTPORT:PORT[/udp]: bind the silo's PORT there; repeatable.",
)


@click.command()
@click.argument("name")
@windows_option
@click.option("--address", metavar="ADDR", help="The silo's address, of the form 127.x.y.z.")
@link_option
@publish_option
@click.option(
    "--catalogue",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="What it shares of the host's drivers and devices; goes before the host's catalogue.",
)
@pass_settings
def create(
    settings: Settings,
    name: str,
    windows: str | None,
    address: str | None,
    link: Sequence[str],
    publish: Sequence[str],
    catalogue: str | None,
) -> None:
    """Make a new silo; it is not started."""
    text = None if catalogue is None else read_text(catalogue)
    with output.progress() as on_progress:
        settings.host().create(
            name,
            windows=windows,
            address=address,
            links=link,
            publish=publish,
            catalogue=text,
            on_progress=on_progress,
        )


@click.command()
@click.argument("name")
@windows_option
@link_option
@click.option("--unlink", metavar="OTHER", multiple=True, help="End the link to the silo OTHER.")
@publish_option
@click.option(
    "--unpublish", metavar="RULE", multiple=True, help="End a rule: as it was given, or PORT[/udp]."
)
@pass_settings
def update(
    settings: Settings,
    name: str,
    windows: str | None,
    link: Sequence[str],
    unlink: Sequence[str],
    publish: Sequence[str],
    unpublish: Sequence[str],
) -> None:
    """Change the links and published ports of a silo, and its Windows version.

    It may run: links change at once, a port when a program binds it next; only the version can't change then.
    """
    settings.silo(name).update(
        windows=windows, link=link, unlink=unlink, publish=publish, unpublish=unpublish
    )


@click.command()
@click.argument("source")
@click.argument("name")
@pass_settings
def clone(settings: Settings, source: str, name: str) -> None:
    """Make the silo NAME as a copy of SOURCE, which must be stopped.

    What SOURCE has changed so far becomes a read-only layer that both share.
    """
    with output.progress() as on_progress:
        settings.silo(source).clone(name, on_progress=on_progress)


@click.command()
@names_argument
@timeout_option
@pass_settings
def start(settings: Settings, names: Sequence[str], timeout: float | None) -> int:
    """Start silos, each up to the point where its Service Control Manager answers."""
    with output.progress() as on_progress:
        return for_each(
            names, lambda name: settings.silo(name).start(timeout=timeout, on_progress=on_progress)
        )


@click.command()
@names_argument
@timeout_option
@pass_settings
def stop(settings: Settings, names: Sequence[str], timeout: float | None) -> int:
    """Stop silos: their services in dependency order, then what is left."""
    with output.progress() as on_progress:
        return for_each(
            names, lambda name: settings.silo(name).stop(timeout=timeout, on_progress=on_progress)
        )


@click.command()
@names_argument
@timeout_option
@pass_settings
def restart(settings: Settings, names: Sequence[str], timeout: float | None) -> int:
    """Stop silos and start them again."""
    with output.progress() as on_progress:
        return for_each(
            names, lambda name: settings.silo(name).restart(timeout=timeout, on_progress=on_progress)
        )


@click.command()
@names_argument
@pass_settings
def suspend(settings: Settings, names: Sequence[str]) -> int:
    """Keep all processes of silos from running, until they are resumed or stopped."""
    return for_each(names, lambda name: settings.silo(name).suspend())


@click.command()
@names_argument
@pass_settings
def resume(settings: Settings, names: Sequence[str]) -> int:
    """Let suspended silos go on."""
    return for_each(names, lambda name: settings.silo(name).resume())


@click.command()
@names_argument
@click.option("-f", "--force", is_flag=True, help="End running silos first, without stopping their services.")
@pass_settings
def rm(settings: Settings, names: Sequence[str], force: bool) -> int:
    """Remove silos with everything in them."""
    return for_each(names, lambda name: settings.silo(name).remove(force=force))


def read_text(path: str) -> str:
    """The text of a file that an option names.

    Raises:
        UsageError: it can't be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error


def for_each(names: Sequence[str], action: Callable[[str], object]) -> int:
    """Do the same to several silos; one that fails does not keep the others from their turn.

    Args:
        names: the silos.
        action: what to do, given a name.

    Returns:
        0, or the exit code of the first failure.
    """
    first_failure = 0
    for name in names:
        try:
            action(name)
        except WinesiloError as error:
            output.print_error(error.message, error.hint)
            first_failure = first_failure or error.exit_code
    return first_failure


COMMANDS = (create, update, clone, start, stop, restart, suspend, resume, rm)
