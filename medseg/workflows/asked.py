"""What was asked, as one digest: equal requests give equal masks, so a batch can tell what it need not do again."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from medseg.domain import Grid, Image, Params, Prompts, Segmentation, Segmenter, digest_of
from medseg.domain.provenance import Edit, ImageDigest, Provenance
from medseg.domain.values import digest_of_plain
from medseg.workflows.channels import read_as

__all__ = ["differences", "edit_request", "segment_request"]


def segment_request(
    segmenter: Segmenter,
    images: Mapping[str, Image],
    params: Params,
    *,
    within: NDArray[np.bool_] | None = None,
    prompts: Prompts | None = None,
) -> str:
    """Digest over segmenter and weights, parameters, images as they are read and where they lie, limits and seeds."""
    spec = segmenter.spec
    return digest_of_plain(
        {
            "segmenter": [spec.name, spec.version],
            "parameters": dict(params.details),
            "images": [_image(images[need.name], read_as(images[need.name], need)) for need in spec.channels],
            "within": None if within is None else digest_of(within.view(np.uint8)),
            "prompts": None if prompts is None else TypeAdapter(Prompts).dump_python(prompts, mode="json"),
        }
    )


def edit_request(before: Segmentation, edit: Edit) -> str:
    """Digest over the mask before (by what it was asked for, else by its voxels) and one operation on it."""
    start = None if _by_hand(before.made_by) else before.made_by.request_digest
    return digest_of_plain([start or before.digest, edit.operation, list(edit.parameters)])


def differences(made: Provenance, segmenter: Segmenter, images: Mapping[str, Image], params: Params) -> str:
    """How a mask was asked for otherwise than now, in words, for a user who looks at a line of a table."""
    return "; ".join(_differences(made, segmenter, images, params)) or (
        "limits, seeds or the place of an image differ"
        if made.request_digest
        else "an earlier medseg made it, which did not write down what was asked"
    )


def _differences(
    made: Provenance, segmenter: Segmenter, images: Mapping[str, Image], params: Params
) -> Iterator[str]:
    if made.segmenter != segmenter.spec.name:
        yield f"{made.segmenter} made it"
        return
    before = dict(made.parameters)
    for name, value in params.details:
        if name in before and before[name] != value:
            yield f"{name} {before[name]} → {value}"
    digests = {item.channel: item.digest for item in made.images}
    for name, image in images.items():
        if digests.get(name) != image.digest:
            yield "the image is another one" if name == "image" else f"image {name} is another one"
    if made.model is not None and made.model.digest != segmenter.spec.version:
        yield f"{made.segmenter} is another model now (its card or weights differ)"


def _by_hand(made: Provenance) -> bool:
    return any(edit.changes for edit in made.edits)


def _image(image: Image, read: ImageDigest) -> dict[str, Any]:
    return {
        "channel": read.channel,
        "digest": read.digest,
        "modality": read.modality,
        "unit": read.value_unit,
        "grid": _grid(image.grid),
        "outside": None if image.outside is None else digest_of(image.outside.view(np.uint8)),
    }


def _grid(grid: Grid) -> list[Any]:
    return [list(grid.shape), grid.affine.tolist(), grid.unit]
