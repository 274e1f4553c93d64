"""`medseg verify`: whether a record and its inputs are what they were."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_table
from medseg.errors import InputError
from medseg.workflows.verify import verify_files


def command(
    record: Annotated[Path, typer.Argument(help="The JSON that 'medseg measure' wrote.")],
    files: opt.Inputs = None,
    key: Annotated[
        Path | None, typer.Option(help="It must be signed with this Ed25519 key (PEM, such as FILE.pub).")
    ] = None,
    json: opt.Json = False,
) -> None:
    """Recompute every digest and number of a record: signature, mask, images, measurements, pictures.

    Numbers are computed again where mask and images are at hand. The first line says which kind of signature it
    is: by a digest, which shows changes and proves nothing about who signed, or with a key.

    Ends with exit code 2 and the first difference in words when something no longer matches.

    Example: medseg verify record.json
    """
    checks = verify_files(record, key=key, among=files or ())
    first = next((check for check in checks if not check.holds), None)
    if json:
        items = [{"what": item.what, "holds": item.holds, "difference": item.difference} for item in checks]
        emit("verify", {"holds": first is None, "checks": items})
        if first is not None:
            raise typer.Exit(InputError.exit_code)
        return
    rows = [
        (item.what, "holds" if item.holds else "missing" if item.missing else "differs") for item in checks
    ]
    print_table(("what", "state"), rows)
    if first is not None:
        raise InputError(f"{first.what}: {first.difference}")
