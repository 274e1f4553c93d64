"""Pictures of a run: what is drawn where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.training import curve
from medseg.training.curve import draw_curve, draw_quality
from medseg.training.validate import SubjectDice


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Axes of every picture that is drawn."""
    drawn: list[Any] = []
    png = curve._png

    def kept(figure: Any) -> bytes:
        drawn.extend(figure.axes)
        return png(figure)

    monkeypatch.setattr(curve, "_png", kept)
    return drawn


def test_a_curve_of_two_attempts_takes_the_later_where_they_overlap(axes: list[Any], tmp_path: Path) -> None:
    logs = {
        "csv-2": "step,train_loss,validation_loss\n1,0.9,\n3,0.8,0.85\n5,0.7,\n",
        "csv-10": "step,train_loss,validation_loss\n3,0.6,\n5,0.5,0.55\n",
    }
    for name, text in logs.items():
        (tmp_path / "log" / name).mkdir(parents=True)
        (tmp_path / "log" / name / "metrics.csv").write_text(text, encoding="utf-8")
    assert draw_curve(tmp_path, "fold 0").startswith(b"\x89PNG")
    (one,) = axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in one.lines}
    assert lines == {
        "training": [[2, 0.9], [4, 0.6], [6, 0.5]],
        "validation patches": [[4, 0.85], [6, 0.55]],
    }
    assert one.get_title() == "fold 0"
    assert [text.get_text() for text in one.get_legend().get_texts()] == list(lines)


def test_every_subject_is_a_point_in_its_column_and_the_mean_a_bar(axes: list[Any]) -> None:
    values = {"a": [0.2, 0.4, 0.9], "b": [0.5, None]}
    rows = [
        SubjectDice(0, f"s{number}", target, dice, 9, 9, 1)
        for target, column in values.items()
        for number, dice in enumerate(column)
    ]
    assert draw_quality(rows, "Dice").startswith(b"\x89PNG")
    (one,) = axes
    points, bar, other, second = one.collections
    assert points.get_offsets()[:, 1].tolist() == [0.2, 0.4, 0.9]
    # Points stand apart, within three tenths of a column about its middle.
    across = points.get_offsets()[:, 0].tolist()
    assert across == pytest.approx([0.3 * (part - 0.5) for part in (0, 0.618034, 0.236068)])
    for item, middle in ((bar, 0), (second, 1)):
        ends = np.array([[middle - 0.3, 0.5], [middle + 0.3, 0.5]])
        assert np.allclose(item.get_segments()[0], ends)
    assert other.get_offsets()[:, 1].tolist() == [0.5]
    assert [label.get_text() for label in one.get_xticklabels()] == ["a", "b"]
    assert one.get_ylim() == (0, 1)
