"""A study's YAML: read, or refused in one line that names the key."""

from pathlib import Path

import pytest

from medseg.cohort.study import EXAMPLE, read_study
from medseg.errors import ConfigError

GOOD = "inputs: scans\nsegment: {method: otsu}\n"


def test_the_example_is_a_study(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    study = read_study(path)
    assert study.inputs == str(tmp_path / "scans")
    assert study.segment.params == {"low": 50}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("segment: {method: otsu}", "inputs is missing"),
        ("inputs: scans", "segment is missing"),
        ("- a", "is no study: it holds no mapping"),
        (GOOD + "imputs: x", "unknown key 'imputs'; did you mean 'inputs'?"),
        ("inputs: s\nsegment: {methd: otsu}", "unknown key 'segment.methd'; did you mean 'segment.method'?"),
        (GOOD + "measure: {lesions: {connectivity: 7}}", "connectivity"),
        (GOOD + "cluster: {workers: 0}", "cluster.workers is at least 1, not 0"),
        (GOOD + "cluster: {workers: many}", "cluster.workers"),
        (GOOD + "cluster: {timeout_s: 0}", "cluster.timeout_s is a number of seconds above 0"),
        (GOOD + "cluster: lokal", "cluster.kind"),
        (GOOD + "cluster: slurm", "cluster.cores is missing"),
        (GOOD + "cluster: tcp://10.0.0.7:8786", "is another machine's"),
        (GOOD + "cluster: tls://10.0.0.7:8786", "needs tls_ca, tls_cert and tls_key"),
        (GOOD + "cluster: http://localhost:1", "cluster.address is tls://HOST:PORT"),
        (GOOD + "report: {outliers: -1}", "report.outliers"),
    ],
)
def test_a_wrong_study_is_refused_in_a_line_that_names_the_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_study(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"])
def test_a_scheduler_of_this_machine_may_do_without_keys(tmp_path: Path, address: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"{GOOD}cluster: {address}\n", encoding="utf-8")
    assert read_study(path).cluster.address == address
