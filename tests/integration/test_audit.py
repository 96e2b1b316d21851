"""``silo audit`` sees what a silo's programs share, also where they reach for it on purpose."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guests import holding
from helpers import Cli, Machine, TemporarySilo

from winesilo import Host
from winesilo.errors import EXIT_USAGE, UsageError

Guest = Callable[[str], Path]
#: What tests/guest/reach.c reaches for: kind, name, class.
REACHED = [
    ("object", r"\Sessions\1\BaseNamedObjects\Global\wst-event", "private"),
    ("object", r"\Sessions\1\BaseNamedObjects\Local\wst-mutex", "private"),
    ("object", r"\Sessions\1\BaseNamedObjects\wst-section", "private"),
    ("object", r"\KernelObjects\LowMemoryCondition", "shared"),
    ("atom", "wst-atom", "shared"),
    ("window station", r"\Sessions\1\Windows\WindowStations\wst-station", "private"),
    ("desktop", r"\Sessions\1\Windows\WindowStations\wst-desktop", "private"),
    ("pipe", "wst-pipe", "private"),
    ("rpc endpoint", "ncalrpc:wst-endpoint", "private"),
    ("com class", "{01234567-89AB-CDEF-0123-456789ABCDEF}", "private"),
    ("mailslot", "wst-slot", "private"),
    ("file", r"C:\wst-reach.txt", "private"),
    ("file", r"\??\unix\etc\passwd", "refused"),
    ("device", r"\Device\Null", "shared"),
    ("device", r"\??\PhysicalDrive0", "shared"),
    ("device", r"\Device\Harddisk0", "shared"),
    ("key", r"\Registry\Machine\software\wst-reach\below", "private"),
    ("socket", "tcp 0.0.0.0:7391", "private"),
    ("socket", "tcp 127.0.0.1:7391", "private"),
    ("socket", "tcp 127.255.1.1:7392", "refused"),
    ("socket", "tcp 127.255.1.1:7391", "refused"),
    ("driver", r"\Registry\Machine\System\CurrentControlSet\Services\wst-driver", "refused"),
    ("service", "wst-reach", "private"),
]
WITHDRAWN = r"""
[[entry]]
devices = ['\??\PhysicalDrive*', '\Device\Harddisk*']
class = "undeclared"
reason = "to see whether an audit notices"
"""


def found(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rendezvous of an audit, by kind and name in small letters."""
    return {(one["kind"], one["name"].lower()): one for one in document["rendezvous"]}


@contextlib.contextmanager
def silo_with(host: Host, cli: Cli, scratch: Path, catalogue: str) -> Iterator[TemporarySilo]:
    """A running silo that has a catalogue of its own."""
    silo = TemporarySilo(host)
    (scratch / "catalogue.toml").write_text(catalogue, encoding="utf-8")
    cli.ok("create", "--catalogue", str(scratch / "catalogue.toml"), silo.name)
    try:
        silo.silo.start()
        yield silo
    finally:
        silo.silo.remove(force=True)


def test_sees_what_a_program_reaches_for(
    silo: TemporarySilo, new_silo: Callable[..., TemporarySilo], cli: Cli, guest: Guest
) -> None:
    other = new_silo()
    foreign = other.silo.ps()[0].pid
    with holding(silo, guest, "reach", str(foreign)) as lines:
        assert not [line for line in lines if line.startswith("not ok")]
        document = cli("audit", silo.name, "--json").json()
    seen = found(document)
    for kind, name, klass in [*REACHED, ("process", f"id {foreign}", "refused")]:
        assert seen[kind, name.lower()]["class"] == klass, (kind, name)
    for one in document["rendezvous"]:
        assert one["rule"] is not None, one
        assert one["rule"]["reason"], one
    assert ("device", r"\??\wst-no-such-device") not in seen
    assert document["complete"]
    assert document["counts"]["undeclared"] == 0
    # what the interposer recorded and what the wineserver says of the handles are two witnesses
    assert set(seen["object", r"\kernelobjects\lowmemorycondition"]["seen"]) == {"record", "handles"}
    assert not set(seen) & {("object", r"\??\z:"), ("pipe", "wst-no-such-pipe")}
    quiet = cli("audit", other.name, "--json").json()
    assert not [name for _, name in found(quiet) if "wst-" in name]


