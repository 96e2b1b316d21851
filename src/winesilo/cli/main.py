"""The ``silo`` command: its groups, its exit codes and the way it reports errors.

Exit codes: 0 done, 1 failed, 2 wrong usage, 125 ``silo exec`` could not run the program, 130 after
Ctrl-C, 143 after SIGTERM; else, for ``silo exec``, the program's own.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from winesilo import __version__
from winesilo.cli import (
    audit,
    changes,
    demo,
    execute,
    files,
    host,
    package,  # noqa: F401 - its commands belong to the group of service
    service,
    show,
    silos,
)
from winesilo.cli.options import Settings
from winesilo.cli.output import print_error
from winesilo.errors import EXIT_FAILED, EXIT_USAGE, WinesiloError

DEBUG_VARIABLE = "WINESILO_DEBUG"
EXIT_INTERRUPTED = 128 + signal.SIGINT


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--host",
    "host_name",
    default="default",
    show_default=True,
    envvar="WINESILO_HOST",
    metavar="NAME",
    help="The Wine host to work on.",
)
@click.option(
    "--debug", is_flag=True, envvar=DEBUG_VARIABLE, help="Show what is run and mounted, and tracebacks."
)
@click.version_option(__version__, prog_name="silo", message="%(prog)s %(version)s")
@click.pass_context
def silo(ctx: click.Context, host_name: str, debug: bool) -> None:
    """OS-level virtual machines for Windows services, on Wine.

    A silo has its own registry, files, names, addresses and its own Service Control Manager; all
    silos of a host share one Wine prefix and one wineserver.
    """
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"  # for the daemon, where this command starts it
        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    else:
        os.environ.pop(DEBUG_VARIABLE, None)
    ctx.obj = Settings(host_name=host_name, debug=debug)


for command in (*host.COMMANDS, *silos.COMMANDS, *show.COMMANDS, *audit.COMMANDS, *changes.COMMANDS,
                *execute.COMMANDS, *files.COMMANDS, *service.COMMANDS, *demo.COMMANDS):  # fmt: skip
    silo.add_command(command)


def _interrupt_later(unraisable: sys.UnraisableHookArgs) -> None:
    """Ctrl-C may arrive where Python can't raise it, in a callback of its own: it comes again soon."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    else:
        sys.__unraisablehook__(unraisable)


def run() -> NoReturn:
    """Run the command line of this process and exit."""
    sys.unraisablehook = _interrupt_later
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGHUP, _terminated)
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: the words after ``silo``.

    Returns:
        The exit code.
    """
    try:
        result = silo.main(arguments, prog_name="silo", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return EXIT_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "silo"
        print_error(_lower_first(error.format_message()).rstrip("."), f"see: {path} --help")
        return EXIT_USAGE
    except click.ClickException as error:
        print_error(error.format_message())
        return EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        print_error("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except WinesiloError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print_error(error.message, error.hint)
        return error.exit_code
    return result if isinstance(result, int) else 0


def _terminated(number: int, _frame: FrameType | None) -> None:
    """Leave through the normal clean-up when a signal asks us to end."""
    raise SystemExit(128 + number)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
