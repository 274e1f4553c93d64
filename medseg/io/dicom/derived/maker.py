"""Who or what made a mask, in the words of DICOM: an unknown origin is said, never called manual."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from medseg._version import __version__
from medseg.domain import Provenance
from medseg.domain.provenance import GIVEN
from medseg.domain.values import Details, as_details

__all__ = ["BY_HAND", "Maker", "MakerKind", "declared_maker", "maker_of", "stated_maker"]

MakerKind: TypeAlias = Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"]
_KINDS: tuple[MakerKind, ...] = ("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL")
_KIND, _NAME = "algorithm_type", "algorithm"
UNKNOWN = "unknown origin (given mask)"
#: Names of edits that a person made.
BY_HAND = ("changed by hand", "changed outside medseg")


@dataclass(frozen=True, slots=True)
class Maker:
    """How a mask came about: kind (None: nobody said), name, version, and whether medseg itself made it."""

    kind: MakerKind | None
    name: str
    version: str = ""
    own: bool = False

    @property
    def segment_kind(self) -> MakerKind:
        """What a SEG says, which must say something: of an unknown origin that no person is known to have drawn it."""
        return self.kind or "AUTOMATIC"


def maker_of(made_by: Provenance) -> Maker:
    """Who made a mask: medseg's segmenter, or what the file or the user said of a given one."""
    edited = bool(made_by.edits)
    if made_by.segmenter != GIVEN:
        version = (made_by.weights_digest or __version__)[:16]
        return Maker("SEMIAUTOMATIC" if edited else "AUTOMATIC", made_by.segmenter[:64], version, own=True)
    said = dict(made_by.parameters)
    stated = next((kind for kind in _KINDS if kind == said.get(_KIND)), None)
    name = str(said.get(_NAME) or (UNKNOWN if stated is None else ""))[:64]
    by_hand = all(edit.operation in BY_HAND for edit in made_by.edits)
    if edited and not (stated == "MANUAL" and by_hand):
        return Maker("SEMIAUTOMATIC", name or "changed since")
    return Maker(stated, name)


def declared_maker(kind: MakerKind, name: str) -> Details:
    """Parameters of a given mask whose maker is known."""
    return as_details(**{_KIND: kind, _NAME: name})


def stated_maker(items: Iterable[Any], kind: str, name: str) -> dict[str, str]:
    """What all structures of an object say of their maker by these attributes; nothing where they differ."""
    kinds, names = set(), set()
    for item in items:
        kinds.add(str(item.get(kind, "") or "").strip())
        names.add(str(item.get(name, "") or "").strip())
    if len(kinds) != 1 or not kinds & set(_KINDS) or UNKNOWN in names:
        return {}
    said = {_KIND: kinds.pop()}
    if len(names) == 1 and names != {""}:
        said[_NAME] = names.pop()[:64]
    return said
