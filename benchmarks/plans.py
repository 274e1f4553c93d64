"""Plans of three sets side by side: what differs, and by which measure of the data.

    python -m benchmarks.plans DATA > docs/reference/plans.md

DATA holds the sets hippocampus, sarcoma and lgg; some minutes.
"""

import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from medseg.domain import Run
from medseg.io import open_dataset
from medseg.training.config import DataConfig, TrainConfig
from medseg.training.planning import BUDGETS
from medseg.workflows.plan import Planned, plan

_ADAPTER: TypeAdapter[TrainConfig] = TypeAdapter(TrainConfig)
_ROOT = Path(__file__).parents[1]
#: What a reader compares; the rest is the same in every plan.
_ROWS = (
    "grid.spacing",
    "grid.window",
    "preprocessing",
    "network.dimensions",
    "network.filters",
    "network.strides",
    "network.kernels",
    "network.deep_supervision",
    "loss.batch_dice",
    "augmentation.flip_axes",
    "augmentation.drop_channel",
    "loop.batch",
    "loop.foreground",
)
_REASON_OF = {"preprocessing": "channels", "loss.batch_dice": "loss"}


def main() -> None:
    """Plan each set for a laptop and print the page."""
    folder = Path(sys.argv[1])
    sarcoma = open_dataset(_ROOT / "configs/sarcoma_cases.csv", root=folder / "sarcoma")
    run = Run(device="cpu")
    planned = {
        "Hippocampus": plan(open_dataset(folder / "hippocampus"), BUDGETS["laptop"], DataConfig(), run=run),
        "Sarcoma": plan(
            sarcoma, BUDGETS["laptop"], DataConfig(), values={"mr": "MR", "pet": "SUVbw"}, run=run
        ),
        "Glioma": plan(open_dataset(folder / "lgg"), BUDGETS["laptop"], DataConfig(), run=run),
    }
    sys.stdout.write("\n".join(_page(planned)) + "\n")


def _page(planned: dict[str, Planned]) -> list[str]:
    names = list(planned)
    lines = [
        "# Three plans side by side",
        "",
        "`medseg plan SET --out config.yaml` for a laptop, on three sets. Made by `python -m benchmarks.plans DATA`.",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        f"| cases | {' | '.join(_cases(item) for item in planned.values())} |",
    ]
    plain = {
        name: _ADAPTER.dump_python(item.plan.config, mode="json", exclude_defaults=False)
        for name, item in planned.items()
    }
    lines += [f"| `{key}` | {' | '.join(_value(plain[name], key) for name in names)} |" for key in _ROWS]
    tried = [item.probe for item in planned.values() if item.probe is not None]
    lines += [
        f"| memory, predicted | {' | '.join(_gb(item.predicted_bytes) for item in tried)} |",
        f"| memory, measured by one batch | {' | '.join(_gb(item.measured_bytes) for item in tried)} |",
        "",
        "## Why they differ",
        "",
    ]
    for key in _ROWS:
        if len({_value(plain[name], key) for name in names}) > 1:
            lines += _reasons(key, planned)
    return lines


def _reasons(key: str, planned: dict[str, Planned]) -> list[str]:
    found = {name: item.plan.why.get(_REASON_OF.get(key, key), "") for name, item in planned.items()}
    if not any(found.values()):
        return []
    sentences = [
        f"- {', '.join(name for name in found if found[name] == why)}: {why}."
        for why in dict.fromkeys(found.values())
    ]
    return [f"**`{key}`**", "", *sentences, ""]


def _cases(item: Planned) -> str:
    return item.plan.config.model.limits[0].removeprefix("Trained on ").rstrip(".")


def _value(plain: dict[str, Any], key: str) -> str:
    value: Any = plain
    for part in key.split("."):
        value = value[part]
    if key == "preprocessing":
        return "; ".join(f"{step['channel']}: {step['step']}" for step in value)
    if isinstance(value, list):
        return " ".join("×".join(map(str, part)) if isinstance(part, list) else str(part) for part in value)
    return "native pixels" if value is None else str(value)


def _gb(count: int | None) -> str:
    return "not tried" if count is None else f"{count / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
