"""``silo exec``: input, output, exit code, signals and the terminal pass through."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Cli, Machine, TemporarySilo, interrupt, pty_session, read_until, wait_until

from winesilo.errors import ProgramError, ProgramNotFound


def test_output_and_exit_code(cli: Cli, silo: TemporarySilo) -> None:
    result = cli("exec", silo.name, "--", "cmd", "/c", "echo out& echo err>&2& exit 7")
    assert result.code == 7
    assert result.out.strip() == "out"
    assert result.err.strip() == "err"


def test_without_the_dashes(cli: Cli, silo: TemporarySilo) -> None:
    assert cli.ok("exec", silo.name, "cmd", "/c", "echo", "--json").strip() == "--json"


def test_input(cli: Cli, silo: TemporarySilo) -> None:
    out = cli.ok("exec", silo.name, "--", "find", "wanted", stdin="one\r\nwanted line\r\nthree\r\n")
    assert out.strip() == "wanted line"


def test_large_output_is_whole(cli: Cli, silo: TemporarySilo) -> None:
    silo.silo.copy_in(_big_file(silo), r"C:\big.txt")
    out = cli.ok("exec", silo.name, "--", "cmd", "/c", r"type C:\big.txt")
    assert out.replace("\r", "") == "".join(f"line {i}\n" for i in range(20000))


def _big_file(silo: TemporarySilo) -> Path:
    path = Path(os.environ["XDG_DATA_HOME"]) / "big.txt"
    path.write_text("".join(f"line {i}\n" for i in range(20000)))
    return path


@pytest.mark.parametrize(
    "words", [["a b", 'c"d', "e\\", "f g\\"], ["", "x"], ["%PATH%", "^", "&", "|"], ["ünï", "日本"]]
)
def test_arguments_arrive_as_given(
    silo: TemporarySilo, cli: Cli, guest: Callable[[str], Path], words: list[str]
) -> None:
    silo.silo.copy_in(guest("args"), "C:\\")
    out = cli.ok("exec", silo.name, "--", r"C:\args.exe", *words)
    assert out.replace("\r\n", "\n") == "".join(f"{word}\n" for word in words)


def test_environment_and_folder(cli: Cli, silo: TemporarySilo) -> None:
    assert (
        cli.ok("exec", "-e", "COLOUR=dark blue", silo.name, "cmd", "/c", "echo %COLOUR%").strip()
        == "dark blue"
    )
    assert cli.ok("exec", "-w", r"C:\windows", silo.name, "cmd", "/c", "cd").strip().lower() == r"c:\windows"
    assert cli.ok("exec", silo.name, "cmd", "/c", "cd").strip().lower() == "c:\\"


def test_what_steers_wine_is_not_in_the_environment(cli: Cli, silo: TemporarySilo) -> None:
    for command in (["set"], ["cmd", "/c", "set"]):
        output = cli.ok("exec", silo.name, "cmd", "/c", *command)
        names = {line.partition("=")[0] for line in output.splitlines()}
        assert {"SystemRoot", "USERPROFILE"} <= names
        assert not {name for name in names if name.startswith(("LD_", "WINESILO"))}
        assert not names & {"WINEPREFIX", "WINEDEBUG", "WINEARCH", "WINESERVERSOCKET", "WINEDLLPATH"}


@pytest.mark.parametrize("program", [r"C:\no\such.exe", "no-such-program", r"C:\windows"])
def test_missing_program(cli: Cli, silo: TemporarySilo, program: str) -> None:
    result = cli("exec", silo.name, "--", program)
    assert result.code == 125
    assert result.out == ""
    assert result.err.startswith("silo: ")
    assert program in result.err


def test_not_a_program(cli: Cli, silo: TemporarySilo) -> None:
    silo.run("cmd", "/c", r"echo text>C:\text.exe")
    result = cli("exec", silo.name, "--", r"C:\text.exe")
    assert result.code == 125, result
    assert "silo: " in result.err


def test_wrong_usage(cli: Cli, silo: TemporarySilo) -> None:
    assert cli("exec").code == 2
    assert cli("exec", silo.name).code == 2
    assert cli("exec", "--no-such-option", silo.name, "cmd").code == 2
    assert cli("exec", "-e", "no-value", silo.name, "cmd").code == 2
    assert cli("exec", "-w", r"C:\no\such\folder", silo.name, "cmd").code == 125


def test_unknown_and_stopped_silos(cli: Cli, silo: TemporarySilo) -> None:
    result = cli("exec", "no-such-silo", "--", "cmd")
    assert (result.code, "no-such-silo" in result.err) == (125, True)
    silo.silo.stop()
    result = cli("exec", silo.name, "--", "cmd")
    assert result.code == 125
    assert f"silo start {silo.name}" in result.err


def test_ctrl_c(cli: Cli, silo: TemporarySilo, machine: Machine) -> None:
    process = cli.start(
        "exec", silo.name, "--", "cmd", "/c", "echo ready& ping -n 60 127.0.0.1",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"ready"
    interrupt(process)
    assert process.wait(15) == 128 + signal.SIGINT
    process.stdout.close()
    wait_until(lambda: not any("ping" in row.name.lower() for row in silo.silo.ps()), "nothing is left")


def test_terminate(cli: Cli, silo: TemporarySilo) -> None:
    process = cli.start(
        "exec", silo.name, "--", "cmd", "/c", "echo ready& pause",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    process.terminate()
    assert process.wait(15) == 128 + signal.SIGTERM
    process.stdout.close()
    process.stdin.close()
    wait_until(lambda: not any(row.name == "cmd.exe" for row in silo.silo.ps()), "nothing is left")


def test_killing_the_command_ends_the_program(cli: Cli, silo: TemporarySilo) -> None:
    process = cli.start(
        "exec", silo.name, "--", "cmd", "/c", "echo ready& pause",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    wait_until(lambda: not any(row.name == "cmd.exe" for row in silo.silo.ps()), "nothing is left")
    process.stdout.close()
    process.stdin.close()


def test_terminal(cli: Cli, silo: TemporarySilo) -> None:
    """An interactive cmd.exe on a terminal: it prompts, echoes, and ends with its exit code."""
    process, terminal = pty_session(cli, "exec", silo.name, "--", "cmd")
    try:
        read_until(terminal, b"C:\\>")
        wait_until(lambda: not termios.tcgetattr(terminal)[3] & termios.ICANON, "cmd.exe reads the keyboard")
        os.write(terminal, b"echo one^two\r")
        read_until(terminal, b"onetwo")
        os.write(terminal, b"exit 5\r")
        assert process.wait(20) == 5
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_api_run(silo: TemporarySilo) -> None:
    done = silo.silo.run(["cmd", "/c", "echo hello& exit 3"])
    assert (done.returncode, done.stdout.strip(), done.stderr) == (3, "hello", "")
    with pytest.raises(ProgramNotFound):
        silo.silo.run([r"C:\no\such.exe"])
    with pytest.raises(ProgramError, match="did not end"):
        silo.silo.run(["cmd", "/c", "ping -n 60 127.0.0.1"], timeout=1)


def test_programs_share_the_silo(silo: TemporarySilo) -> None:
    silo.run("cmd", "/c", "echo shared>C:\\shared.txt")
    assert silo.run("cmd", "/c", "type C:\\shared.txt").strip() == "shared"
