"""One rule says which image is which channel of a model, for the data that it was trained from and for all other."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import ChannelSpec, Grid, Image, Label, LabelTable, ModelCard, NetworkSpec, Segmentation
from medseg.errors import InputError
from medseg.io import read_segmentation, write_image, write_segmentation
from medseg.models import write_bundle
from medseg.networks import build, state_for
from medseg.training import load_config, open_data
from medseg.training.cases import match_names
from medseg.workflows.cases import find_cases, segment_cases
from medseg.workflows.segment import SegmentOptions, segment_files

GRID = Grid((8, 8, 8), np.eye(4))
FOUR = ("FLAIR", "T1w", "t1gd", "T2w")
SPEC = NetworkSpec("dynunet", 3, 2, 2, (4, 8, 8), ((1, 1, 1), (2, 2, 2), (2, 2, 2)), ((3, 3, 3),) * 3)
CARD = ModelCard(
    name="two",
    title="Two channels",
    summary="Nothing.",
    version="1.0",
    channels=(ChannelSpec("t2w", "MR"), ChannelSpec("flair", "MR")),
    reference="flair",
    spacing=None,
    window=(8, 8, 8),
    network=SPEC,
    preprocessing=(),
    table=LabelTable((Label(1, "tumour"),)),
    weights=(),
)
BY_POSITION = SegmentOptions(channels_by="position")


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    write_bundle(tmp_path / "two", CARD, [state_for(SPEC, build(SPEC))], extras={"LICENSE": b"free"})
    return str(tmp_path / "two")


def scan(path: Path, value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_image(Image(np.full(GRID.shape, value, np.uint8), GRID), path)


def nnunet(root: Path, channels: tuple[str, ...], cases: tuple[str, ...] = ("a", "b")) -> Path:
    """A data set whose images hold the number of their channel."""
    for case in cases:
        for number, _ in enumerate(channels):
            scan(root / "imagesTr" / f"{case}_{number:04d}.nii.gz", number)
        (root / "labelsTr").mkdir(exist_ok=True)
        labels = Segmentation(np.ones(GRID.shape, np.uint8), GRID, LabelTable((Label(1, "tumour"),)))
        write_segmentation(labels, root / "labelsTr" / f"{case}.nii.gz")
    names = {str(number): name for number, name in enumerate(channels)}
    content = {"channel_names": names, "labels": {"background": 0, "tumour": 1}, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def digest(value: int) -> str:
    return Image(np.full(GRID.shape, value, np.uint8), GRID).digest


def taken(mask: Path) -> dict[str, str]:
    """Channel → digest of the image that it was."""
    return {item.channel: item.digest for item in read_segmentation(mask).made_by.images}


def test_two_of_the_four_channels_that_a_model_was_trained_from(bundle: str, tmp_path: Path) -> None:
    root = nnunet(tmp_path / "set", FOUR)
    (root / "imagesTr" / "b_0001.nii.gz").write_bytes(b"what the model does not need is not read")
    cases = find_cases(root)
    assert cases is not None
    results = segment_cases(bundle, cases, tmp_path / "out")
    assert [item.state for item in results] == ["done", "done"], results
    for case in ("a", "b"):
        assert taken(tmp_path / "out" / f"{case}.nii.gz") == {"t2w": digest(3), "flair": digest(0)}
        (said,) = read_segmentation(tmp_path / "out" / f"{case}.nii.gz").findings
        assert said.message == "two takes channels t2w, flair; not used: T1w, t1gd."


def test_training_pairs_as_segmenting_does(tmp_path: Path) -> None:
    root = nnunet(tmp_path / "set", FOUR)
    made_anew = ["data.split=null", "data.cases=null", "data.held_out=[]"]
    config = load_config("hippocampus_3d", [f"data.root={root}", *made_anew])
    config = replace(config, channels=CARD.channels, reference="flair")
    assert match_names(open_data(config), config) == {"t2w": "T2w", "flair": "FLAIR"}


def test_by_position_only_when_told(bundle: str, tmp_path: Path) -> None:
    cases = find_cases(nnunet(tmp_path / "set", ("first", "second")))
    assert cases is not None
    (refused, _) = segment_cases(bundle, cases, tmp_path / "out")
    assert (refused.state, "--channels-by position" in refused.reason) == ("failed", True)
    assert {item.state for item in segment_cases(bundle, cases, tmp_path / "out", options=BY_POSITION)} == {
        "done"
    }
    assert taken(tmp_path / "out" / "a.nii.gz") == {"t2w": digest(0), "flair": digest(1)}


def test_a_case_without_a_channel_is_not_taken_by_position(bundle: str, tmp_path: Path) -> None:
    root = nnunet(tmp_path / "set", ("first", "second"))
    (root / "imagesTr" / "a_0000.nii.gz").unlink()
    cases = find_cases(root)
    assert cases is not None
    one, two = segment_cases(bundle, cases, tmp_path / "out", options=BY_POSITION)
    assert (one.state, two.state) == ("failed", "done")
    assert one.reason == "by position, it has channels second, and others first, second"


def test_files_by_position_come_in_the_order_in_which_they_are_given(bundle: str, tmp_path: Path) -> None:
    paths = {name: scan(tmp_path / f"{name}.nii.gz", value) for name, value in (("y", 5), ("x", 6))}
    with pytest.raises(InputError, match="or --channels-by position"):
        segment_files(bundle, paths, tmp_path / "out.nii.gz")
    segment_files(bundle, paths, tmp_path / "out.nii.gz", options=BY_POSITION)
    assert taken(tmp_path / "out.nii.gz") == {"t2w": digest(5), "flair": digest(6)}
