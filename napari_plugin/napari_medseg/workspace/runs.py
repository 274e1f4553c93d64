"""Segmenting and what belongs to it, as jobs: images are lent to the process that works, and taken back."""

from collections.abc import Callable, Hashable
from typing import Any

from medseg.domain import Prompts, Run, Segmentation
from medseg.workflows.apart import Asked, segment_apart, warm_up
from medseg.workflows.lent import Shelf
from medseg.workflows.prompts import prompts_of_mask
from napari_medseg.workspace.jobs import Jobs

__all__ = ["Runs"]


class Runs:
    """What a panel asks of segmenters.

    Parameters
    ----------
    jobs
        Of the window.
    """

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.shelf = Shelf()

    def segment(
        self,
        asked: Asked,
        done: Callable[[Segmentation], None],
        failed: Callable[[str], None],
        *,
        kind: str = "segment",
        key: Hashable = None,
    ) -> None:
        """Segment in a process of its own; `done` or `failed` is called in the window's thread."""
        self._keep_only(asked)
        self.jobs.submit(kind, key, lambda run: segment_apart(asked, self.shelf, run), done, failed)

    def warm_up(self, asked: Asked, failed: Callable[[str], None]) -> None:
        """Have a process ready for the first prompt."""
        self._keep_only(asked)
        self.jobs.submit("getting ready", None, lambda run: warm_up(asked, self.shelf, run), _nothing, failed)

    def prompts_of(
        self, mask: Segmentation, done: Callable[[Prompts], None], failed: Callable[[str], None]
    ) -> None:
        """What a mask says, as prompts."""

        def work(run: Run) -> Prompts:
            run.progress(0, None, "reading the mask")
            return prompts_of_mask(mask)

        self.jobs.submit("prompts of a mask", None, work, done, failed)

    def close(self) -> None:
        """Stop all, and take back what was lent."""
        self.jobs.cancel()
        self.shelf.close()

    def _keep_only(self, asked: Asked) -> None:
        """One set of images is lent at a time: each is a copy."""
        arrays: list[Any] = [image.array for image in asked.images.values()]
        arrays += [image.outside for image in asked.images.values() if image.outside is not None]
        self.shelf.keep_only(tuple(arrays))


def _nothing(_result: Any) -> None:
    return None
