"""Which way the axes of a surface's file grow: stated, said by the user, or taken with a warning."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg import io
from medseg.domain import Grid, ReadOptions
from medseg.errors import GridMismatchError, InputError
from medseg.io.surface.file import read_surface

Data = Callable[[str], Path]


def grid(low: tuple[float, float, float]) -> Grid:
    """20 × 24 × 12 mm from a corner."""
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = low
    return Grid((20, 24, 12), affine)


#: Where the file's own numbers lie (x −5.5 to 2.5, y −6.5 to 5.5), where only their mirror image does, and both.
AS_RAS, AS_LPS, BOTH = grid((-16.0, -17.0, 0.0)), grid((-4.0, -7.0, 0.0)), grid((-10.0, -12.0, 0.0))


def test_a_file_that_says_nothing_is_taken_as_ras_and_that_is_said(data: Data) -> None:
    found = io.read_segmentation(data("faults/stl_none.stl"), on=AS_RAS)
    assert [item.code for item in found.findings] == ["surface.space"]
    assert "--space" not in found.findings[0].message
    both = io.read_segmentation(data("faults/stl_none.stl"), on=BOTH)
    assert "As LPS it would lie within the image too" in both.findings[0].message
    assert dict(both.made_by.parameters)["space"] == "RAS"


def test_it_is_refused_where_only_lps_fits_and_read_when_that_is_said(data: Data) -> None:
    path = data("faults/stl_none.stl")
    with pytest.raises(GridMismatchError, match="say so with --space LPS"):
        io.read_segmentation(path, on=AS_LPS)
    found = io.read_segmentation(path, on=AS_LPS, options=ReadOptions(space="LPS"))
    assert [item.severity for item in found.findings] == ["info"]
    assert np.count_nonzero(found.labels) == 576


def test_the_word_of_a_file_goes_before_the_users(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "said.stl"
    shutil.copy(data("faults/stl_none.stl"), path)
    content = path.read_bytes()
    path.write_bytes(b"SPACE=LPS".ljust(80) + content[80:])
    plain = read_surface(data("faults/stl_none.stl")).vertices
    assert np.allclose(np.sort(read_surface(path).vertices[:, 0]), np.sort(-plain[:, 0]))
    assert io.read_segmentation(path, on=AS_LPS).findings == ()
    with pytest.raises(InputError, match="says that its positions are LPS, not RAS"):
        io.read_segmentation(path, on=AS_LPS, options=ReadOptions(space="RAS"))
