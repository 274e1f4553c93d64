"""Ranges of no change from a study of repeatability, from a list, and from the model that made the masks."""

from dataclasses import replace
from pathlib import Path

import pytest

import medseg
from medseg.domain import Quantity
from medseg.domain.provenance import Provenance
from medseg.domain.repeatability import PairedValue
from medseg.errors import InputError
from medseg.followup.changes import ChangeRules
from medseg.reporting.repeatability.json import repeatability_to_json
from medseg.workflows import known_errors as module
from medseg.workflows.known_errors import errors_of_model, errors_of_study, known_errors
from tests.workflows.test_comparable import record

PAIRS = {"gland": [(40.0, 42.0), (50.0, 47.0), (61.0, 60.0), (55.0, 56.0)]}


def study(**more):
    return replace(medseg.repeatability(PAIRS, "volume", source="a study"), **more)


def test_a_study_of_structures_is_about_their_sums_and_of_the_sizes_measured() -> None:
    (found,) = errors_of_study(study(weights_digest="ab" * 32))
    assert (found.quantity, found.of, found.structure) == (Quantity.VOLUME, "sum", "gland")
    factor = study().items[0].log_factor.value
    assert (found.error.low, found.error.high) == (1 / factor, factor)
    assert found.error.kind == "test-retest"
    assert found.error.pairs == 4
    assert found.weights == "ab" * 32
    assert found.sizes == (study().items[0].low, study().items[0].high)


def test_pairs_that_name_lesions_are_of_single_ones() -> None:
    pairs = tuple(PairedValue(n, 1.0, 1.1, lesion="1") for n in range(1, 5))
    (found,) = errors_of_study(study(values=(("gland", Quantity.VOLUME, pairs),)))
    assert found.of == "lesion"


def test_one_scan_disturbed_is_a_lower_bound() -> None:
    (found,) = errors_of_study(study(evidence="self"))
    assert found.error.kind == "lower bound"


def test_files_of_either_form_and_what_is_none(tmp_path: Path) -> None:
    written = tmp_path / "study.json"
    written.write_bytes(repeatability_to_json(study()))
    assert known_errors(written) == errors_of_study(study())
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "- {quantity: volume, of: lesion, error: {kind: test-retest, low: 0.8, high: 1.25, source: x}}"
    )
    (found,) = known_errors(mine)
    assert (found.of, found.error.high) == ("lesion", 1.25)
    for text in ("[]", "a: 1", "- {quantity: volume}", "- {quantity: length, of: sum}"):
        mine.write_text(text)
        with pytest.raises(InputError, match=r"mine\.yaml"):
            known_errors(mine)


def test_the_study_kept_with_the_model_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = study(weights_digest="ab" * 32)
    monkeypatch.setattr(module, "model_repeatability", {"net": kept}.__getitem__)
    made = record(made_by=Provenance("net", weights_digest="ab" * 32))
    assert errors_of_model(made) == errors_of_study(kept)
    assert ChangeRules(errors_of_model(made)).known[0].weights == made.made_by.weights_digest


def test_masks_of_methods_and_of_models_that_are_not_here_have_none() -> None:
    assert errors_of_model(record(made_by=Provenance("otsu"))) == ()
    assert errors_of_model(record(made_by=Provenance("no-such-model", weights_digest="ab" * 32))) == ()
