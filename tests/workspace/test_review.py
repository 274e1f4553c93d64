"""A review holds while nothing has changed: a stroke, other values, a closed mask end it at once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("psygnal")

from medseg.domain import Finding, Grid, Image, Run
from medseg.errors import InputError
from medseg.workflows import read, segment, write
from medseg.workflows.publish import PublishOptions
from medseg.workflows.verify import verify_files
from napari_medseg.workspace import Session
from napari_medseg.workspace.review import Review, channels_of

WHO: dict[str, Any] = {"name": "A. Reader", "organization": "Study centre"}


class Desk:
    """A session with one scan and its mask, and the review of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "report"
        self.session = Session()
        self.review = Review(self.session)
        array = np.full((12, 10, 8), 100, np.int16)
        array[3:8, 3:7, 2:6] = 400
        write(
            Image(array, Grid(array.shape, np.diag([-1.0, -1.0, 2.0, 1.0])), modality="MR"),
            folder / "mr.nii.gz",
        )
        self.image = self.session.add_image(read(folder / "mr.nii.gz", channel="mr"))
        self.edited = self.session.add_mask(segment("otsu", self.images["mr"]))
        self.told: list[str] = []
        self.review.events.changed.connect(lambda: self.told.append(self.review.words))

    @property
    def images(self) -> dict[str, Image]:
        return {"mr": self.session.images[self.image]}

    def ask(self, **options: Any) -> Any:
        mask = self.edited.now()
        images = channels_of(mask, self.session.images, self.edited.image)
        return self.review.ask(self.edited.uid, mask, images, self.folder, PublishOptions((), **options))

    def write(self, **options: Any) -> None:
        asked = self.ask(**options)
        self.review.accept(asked, asked.work(Run()))

    def sign(self) -> None:
        for finding in self.review.to_confirm:
            self.review.confirm(finding)
        self.review.accept_signed(self.review.sign(**WHO))

    def stroke(self) -> None:
        self.edited.labels[0, 0, 0] = 1
        self.session.events.mask_changed.emit(self.edited.uid)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


CHANGES: dict[str, tuple[Callable[[Desk], None], str]] = {
    "a stroke": (Desk.stroke, "the mask was changed"),
    "the image has other values": (
        lambda desk: desk.session.events.image_changed.emit(desk.image),
        "an image was changed",
    ),
    "the mask is closed": (lambda desk: desk.session.remove(desk.edited.uid), "the mask was closed"),
}


@pytest.mark.parametrize(("change", "why"), CHANGES.values(), ids=CHANGES)
def test_any_change_after_signing_is_not_reviewed_at_once(
    change: Callable[[Desk], None], why: str, desk: Desk
) -> None:
    desk.write()
    desk.sign()
    assert desk.review.is_reviewed
    assert desk.review.words.startswith("REVIEWED by A. Reader, Study centre, ")
    assert "no proof of who signed" in desk.review.words
    change(desk)
    assert not desk.review.is_reviewed
    assert desk.told[-1].startswith(f"NOT REVIEWED: {why} after A. Reader signed on ")
    assert all(check.holds for check in verify_files(desk.folder / "record.json"))  # of what was signed


def test_another_mask_leaves_a_review_as_it_is(desk: Desk) -> None:
    desk.write()
    desk.sign()
    other = desk.session.add_mask(desk.edited.before)
    desk.session.events.mask_changed.emit(other.uid)
    desk.session.remove(other.uid)
    assert desk.review.is_reviewed


def test_what_changed_while_it_was_written_is_outdated_when_it_comes(desk: Desk) -> None:
    asked = desk.ask()
    desk.stroke()
    desk.review.accept(asked, asked.work(Run()))
    assert "was changed after the report was written" in desk.review.words
    assert "write the report first" in desk.review.bar_to_signing


def test_what_changed_while_it_was_signed_is_not_reviewed(desk: Desk) -> None:
    desk.write()
    for finding in desk.review.to_confirm:
        desk.review.confirm(finding)
    signed = desk.review.sign(**WHO)
    desk.stroke()
    desk.review.accept_signed(signed)
    assert not desk.review.is_reviewed


def test_nothing_is_signed_before_it_is_written_confirmed_and_named(desk: Desk) -> None:
    with pytest.raises(InputError, match="write the report first"):
        desk.review.sign(**WHO)
    warning = Finding("image.odd", "warning", "The image is odd.")
    scan = desk.session.images[desk.image]
    desk.edited.before = replace(desk.edited.before, findings=(warning, *scan.findings))
    desk.write()
    for finding in desk.review.to_confirm:
        desk.review.confirm(finding, seen=finding != warning)
    with pytest.raises(InputError, match="confirm the finding first"):
        desk.review.sign(**WHO)
    desk.review.confirm(warning)
    with pytest.raises(InputError, match="the name of a person and of an organization"):
        desk.review.sign(name=" ", organization="Study centre")
    desk.review.confirm(warning, seen=False)
    assert desk.review.bar_to_signing == "confirm the finding first"
    desk.sign()
    assert desk.review.bar_to_signing == "it is signed already"


def test_a_report_after_a_signed_one_says_whose_signature_it_ends(desk: Desk) -> None:
    desk.write()
    desk.sign()
    before = desk.review.record
    desk.stroke()
    with pytest.raises(InputError, match="holds a report already"):
        desk.write()
    desk.write(force=True)
    record = desk.review.record
    assert record is not None
    assert before is not None
    assert record.review.amends == before.review.digest
    (said,) = [item for item in record.findings if item.code == "review.outdated"]
    assert said.message.startswith("The mask was changed after A. Reader signed on ")
    assert said in desk.review.to_confirm
    desk.sign()
    assert desk.review.is_reviewed
    assert record.measurements != before.measurements


def test_a_mask_is_measured_on_the_images_it_was_made_from(desk: Desk) -> None:
    mask, images = desk.edited.now(), desk.session.images
    other = desk.session.add_image(
        replace(images[desk.image], array=images[desk.image].array + 1, channel="t2")
    )
    assert list(channels_of(mask, desk.session.images, desk.image)) == ["image"]  # as Otsu's method calls it
    foreign = replace(mask, made_by=type(mask.made_by)())
    assert list(channels_of(foreign, desk.session.images, other)) == ["t2"]
    assert list(channels_of(foreign, desk.session.images, None)) == []
    assert list(channels_of(foreign, desk.session.images, other, beside=(desk.image,))) == ["t2", "mr"]
