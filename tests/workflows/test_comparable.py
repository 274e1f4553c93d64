"""What keeps two scans from being compared: a table, one difference at a time."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.domain.provenance import Edit, Provenance
from medseg.domain.record import Review
from medseg.errors import ConfigError
from medseg.workflows.comparable import differences, require_acceptable, said_differences
from medseg.workflows.measure import measure

GRID = Grid((6, 6, 6), np.eye(4), slice_thickness=1.0)
MADE = Provenance("net", (("threshold", 0.5),), "ab" * 32)


def record(*, made_by=MADE, grid=GRID, details=(), plan=None, subject=None, modality="CT"):
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:4, 2:4, 2:4] = 1
    mask = Segmentation(labels, grid, LabelTable((Label(1, "tumour"),)), made_by)
    image = Image(np.ones(grid.shape, np.float32), grid, modality)
    found = measure(mask, image, subject=subject, plan=MeasurePlan(lesions=plan or LesionPlan()))
    inputs = tuple(replace(item, details=details) if item.role == "image" else item for item in found.inputs)
    return replace(found, inputs=inputs)


def aspects(first, other):
    return [item.aspect for item in differences(first, other, ({}, {}))]


def thick(mm):
    return Grid((6, 6, 6), np.eye(4), slice_thickness=mm)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (record(), []),
        (record(made_by=replace(MADE, weights_digest="cd" * 32)), ["method"]),
        (record(made_by=replace(MADE, segmenter="other")), ["method"]),
        (record(made_by=replace(MADE, parameters=(("threshold", 0.6),))), ["settings"]),
        (record(plan=LesionPlan(connectivity=6)), ["settings"]),
        (record(made_by=replace(MADE, edits=(Edit("changed by hand"),))), ["review"]),
        (record(modality="MR"), ["protocol"]),
        (record(grid=thick(1.2)), []),
        (record(grid=thick(1.3)), ["protocol"]),
    ],
)
def test_one_difference_at_a_time(other, expected) -> None:
    assert aspects(record(), other) == expected


@pytest.mark.parametrize("key", ["sequence", "contrast", "kernel"])
def test_facts_of_the_protocol_count_where_both_are_known(key) -> None:
    one, two = record(details=((key, "a"),)), record(details=((key, "b"),))
    assert aspects(one, two) == ["protocol"]
    assert aspects(one, record()) == []
    assert aspects(one, one) == []


def test_edited_masks_are_compared_once_both_are_reviewed() -> None:
    edited = record(made_by=replace(MADE, edits=(Edit("changed by hand"),)))
    signed = replace(edited, review=Review("reviewed"))
    assert aspects(edited, edited) == ["review"]
    assert aspects(signed, signed) == []


def test_given_masks_are_not_known_to_be_made_alike() -> None:
    given = record(made_by=Provenance())
    assert aspects(given, given) == ["method"]


def test_other_pseudonyms_are_another_patient_and_digests_are_none() -> None:
    assert aspects(record(subject="p1"), record(subject="p2")) == ["patient"]
    assert aspects(record(subject="p1"), record()) == []


def test_another_scanner_is_said_and_hinders_nothing() -> None:
    one, two = record(details=(("manufacturer", "A"),)), record(details=(("manufacturer", "B"),))
    assert aspects(one, two) == []
    assert [item.code for item in said_differences(one, two, 2)] == ["followup.scanner"]


def test_another_patient_can_not_be_accepted() -> None:
    require_acceptable(("method", "settings", "review", "protocol"))
    with pytest.raises(ConfigError, match="can be accepted"):
        require_acceptable(("patient",))


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("PatientID", "q123", "patient ID"),
        ("PatientSex", "O", "sex"),
        ("PatientBirthDate", "19700102", "birth date"),
    ],
)
def test_the_headers_patient_counts(keyword, value, words, data, tmp_path) -> None:
    """Two copies of a real series whose headers name one patient, then two."""
    import pydicom

    import medseg

    images = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        for path in sorted(data("dicom/dicom2nifti/generic/anatomical/001").glob("*")):
            ds = pydicom.dcmread(path)
            ds.PatientID, ds.PatientSex, ds.PatientBirthDate = "p", "M", "19600102"
            if name == "two":
                setattr(ds, keyword, value)
            ds.save_as(folder / path.name)
        images.append({"mr": medseg.read(folder)})
    assert differences(record(), record(), (images[0], images[0])) == ()
    found = differences(record(), record(), (images[0], images[1]))
    assert [item.aspect for item in found] == ["patient"]
    assert words in found[0].words
    assert value not in found[0].words
