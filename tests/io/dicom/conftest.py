"""Synthetic DICOM series, so called: real ones with these faults were not to be had."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

Make = Callable[..., Path]


def synthetic_slice(position: Iterable[float], values: np.ndarray, **tags: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID = "1.2.3"
    ds.FrameOfReferenceUID = "1.2.3.4"
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PatientName = "Secret^Name"
    ds.ImagePositionPatient = [float(part) for part in position]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [2.0, 1.0]
    ds.SliceThickness = 99
    ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1000, "HU"
    ds.PixelData = values.astype(np.int16).tobytes()
    for element, value in tags.pop("philips", {}).items():
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(element, "DS", value)
    for name, value in tags.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    return ds


def _pet_tags(**changes: Any) -> dict[str, Any]:
    """Tags of a synthetic BQML PET of 70 kg and 350 MBq of F-18, injected 3600 s before it; None leaves out."""
    drug = {
        "RadionuclideTotalDose": "350000000",
        "RadionuclideHalfLife": "6586.2",
        "RadiopharmaceuticalStartDateTime": "20240305110000",
        "RadiopharmaceuticalStartTime": "110000",
    }
    tags: dict[str, Any] = {
        "Modality": "PT",
        "Units": "BQML",
        "RescaleType": None,
        "RescaleIntercept": 0,
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "DecayCorrection": "START",
        "PatientWeight": "70",
        "SeriesDate": "20240305",
        "SeriesTime": "120000",
        "AcquisitionDate": "20240305",
        "AcquisitionTime": "120000",
    }
    philips = changes.pop("philips", {})
    for name, value in changes.items():
        (drug if name in drug else tags)[name] = value
    item = Dataset()
    for name, value in drug.items():
        if value is not None:
            setattr(item, name, value)
    tags.setdefault("RadiopharmaceuticalInformationSequence", [item])
    left_out = ("RescaleType",)
    found = {name: value for name, value in tags.items() if value is not None or name in left_out}
    return found | ({"philips": philips} if philips else {})


@pytest.fixture
def pet_tags() -> Callable[..., dict[str, Any]]:
    """Maker of the tags of a synthetic PET series; keywords change single ones."""
    return _pet_tags


@pytest.fixture
def series(tmp_path: Path) -> Make:
    """Write slices at positions into a folder; `each` changes slice n."""

    def make(
        positions: Iterable[Any], each: Callable[[int], dict[str, Any]] = lambda _: {}, **tags: Any
    ) -> Path:
        folder = tmp_path / "series"
        folder.mkdir(exist_ok=True)
        for number, position in enumerate(positions):
            place = position if isinstance(position, tuple) else (0, 0, position)
            values = np.full((4, 6), 100 * number, np.int16)
            values[0, 1] = 7
            ds = synthetic_slice(place, values, **{"InstanceNumber": number + 1, **tags, **each(number)})
            ds.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
        return folder

    return make
