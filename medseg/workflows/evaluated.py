"""The files of an evaluation: table and page, written anew while nobody else has changed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medseg.domain.values import digest_of_plain
from medseg.io.atomic import require_absent
from medseg.workflows.comparison import Shown, pictures_digests, shown_files, write_comparison
from medseg.workflows.evaluate import Evaluation, evaluation_rows, failure_rows, write_rows
from medseg.workflows.ledger import open_ledger
from medseg.workflows.pairs import PairOptions

__all__ = ["EvaluationFiles", "memory_of", "require_free", "write_evaluation"]

#: The line of the ledger for the files of all cases; no file has this stem.
_ALL = "*"


@dataclass(frozen=True, slots=True)
class EvaluationFiles:
    """Where results go; None leaves one out."""

    csv: Path | None = None
    html: Path | None = None

    @property
    def given(self) -> tuple[Path, ...]:
        """Those that are asked for."""
        return tuple(path for path in (self.csv, self.html) if path is not None)


def memory_of(files: EvaluationFiles) -> Path | None:
    """The ledger of an evaluation: beside its first file, with that file's name."""
    if not files.given:
        return None
    first = files.given[0]
    return first.with_name(f"{first.stem}.evaluate.jsonl")


def require_free(files: EvaluationFiles, memory: Path | None, *, force: bool) -> None:
    """Refuse before any work what may not be replaced: files that stand and that no evaluation wrote as they are.

    With `force` all is compared anew, and the ledger begins anew.

    Raises
    ------
    OutputError
        Naming the file.
    """
    if memory is not None and force:
        memory.unlink(missing_ok=True)
    known = memory is not None and open_ledger(memory, "evaluate").knows(_ALL, files.given)
    for path in () if known else files.given:
        require_absent(path, force=force)


def write_evaluation(
    results: tuple[Evaluation, ...],
    files: EvaluationFiles,
    memory: Path | None,
    *,
    masks: tuple[Path, Path] | None = None,
    image: Path | None = None,
    options: PairOptions | None = None,
    patients: Mapping[str, str] | None = None,
    force: bool = False,
) -> None:
    """Write table and page; with a ledger, what it knows is replaced when the results are others.

    `masks` are prediction and reference, two files or two folders, and `image` is under the outlines of the page.
    """
    rows = evaluation_rows(results)
    shown = Shown() if files.html is None else shown_files(results, masks, image)

    def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
        if files.csv is not None:
            write_rows([*rows, *failure_rows(results)], files.csv, force=replaces)
        if files.html is not None:
            write_comparison(
                results,
                files.html,
                shown=shown,
                options=options,
                patients=patients,
                force=replaces,
            )

    if memory is None or not files.given:
        make(force)
        return
    asked = {
        "results": digest_of_plain([rows, dict(patients or {}), [item.error for item in results]]),
        "an image": digest_of_plain(pictures_digests(shown)),
    }
    open_ledger(memory, "evaluate").settle(_ALL, asked, files.given, make, force=force)
