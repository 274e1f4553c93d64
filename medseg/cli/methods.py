"""`medseg methods`: what segments without a network."""

from dataclasses import asdict
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_table, show
from medseg.workflows.segmenters import find_segmenter, list_segmenters


def command(
    name: Annotated[str | None, typer.Argument(help="One method, with its parameters.")] = None,
    json: opt.Json = False,
) -> None:
    """List the methods, or show one with its parameters, units, defaults and source."""
    print_segmenters(name, models=False, as_json=json)


def print_segmenters(name: str | None, *, models: bool, as_json: bool) -> None:
    """A list, or one segmenter with its parameters."""
    command_name = "models" if models else "methods"
    if name is None:
        found = [item for item in list_segmenters() if (item.spec.kind == "model") is models]
        if as_json:
            emit(command_name, [{**asdict(item.spec), "origin": item.origin} for item in found])
            return
        lines = [
            (
                item.spec.name,
                item.spec.title,
                ", ".join(need.name for need in item.spec.channels),
                item.spec.summary,
            )
            for item in found
        ]
        print_table(("name", "title", "channels", "summary"), lines)
        return
    segmenter = find_segmenter(name)
    schema = segmenter.Params.model_json_schema()
    if as_json:
        emit(command_name, {**asdict(segmenter.spec), "parameters": schema})
        return
    show(
        f"{segmenter.spec.name}: {segmenter.spec.title}\n{segmenter.spec.summary}\nSource: {segmenter.spec.source}\n"
    )
    rows = [
        (field, part.get("default"), part.get("unit", ""), _range(part), part.get("description", ""))
        for field, part in schema.get("properties", {}).items()
    ]
    print_table(("parameter", "default", "unit", "range", "meaning"), rows)


def _range(part: dict[str, object]) -> str:
    if "enum" in part:
        return " | ".join(str(item) for item in part["enum"])  # type: ignore[attr-defined]
    low, high = (
        part.get("minimum", part.get("exclusiveMinimum")),
        part.get("maximum", part.get("exclusiveMaximum")),
    )
    if low is None and high is None:
        return str(part.get("type", ""))
    return f"{'' if low is None else low} to {'' if high is None else high}".strip()
