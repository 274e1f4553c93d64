"""Key images are the slices with the largest sections, and those in which axes lie."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Label, LabelTable, Segmentation
from medseg.workflows.key_images import key_slices
from medseg.workflows.measure import measure
from tests.io.dicom.sources import Data, scene

SECTIONS = {1: "node, largest section", 2: "tumour, largest section"}
BOTH = {
    0: "node, long axis; node, short axis",
    1: "node, largest section",
    2: "tumour, largest section; tumour, long axis; tumour, short axis",
}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("oblique sagittal", BOTH), ("sagittal", SECTIONS)],
    ids=["axes in the slices", "axes across the slices, which are as thin as pixels are wide"],
)
def test_each_structure_has_its_largest_section_and_its_axes(
    kind: str, wanted: dict[int, str], data: Data, tmp_path: Path
) -> None:
    found = scene(kind, data, tmp_path)
    labels = np.zeros(found.mask.grid.shape, np.uint8)
    labels[10:14, 10:14, 1:4] = 1  # 16 voxels on each of three slices
    labels[10:18, 10:18, 2] = 1  # and 64 on one
    labels[2:4, 30:50, 0] = 2  # longest on the first, where it has 40
    labels[2:12, 30:40, 1] = 2  # and largest on the second
    mask = Segmentation(labels, found.mask.grid, LabelTable((Label(1, "tumour"), Label(2, "node"))))
    assert key_slices(measure(mask), [mask], found.origin) == wanted
