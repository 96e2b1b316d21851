"""The event logs of silos: what programs and the SCM report, where it lands, and how it is shown."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from helpers import Cli, TemporarySilo, wait_until
from test_guest_programs import failures

from winesilo import Host
from winesilo.errors import ServiceError, SiloNotFound
from winesilo.models import Event

Guest = Callable[[str], Path]
SCM = "Service Control Manager"
MINUTE = timedelta(minutes=1)
#: Writes to its standard output, which goes to the silo's services.log.
SPEAKER = r'cmd.exe /c "echo printed by it & C:\testsvc.exe normal"'


@pytest.fixture
def logged(silo: TemporarySilo, guest: Guest) -> TemporarySilo:
    """A silo with the programs that write events."""
    for program in ("events", "testsvc"):
        silo.silo.copy_in(guest(program), "C:\\")
    return silo


def report(silo: TemporarySilo, source: str, kind: int, event_id: int, text: str) -> None:
    silo.run(r"C:\events.exe", "report", source, str(kind), str(event_id), text)


def about(silo: TemporarySilo, service: str) -> list[tuple[int, str]]:
    """What the SCM has said of a service, by now."""
    events = silo.silo.events(service, log="System")
    return [(event.event_id, event.text) for event in events if event.source == SCM]


def await_event(silo: TemporarySilo, service: str, event_id: int) -> str:
    """The text of an event that the SCM writes in the background."""

    def texts() -> list[str]:
        return [text for number, text in about(silo, service) if number == event_id]

    wait_until(lambda: bool(texts()), f"event {event_id} of {service}")
    return texts()[0]


def logs_of(host: Host) -> list[Path]:
    """All files of logs in the base."""
    return [path for path in (host.base / "drive_c").rglob("*") if path.suffix.lower() == ".evt"]


def test_functions(silo: TemporarySilo, guest: Guest) -> None:
    """Each function, bad arguments, a full log, two writers at once, killed writers, damaged files."""
    silo.silo.copy_in(guest("events"), "C:\\")
    done = silo.silo.run([r"C:\events.exe", "silo"], timeout=200)
    assert failures(done.stdout) == []
    assert done.returncode == 0, done
    assert "done " in done.stdout
    with_own_file = silo.silo.events(log="WinesiloFile")
    assert [event.text for event in with_own_file] == ["there"]


def test_in_its_own_silo_only(logged: TemporarySilo, host: Host, guest: Guest) -> None:
    with TemporarySilo(host) as other:
        other.silo.copy_in(guest("events"), "C:\\")
        report(logged, "Mine", 1, 5, "of the first")
        report(other, "Theirs", 2, 6, "of the second")
        assert [event.text for event in logged.silo.events(log="Application")] == ["of the first"]
        assert [event.text for event in other.silo.events(log="application")] == ["of the second"]
        assert other.run(r"C:\events.exe", "list", "Application").splitlines() == [
            "1|Theirs|6|2|of the second"
        ]
    assert logs_of(host) == []


def test_shown_with_what_was_printed(logged: TemporarySilo, cli: Cli) -> None:
    logged.silo.create_service("Speaker", SPEAKER, display_name="One who speaks")
    logged.silo.service("Speaker").start()
    report(logged, "Speaker", 2, 17, "reported by the service")
    report(logged, "Stranger", 1, 18, "reported by another one")
    await_event(logged, "Speaker", 7036)
    out = cli.ok("logs", logged.name, "Speaker")
    assert "  warning  Speaker 17  reported by the service\n" in out
    assert f"{SCM} 7036  The One who speaks service entered the running state.\n" in out
    assert f"{SCM} 7045  A service was installed in the system.\n" in out
    assert "another one" not in out
    assert "  Speaker: printed by it" in out
    document = cli("logs", logged.name, "Speaker", "--json").json()
    assert [event["event_id"] for event in document["events"] if event["source"] == "Speaker"] == [17]
    (line,) = (line for line in document["output"] if line["text"].strip() == "printed by it")
    assert line["services"] == ["Speaker"]
    (start,) = (event for event in document["events"] if event["event_id"] == 7036)
    assert abs(datetime.fromisoformat(line["time"]) - datetime.fromisoformat(start["time"])) < MINUTE
    logged.silo.stop()
    assert (
        cli("logs", logged.name, "Speaker", "--json").json()["events"][: len(document["events"])]
        == (document["events"])
    )
    alone = cli.ok("logs", logged.name, "--log", "Application")
    assert "another one" in alone
    assert SCM not in alone
    assert "Speaker: printed by it" not in cli.ok("logs", logged.name, "--events")


def test_each_prints_for_itself(logged: TemporarySilo, scratch: Path) -> None:
    """Many lines, one that is longer than a pipe's room, one without an end, what is said last."""
    (scratch / "long.txt").write_text("0123456789" * 800 + "\n")
    (scratch / "many.txt").write_text("".join(f"line {number}\r\n" for number in range(500)) + "unended")
    for name in ("Long", "Many"):
        logged.silo.copy_in(scratch / f"{name.lower()}.txt", "C:\\")
        command = rf'cmd.exe /c "echo begin & C:\testsvc.exe normal & type C:\{name}.txt"'
        logged.silo.create_service(name, command)
        logged.silo.service(name).start()
    logged.silo.stop()
    many = [line.text.rstrip() for line in logged.silo.logs("many", lines=2000)]
    assert many == ["begin", *(f"line {number}" for number in range(500)), "unended"]
    first, *parts = (line.text for line in logged.silo.logs("Long"))
    assert (first.rstrip(), "".join(parts)) == ("begin", "0123456789" * 800)
    others = [line for line in logged.silo.logs(lines=5000) if line.services not in (["Long"], ["Many"])]
    assert [line for line in others if not line.text.startswith("(SCM) ")] == []


