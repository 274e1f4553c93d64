"""Two masks compared: overlap, surface distances, volume, lesions; and many comparisons summarised.

Empty masks, in one place (of lesions: in `medseg.metrics.lesions`):

=====================  ==========================  =====================================
                       both empty                  one empty
=====================  ==========================  =====================================
Dice, surface Dice     1 (they agree)              0 (a miss, or a false positive)
HD, HD95, ASSD         not computed: no surface    not computed: no surface to measure to
volume error           0                           the other's volume, with its sign
relative error         not computed                −100 %, or not computed (no reference)
=====================  ==========================  =====================================

Since a missed structure has no distance, a mean distance alone would reward missing. So a summary has
**headlines**, which count a miss as 0: Dice, and of lesions sensitivity and F1. What happens to them when a part of
the prediction is taken away:

- all of a structure that is in the reference: none rises;
- sensitivity never rises;
- F1 rises only with fewer false positives;
- Dice rises only if less than half of what was taken away lay in the reference.

All else stands behind them. Distances, precision and the Dice of found lesions are over what was predicted;
surface Dice and panoptic quality rise when a lesion that was found, but fits badly, is left out. Beside every mean
`summarise` shows cases, misses and false positives, and `headline` says which rows are.

On sheared grids Dice and volumes hold, surface Dice and distances are not computed.
"""

from medseg.metrics.agreement import BlandAltman, Icc, bland_altman, icc
from medseg.metrics.evaluate import evaluate
from medseg.metrics.lesions import LesionRule, evaluate_lesions
from medseg.metrics.repeatability import Measured, repeatability_by_size, repeatability_of
from medseg.metrics.summarise import summarise
from medseg.metrics.surface import SurfaceDistances, surface_distances

__all__ = [
    "BlandAltman",
    "Icc",
    "LesionRule",
    "Measured",
    "SurfaceDistances",
    "bland_altman",
    "evaluate",
    "evaluate_lesions",
    "icc",
    "repeatability_by_size",
    "repeatability_of",
    "summarise",
    "surface_distances",
]
