"""`medseg segment`: images to a mask."""

from dataclasses import asdict, replace
from json import dumps
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from medseg.cli import how
from medseg.cli import measure_options as ask
from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table
from medseg.cli.progress import running
from medseg.domain import Case, Finding, ReadOptions, Run, Segmentation
from medseg.errors import InputError, PartialFailure
from medseg.workflows.aside import files_of_cases, left_aside
from medseg.workflows.cases import cases_of_files, find_cases, segment_cases
from medseg.workflows.explain import explain_backend
from medseg.workflows.segment import SegmentOptions, segment_files
from medseg.workflows.volumes import ALL, case_of_path, each_volume


@opt.reading(without=opt.OF_MASKS)
def command(
    name: Annotated[
        str,
        typer.Argument(
            help="Method or model: a name from 'medseg methods' or 'medseg models', or a bundle's folder."
        ),
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A file, a DICOM folder or its files, a dataset, a CSV of cases, or a folder of images."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The mask to write; a folder for many cases.")] = ...,  # type: ignore[assignment]
    channel: opt.Channels = None,
    channels_by: opt.ChannelsBy = "name",
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="FIELD=VALUE", help="A parameter; lists as JSON."),
    ] = None,
    within: Annotated[Path | None, typer.Option(help="A mask; outside it all is background.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="Seeds as JSON.")] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write class probabilities beside the mask.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL,…",
            help="Of a model made of parts: which labels; only the parts that find them run.",
        ),
    ] = None,
    objects: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Also write the objects, each a label with its number; a folder for many cases.",
        ),
    ] = None,
    values: ask.Values = None,
    device: opt.Device = "auto",
    backend: how.Backend = "auto",
    memory: how.Memory = None,
    threads: how.Threads = None,
    deterministic: how.Deterministic = False,
    profile: how.Profile = False,
    speed: Annotated[
        str | None, typer.Option(help="Of a model: exact (the default), balanced or fast; see the reference.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Time the backends on one window, say which one runs and why, and keep it."
        ),
    ] = False,
    same_space: opt.SameSpace = False,
    read: ReadOptions = ReadOptions(),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Segment an image, a DICOM folder, or many cases, by a method or a model.

    The mask lies on the grid of the image, voxel for voxel; a .seg.json beside it says how it was made.

    Examples: medseg segment otsu scan.nii.gz --out mask.nii.gz · medseg segment sarcoma --channel mr=mr.nii.gz
    --channel pet=pet.nii.gz --same-space --out tumour.nii.gz · medseg segment split-objects pet.nii.gz
    --out mask.nii.gz --objects objects.nii.gz
    """
    parameters = tuple(opt.pairs(param, "-p").items())
    if only is not None:
        parameters += (("only", dumps([word.strip() for word in only.split(",")])),)
    settings = SegmentOptions(
        parameters=(*parameters, *([("speed", speed)] if speed else [])),
        within=within,
        prompts=prompts,
        probabilities=probabilities,
        objects=objects,
        same_space=same_space,
        channels_by=opt.channels_by(channels_by),
        values=ask.value_kinds(values),
        read=read,
        force=force,
    )
    channels = opt.channel_paths(channel)
    paths = inputs or []
    if bool(paths) == bool(channels):
        raise InputError("give either an INPUT or --channel NAME=FILE for each channel")
    cases = find_cases(paths[0]) if len(paths) == 1 else cases_of_files(paths)
    if read.volume == ALL:
        cases, settings = _all_volumes(cases, paths, settings)
    figures = how.Figures()
    asked = how.how_to_run(backend, memory, threads, figures, deterministic=deterministic)
    if explain:
        with running(device, quiet=json, **asked) as run:
            print_choice(name, run, as_json=json)
        return
    with running(device, quiet=json, **asked) as run:
        if cases is not None:
            results = segment_cases(name, cases, out, options=settings, run=run)
        else:
            result = segment_files(
                name,
                channels or {"image": paths[0] if len(paths) == 1 else tuple(paths)},
                out,
                options=settings,
                run=run,
            )
    if not json:
        figures.tell(profile=profile)
    if cases is not None:
        aside = left_aside(paths[0], files_of_cases(cases)) if len(paths) == 1 else ()
        print_results(results, as_json=json, command="segment", findings=aside)
        return
    _print_one(result, out, as_json=json)


def _all_volumes(
    cases: tuple[Case, ...] | None, paths: list[Path], settings: SegmentOptions
) -> tuple[tuple[Case, ...], SegmentOptions]:
    if len(paths) != 1 and cases is None:
        raise InputError(
            f"--volume {ALL} takes one file, or one folder; not --channel, and no list of slices"
        )
    found = each_volume(cases or (case_of_path(paths[0]),), settings.read)
    return found, replace(settings, read=replace(settings.read, volume=None))


def print_choice(name: str, run: Run, *, as_json: bool) -> None:
    """Which backend runs a model on this machine, and what one window took on each."""
    choice = explain_backend(name, run)
    if as_json:
        emit("segment", asdict(choice))
        return
    print_table(("backend", "seconds per window"), [(one, f"{value:.3f}") for one, value in choice.seconds])
    print(f"{choice.backend}: {choice.reason}")


def print_results(
    results: tuple[object, ...], *, as_json: bool, command: str, findings: tuple[Finding, ...] = ()
) -> None:
    """The table of many cases, and what is to be said of all; raises PartialFailure when some failed."""
    rows = [_plain(item) for item in results]
    failed = [row for row in rows if row["state"] == "failed"]
    if as_json:
        emit(command, {"cases": rows, "failed": len(failed)}, findings)
    else:
        print_findings(findings)
        print_table(
            ("case", "state", "seconds", "output", "reason"),
            [(row["case"], row["state"], row["seconds"], row["output"], row["reason"]) for row in rows],
        )
        _print_order(rows)
    if failed and not as_json:
        raise PartialFailure(f"{len(failed)} of {len(rows)} cases failed; the others are done")
    if failed:
        raise typer.Exit(PartialFailure.exit_code)


def _plain(result: object) -> dict[str, Any]:
    """A line of the table; what the model expects of a mask only where it expects anything."""
    row: dict[str, Any] = asdict(result)  # type: ignore[call-overload]
    return {name: value for name, value in row.items() if name != "expected_dice" or value is not None}


def _print_order(rows: list[dict[str, Any]]) -> None:
    """Cases of a model in the order in which to look at them: those that it doubts most first."""
    known = sorted((row for row in rows if "expected_dice" in row), key=itemgetter("expected_dice"))
    if len(known) > 1:
        print_table(
            ("to review, the most doubtful first", "expected Dice"),
            [(row["case"], f"{row['expected_dice']:.3f}") for row in known],
        )


def _print_one(result: Segmentation, out: Path, *, as_json: bool) -> None:
    labels = _label_rows(result)
    if as_json:
        emit("segment", {"mask": str(out), "digest": result.digest, "labels": labels}, result.findings)
        return
    print_findings(result.findings)
    in_ml = result.grid.unit == "mm" and result.grid.shape[2] > 1
    columns = ["label", "name", "voxels", "ml"] + ["objects"] * (result.instances is not None)
    rows = []
    for row in labels:
        volume = f"{row['voxels'] * result.grid.voxel_volume / 1000:.4g}" if in_ml else None
        rows.append((row["value"], row["name"], row["voxels"], volume, row.get("objects"))[: len(columns)])
    print_table(columns, rows, title=str(out))


def _label_rows(result: Segmentation) -> list[dict[str, Any]]:
    """Value, name and voxels of each label, and how many objects where they have numbers."""
    counts = np.bincount(result.labels.ravel(order="K"), minlength=max(result.table.values, default=0) + 1)
    rows: list[dict[str, Any]] = [
        {"value": label.value, "name": label.name, "voxels": int(counts[label.value])}
        for label in result.table.labels
    ]
    if result.instances is not None:
        for row in rows:
            ids = np.unique(result.instances[result.mask(row["value"])])
            row["objects"] = int((ids > 0).sum())
    return rows
