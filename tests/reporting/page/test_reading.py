"""The page can be read by everyone: without sight, by keyboard, on a phone, in a dark room."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Image, Label, LabelTable, Record, Segmentation
from medseg.reporting import PageExtras, draw, to_html, view3d
from medseg.reporting.purpose import PageLook
from medseg.workflows.measure import LesionPlan, MeasurePlan, PetPlan, TissuePlan, measure
from tests.reporting.browsed import assert_no_sideways_scroll, barriers, browsed

Made = tuple[Record, Segmentation, Image]
GRID = Grid((60, 50, 24), np.diag([-2.0, -2.0, 3.0, 1.0]))
FULL = PageLook(full=True)


def phantom(
    names: tuple[str, ...], unit: str, modality: str | None, *, px: bool = False
) -> tuple[Segmentation, Image]:
    grid = Grid((60, 50, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px") if px else GRID
    labels = np.zeros(grid.shape, np.uint8)
    for number, _ in enumerate(names):
        row, column = divmod(number, 5)
        labels[3 + 11 * column : 11 + 11 * column, 3 + 11 * row : 11 + 11 * row, :20] = number + 1
    values = np.random.default_rng(0).normal(30, 5, grid.shape).astype(np.float32) + 2 * labels
    table = LabelTable(tuple(Label(number, name) for number, name in enumerate(names, start=1)))
    return Segmentation(labels, grid, table), Image(values, grid, modality, unit, channel="scan")


def kind(name: str) -> bytes:
    """A page of each kind that people get, with pictures, 3D view and appendix."""
    plans = {
        "structure": (("tumour",), "[hnsf'U]", "CT", MeasurePlan()),
        "lesions": (("tumour",), "[hnsf'U]", "CT", MeasurePlan(lesions=LesionPlan(rule="recist-1.1"))),
        "organs": (
            tuple(
                f"{'left' if n % 2 else 'right'} organ {n // 2} with a very long name of its own"
                for n in range(20)
            ),
            "[hnsf'U]",
            "CT",
            MeasurePlan(),
        ),
        "tissue": (
            ("body",),
            "[hnsf'U]",
            "CT",
            MeasurePlan(tissue=TissuePlan(compartment="body", levels=("k=9",))),
        ),
        "pet": (("tumour",), "g/ml{SUVbw}", "PT", MeasurePlan(lesions=LesionPlan(), pet=PetPlan())),
        "px": (("cell",), "[arb'U]", None, MeasurePlan()),
    }
    names, unit, modality, plan = plans[name]
    mask, image = phantom(names, unit, modality, px=name == "px")
    record = measure(mask, {"scan": image}, plan=plan)
    extras = PageExtras(viewer=str(view3d(mask)), look=FULL)
    return to_html(record, draw(record, mask, {"scan": image}), extras)


KINDS = ("structure", "lesions", "organs", "tissue", "pet", "px")


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_nothing_bars_anyone_from_a_page(name: str, tmp_path: Path) -> None:
    page = kind(name)
    assert barriers(page, tmp_path) == []
    assert barriers(page, tmp_path, dark=True, width=390) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_phone_needs_no_sideways_scroll(name: str, tmp_path: Path) -> None:
    assert_no_sideways_scroll(kind(name), tmp_path)


def test_the_list_is_sorted_by_its_heads_by_keyboard_too(tmp_path: Path) -> None:
    act = """
    const table = document.querySelector('table.sortable');
    const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.trim());
    const number = (row) => parseFloat(row.cells[1].textContent.replace("≥", ""));
    const volumes = () => [...table.tBodies[0].rows].map(number);
    const before = names();
    const buttons = [...table.querySelectorAll('thead button')];
    buttons[0].focus();
    const reached = document.activeElement === buttons[0];
    buttons[1].click();
    const up = volumes();
    buttons[1].click();
    return [before.length, reached, up, volumes(), table.querySelectorAll('[aria-sort]').length];
    """
    count, reached, up, down, marked = browsed(kind("organs"), act, tmp_path, width=1280)
    assert count == 10, "each pair of sides is one line"
    assert reached
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert marked == 1


def test_a_dark_room_gets_a_dark_page_and_paper_a_white_one(record: Record, tmp_path: Path) -> None:
    act = "return getComputedStyle(document.body).backgroundColor"
    page = to_html(record)
    assert browsed(page, act, tmp_path) == "rgb(255, 255, 255)"
    assert browsed(page, act, tmp_path, dark=True) == "rgb(20, 23, 26)"
    assert b"@media screen and (prefers-color-scheme: dark)" in page


def test_no_name_of_a_file_or_folder_is_on_the_page(metastases: Callable[[int], Made]) -> None:
    from dataclasses import replace

    record, segmentation, image = metastases(3)
    named = replace(
        record, inputs=tuple(replace(item, path="Doe_John/scan.nii.gz") for item in record.inputs)
    )
    page = to_html(named, draw(named, segmentation, {"ct": image}), PageExtras(look=FULL))
    assert b"Doe_John" not in page
    assert b"scan.nii" not in page
