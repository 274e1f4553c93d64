"""How outputs of a MONAI bundle become labels, as values of a card.

A closed list; each transform is understood with its arguments, or refused by name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from medseg.domain.card import KeepLargest, PostStep
from medseg.domain.recipe import Decision
from medseg.errors import ModelError
from medseg.models.foreign.bundle_config import Config
from medseg.models.foreign.bundle_transforms import is_true, known_transform, require_only, transforms_of
from medseg.models.foreign.reading import Fields

__all__ = ["AFTER_NETWORK", "After", "steps_after"]

#: The one function of a segmentation bundle that makes labels of regions (BraTS: core, whole, enhancing), word by word,
#: with the label of each output and the order in which outputs write.
_BRATS = (
    "$lambda x: torch.where(x[[2]] > 0, 4, torch.where(x[[0]] > 0, 1, torch.where(x[[1]] > 0, 2, 0)))",
    (1, 2, 4),
    (1, 0, 2),
)
_SAVING = {
    *(
        "output_dir",
        "output_ext",
        "output_dtype",
        "output_postfix",
        "separate_folder",
        "meta_keys",
        "resample",
    ),
    *(
        "data_root_dir",
        "squeeze_end_dims",
        "dtype",
        "print_log",
        "writer",
        "output_name_formatter",
        "meta_key_postfix",
    ),
    *("folder_layout", "channel_dim", "padding_mode", "savepath_in_metadict", "mode"),
}
#: The same after the network: a word for what it says; none for what changes no label.
AFTER_NETWORK: dict[str, tuple[str, set[str], set[str]]] = {
    "EnsureType": ("", set(), {"dtype", "data_type", "device", "track_meta", "wrap_sequence"}),
    "ToTensor": ("", set(), {"dtype", "device", "track_meta", "wrap_sequence"}),
    "ToDevice": ("", set(), {"device", "non_blocking"}),
    "SaveImage": ("", set(), _SAVING),
    "Activations": ("activation", {"softmax", "sigmoid", "other"}, set()),
    "Invert": ("invert", set(), set()),
    "AsDiscrete": ("decide", {"argmax", "to_onehot", "threshold", "rounding"}, set()),
    "KeepLargestConnectedComponent": (
        "largest",
        {"applied_labels", "is_onehot", "independent", "connectivity", "num_components"},
        set(),
    ),
    "Lambda": ("lambda", {"func"}, set()),
}


@dataclass(frozen=True, slots=True)
class After:
    """How outputs become labels, and what is done to those."""

    decision: Decision
    steps: tuple[PostStep, ...]


def steps_after(config: Config, outputs: int) -> After:
    """What `postprocessing` says.

    Raises
    ------
    ModelError
        As `steps_before`.
    """
    said: list[tuple[str, Fields]] = []
    for item in transforms_of(config, "postprocessing"):
        kind, known, ignored = known_transform(item, AFTER_NETWORK, config)
        if kind == "lambda":
            given = Fields({"func": item.get("func")}, f"{config.place}, {item['_target_']}")
        elif kind == "invert":
            given = _inverse(config, item)
        else:
            given = config.fields(item, known, ignored | {"keys", "allow_missing_keys"})
        if kind:
            said.append((kind, given))
    return _joined(said, outputs, config.place)


def _inverse(config: Config, item: Mapping[str, Any]) -> Fields:
    """`Invertd`: of the whole preprocessing, with or without interpolation."""
    ignored = {
        "transform",
        "orig_keys",
        "meta_keys",
        "orig_meta_keys",
        "meta_key_postfix",
        "to_tensor",
        "device",
    }
    given = config.fields(item, {"nearest_interp"}, ignored | {"keys", "allow_missing_keys", "post_func"})
    what = str(item.get("transform")).removeprefix("$").strip()
    if what != "@preprocessing" or "post_func" in item:
        raise ModelError(f"{given.place}: the inverse of {what!r}, or one with post_func, is not understood")
    return given


def _joined(said: list[tuple[str, Fields]], outputs: int, place: str) -> After:
    """One decision of what transforms say one after another."""
    kinds = [kind for kind, _ in said]
    for kind in ("activation", "invert", "decide", "lambda"):
        if kinds.count(kind) > 1:
            raise ModelError(f"{place}: {kind} twice in postprocessing is not understood")
    if "decide" not in kinds:
        raise ModelError(f"{place}: postprocessing has no AsDiscreted, so that outputs are no labels")
    at = {kind: kinds.index(kind) for kind in kinds}
    decide = at["decide"]
    if any(number < decide for number, kind in enumerate(kinds) if kind in ("largest", "lambda")):
        raise ModelError(f"{place}: steps for labels stand before AsDiscreted")
    if at.get("activation", -1) > decide:
        raise ModelError(f"{place}: Activationsd stands after AsDiscreted")
    activation = _activation(dict(said).get("activation"))
    order, sequence, threshold = _regions(said, at, activation, outputs, place)
    decision = Decision(
        "sigmoid" if order else "softmax",
        "logits",
        order,
        sequence,
        threshold,
        _interpolated(said, at, activation, len(order)),
        finished_first=_finished_first(kinds, at, place),
    )
    return After(
        decision, tuple(step for kind, given in said if kind == "largest" for step in _largest(given))
    )


def _activation(given: Fields | None) -> str:
    if given is None:
        return ""
    if given.values.get("other") is not None:
        raise ModelError(f"{given.place}: other activations are not understood")
    chosen = [name for name in ("softmax", "sigmoid") if given.flag(name, default=False)]
    if len(chosen) != 1:
        raise ModelError(f"{given.place}: one of softmax and sigmoid is understood, not {chosen}")
    return chosen[0]


def _regions(
    said: list[tuple[str, Fields]], at: Mapping[str, int], activation: str, outputs: int, place: str
) -> tuple[tuple[int, ...], tuple[int, ...], float]:
    """Label of each output, the order in which they write, and the threshold; nothing where the largest wins."""
    given = said[at["decide"]][1]
    require_only(given, "rounding", (None,))
    if is_true(given.values.get("argmax", False)):
        if given.values.get("threshold") is not None or activation == "sigmoid":
            raise ModelError(f"{given.place}: argmax of a sigmoid, or with a threshold, is not understood")
        if given.values.get("to_onehot") is not None or "lambda" in at:
            raise ModelError(f"{given.place}: to_onehot, or a function of labels, is not understood")
        return (), (), 0.5
    if activation != "sigmoid" or given.values.get("to_onehot") is not None:
        raise ModelError(f"{given.place}: without argmax, a threshold of a sigmoid is understood")
    threshold = given.number("threshold")
    if "lambda" in at:
        text = " ".join(str(said[at["lambda"]][1].values.get("func")).split())
        if text != _BRATS[0] or outputs != len(_BRATS[1]):
            raise ModelError(
                f"{place}: the function {text[:100]!r} is not one that is known, and none is run"
            )
        return _BRATS[1], _BRATS[2], threshold
    if outputs != 1:
        raise ModelError(
            f"{place}: {outputs} regions that may overlap, and nothing that says which label a voxel of two gets"
        )
    return (1,), (), threshold


def _interpolated(
    said: list[tuple[str, Fields]], at: Mapping[str, int], activation: str, regions: int
) -> Any:
    """What the inverse brings to the native grid."""
    if "invert" not in at:
        return "averages"
    given = said[at["invert"]][1]
    nearest = given.flag("nearest_interp", default=True)
    is_late = at["invert"] > at["decide"]
    if nearest and regions > 1:
        raise ModelError(f"{given.place}: nearest_interp of several regions is not understood")
    if nearest:
        return "nearest_label"
    if not is_late:
        return "shares" if activation and at["activation"] < at["invert"] else "averages"
    if regions > 1:
        raise ModelError(f"{given.place}: interpolation of regions that are decided is not understood")
    return "label_numbers"


def _finished_first(kinds: list[str], at: Mapping[str, int], place: str) -> bool:
    """Whether components are chosen before labels go to the native grid."""
    places = {number < at.get("invert", -1) for number, kind in enumerate(kinds) if kind == "largest"}
    if len(places) > 1:
        raise ModelError(f"{place}: components are kept before and after Invertd, which is not understood")
    return places == {True}


def _largest(given: Fields) -> Iterator[KeepLargest]:
    require_only(given, "is_onehot", (None, False))
    require_only(given, "num_components", (1,))
    require_only(given, "connectivity", (None, 3))
    if given.values.get("applied_labels") is None:
        raise ModelError(f"{given.place}: applied_labels are not given, which is not understood")
    listed = given.values["applied_labels"]
    labels = given.wholes("applied_labels") if isinstance(listed, list) else (given.whole("applied_labels"),)
    if given.flag("independent", default=True):
        yield from (KeepLargest((label,)) for label in labels)
    else:
        yield KeepLargest(labels)
