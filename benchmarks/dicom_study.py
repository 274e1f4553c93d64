"""A synthetic CT series as DICOM files, one per slice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

__all__ = ["write_series"]

_ROOT = "1.2.826.0.1.3680043.8.498.1"


def write_series(folder: Path, values: np.ndarray, spacing: Sequence[float], *, number: int) -> None:
    """(I, J, K) int16 HU as axial slices of one study; no identity in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(values.shape[2]):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{_ROOT}.{number}.{index + 1}"  # type: ignore[assignment]
        ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID = _ROOT, f"{_ROOT}.{number}"
        ds.FrameOfReferenceUID = f"{_ROOT}.9"
        ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "phantom", "Phantom", "", "O"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20200101", "120000", "", "1"
        ds.ReferringPhysicianName = ""
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", number, index + 1
        ds.SeriesDescription = f"series {number}"
        ds.ImageType, ds.Manufacturer, ds.KVP = ["ORIGINAL", "PRIMARY", "AXIAL"], "phantom", 120
        ds.ImagePositionPatient = [0.0, 0.0, index * spacing[2]]
        ds.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        ds.PixelSpacing, ds.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        ds.Rows, ds.Columns = values.shape[1], values.shape[0]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation = 15, 1
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, 0, "HU"
        ds.PixelData = np.ascontiguousarray(values[:, :, index].T).tobytes()
        ds.save_as(folder / f"{index + 1:04d}.dcm", enforce_file_format=True)
