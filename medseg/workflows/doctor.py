"""Doctor: what is installed, what is missing, what is broken, how fast one convolution is."""

import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from medseg import plugins, settings
from medseg.errors import MedsegError
from medseg.extras import EXTRAS, missing_modules
from medseg.models.card import read_any_card

__all__ = ["DoctorLine", "examine"]

_LIBRARIES = ("numpy", "scipy", "simpleitk", "nibabel", "pydicom", "highdicom", "typer")
_BINDINGS = ("PySide6", "PyQt6", "PySide2", "PyQt5")


@dataclass(frozen=True, slots=True)
class DoctorLine:
    """One line: what was looked at, what was found, whether it is as it should be."""

    name: str
    found: str
    ok: bool = True


def examine(*, time_convolution: bool = True) -> tuple[DoctorLine, ...]:
    """Versions, devices, extras, plugins, models, and seconds for one 3D convolution."""
    checks = [DoctorLine("medseg", version("medseg")), DoctorLine("python", platform.python_version())]
    checks += [_library(name) for name in _LIBRARIES]
    checks += [_extra(name) for name in EXTRAS]
    checks.append(_binding())
    for group in (plugins.SEGMENTERS, plugins.READERS, plugins.WRITERS):
        checks += [
            DoctorLine(f"{group}: {name}", fault or f"from {owner}", fault is None)
            for name, owner, fault in plugins.check(group)
        ]
    checks += _models()
    checks += _devices(time_convolution=time_convolution)
    return tuple(checks)


def _library(name: str) -> DoctorLine:
    try:
        return DoctorLine(name, version(name))
    except PackageNotFoundError:
        return DoctorLine(name, "not installed; run pip install medseg again", ok=False)


def _extra(name: str) -> DoctorLine:
    missing = missing_modules(name)
    if not missing:
        return DoctorLine(f"extra {name}", ", ".join(_with_version(module) for module in EXTRAS[name]))
    return DoctorLine(f"extra {name}", f"not installed ({', '.join(missing)}); pip install 'medseg[{name}]'")


def _with_version(module: str) -> str:
    try:
        return f"{module} {version(module)}"
    except PackageNotFoundError:  # installed under another name
        return module


def _binding() -> DoctorLine:
    found = [name for name in _BINDINGS if find_spec(name) is not None]
    hint = "none; the viewer needs one: pip install 'medseg[all]' brings PySide6"
    return DoctorLine("Qt binding", ", ".join(found) or hint)


def _models() -> list[DoctorLine]:
    checks = []
    methods = plugins.names(plugins.SEGMENTERS)
    for folder in settings.model_folders():
        for card in sorted(folder.glob("*/card.yaml")):
            name = card.parent.name
            try:
                checks.append(DoctorLine(f"model {name}", read_any_card(card.parent).title))
            except MedsegError as error:
                checks.append(DoctorLine(f"model {name}", str(error), ok=False))
            if name in methods:
                told = f"a method has this name too, so {card.parent} is found by its path only; rename one"
                checks.append(DoctorLine(f"model {name}", told, ok=False))
    return checks


def _devices(*, time_convolution: bool) -> list[DoctorLine]:
    try:
        import torch
    except ModuleNotFoundError:
        return [DoctorLine("devices", "models need torch: pip install 'medseg[models]'")]
    except ImportError as error:
        return [DoctorLine("torch", f"can't be loaded: {error}", ok=False)]
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    checks = [DoctorLine("devices", f"{', '.join(names)}; {torch.get_num_threads()} threads")]
    if time_convolution:
        seconds = _convolution_seconds()
        checks.append(
            DoctorLine("3D convolution", f"{seconds * 1000:.0f} ms (16 to 16 channels, 3×3×3, on 96³, cpu)")
        )
    return checks


def _convolution_seconds() -> float:
    import torch

    layer = torch.nn.Conv3d(16, 16, 3, padding=1)
    values = torch.zeros(1, 16, 96, 96, 96)
    with torch.inference_mode():
        layer(values)
        start = time.perf_counter()
        layer(values)
    return time.perf_counter() - start
