"""Planning: a dataset is measured, and out of the measures comes a training configuration with its reasons."""

from medseg.training.planning.budget import BUDGETS, Budget
from medseg.training.planning.decide import Plan, make_plan
from medseg.training.planning.fingerprint import Fingerprint, take_fingerprint
from medseg.training.planning.probe import Probe, probe
from medseg.training.planning.several import propose_sets
from medseg.training.planning.text import plan_text

__all__ = [
    "BUDGETS",
    "Budget",
    "Fingerprint",
    "Plan",
    "Probe",
    "make_plan",
    "plan_text",
    "probe",
    "propose_sets",
    "take_fingerprint",
]
