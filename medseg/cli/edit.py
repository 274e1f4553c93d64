"""`medseg edit`: operations on a mask."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, say
from medseg.cli.progress import running
from medseg.cli.segment import print_results
from medseg.domain import ReadOptions
from medseg.errors import ConfigError
from medseg.masks.requests import describe_operations
from medseg.workflows.aside import left_aside
from medseg.workflows.cases import holds_masks, masks_by_stem
from medseg.workflows.edit import Step, edit_cases, edit_files


@opt.reading(without=("series", "volume", "resample", *opt.OF_MASKS))
def command(
    mask: Annotated[
        Path | None, typer.Argument(help="The mask to edit, or a folder of masks; they are left as they are.")
    ] = None,
    op: Annotated[
        list[str] | None,
        typer.Option(
            "--op",
            metavar="NAME[=VALUE][,KEY=VALUE…]",
            help="An operation, such as close=2 or margin=5,superior=10; repeat it, they are done in order.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The mask to write, with its sidecar; a folder for many masks.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="A label or region to edit; repeat for several. Default: each label for itself."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show every operation with its parameters and units.")
    ] = False,
    labels: opt.Labels = None,
    read: ReadOptions = ReadOptions(),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Edit a mask by operations in mm: keep parts, fill, open, close, grow, smooth, join, split, crop.

    Each operation says how it changed the volume, and the sidecar keeps it. One label never takes voxels of
    another, unless over_labels=true asks for it.

    Examples: medseg edit mask.nii.gz --op close=2 --op keep-largest --out clean.nii.gz · medseg edit mask.nii.gz
    --op margin=5,superior=10 --label tumour --out target.nii.gz
    """
    if show:
        _print_operations(as_json=json)
        return
    if mask is None or out is None:
        raise ConfigError("give a MASK and --out OUT, or --list to see the operations")
    if holds_masks(mask):
        masks = masks_by_stem(mask)
        with running(quiet=json) as run:
            results = edit_cases(
                masks,
                op or [],
                out,
                labels=label or (),
                table=labels,
                options=read,
                force=force,
                run=run,
            )
        aside = left_aside(mask, chain.from_iterable(masks.values()))
        print_results(results, as_json=json, command="edit", findings=aside)
        return
    steps = edit_files(mask, op or [], out, labels=label or (), table=labels, options=read, force=force)
    _print_steps(steps, out, as_json=json)


def _print_steps(steps: Sequence[Step], out: Path, *, as_json: bool) -> None:
    if not steps:
        say(f"the mask is empty, so nothing was done; wrote {out}")
        return
    result = steps[-1].segmentation
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "operation": step.edit.operation,
                "parameters": dict(step.edit.parameters),
                "label": step.label,
                "voxels_before": step.before,
                "voxels_after": step.after,
                "volume_change_ml": step.edit.volume_change_ml,
                "left_to_other_labels": step.left_to_others,
                "new_labels": list(step.new_labels),
            }
            for step in steps
        ]
        emit("edit", {"mask": str(out), "digest": result.digest, "edits": rows}, result.findings)
        return
    print_findings(result.findings)
    print_table(
        ("operation", "label", "voxels", "after", "change (ml)", "left to other labels", "new labels"),
        [
            (
                step.edit.operation,
                step.label,
                step.before,
                step.after,
                None if step.edit.volume_change_ml is None else f"{step.edit.volume_change_ml:+.4g}",
                step.left_to_others,
                ", ".join(step.new_labels),
            )
            for step in steps
        ],
        title=str(out),
    )


def _print_operations(*, as_json: bool) -> None:
    operations = describe_operations()
    if as_json:
        emit("edit", {"operations": operations})
        return
    rows: list[tuple[Any, ...]] = []
    for item in operations:
        rows.append((item["name"], "", "", "", "", item["summary"]))
        for field, part in item["parameters"].items():
            rows.append(
                (
                    "",
                    field,
                    "required" if part["required"] else part["default"],
                    part["unit"],
                    part["range"],
                    part["meaning"],
                )
            )
    print_table(("operation", "parameter", "default", "unit", "range", "meaning"), rows)
