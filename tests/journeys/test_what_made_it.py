"""Facts of the model, of the images as they were read, and of every change go with the mask to every view."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec
from medseg.domain.card import Scale
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]
SPEC = NetworkSpec("dynunet", 3, 2, 2, (4, 8, 8), ((1, 1, 1), (2, 2, 2), (2, 2, 2)), ((3, 3, 3),) * 3)
CARD = ModelCard(
    name="toy",
    title="Toy",
    summary="Finds something.",
    version="1.0",
    channels=(ChannelSpec("mr", "MR"), ChannelSpec("pet", "PT", value_unit="g/ml{SUVbw}")),
    reference="mr",
    spacing=None,
    window=(16, 16, 16),
    network=SPEC,
    preprocessing=(Scale("mr", 0.0, 100.0), Scale("pet", 0.0, 5.0)),
    table=LabelTable((Label(1, "tumour"),)),
    weights=(),
    trained=(("data", "nothing"), ("cases", 0)),
    licence="CC BY 4.0",
    limits=("Drawn at random.",),
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    from medseg.models import write_bundle
    from medseg.networks import build, state_for

    write_bundle(tmp_path / "models" / "toy", CARD, [state_for(SPEC, build(SPEC))])
    return tmp_path / "models" / "toy"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """MR and PET on one grid, as NIfTI: neither says what its values are."""
    values = np.random.default_rng(0).normal(100, 30, (20, 18, 16)).astype(np.float32)
    for name, scale in (("mr", 1.0), ("pet", 0.05)):
        image = nib.Nifti1Image(values * scale, np.diag([2.0, 2.0, 2.0, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / f"{name}.nii.gz")
    return tmp_path / "mr.nii.gz", tmp_path / "pet.nii.gz"


def record_of(medseg: Medseg, model: object, pair: tuple[Path, Path], out: Path) -> dict:
    channels = ("--channel", f"mr={pair[0]}", "--channel", f"pet={pair[1]}", "--same-space")
    mask = out.with_suffix(".nii.gz")
    seen = medseg("segment", model, *channels, "--out", mask)
    assert seen.code == 0, seen.err
    seen = medseg("measure", mask, *channels, "--pet", "given", "--out", out)
    assert seen.code == 0, seen.err
    return json.loads(out.read_text(encoding="utf-8"))


def numbers(record: dict) -> list[tuple]:
    return [(m["target"]["name"], m["quantity"], m["channel"], m["value"]) for m in record["measurements"]]


def test_numbers_do_not_depend_on_the_models_name_or_on_what_is_installed(
    medseg: Medseg, bundle: Path, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medseg.models import dump_card, read_card

    by_path = record_of(medseg, bundle, pair, tmp_path / "path.json")
    monkeypatch.setenv("MEDSEG_MODELS", str(bundle.parent))
    by_name = record_of(medseg, "toy", pair, tmp_path / "name.json")
    copy = tmp_path / "models" / "copy"
    shutil.copytree(bundle, copy)
    (copy / "card.yaml").write_bytes(dump_card(replace(read_card(bundle), name="copy")))
    by_copy = record_of(medseg, copy, pair, tmp_path / "copy.json")
    assert any(item["quantity"] == "suv_max" and item["value"] for item in by_path["measurements"])
    assert numbers(by_path) == numbers(by_name) == numbers(by_copy)
    assert by_path["made_by"]["request_digest"] == by_name["made_by"]["request_digest"]
    assert by_path["made_by"]["request_digest"] != by_copy["made_by"]["request_digest"]
    shutil.rmtree(bundle.parent)
    channels = ("--channel", f"mr={pair[0]}", "--channel", f"pet={pair[1]}", "--same-space")
    again = tmp_path / "again.json"
    assert medseg("measure", tmp_path / "path.nii.gz", *channels, "--pet", "given", "--out", again).code == 0
    found = json.loads(again.read_text(encoding="utf-8"))
    assert numbers(found) == numbers(by_path)
    assert found["made_by"] == by_path["made_by"]


def test_the_facts_are_of_the_model_that_ran(
    medseg: Medseg, bundle: Path, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another bundle takes the name between segmenting and measuring."""
    from medseg.models import dump_card, read_card

    monkeypatch.setenv("MEDSEG_MODELS", str(bundle.parent))
    channels = ("--channel", f"mr={pair[0]}", "--channel", f"pet={pair[1]}", "--same-space")
    assert medseg("segment", bundle, *channels, "--out", tmp_path / "m.nii.gz").code == 0
    card = replace(read_card(bundle), version="2.0", licence="secret", limits=("Other limits.",))
    (bundle / "card.yaml").write_bytes(dump_card(card))
    record = tmp_path / "r.json"
    assert medseg("measure", tmp_path / "m.nii.gz", *channels, "--out", record).code == 0
    model = json.loads(record.read_text(encoding="utf-8"))["made_by"]["model"]
    assert (model["version"], model["licence"], model["limits"]) == ("1.0", "CC BY 4.0", ["Drawn at random."])
    assert medseg("report", record, "--html", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "model toy 1.0" in page
    assert "CC BY 4.0" in page
    assert "secret" not in page
    assert medseg("verify", record).code == 0


@pytest.fixture
def series(data: Data) -> Path:
    return data("dicom/dcmqi/ct-3slice")


def test_every_change_reaches_page_sr_and_fhir(medseg: Medseg, series: Path, tmp_path: Path) -> None:
    import pydicom

    mask, edited, record, out = (tmp_path / name for name in ("m.nii.gz", "e.nii.gz", "r.json", "out"))
    assert medseg("segment", "threshold", series, "-p", "low=0", "--out", mask).code == 0
    assert medseg("edit", mask, "--op", "keep-largest", "--out", edited).code == 0
    image = nib.load(edited)
    values = np.asarray(image.dataobj).copy()
    values[0, 0, 0], values[1, 0, 0] = 1 - values[0, 0, 0], 1
    nib.save(nib.Nifti1Image(values, image.affine), edited)
    assert medseg("measure", edited, "--image", series, "--out", record).code == 0
    edits = json.loads(record.read_text(encoding="utf-8"))["made_by"]["edits"]
    assert [edit["operation"] for edit in edits] == ["keep-largest", "changed outside medseg"]
    assert medseg("report", record, "--html", tmp_path / "r.html").code == 0
    assert "changed outside medseg: foreground" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert medseg("export", record, "--sr", "--seg", "--fhir", "--out", out).code == 0
    assert "changed outside medseg: foreground" in (out / "report.fhir.json").read_text(encoding="utf-8")
    assert b"changed outside medseg: foreground" in (out / "measurements.dcm").read_bytes()
    segment = pydicom.dcmread(out / "segmentation.dcm").SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_a_plan_with_a_comma_in_a_name_is_exported(medseg: Medseg, series: Path, tmp_path: Path) -> None:
    mask, record, names = tmp_path / "m.nii.gz", tmp_path / "r.json", tmp_path / "names.yaml"
    names.write_text('1: "tumour, left"\n', encoding="utf-8")
    assert medseg("segment", "threshold", series, "-p", "low=200", "--out", mask).code == 0
    asked = ("--labels", names, "--lesions", "tumour, left", "--min-lesion-mm3", "50", "--out", record)
    seen = medseg("measure", mask, "--image", series, *asked)
    assert seen.code == 0, seen.err
    seen = medseg("export", record, "--seg", "--sr", "--out", tmp_path / "out")
    assert seen.code == 0, seen.err
    assert medseg("report", record, "--html", tmp_path / "r.html").code == 0


class TestStoredOtherwise:
    """A mask that went through DICOM → NIfTI → another program holds the image's voxels in another order."""

    @pytest.fixture
    def mask(self, data: Data) -> Path:
        return data("faults/d2n_plain_mask.nii.gz")

    @pytest.fixture
    def image(self, data: Data) -> Path:
        return data("faults/ex_plain")

    def test_it_is_measured_verified_and_exported_without_resampling(
        self, medseg: Medseg, mask: Path, image: Path, tmp_path: Path
    ) -> None:
        record = tmp_path / "r.json"
        seen = medseg("measure", mask, "--image", image, "--out", record)
        assert seen.code == 0, seen.err
        assert "none was resampled" in seen.err
        counts = [
            m["value"]
            for m in json.loads(record.read_text(encoding="utf-8"))["measurements"]
            if m["quantity"] == "voxel_count"
        ]
        assert sum(counts) == int(np.count_nonzero(np.asarray(nib.load(mask).dataobj)))
        assert medseg("verify", record).code == 0
        assert medseg("report", record, "--html", tmp_path / "r.html").code == 0
        assert "No pictures" not in (tmp_path / "r.html").read_text(encoding="utf-8")
        seen = medseg("export", record, "--seg", "--sr", "--rtstruct", "--out", tmp_path / "out")
        assert seen.code == 0, seen.err

    def test_it_is_converted_onto_the_image(
        self, medseg: Medseg, mask: Path, image: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "m.nii.gz"
        assert medseg("convert", mask, out, "--mask", "--image", image).code == 0
        assert nib.aff2axcodes(nib.load(out).affine) != nib.aff2axcodes(nib.load(mask).affine)
        seen = medseg("evaluate", mask, out, "--json")
        dice = [m["value"] for m in seen.json["result"]["measurements"] if m["quantity"] == "dice"]
        assert dice == [1.0] * len(dice)
        assert dice

    def test_it_limits_a_segmentation(self, medseg: Medseg, mask: Path, image: Path, tmp_path: Path) -> None:
        out = tmp_path / "m.nii.gz"
        seen = medseg("segment", "threshold", image, "-p", "low=-5000", "--within", mask, "--out", out)
        assert seen.code == 0, seen.err
        inside = np.count_nonzero(np.asarray(nib.load(mask).dataobj))
        assert np.count_nonzero(np.asarray(nib.load(out).dataobj)) == inside

    def test_another_grid_is_resampled_only_when_asked_and_then_verifies(
        self, medseg: Medseg, mask: Path, image: Path, tmp_path: Path
    ) -> None:
        original = nib.load(mask)
        coarse = nib.Nifti1Image(
            np.asarray(original.dataobj)[::2, ::2], original.affine @ np.diag([2, 2, 1, 1])
        )
        coarse.header.set_xyzt_units("mm")
        other, record, out = tmp_path / "coarse.nii.gz", tmp_path / "r.json", tmp_path / "m.nii.gz"
        nib.save(coarse, other)
        assert medseg("measure", other, "--image", image, "--out", record).code == 2
        assert medseg("convert", other, out, "--mask", "--image", image).code == 2
        assert medseg("measure", other, "--image", image, "--resample", "--out", record).code == 0
        assert medseg("verify", record).code == 0
        assert medseg("export", record, "--seg", "--out", tmp_path / "out").code == 0
        assert medseg("convert", other, out, "--mask", "--image", image, "--resample").code == 0
        assert nib.load(out).shape == (20, 24, 16)
        changed = np.asarray(coarse.dataobj).copy()
        changed[0, 0, 0] = 1
        nib.save(nib.Nifti1Image(changed, coarse.affine, coarse.header), other)
        assert medseg("verify", record).code == 2
