"""Inferers of MONAI bundles as rules of windows."""

from dataclasses import dataclass

from medseg.domain import NetworkSpec
from medseg.domain.recipe import WindowRule
from medseg.errors import ModelError
from medseg.models.foreign.bundle_config import Config
from medseg.models.foreign.bundle_network import own_class
from medseg.models.foreign.reading import Fields

__all__ = ["Windows", "bundle_windows"]

#: Arguments that change memory and speed only.
_SPEED = {
    *("sw_batch_size", "sw_device", "device", "progress", "cache_roi_weight_map", "cpu_thresh"),
    *("buffer_steps", "buffer_dim"),
}
_SLIDING = {"roi_size", "overlap", "mode", "padding_mode", "cval", "sigma_scale", "spatial_dim", "with_coord"}
_WEIGHTS = {"constant": "constant", "gaussian": "gaussian"}
_PADDINGS = {"constant": "zeros", "replicate": "nearest"}


@dataclass(frozen=True, slots=True)
class Windows:
    """Extents of a window, their overlap, the rule, and the axis along which slices follow one another."""

    window: tuple[int, ...]
    overlap: float
    rule: WindowRule
    slices: int | None = None


def bundle_windows(config: Config, network: NetworkSpec) -> Windows:
    """What `inferer` says.

    Raises
    ------
    ModelError
        If it is none that is understood.
    """
    item = config.raw("inferer")
    target = item.get("_target_") if isinstance(item, dict) else None
    if not isinstance(target, str) or own_class(target):
        raise ModelError(f"{config.place}: the inferer {str(target or item)[:80]!r} is not understood")
    kind = target.rpartition(".")[2]
    if kind == "SimpleInferer":
        if network.dimensions != 3:
            raise ModelError(f"{config.place}: a network of slices with {kind} is not understood")
        return Windows(network.divisor, 0.0, WindowRule("whole", "constant"))
    if kind not in ("SlidingWindowInferer", "SlidingWindowInfererAdapt", "SliceInferer"):
        raise ModelError(f"{config.place}: the inferer {kind!r} is not understood")
    given = config.fields(item, _SLIDING, _SPEED)
    return _sliding(given, network, is_by_slice=kind == "SliceInferer")


def _sliding(given: Fields, network: NetworkSpec, *, is_by_slice: bool) -> Windows:
    roi = given.values.get("roi_size")
    window = (
        given.wholes("roi_size") if isinstance(roi, list) else (given.whole("roi_size"),) * network.dimensions
    )
    if len(window) != network.dimensions or min(window) < 1 or is_by_slice != (network.dimensions == 2):
        raise ModelError(
            f"{given.place}: windows {window} of a {network.dimensions}D network are not understood"
        )
    mode, padding = given.text("mode", "constant"), given.text("padding_mode", "constant")
    if mode not in _WEIGHTS or padding not in _PADDINGS:
        raise ModelError(f"{given.place}: mode {mode!r} or padding_mode {padding!r} is not understood")
    if given.number("cval", 0.0) != 0 or given.number("sigma_scale", 0.125) != 0.125:
        raise ModelError(
            f"{given.place}: cval and sigma_scale of other values than MONAI's own are not understood"
        )
    if given.flag("with_coord", default=False):
        raise ModelError(f"{given.place}: with_coord is not understood")
    rule = WindowRule("stepped", _WEIGHTS[mode], padding=_PADDINGS[padding])  # type: ignore[arg-type]
    return Windows(
        window, given.number("overlap", 0.25), rule, given.whole("spatial_dim", 0) if is_by_slice else None
    )
