"""`medseg models`: the networks at hand."""

from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.info import print_card
from medseg.cli.methods import print_segmenters
from medseg.workflows.info import model_info


def command(
    name: Annotated[str | None, typer.Argument(help="One model, with its card.")] = None,
    json: opt.Json = False,
) -> None:
    """List the models, or show one model's card: what it is for, how good it is, where it fails."""
    if name is None or json:
        print_segmenters(name, models=True, as_json=json)
        return

    print_card(model_info(name))
