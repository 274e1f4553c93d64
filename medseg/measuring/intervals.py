"""Intervals of volumes: those that the model stated for the mask as it left it, and for no other."""

from collections.abc import Sequence
from dataclasses import replace

from medseg.domain import Finding, Interval, Measurement, Quantity, Segmentation, Status
from medseg.domain.intervals import VolumeInterval
from medseg.domain.values import as_details

__all__ = ["interval_findings", "with_intervals"]

#: Volumes nearer to each other (relative) are one: they differ by rounding.
_SAME = 1e-9


def with_intervals(found: Sequence[Measurement], mask: Segmentation) -> tuple[Measurement, ...]:
    """The measurements, with the model's interval beside each volume that is still the model's own.

    None for a structure that is cut by the border of the image, and for all of a mask that was changed since.
    """
    if _void(mask):
        return tuple(found)
    stated = {item.target: item for item in mask.made_by.intervals}
    return tuple(_with_one(item, stated.get(item.target.name)) for item in found)


def interval_findings(mask: Segmentation) -> tuple[Finding, ...]:
    """Said where a model stated intervals and the mask is not what it left any more."""
    reason = _void(mask)
    if not mask.made_by.intervals or not reason:
        return ()
    text = f"Volumes have no interval: {reason}, and intervals are about the model's own mask."
    return (Finding("interval.void", "info", text, as_details(reason=reason)),)


def _void(mask: Segmentation) -> str:
    """Why intervals are not about this mask; empty where they are."""
    return "the mask was changed after the model made it" if mask.made_by.edits else ""


def _with_one(item: Measurement, stated: VolumeInterval | None) -> Measurement:
    is_whole = item.target.kind in ("label", "region") and item.status is Status.OK
    if stated is None or not is_whole or item.quantity is not Quantity.VOLUME or item.value is None:
        return item
    if abs(item.value - stated.volume_ml) > _SAME * max(item.value, stated.volume_ml):
        return item
    calibrated = f"CV+ over {stated.folds} folds and {stated.subjects} subjects"
    method = f"{calibrated}; at least {stated.guaranteed:.0%} guaranteed"
    return replace(item, interval=Interval(stated.low_ml, stated.high_ml, stated.level, method))
