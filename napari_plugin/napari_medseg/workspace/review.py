"""The report of a mask and who vouches for it: what was written, what a reader confirmed, whether it still holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from psygnal import Signal, SignalGroup

from medseg.domain import Finding, Image, Record, Run, Segmentation
from medseg.domain.plan import MeasurePlan
from medseg.errors import InputError
from medseg.workflows.publish import (
    RECORD,
    Published,
    PublishOptions,
)
from medseg.workflows.publish_apart import publish_apart, sign_apart
from medseg.workflows.verify import signature_words
from napari_medseg.workspace.mask import EditedMask
from napari_medseg.workspace.measures import LESION_RULES
from napari_medseg.workspace.session import Session

__all__ = ["RULES", "Asked", "Review", "ReviewEvents", "channels_of"]

#: Words for a reader → what is measured beside labels and regions; None is what the numbers in the window show.
RULES: dict[str, MeasurePlan | None] = {
    "as in Measure": None,
    "structures only": MeasurePlan(),
    **{words: MeasurePlan(lesions=plan) for words, plan in LESION_RULES.items()},
}


class ReviewEvents(SignalGroup):
    """The state of the review, or what is to be confirmed, is another one."""

    changed = Signal()


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One report, asked for at a moment: of a change of its mask or images since then the review knows.

    `work` runs beside the window; `Review.accept` takes what it gives.
    """

    uid: str
    mask: Segmentation
    images: Mapping[str, Image]
    folder: Path
    options: PublishOptions
    changes: int

    def work(self, run: Run) -> Published:
        """Measure and write, in a process of its own: a cancel ends it, whatever it is drawing."""
        return publish_apart(self.mask, self.images, self.folder, self.options, run)


@dataclass(frozen=True, slots=True, eq=False)
class _Standing:
    """What was written last, of which mask and images, and why it holds no more (empty where it does)."""

    asked: Asked
    published: Published
    outdated: str = ""


