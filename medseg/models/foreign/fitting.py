"""Whether weights are those of a network, before any of them is kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medseg.domain import NetworkSpec
from medseg.errors import ModelError
from medseg.models.bundle import shapes_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["require_fit"]


def require_fit(state: "Mapping[str, Tensor]", spec: NetworkSpec, source: Path, told_by: str) -> None:
    """Refuse weights of another network than `told_by` says (plans, configuration), and such as are no numbers.

    Raises
    ------
    ModelError
        Naming the first difference.
    """
    wanted = shapes_of(spec, str(source))
    found = {name: tuple(value.shape) for name, value in state.items()}
    output = f"decoder.seg_layers.{len(spec.filters) - 2}.weight"
    if output in found and found[output][:1] != wanted[output][:1]:
        raise ModelError(
            f"{source} has {found[output][0]} outputs, and its labels ask for {wanted[output][0]}; "
            "dataset.json and checkpoint are not of one model"
        )
    if found != wanted:
        name = sorted(dict(found.items() ^ wanted.items()))[0]
        raise ModelError(
            f"{source} is of another network than its {told_by}: {name} is {found.get(name, 'missing')}, not "
            f"{wanted.get(name, 'there')}"
        )
    for name, value in state.items():
        if not bool(value.isfinite().all()):
            raise ModelError(f"{source}: {name} holds values that are no numbers; such a model finds nothing")
