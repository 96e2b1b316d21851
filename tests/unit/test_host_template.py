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


def target(hive: Registry, path: str) -> str:
    key = hive.get(path)
    assert key is not None
    assert key.link
    value = key.get(LINK_VALUE)
    assert value is not None
    return value.as_text()


def start_of(hive: Registry, name: str, root: str = CCS) -> int | None:
    key = hive.get(rf"{root}\Services\{name}")
    assert key is not None
    value = key.get("Start")
    return None if key.link or value is None else value.as_dword()


def test_services_are_masked() -> None:
    base = make_base()
    hive = build(base, link_table(base))
    assert start_of(hive, "RpcSs") == 2
    assert start_of(hive, "Eventlog") is None
    assert start_of(hive, "PlugPlay") == 3
    assert start_of(hive, "MountMgr") == 4
    assert start_of(hive, "Spooler") is None
    assert target(hive, rf"{CCS}\Services\Spooler") == rf"\REGISTRY\{CCS}\Services\Spooler"
    assert target(hive, rf"{CCS}\Services\PlugPlay\Parameters").endswith(r"PlugPlay\Parameters")


def test_root_devices_are_left_out() -> None:
    base = make_base()
    hive = build(base, link_table(base))
    assert rf"{CCS}\Enum\Root" not in hive
    assert rf"{CCS}\Enum\HID" in hive


def test_children_that_are_links_lead_into_the_hive() -> None:
    base = make_base()
    hive = build(base, link_table(base))
    text = fill_in(render(hive).encode(), 42).decode()
    filled = parse(text)
    expected = r"\REGISTRY\User\winesilo-42\machine\software\classes\wow"
    assert target(filled, r"Machine\Software\Wow6432Node") == expected
    assert "@" not in filled.relative_to


def test_volatile_keys_of_the_host_are_linked() -> None:
    base = make_base()
    hive = build(base, link_table(base))
    assert target(hive, r"Machine\Hardware") == r"\REGISTRY\Machine\Hardware"
    assert target(hive, r"Machine\System\MountedDevices").endswith(r"System\MountedDevices")


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
    assert target(hive, CCS).lower().endswith(r"\machine\system\controlset001")
    assert r"machine\system\controlset001\control\servicecurrent" in volatile_keys(links)


def test_canonical_ends_in_a_cycle() -> None:
    links = [("machine\\a", "machine\\b"), ("machine\\b", "machine\\a")]
    assert canonical("Machine\\A\\x", links).lower() in ("machine\\a\\x", "machine\\b\\x")
