"""What adding a foreign model asks for and gives, whichever program it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from medseg.models.card import AnyCard

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ForeignKind", "Told", "Understood", "Wanted"]

#: What was understood, field by field: (field, as it is taken), for people.
Told: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user may choose when a foreign model is added.

    Parameters
    ----------
    name
        Of the model here; None takes one from the source.
    folds
        Which trained folds; None takes all that are there.
    checkpoint
        Which of the weights that a training keeps.
    sums
        Precision in which windows are summed; nnU-Net's own is float16.
    card
        A card that the user has filled, for networks that say too little about themselves.
    merging
        How a SwinUNETR of MONAI joins its tokens: as its configuration says and MONAI has it since 1.5, or `repeated`,
        as MONAI had it until 1.4 under the same name.
    """

    name: str | None = None
    folds: tuple[str, ...] | None = None
    checkpoint: Literal["final", "best"] = "final"
    sums: Literal["float32", "float16"] = "float32"
    card: Path | None = None
    merging: Literal["stated", "repeated"] = "stated"


@dataclass(frozen=True, slots=True, eq=False)
class Understood:
    """A foreign model, as a bundle of ours would be.

    Parameters
    ----------
    card, states
        What to run, and the weights of each fold.
    told
        What was understood, field by field.
    licence
        Text of its licence, or what is known of it.
    parts
        Models that the card names, by the name of their folder.
    """

    card: AnyCard
    states: "Sequence[Mapping[str, Tensor] | bytes]"
    told: Told
    licence: str = ""
    parts: "Mapping[str, Understood]" = field(default_factory=dict)


class ForeignKind(Protocol):
    """One program's way to keep a model."""

    @property
    def title(self) -> str:
        """As people call it."""
        ...

    def sniff(self, source: Path) -> bool:
        """Whether a folder or file looks like one of its models; opens no more than names and a little text."""
        ...

    def understand(self, source: Path, choice: Wanted) -> Understood:
        """Read it whole.

        Raises
        ------
        ModelError
            If something in it is damaged, or not understood: then it names what.
        """
        ...
