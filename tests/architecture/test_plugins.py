"""Plugin points: found by group and name; a broken one is named and stops nothing."""

import sys
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from medseg import plugins
from medseg.errors import ConfigError, InputError, UnsupportedFormatError
from medseg.methods.otsu import OTSU, Otsu

Points = dict[tuple[str, str], str]
OTSU_VALUE = "medseg.methods.otsu:OTSU"


class Dist:
    """A distribution, of which plugins only ask the name."""

    def __init__(self, name: str) -> None:
        self.name = name


def called(name: Any) -> Otsu:
    """Otsu's method under another name."""
    method = Otsu()
    method.spec = replace(OTSU.spec, name=name)  # type: ignore[misc]
    return method


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts entry points, each {(name, package): value}, in the place of those installed; with objects of a module."""

    def done(points: Points, group: str = plugins.SEGMENTERS, **objects: Any) -> None:
        module = ModuleType("plugin_of_test")
        vars(module).update(objects)
        monkeypatch.setitem(sys.modules, "plugin_of_test", module)
        made = [
            EntryPoint(name, value, group)._for(Dist(owner))  # type: ignore[attr-defined]
            for (name, owner), value in points.items()
        ]
        monkeypatch.setattr(plugins, "entry_points", lambda group: [p for p in made if p.group == group])

    return done


def test_the_built_ins_use_the_same_points() -> None:
    assert "otsu" in plugins.names(plugins.SEGMENTERS)
    assert {"dicom", "itk", "nifti", "raster"} <= set(plugins.names(plugins.READERS))
    assert plugins.load(plugins.SEGMENTERS, "otsu").spec.name == "otsu"


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"installed: .*otsu"):
        plugins.load(plugins.SEGMENTERS, "nothing")


def test_a_name_given_by_two_others_is_refused(register: Any) -> None:
    register({("twin", "one"): "json:dumps", ("twin", "two"): "json:loads"})
    with pytest.raises(InputError, match="by one and two; uninstall all but one"):
        plugins.load(plugins.SEGMENTERS, "twin")
    assert [owner for _, owner, fault in plugins.check(plugins.SEGMENTERS) if fault] == ["one", "two"]


def test_a_built_in_keeps_its_name_and_comes_first(register: Any) -> None:
    points = {("otsu", "aaa"): "plugin_of_test:X", ("abc", "aaa"): "plugin_of_test:X"}
    register(points | {("otsu", "medseg"): OTSU_VALUE}, X=called("abc"))
    assert plugins.load(plugins.SEGMENTERS, "otsu") is OTSU
    assert [name for name, _ in plugins.load_all(plugins.SEGMENTERS)] == ["otsu", "abc"]
    faults = {(name, owner): fault for name, owner, fault in plugins.check(plugins.SEGMENTERS)}
    assert faults["otsu", "medseg"] is None
    assert "the name is a built-in's" in (faults["otsu", "aaa"] or "")


def test_a_package_that_is_found_twice_is_one(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    register({("x", "one"): "plugin_of_test:X"}, X=called("x"))
    twice = 2 * plugins.entry_points(group=plugins.SEGMENTERS)  # type: ignore[attr-defined]
    monkeypatch.setattr(plugins, "entry_points", lambda group: twice)
    assert plugins.load(plugins.SEGMENTERS, "x").spec.name == "x"


def leave() -> None:
    """As a script does that is imported by mistake."""
    raise SystemExit("bye")


class Leaver(ModuleType):
    """A module that ends the process where it is looked into."""

    def __getattr__(self, name: str) -> Any:
        leave()


@pytest.mark.parametrize(
    ("name", "thing", "said"),
    [
        ("bad", "no_such_module:X", "can't be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("bad", "plugin_of_test:Y", "can't be loaded: AttributeError"),
        ("bad", "plugin_that_leaves:X", "can't be loaded: SystemExit: bye"),
        ("bad", Otsu, "is a class"),
        ("bad", object(), "it has no spec.name, spec.title, spec.channels, Params.model_fields, segment"),
        ("bad", called("good"), "calls itself 'good'; the entry point must have the same name"),
        ("bad", called(None), "calls itself None"),
        ("Bad Name", called("Bad Name"), "can't be typed"),
    ],
    ids=["import", "attribute", "exit", "class", "object", "other name", "no name", "ill name"],
)
def test_a_broken_plugin_is_named_and_stops_nothing(
    register: Any, monkeypatch: pytest.MonkeyPatch, name: str, thing: Any, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "plugin_that_leaves", Leaver("plugin_that_leaves"))
    value = thing if isinstance(thing, str) else "plugin_of_test:X"
    register({(name, "someone"): value, ("otsu", "medseg"): OTSU_VALUE}, X=thing)
    with pytest.raises(ConfigError) as refused:
        plugins.load(plugins.SEGMENTERS, name)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"plugin {name!r} of someone ")
    assert [found for found, _ in plugins.load_all(plugins.SEGMENTERS)] == ["otsu"]
    assert {found: fault for found, _, fault in plugins.check(plugins.SEGMENTERS)} == {
        name: str(refused.value),
        "otsu": None,
    }


@pytest.mark.parametrize("group", [plugins.READERS, plugins.WRITERS])
def test_a_format_without_its_parts_is_named(register: Any, group: str) -> None:
    register({("half", "someone"): "plugin_of_test:X"}, group, X=Dist("half"))
    ((_, _, fault),) = plugins.check(group)
    assert "it has no s" in (fault or "")  # sniff, suffixes


def test_what_a_plugin_prints_is_no_output(
    register: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loud(ModuleType):
        def __getattr__(self, name: str) -> Any:
            sys.stdout.write("hello")
            return called("loud")

    monkeypatch.setitem(sys.modules, "plugin_that_is_loud", Loud("plugin_that_is_loud"))
    register({("loud", "someone"): "plugin_that_is_loud:X"})
    plugins.load(plugins.SEGMENTERS, "loud")
    assert capsys.readouterr().out == ""


def test_a_reader_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    read = import_module("medseg.io.read")  # the room shows a function of this name

    class Shoddy:
        def sniff(self, path: Any, head: bytes) -> bool:
            raise RuntimeError("boom")

    monkeypatch.setattr(read, "_readers", lambda: (Shoddy(),))
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(UnsupportedFormatError):
        read.find_reader(tmp_path / "a.txt")
