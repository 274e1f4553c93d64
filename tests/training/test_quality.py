"""The figures of a card: Dice over subjects, with an interval where there is more than one."""

from medseg.training.assemble import quality_of_folds
from medseg.training.validate import SubjectDice


def rows(*dice: float | None) -> list[SubjectDice]:
    return [SubjectDice(0, f"s{number}", "a", value, 10, 10, 1) for number, value in enumerate(dice)]


def test_one_subject_has_no_interval() -> None:
    (alone,) = quality_of_folds(rows(0.8, None), command="", note="")
    assert (alone.mean, alone.low, alone.high, alone.cases) == (0.8, None, None, 1)


def test_several_subjects_have_one() -> None:
    (found,) = quality_of_folds(rows(0.5, 0.7, 0.9, 0.6), command="", note="")
    assert found.low is not None
    assert found.high is not None
    assert 0.5 <= found.low < found.mean < found.high <= 0.9


def test_nothing_to_measure_is_no_figure() -> None:
    assert quality_of_folds(rows(None), command="", note="") == ()
