"""Running networks: channels → model grid → windows → native grid, with the card's steps around it."""

from medseg.inference.bundled import segmenter_of
from medseg.inference.ensemble import Predictor
from medseg.inference.prepare import Prepared, canonical, labels_on_grid, model_grid, prepare
from medseg.inference.segmenter import ModelParams, ModelSegmenter
from medseg.inference.slices import network_slice_axis

__all__ = [
    "ModelParams",
    "ModelSegmenter",
    "Predictor",
    "Prepared",
    "canonical",
    "labels_on_grid",
    "model_grid",
    "network_slice_axis",
    "prepare",
    "segmenter_of",
]
