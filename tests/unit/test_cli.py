"""The command line without a daemon: arguments become requests, answers become text or JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import click
import pytest

from winesilo import api
from winesilo.cli import output
from winesilo.cli.main import main, silo
from winesilo.daemon.client import Client
from winesilo.errors import HostNotInitialised, ProgramNotFound, SiloNotFound, WinesiloError

SILO: dict[str, Any] = {
    "name": "db1",
    "id": 7,
    "state": "running",
    "address": "127.7.0.7",
    "windows": None,
    "created": "2026-01-02T03:04:05.000+00:00",
    "started": "2026-01-02T03:04:06.000+00:00",
    "scm_pid": 12,
    "private_bytes": 40960,
    "memory_pss_bytes": 12 << 20,
    "processes": 3,
    "layers": ["1-abc"],
    "directory": "/data/silos/db1",
    "error": None,
    "links": ["web"],
    "publish": ["127.0.0.1:8080:80/tcp"],
    "ports": [{"protocol": "tcp", "port": 80, "address": "127.0.0.1", "host_port": 8080, "published": True}],
}
PROCESS: dict[str, Any] = {
    "pid": 32,
    "ppid": 0,
    "unix_pid": 12,
    "name": "services.exe",
    "threads": 6,
    "pss_bytes": 9 << 20,
    "cpu_s": 0.08,
    "started": "2026-01-02T03:04:06.000+00:00",
}
SERVICE: dict[str, Any] = {
    "name": "Spooler",
    "display_name": "Print Spooler",
    "state": "running",
    "pid": 40,
    "win32_exit_code": 0,
    "win32_exit_name": "ERROR_SUCCESS",
    "service_exit_code": 0,
    "process_exit_code": None,
    "controls": ["stop"],
    "checkpoint": 0,
    "wait_hint_ms": 0,
    "type": "own-process",
    "interactive": False,
    "start_type": "demand",
    "delayed_start": False,
    "error_control": "normal",
    "binary_path": "spoolsv.exe",
    "account": "LocalSystem",
    "group": "",
    "dependencies": [],
    "dependents": [],
    "failures": 0,
    "failure_actions": [],
    "failure_reset_s": 0,
    "failure_command": "",
    "failure_on_error": False,
    "description": "",
    "note": None,
}
STATUS: dict[str, Any] = {
    "name": "default",
    "running": True,
    "initialised": True,
    "wine": "wine-8.0",
    "base": "/data/base",
    "pid": 99,
    "silos": 2,
    "silos_running": 1,
    "uptime_s": 3.5,
    "memory_pss_bytes": 50 << 20,
}
AUDIT: dict[str, Any] = {
    "silo": "db1",
    "started": "2024-01-01T00:00:00+00:00",
    "complete": True,
    "lost": 0,
    "unfinished": 0,
    "counts": {"undeclared": 0, "shared": 1, "refused": 0, "private": 1},
    "rendezvous": [
        {
            "kind": "device",
            "name": "\\??\\NUL",
            "class": "shared",
            "how": ["opened"],
            "seen": ["record"],
            "rule": {"source": "catalogue", "class": "shared", "pattern": "\\??\\NUL", "reason": "no state"},
        },
        {"kind": "pipe", "name": "a\n\x1b[2Jb", "class": "private", "how": [], "seen": [], "rule": None},
    ],
}
PRINTED = [
    {"time": None, "services": [], "text": "one"},
    {"time": "2031-01-01T00:00:00.000+00:00", "services": ["Spooler"], "text": "two"},
]
EVENT: dict[str, Any] = {
    "time": "2024-02-29T12:00:00.000+00:00",
    "log": "Application",
    "number": 3,
    "source": "Spooler",
    "event_id": 7,
    "level": "warning",
    "category": 0,
    "text": "It burns.\nRun.",
    "strings": [],
    "data": "",
}
ANSWERS: dict[str, Any] = {
    "host.status": STATUS,
    "host.stop": None,
    "silo.ls": [SILO],
    "silo.inspect": SILO,
    "silo.create": SILO,
    "silo.clone": SILO,
    "silo.start": SILO,
    "silo.stop": SILO,
    "silo.restart": SILO,
    "silo.rm": None,
    "silo.update": SILO,
    "silo.ps": [PROCESS],
    "silo.audit": AUDIT,
    "silo.cp": 3,
    "silo.logs": PRINTED,
    "silo.events": [EVENT],
    "service.ls": [SERVICE],
    "service.show": SERVICE,
    "service.create": SERVICE,
    "service.start": SERVICE,
    "service.stop": SERVICE,
    "service.restart": SERVICE,
    "service.pause": SERVICE,
    "service.continue": SERVICE,
    "service.control": SERVICE,
    "service.config": SERVICE,
    "service.delete": None,
}
Requests = list[tuple[str, dict[str, Any]]]
#: What `silo logs` makes of a line that some service printed.
SHOWN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  Spooler: two")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """What the command line asked the daemon for; each request is answered from ANSWERS."""
    seen: Requests = []

    def call(
        _client: object, method: str, params: Mapping[str, Any] | None = None, on_progress: object = None
    ) -> Any:
        seen.append((method, dict(params or {})))
        answer = ANSWERS[method]
        if isinstance(answer, WinesiloError):
            raise answer
        return answer

    monkeypatch.setattr(Client, "call", call)
    monkeypatch.setattr(api.Host, "initialised", property(lambda _: True))
    monkeypatch.setenv("WINESILO_DEBUG", "0")
    monkeypatch.delenv("WINESILO_HOST", raising=False)
    return seen


@pytest.mark.parametrize(
    ("words", "method", "params"),
    [
        ("host stop", "host.stop", {"force": False}),
        ("host stop -f", "host.stop", {"force": True}),
        ("create db1", "silo.create", {"name": "db1", "windows": None, "address": None}),
        (
            "create db1 --windows win10 --address 127.7.0.7",
            "silo.create",
            {"name": "db1", "windows": "win10", "address": "127.7.0.7"},
        ),
        (
            "create db1 --link a --link b --publish 8080:80 -p 53:53/udp",
            "silo.create",
            {
                "name": "db1",
                "windows": None,
                "address": None,
                "links": ["a", "b"],
                "publish": ["8080:80", "53:53/udp"],
            },
        ),
        (
            "update db1 --link a --unlink b --publish 8080:80 --unpublish 80",
            "silo.update",
            {"name": "db1", "link": ["a"], "unlink": ["b"], "publish": ["8080:80"], "unpublish": ["80"]},
        ),
        ("clone db1 db2", "silo.clone", {"source": "db1", "name": "db2"}),
        ("start db1", "silo.start", {"name": "db1"}),
        ("start db1 --timeout 5", "silo.start", {"name": "db1", "timeout_s": 5.0}),
        ("stop db1", "silo.stop", {"name": "db1"}),
        ("restart db1", "silo.restart", {"name": "db1"}),
        ("rm db1", "silo.rm", {"name": "db1", "force": False}),
        ("rm -f db1", "silo.rm", {"name": "db1", "force": True}),
        (r"cp /tmp/x db1:C:\x", "silo.cp", {"source": "/tmp/x", "target": r"db1:C:\x"}),
        (r"cp db1:C:\x /tmp/x", "silo.cp", {"source": r"db1:C:\x", "target": "/tmp/x"}),
        ("service db1 start Spooler a b", "service.start", {"service": "Spooler", "args": ["a", "b"]}),
        (
            "service db1 stop Spooler -f --with-dependents --timeout 2",
            "service.stop",
            {"service": "Spooler", "force": True, "with_dependents": True, "timeout_s": 2.0},
        ),
        (
            "service db1 restart Spooler",
            "service.restart",
            {"service": "Spooler", "args": [], "force": False},
        ),
        ("service db1 pause Spooler", "service.pause", {"service": "Spooler"}),
        (
            "service db1 continue Spooler --timeout 2",
            "service.continue",
            {"service": "Spooler", "timeout_s": 2.0},
        ),
        ("service db1 control Spooler 200", "service.control", {"service": "Spooler", "code": 200}),
        ("service db1 delete Spooler", "service.delete", {"service": "Spooler"}),
        (
            "service db1 config Spooler --start-type auto --delayed-start --depends-on A --depends-on B",
            "service.config",
            {"service": "Spooler", "start_type": "auto", "delayed_start": True, "dependencies": ["A", "B"]},
        ),
        (
            r"service db1 create New C:\new.exe --display-name X --description Y",
            "service.create",
            {"service": "New", "binary_path": r"C:\new.exe", "display_name": "X", "description": "Y"},
        ),
    ],
)
def test_requests(
    requests: Requests, capsys: pytest.CaptureFixture[str], words: str, method: str, params: dict[str, Any]
) -> None:
    assert main(words.split(" ")) == 0
    expected = {"name": "db1", **params} if method.startswith("service") else params
    assert requests[0] == (method, expected)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"counts": {"undeclared": 1, "shared": 0, "refused": 0, "private": 0}}, 1),
        ({"complete": False, "lost": 5}, 1),
        ({"complete": False, "unfinished": 5}, 1),
    ],
)
def test_audit_ends_with_what_it_found(
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
) -> None:
    monkeypatch.setitem(ANSWERS, "silo.audit", {**AUDIT, **change})
    assert main(["audit", "db1"]) == code
    assert requests[0] == ("silo.audit", {"name": "db1"})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4, "a name can't make lines of its own"
    assert "\x1b" not in lines[2]
    assert ("5 " in lines[-1]) == ("complete" in change)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ls", [SILO]),
        ("inspect db1", SILO),
        ("ps db1", [PROCESS]),
        ("audit db1", AUDIT),
        ("host status", STATUS),
        ("service db1 ls", [SERVICE]),
        ("service db1 show Spooler", SERVICE),
        ("service db1 start Spooler", SERVICE),
        ("service db1 create Spooler C:/x.exe", SERVICE),
    ],
)
def test_json(requests: Requests, capsys: pytest.CaptureFixture[str], words: str, expected: Any) -> None:
    assert main([*words.split(), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == expected
    assert captured.err == ""


def test_tables_without_a_terminal(requests: Requests, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "STATE", "ADDRESS", "WINDOWS", "PROCESSES", "MEMORY", "DISK"]
    assert row.split() == ["db1", "running", "127.7.0.7", "-", "3", "12.0", "MiB", "40", "KiB"]
    assert heading.index("ADDRESS") == row.index("127.7.0.7")


@pytest.mark.parametrize("words", ["inspect db1", "ps db1", "host status", "service db1 show Spooler"])
def test_other_texts(requests: Requests, capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert main(words.split()) == 0
    assert "running" in capsys.readouterr().out or words == "ps db1"


def test_logs(requests: Requests, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "db1", "-n", "5"]) == 0
    assert requests == [("silo.logs", {"name": "db1", "lines": 5})]
    first, second = capsys.readouterr().out.splitlines()
    assert first == "one"
    assert SHOWN.fullmatch(second)


def test_logs_of_a_service(requests: Requests, capsys: pytest.CaptureFixture[str]) -> None:
    """By time; what has no time stays where it is, here at the begin."""
    assert main(["logs", "db1", "Spooler", "-n", "5"]) == 0
    assert requests == [
        ("silo.logs", {"name": "db1", "service": "Spooler", "lines": 5}),
        ("silo.events", {"name": "db1", "service": "Spooler", "lines": 5}),
    ]
    first, head, more, last = capsys.readouterr().out.splitlines()
    assert (first, more) == ("one", "    Run.")
    assert head.endswith("  warning  Spooler 7  It burns.")
    assert SHOWN.fullmatch(last)


@pytest.mark.parametrize(("words", "asked"), [(["--events"], {}), (["--log", "System"], {"log": "System"})])
def test_events_only(
    requests: Requests, capsys: pytest.CaptureFixture[str], words: list[str], asked: dict[str, str]
) -> None:
    assert main(["logs", "db1", *words, "--json"]) == 0
    assert requests == [("silo.events", {"name": "db1", "lines": 100, **asked})]
    assert json.loads(capsys.readouterr().out) == {"events": [EVENT], "output": []}


def test_an_error_is_a_line_and_a_hint(
    requests: Requests, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, "silo.start", SiloNotFound("there is no silo 'db1'", "see: silo ls"))
    assert main(["start", "db1"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "silo: there is no silo 'db1'\nsee: silo ls\n")


def test_debug_shows_the_traceback(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "silo.inspect", SiloNotFound("there is no silo 'db1'"))
    with pytest.raises(SiloNotFound):
        main(["--debug", "inspect", "db1"])


@pytest.mark.parametrize(
    "words",
    ["", "nonsense", "create", "create a b", "ls --nonsense", "start --timeout -1 x", "exec x", "service"],
)
def test_wrong_usage(requests: Requests, capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert main(words.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err
    assert requests == []


def test_exec_takes_all_words_after_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def run(_silo: api.Silo, argv: list[str], *, cwd: str | None, env: Mapping[str, str]) -> int:
        seen.append((argv, cwd, dict(env)))
        return 7

    monkeypatch.setattr(api.Silo, "exec", run)
    assert main(["exec", "-w", "C:\\x", "-e", "A=b=c", "db1", "--", "prog", "-h", "--json", "--"]) == 7
    assert main(["exec", "db1", "prog", "--help"]) == 7
    assert seen == [
        (["prog", "-h", "--json", "--"], "C:\\x", {"A": "b=c"}),
        (["prog", "--help"], None, {}),
    ]


@pytest.mark.parametrize("error", [ProgramNotFound("no"), SiloNotFound("no"), HostNotInitialised("no")])
def test_what_exec_cannot_run_is_125(monkeypatch: pytest.MonkeyPatch, error: WinesiloError) -> None:
    def run(_silo: api.Silo, argv: list[str], **_: Any) -> int:
        raise error

    monkeypatch.setattr(api.Silo, "exec", run)
    assert main(["exec", "db1", "prog"]) == 125


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api.Host, "list", interrupted)
    assert main(["ls"]) == 130
    assert capsys.readouterr().err.strip() == "silo: interrupted"


def test_progress_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress(plain=True) as on_progress:
        for text, done in (("one", None), ("one", 0.5), ("two", 1.0)):
            on_progress(text, done)
    assert capsys.readouterr().err == "one\ntwo\n"


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (0, "0 KiB"), (4096, "4 KiB"), (1 << 20, "1.0 MiB"), (3 << 30, "3.0 GiB")],
)
def test_sizes(count: int | None, text: str) -> None:
    assert output.size(count) == text


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("from winesilo.cli.main import main; main(['--help'])", "impacket rich pymysql psutil winesilo.api"),
        ("import winesilo.cli.main, winesilo.api", "impacket rich pymysql psutil"),
    ],
)
def test_the_command_is_fast_because_it_imports_little(code: str, heavy: str) -> None:
    code += f"; import sys; print(sorted(set({heavy.split()}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr.decode().strip() == "[]"


def test_an_interrupt_in_a_callback_is_not_lost() -> None:
    """Python ignores what is raised there, and says so with a traceback."""
    code = """if True:
        import signal, sys, time, weakref
        from winesilo.cli import main
        class Thing: pass
        def fail(reference): raise KeyboardInterrupt
        def command(arguments):
            thing = Thing()
            reference = weakref.ref(thing, fail)
            del thing
            time.sleep(30)
        main.main = command
        try:
            main.run()
        except KeyboardInterrupt:
            sys.exit(130)
        """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_only_what_exists_is_offered() -> None:
    """The contract's commands of this version, and none that is not there yet."""
    life = "create update clone start stop restart suspend resume rm"
    others = "demo host ls inspect ps exec cp diff service logs audit analyze"
    assert set(silo.commands) == {*life.split(), *others.split()}


def every_command() -> list[str]:

    found = []

    def walk(command: click.Command, path: str) -> None:
        found.append(path)
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}".strip())

    walk(silo, "")
    return found


@pytest.mark.parametrize("path", every_command())
def test_every_command_has_help(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = path.split()
    if words[:1] == ["service"] and len(words) > 1:
        words = ["service", "db1", *words[1:]]
    assert main([*words, "--help"]) == 0
    assert "Usage: silo" in capsys.readouterr().out
