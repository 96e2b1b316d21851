"""The registry a silo starts with."""

from __future__ import annotations

from winesilo.host.registry_file import REG_LINK, Key, Registry, Value, parse, render
from winesilo.host.template import (
    LINK_VALUE,
    VERSION_KEYS,
    build,
    canonical,
    fill_in,
    link_table,
    volatile_keys,
)

CCS = r"Machine\System\CurrentControlSet"


def service(base: Registry, root: str, name: str, kind: int, start: int) -> None:
    key = base.add(Key(rf"{root}\Services\{name}"))
    key.set("Type", Value.dword(kind))
    key.set("Start", Value.dword(start))


def link(base: Registry, path: str, target: str) -> None:
    key = base.add(Key(path, link=True))
    key.set(LINK_VALUE, Value(REG_LINK, target.encode("utf-16-le")))


def make_base(root: str = CCS) -> Registry:
    base = Registry("REGISTRY")
    service(base, root, "RpcSs", 0x20, 3)
    service(base, root, "Eventlog", 0x20, 2)
    service(base, root, "PlugPlay", 0x20, 2)
    service(base, root, "Spooler", 0x110, 3)
    service(base, root, "MountMgr", 1, 2)
    base.add(Key(rf"{root}\Services\PlugPlay\Parameters"))
    base.add(Key(rf"{root}\Control\Windows")).set("CSDVersion", Value.dword(0))
    base.add(Key(rf"{root}\Enum\Root\WINEUSB"))
    base.add(Key(rf"{root}\Enum\HID"))
    base.add(Key(r"Machine\Software\Classes"))
    link(base, r"Machine\Software\Wow6432Node", r"\Registry\Machine\Software\Classes\Wow")
    base.add(Key(r"User\.Default"))
    base.add(Key(r"User\S-1-5-21-0-0-0-1000\Software"))
    return base


def start_of(hive: Registry, name: str, root: str = CCS) -> int | None:
    key = hive.get(rf"{root}\Services\{name}")
    assert key is not None
    value = key.get("Start")
    return None if key.link or value is None else value.as_dword()


def test_services_are_masked() -> None:
    base = make_base()
    hive = build(base, link_table(base))
    assert start_of(hive, "RpcSs") == 2
    assert rf"{CCS}\Services\Eventlog" not in hive  # as the base has it
    assert start_of(hive, "PlugPlay") == 3
    assert start_of(hive, "MountMgr") == 4
    for name, hosts in (("MountMgr", True), ("PlugPlay", False)):
        key = hive.get(rf"{CCS}\Services\{name}")
        assert key is not None
        assert (key.get("HostDriver") is not None) is hosts
    assert rf"{CCS}\Services\Spooler" not in hive
    assert rf"{CCS}\Services\PlugPlay\Parameters" not in hive


def test_root_devices_are_hidden() -> None:
    base = make_base()
    hive = build(base, link_table(base))
    hidden = hive.get(rf"{CCS}\Enum\Root")
    assert hidden is not None
    assert hidden.link
    assert not hidden.values
    assert rf"{CCS}\Enum\HID" not in hive
    assert {key.path for key in hive.links()} == {
        rf"{CCS}\Enum\Root",
        rf"{CCS}\Control\ServiceCurrent",
    }


def test_the_number_is_filled_in() -> None:
    base = make_base()
    filled = parse(fill_in(render(build(base, link_table(base))).encode(), 42).decode())
    assert filled.relative_to == r"REGISTRY\User\winesilo-42"
    assert start_of(filled, "MountMgr") == 4


def test_every_private_key_has_its_ancestors_and_machine_comes_first() -> None:
    base = make_base()
    hive = build(base, link_table(base), with_version=True)
    for key in hive:
        parent = key.path.rpartition("\\")[0]
        assert not parent or parent in hive
        assert not parent or not hive.ensure(parent).link
    assert next(iter(hive)).path == "Machine"
    assert all(path in hive for path in VERSION_KEYS)


def test_wine_10_has_a_linked_control_set() -> None:
    real = r"Machine\System\ControlSet001"
    base = make_base(real)
    link(base, CCS, r"\Registry\Machine\System\ControlSet001")
    links = link_table(base)
    hive = build(base, links)
    assert start_of(hive, "RpcSs", real) == 2
    assert CCS not in hive
    assert r"machine\system\controlset001\control\servicecurrent" in volatile_keys(links)


def test_canonical_ends_in_a_cycle() -> None:
    links = [("machine\\a", "machine\\b"), ("machine\\b", "machine\\a")]
    assert canonical("Machine\\A\\x", links).lower() in ("machine\\a\\x", "machine\\b\\x")
