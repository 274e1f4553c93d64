"""Two masks compared: overlap, surface distances, volume; and many comparisons summarised.

Empty masks, in one place:

=====================  ==========================  =====================================
                       both empty                  one empty
=====================  ==========================  =====================================
Dice, surface Dice     1 (they agree)              0 (a miss, or a false positive)
HD, HD95, ASSD         not computed: no surface    not computed: no surface to measure to
volume error           0                           the other's volume, with its sign
relative error         not computed                −100 %, or not computed (no reference)
=====================  ==========================  =====================================

Since a missed structure has no distance, a mean distance alone would reward missing: `summarise` always shows
cases, misses and false positives beside a mean, and Dice counts misses as 0.
"""

from medseg.metrics.evaluate import evaluate
from medseg.metrics.summarise import summarise

__all__ = ["evaluate", "summarise"]
