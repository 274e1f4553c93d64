"""Plugin points: found by group and name; a broken one is named and stops nothing."""

from importlib.metadata import EntryPoint

import pytest

from medseg import plugins
from medseg.errors import ConfigError, InputError


def points(*items: tuple[str, str]) -> object:
    made = [EntryPoint(name, value, plugins.SEGMENTERS) for name, value in items]

    def find(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in made if group == point.group and name in (None, point.name)]

    return find


def test_the_built_ins_use_the_same_points() -> None:
    assert "otsu" in plugins.names(plugins.SEGMENTERS)
    assert {"dicom", "itk", "nifti", "raster"} <= set(plugins.names(plugins.READERS))
    assert plugins.load(plugins.SEGMENTERS, "otsu").spec.name == "otsu"


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"installed: .*otsu"):
        plugins.load(plugins.SEGMENTERS, "nothing")


def test_a_name_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", points(("twin", "json:dumps"), ("twin", "json:loads")))
    with pytest.raises(InputError, match="uninstall all but one"):
        plugins.load(plugins.SEGMENTERS, "twin")


def test_a_broken_plugin_is_named_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", points(("bad", "no_such_module:X"), ("good", "json:dumps")))
    with pytest.raises(ConfigError, match=r"'bad'.*can't be loaded"):
        plugins.load(plugins.SEGMENTERS, "bad")
    assert [name for name, _ in plugins.load_all(plugins.SEGMENTERS)] == ["good"]
    faults = {name: fault for name, _, fault in plugins.check(plugins.SEGMENTERS)}
    assert faults["good"] is None
    assert "no_such_module" in (faults["bad"] or "")
