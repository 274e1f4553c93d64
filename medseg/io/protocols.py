"""What a reader and a writer are; built-ins and plugins of others are held to the same."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ReadOptions, Segmentation, Source
from medseg.domain.source import Verdict

__all__ = [
    "HEAD_BYTES",
    "INDEX_VOLUME",
    "MASK_DETAIL",
    "Reader",
    "SegmentationReader",
    "Writer",
    "unreadable",
]

#: So many first bytes of a file are handed to `sniff`.
HEAD_BYTES = 4096
#: Volume id of the stored numbers of a palette picture, beside its colours: a mask's labels.
INDEX_VOLUME = "index"
#: A SegmentationReader puts this into the details of a Source that is a mask: its kind, such as `SEG`.
MASK_DETAIL = "mask"


@runtime_checkable
class Reader(Protocol):
    """Turns the files of one format into images; registered in `medseg.readers`.

    `name` is the plugin's and the `format` of the Sources it makes. `suffixes` are lower case, with their dots:
    of files each of which is an image or a mask by itself, wherever files of a folder are cases; a slice of a
    series is none. A reader without the attribute declares none.
    """

    name: str
    suffixes: tuple[str, ...]

    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether this reader claims the path, by its first bytes or suffix (a folder has no head)."""
        ...

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """Each volume by its header only; raises nothing but InputError, for content that is damaged."""
        ...

    def load(self, source: Source, options: ReadOptions) -> Image:
        """Values of a source in physical units, with slope and intercept applied.

        Answers of the user that hold for every format (orientation, spacing, thickness) are applied by
        `medseg.io.read` afterwards.

        Raises
        ------
        InputError
            If the content is damaged, or leaves a choice that `options` does not make.
        """
        ...


@runtime_checkable
class SegmentationReader(Protocol):
    """A reader whose format holds masks with their label table (DICOM SEG, RTSTRUCT).

    Its `inspect` gives masks the detail `MASK_DETAIL` and the verdict of no volume: read as images they are refused.
    """

    def load_segmentation(
        self, source: Source, options: ReadOptions, on: Image | Grid | None = None
    ) -> Segmentation | None:
        """The mask; None if this source is an image.

        With `on`, the image that the mask belongs to (or its grid), it comes back on that grid; nothing is
        resampled, and a mask of another image is refused.
        """
        ...


@runtime_checkable
class Writer(Protocol):
    """Writes values on a grid in one format; registered in `medseg.writers`.

    `suffixes` are lower case, with their dots (`.nii.gz`).
    """

    name: str
    suffixes: tuple[str, ...]

    def write(self, array: NDArray[Any], grid: Grid, path: Path) -> None:
        """Write (I, J, K) values, in the machine's byte order and never float16, to a path that is free.

        Atomicity, re-reading and the sidecar are the business of `medseg.io.write`.

        Raises
        ------
        InputError
            If the format can't hold these values or this grid.
        """
        ...


def unreadable(path: Path, reader: str, message: str) -> Source:
    """Source of a file that can't be read, saying why."""
    finding = Finding("source.unreadable", "error", message)
    return Source(str(path), reader, verdict=Verdict.NOT_A_VOLUME, findings=(finding,))