def test_prints_much_at_once(logged: TemporarySilo, scratch: Path) -> None:
    """Lines stay whole however much the SCM finds of them."""
    lines = [f"line {number}" for number in range(5000)]
    (scratch / "much.txt").write_text("\r\n".join(lines))
    logged.silo.copy_in(scratch / "much.txt", "C:\\")
    logged.silo.create_service("Much", r"C:\testsvc.exe prints C:\much.txt")
    logged.silo.service("Much").start()
    logged.silo.stop()
    assert [line.text for line in logged.silo.logs("Much", lines=9000)] == lines


def test_what_a_service_has(logged: TemporarySilo) -> None:
    """Sources named as the service, as people call it, as its program, or with texts beside its program."""
    logged.run("cmd", "/c", r"mkdir C:\prog && copy C:\testsvc.exe C:\prog\engine.exe")
    logged.silo.create_service("Eng", r'"C:\prog\engine.exe" normal', display_name="The Engine")
    key = r"HKLM\System\CurrentControlSet\Services\EventLog\Application\Parts"
    logged.reg_set(key, "EventMessageFile", r"C:\prog\texts.dll")
    for source in ("Eng", "the engine", "ENGINE", "Parts", "Else"):
        report(logged, source, 4, 1, source)
    events = logged.silo.events("Eng", log="Application")
    assert [event.text for event in events] == ["Eng", "the engine", "ENGINE", "Parts"]


def test_texts(logged: TemporarySilo) -> None:
    """From the source's message file, here that of the SCM; the strings where there is none."""
    key = r"HKLM\System\CurrentControlSet\Services\EventLog\Application\Borrowed"
    logged.reg_set(key, "EventMessageFile", r"%SystemRoot%\System32\services.exe")
    report(logged, "Borrowed", 1, 0xC0001B58, "%%5")
    report(logged, "Unknown", 1, 0xC0001B58, "no text")
    with_text, without = logged.silo.events(log="Application")
    assert with_text.event_id == 7000
    assert with_text.text.startswith("The Access denied")
    assert (without.text, without.strings, without.level) == ("no text", ["no text"], "error")


def test_start_failures(logged: TemporarySilo) -> None:
    logged.silo.create_service("Nothing", r"C:\none.exe")
    logged.silo.create_service("Needy", r"C:\testsvc.exe normal", dependencies=["Nothing"])
    for name in ("Nothing", "Needy"):
        with contextlib.suppress(ServiceError):
            logged.silo.service(name).start()
    assert await_event(logged, "Nothing", 7000) == (
        "The Nothing service failed to start due to the following error: \nFile not found."
    )
    assert await_event(logged, "Needy", 7001).startswith(
        "The Needy service depends on the Nothing service which failed to start because of"
    )


def test_unexpected_ends(logged: TemporarySilo) -> None:
    for name, options in (
        ("Fragile", {}),
        ("Restarted", {"failure_actions": ["restart:100"]}),
    ):
        logged.silo.create_service(name, r"C:\testsvc.exe normal", **options)  # type: ignore[arg-type]
        service = logged.silo.service(name)
        service.start()
        pid = service.info().pid
        assert pid is not None
        logged.run("taskkill", "/f", "/pid", str(pid))
    assert await_event(logged, "Fragile", 7034) == (
        "The Fragile service terminated unexpectedly.  It has done this 1 time(s)."
    )
    assert await_event(logged, "Restarted", 7031) == (
        "The Restarted service terminated unexpectedly.  It has done this 1 time(s).  "
        "The following corrective action will be taken in 100 milliseconds: Restart the service."
    )


def test_stopped_silo_keeps_them(logged: TemporarySilo) -> None:
    """What the SCM reports while the silo stops is written, too."""
    logged.silo.create_service("Last", r"C:\testsvc.exe normal")
    logged.silo.service("Last").start()
    logged.silo.stop()
    assert about(logged, "Last")[-1] == (7036, "The Last service entered the stopped state.")
    logged.silo.start()
    report(logged, "Last", 4, 3, "after a stop")
    assert [event.text for event in logged.silo.events("Last", log="Application")] == ["after a stop"]


def test_a_clone_goes_its_own_way(logged: TemporarySilo, host: Host) -> None:
    report(logged, "Both", 4, 1, "before")
    logged.silo.stop()
    clone = logged.silo.clone(f"{logged.name}c")
    try:
        clone.start()
        clone.run([r"C:\events.exe", "report", "Both", "4", "2", "in the clone"])

        def texts(events: list[Event]) -> list[str]:
            return [event.text for event in events]

        assert texts(clone.events(log="Application")) == ["before", "in the clone"]
        assert texts(logged.silo.events(log="Application")) == ["before"]
    finally:
        clone.remove(force=True)


def test_no_silo(host: Host, cli: Cli) -> None:
    with pytest.raises(SiloNotFound):
        host.silo("none").events()
    result = cli("logs", "none", "--events", "--json")
    assert result.code != 0
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.out)
