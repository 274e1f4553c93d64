"""Every quantity of every label and region."""

from collections.abc import Collection, Mapping

from medseg.domain import Image, Measurement, Quantity, Run, Segmentation, Target
from medseg.measuring.intervals import with_intervals
from medseg.measuring.regions import Weights, measure_regions
from medseg.measuring.structure import plane_name

__all__ = ["measure", "plane_name", "targets"]


def measure(
    segmentation: Segmentation,
    images: Mapping[str, Image] | None = None,
    *,
    only: Collection[Quantity] | None = None,
    of: Collection[Target] | None = None,
    run: Run | None = None,
) -> tuple[Measurement, ...]:
    """Measure every label and region of a segmentation.

    Parameters
    ----------
    segmentation
        Labels on their native grid; where it keeps probabilities, volumes weighted by them are given too.
    images
        Images by channel. A channel on another grid of the same world space is measured on its own voxels,
        with labels taken at their centres; the caller has checked that the space is one.
    only
        Quantities to measure; None measures all.
    of
        Labels and regions to measure (`targets` lists them); None measures all.
    run
        Progress by structure, and whether to stop.

    Returns
    -------
    tuple of Measurement
        In the order of the table: labels, then regions. A structure that is not there has volume 0 with
        status `ok`, and everything else `not_computed`; one that could not be read has
        no number. A cut structure's sizes are lower bounds.

    Notes
    -----
    Definitions: IBSI reference manual where a code is given, else own, as stated in `Quantity`.
    Memory: one structure's box a few times over, and the values of the largest structure.
    """
    wanted = [(target, target.labels) for target in targets(segmentation) if of is None or target in of]
    found = measure_regions(
        segmentation.labels,
        segmentation.grid,
        wanted,
        images,
        weights=_weights(segmentation, [values for _, values in wanted]),
        only=only,
        refused=segmentation.not_read,
        run=run,
    )
    return with_intervals(found, segmentation)


def targets(segmentation: Segmentation) -> tuple[Target, ...]:
    """Labels, then regions, of the table; parts of overlapping structures are no structures of their own."""
    table = segmentation.table
    labels = [Target("label", label.name, (label.value,)) for label in table.labels if not label.is_part]
    return (*labels, *(Target("region", region.name, region.labels) for region in table.regions))


def _weights(segmentation: Segmentation, wanted: list[tuple[int, ...]]) -> Weights | None:
    """Channels of the probabilities per union of labels: background first, then the table's labels in order."""
    values, kept = segmentation.table.values, segmentation.probabilities
    if kept is None:
        return None
    if len(kept) != len(values) + 1:
        return Weights(kept, {})
    return Weights(kept, {union: tuple(1 + values.index(value) for value in union) for union in wanted})
