"""Records of before version 1.2 are understood, and their signatures hold."""

import json
from dataclasses import replace

import pytest

from medseg.domain import Label, LabelTable, ReadOptions, Record, Region
from medseg.domain.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan
from medseg.domain.values import Details, as_details
from medseg.reporting import record_from_json, record_to_json
from medseg.reporting.record.json import content_digest
from medseg.reporting.record.older import model_of, plan_of, read_options_of
from medseg.reporting.record.signature import signed

READ: list[tuple[Details, ReadOptions]] = [
    ((), ReadOptions()),
    ((("read.resample", True),), ReadOptions(resample=True)),
    ((("read.affine", "qform"), ("read.orientation", "LPS")), ReadOptions(affine="qform", orientation="LPS")),
    (
        (("read.slice_thickness", 5.0), ("read.spacing", "0.1 0.2 3.0")),
        ReadOptions(spacing=(0.1, 0.2, 3.0), slice_thickness=5.0),
    ),
]


@pytest.mark.parametrize(("settings", "expected"), READ)
def test_ways_of_reading_kept_as_text(record: Record, settings: Details, expected: ReadOptions) -> None:
    assert read_options_of(replace(record, settings=settings)) == expected


def test_ways_of_reading_kept_as_values_take_the_ids_of_an_input(record: Record) -> None:
    kept = replace(record, settings=(), read=ReadOptions(affine="sform"))
    assert read_options_of(kept, series="1.2", volume="b") == ReadOptions("1.2", "b", affine="sform")


PLANS: list[tuple[Details, MeasurePlan]] = [
    ((), MeasurePlan()),
    (
        (("lesions.names", "tumour, node"), ("lesions.connectivity", 6), ("lesions.rule", "rano-bm")),
        MeasurePlan(LesionPlan(("tumour", "node"), connectivity=6, rule="rano-bm")),
    ),
    ((("lesions.names", "tumour, left, node"),), MeasurePlan(LesionPlan(("tumour, left", "node")))),
    ((("pet.delineations", "given, 41%"),), MeasurePlan(pet=PetPlan())),
    (
        (("tissue.compartment", "body"), ("tissue.levels", "L3, k=57"), ("tissue.presets", "")),
        MeasurePlan(tissue=TissuePlan(compartment="body", levels=("L3", "k=57"))),
    ),
]


@pytest.mark.parametrize(("settings", "expected"), PLANS)
def test_plans_kept_as_text(record: Record, settings: Details, expected: MeasurePlan) -> None:
    table = LabelTable((Label(1, "tumour, left"), Label(2, "node")), (Region("tumour", (1,)),))
    assert plan_of(replace(record, settings=settings, table=table)) == expected


def test_facts_of_the_model_kept_by_name(record: Record) -> None:
    facts = model_of(replace(record, model=as_details(name="net", version="1.0", limits="Small. Few.")))
    assert facts is not None
    assert (facts.name, facts.version, facts.limits) == ("net", "1.0", ("Small. Few.",))


def test_a_signature_of_an_older_record_holds_when_it_is_written_again(record: Record) -> None:
    old = replace(record, settings=as_details(**{"read.resample": True}), made_by=replace(record.made_by))
    old = signed(old, content_digest(old), name="A", organization="B", signed_at="2026-01-01T00:00:00+00:00")
    plain = json.loads(record_to_json(old))
    for name in ("plan", "read", "request_digest"):
        del plain[name]
    again = record_from_json(json.dumps({**plain, "schema": "medseg.record/1.1"}).encode())
    assert again.review.state == "reviewed"
    assert record_from_json(record_to_json(again)).review.state == "reviewed"
