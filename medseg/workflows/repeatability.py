"""Repeatability: pairs of values, Records or masks of patients who had not changed, to the error of each number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medseg import metrics
from medseg.domain import Finding, Quantity
from medseg.domain.repeatability import PairedValue, RepeatabilityStudy
from medseg.errors import InputError, ModelError
from medseg.io.atomic import require_absent, write_bytes
from medseg.io.plain import read_plain
from medseg.io.unfinished import together
from medseg.metrics import Measured
from medseg.metrics.repeatability import FEWEST_PAIRS
from medseg.models.bundle import weights_digest
from medseg.models.card import read_card
from medseg.reporting.repeatability.json import repeatability_from_json, repeatability_to_json
from medseg.reporting.repeatability.page import repeatability_to_html
from medseg.reporting.repeatability.table import repeatability_to_csv
from medseg.settings import local_now
from medseg.workflows.paired import Making, Paired, PairsOptions, read_pairs
from medseg.workflows.segmenters import model_folder

__all__ = [
    "MODEL_FILE",
    "PairsOptions",
    "RepeatabilityFiles",
    "model_repeatability",
    "read_repeatability",
    "repeatability",
    "repeatability_files",
    "store_repeatability",
    "write_study",
]

#: Where a bundle keeps its study. The card does not name it, so that the digest of a card, which every mask of the
#: model carries, stays; the study names the weights that it is about.
MODEL_FILE = "repeatability.json"


@dataclass(frozen=True, slots=True)
class RepeatabilityFiles:
    """Where a study goes; None leaves one out."""

    out: Path | None = None
    html: Path | None = None
    csv: Path | None = None

    @property
    def given(self) -> dict[str, Path]:
        """View → path, for those asked for."""
        paths = {"out": self.out, "html": self.html, "csv": self.csv}
        return {name: path for name, path in paths.items() if path is not None}


def repeatability(
    pairs: Mapping[str, Sequence[tuple[float, float]]],
    quantity: str | Quantity,
    *,
    unit: str | None = None,
    sizes: Sequence[float] = (),
    source: str = "values given",
) -> RepeatabilityStudy:
    """Repeatability of a quantity from values: structure → (first, second) of each subject.

    Parameters
    ----------
    pairs
        In the quantity's unit; each pair is of another subject.
    quantity
        Name or member of `Quantity`, such as `volume`.
    unit
        UCUM; the quantity's own by default, which intensities have none of.
    sizes
        Where to cut by size, in the unit; by default up to three parts of equal count.

    Raises
    ------
    InputError
        For an unknown quantity, an intensity without a unit, or values that are not finite.

    Examples
    --------
    >>> study = repeatability({"gland": [(40, 42), (50, 47), (61, 60), (55, 56)]}, "volume")
    >>> round(study.items[0].rc.value, 2), study.items[0].is_preliminary
    (3.8, True)
    """
    what = quantity if isinstance(quantity, Quantity) else Quantity(quantity)
    unit = unit or what.info.unit
    if unit.startswith("image"):
        raise InputError(f"{what.value} has the unit of its image: give it with unit=")
    values = {
        Measured(name, what, unit): tuple(
            PairedValue(n, float(a), float(b)) for n, (a, b) in enumerate(rows, 1)
        )
        for name, rows in pairs.items()
    }
    return study_of(Paired(values), sizes=sizes, source=source)


def study_of(paired: Paired, *, sizes: Sequence[float] = (), source: str) -> RepeatabilityStudy:
    """The study of pairs; of structures with fewer than three a Finding says so."""
    enough = {of: rows for of, rows in paired.values.items() if len(rows) >= FEWEST_PAIRS}
    few = tuple(
        Finding(
            "repeatability.few",
            "warning",
            f"{of.target}, {of.quantity.info.title.lower()}: {len(rows)} pair{'s' * (len(rows) != 1)}, and at least "
            f"{FEWEST_PAIRS} are needed; left out.",
        )
        for of, rows in paired.values.items()
        if of not in enough
    )
    making = paired.making or Making()
    return RepeatabilityStudy(
        source=source,
        evidence="test-retest",
        items=tuple(metrics.repeatability_of(rows, of) for of, rows in enough.items()),
        by_size=tuple(
            part
            for of, rows in enough.items()
            for part in metrics.repeatability_by_size(rows, of, _sizes_of(of, sizes))
        ),
        values=tuple((of.target, of.quantity, rows) for of, rows in enough.items()),
        segmenter=making.segmenter,
        weights_digest=making.weights_digest,
        parameters_digest=making.parameters_digest,
        findings=(*paired.findings, *few),
        analysed_on=local_now().date().isoformat(),
    )


def _sizes_of(of: Measured, sizes: Sequence[float]) -> Sequence[float]:
    """Cuts by size are volumes in ml; other quantities are parted by their own values."""
    return sizes if of.unit == "ml" else ()


def repeatability_files(
    pairs: Path,
    files: RepeatabilityFiles,
    *,
    options: PairsOptions | None = None,
    model: str | None = None,
    force: bool = False,
) -> RepeatabilityStudy:
    """Read a CSV of pairs, and write the study, its page and its table; with `model` into its bundle too.

    Raises
    ------
    InputError
        If a row is no pair, or the study is not of this model.
    OutputError
        If an output exists and may not be replaced; checked before any work.
    """
    options = options or PairsOptions()
    folder = None if model is None else _folder(model)
    kept = [] if folder is None else [folder / MODEL_FILE]
    with together(*files.given.values(), *kept):
        for path in (*files.given.values(), *kept):
            require_absent(path, force=force)
        study = study_of(read_pairs(pairs, options), sizes=options.sizes, source=options.source or pairs.name)
        if folder is not None:
            _require_of_model(study, folder)
        write_study(study, files, force=force)
        if folder is not None:
            store_repeatability(study, folder, force=force)
    return study


def write_study(study: RepeatabilityStudy, files: RepeatabilityFiles, *, force: bool = False) -> None:
    """Write the study and the views asked for, all or none."""
    with together(*files.given.values()):
        if files.html is not None:
            write_bytes(files.html, repeatability_to_html(study), force=force)
        if files.csv is not None:
            write_bytes(files.csv, repeatability_to_csv(study), force=force)
        if files.out is not None:
            write_bytes(files.out, repeatability_to_json(study), force=force)


def read_repeatability(path: str | Path) -> RepeatabilityStudy:
    """Read a study from its JSON.

    Raises
    ------
    InputError
        If the file is none.
    """
    try:
        return repeatability_from_json(read_plain(path))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def store_repeatability(study: RepeatabilityStudy, folder: Path, *, force: bool = False) -> Path:
    """Keep a study with the model whose masks it is about; returns its file.

    Raises
    ------
    InputError
        If the masks were not all made by this model's weights.
    OutputError
        If the model has a study and it may not be replaced.
    """
    _require_of_model(study, folder)
    return write_bytes(folder / MODEL_FILE, repeatability_to_json(study), force=force)


def model_repeatability(name: str) -> RepeatabilityStudy | None:
    """The study that is kept with a model; None where it has none.

    Raises
    ------
    InputError
        If no model has this name.
    ModelError
        If the study is about other weights.
    """
    folder = _folder(name)
    path = folder / MODEL_FILE
    if not path.is_file():
        return None
    study = read_repeatability(path)
    try:
        _require_of_model(study, folder)
    except InputError as error:
        raise ModelError(f"{path}: {error}") from error
    return study


def _folder(name: str) -> Path:
    folder = Path(name) if (Path(name) / "card.yaml").is_file() else model_folder(name)
    if folder is None:
        raise InputError(f"no model is called {name!r}; 'medseg models' lists them")
    return folder


def _require_of_model(study: RepeatabilityStudy, folder: Path) -> None:
    wanted = weights_digest(read_card(folder))
    if study.weights_digest is None:
        raise InputError(
            "it is not known which model made these masks: only pairs of Records that one model made can be stored "
            "with it"
        )
    if study.weights_digest != wanted:
        raise InputError(
            f"these masks were made by weights {study.weights_digest[:12]}, and the model has {wanted[:12]}"
        )