class Review:
    """What was published of the masks of a session, and its state: reviewed only while nothing has changed.

    It follows the session: a stroke, an image with other values, a mask that was closed end a review at once. The
    files that were signed stay as they are, and hold; what is in the window is not what was signed any more.
    """

    def __init__(self, session: Session) -> None:
        self.events = ReviewEvents()
        self._session = session
        self._changes = 0
        self._standing: _Standing | None = None
        self._confirmed: set[Finding] = set()
        events = session.events
        events.mask_changed.connect(self._mask_changed)
        events.mask_removed.connect(self._mask_removed)
        events.image_changed.connect(self._image_changed)

    @property
    def record(self) -> Record | None:
        """The Record that was written last."""
        return None if self._standing is None else self._standing.published.record

    @property
    def folder(self) -> Path | None:
        """Where it was written."""
        return None if self._standing is None else self._standing.published.folder

    @property
    def page(self) -> Path | None:
        """The HTML page that was written."""
        return None if self._standing is None else self._standing.published.files.get("html")

    @property
    def is_reviewed(self) -> bool:
        """Whether what is in the window is what a reader has signed."""
        found = self._standing
        return found is not None and not found.outdated and found.published.record.review.state == "reviewed"

    @property
    def words(self) -> str:
        """The state in one sentence."""
        found = self._standing
        if found is None:
            return "NOT REVIEWED: no report was written yet."
        review = found.published.record.review
        if found.outdated and review.state == "reviewed":
            return f"NOT REVIEWED: {found.outdated} after {review.reviewer} signed on {review.signed_at}."
        if found.outdated:
            return f"NOT REVIEWED: {found.outdated} after the report was written; write it again."
        if review.state == "reviewed":
            who = f"{review.reviewer}, {review.organization}, {review.signed_at}"
            return f"REVIEWED by {who} ({signature_words(review)})."
        return "NOT REVIEWED: written, and not signed."

    @property
    def to_confirm(self) -> tuple[Finding, ...]:
        """Warnings and errors of the Record: what its reader must have seen before signing."""
        record = self.record
        return () if record is None else tuple(item for item in record.findings if item.severity != "info")

    def is_confirmed(self, finding: Finding) -> bool:
        """Whether a reader has confirmed it."""
        return finding in self._confirmed

    def confirm(self, finding: Finding, *, seen: bool = True) -> None:
        """A reader has seen a finding, or takes that back."""
        (self._confirmed.add if seen else self._confirmed.discard)(finding)
        self.events.changed.emit()

    @property
    def bar_to_signing(self) -> str:
        """Why it can't be signed now; empty where it can."""
        found = self._standing
        if found is None or found.outdated:
            return "write the report first: what is signed is what was written"
        if found.published.record.review.state == "reviewed":
            return "it is signed already"
        left = [item for item in self.to_confirm if item not in self._confirmed]
        if left:
            return f"confirm {'the finding' if len(left) == 1 else f'the {len(left)} findings'} first"
        return ""

    def ask(
        self,
        uid: str,
        mask: Segmentation,
        images: Mapping[str, Image],
        folder: Path,
        options: PublishOptions,
    ) -> Asked:
        """A report of a mask as it is now.

        One that takes the place of a signed one says whose signature it ends, and why.
        """
        if not options.force and (folder / RECORD).exists():
            raise InputError(f"{folder} holds a report already; choose another folder, or have it replaced")
        found = self._standing
        if found is not None and found.asked.uid == uid and found.published.record.review.state == "reviewed":
            why = found.outdated or "The report was written again"
            options = replace(options, replaces=found.published.record.review, why=_sentence(why))
        return Asked(uid, mask, images, folder, options, self._changes)

    def accept(self, asked: Asked, published: Published) -> None:
        """Take in what was written; it is outdated already where something changed meanwhile."""
        late = "the mask or an image was changed" if asked.changes != self._changes else ""
        self._confirmed = set()
        self._standing = _Standing(asked, published, late)
        self.events.changed.emit()

    def sign(
        self, *, name: str, organization: str, key: Path | None = None, run: Run | None = None
    ) -> Published:
        """Sign what was written, as `medseg sign` does; for a thread of its own. `accept_signed` takes the result.

        Raises
        ------
        InputError
            If something is still to be done first, or a file is not what it was.
        """
        bar, found = self.bar_to_signing, self._standing
        if bar or found is None:
            raise InputError(f"not signed: {bar}")
        if not name.strip() or not organization.strip():
            raise InputError("not signed: a signature needs the name of a person and of an organization")
        asked = found.asked
        return sign_apart(
            found.published,
            asked.mask,
            asked.images,
            name=name,
            organization=organization,
            key=key,
            run=run or Run(),
        )

    def accept_signed(self, signed: Published) -> None:
        """Take in the signed Record; if something changed meanwhile it is not reviewed all the same."""
        if self._standing is not None:
            self._standing = replace(self._standing, published=signed)
            self.events.changed.emit()

    def _outdate(self, why: str) -> None:
        self._changes += 1
        found = self._standing
        if found is not None and not found.outdated:
            self._standing = replace(found, outdated=why)
            self._confirmed = set()
            self.events.changed.emit()

    def _mask_changed(self, uid: str) -> None:
        if self._standing is None or uid == self._standing.asked.uid:
            self._outdate("the mask was changed")

    def _mask_removed(self, uid: str) -> None:
        if self._standing is None or uid == self._standing.asked.uid:
            self._outdate("the mask was closed")

    def _image_changed(self, _uid: str) -> None:
        self._outdate("an image was changed")


def channels_of(
    mask: Segmentation | EditedMask,
    images: Mapping[str, Image],
    on: str | None,
    *,
    beside: tuple[str, ...] = (),
) -> dict[str, Image]:
    """Images of the session by uid → those a mask is measured on, by channel.

    Those it was made from, by digest; else the one it lies on (`on`), under its own name. Those chosen `beside` come
    with them.
    """
    made_from = {item.digest: item.channel for item in mask.made_by.images}
    found: dict[str, Image] = {}
    if made_from:
        for image in images.values():
            channel = made_from.get(image.digest)
            if channel is not None:
                found.setdefault(channel, image)
    if not found and on is not None and on in images:
        found[images[on].channel] = images[on]
    for uid in beside:
        image = images[uid]
        if all(image is not other for other in found.values()):
            found.setdefault(image.channel, image)
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
