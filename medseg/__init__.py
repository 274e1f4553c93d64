"""medseg: from scans to segmentations, from segmentations to numbers, from numbers to reports.

Five lines do the whole job::

    import medseg

    image = medseg.read("scan.nii.gz")
    mask = medseg.segment("hippocampus", image)
    record = medseg.measure(mask, image)
    print(medseg.to_dataframe(record))
    medseg.report(record, html="report.html", mask=mask, images=image)

Names are loaded when they are first used, so that `import medseg` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medseg._version import __version__

if TYPE_CHECKING:
    from medseg.domain import (
        Dataset,
        Grid,
        Image,
        Label,
        LabelTable,
        Measurement,
        ReadOptions,
        Record,
        Run,
        Segmentation,
    )
    from medseg.domain.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan
    from medseg.workflows.convert import convert
    from medseg.workflows.edit import edit
    from medseg.workflows.evaluate import evaluate, evaluate_lesions
    from medseg.workflows.files import open_dataset, read, read_segmentation, write
    from medseg.workflows.followup import FollowOptions, FollowScan, follow_up
    from medseg.workflows.interchange import (
        from_nibabel,
        from_numpy,
        from_sitk,
        from_torch,
        from_torchio,
        to_monai,
        to_nibabel,
        to_numpy,
        to_sitk,
        to_torch,
        to_torchio,
    )
    from medseg.workflows.measure import measure
    from medseg.workflows.record import read_record
    from medseg.workflows.repeatability import repeatability
    from medseg.workflows.report import report, to_dataframe
    from medseg.workflows.segment import segment
    from medseg.workflows.train import train

_ROOMS = {
    "medseg.domain": (
        "Dataset",
        "Grid",
        "Image",
        "Label",
        "LabelTable",
        "Measurement",
        "ReadOptions",
        "Record",
        "Run",
        "Segmentation",
    ),
    "medseg.domain.plan": ("LesionPlan", "MeasurePlan", "PetPlan", "TissuePlan"),
    # Named unlike the room `medseg.followup`, which would stand in its place.
    "medseg.workflows.followup": ("FollowOptions", "FollowScan", "follow_up"),
    "medseg.workflows": (
        "convert",
        "edit",
        "evaluate",
        "evaluate_lesions",
        "measure",
        "open_dataset",
        "read",
        "read_record",
        "read_segmentation",
        "report",
        "segment",
        "to_dataframe",
        "train",
        "write",
    ),
    "medseg.workflows.interchange": (
        "from_nibabel",
        "from_numpy",
        "from_sitk",
        "from_torch",
        "from_torchio",
        "to_monai",
        "to_nibabel",
        "to_numpy",
        "to_sitk",
        "to_torch",
        "to_torchio",
    ),
    "medseg.workflows.repeatability": ("repeatability",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Dataset",
    "FollowOptions",
    "FollowScan",
    "Grid",
    "Image",
    "Label",
    "LabelTable",
    "LesionPlan",
    "MeasurePlan",
    "Measurement",
    "PetPlan",
    "ReadOptions",
    "Record",
    "Run",
    "Segmentation",
    "TissuePlan",
    "__version__",
    "convert",
    "edit",
    "evaluate",
    "evaluate_lesions",
    "follow_up",
    "from_nibabel",
    "from_numpy",
    "from_sitk",
    "from_torch",
    "from_torchio",
    "measure",
    "open_dataset",
    "read",
    "read_record",
    "read_segmentation",
    "repeatability",
    "report",
    "segment",
    "to_dataframe",
    "to_monai",
    "to_nibabel",
    "to_numpy",
    "to_sitk",
    "to_torch",
    "to_torchio",
    "train",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'medseg' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
