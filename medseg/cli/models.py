"""`medseg models`: the networks at hand, and those of other programs brought in."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from medseg.cli import options as opt
from medseg.cli.info import print_card
from medseg.cli.methods import print_segmenters
from medseg.cli.output import emit, print_table, show
from medseg.cli.progress import running
from medseg.errors import InputError
from medseg.models.foreign import Wanted
from medseg.workflows.info import model_info
from medseg.workflows.models import VERBS, add_model, card_to_fill, check_model, remove_model
from medseg.workflows.segment import SegmentOptions


class NamesToo(TyperGroup):
    """`models NAME` is `models show NAME`, and `models` alone lists them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `show` before a name."""
        first = next((word for word in args if not word.startswith("-")), None)
        asks_for_help = first is None and bool({"-h", "--help"} & set(args))
        if first not in VERBS and not asks_for_help:
            args = ["show", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


def command(
    name: Annotated[str | None, typer.Argument(help="One model, with its card.")] = None,
    json: opt.Json = False,
) -> None:
    """List the models, or show one model's card: what it is for, how good it is, where it fails."""
    if name is None or json:
        print_segmenters(name, models=True, as_json=json)
        return

    print_card(model_info(name))


def _add(
    source: Annotated[Path, typer.Argument(help="A folder, zip or file of another program's model.")],
    name: Annotated[str | None, typer.Option(help="What it is called here.")] = None,
    folds: Annotated[
        str | None, typer.Option(metavar="0,1,…", help="Which trained folds; all that are there.")
    ] = None,
    checkpoint: Annotated[
        Literal["final", "best"], typer.Option(help="Which weights of a training.")
    ] = "final",
    sums: Annotated[
        Literal["float32", "float16"],
        typer.Option(
            help="Precision of sums over windows; nnU-Net's own is float16, in which ties fall as its do."
        ),
    ] = "float32",
    card: Annotated[
        Path | None, typer.Option(help="A card that you have filled, for a network that says too little.")
    ] = None,
    merging: Annotated[
        Literal["stated", "repeated"],
        typer.Option(
            help="Of a SwinUNETR of MONAI: repeated joins tokens as MONAI did until 1.4, for weights trained then."
        ),
    ] = "stated",
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Bring in a model of another program, once: read, checked, and kept as a bundle of medseg's.

    Takes results folders of nnU-Net v2, several of them as parts of one table, segmentation bundles of MONAI, and ONNX
    networks, for which it prints a card to fill. Prints what was understood, field by field; what is not understood is
    refused by name, and nothing is written. Nothing in the source is run.

    Example: medseg models add nnUNet_results/Dataset501_Liver/nnUNetTrainer__nnUNetPlans__3d_fullres --name liver
    """
    wanted = None if folds is None else tuple(part.strip() for part in folds.split(","))
    to_fill = card_to_fill(source) if card is None else None
    if to_fill is not None:
        show(to_fill)
        return
    added = add_model(source, Wanted(name, wanted, checkpoint, sums, card, merging), force=force)
    if json:
        emit(
            "models add",
            {"name": added.card.name, "folder": str(added.folder), "understood": dict(added.told)},
        )
        return
    print_table(("field", "understood"), added.told)
    show(f"added as {added.card.name}: {added.folder}")


def _remove(name: Annotated[str, typer.Argument(help="A model of yours.")], json: opt.Json = False) -> None:
    """Remove a model of yours; what comes with medseg stays."""
    folder = remove_model(name)
    if json:
        emit("models remove", {"name": name, "folder": str(folder)})
        return
    show(f"removed {folder}")


def _check(
    name: Annotated[str, typer.Argument(help="A model.")],
    image: Annotated[Path | None, typer.Argument(help="An image that it segments.")] = None,
    expect: Annotated[Path, typer.Option(help="The mask that its own program makes of it.")] = ...,  # type: ignore[assignment]
    channel: opt.Channels = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="FIELD=VALUE", help="A parameter; lists as JSON."),
    ] = None,
    device: opt.Device = "auto",
    json: opt.Json = False,
) -> None:
    """Segment an image, and say how far labels agree with a mask that is expected, voxel by voxel.

    Agreement is the share of the voxels with a label in either mask that have it in both.
    """
    channels = opt.channel_paths(channel)
    if (image is None) == (not channels):
        raise InputError("give either an IMAGE or --channel NAME=FILE for each channel")
    options = SegmentOptions(parameters=tuple(opt.pairs(param, "-p").items()))
    with running(device, quiet=json) as run:
        rows = check_model(name, channels or {"image": Path(image or "")}, expect, options=options, run=run)
    if json:
        emit("models check", [asdict(row) for row in rows])
        return
    print_table(
        ("label", "name", "expected", "found", "same", "agreement", "dice"),
        [
            (row.value, row.label, row.expected, row.found, row.same, _share(row.agreement), _share(row.dice))
            for row in rows
        ],
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


app = typer.Typer(cls=NamesToo, help=command.__doc__, no_args_is_help=False)
app.command(name="show")(command)
app.command(name="add")(_add)
app.command(name="remove")(_remove)
app.command(name="check")(_check)
