"""A segmenter that says how long it worked; in a file of its own, as another process loads it by its name."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from medseg.domain import Grid, Image, Params, Segmentation
from medseg.domain.values import as_details
from medseg.workflows.segmenters import find_segmenter

__all__ = ["Timed"]


class Timed:
    """A segmenter that writes down how long it worked, beside its answer."""

    def __init__(self, name: str) -> None:
        self.inner = find_segmenter(name)
        self.spec = self.inner.spec

    @property
    def Params(self) -> type[Params]:  # noqa: N802 - it is a class, and reads as one
        """As of the segmenter."""
        return self.inner.Params

    def segment(self, images: Mapping[str, Image], params: Any, **more: Any) -> Segmentation:
        """As the segmenter does."""
        start = time.process_time()
        found = self.inner.segment(images, params, **more)
        run = as_details(solver_s=time.process_time() - start)
        return replace(found, made_by=replace(found.made_by, run=run))

    def memory_bytes(self, grids: Mapping[str, Grid], params: Any) -> int:
        """As of the segmenter."""
        return self.inner.memory_bytes(grids, params)
