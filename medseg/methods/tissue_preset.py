"""Tissue presets: voxels of a CT in the published range of Hounsfield units of a tissue."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.definitions.tissue import Tissue, load_tissues
from medseg.domain import (
    Grid,
    Image,
    Label,
    LabelTable,
    Params,
    Prompts,
    Run,
    Segmentation,
    SegmenterSpec,
)
from medseg.domain.segmenter import ChannelNeed
from medseg.errors import ConfigError
from medseg.methods.base import answer, only_image, require_unit, usable

__all__ = ["TISSUE_PRESET", "TissuePreset", "TissuePresetParams"]


class TissuePresetParams(Params):
    """What may be chosen."""

    tissues: tuple[str, ...] = Field(
        ("muscle-range",),
        min_length=1,
        description='Names from the table of tissues, such as ["muscle-range", "fat-range"]; each is a label.',
    )


class TissuePreset:
    """Segmenter behind `medseg segment tissue-preset`."""

    spec = SegmenterSpec(
        name="tissue-preset",
        title="Tissue preset (CT)",
        summary="One label per tissue for the voxels of a CT in its published range of Hounsfield units.",
        source="Ranges and who set them: the table of tissues (Aubrey 2014, Yoshizumi 1999, Gattinoni 2001, …)",
        channels=(ChannelNeed("ct", "CT", "[hnsf'U]"),),
    )
    Params = TissuePresetParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: TissuePresetParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Compare the CT with each range; without `within` a range is no organ and no depot.

        Raises
        ------
        ConfigError
            If a tissue is unknown, or two of those asked for overlap.
        InputError
            If the values are not in HU.
        """
        table = load_tissues()
        tissues = tuple(table.named(name) for name in dict.fromkeys(params.tissues))
        _require_apart(tissues)
        image = only_image(images)
        require_unit(image, "[hnsf'U]", self.spec.name)
        considered = usable(image, within)
        labels = np.zeros(image.grid.shape, np.uint8)
        for done, tissue in enumerate(tissues):
            run.check()
            labels[considered & tissue.holds(image.array)] = tissue.value
            run.progress(done + 1, len(tissues), tissue.title)
        named = LabelTable(tuple(Label(item.value, _name(item), item.color) for item in tissues))
        ranges = "; ".join(item.range_text for item in tissues)
        return answer(
            self.spec.name,
            image,
            labels,
            params,
            table=named,
            definitions=table.version,
            ranges=ranges,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: TissuePresetParams) -> int:  # noqa: ARG002
        """Labels, the voxels considered, and the count of labels (8 bytes each)."""
        return sum(10 * int(np.prod(grid.shape)) for grid in grids.values())


def _name(tissue: Tissue) -> str:
    """A range is named as such: the method can't know whether the compartment it needs was given."""
    if tissue.compartment is None:
        return tissue.title
    return f"{tissue.title}: {tissue.range_text} within {tissue.compartment}"


def _require_apart(tissues: tuple[Tissue, ...]) -> None:
    for one, other in combinations(tissues, 2):
        low = max(-np.inf if item.range_hu[0] is None else item.range_hu[0] for item in (one, other))
        high = min(np.inf if item.range_hu[1] is None else item.range_hu[1] for item in (one, other))
        if low <= high:
            raise ConfigError(
                f"{TISSUE_PRESET.spec.name}: {one.name} ({one.range_text}) and {other.name} ({other.range_text}) "
                "overlap, and a voxel has one label; ask for them one at a time"
            )


TISSUE_PRESET = TissuePreset()
