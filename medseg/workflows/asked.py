"""What was asked, as one digest: equal requests give equal masks, so a batch can tell what it need not do again."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from medseg.domain import Grid, Image, Params, Prompts, Segmenter, digest_of
from medseg.domain.provenance import ImageDigest, Provenance
from medseg.domain.values import Details, as_details, digest_of_plain
from medseg.workflows.channels import read_as

__all__ = ["differences", "drawn", "segment_request"]


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
            "prompts": None if prompts is None else _plain(prompts),
        }
    )


def drawn(within: NDArray[np.bool_] | None, prompts: Prompts | None) -> Details:
    """What a reader must know of limits and seeds: that there were some, how many, and by their digest which."""
    told: dict[str, str | int] = {}
    if prompts is not None and not prompts.is_empty:
        count = len(prompts.points) + len(prompts.boxes) + len(prompts.strokes)
        told |= {"seeds": count, "seeds_digest": digest_of_plain(_plain(prompts))}
    if within is not None:
        count = int(np.count_nonzero(within))
        told |= {"within_voxels": count, "within_digest": digest_of(within.view(np.uint8))}
    return as_details(**told)


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
    known = {item.channel: item for item in made.images}
    for need in segmenter.spec.channels:
        name, read = need.name, read_as(images[need.name], need)
        old = known.get(name)
        if old is not None and old.digest == read.digest and old != read:
            yield f"the values of {name} are declared otherwise"
        elif old is None or old.digest != read.digest:
            yield "the image is another one" if name == "image" else f"image {name} is another one"
    if made.model is not None and made.model.digest != segmenter.spec.version:
        yield f"{made.segmenter} is another model now (its card or weights differ)"


def _plain(prompts: Prompts) -> Any:
    return TypeAdapter(Prompts).dump_python(prompts, mode="json")


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
    # Only of a single slice does the thickness enter a volume.
    thickness = grid.slice_thickness if 1 in grid.shape else None
    return [list(grid.shape), grid.affine.tolist(), grid.unit, thickness]
