"""One name, one thing: no two modules define a class or a function of the same public name."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Name → why several modules may define it.
MAY_BE_SEVERAL = {
    "command": "each file of cli/ is one command",
    "evaluate": "a verb in two forms: on values in its room, and with names and files in workflows",
    "evaluate_lesions": "a verb in two forms",
    "measure": "a verb in two forms",
    "open_dataset": "a verb in two forms",
    "read": "a verb in two forms",
    "read_segmentation": "a verb in two forms",
    "train": "a verb in two forms",
    "from_sitk": "arrays in geometry, images with their place in workflows",
    "to_sitk": "arrays in geometry, images with their place in workflows",
    "Box": "a prompt; a solid, which only tests and authors of plugins see",
}


def test_no_public_name_is_defined_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.glob("medseg/**/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    several = {name: where for name, where in places.items() if len(where) > 1}
    assert {name: where for name, where in several.items() if name not in MAY_BE_SEVERAL} == {}
    assert set(MAY_BE_SEVERAL) <= set(several), "MAY_BE_SEVERAL names what is defined once"
