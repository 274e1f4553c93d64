"""Ranges of no change that were measured beforehand: in a file, or kept with the model that made the masks."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from medseg.domain import Quantity, Record
from medseg.domain.followup import ChangeError, ErrorKind, KnownError
from medseg.domain.repeatability import Evidence, RepeatabilityStudy
from medseg.domain.texts import parse_yaml
from medseg.errors import InputError, MedsegError
from medseg.io.plain import read_plain
from medseg.reporting.repeatability.json import repeatability_from_json
from medseg.workflows.repeatability import model_repeatability

__all__ = ["errors_of_model", "errors_of_study", "known_errors"]

#: What the evidence of a study is to a change.
_KINDS: dict[Evidence, ErrorKind] = {"test-retest": "test-retest", "self": "lower bound"}


def known_errors(path: Path) -> tuple[KnownError, ...]:
    """No-change ranges of a file.

    Parameters
    ----------
    path
        What `medseg repeatability` writes (`.json`). Or a list in YAML: `quantity`, `of` (lesion or sum), `error`
        (`kind`, `low`, `high`, `source`, `pairs`), and where known `structure`, `weights`, `detection_mm3`, `sizes`.

    Raises
    ------
    InputError
        If it is neither, or holds no range.
    """
    data = read_plain(path)
    try:
        if path.suffix.lower() == ".json":
            found = errors_of_study(repeatability_from_json(data))
        else:
            plain = parse_yaml(data.decode("utf-8", "replace"))
            found = TypeAdapter(tuple[KnownError, ...]).validate_python(plain)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise InputError(f"{path}: {place}: {fault['msg'].splitlines()[0]}") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} holds no ranges of no change: {error}") from error
    if not found:
        raise InputError(f"{path} holds no range of no change on the log scale")
    return found


def errors_of_study(study: RepeatabilityStudy) -> tuple[KnownError, ...]:
    """Ranges on the log scale of a study, each for the sizes that were measured twice.

    Pairs that name lesions are of single ones; others are of the structure, which is the sum of its lesions. Of a
    quantity without a factor nothing follows.
    """
    return tuple(_ranges(study))


def _ranges(study: RepeatabilityStudy) -> Iterator[KnownError]:
    for item in study.items:
        factor = None if item.log_factor is None else item.log_factor.value
        if factor is None or factor <= 1:
            continue
        quantity = Quantity.VOLUME if item.quantity is Quantity.LESION_VOLUME else item.quantity
        words = f"{study.source} ({item.subjects} subjects, {item.pairs} pairs)"
        yield KnownError(
            quantity,
            ChangeError(_KINDS[study.evidence], 1 / factor, factor, words, pairs=item.subjects),
            "lesion" if any(pair.lesion for pair in study.pairs_of(item)) else "sum",
            item.target,
            study.weights_digest or "",
            sizes=(item.low, item.high),
        )


def errors_of_model(record: Record) -> tuple[KnownError, ...]:
    """Ranges of the study that is kept with the model that made a Record's mask; none where there is none."""
    if record.made_by.weights_digest is None:
        return ()
    try:
        study = model_repeatability(record.made_by.segmenter)
    except MedsegError:
        return ()  # no model of this name is installed here
    return () if study is None else errors_of_study(study)
