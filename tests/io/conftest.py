"""Synthetic files with headers that say exactly what a test wants said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def values() -> NDArray[np.int16]:
    """(5, 6, 4) whole numbers, some negative, no symmetry."""
    return np.random.default_rng(0).integers(-900, 1200, (5, 6, 4)).astype(np.int16)


@pytest.fixture
def nifti(tmp_path: Path, values: NDArray[np.int16]) -> Callable[..., Path]:
    """Write a NIfTI with given forms (None: code 0), unit, array and further header fields."""

    def write(
        array: NDArray[Any] | None = None,
        *,
        qform: NDArray[Any] | None = None,
        sform: NDArray[Any] | None = None,
        zooms: tuple[float, ...] | None = None,
        unit: int = 2,
        name: str = "synthetic.nii.gz",
        **fields: Any,
    ) -> Path:
        image = nib.Nifti1Image(values if array is None else array, None)
        header = image.header
        if zooms is None and sform is not None and qform is None and header.get_data_shape():
            zooms = (np.linalg.norm(np.asarray(sform)[:3, :3], axis=0)).tolist()[
                : len(header.get_data_shape())
            ]
            zooms = (*zooms, *(1.0,) * (len(header.get_data_shape()) - len(zooms)))
        if zooms is not None:
            header.set_zooms(zooms)
        if qform is not None:
            image.set_qform(qform, 1)
        if sform is not None:
            image.set_sform(sform, 1)
        header["xyzt_units"] = unit
        slope = (fields.pop("scl_slope", None), fields.pop("scl_inter", None))
        path = tmp_path / name
        nib.save(image, path)
        if fields or slope[0] is not None:
            patch(path, slope, fields)
        return path

    return write


def patch(path: Path, slope: tuple[Any, Any], fields: dict[str, Any]) -> None:
    """Change header fields on disk, as no library would let us."""
    import gzip

    packed = path.suffix == ".gz"
    data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    header = nib.Nifti1Header(data[:348], check=False)
    for key, value in fields.items():
        header[key] = value
    if slope[0] is not None:
        header["scl_slope"], header["scl_inter"] = slope
    changed = header.binaryblock + data[348:]
    path.write_bytes(gzip.compress(changed) if packed else changed)
