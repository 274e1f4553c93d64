"""Lesions matched over time, change with its own error, target-sum categories. Pure: files are opened elsewhere."""

from medseg.followup.changes import ChangeRules
from medseg.followup.graph import MatchRules, match_lesions
from medseg.followup.places import LesionPlaces
from medseg.followup.tracks import make_tracks

__all__ = ["ChangeRules", "LesionPlaces", "MatchRules", "make_tracks", "match_lesions"]
