"""Frozen values and Protocols that every room speaks; knows no files, no torch, no Qt."""

from medseg.domain.card import ChannelSpec, ModelCard
from medseg.domain.case import Case, ChannelFile, Dataset, Split
from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.image import Image, digest_of
from medseg.domain.labels import Code, Label, LabelTable, Region
from medseg.domain.measurement import Interval, Measurement, Status, Target
from medseg.domain.network import NetworkSpec
from medseg.domain.params import Params
from medseg.domain.prompts import Prompts
from medseg.domain.provenance import Provenance
from medseg.domain.quantity import Quantity
from medseg.domain.record import InputRef, Record
from medseg.domain.run import Run
from medseg.domain.segmentation import Segmentation
from medseg.domain.segmenter import Segmenter, SegmenterSpec
from medseg.domain.source import ReadOptions, Source

__all__ = [
    "Case",
    "ChannelFile",
    "ChannelSpec",
    "Code",
    "Dataset",
    "Finding",
    "Grid",
    "Image",
    "InputRef",
    "Interval",
    "Label",
    "LabelTable",
    "Measurement",
    "ModelCard",
    "NetworkSpec",
    "Params",
    "Prompts",
    "Provenance",
    "Quantity",
    "ReadOptions",
    "Record",
    "Region",
    "Run",
    "Segmentation",
    "Segmenter",
    "SegmenterSpec",
    "Source",
    "Split",
    "Status",
    "Target",
    "digest_of",
]
