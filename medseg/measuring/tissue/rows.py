"""Measurements of one tissue: of a slab, a level, a slice; with the rule in each method."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medseg.definitions.tissue import Tissue
from medseg.domain import Grid, Image, Measurement, Quantity, Target
from medseg.domain.plan import TissuePlan
from medseg.errors import ConfigError
from medseg.measuring.measure import plane_name
from medseg.measuring.rows import Rows
from medseg.measuring.tissue.counts import TissueCounts
from medseg.measuring.tissue.levels import Level

__all__ = ["SliceSpan", "TissueRows", "require_body"]

#: Bodies outside these are a slip of units; both ends included.
HEIGHT_M, WEIGHT_KG = (0.3, 2.6), (1.0, 500.0)
_INDEXES = (Quantity.TISSUE_HEIGHT_INDEX, Quantity.TISSUE_SURFACE_INDEX)
_SHEARED = "the grid is sheared (tilted gantry), so only volumes can be had; use --resample"


@dataclass(frozen=True, slots=True)
class SliceSpan:
    """Slices `first` to `last`, both included; `ends` says whether the ends of the stack cut it."""

    detail: str
    first: int
    last: int
    ends: bool = False
    rule: str = ""


def require_body(plan: TissuePlan) -> None:
    """Refuse a height or weight that is a slip of units.

    Raises
    ------
    ConfigError
        If the height does not lie in 0.3 to 2.6 m, or the weight in 1 to 500 kg.
    """
    for what, value, (low, high), unit in (
        ("height", plan.height_m, HEIGHT_M, "m"),
        ("weight", plan.weight_kg, WEIGHT_KG, "kg"),
    ):
        if value is not None and not low <= value <= high:
            raise ConfigError(f"a {what} lies between {low:g} and {high:g} {unit}, not {value:g}")


@dataclass(frozen=True, slots=True, eq=False)
class TissueRows:
    """Makes the rows of tissue `number` of the counts."""

    image: Image
    counts: TissueCounts
    number: int
    tissue: Tissue
    title: str
    labels: tuple[int, ...]
    plan: TissuePlan
    version: str

    def volume(self, span: SliceSpan) -> Iterator[Measurement]:
        """Volume and mean over a span of slices."""
        rows = self._at(span.detail, self._is_cut(span))
        if self._is_bare(rows, span, Quantity.TISSUE_VOLUME, Quantity.TISSUE_MEAN):
            yield from rows.items
            return
        voxels, total = self._count(span)
        steps = span.last - span.first + 1
        letter, step = "ijk"[self.counts.axis], self._grid.spacing[self.counts.axis]
        where = (
            f"{span.rule}slices {letter}={span.first} to {letter}={span.last}, both included, "
            f"{steps} × {step:g} mm"
        )
        if 1 in self._grid.shape and self._grid.slice_thickness is None:
            rows.refuse(
                Quantity.TISSUE_VOLUME,
                "a single slice without a known thickness has no volume; give --slice-thickness",
            )
        else:
            text = f"voxel count × voxel volume; {where}; {self._method}"
            rows.add(Quantity.TISSUE_VOLUME, voxels * self._voxel_ml, method=text, channel=self.image.channel)
        self._add_mean(rows, voxels, total, where)
        yield from rows.items

    def slab(self, levels: tuple[Level, ...]) -> Iterator[Measurement]:
        """Volume and mean between two levels, both slices included."""
        first, second = levels
        detail = f"{first.name} to {second.name}"
        if first.index is None or second.index is None:
            rows = self._at(detail, cut=False)
            reason = first.reason or second.reason
            for quantity in (Quantity.TISSUE_VOLUME, Quantity.TISSUE_MEAN):
                rows.refuse(quantity, reason, channel=self.image.channel)
            yield from rows.items
            return
        low, high = sorted((first.index, second.index))
        rule = f"{first.rule}, {second.rule}: "
        yield from self.volume(SliceSpan(detail, low, high, rule=rule))

    def level(self, level: Level, *, alone: bool) -> Iterator[Measurement]:
        """Area, mean and indexes in the slice of a level; its volume too when it is the only one."""
        if level.index is None:
            rows = self._at(level.name, cut=False)
            for quantity in (Quantity.TISSUE_AREA, Quantity.TISSUE_MEAN, *self._asked_indexes()):
                rows.refuse(quantity, level.reason, channel=self.image.channel)
            yield from rows.items
            return
        yield from self.section(level.index, level)
        if alone and self.counts.inside[level.index]:
            rule = f"{level.rule}: "
            done = self.volume(SliceSpan(level.name, level.index, level.index, rule=rule))
            yield from (item for item in done if item.quantity is Quantity.TISSUE_VOLUME)

    def section(self, index: int, level: Level | None = None) -> Iterator[Measurement]:
        """Area and mean in one slice; indexes at a level."""
        letter = "ijk"[self.counts.axis]
        span = SliceSpan(level.name if level else f"{letter}={index}", index, index)
        rows = self._at(span.detail, self._is_cut(span))
        indexes = self._asked_indexes() if level else ()
        if self._is_bare(rows, span, Quantity.TISSUE_AREA, Quantity.TISSUE_MEAN, *indexes):
            yield from rows.items
            return
        plane = f"{plane_name(self._grid, self.counts.axis)} {letter}={index}"
        voxels, total = self._count(span)
        area_cm2 = voxels * _pixel_mm2(self._grid, self.counts.axis) / 100
        where = f"{level.rule if level else 'one slice'}{_tilt(self._grid, self.counts.axis)}"
        if self._grid.is_sheared:
            for quantity in (Quantity.TISSUE_AREA, *indexes):
                rows.refuse(quantity, _SHEARED, channel=self.image.channel)
        else:
            text = f"pixel count × pixel area; {where}; {self._method}"
            rows.add(Quantity.TISSUE_AREA, area_cm2, method=text, plane=plane, channel=self.image.channel)
            if level is not None:
                self._add_indexes(rows, area_cm2, plane)
        self._add_mean(rows, voxels, total, where, plane)
        yield from rows.items

    @property
    def _grid(self) -> Grid:
        return self.image.grid

    @property
    def _voxel_ml(self) -> float:
        grid = self._grid
        if 1 in grid.shape and grid.slice_thickness is not None:
            return _pixel_mm2(grid, self.counts.axis) * grid.slice_thickness / 1000
        return grid.voxel_volume / 1000

    @property
    def _method(self) -> str:
        place = (
            f"inside {self.plan.compartment}" if self.labels else "in the whole image, no compartment given"
        )
        kind = self.tissue.compartment
        if self.labels and kind and not self.tissue.fits_into(self.plan.compartment):
            place += f", which the user takes for {kind}"
        note = f"; {self.tissue.note}" if self.tissue.note else ""
        sources = "; ".join(str(item) for item in self.tissue.sources)
        return (
            f"{self.tissue.range_text}, limits included, values rounded to whole HU, {place}, "
            f"without padding{note}; range: {sources} ({self.version})"
        )

    def _at(self, detail: str, cut: bool) -> Rows:  # noqa: FBT001 - as Rows takes it
        return Rows(Target("tissue", self.title, self.labels, detail=detail), self._grid, cut=cut)

    def _count(self, span: SliceSpan) -> tuple[int, float]:
        part = slice(span.first, span.last + 1)
        return int(self.counts.voxels[self.number, part].sum()), float(
            self.counts.sums[self.number, part].sum()
        )

    def _is_cut(self, span: SliceSpan) -> bool:
        if span.ends:
            return bool(self.counts.cut_along[self.number])
        return bool(self.counts.cut[self.number, span.first : span.last + 1].any())

    def _is_bare(self, rows: Rows, span: SliceSpan, *quantities: Quantity) -> bool:
        """Refuse quantities where the span holds nothing of the compartment: 0 would claim that it was drawn."""
        if self.counts.inside[span.first : span.last + 1].any():
            return False
        for quantity in quantities:
            reason = f"{self.plan.compartment} has no voxel at {span.detail}, so nothing was looked for there"
            rows.refuse(quantity, reason, channel=self.image.channel)
        return True

    def _add_mean(self, rows: Rows, voxels: int, total: float, where: str, plane: str | None = None) -> None:
        if voxels:
            method = f"arithmetic mean, IBSI Q4LE; {where}; {self._method}"
            rows.add(
                Quantity.TISSUE_MEAN, total / voxels, method=method, plane=plane, channel=self.image.channel
            )
            return
        reason = f"no voxel there lies in {self.tissue.range_text}"
        rows.refuse(Quantity.TISSUE_MEAN, reason, channel=self.image.channel)

    def _asked_indexes(self) -> tuple[Quantity, ...]:
        asked = (self.plan.height_m, self.plan.height_m and self.plan.weight_kg)
        return tuple(quantity for quantity, value in zip(_INDEXES, asked, strict=True) if value)

    def _add_indexes(self, rows: Rows, area_cm2: float, plane: str) -> None:
        if not plane_name(self._grid, self.counts.axis).endswith("axial"):
            reason = f"an index needs an axial slice, and this one is {plane}"
            if not self._grid.orientation_known:
                reason = "an index needs an axial slice, and the file does not say how its axes lie; "
                reason += "give --orientation"
            for quantity in self._asked_indexes():
                rows.refuse(quantity, reason)
            return
        height, weight = self.plan.height_m, self.plan.weight_kg
        if height is not None:
            text = f"area / height², height {height:g} m"
            rows.add(
                Quantity.TISSUE_HEIGHT_INDEX,
                area_cm2 / height**2,
                method=f"{text}; {self._method}",
                plane=plane,
            )
        if height is not None and weight is not None:
            surface = float(np.sqrt(height * 100 * weight / 3600))
            text = (
                f"area / body surface, sqrt({height * 100:g} cm × {weight:g} kg / 3600) = {surface:.3f} m² "
                "(Mosteller, N Engl J Med 317:1098, 1987)"
            )
            rows.add(
                Quantity.TISSUE_SURFACE_INDEX,
                area_cm2 / surface,
                method=f"{text}; {self._method}",
                plane=plane,
            )


def _pixel_mm2(grid: Grid, axis: int) -> float:
    first, second = (grid.affine[:3, other] for other in range(3) if other != axis)
    return float(np.linalg.norm(np.cross(first, second)))


def _tilt(grid: Grid, axis: int) -> str:
    """How an oblique stack lies; "" where the slices lie in a plane of the patient."""
    first, second = (grid.affine[:3, other] for other in range(3) if other != axis)
    normal = np.cross(first, second)
    cosine = float(np.abs(normal).max() / np.linalg.norm(normal))
    degrees = float(np.degrees(np.arccos(min(1.0, cosine))))
    return f", as acquired, tilted {degrees:.1f}° to the patient's plane" if degrees > 0.1 else ""
