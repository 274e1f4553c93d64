"""Which bundles of MONAI's Model Zoo come in, and why the others do not: the table of docs/reference/monai-bundles.md.

    python -m benchmarks.zoo DATA/monai_zoo > docs/reference/monai-bundles.md

Reads the configurations of every folder in it as 'medseg models add' does, all but the weights; some seconds.
"""

import sys
from pathlib import Path

from medseg.domain import NetworkSpec
from medseg.errors import ConfigError, LabelError, ModelError
from medseg.models.foreign.bundle import card_without_weights

_WHERE = {
    "averages": "outputs, then decided",
    "shares": "shares, then decided",
    "nearest_label": "nearest label",
    "label_numbers": "numbers of labels",
}
_HEAD = """# Bundles of MONAI's Model Zoo

Written by `python -m benchmarks.zoo FOLDER` from the configurations of the Model Zoo (dfae206d), with the code that
`medseg models add` runs; weights are not looked at. Each bundle that comes in is held to MONAI's own run of its
configuration, with random weights, by `tests/journeys/test_monai_bundles.py`.

| bundle | comes in | network | axes, spacing (mm) | brought back as | or why not |
|---|---|---|---|---|---|"""


def main() -> None:
    """Print the page."""
    folder = Path(sys.argv[1])
    rows = [_row(path) for path in sorted(folder.iterdir()) if (path / "configs").is_dir()]
    sys.stdout.write("\n".join([_HEAD, *sorted(rows, key=lambda row: "| no |" in row)]) + "\n")


def _row(folder: Path) -> str:
    try:
        card = card_without_weights(folder)
    except (ModelError, ConfigError, LabelError) as error:
        why = (
            str(error).rpartition("inference.json: ")[2].rpartition("inference.yaml: ")[2].replace("|", "\\|")
        )
        return f"| {folder.name} | no | | | | {why.removeprefix(f'{folder}/configs/')} |"
    grid = card.grid
    spacing = getattr(grid, "spacing", None)
    steps = "own" if spacing is None else " × ".join(f"{step:g}" for step in spacing)
    axes = f"{getattr(grid, 'orientation', 'stored')}, {steps}"
    return f"| {folder.name} | yes | {_network(card.network)} | {axes} | {_WHERE[card.decision.interpolated]} | |"


def _network(spec: NetworkSpec) -> str:
    return f"{spec.architecture}, {spec.in_channels} in, {spec.out_channels} out"


if __name__ == "__main__":
    main()
