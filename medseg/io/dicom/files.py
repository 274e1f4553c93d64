"""Files of a folder that may be DICOM."""

from collections.abc import Iterator
from pathlib import Path

__all__ = ["dicom_files"]


def dicom_files(path: Path) -> Iterator[Path]:
    """Files of a folder and its folders that may be DICOM, in order of their names; hidden ones are left out."""
    for item in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in item.relative_to(path).parts)
        if item.is_file() and not hidden and item.name.upper() != "DICOMDIR":
            yield item
