"""What stands on a page beside the Record."""

import base64
from dataclasses import dataclass

from medseg.domain import Measurement
from medseg.domain.study import PatientFacts
from medseg.reporting.purpose import USUAL, PageLook

__all__ = ["PageExtras", "Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawn picture: a stable name, PNG bytes, a caption for readers, and what is seen in it."""

    name: str
    png: bytes
    caption: str
    alt: str = ""

    @property
    def uri(self) -> str:
        """The picture inside a page: a data URI, so that nothing else is needed."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    @property
    def words(self) -> str:
        """What is seen, for who does not see it."""
        return self.alt or self.caption


@dataclass(frozen=True, slots=True)
class PageExtras:
    """Content of a page that is no part of the Record.

    Parameters
    ----------
    comparison
        Measurements against a reference: of a sample that has one boxed as "sample only", or what the page is for.
    answer
        Sentences that head a page for comparison.
    reference
        Digest of the mask that such a page compares with.
    pictures
        Of what the Record does not name, beside those of its own inputs.
    missing
        Why there are no pictures: one sentence.
    viewer
        A 3D view as HTML that is safe to insert as it stands; HTML pages alone have room for it.
    look
        Purpose and length.
    patient
        Whom the page names; None names nobody. No Record holds it.
    """

    comparison: tuple[Measurement, ...] = ()
    missing: str | None = None
    viewer: str = ""
    look: PageLook = USUAL
    patient: PatientFacts | None = None
    answer: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    reference: str = ""
