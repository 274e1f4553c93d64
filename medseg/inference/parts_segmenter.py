"""Several models with one label table, as one Segmenter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import (
    Finding,
    Grid,
    Image,
    LabelTable,
    Prompts,
    Provenance,
    Region,
    Run,
    Segmentation,
    Segmenter,
    SegmenterSpec,
)
from medseg.domain.parts_card import CornerZoom, PartsCard
from medseg.domain.provenance import ImageDigest
from medseg.domain.segmenter import ChannelNeed
from medseg.domain.values import Details, as_details
from medseg.errors import InputError
from medseg.inference.inner import run_inner
from medseg.inference.segmenter import ModelParams
from medseg.masks.components import label_parts
from medseg.models import card_digest, model_facts

__all__ = ["PartsParams", "PartsSegmenter"]


class PartsParams(ModelParams):
    """What may be chosen for a model of parts."""

    only: tuple[str, ...] = Field(
        (), description="Names of labels; only the parts that find them run. All if empty."
    )
    remove_small_mm3: float = Field(
        0,
        ge=0,
        description="Pieces of a label up to this volume (mm³) become background; TotalSegmentator's own option "
        "removes up to 200. 0 removes none.",
    )

    @property
    def details(self) -> Details:
        """As of all parameters; that no pieces are removed, which was the only way once, goes without saying."""
        return tuple(item for item in super().details if item != ("remove_small_mm3", 0.0))


@dataclass(frozen=True)
class PartsSegmenter:
    """Runs the parts that are needed, one after another, and joins what they find.

    Parameters
    ----------
    card
        Table, parts and their precedence.
    parts
        A segmenter for each part of the card.
    """

    card: PartsCard
    parts: tuple[Segmenter, ...]

    @property
    def spec(self) -> SegmenterSpec:
        """Description, from the card."""
        return SegmenterSpec(
            name=self.card.name,
            title=self.card.title,
            summary=self.card.summary,
            source=f"model bundle {self.card.name} {self.card.version}",
            kind="model",
            channels=tuple(
                ChannelNeed(item.name, item.modality, item.value_unit) for item in self.card.channels
            ),
            reference=self.card.reference,
            needs_mm=True,
            dimensions=(3,),
            version=card_digest(self.card),
        )

    @property
    def Params(self) -> type[PartsParams]:  # noqa: N802 - it is a class, and reads as one
        """Parameters."""
        return PartsParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: PartsParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Segment, on the voxels that were given.

        Raises
        ------
        InputError
            If a label is asked for that no part finds, or probabilities are.
        """
        if params.keep_probabilities:
            raise InputError(f"{self.card.name} is made of parts, whose probabilities are not of one sum")
        table = _asked(self.card, params.only)
        zoomed = {name: _zoomed(image, self.card.zoom) for name, image in images.items()}
        joined, findings = self._joined(zoomed, table, params, run)
        if params.remove_small_mm3:
            place = zoomed[self.card.reference].grid
            joined = _without_small(joined, table.values, params.remove_small_mm3 / place.voxel_volume)
        grid = images[self.card.reference].grid
        labels = _nearest(joined, grid.shape)
        if within is not None:
            labels = np.where(within, labels, 0).astype(labels.dtype)
        return Segmentation(labels, grid, table, self._made_by(images, params), findings)

    def memory_bytes(self, grids: Mapping[str, Grid], params: PartsParams) -> int:  # noqa: ARG002 - the protocol's
        """The largest part, and labels twice."""
        native = grids[self.card.reference]
        grid = native if self.card.zoom is None else _zoomed_grid(native, self.card.zoom)
        inner = dict.fromkeys(grids, grid)
        most = max(part.memory_bytes(inner, part.Params()) for part in self.parts)
        return most + 4 * int(np.prod(native.shape)) + 16 * int(np.prod(grid.shape)) * len(grids)

    def _joined(
        self, images: Mapping[str, Image], table: LabelTable, params: PartsParams, run: Run
    ) -> tuple[NDArray[np.uint16], tuple[Finding, ...]]:
        shape = images[self.card.reference].grid.shape
        joined = np.zeros(shape, np.uint16)
        findings: list[Finding] = []
        overlapping = 0
        for part, segmenter in zip(self.card.parts, self.parts, strict=True):
            wanted = {own: value for own, value in part.labels if value in table.values}
            if not wanted:
                continue
            run.check()
            found = run_inner(segmenter, images, params, run)
            mapped = _mapped(found.labels, wanted)
            overlapping += int(((joined > 0) & (mapped > 0)).sum())
            np.copyto(joined, mapped, where=mapped > 0)
            findings += [item for item in found.findings if item.code != "model.empty"]
        if overlapping:
            text = (
                f"{overlapping} voxels were found by several parts of {self.card.name}; "
                "there the later part's label stands."
            )
            findings.append(Finding("parts.overlap", "info", text, as_details(voxels=overlapping)))
        return joined, tuple(dict.fromkeys(findings))

    def _made_by(self, images: Mapping[str, Image], params: PartsParams) -> Provenance:
        origin = tuple((f"origin.{name}", value) for name, value in self.card.origin)
        return Provenance(
            segmenter=self.card.name,
            parameters=(*params.details, ("version", self.card.version), *origin),
            weights_digest=card_digest(self.card),
            images=tuple(ImageDigest(item.name, images[item.name].digest) for item in self.card.channels),
            model=model_facts(self.card),
        )


