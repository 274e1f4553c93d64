"""`medseg train`: a configuration and a dataset to a model."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, say
from medseg.cli.progress import running
from medseg.errors import InputError
from medseg.workflows.train import findings_of, train
from medseg.workflows.training_page import PAGE_FILE


def command(
    config: Annotated[
        str,
        typer.Argument(
            help="A shipped configuration (hippocampus_3d, sarcoma_3d, glioma_2d, touching_objects) or a YAML file."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes, such as data.root=FOLDER.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run; an unfinished one with the same plan goes on.")
    ] = ...,  # type: ignore[assignment]
    fold: Annotated[
        str, typer.Option(metavar="N|all", help="Only this fold, or all of them, one after another.")
    ] = "all",
    restart: Annotated[bool, typer.Option("--restart", help="Throw away a run with another plan.")] = False,
    device: opt.Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default all.")] = None,
    json: opt.Json = False,
) -> None:
    """Preprocess, train, validate, and write a bundle that 'medseg segment' runs.

    Example: medseg train hippocampus_3d data.root=Task04_Hippocampus --out runs/hippocampus
    """
    with running(device, threads=threads, quiet=json) as run:
        bundle = train(config, overrides or [], out=out, fold=_fold_of(fold), restart=restart, run=run)
    if json:
        emit("train", {"bundle": str(bundle)}, findings_of(out))
        return
    print_findings(findings_of(out))
    if (out / PAGE_FILE).is_file():
        say(f"how it went: {out / PAGE_FILE}")
    say(f"the model is in {bundle}; segment with: medseg segment {bundle} IMAGE --out mask.nii.gz")


def _fold_of(word: str) -> int | None:
    if word == "all":
        return None
    if not word.isdecimal():
        raise InputError(f"--fold is a number from 0 on, or all, not {word!r}")
    return int(word)
