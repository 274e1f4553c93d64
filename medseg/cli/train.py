"""`medseg train`: a configuration and a dataset to a model."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, say
from medseg.cli.progress import running
from medseg.errors import InputError
from medseg.workflows.train import StartWish, findings_of, follow, follows, train
from medseg.workflows.training_page import PAGE_FILE


def command(
    config: Annotated[
        str | None,
        typer.Argument(
            help="A shipped configuration (hippocampus_3d, sarcoma_3d, glioma_2d, touching_objects, promptable) or a "
            "YAML file; with --from it may be left out."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes, such as data.root=FOLDER.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run; an unfinished one with the same plan goes on.")
    ] = ...,  # type: ignore[assignment]
    fold: Annotated[
        str, typer.Option(metavar="N|all", help="Only this fold, or all of them, one after another.")
    ] = "all",
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Begin with the weights of this model, a name or a bundle's folder; on subjects held out both are "
            "compared.",
        ),
    ] = None,
    freeze_encoder: Annotated[
        bool, typer.Option("--freeze-encoder", help="With --from: only what leads back to the labels learns.")
    ] = False,
    hold_out: Annotated[
        int | None, typer.Option(min=0, help="With --from: how many subjects are held out; a quarter.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away a run with another plan.")] = False,
    device: opt.Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; default all.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that learn together, one per GPU; they share every batch.")
    ] = 1,
    json: opt.Json = False,
) -> None:
    """Preprocess, train, validate, and write a bundle that 'medseg segment' runs.

    Examples: medseg train hippocampus_3d data.root=Task04_Hippocampus --out runs/hippocampus · medseg train --from
    hippocampus data.root=my_cases --out runs/tuned
    """
    if follows():
        follow()
        return
    wish = _wish(start, freeze_encoder, hold_out)
    changes = overrides or []
    if wish is not None and config is not None and "=" in config:
        changes = [config, *changes]
        config = None
    number = _fold_of(fold)
    with running(device, threads=threads, quiet=json) as run:
        bundle = train(
            config,
            changes,
            out=out,
            fold=number,
            restart=restart,
            run=run,
            start=wish,
            processes=processes,
        )
    if json:
        emit("train", {"bundle": str(bundle)}, findings_of(out))
        return
    print_findings(findings_of(out))
    if (out / PAGE_FILE).is_file():
        say(f"how it went: {out / PAGE_FILE}")
    say(f"the model is in {bundle}; segment with: medseg segment {bundle} IMAGE --out mask.nii.gz")


def _wish(start: str | None, freeze_encoder: bool, hold_out: int | None) -> StartWish | None:
    if start is not None:
        return StartWish(start, freeze_encoder, hold_out)
    if freeze_encoder or hold_out is not None:
        raise InputError("--freeze-encoder and --hold-out belong to --from MODEL")
    return None


def _fold_of(word: str) -> int | None:
    if word == "all":
        return None
    if not word.isdecimal():
        raise InputError(f"--fold is a number from 0 on, or all, not {word!r}")
    return int(word)