def test_what_a_silo_does_by_itself_is_declared(silo: TemporarySilo, cli: Cli) -> None:
    for service in ("Spooler", "Schedule", "MSIServer"):
        silo.silo.service(service).start()
    silo.run("cmd", "/c", "ver")
    result = cli("audit", silo.name)
    assert result.code == 0, result
    assert result.out.splitlines()[-1].startswith("0 undeclared, ")
    kinds = {kind for kind, _ in found(cli("audit", silo.name, "--json").json())}
    assert {"object", "rpc endpoint", "key", "pipe", "process"} <= kinds


def test_names_what_no_rule_declares(host: Host, cli: Cli, scratch: Path, guest: Guest) -> None:
    with silo_with(host, cli, scratch, WITHDRAWN) as silo:
        assert cli("audit", silo.name).code == 0
        with holding(silo, guest, "reach", "device"):
            table = cli("audit", silo.name)
            held = cli("audit", silo.name, "--json")
        after = cli("audit", silo.name)
        assert (table.code, held.code, after.code) == (1, 1, 1), "the record remembers"
    assert table.out.splitlines()[1].startswith("undeclared")
    document = json.loads(held.out)
    undeclared = {one["name"]: one["seen"] for one in document["rendezvous"] if one["class"] == "undeclared"}
    assert undeclared == {r"\??\PhysicalDrive0": ["record"], r"\Device\Harddisk0": ["handles"]}
    assert document["rendezvous"][0]["rule"] is None
    assert document["counts"]["undeclared"] == 2


@pytest.mark.parametrize(("klass", "shown"), [("refused", "refused"), ("private", "private")])
def test_a_catalogue_keeps_devices_from_a_silo(
    klass: str, shown: str, host: Host, cli: Cli, scratch: Path, guest: Guest
) -> None:
    with silo_with(host, cli, scratch, WITHDRAWN.replace('"undeclared"', f'"{klass}"')) as silo:
        silo.silo.copy_in(guest("reach"), "C:\\")
        done = silo.silo.run([r"C:\reach.exe", "device"])
        assert done.returncode == 1, done
        assert "not ok disk" in done.stdout
        one = found(cli("audit", silo.name, "--json").json())["device", r"\??\physicaldrive0"]
    assert one["class"] == shown
    assert one["rule"]["source"] == "catalogue"
    assert one["rule"]["reason"] == "to see whether an audit notices"


def test_the_hosts_own_catalogue_is_for_all_silos(
    host: Host, machine: Machine, cli: Cli, guest: Guest
) -> None:
    path = machine.data / "winesilo" / "hosts" / host.name / "catalogue.toml"
    path.write_text(WITHDRAWN.replace('"undeclared"', '"refused"'), encoding="utf-8")
    try:
        with TemporarySilo(host) as silo:
            silo.silo.copy_in(guest("reach"), "C:\\")
            assert silo.silo.run([r"C:\reach.exe", "device"]).returncode == 1
        path.write_text("nonsense", encoding="utf-8")
        with pytest.raises(UsageError, match="is no catalogue") as caught:
            host.create("never")
        assert str(path) in caught.value.message
    finally:
        path.unlink()


def test_a_private_driver_is_left_in_the_service_database(host: Host, cli: Cli, scratch: Path) -> None:
    private = '[[entry]]\ndriver = ["MountMgr"]\nclass = "private"\nreason = "a test"\n'
    with silo_with(host, cli, scratch, private) as silo:
        kinds = {one.name.lower(): one.start_type for one in silo.silo.services(drivers=True)}
    assert kinds["mountmgr"] != "disabled"
    with TemporarySilo(host) as silo:
        kinds = {one.name.lower(): one.start_type for one in silo.silo.services(drivers=True)}
    assert kinds["mountmgr"] == "disabled"


@pytest.mark.parametrize(
    "text", ["[[entry]]\n", "nonsense", '[[entry]]\ndevices=["NUL"]\nclass="shared"\nreason="x"\n']
)
def test_a_bad_catalogue_is_refused(text: str, cli: Cli, scratch: Path) -> None:
    path = scratch / "bad.toml"
    path.write_text(text, encoding="utf-8")
    result = cli("create", "--catalogue", str(path), "never")
    assert result.code == EXIT_USAGE
    assert "catalogue" in result.err
    assert "never" not in cli.ok("ls")


