"""Every compressed transfer syntax gives the stored values, as dcmtk decodes them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels.utils import pixel_array

from medseg import io
from medseg.io.dicom.decode import decoder_of
from tests.journeys.judges import judge

Data = Callable[[str], Path]

#: dcmcjpeg's option, transfer syntax, largest difference to dcmdjpeg in stored values
JPEG = [
    ("+e1", "1.2.840.10008.1.2.4.70", 0),
    ("+el", "1.2.840.10008.1.2.4.57", 0),
    ("+ee", "1.2.840.10008.1.2.4.51", 0),
]


@pytest.fixture
def slice_file(data: Data) -> Path:
    return data("dicom/pydicom") / "CT_small.dcm"


@pytest.mark.parametrize(("option", "syntax", "most"), JPEG, ids=[row[0] for row in JPEG])
def test_jpeg_is_decoded_without_gpl_libraries(
    slice_file: Path, tmp_path: Path, option: str, syntax: str, most: int
) -> None:
    judge("dcmcjpeg")
    packed, plain = tmp_path / "packed.dcm", tmp_path / "plain.dcm"
    lossy = ["+ba"] if option == "+ee" else []
    subprocess.run(["dcmcjpeg", option, *lossy, slice_file, packed], check=True, capture_output=True)
    subprocess.run(["dcmdjpeg", packed, plain], check=True, capture_output=True)
    ds = pydicom.dcmread(packed)
    assert ds.file_meta.TransferSyntaxUID == syntax
    assert decoder_of(ds) == "gdcm"
    found, wanted = io.read(packed).array.astype(int), io.read(plain).array.astype(int)
    assert np.abs(found - wanted).max() <= most


def test_every_compression_of_one_stack_gives_the_same_values(data: Data) -> None:
    root = data("dicom/dicom2nifti/generic")
    folders = sorted(path for path in root.glob("compressed*/001") if path.is_dir())
    assert len(folders) >= 3
    digests = {str(folder.parent.name): io.read(folder).digest for folder in folders}
    assert len(set(digests.values())) == 1, digests


def test_eight_bit_jpeg_is_decoded(data: Data) -> None:
    files = [
        path
        for path in data("dicom").rglob("*.dcm")
        if (ds := pydicom.dcmread(path, force=True, stop_before_pixels=True)).get("Rows")
        and getattr(ds.file_meta, "TransferSyntaxUID", "") == "1.2.840.10008.1.2.4.50"
    ]
    if not files:
        pytest.skip("no JPEG baseline file is among the shared data")
    for path in files:
        ds = pydicom.dcmread(path)
        values = pixel_array(ds, decoding_plugin=decoder_of(ds))
        assert np.abs(values.astype(int) - pixel_array(ds, decoding_plugin="pillow")).max() <= 3
