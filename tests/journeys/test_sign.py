"""A record is signed, verified, and falls back to "not reviewed" when anything changes."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import medseg as api
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
WHO = ("--name", "A. Reader", "--organization", "Study centre")


@pytest.fixture
def record(medseg: Medseg, ball: Path, tmp_path: Path) -> Path:
    medseg("segment", "otsu", ball, "--out", tmp_path / "mask.nii.gz")
    medseg("measure", tmp_path / "mask.nii.gz", "--image", ball, "--out", tmp_path / "record.json")
    return tmp_path / "record.json"


def test_signing_is_said_by_every_view(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    assert medseg("sign", record, *WHO).code == 0
    signed = api.read_record(record).review
    assert (signed.state, signed.reviewer, signed.organization) == ("reviewed", "A. Reader", "Study centre")
    assert medseg("verify", record).code == 0
    html, csv = tmp_path / "r.html", tmp_path / "r.csv"
    assert medseg("report", record, "--html", html, "--csv", csv).code == 0
    assert "A. Reader, Study centre" in html.read_text(encoding="utf-8")
    assert "NOT REVIEWED" not in html.read_text(encoding="utf-8")
    assert ",reviewed" in csv.read_text(encoding="utf-8")


def test_a_changed_number_undoes_the_signature(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    medseg("sign", record, *WHO)
    text = json.loads(record.read_text(encoding="utf-8"))
    text["measurements"][1]["value"] += 1.0
    record.write_text(json.dumps(text), encoding="utf-8")
    found = api.read_record(record)
    assert found.review.state == "not reviewed"
    assert found.review.amends is not None
    assert "changed after A. Reader signed" in found.findings[-1].message
    seen = medseg("verify", record)
    assert seen.code == 2
    assert "changed after A. Reader signed" in seen.line
    medseg("report", record, "--html", tmp_path / "r.html")
    assert "NOT REVIEWED" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_changed_mask_undoes_the_signature(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    medseg("sign", record, *WHO)
    mask = nib.load(tmp_path / "mask.nii.gz")
    values = np.asarray(mask.dataobj).copy()
    before = int((values > 0).sum())
    values[20, 20, 10] = 0
    nib.save(nib.Nifti1Image(values, mask.affine, mask.header), tmp_path / "mask.nii.gz")
    seen = medseg("verify", record)
    assert seen.code == 2
    assert f"foreground has {before - 1} voxels where {before} were measured" in seen.line
    assert medseg("report", record, "--html", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "NOT REVIEWED" in page
    assert "changed after A. Reader signed" in page


def test_signing_again_amends(medseg: Medseg, record: Path) -> None:
    medseg("sign", record, *WHO)
    first = api.read_record(record).review.digest
    assert "signed already, by A. Reader" in medseg("sign", record, *WHO).line
    text = json.loads(record.read_text(encoding="utf-8"))
    text["subject"] = "another-pseudonym"
    record.write_text(json.dumps(text), encoding="utf-8")
    assert medseg("sign", record, "--name", "B. Reader", "--organization", "Study centre").code == 0
    again = api.read_record(record).review
    assert (again.state, again.reviewer, again.amends) == ("reviewed", "B. Reader", first)


def test_nothing_is_signed_unseen(medseg: Medseg, record: Path, ball: Path) -> None:
    before = record.read_bytes()
    ball.unlink()
    seen = medseg("sign", record, *WHO)
    assert seen.code == 2
    assert "not signed: image image" in seen.line
    assert record.read_bytes() == before


@pytest.mark.parametrize(
    "who", [("--name", " ", "--organization", "X"), ("--name", "X", "--organization", "")]
)
def test_a_person_and_an_organization_are_named(medseg: Medseg, record: Path, who: tuple[str, ...]) -> None:
    seen = medseg("sign", record, *who)
    assert seen.code == 2
    assert "name of a person and of an organization" in seen.line


def test_a_record_may_move_with_its_files_and_stay_signed(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "signed.json"
    assert medseg("sign", record, *WHO, "--out", other).code == 0
    assert medseg("verify", other).code == 0
    assert api.read_record(record).review.state == "not reviewed"


def edited(record: Path, change: Callable[[dict], None]) -> None:
    plain = json.loads(record.read_text(encoding="utf-8"))
    change(plain)
    record.write_text(json.dumps(plain), encoding="utf-8")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reviewer", "B. Forger"),
        ("organization", "Elsewhere"),
        ("signed_at", "2020-01-01T00:00:00+00:00"),
        ("seal", None),
    ],
)
def test_who_signed_and_when_is_covered(medseg: Medseg, record: Path, field: str, value: object) -> None:
    medseg("sign", record, *WHO)
    edited(record, lambda plain: plain["review"].update({field: value}))
    assert api.read_record(record).review.state == "not reviewed"
    seen = medseg("verify", record)
    assert (seen.code, "was changed after" in seen.line) == (2, True), seen.err


def test_what_was_signed_before_that_still_holds_and_says_what_it_is(medseg: Medseg, record: Path) -> None:
    medseg("sign", record, *WHO)

    def older(plain: dict) -> None:
        plain["schema"] = "medseg.record/1.2"
        for name in ("seal", "key", "signature"):
            del plain["review"][name]

    edited(record, older)
    seen = medseg("verify", record)
    assert seen.code == 0, seen.err
    assert "who signed and when was not covered" in seen.out


def test_a_changed_number_of_an_unsigned_record_is_found_and_not_signed(medseg: Medseg, record: Path) -> None:
    edited(
        record, lambda plain: plain["measurements"][1].update(value=plain["measurements"][1]["value"] * 1.01)
    )
    seen = medseg("verify", record)
    assert (seen.code, "when it is measured again" in seen.line) == (2, True), seen.err
    seen = medseg("sign", record, *WHO)
    assert (seen.code, "not signed: numbers" in seen.line) == (2, True), seen.err


def test_a_number_that_was_taken_out_is_missed(medseg: Medseg, record: Path) -> None:
    edited(record, lambda plain: plain["measurements"].pop(1))
    assert "is missing" in medseg("verify", record).line


def test_words_say_which_signature_it_is(medseg: Medseg, record: Path) -> None:
    assert "checked by digest" in medseg("sign", record, *WHO).err
    assert "checked by digest; no proof of who signed" in medseg("verify", record).out


def test_a_key_signs_and_others_do_not(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    key, other = tmp_path / "own.pem", tmp_path / "other.pem"
    bare = record.read_bytes()
    assert "signed with key" in medseg("sign", record, *WHO, "--key", key).err
    assert key.stat().st_mode & 0o077 == 0
    assert "signed with key" in medseg("verify", record, "--key", f"{key}.pub").out
    kept = record.read_bytes()
    record.write_bytes(bare)
    assert medseg("sign", record, *WHO, "--key", other).code == 0
    assert "with another key" in medseg("verify", record, "--key", f"{key}.pub").line
    record.write_bytes(kept)
    edited(record, lambda plain: plain["review"].update(signature="00" * 64))
    assert "did not sign this" in medseg("verify", record).line
    edited(record, lambda plain: plain["review"].update(key=None, signature=None))
    assert "was changed after" in medseg("verify", record).line


def test_a_key_that_is_none_is_refused(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    (tmp_path / "text.pem").write_text("hello", encoding="utf-8")
    seen = medseg("sign", record, *WHO, "--key", tmp_path / "text.pem")
    assert (seen.code, "no Ed25519 key" in seen.line) == (2, True), seen.err
