"""`medseg plan`: a dataset to a training configuration with reasons."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from medseg.cli import measure_options as ask
from medseg.cli import options as opt
from medseg.cli.output import emit, say
from medseg.cli.progress import running
from medseg.errors import InputError
from medseg.workflows.plan import Planned, plan_files


def command(
    dataset: Annotated[
        list[Path],
        typer.Argument(
            help="A dataset's folder, or a case list (CSV); several are sets that label different things and train one "
            "network."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The configuration to write (YAML).")] = ...,  # type: ignore[assignment]
    budget: Annotated[
        str, typer.Option(help="What may be used: laptop (no GPU), 8GB, 24GB or 80GB of a GPU.")
    ] = "laptop",
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that the paths of a case list are relative to; by default its own."),
    ] = None,
    subjects: Annotated[
        str | None,
        typer.Option(
            metavar="shared|own",
            help="Of several sets: whether subjects of the same name are the same people, who share a fold, or not.",
        ),
    ] = None,
    values: ask.Values = None,
    trial: Annotated[
        bool, typer.Option("--trial/--no-trial", help="Measure memory by one batch and time by ten steps.")
    ] = True,
    device: opt.Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default all.")] = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Measure a dataset and write a training configuration, each line with its reason.

    Examples: medseg plan Task04_Hippocampus --out hippocampus.yaml · medseg plan livers spleens --out both.yaml
    """
    with running(device, threads=threads, quiet=json) as run:
        planned = plan_files(
            dataset,
            out,
            root=root,
            budget=budget,
            subjects=_subjects(subjects),
            values=ask.value_kinds(values),
            trial=trial,
            force=force,
            run=run,
        )
    if json:
        emit("plan", _plain(planned, out))
        return
    say(f"{out}: {_summary(planned)}")
    say(f"read it, then: medseg train {out} --out RUN")


def _subjects(word: str | None) -> Literal["shared", "own"] | None:
    if word in ("shared", "own"):
        return "shared" if word == "shared" else "own"
    if word is not None:
        raise InputError(f"--subjects is shared or own, not {word!r}")
    return None


def _summary(planned: Planned) -> str:
    config, found = planned.plan.config, planned.probe
    spacing = (
        "pixels" if config.grid.spacing is None else f"{' × '.join(f'{s:g}' for s in config.grid.spacing)} mm"
    )
    patch = " × ".join(str(size) for size in config.patch)
    words = (
        f"{config.network.dimensions}D, {spacing}, patches of {patch}, batch {config.loop.batch}, "
        f"{config.loop.steps} steps a fold"
    )
    if found is None or found.measured_bytes is None:
        return words
    return f"{words}; {found.measured_bytes / 1e9:.2f} GB measured, {found.seconds_per_step:.2g} s a step"


def _plain(planned: Planned, out: Path) -> dict[str, object]:
    found = planned.probe
    return {
        "config": str(out),
        "why": planned.plan.why,
        "remarks": list(planned.plan.remarks),
        "predicted_bytes": found.predicted_bytes if found else None,
        "measured_bytes": found.measured_bytes if found else None,
        "seconds_per_step": found.seconds_per_step if found else None,
    }
