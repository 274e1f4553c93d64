"""Which label of one table is which of another: one rule, by their names."""

from collections.abc import Sequence

__all__ = ["place_of", "same_name"]


def same_name(one: str, other: str) -> bool:
    """Whether two names of a label are one, whatever their letters' case; `Anterior` is `anterior hippocampus`."""
    first, second = (
        set(name.casefold().replace("_", " ").replace("-", " ").split()) for name in (one, other)
    )
    return bool(first) and bool(second) and (first <= second or second <= first)


def place_of(name: str, known: Sequence[str], first: int) -> int | None:
    """Place among known names, from `first` on: that of the very name, else of the only one that is the same."""
    exact = [at for at, other in enumerate(known) if other.casefold() == name.casefold()]
    alike = exact or [at for at, other in enumerate(known) if same_name(name, other)]
    return alike[0] + first if len(alike) == 1 else None
