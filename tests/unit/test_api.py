"""The API's surface: what it promises is what it exposes."""

from __future__ import annotations

import dataclasses
import inspect
import types
from typing import Any

import pytest

import winesilo
from winesilo import api, models
from winesilo.api import Host, Silo
from winesilo.errors import HostNotInitialised, InvalidName
from winesilo.models import model


def test_all_is_what_the_module_exposes() -> None:
    """Everything defined there for users is in ``__all__``, and everything in ``__all__`` exists."""
    own = {
        name
        for name, value in vars(api).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ in (api.__name__, models.__name__)
        and value is not model
    }
    assert own <= set(api.__all__)
    assert all(hasattr(api, name) for name in api.__all__)
    assert len(set(api.__all__)) == len(api.__all__)


def test_the_package_offers_the_api() -> None:
    for name in ("Host", "Service", "Silo"):
        assert getattr(winesilo, name) is getattr(api, name)
    assert set(winesilo.__all__) == {"Host", "Service", "Silo", "__version__"}
    with pytest.raises(AttributeError):
        _ = winesilo.nonsense


@pytest.mark.parametrize("cls", [api.Host, api.Silo, api.Service])
def test_every_public_method_is_documented(cls: type) -> None:
    for name, member in vars(cls).items():
        if not name.startswith("_") and isinstance(member, types.FunctionType | property):
            assert member.__doc__, f"{cls.__name__}.{name}"


def test_models_ignore_what_they_do_not_know() -> None:
    data = {field.name: None for field in dataclasses.fields(api.SiloInfo)}
    info = model(api.SiloInfo, {**data, "name": "x", "something_new": 1})
    assert info.name == "x"


def test_bad_host_names() -> None:
    with pytest.raises(InvalidName):
        Host("../x")


def test_without_a_base(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    host = Host()
    assert not host.initialised
    assert not host.running
    assert host.list() == []
    assert host.status().initialised is False
    host.stop()
    with pytest.raises(HostNotInitialised):
        host.create("x")
    with pytest.raises(HostNotInitialised):
        host.silo("x").start()


def test_a_silo_made_here_is_removed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    data = {field.name: None for field in dataclasses.fields(api.SiloInfo)}

    def call(_host: Host, method: str, _params: object = None, _on_progress: object = None) -> Any:
        seen.append(method)
        return {**data, "state": "stopped"}

    monkeypatch.setattr(Host, "_call", call)
    with Host().create("x"):
        pass
    assert seen == ["silo.create", "silo.inspect", "silo.start", "silo.rm"]
    seen.clear()
    with Silo(Host(), "x"):
        pass
    assert seen == ["silo.inspect", "silo.start", "silo.stop"]
