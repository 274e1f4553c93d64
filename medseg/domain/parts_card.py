"""The card of a model that is made of others: several models, one label table."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain.card import CARD_SCHEMA, ChannelSpec, Quality, WeightsFile
from medseg.domain.labels import LabelTable
from medseg.domain.recipe import PART_FOLDER
from medseg.domain.values import STRICT, Details
from medseg.errors import ConfigError

__all__ = ["CornerZoom", "PartsCard", "TablePart"]


@dataclass(frozen=True, slots=True)
class CornerZoom:
    """The image at another spacing before any part sees it: outer voxel centres stay where they are (SciPy's `zoom`).

    Parameters
    ----------
    spacing
        mm along canonical axes; voxels are as many as its extent holds, rounded.
    order
        Of the spline for the image; labels come back from the nearest voxel.
    whole
        Whether values are cut to whole numbers, as of a CT.
    """

    spacing: tuple[float, float, float]
    order: int = 3
    whole: bool = True
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not all(0.001 <= step <= 100 for step in self.spacing) or not 0 <= self.order <= 5:
            raise ConfigError(f"a zoom has spacings of 0.001 to 100 mm and an order of 0 to 5, not {self}")


@dataclass(frozen=True, slots=True)
class TablePart:
    """One model of several: its folder in the bundle, which of its labels is which of the table, its card's digest."""

    folder: str
    labels: tuple[tuple[int, int], ...]
    digest: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not PART_FOLDER.fullmatch(self.folder):
            raise ConfigError(f"a part lies in parts/NAME inside of the bundle, not in {self.folder!r}")


@dataclass(frozen=True, slots=True)
class PartsCard:
    """Several models, one label table.

    Parameters
    ----------
    name, title, summary, version, channels, reference, table
        As of a ModelCard.
    parts
        In order of precedence: where two find something, the later one's label stands, and a Finding says how often.
    zoom
        Spacing at which all parts work and are joined; None for the native voxels.
    trained, quality, licence, attribution, intended_use, limits, origin
        As of a ModelCard.
    """

    name: str
    title: str
    summary: str
    version: str
    channels: tuple[ChannelSpec, ...]
    reference: str
    table: LabelTable
    parts: tuple[TablePart, ...]
    zoom: CornerZoom | None = None
    trained: Details = ()
    quality: tuple[Quality, ...] = ()
    licence: str = ""
    attribution: str = ""
    intended_use: str = "Research only; not a medical device."
    limits: tuple[str, ...] = ()
    origin: Details = ()
    schema: str = CARD_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if self.reference not in names:
            raise ConfigError(
                f"card {self.name!r}: reference channel {self.reference!r} is not among {names}"
            )
        written = [value for part in self.parts for _, value in part.labels]
        if sorted(written) != list(self.table.values):
            raise ConfigError(f"card {self.name!r}: parts do not write each label of the table once")
        if len({part.folder for part in self.parts}) < len(self.parts):
            raise ConfigError(f"card {self.name!r}: two parts have one folder")

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Spacing of the parts' common grid."""
        return self.zoom.spacing if self.zoom is not None else None

    @property
    def weights(self) -> tuple[WeightsFile, ...]:
        """None of its own."""
        return ()
