"""The form of every segmenter: its defaults are the core's, and what is typed comes back as it was typed."""

from typing import Any

import pytest

pytest.importorskip("napari")

from pydantic import BaseModel, Field

from medseg.domain import Params
from medseg.domain.params import params_from
from medseg.workflows.segmenters import find_segmenter, list_segmenters, make_params
from napari_medseg._qt.form import ParameterForm

pytestmark = pytest.mark.gui

NAMES = sorted(found.spec.name for found in list_segmenters())


class Inner(BaseModel):
    """A part of other parameters."""

    size_mm: float = 1.5
    names: tuple[str, ...] = ("tumour, left", "näher")


class Nested(Params):
    """Parameters with lists and parts."""

    inner: Inner = Inner()
    ranges: list[tuple[float, float]] = Field([(0.0, 1.5)], description="From and to.")
    anything: float | None = Field(None, ge=0, lt=10, description="Found if not given.")


@pytest.mark.parametrize("name", NAMES)
def test_untouched_it_says_the_defaults_of_the_core(name: str, qtbot: Any) -> None:
    engine = find_segmenter(name)
    form = ParameterForm(engine.Params)
    qtbot.addWidget(form)
    assert set(form.fields) == set(engine.Params.model_fields)
    assert make_params(engine, form.values()).model_dump() == engine.Params().model_dump()


@pytest.mark.parametrize("name", NAMES)
def test_every_field_says_what_it_does_in_which_unit_and_range(name: str, qtbot: Any) -> None:
    kind = find_segmenter(name).Params
    form = ParameterForm(kind)
    qtbot.addWidget(form)
    for field, part in kind.model_json_schema().get("properties", {}).items():
        tip = form.fields[field].toolTip()
        assert part["description"] in tip
        for bound in (kind["minimum"] for kind in [part, *part.get("anyOf", ())] if "minimum" in kind):
            assert f"at least {bound}" in tip.lower()
        assert form.fields[field].accessibleName()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"inner": {"size_mm": 2.0, "names": ["a"]}},
        {"ranges": [[1.0, 2.0], [3.0, 4.25]], "anything": 3.0},
    ],
)
def test_lists_and_parts_are_json_that_comes_back(given: dict[str, Any], qtbot: Any) -> None:
    form = ParameterForm(Nested)
    qtbot.addWidget(form)
    form.set_values(given)
    found = params_from(Nested, form.values(), of="nested", listed_by="nothing")
    assert found == Nested(**given)