def _asked(card: PartsCard, names: tuple[str, ...]) -> LabelTable:
    """The table, or the labels and regions of it that are asked for: what did not run has no rows."""
    if not names:
        return card.table
    by_name: dict[str, tuple[int, ...]] = {label.name: (label.value,) for label in card.table.labels}
    by_name |= {region.name: region.labels for region in card.table.regions}
    if unknown := [name for name in names if name not in by_name]:
        raise InputError(
            f"{card.name} finds no {', '.join(map(repr, unknown))}; 'medseg models {card.name}' lists its labels"
        )
    values = {value for name in names for value in by_name[name]}
    regions: tuple[Region, ...] = tuple(item for item in card.table.regions if set(item.labels) <= values)
    return LabelTable(tuple(item for item in card.table.labels if item.value in values), regions)


def _without_small(labels: NDArray[np.uint16], values: tuple[int, ...], most: float) -> NDArray[np.uint16]:
    """Labels whose pieces (6-connected) of up to `most` voxels are background, each label by itself."""
    kept = labels.copy()
    for value in values:
        mask = labels == value
        if mask.any():
            pieces, count = label_parts(mask, 6)
            sizes = np.bincount(pieces.ravel(order="K"), minlength=count + 1)
            small = sizes <= most
            small[0] = False
            kept[small[pieces]] = 0
    return kept


def _mapped(labels: NDArray[Any], values: Mapping[int, int]) -> NDArray[np.uint16]:
    table = np.zeros(int(labels.max(initial=0)) + 1, np.uint16)
    for own, value in values.items():
        if own < len(table):
            table[own] = value
    mapped: NDArray[np.uint16] = table[labels]
    return mapped


def _zoomed_grid(grid: Grid, zoom: CornerZoom) -> Grid:
    factors = [step / wanted for step, wanted in zip(grid.spacing, zoom.spacing, strict=True)]
    shape = tuple(round(size * factor) for size, factor in zip(grid.shape, factors, strict=True))
    if min(shape) < 1:
        raise InputError(f"an image of {grid.shape} voxels vanishes at {zoom.spacing} mm")
    affine = np.array(grid.affine)
    affine[:3, :3] /= factors
    return replace(grid, shape=shape, affine=affine)  # type: ignore[arg-type]


def _zoomed(image: Image, zoom: CornerZoom | None) -> Image:
    """The image at the spacing of the parts."""
    if zoom is None:
        return image
    from scipy.ndimage import zoom as scipy_zoom

    grid = _zoomed_grid(image.grid, zoom)
    factors = [step / wanted for step, wanted in zip(image.grid.spacing, zoom.spacing, strict=True)]
    values = scipy_zoom(image.array.astype(np.float64), factors, order=zoom.order)
    kept = values.astype(np.int32) if zoom.whole else values.astype(np.float32)
    return Image(kept, grid, image.modality, image.value_unit, image.channel)


def _nearest(labels: NDArray[np.uint16], shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Labels on the native voxels: of each the nearest, outer centres on outer centres."""
    if labels.shape == shape:
        return labels
    from scipy.ndimage import zoom as scipy_zoom

    factors = [new / old for new, old in zip(shape, labels.shape, strict=True)]
    back: NDArray[np.uint16] = scipy_zoom(labels, factors, order=0)
    return back
