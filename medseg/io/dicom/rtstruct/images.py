"""The images that a structure set was drawn on, found by the UIDs that it names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medseg.domain import Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.io.dicom.files import dicom_files
from medseg.io.dicom.image.headers import Header, read_header
from medseg.io.dicom.image.volumes import series_sources
from medseg.io.dicom.rtstruct.references import named_images, referenced_series

__all__ = ["draws_on", "find_images"]

#: So many files are looked at in one folder and its folders, and no more.
_MOST_FILES = 20_000


def draws_on(ds: Any, source: Source) -> bool:
    """Whether a structure set names images of this series, or the series itself.

    Exports give the images of a series new UIDs more often than the series; contours are placed by position then.
    """
    images, series = named_images(ds), referenced_series(ds)
    if images & {item.uid for item in source.instances}:
        return True
    return source.series_uid in series if series else not images


def find_images(ds: Any, path: Path, *, resample: bool = False) -> Source:
    """The series beside a structure set that it was drawn on: in its folder, or in one beside that.

    One of uneven slices is taken where it is to be put on a regular grid (`resample`).

    Raises
    ------
    InputError
        If it is not there, or is no regular stack.
    """
    series, images = set(referenced_series(ds)), named_images(ds)
    if not series and not images:
        raise InputError(f"{path.name} does not say which images it was drawn on; give them with --image")
    for folder in (path.parent, path.absolute().parent.parent):
        files = list(_named_files(folder, series, images))
        if files:
            return _source(ds, folder, files, path.name, resample=resample)
    raise InputError(
        f"the images that {path.name} was drawn on are not beside it; give their series with --image, "
        "or put them into its folder"
    )


def _source(ds: Any, folder: Path, files: list[Path], name: str, *, resample: bool) -> Source:
    series: dict[str, list[Header]] = {}
    for file in files:
        header = read_header(file)
        if header is not None:
            series.setdefault(header.series, []).append(header)
    sources = [item for headers in series.values() for item in series_sources(folder, headers)]
    uneven = (Verdict.GAP, Verdict.VARIABLE) if resample else ()
    fit = [
        item for item in sources if (item.grid is not None or item.verdict in uneven) and draws_on(ds, item)
    ]
    if fit:
        return fit[0]
    reasons = [finding.message for item in sources for finding in item.findings]
    reason = reasons[0] if reasons else "they hold no slices"
    hint = "" if resample else " Put them on a regular grid with --resample"
    raise InputError(f"the images that {name} was drawn on form no regular stack: {reason}{hint}")


def _named_files(folder: Path, series: set[str], images: set[str]) -> Iterator[Path]:
    for number, file in enumerate(dicom_files(folder)):
        if number >= _MOST_FILES:
            return
        uids = _uids(file)
        if uids is not None and (uids[0] in series or uids[1] in images):
            yield file


def _uids(file: Path) -> tuple[str, str] | None:
    from pydicom import dcmread

    tags: list[Any] = ["SeriesInstanceUID", "SOPInstanceUID"]
    try:
        ds = dcmread(file, stop_before_pixels=True, specific_tags=tags)
        return str(ds.get("SeriesInstanceUID", "")), str(ds.get("SOPInstanceUID", ""))
    except Exception:  # noqa: BLE001 - a file beside may be anything, and damaged
        return None
