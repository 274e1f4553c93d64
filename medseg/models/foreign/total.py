"""Folders like TotalSegmentator's: several nnU-Net models, each a part of one label table."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import Label, LabelTable, ModelCard
from medseg.domain.parts_card import CornerZoom, PartsCard, TablePart
from medseg.domain.values import digest_of_plain
from medseg.errors import LabelError, ModelError
from medseg.models.foreign.anatomy import coded
from medseg.models.foreign.nnunet import NNUNET
from medseg.models.foreign.told import plain_words
from medseg.models.foreign.values import Understood, Wanted

__all__ = ["PARTS_FOLDER", "PartsFolder"]

#: `Dataset291_TotalSegmentator_part1_organs_1559subj`: whose, which part, of what.
_PART = re.compile(r"Dataset\d+_(?P<whose>.+?)_part(?P<number>\d+)_(?P<what>[A-Za-z]+).*")
#: mm of the images that TotalSegmentator's parts were trained on.
SPACING_MM = (1.5, 1.5, 1.5)


@dataclass(frozen=True, slots=True)
class PartsFolder:
    """A folder with a dataset folder for each part, as TotalSegmentator keeps `total`."""

    title: str = "folder of nnU-Net models that are parts of one table (TotalSegmentator's)"

    def sniff(self, source: Path) -> bool:
        """Whether there are several parts."""
        return len(_parts(source)) > 1

    def understand(self, source: Path, wanted: Wanted) -> Understood:
        """All parts, in order of their numbers: labels follow one another, and later parts stand over earlier ones.

        That is how TotalSegmentator numbers its labels, and joins them.
        """
        found = _parts(source)
        if {int(match["number"]) for _, match in found} != set(range(1, len(found) + 1)):
            raise ModelError(f"{source}: its parts are not numbered 1 to {len(found)}; copy all of them")
        models = {}
        for path, match in found:
            name = f"parts/{match['number']}-{plain_words(match['what'])}"
            models[name] = NNUNET.understand(path, replace(wanted, name=None))
        card = _card(source, models, wanted, found[0][1]["whose"])
        told = [
            (
                "parts",
                ", ".join(
                    f"{name.removeprefix('parts/')} ({len(part.card.table.labels)} labels)"
                    for name, part in models.items()
                ),
            ),
            ("precedence", "later parts over earlier ones"),
            (
                "spacing",
                "1.5 mm, outer voxel centres kept, spline of order 3; labels back from the nearest voxel",
            ),
            ("orientation", "canonical (RAS)"),
            ("labels", ", ".join(f"{item.value} {item.name}" for item in card.table.labels)),
            ("codes", _codes(card.table)),
            ("small parts", "stay, as there; -p remove_small_mm3=200 removes them as its option does"),
        ]
        for name, part in models.items():
            told += [
                (f"{name.removeprefix('parts/')}: {field}", value)
                for field, value in part.told
                if field != "labels"
            ]
        licence = "\n".join(f"{name}: {part.licence.strip()}" for name, part in models.items())
        return Understood(card, (), tuple(told), licence + "\n", models)


PARTS_FOLDER = PartsFolder()


def _parts(source: Path) -> list[tuple[Path, re.Match[str]]]:
    """Folders of parts of one set, by number."""
    if not source.is_dir():
        return []
    named = [(path, _PART.fullmatch(path.name)) for path in sorted(source.iterdir()) if path.is_dir()]
    found = [(path, match) for path, match in named if match is not None and NNUNET.sniff(path)]
    if len({match["whose"] for _, match in found}) > 1:
        return []
    return sorted(found, key=lambda item: int(item[1]["number"]))


def _codes(table: LabelTable) -> str:
    """How many labels have one, and the names of those that have none."""
    without = [item.name for item in table.labels if item.type is None]
    words = f"SNOMED CT for {len(table.labels) - len(without)} of {len(table.labels)} labels"
    return f"{words}; DICOM's dictionary has none for {', '.join(without)}" if without else words


def _card(source: Path, models: dict[str, Understood], wanted: Wanted, whose: str) -> PartsCard:
    cards = [part.card for part in models.values()]
    first = cards[0]
    assert isinstance(first, ModelCard)  # noqa: S101 - for the type checker: a part has a network
    if any(card.channels != first.channels for card in cards):
        raise ModelError(f"{source}: its parts take different channels")
    labels: list[Label] = []
    parts = []
    for name, card in zip(models, cards, strict=True):
        pairs = []
        for own in card.table.labels:
            labels.append(coded(replace(own, value=len(labels) + 1)))
            pairs.append((own.value, len(labels)))
        parts.append(TablePart(name, tuple(pairs)))
    try:
        table = LabelTable(tuple(labels))
    except LabelError as error:
        raise ModelError(f"{source}: its parts make no one table: {error}") from error
    digest = digest_of_plain([dict(card.origin)["source_digest"] for card in cards])
    licences = sorted({card.licence for card in cards})
    return PartsCard(
        name=wanted.name or plain_words(whose),
        title=f"{whose}: {len(labels)} structures in {len(parts)} parts",
        summary=f"{', '.join(item.name for item in labels[:6])}, … on {first.channels[0].name}.",
        version=f"nnU-Net v2 parts, {digest[:12]}",
        channels=first.channels,
        reference=first.reference,
        table=table,
        parts=tuple(parts),
        zoom=CornerZoom(SPACING_MM),
        trained=(("data", ", ".join(str(dict(card.trained)["data"]) for card in cards)),),
        licence="; ".join(licences),
        limits=first.limits,
        origin=(("kind", "nnU-Net v2 parts of one table"), ("name", whose), ("source_digest", digest)),
    )
