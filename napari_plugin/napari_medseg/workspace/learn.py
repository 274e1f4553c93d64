"""A corrected case for a data set that `medseg train` reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medseg.domain import Image, Run, Segmentation
from medseg.errors import InputError
from medseg.workflows.collect import add_case

__all__ = ["Lesson"]


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One mask with its images, and what it is called in the data set.

    Parameters
    ----------
    folder
        Of the data set; begun with its first case.
    case, subject
        Name of the case; whom it shows, which nobody guesses: folds keep a subject's cases together.
    """

    mask: Segmentation
    images: Mapping[str, Image]
    folder: Path
    case: str
    subject: str

    def __post_init__(self) -> None:
        if self.folder == Path():
            raise InputError("choose the folder of the training set first")

    def work(self, run: Run) -> Path:
        """Write it, whole or not at all; the list of cases."""
        return add_case(
            self.folder,
            self.mask,
            self.images,
            case=self.case,
            subject=self.subject,
            same_space=True,
            run=run,
        )
