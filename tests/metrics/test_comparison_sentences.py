"""Every sentence of the comparison page is one of the table: each number in it is computed again from the CSV."""

import csv
import io
import re
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import medseg
from medseg.cli import main
from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.metrics import bland_altman, icc
from medseg.metrics.summarise import bootstrap_interval
from tests.reporting.browsed import assert_no_sideways_scroll

GRID = Grid((24, 24, 12), np.diag([1.0, 1.0, 2.0, 1.0]))
PX = Grid((24, 24, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
Rows = list[dict[str, str]]
#: A mask as (first voxel along i, size along i) of label 1, 2, …; None is no file, "" a file that is no mask.
Mask = tuple[tuple[int, int], ...] | str | None


def write(folder: Path, name: str, mask: Mask, grid: Grid, names: bool) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}{'.png' if grid.unit == 'px' else '.nii.gz'}"
    if mask is None:
        return
    if isinstance(mask, str):
        path.write_bytes(b"no mask at all")
        return
    labels = np.zeros(grid.shape, np.uint8)
    for number, (start, size) in enumerate(mask):
        labels[
            start : start + size, 2 + 8 * number : 8 + 8 * number, 0 if grid.unit == "px" else slice(3, 9)
        ] = number + 1
    table = LabelTable(tuple(Label(n, f"organ {n}") for n in range(1, len(mask) + 1)))
    medseg.write(Segmentation(labels, grid, table), path)
    if not names:
        path.with_name(f"{name}.seg.json").unlink()


#: Case → (prediction, reference).
SETS: dict[str, dict[str, tuple[Mask, Mask]]] = {
    "one structure, all there": {
        "a": (((3, 8),), ((3, 8),)),
        "b": (((5, 8),), ((3, 8),)),
        "c": (((3, 4),), ((3, 12),)),
        "d": (((3, 9),), ((4, 9),)),
    },
    "missed, missing, strange, damaged": {
        "a": (((3, 8),), ((3, 8),)),
        "b": (((3, 0),), ((3, 8),)),
        "c": (None, ((3, 10),)),
        "d": (((3, 8),), None),
        "e": ("", ((3, 8),)),
        "f": (((3, 8),), ((3, 0),)),
    },
    "both empty": {
        "a": (((3, 0),), ((3, 0),)),
        "b": (((3, 8),), ((4, 8),)),
        "c": (((3, 0),), ((3, 0),)),
        "d": (((3, 8),), ((5, 8),)),
    },
    "all empty": {"a": (((3, 0),), ((3, 0),)), "b": (((3, 0),), ((3, 0),))},
    "two structures": {
        "a": (((3, 8), (3, 8)), ((3, 8), (4, 8))),
        "b": (((3, 8), (3, 0)), ((3, 8), (4, 8))),
        "c": (((3, 12), (5, 8)), ((3, 8), (4, 8))),
    },
    "two structures of one pair": {"a": (((3, 8), (3, 8)), ((3, 8), (4, 8)))},
    "one pair": {"a": (((3, 8),), ((4, 9),))},
    "all agree": {"a": (((3, 8),), ((3, 8),)), "b": (((3, 9),), ((3, 9),))},
    "eight missing": {f"c{n}": (None if n else ((3, 8),), ((3, 8),)) for n in range(9)},
}


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Rows, str]]:
    """CSV and page of `medseg evaluate` on a set."""

    def run(
        cases: dict[str, tuple[Mask, Mask]], *more: object, grid: Grid = GRID, names: bool = True
    ) -> tuple[Rows, str]:
        ours, theirs = tmp_path / "ours", tmp_path / "theirs"
        for case, (prediction, reference) in cases.items():
            write(ours, case, prediction, grid, names)
            write(theirs, case, reference, grid, names)
        table, page = tmp_path / "rows.csv", tmp_path / "page.html"
        arguments = ["medseg", "evaluate", ours, theirs, "--out", table, "--html", page, *more]
        monkeypatch.setattr(sys, "argv", [str(item) for item in arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code in (0, None, 3)
        return list(csv.DictReader(io.StringIO(table.read_text("utf-8")))), page.read_text("utf-8")

    return run


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def says(shown: str, exact: float | None) -> bool:
    """Whether a number on the page is this one, rounded to the digits that it shows."""
    assert exact is not None
    text = shown.replace("−", "-").rstrip(".")
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    return abs(float(text) - exact) <= half * (1 + 1e-9) + 1e-12


class Table:
    """The CSV, asked by quantity; nothing of medseg's summaries."""

    def __init__(self, rows: Rows) -> None:
        self.rows = [row for row in rows if row["quantity"] and not row["lesion"]]
        self.why = {row["case"]: row["reason"] for row in rows if not row["quantity"]}
        self.names = list(dict.fromkeys(row["name"] for row in self.rows))

    def of(
        self, quantity: str, name: str | None = None, detail: str = ""
    ) -> dict[tuple[str, str], float | None]:
        return {
            (row["name"], row["case"]): float(row["value"]) if row["usable"] == "yes" else None
            for row in self.rows
            if row["quantity"] == quantity and row["detail"] == detail and name in (None, row["name"])
        }

    def dice(self, name: str | None = None) -> dict[tuple[str, str], float]:
        return {key: value for key, value in self.of("dice", name).items() if value is not None}

    @property
    def lowest(self) -> str:
        return min(self.names, key=lambda name: float(np.mean(list(self.dice(name).values()))))

    def failed(self, words: str) -> list[str]:
        return [case for case, why in self.why.items() if words in why]

    @property
    def empty(self) -> set[tuple[str, str]]:
        relative = self.of("relative_volume_error")
        return {key for key, value in self.dice().items() if value == 1 and relative[key] is None}


def check_own(found: re.Match[str], table: Table) -> None:
    """`organ 1: mean Dice …, median …, n …`."""
    name = table.lowest
    values = np.array(list(table.dice(name).values()))
    low, high = bootstrap_interval(values)
    assert found["name"] == name
    assert says(found["mean"], values.mean())
    assert says(found["median"], np.median(values))
    assert int(found["n"]) == len(values)
    if found["low"] is None:
        assert low is None
    else:
        assert (number(found["low"]), number(found["high"])) == pytest.approx((low, high), abs=5e-4)


OWN = (
    r"mean Dice (?P<mean>[\d.]+)( \(95 % interval (?P<low>[\d.]+) to (?P<high>[\d.]+)\))?, "
    r"median (?P<median>[\d.]+), n (?P<n>\d+)"
)


def check_one_structure(found: re.Match[str], table: Table) -> None:
    check_own(found, table)
    worst = min(table.dice().values())
    assert says(found["worst"], worst)
    assert table.dice()[table.names[0], found["case"]] == worst


def check_structures(found: re.Match[str], table: Table) -> None:
    check_own(found, table)
    means = [float(np.mean(list(table.dice(name).values()))) for name in table.names]
    assert int(found["count"]) == len(means)
    assert says(found["middle"], median(means))
    worst = min(table.dice().values())
    assert says(found["worst"], worst)
    assert table.dice()[found["where"], found["case"]] == worst


def check_pair(found: re.Match[str], table: Table) -> None:
    assert table.dice(found["name"]) == pytest.approx({(found["name"], "a"): number(found["dice"])}, abs=5e-4)
    assert found["name"] == table.lowest
    if found["count"]:
        assert int(found["count"]) == len(table.names)
        assert says(found["middle"], median(table.dice().values()))


def check_volume(found: re.Match[str], table: Table) -> None:
    errors = {key: value for key, value in table.of("volume_error").items() if value is not None}
    largest = max(map(abs, errors.values()))
    assert says(found["largest"].lstrip("+−"), largest)
    place = found["place"] or ""
    hits = [key for key, value in errors.items() if abs(value) == largest]
    named = [
        key for key in hits if all(part in place for part in key if part != "a" and len(table.names) > 1)
    ]
    assert named, (place, hits)
    for share in re.findall(r"([+−]?[\d.]+) %", place):
        assert any(
            says(share, table.of("relative_volume_error")[key])
            for key in hits
            if table.of("relative_volume_error")[key] is not None
        )
    if found["middle"]:
        assert says(found["middle"], median(errors.values()))
        assert int(found["n"]) == len(errors)


def check_failures(found: re.Match[str], table: Table) -> None:
    ours, theirs = table.of("volume", detail="prediction"), table.of("volume", detail="reference")
    misses = sum(theirs[key] > 0 and ours[key] == 0 for key in ours)  # type: ignore[operator]
    extra = sum(ours[key] > 0 and theirs[key] == 0 for key in ours)  # type: ignore[operator]
    assert [0 if text == "no" else int(text) for text in (found["misses"], found["extra"])] == [misses, extra]
    assert ("counted as Dice 0" in found[0]) == bool(misses or extra)
    assert all(table.dice()[key] == 0 for key in ours if (ours[key] == 0) != (theirs[key] == 0))


def check_empty(found: re.Match[str], table: Table) -> None:
    assert int(found["count"]) == len(table.empty)
    rest = [value for key, value in table.dice().items() if key not in table.empty]
    assert bool(found["mean"]) == bool(rest)
    if rest:
        assert says(found["mean"], np.mean(rest))


def check_named(words: str) -> Callable[[re.Match[str], Table], None]:
    def check(found: re.Match[str], table: Table) -> None:
        cases = table.failed(words)
        assert int(found["count"]) == len(cases)
        shown, _, more = found["cases"].partition(" and ")
        assert shown.split(", ") == cases[:5]
        assert more == ("" if len(cases) <= 5 else f"{len(cases) - 5} more, listed below")

    return check


NAME = r"(?P<name>organ \d|label \d|spleen)"
SENTENCES: list[tuple[str, Callable[[re.Match[str], Table], None]]] = [
    (rf"{NAME}: {OWN}; worst (?P<worst>[\d.]+) \((?P<case>\w+)\)\.", check_one_structure),
    (
        (
            r"(?P<count>\d+) structures: median of the mean Dice (?P<middle>[\d.]+); "
            rf"lowest: {NAME}, {OWN}; worst (?P<worst>[\d.]+) \((?P<where>organ \d) in (?P<case>\w+)\)\."
        ),
        check_structures,
    ),
    (
        rf"((?P<count>\d+) structures: median Dice (?P<middle>[\d.]+); lowest: )?{NAME}[:,] Dice (?P<dice>[\d.]+)\.",
        check_pair,
    ),
    (
        (
            r"(Largest volume error|Volume error( median|: median (?P<middle>[+−\d.]+) ml, largest)?) "
            r"(?P<largest>[+−\d.]+) ml( \((?P<place>[^)]*)\))?(, n (?P<n>\d+))?\."
        ),
        check_volume,
    ),
    (
        (
            r"Whole structures: (?P<misses>no|\d+) miss(es)?(, counted as Dice 0;|,| and) "
            r"(?P<extra>no|\d+) false positives?(, counted as Dice 0)?\."
        ),
        check_failures,
    ),
    (
        (
            r"(?P<count>\d+) comparisons? of two empty masks counts? as Dice 1"
            r"(; without (it|them) mean Dice (?P<mean>[\d.]+))?\."
        ),
        check_empty,
    ),
    (
        r"(?P<count>\d+) cases? without a prediction: (it counts|they count) as an empty one \((?P<cases>[^)]*)\)\.",
        check_named("no prediction"),
    ),
    (
        r"Left out: (?P<count>\d+) predictions? without a reference \((?P<cases>[^)]*)\)\.",
        check_named("no reference for this prediction"),
    ),
    (
        r"Left out: (?P<count>\d+) cases? that could not be compared \((?P<cases>[^)]*)\)\.",
        check_named("is no NIfTI file"),
    ),
]


def sentences_of(page: str) -> list[str]:
    block = page.split('<div class="sentences">')[1].split("</div>", maxsplit=1)[0]
    return [words(text) for text in re.findall(r"<p[^>]*>(.*?)</p>", block, re.DOTALL)]


@pytest.mark.parametrize("name", SETS)
def test_every_sentence_is_one_of_the_table(compare: Callable[..., tuple[Rows, str]], name: str) -> None:
    rows, page = compare(SETS[name])
    table, said = Table(rows), sentences_of(page)
    for text in said:
        known = [(found, check) for pattern, check in SENTENCES if (found := re.fullmatch(pattern, text))]
        assert len(known) == 1, text
        for found, check in known:
            check(found, table)
    # What would flatter if it were left unsaid.
    whole = " ".join(said)
    assert ("without a prediction" in whole) == bool(table.failed("no prediction"))
    assert ("without a reference" in whole) == bool(table.failed("no reference for this"))
    assert ("could not be compared" in whole) == bool(table.failed("is no NIfTI file"))
    assert ("two empty masks" in whole) == bool(table.empty)


def test_the_sentence_on_lesions_is_one_of_the_table(compare: Callable[..., tuple[Rows, str]]) -> None:
    rows, page = compare(SETS["missed, missing, strange, damaged"], "--lesions")
    wanted, got, extra = (
        sum(float(row["value"]) for row in rows if row["quantity"] == quantity and not row["detail"])
        for quantity in ("lesions_in_reference", "lesions_found", "lesion_false_positives")
    )
    assert (wanted, got, extra) == (3, 1, 1)
    assert f"Lesions of organ 1: {got:g} of {wanted:g} found, {extra:g} false positive." in sentences_of(page)


CAPTION = re.compile(
    r"(?P<case>\w+), (?P<name>[\w ]+): Dice (?P<dice>[\d.]+); volume error (?P<error>[+−\d.]+) ml "
    r"\(prediction (?P<ours>[\d.]+) ml, reference (?P<theirs>[\d.]+) ml\)\. (?P<why>[^.]*)\. "
)


def test_the_worst_three_by_dice_and_by_volume_are_pictured(compare: Callable[..., tuple[Rows, str]]) -> None:
    # Dice falls from a to f; by volume h, g and f are off most, and f is among both.
    cases: dict[str, tuple[Mask, Mask]] = {
        "a": (((3, 10),), ((3, 10),)),
        "b": (((4, 10),), ((3, 10),)),
        "c": (((6, 10),), ((3, 10),)),
        "d": (((8, 10),), ((3, 10),)),
        "e": (((10, 10),), ((3, 10),)),
        "f": (((13, 3),), ((3, 10),)),
        "g": (((3, 16),), ((3, 10),)),
        "h": (((3, 18),), ((3, 10),)),
        "x": (None, ((3, 10),)),
    }
    rows, page = compare(cases)
    table = Table(rows)
    alts = [unescape(text) for text in re.findall(r'<img src="data:[^"]*" alt="([^"]*)"', page)]
    found = [match for text in alts if (match := CAPTION.match(text))]
    assert [match["case"] for match in found] == ["f", "e", "d", "h", "g"]
    assert "lowest Dice, 1 of 7; largest volume error, 2 of 3" in found[0]["why"].lower().replace(
        "dice", "Dice"
    )
    for match in found:
        key = (match["name"], match["case"])
        assert says(match["dice"], table.dice()[key])
        assert says(match["error"], table.of("volume_error")[key])
        for group, detail in (("ours", "prediction"), ("theirs", "reference")):
            assert says(match[group], table.of("volume", detail=detail)[key])
    assert "mask only, no image was given" in alts[0]
    legend = page.split("The worst cases")[1].split("</p>")[0]
    assert "reference" in legend
    assert "prediction" in legend


def test_agreement_is_that_of_the_volumes_in_the_table(compare: Callable[..., tuple[Rows, str]]) -> None:
    rows, page = compare(SETS["one structure, all there"])
    table = Table(rows)
    ours, theirs = (
        list(table.of("volume", detail=detail).values()) for detail in ("prediction", "reference")
    )
    found, other = bland_altman(ours, theirs), icc(list(zip(ours, theirs, strict=True)))  # type: ignore[arg-type]
    text = words(page.split('<dl class="agreement">')[1].split("</dl>")[0])
    numbers = [
        number(value)
        for value in re.findall(r"[+−]?\d+\.?\d*(?:e[+−-]\d+)?", text.replace("Altman 1999", ""))
    ]
    differences = np.array(ours) - np.array(theirs)
    bias, sd = differences.mean(), differences.std(ddof=1)
    expected = [1, 4, bias, 95, found.bias_interval.low, found.bias_interval.high, sd]
    for limit, interval in (
        (bias - 1.96 * sd, found.lower_interval),
        (bias + 1.96 * sd, found.upper_interval),
    ):
        expected += [limit, interval.low, interval.high]
    expected += [2, 1, other.value, 95, other.interval.low, other.interval.high]
    assert numbers == pytest.approx(expected, rel=6e-3, abs=6e-4)


def test_the_table_of_structures_is_that_of_the_csv(compare: Callable[..., tuple[Rows, str]]) -> None:
    rows, page = compare(SETS["two structures"])
    table = Table(rows)
    shown = re.findall(
        r'<tr><td class="name">(organ \d)</td>(.*?)</tr>', page.split("Appendix")[0], re.DOTALL
    )
    assert [name for name, _ in shown] == ["organ 2", "organ 1"]
    for name, html in shown:
        cells = dict(re.findall(r'data-head="([^"]*)">(?:<span>)?([^<]*)', html))
        values = list(table.dice(name).values())
        assert int(cells["Cases"]) == 3
        assert says(cells["Median Dice"], median(values))
        assert says(cells["Worst Dice"], min(values))
        assert says(cells["Dice, mean"], np.mean(values))
        errors = [value for value in table.of("volume_error", name).values() if value is not None]
        assert says(cells["Volume error, mean"].split()[0], np.mean(errors))


def test_names_of_labels_reach_the_page_and_the_pictures(
    compare: Callable[..., tuple[Rows, str]], tmp_path: Path
) -> None:
    names = tmp_path / "names.yaml"
    names.write_text("1: spleen\n", "utf-8")
    rows, page = compare(SETS["one structure, all there"], "--labels", names, names=False)
    assert {row["name"] for row in rows} == {"spleen"}
    assert "label 1" not in page
    assert "spleen: mean Dice" in page
    assert re.search(r'alt="\w, spleen: Dice', page)


def test_images_of_many_cases_lie_under_the_outlines(
    compare: Callable[..., tuple[Rows, str]], tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    noise = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    for case in ("b", "c"):
        medseg.write(Image(noise, GRID), scans / f"{case}.nii.gz")
    _, page = compare(SETS["one structure, all there"], "--image", scans)
    alts = {text[0]: text for text in re.findall(r'<img src="data:[^"]*" alt="(\w, [^"]*)"', page)}
    assert {case: "no image was given" in text for case, text in alts.items()} == {
        "b": False,
        "c": False,
        "d": True,
    }


def test_prediction_and_reference_are_told_apart_in_every_view(
    compare: Callable[..., tuple[Rows, str]],
) -> None:
    rows, page = compare(SETS["one pair"])
    volumes = [row for row in rows if row["quantity"] == "volume"]
    assert [row["detail"] for row in volumes] == ["prediction", "reference"]
    assert [row["method"].split(":")[0] for row in volumes] == [
        "volume of the prediction",
        "volume of the reference",
    ]
    text = words(page)
    assert "Volume of the prediction" in text
    assert "Volume of the reference" in text


def test_pixels_have_a_page_without_millilitres(compare: Callable[..., tuple[Rows, str]]) -> None:
    cases: dict[str, tuple[Mask, Mask]] = {"a": (((3, 8),), ((4, 8),)), "b": (((3, 8),), ((3, 8),))}
    _, page = compare(cases, grid=PX)
    said = " ".join(sentences_of(page))
    assert "worst" in said
    assert " ml" not in said
    assert re.search(r'alt="a, [\w ]+: Dice 0\.\d+\. Lowest Dice, 1 of 1\.', page)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_telephone_and_a_desk(
    compare: Callable[..., tuple[Rows, str]], tmp_path: Path, width: int
) -> None:
    _, page = compare(SETS["missed, missing, strange, damaged"], "--lesions")
    assert_no_sideways_scroll(page.encode(), tmp_path, width=width)
