"""``silo exec``: run a program in a silo."""

from __future__ import annotations

from collections.abc import Sequence

import click

from winesilo.cli.options import Settings, pass_settings
from winesilo.cli.output import print_error
from winesilo.errors import EXIT_NOT_RUN, WinesiloError


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-w", "--workdir", metavar="DIR", help=r"Where the program starts, as C:\dir.")
@click.option("-e", "--env", "environment", metavar="NAME=VALUE", multiple=True, help="Set a variable.")
@click.argument("name")
@click.argument("command", metavar="[--] PROGRAM [ARG]...", nargs=-1, type=click.UNPROCESSED)
@pass_settings
def execute(
    settings: Settings, workdir: str | None, environment: Sequence[str], name: str, command: Sequence[str]
) -> int:
    """Run PROGRAM in a silo.

    Its input, output, signals and exit code are those of this command; 125 says that the program
    could not be run. Options of this command go before NAME.
    """
    argv = list(command[1:] if command[:1] == ("--",) else command)
    if not argv:
        raise click.UsageError("missing argument 'PROGRAM'")
    variables = {}
    for pair in environment:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"'{pair}' is not NAME=VALUE", param_hint="'--env'")
        variables[key] = value
    try:
        return settings.silo(name).exec(argv, cwd=workdir, env=variables)
    except WinesiloError as error:
        if settings.debug:
            raise
        print_error(error.message, error.hint)
        return EXIT_NOT_RUN


COMMANDS = (execute,)
