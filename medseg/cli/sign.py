"""`medseg sign`: a person vouches for a record."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, say
from medseg.workflows.verify import sign_files, signature_words


def command(
    record: Annotated[Path, typer.Argument(help="The JSON that 'medseg measure' wrote.")],
    files: opt.Inputs = None,
    name: Annotated[str, typer.Option(help="Who reviewed it.")] = ...,  # type: ignore[assignment]
    organization: Annotated[str, typer.Option(help="For which organization.")] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path | None, typer.Option(help="Write the signed record here; default: back into the file.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Sign with the private Ed25519 key in this file (PEM), which is made if it is not there; "
            "FILE.pub is for those who verify. Default: by a digest, which proves nothing about who signed."
        ),
    ] = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Sign a record as reviewed: name, organization, time, and digests of all that it says and names.

    Everything is checked first, as by 'medseg verify', and the numbers are computed again; nothing is signed
    unseen. Any later change of mask, record, name or time makes it "not reviewed" again. Without --key whoever can
    change the file can sign it anew. A signed record is a research result all the same.

    Example: medseg sign record.json --name "A. Reader" --organization "Study centre"
    """
    found = sign_files(
        record, name=name, organization=organization, out=out, key=key, among=files or (), force=force
    )
    review = found.review
    if json:
        said = {"digest": review.digest, "signed_at": review.signed_at, "key": review.key}
        emit("sign", {"record": str(out or record), **said})
        return
    how = signature_words(review)
    say(f"signed by {review.reviewer}, {review.organization}, {review.signed_at} ({how}): {out or record}")
