"""`medseg sign`: a person vouches for a record."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, say
from medseg.workflows.verify import sign_files


def command(
    record: Annotated[Path, typer.Argument(help="The JSON that 'medseg measure' wrote.")],
    name: Annotated[str, typer.Option(help="Who reviewed it.")] = ...,  # type: ignore[assignment]
    organization: Annotated[str, typer.Option(help="For which organization.")] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path | None, typer.Option(help="Write the signed record here; default: back into the file.")
    ] = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Sign a record as reviewed: name, organization, time, and digests of all that it says and names.

    Everything is checked first, as by 'medseg verify'; nothing is signed unseen. Any later change of the
    mask or the record makes it "not reviewed" again. A signed record is a research result all the same.

    Example: medseg sign record.json --name "A. Reader" --organization "Study centre"
    """
    found = sign_files(record, name=name, organization=organization, out=out, force=force)
    review = found.review
    if json:
        emit("sign", {"record": str(out or record), "digest": review.digest, "signed_at": review.signed_at})
        return
    say(f"signed by {review.reviewer}, {review.organization}, {review.signed_at}: {out or record}")
