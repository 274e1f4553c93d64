"""What a signature covers, and whether it still holds."""

import hashlib
import json
from dataclasses import replace

from medseg.domain import Finding, Record
from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.reporting.record.keys import public_of, sign_bytes

__all__ = ["OUTDATED", "sealed_bytes", "sealed_whole", "signed", "unsigned"]

#: Code of the Finding on a Record that was changed after it was signed.
OUTDATED = "review.outdated"
#: Minor version of the schema since which a signature covers who signed, for whom and when.
_SEALED_SINCE = 3


def signed(
    record: Record, digest: str, *, name: str, organization: str, signed_at: str, key: bytes | None = None
) -> Record:
    """The Record as reviewed by a person of an organization at a time (ISO 8601 with offset).

    `digest` is the content's, from `content_digest`; `key` is a private Ed25519 key (PEM), without which the review
    is covered by a digest alone: that shows a change by accident, and proves nothing about who made it.

    Raises
    ------
    InputError
        If the person or the organization is not named, the content is signed already, or the key is none.
    """
    if not name.strip() or not organization.strip():
        raise InputError("a signature needs the name of a person and of an organization")
    if record.review.state == "reviewed":
        raise InputError(
            f"this record is signed already, by {record.review.reviewer} on {record.review.signed_at}"
        )
    public = None if key is None else public_of(key)
    review = Review(
        "reviewed", name.strip(), organization.strip(), signed_at, digest, record.review.amends, key=public
    )
    content = sealed_bytes(review)
    signature = None if key is None else sign_bytes(key, content)
    seal = hashlib.sha256(content).hexdigest()
    return replace(record, review=replace(review, seal=seal, signature=signature))


def sealed_bytes(review: Review) -> bytes:
    """What seal and signature cover: the content by its digest, who signed it, for whom, when, with which key."""
    names = ("digest", "reviewer", "organization", "signed_at", "amends", "key")
    plain = {name: getattr(review, name) for name in names}
    return b"medseg.review/1\n" + json.dumps(plain, sort_keys=True).encode()


def sealed_whole(review: Review, minor: int) -> bool:
    """Whether who signed, for whom and when are as they were signed; what is older than that was not covered."""
    if minor < _SEALED_SINCE and review.seal is None:
        return review.key is None and review.signature is None
    return review.seal == hashlib.sha256(sealed_bytes(review)).hexdigest()


def unsigned(record: Record, why: str) -> Record:
    """A signed Record as not reviewed, with a Finding that says why; one that was not signed stays as it is."""
    review = record.review
    if review.state != "reviewed":
        return record
    text = f"{why} after {review.reviewer} signed on {review.signed_at}: it is not reviewed any more."
    finding = Finding(OUTDATED, "warning", text)
    return replace(record, review=Review(amends=review.digest), findings=(*record.findings, finding))
