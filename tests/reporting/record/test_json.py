"""Record ↔ JSON: exact, stable, strict, versioned."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import Record
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.reporting import record_from_json, record_to_json
from medseg.reporting.record.json import content_digest


def plain(record: Record) -> dict:
    return json.loads(record_to_json(record))


def test_round_trip_is_exact(record: Record) -> None:
    again = record_from_json(record_to_json(record))
    assert again.measurements == record.measurements
    assert again.findings == record.findings
    assert again.made_by == record.made_by
    assert again.table == record.table
    assert np.array_equal(again.inputs[0].grid.affine, record.inputs[0].grid.affine)
    assert record_to_json(again) == record_to_json(record)


def test_integers_stay_integers_and_floats_keep_every_bit(record: Record) -> None:
    awkward = (0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 2.0, 1e22)
    items = tuple(replace(record.measurements[1], value=value) for value in awkward)
    again = record_from_json(record_to_json(replace(record, measurements=items)))
    assert [item.value for item in again.measurements] == list(awkward)
    assert all(isinstance(item.value, float) for item in again.measurements)
    assert type(record_from_json(record_to_json(record)).measurements[0].value) is int
    settings = dict(record_from_json(record_to_json(record)).settings)
    assert settings == {"slice_thickness": 3.0, "many": 3, "yes": True, "nothing": None}
    assert [type(value) for value in settings.values()] == [float, int, bool, type(None)]


def test_not_computed_is_null_with_its_reason(record: Record) -> None:
    last = plain(record)["measurements"][-1]
    assert (last["value"], last["status"]) == (None, "not_computed")
    assert last["reason"] == "the label was looked for and not found"


def test_the_layout_is_stable(record: Record) -> None:
    lines = record_to_json(record).decode().splitlines()
    assert lines[:2] == ["{", '  "subject": "case-0a1b2c3d",']
    assert lines[-2:] == ['  "schema": "medseg.record/1.5"', "}"]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_nan_never_leaves(record: Record, number: float) -> None:
    with pytest.raises(InputError, match="NaN or infinity"):
        record_to_json(replace(record, settings=as_details(x=number)))


def test_an_older_minor_version_is_read(record: Record) -> None:
    old = plain(record)
    del old["model"], old["versions"]
    again = record_from_json(json.dumps({**old, "schema": "medseg.record/1.0"}).encode())
    assert again.model == ()
    assert again.schema == "medseg.record/1.5"


BAD = [
    ("no JSON", b"{", "no JSON"),
    ("a list", b"[]", "list, not an object"),
    ("not UTF-8", b"\xff\xfe{", "no JSON"),
    ("too deep", b"[" * 100_000, "no JSON"),
    ("another file", b'{"a": 1}', "schema is None"),
    ("another major version", b'{"schema": "medseg.record/2.0"}', r"reads 1\.x"),
    ("a sidecar", b'{"schema": "medseg.segmentation/1.0"}', "no record"),
    ("NaN", b'{"schema": NaN}', "NaN is no number"),
    ("a key twice", b'{"schema": "medseg.record/1.0", "schema": "medseg.record/1.0"}', "stands twice"),
    ("empty", b'{"schema": "medseg.record/1.0"}', "Field required.*more"),
]


@pytest.mark.parametrize(("data", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_json_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        record_from_json(data)
    assert "\n" not in str(caught.value)


WRONG = [
    ("an unknown key", lambda r: r | {"diagnosis": "x"}, "diagnosis"),
    ("a newer minor version", lambda r: r | {"schema": "medseg.record/1.7", "new": 1}, "newer medseg"),
    ("text for a number", lambda r: _set(r, "value", "12"), "measurements"),
    ("a status without a reason", lambda r: _set(r, "status", "truncated_lower_bound"), "needs a reason"),
    ("a value that was not computed", lambda r: _set(r, "status", "not_computed"), "does not fit"),
    ("an unknown quantity", lambda r: _set(r, "quantity", "magic"), "quantity"),
]


def _set(record: dict, key: str, value: object) -> dict:
    record["measurements"][0][key] = value
    return record


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_no_record_is_refused(record: Record, change, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        record_from_json(json.dumps(change(plain(record))).encode())
    assert "\n" not in str(caught.value)


def test_details_are_objects_that_read_back_and_a_signature_over_pairs_holds(record: Record) -> None:
    plain = json.loads(record_to_json(record))
    assert plain["versions"] == {"medseg": "0.1.0", "numpy": "2.4.6"}
    assert plain["findings"][1]["details"] == {"corner_mm": 0.01}
    again = record_from_json(record_to_json(record))
    assert again.versions == record.versions
    plain["versions"] = [["medseg", "0.1.0"], ["numpy", "2.4.6"]]
    older = record_from_json(json.dumps(plain).encode())
    assert older.versions == record.versions
    assert content_digest(older) == content_digest(again)


def test_a_name_that_stands_twice_is_not_lost(record: Record) -> None:
    twice = replace(record, versions=(("numpy", "1"), ("numpy", "2")))
    assert json.loads(record_to_json(twice))["versions"] == [["numpy", "1"], ["numpy", "2"]]
    assert record_from_json(record_to_json(twice)).versions == twice.versions