def test_says_that_names_were_lost(silo: TemporarySilo, cli: Cli, guest: Guest) -> None:
    silo.silo.copy_in(guest("reach"), "C:\\")
    silo.run(r"C:\reach.exe", "many")
    result = cli("audit", silo.name, "--json")
    document = json.loads(result.out)
    assert result.code == 1
    assert document["lost"] > 0
    assert not document["complete"]
    assert document["counts"]["undeclared"] == 0
    assert " lost: there was no room for them" in cli("audit", silo.name).out.splitlines()[-1]


def test_needs_a_running_silo(new_silo: Callable[..., TemporarySilo], cli: Cli) -> None:
    silo = new_silo(start=False)
    result = cli("audit", silo.name)
    assert result.code == 1
    assert "is not running" in result.err
    assert cli("audit", "nobody").code == 1


def test_analyzes_a_program_and_removes_its_silos(host: Host, cli: Cli, guest: Guest) -> None:
    result = cli("analyze", "--json", str(guest("reach")), "4")
    document = json.loads(result.out)
    assert result.code == 1, "the service that it registers has no image"
    assert [(step["name"], step["ok"]) for step in document["steps"]] == [
        ("install", True),
        ("start wst-reach", False),
    ]
    assert document["services"] == ["wst-reach"]
    collides = {(one["kind"], one["name"].lower()) for one in document["collides"]}
    assert collides >= {
        ("pipe", "wst-pipe"),
        ("rpc endpoint", "ncalrpc:wst-endpoint"),
        ("socket", "tcp 0.0.0.0:7391"),
        ("file", r"c:\wst-reach.txt"),
        ("object", r"\sessions\1\basenamedobjects\global\wst-event"),
        ("service", "wst-reach"),
    }
    assert ("file", r"c:\analyze\reach.exe") not in collides
    assert r"\??\PhysicalDrive0" in {one["name"] for one in document["uses"]}
    assert document["undeclared"] == []
    assert not [silo.name for silo in host.list() if silo.name.startswith("analyze-")]


def test_analyzes_a_service_of_a_silo(
    new_silo: Callable[..., TemporarySilo], host: Host, cli: Cli, guest: Guest
) -> None:
    silo = new_silo()
    silo.silo.copy_in(guest("testsvc"), "C:\\")
    silo.silo.create_service("wst-good", r"C:\testsvc.exe normal", dependencies=["Spooler"])
    silo.silo.stop()
    result = cli("analyze", "--from", silo.name, "wst-good")
    assert result.code == 0, result
    assert "start wst-good: done" in result.out
    assert "stop wst-good: done" in result.out
    document = cli("analyze", "--json", "--from", silo.name, "wst-good").json()
    assert document["needs_services"] == ["Spooler"]
    assert r"C:\testsvc-wst-good.txt" in {one["name"] for one in document["collides"]}
    assert not [found.name for found in host.list() if found.name.startswith("analyze-")]
    assert cli("analyze", "--from", silo.name, "no-such-service").code == 1
    assert cli("analyze", "./no-such-program").code == EXIT_USAGE
    assert not [found.name for found in host.list() if found.name.startswith("analyze-")]


def test_lists_written_keys_above_others(silo: TemporarySilo, cli: Cli) -> None:
    r"""Not those that were copied up for the sake of a key below them only."""
    key = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion"
    silo.run("reg", "add", key + r"\Fonts\Below", "/v", "Text", "/d", "mine", "/f")
    silo.run("reg", "add", key, "/v", "WstText", "/d", "mine", "/f")
    seen = found(cli("audit", silo.name, "--json").json())
    above = r"\registry\machine\software\microsoft\windows nt"
    assert seen["key", above + r"\currentversion"]["how"] == ["changed"]
    assert ("key", above + r"\currentversion\fonts\below") in seen
    assert ("key", above + r"\currentversion\fonts") not in seen
    assert ("key", above) not in seen
