"""Verify and sign: whether a Record and what it names are what they were, and who vouches for it."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medseg.domain import Record
from medseg.domain.record import Review
from medseg.errors import InputError, MedsegError
from medseg.io.atomic import require_absent, require_apart, staged_file, write_bytes
from medseg.io.plain import read_plain
from medseg.io.unfinished import may_replace, together
from medseg.reporting import record_to_json
from medseg.reporting.record.json import content_digest
from medseg.reporting.record.keys import fingerprint, is_signed_by, new_key, public_of, public_pem
from medseg.reporting.record.signature import OUTDATED, sealed_bytes, signed
from medseg.settings import local_now
from medseg.workflows.lookup import find_inputs
from medseg.workflows.recompute import first_difference
from medseg.workflows.record import add_file_names, read_record
from medseg.workflows.reopen import ChangedInput, reopen_image, reopen_mask

__all__ = ["Check", "sign_files", "signature_words", "verify_files"]

_MOST_KEY_BYTES = 1 << 16


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


def verify_files(path: Path, *, key: Path | None = None, among: Sequence[Path] = ()) -> tuple[Check, ...]:
    """Recompute all that a Record says: its signed content, the digests of mask, images, pictures, its numbers.

    An input that is no longer where the Record says counts as missing, which is a difference too; the numbers are
    computed again where mask and images are all at hand.

    Parameters
    ----------
    path
        The Record's JSON.
    key
        A public (or private) Ed25519 key as PEM: the Record must be signed with it.
    among
        Files that hold the inputs, where they are not where the Record says: see `find_inputs`.

    Raises
    ------
    InputError
        If the file is no Record, or the key none.
    MissingExtra
        If it is signed with a key, and the library that checks keys is not installed.
    """
    record = find_inputs(read_record(path), path.parent, among)
    return tuple(_checks(record, path.parent, None if key is None else _read_key(key)))


def sign_files(
    path: Path,
    *,
    name: str,
    organization: str,
    out: Path | None = None,
    key: Path | None = None,
    among: Sequence[Path] = (),
    force: bool = False,
) -> Record:
    """Sign a Record after checking all that it names and computing its numbers again; writes it back, or to `out`.

    Parameters
    ----------
    path, name, organization, out
        The Record, who signs it, for whom; where the signed one goes.
    key
        File of a private Ed25519 key (PEM): the signature is made with it. Where there is no such file, a key is
        made, readable by its owner only, and beside it `<file>.pub` for those who verify. None: a digest alone.
    among
        Files that hold the inputs, where they are not where the Record says; what it says stays as it is.
    force
        Whether `out` may be replaced.

    Raises
    ------
    InputError
        If something does not match or is missing (nothing is signed unseen), or it is signed already.
    """
    target = out or path
    # Signed in place, the last step is a single one: the Record is signed or not.
    with together(*(() if out is None else (out, *_pair(key)))):
        if out is not None:
            require_absent(out, force=force)
        record = _signed(path, name=name, organization=organization, key=key, among=among)
        if out is not None:
            require_apart([out], (path.parent / item.path for item in record.inputs if item.path))
            require_apart([out], among)
            anchored = tuple(
                replace(item, path=str(path.parent / item.path) if item.path else "")
                for item in record.inputs
            )
            record = add_file_names(replace(record, inputs=anchored), out.parent)
        write_bytes(target, record_to_json(record), force=force or out is None)
        return record


def _signed(path: Path, *, name: str, organization: str, key: Path | None, among: Sequence[Path]) -> Record:
    """The Record of a file under a signature, once all that it names was checked."""
    record = read_record(path)
    record = replace(record, findings=tuple(item for item in record.findings if item.code != OUTDATED))
    found = find_inputs(record, path.parent, among)
    broken = next((check for check in _checks(found, path.parent, None) if not check.holds), None)
    if broken is not None:
        raise InputError(f"not signed: {broken.what}: {broken.difference}")
    moment = local_now().isoformat(timespec="seconds")
    pem = None if key is None else _own_key(key)
    return signed(
        record, content_digest(record), name=name, organization=organization, signed_at=moment, key=pem
    )


def signature_words(review: Review) -> str:
    """Which kind of signature it is."""
    if review.key is not None:
        return f"signed with key {fingerprint(review.key)}"
    if review.seal is not None:
        return "checked by digest; no proof of who signed"
    return "checked by digest of the content alone; who signed and when was not covered before version 1.3"


def _checks(record: Record, folder: Path, key: bytes | None) -> Iterator[Check]:
    yield _signature(record, key)
    opened: dict[str, Any] = {}
    for item in record.inputs:
        path = folder / item.path
        what = f"image {item.channel}" if item.role == "image" else "mask"
        try:
            if item.role == "mask":
                opened["mask"] = reopen_mask(record, path)
            else:
                opened[f"image {item.channel}"] = reopen_image(record, item, path)
            yield Check(f"{what} {item.path}")
        except MedsegError as error:
            yield Check(
                f"{what} {item.path}".strip(), str(error), missing=not isinstance(error, ChangedInput)
            )
    if len(opened) == len(record.inputs):
        images = {item.channel: opened[f"image {item.channel}"] for item in record.images}
        yield Check("numbers", first_difference(record, opened["mask"], images))
    for panel in record.panels:
        yield _file(folder / panel.path, panel.digest, f"picture {panel.path}")


def _signature(record: Record, key: bytes | None) -> Check:
    changed = next((item.message for item in record.findings if item.code == OUTDATED), "")
    review = record.review
    if review.state != "reviewed":
        fault = changed or ("" if key is None else "it is not signed")
        return Check("signature" if fault else "record (not reviewed)", fault)
    what = f"signature of {review.reviewer}, {review.organization}, {review.signed_at}"
    return Check(f"{what} ({signature_words(review)})", _key_fault(review, key))


def _key_fault(review: Review, key: bytes | None) -> str:
    if review.key is not None and not is_signed_by(review.key, review.signature or "", sealed_bytes(review)):
        return "the key that it names did not sign this"
    if key is None or review.key == public_of(key):
        return ""
    other = "without a key" if review.key is None else f"with another key ({fingerprint(review.key)})"
    return f"it is signed {other}, not with {fingerprint(public_of(key))}"


def _own_key(path: Path) -> bytes:
    """The private key of a file, which is made if it is not there: its owner alone may read it."""
    with together(*_pair(path)):
        if path.exists() and not may_replace(path):
            return _read_key(path)
        made = new_key()
        write_bytes(_public(path), public_pem(made))
        with staged_file(path) as staged:
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(made)
    return made


def _read_key(path: Path) -> bytes:
    pem = read_plain(path, most=_MOST_KEY_BYTES)
    try:
        public_of(pem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return pem


def _pair(key: Path | None) -> tuple[Path, ...]:
    return () if key is None else (key, _public(key))


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def _file(path: Path, digest: str, what: str) -> Check:
    if not path.is_file():
        return Check(what, "it is not there", missing=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    return Check(
        what, "" if found == digest else f"its bytes differ (digest {found[:8]} against {digest[:8]})"
    )
