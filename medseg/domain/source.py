"""Where an image came from, and how the user wants it read."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.values import STRICT, Details, Scalar

__all__ = ["Instance", "ReadOptions", "Source", "Verdict"]


class Verdict(Enum):
    """What a set of slice positions is; only `UNIFORM` and `SHEARED` are grids as they stand."""

    UNIFORM = "uniform"  # equal steps along the slice normal
    SHEARED = "sheared"  # equal steps, not along the normal: a tilted gantry
    GAP = "gap"  # steps are whole multiples of one step: slices are missing
    VARIABLE = "variable spacing"  # steps differ and are no multiples
    DUPLICATES = "duplicates"  # two slices at one position that nothing tells apart
    MIXED = "mixed orientations"  # several orientations or stacks
    NOT_A_VOLUME = "not a volume"  # colour, scout, mosaic, projection without size, no pixels


@dataclass(frozen=True, slots=True)
class Instance:
    """One stored slice: SOP Instance UID, file, and frame (0 for single-frame objects)."""

    uid: str
    file: str
    frame: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One readable volume, known by its header only.

    Parameters
    ----------
    uri
        Path of the file or folder.
    format
        Name of the reader: `nifti`, `itk`, `raster`, `dicom`.
    grid
        None where no regular grid can be had (verdicts gap, variable, …; unreadable header).
    verdict, findings
        What is known against it; `inspect` collects, `load` decides.
    modality, value_unit
        As an Image would have them: `CT`, `MR`, `PT`; UCUM.
    series_uid, volume
        The ids that `--series` and `--volume` pick; None where there is only one.
    instances
        DICOM: slices in k order.
    description
        A line for people, free of patient identifiers.
    details
        Header facts for the Record (kVp, kernel, contrast, …).
    acquired
        Day of acquisition (ISO 8601) where the file says it: never written, only days between series are.
    """

    uri: str
    format: str
    grid: Grid | None = None
    verdict: Verdict = Verdict.UNIFORM
    findings: tuple[Finding, ...] = ()
    modality: str | None = None
    value_unit: str | None = None
    series_uid: str | None = None
    volume: str | None = None
    instances: tuple[Instance, ...] = ()
    description: str = ""
    details: Details = ()
    acquired: str | None = None

    def detail(self, key: str) -> Scalar:
        """Header fact stored under `key`, or None."""
        return dict(self.details).get(key)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The user's answers to what a file leaves open; one value, the same for every reader.

    Parameters
    ----------
    series, volume
        Which of several: a SeriesInstanceUID (or its unambiguous end), and a volume's id or index.
    resample
        Put an irregular stack on a regular grid; the Finding stays on the image.
    affine
        NIfTI: which of two disagreeing forms to believe.
    orientation
        Letters of the array axes (`RAS`) where the file has none.
    slice_thickness
        mm, where the file has none.
    spacing
        mm per index step for a `px` image; turns it into `mm` with a Finding.
    label
        Of a mask with several structures: the name of the only one that is read.
    space
        Of a surface (STL, PLY) whose file does not say it: which way its x and y grow.
    """

    series: str | None = None
    volume: str | None = None
    resample: bool = False
    affine: Literal["qform", "sform"] | None = None
    orientation: str | None = None
    slice_thickness: float | None = None
    spacing: tuple[float, float, float] | None = None
    label: str | None = None
    space: Literal["RAS", "LPS"] | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
