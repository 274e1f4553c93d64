"""Thousands of cases on Dask: segment, measure, report; a ledger says what became of each.

The only room that asks for Dask.

A case is done in a process of its own beside each worker, kept warm: it can be ended when it hangs, and what ends it
ends nothing else. The parent alone writes the ledger.
"""

from medseg.cohort.run import CohortResult, run_cohort
from medseg.cohort.study import Study, read_study

__all__ = ["CohortResult", "Study", "read_study", "run_cohort"]
