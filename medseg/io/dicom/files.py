"""Files of a folder that may be DICOM."""

from collections.abc import Iterator
from pathlib import Path

from medseg.io.walk import files_below

__all__ = ["dicom_files"]


def dicom_files(path: Path) -> Iterator[Path]:
    """Files of a folder and its folders that may be DICOM, in order of their names; hidden ones are left out."""
    for item in sorted(files_below(path)):
        if item.is_file() and item.name.upper() != "DICOMDIR":
            yield item
