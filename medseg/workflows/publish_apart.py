"""Publish and sign in a process of their own, which is ended when the user cancels, whatever it is doing.

No page, PDF or DICOM object hears a cancel while it is made. Files get their names at the very end, all at once, so a
process that is ended before that has written nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from medseg.domain import Image, Run, Segmentation
from medseg.domain.run import Progress
from medseg.errors import Cancelled
from medseg.io.unfinished import settle
from medseg.methods.child import in_child
from medseg.workflows.apart import Parts, lend_image, opened_images, opened_mask, sent_mask
from medseg.workflows.lent import Shelf
from medseg.workflows.publish import Published, PublishOptions, publish, sign_published

__all__ = ["publish_apart", "sign_apart"]


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
    with closing(Shelf()) as shelf, _in_order(folder):
        parts = {}
        for name, image in images.items():
            run.check()
            parts[name] = lend_image(image, shelf)
        mask = sent_mask(segmentation)
        return in_child(_until_done(run), work, mask, parts, *asked)


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


def _until_done(run: Run) -> Run:
    """A run that is cancelled no more once all is made: then files get their names, which takes no time."""
    is_made = False

    def progress(done: int, total: int | None, what: str) -> None:
        nonlocal is_made
        is_made = is_made or (total is not None and done >= total)
        run.progress(done, total, what)

    return replace(run, progress=progress, cancel=lambda: not is_made and run.cancel())


def _publish(
    sent: Parts, parts: Mapping[str, Parts], folder: Path, options: PublishOptions, progress: Progress
) -> Published:
    """In the other process."""
    return publish(opened_mask(sent), opened_images(parts), folder, options, Run(progress=progress))


def _sign(
    sent: Parts,
    parts: Mapping[str, Parts],
    published: Published,
    signer: Mapping[str, Any],
    progress: Progress,
) -> Published:
    """In the other process."""
    mask, images = opened_mask(sent), opened_images(parts)
    return sign_published(published, mask, images, **signer, run=Run(progress=progress))
