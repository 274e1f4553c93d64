"""Publish and sign in a process of their own, which is ended when the user cancels, whatever it is doing.

No page, PDF or DICOM object hears a cancel while it is made. Files get their names at the very end, all at once, so a
process that is ended before that has written nothing. Which comes first, the cancel or the names, is decided by who
makes one file: so "stopped" is said only where nothing is written, and what was begun to be named is told as written.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from medseg.domain import Image, Run, Segmentation
from medseg.domain.run import Progress
from medseg.errors import Cancelled
from medseg.io.leftovers import scratch_folder
from medseg.io.unfinished import settle
from medseg.methods.child import in_child
from medseg.workflows.apart import Parts, lend_image, opened_images, opened_mask, sent_mask
from medseg.workflows.lent import Shelf
from medseg.workflows.publish import Published, PublishOptions, publish, sign_published

__all__ = ["publish_apart", "sign_apart"]

#: A mask and images, as they are sent.
Given: TypeAlias = tuple[Parts, Mapping[str, Parts]]


def publish_apart(
    segmentation: Segmentation,
    images: Mapping[str, Image],
    folder: Path,
    options: PublishOptions,
    run: Run,
) -> Published:
    """As `publish`, byte for byte.

    Raises
    ------
    Cancelled
        Well within a second of `run.cancel`; the folder is as it was, and nothing is left beside it.
    Exception
        As `publish`.
    """
    return _apart(_publish, segmentation, images, (folder.absolute(), options), folder=folder, run=run)


def sign_apart(
    published: Published,
    segmentation: Segmentation,
    images: Mapping[str, Image],
    *,
    name: str,
    organization: str,
    key: Path | None = None,
    run: Run,
) -> Published:
    """As `sign_published`; raises as it and as `publish_apart`."""
    signer = {"name": name, "organization": organization, "key": key}
    return _apart(_sign, segmentation, images, (published, signer), folder=published.folder, run=run)


def _apart(
    work: Callable[..., Published],
    segmentation: Segmentation,
    images: Mapping[str, Image],
    asked: tuple[Any, ...],
    *,
    folder: Path,
    run: Run,
) -> Published:
    run.progress(0, None, "starting")
    with closing(Shelf()) as shelf, _in_order(folder), scratch_folder() as scratch:
        decided = scratch / "decided"
        parts = {}
        for name, image in images.items():
            run.check()
            parts[name] = lend_image(image, shelf)
        mask = sent_mask(segmentation)
        return in_child(_until_decided(run, decided), work, (mask, parts), *asked, decided)


@contextmanager
def _in_order(folder: Path) -> Iterator[None]:
    """A folder as it was before a process that wrote there was ended."""
    was_there = folder.exists()
    try:
        yield
    except Cancelled:
        settle(folder, again=True)
        if not was_there:
            with suppress(OSError):
                folder.rmdir()
        raise


def _until_decided(run: Run, decided: Path) -> Run:
    """A run that is cancelled no more once the other process gives its files their names."""
    is_stopped = False

    def cancel() -> bool:
        nonlocal is_stopped
        is_stopped = is_stopped or (run.cancel() and _is_first(decided))
        return is_stopped

    return replace(run, cancel=cancel)


def _until_stopped(progress: Progress, decided: Path) -> Run:
    """In the other process: a run that says it is done only if no cancel came before."""

    def tell(done: int, total: int | None, what: str) -> None:
        progress(done, total, what)
        if done == total and not _is_first(decided):
            raise Cancelled("stopped before anything had its name")

    return Run(progress=tell)


def _is_first(decided: Path) -> bool:
    """Whether nobody has made this file before."""
    try:
        decided.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _publish(
    given: Given,
    folder: Path,
    options: PublishOptions,
    decided: Path,
    progress: Progress,
) -> Published:
    """In the other process."""
    run = _until_stopped(progress, decided)
    return publish(opened_mask(given[0]), opened_images(given[1]), folder, options, run)


def _sign(
    given: Given,
    published: Published,
    signer: Mapping[str, Any],
    decided: Path,
    progress: Progress,
) -> Published:
    """In the other process."""
    mask, images = opened_mask(given[0]), opened_images(given[1])
    return sign_published(published, mask, images, **signer, run=_until_stopped(progress, decided))
