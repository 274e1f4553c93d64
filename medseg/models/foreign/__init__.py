"""Models of other programs: read once, checked, and given as a card, weights, and what was understood of them.

One file per kind of model; each has `sniff` and `understand` (`ForeignKind`), and a row in `KINDS`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medseg.errors import ModelError
from medseg.models.foreign.bundle import BUNDLE
from medseg.models.foreign.nnunet import NNUNET
from medseg.models.foreign.onnx import ONNX
from medseg.models.foreign.total import PARTS_FOLDER
from medseg.models.foreign.unzip import as_folder
from medseg.models.foreign.values import ForeignKind, Understood, Wanted

__all__ = ["ForeignKind", "Understood", "Wanted", "understood"]

#: What is asked in turn whether it knows a source.
KINDS: tuple[ForeignKind, ...] = (ONNX, PARTS_FOLDER, NNUNET, BUNDLE)


@contextmanager
def understood(source: Path, choice: Wanted) -> Iterator[Understood]:
    """The model in a folder, file or zip, for as long as its files are at hand.

    Raises
    ------
    ModelError
        If it is of no known kind, damaged, or not understood.
    """
    if not source.exists():
        raise ModelError(f"{source} does not exist")
    with as_folder(source) as opened:
        kind = next((kind for kind in KINDS if kind.sniff(opened)), None)
        if kind is None:
            known = "; ".join(kind.title for kind in KINDS)
            raise ModelError(
                f"{source} is no model that medseg knows ({known}); see 'medseg models add --help'"
            )
        if choice.merging != "stated" and kind is not BUNDLE:
            raise ModelError(
                f"--merging {choice.merging} is for a SwinUNETR in a MONAI bundle, and {source} is no bundle but a "
                f"{kind.title}"
            )
        yield kind.understand(opened, choice)
