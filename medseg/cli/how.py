"""Options of how a model runs, and what is said of it afterwards."""

import re
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from medseg.cli.output import say
from medseg.errors import ConfigError
from medseg.inference.memory import held_bytes

__all__ = ["Backend", "Deterministic", "Figures", "Memory", "Profile", "Threads", "how_to_run"]

Backend = Annotated[str, typer.Option(help="What runs a model: auto, openvino or torch; see --explain.")]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory that a model may take, such as 6GB; labels are the same at any."
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of a model; default: one per core.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Bit for bit on one machine at one number of threads.")
]
Profile = Annotated[bool, typer.Option("--profile", help="Say where the seconds of a model went.")]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
#: In the order of the work; what is not known by name comes last.
_PARTS = ("start", "read", "resample", "network", "decide", "write")


@dataclass
class Figures:
    """What a run says of itself, summed over cases; the largest of bytes."""

    values: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)

    def note(self, name: str, value: float) -> None:
        """Take a figure."""
        if name.startswith(("seconds.", "windows.")):
            self.values[name] = self.values.get(name, 0.0) + value
        else:
            self.values[name] = max(self.values.get(name, 0.0), value)

    def tell(self, *, profile: bool) -> None:
        """Memory predicted and measured; with `profile`, seconds by part."""
        predicted, peak = self.values.get("bytes.predicted"), held_bytes()
        if predicted is not None and peak is not None:
            say(f"memory: {predicted / 1e9:.2f} GB predicted, at most {peak / 1e9:.2f} GB held")
        if profile:
            parts = [f"{part} {self.values.get(f'seconds.{part}', 0.0):.2f}" for part in _PARTS]
            say(f"seconds: {', '.join(parts)}, together {time.perf_counter() - self.start:.2f}")
            if known := self.values.get("windows.known"):
                every = self.values["windows.all"]
                say(
                    f"windows: {known:.0f} of {every:.0f} were of one value that was known by then, as air is"
                )


def how_to_run(
    backend: str, memory: str | None, threads: int | None, figures: Figures, *, deterministic: bool
) -> dict[str, Any]:
    """Fields of a Run.

    Raises
    ------
    ConfigError
        If there is no such backend, or the size is none.
    """
    if backend not in ("auto", "torch", "openvino"):
        raise ConfigError(f"--backend is auto, openvino or torch, not {backend!r}")
    return {
        "backend": backend,
        "memory_bytes": None if memory is None else _bytes(memory),
        "threads": threads,
        "deterministic": deterministic,
        "note": figures.note,
    }


def _bytes(size: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", size.lower())
    if found is None or not float(found[1]):
        raise ConfigError(f"--memory is a size such as 6GB or 500MB, not {size!r}")
    return int(float(found[1]) * _UNITS[found[2] or ""])
