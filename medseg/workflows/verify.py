"""Verify and sign: whether a Record and what it names are what they were, and who vouches for it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from medseg.domain import Record
from medseg.errors import InputError, MedsegError
from medseg.io.atomic import require_absent, write_bytes
from medseg.reporting import record_to_json
from medseg.reporting.record.json import content_digest
from medseg.reporting.record.signature import OUTDATED, signed
from medseg.workflows.record import add_file_names, read_record
from medseg.workflows.reopen import ChangedInput, reopen_image, reopen_mask

__all__ = ["Check", "sign_files", "verify_files"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was recomputed: what, and the first difference in words (empty when it holds)."""

    what: str
    difference: str = ""
    missing: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is what it was."""
        return not self.difference


def verify_files(path: Path) -> tuple[Check, ...]:
    """Recompute every digest of a Record: its signed content, mask, images, pictures.

    An input that is no longer where the Record says counts as missing, which is a difference too.

    Raises
    ------
    InputError
        If the file is no Record.
    """
    record = read_record(path)
    return tuple(_checks(record, path.parent))


def sign_files(
    path: Path, *, name: str, organization: str, out: Path | None = None, force: bool = False
) -> Record:
    """Sign a Record after checking all that it names; writes it back, or to `out`.

    Raises
    ------
    InputError
        If something does not match or is missing (nothing is signed unseen), or it is signed already.
    """
    if out is not None:
        require_absent(out, force=force)
    record = read_record(path)
    record = replace(record, findings=tuple(item for item in record.findings if item.code != OUTDATED))
    broken = next((check for check in _checks(record, path.parent) if not check.holds), None)
    if broken is not None:
        raise InputError(f"not signed: {broken.what}: {broken.difference}")
    moment = datetime.now().astimezone().isoformat(timespec="seconds")
    record = signed(record, content_digest(record), name=name, organization=organization, signed_at=moment)
    target = out or path
    if out is not None:
        anchored = tuple(
            replace(item, path=str(path.parent / item.path) if item.path else "") for item in record.inputs
        )
        record = add_file_names(replace(record, inputs=anchored), out.parent)
    write_bytes(target, record_to_json(record), force=force or out is None)
    return record


def _checks(record: Record, folder: Path) -> Iterator[Check]:
    yield _signature(record)
    for item in record.inputs:
        path = folder / item.path
        what = f"image {item.channel}" if item.role == "image" else "mask"
        try:
            if item.role == "mask":
                reopen_mask(record, path)
            else:
                reopen_image(record, item, path)
            yield Check(f"{what} {item.path}")
        except MedsegError as error:
            yield Check(
                f"{what} {item.path}".strip(), str(error), missing=not isinstance(error, ChangedInput)
            )
    for panel in record.panels:
        yield _file(folder / panel.path, panel.digest, f"picture {panel.path}")


def _signature(record: Record) -> Check:
    changed = next((item.message for item in record.findings if item.code == OUTDATED), "")
    review = record.review
    if review.state == "reviewed":
        return Check(f"signature of {review.reviewer}, {review.organization}, {review.signed_at}")
    return Check("signature" if changed else "record (not reviewed)", changed)


def _file(path: Path, digest: str, what: str) -> Check:
    if not path.is_file():
        return Check(what, "it is not there", missing=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return Check(
        what, "" if found == digest else f"its bytes differ (digest {found[:8]} against {digest[:8]})"
    )
