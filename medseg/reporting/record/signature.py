"""What a signature covers, and whether it still holds."""

from dataclasses import replace

from medseg.domain import Finding, Record
from medseg.domain.record import Review
from medseg.errors import InputError

__all__ = ["OUTDATED", "signed", "unsigned"]

#: Code of the Finding on a Record that was changed after it was signed.
OUTDATED = "review.outdated"


def signed(record: Record, digest: str, *, name: str, organization: str, signed_at: str) -> Record:
    """The Record as reviewed by a person of an organization at a time (ISO 8601 with offset).

    `digest` is the content's, from `content_digest`.

    Raises
    ------
    InputError
        If the person or the organization is not named, or the content is signed already.
    """
    if not name.strip() or not organization.strip():
        raise InputError("a signature needs the name of a person and of an organization")
    if record.review.state == "reviewed":
        raise InputError(
            f"this record is signed already, by {record.review.reviewer} on {record.review.signed_at}"
        )
    review = Review(
        "reviewed",
        name.strip(),
        organization.strip(),
        signed_at,
        digest,
        record.review.amends,
    )
    return replace(record, review=review)


def unsigned(record: Record, why: str) -> Record:
    """A signed Record as not reviewed, with a Finding that says why; one that was not signed stays as it is."""
    review = record.review
    if review.state != "reviewed":
        return record
    text = f"{why} after {review.reviewer} signed on {review.signed_at}: it is not reviewed any more."
    finding = Finding(OUTDATED, "warning", text)
    return replace(record, review=Review(amends=review.digest), findings=(*record.findings, finding))
