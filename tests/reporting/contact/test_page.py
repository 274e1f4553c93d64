"""The contact sheet: every case is on it, says what its page says, and every sentence is that of the table."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Finding, Image, Measurement, Quantity, Record, Segmentation, Status
from medseg.domain.record import Review
from medseg.errors import InputError
from medseg.reporting import to_wide_csv
from medseg.reporting.contact.page import Card, contact_to_html
from medseg.reporting.contact.thumbnail import draw_thumbnail
from medseg.reporting.page.headline import headline
from medseg.workflows.verdicts import read_verdicts, verdicts_on
from tests.reporting.browsed import assert_no_sideways_scroll, browsed

CARD = re.compile(r'<li class="card".*?</li>', re.DOTALL)


def cards_of(page: str) -> list[str]:
    return CARD.findall(page)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def record_of(card: Card) -> Record:
    assert card.record is not None
    return card.record


@pytest.fixture
def cards(clean: Record, segmentation: Segmentation, image: Image) -> list[Card]:
    """Synthetic: ten cases of growing size; the first is far out, one is cut, one reviewed, one found nothing."""
    made = []
    for number in range(10):
        factor = 40 if number == 0 else 1 + number / 20
        rows = tuple(
            replace(item, value=item.value * factor, interval=None)
            if isinstance(item.value, float) and item.unit == "ml"
            else item
            for item in clean.measurements
        )
        made.append(replace(clean, subject=f"S{number:02d}", measurements=rows))
    made[3] = replace(made[3], measurements=tuple(_cut(item) for item in made[3].measurements))
    made[4] = replace(made[4], review=Review("reviewed", "A. Reader", "Centre", "2026-11-30T10:00:00+00:00"))
    made[5] = replace(made[5], measurements=tuple(_absent(item) for item in made[5].measurements))
    picture = draw_thumbnail(clean, segmentation, {"mr": image})
    return [Card(f"c{n}", item, f"c{n}.html", picture if n < 9 else None) for n, item in enumerate(made)]


def _cut(item: Measurement) -> Measurement:
    if item.unit != "ml" or not item.value:
        return item
    return replace(item, status=Status.TRUNCATED_LOWER_BOUND, reason="cut")


def _absent(item: Measurement) -> Measurement:
    if item.unit == "ml":
        return replace(item, value=0.0)
    return replace(item, value=None, status=Status.NOT_COMPUTED, reason="not found")


def test_every_case_has_a_card_with_its_headline_status_review_and_link(cards: list[Card]) -> None:
    page = contact_to_html([*cards, Card("broken", None, "")]).decode()
    found = cards_of(page)
    assert len(found) == 11
    for card, text in zip(cards, found, strict=False):
        assert card.record is not None
        shown = words(text)
        assert headline(card.record)[0] in shown
        assert f'href="{card.href}"' in text
        assert card.record.subject in shown
    states = [re.search(r'data-state="(.*?)"', text)[1] for text in found]  # type: ignore[index]
    assert states == ["ok"] * 3 + ["cut by the border", "ok", "nothing found"] + ["ok"] * 4 + ["no report"]
    assert "≥ cut by the border" in words(found[3])
    assert "Reviewed by A. Reader, Centre" in words(found[4])
    assert all("NOT REVIEWED" in words(text) for text in found[:4])
    assert "<a" not in found[10]
    assert "No picture" in found[9]
    assert "8 ok, 1 nothing found, 1 cut by the border, 1 no report; 1 of 11 reviewed." in words(page)


def test_pictures_say_what_they_show(cards: list[Card]) -> None:
    page = contact_to_html(cards).decode()
    alts = [
        unescape(text) for text in re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]*)"', page)
    ]
    assert len(alts) == 9
    assert set(alts) == {
        "Largest section of Soft-tissue tumour, outlined on MR; axial, slice 9 of 16, S 0.0 mm."
    }
    assert (
        page.count('role="img"')
        == len(re.findall(r"<title id=", page))
        == len(re.findall(r"<desc id=", page))
    )


def test_a_case_without_voxels_or_image_is_drawn_too(
    clean: Record, segmentation: Segmentation, image: Image
) -> None:
    empty = replace(segmentation, labels=np.zeros_like(segmentation.labels))
    assert draw_thumbnail(clean, empty, {"mr": image}).caption.startswith("Middle slice, nothing segmented")
    assert "outlined without an image" in draw_thumbnail(clean, segmentation, {}).caption


def test_one_file_that_needs_no_network_and_escapes(cards: list[Card]) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    hostile = [replace(card, name=evil, record=replace(record_of(card), subject=evil)) for card in cards[:2]]
    page = contact_to_html(hostile).decode()
    assert "<img src=x" not in page
    assert page.count("</script>") == 1
    assert not re.findall(r'(?:src|href)="(?!data:|#|c\d\.html)', page)
    assert "http" not in page.replace("http://www.w3.org", "")


def test_no_names_of_files_or_folders(cards: list[Card]) -> None:
    shown = words(contact_to_html(cards).decode())
    assert "mask.nii.gz" not in shown
    assert "scans" not in shown
    assert "c1" not in re.findall(r"\bc\d\b", shown)


def test_a_subject_with_several_cases_has_their_names_beside_it(cards: list[Card]) -> None:
    twins = [replace(card, record=replace(record_of(card), subject="S")) for card in cards[:2]]
    assert ["S (c0)" in words(text) for text in cards_of(contact_to_html(twins).decode())] == [True, False]


#: What a distribution says; each number is recomputed from the wide table below.
SENTENCE = re.compile(
    r"n (?P<n>\d+); median (?P<median>\S+) (?P<unit>ml|mm), IQR (?P<low>\S+) to (?P<high>\S+), "
    r"range (?P<least>\S+) to (?P<most>\S+)\."
    r"( (?P<zeros>\d+) of them looked for and not found \(0\)\.)?"
    r"( Left out: ((?P<cut>\d+) cut by the border)?(, )?((?P<refused>\d+) not computed)?\.)?"
    r"( Outliers: (?P<far>.*)\.)?$"
)


def test_every_sentence_is_that_of_the_wide_table(cards: list[Card]) -> None:
    page = contact_to_html(cards).decode()
    records = {card.name: card.record for card in cards if card.record is not None}
    table = list(csv.DictReader(io.StringIO(to_wide_csv(records).decode())))
    captions = re.findall(r"<h3>(.*?)</h3>|<figcaption><b>(.*?)</b>(.*?)</figcaption>", page, re.DOTALL)
    columns = {"Volume": "volume (ml)", "Longest diameter in plane": "longest_in_plane_diameter (mm)"}
    structure, checked = "", 0
    for heading, title, text in captions:
        structure = heading or structure
        if heading:
            continue
        said = words(text)
        head = f"{structure} {columns[title]}"
        usable = [float(row[head]) for row in table if row[f"{head} usable"] == "yes"]
        cut = sum(row[f"{head} usable"] in ("lower bound", "unreliable") for row in table)
        refused = sum(row[f"{head} usable"] == "no" for row in table)
        found = SENTENCE.match(said)
        assert found, said
        low, middle, high = np.percentile(usable, [25, 50, 75])
        assert int(found["n"]) == len(usable)
        for name, value in (
            ("median", middle),
            ("low", low),
            ("high", high),
            ("least", min(usable)),
            ("most", max(usable)),
        ):
            assert float(found[name].replace("−", "-")) == pytest.approx(value, rel=0.01), (said, name)
        assert int(found["zeros"] or 0) == usable.count(0)
        assert (int(found["cut"] or 0), int(found["refused"] or 0)) == (cut, refused)
        reach = 1.5 * (high - low)
        far = {
            row["subject"]
            for row in table
            if row[f"{head} usable"] == "yes" and not low - reach <= float(row[head]) <= high + reach
        }
        assert set(re.findall(r"S\d\d", found["far"] or "")) == (far if len(usable) >= 8 else set())
        checked += 1
    assert checked == 3
    assert "Outliers: S00" in words(page)


def test_a_sheet_of_nothing_says_so() -> None:
    assert "There are no cases." in contact_to_html([]).decode()


def test_117_structures_stay_readable(many: Callable[[int], Record]) -> None:
    page = contact_to_html([Card("a", many(117), "a.html")]).decode()
    assert page.count("<figure>") == 117
    assert "Of more than 6 structures only sizes are shown" in page


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_lies_beyond_the_side_of_the_window(cards: list[Card], tmp_path: Path, width: int) -> None:
    long = replace(cards[0], record=replace(record_of(cards[0]), subject="x" * 90))
    assert_no_sideways_scroll(contact_to_html([long, *cards]), tmp_path, width=width)


def test_the_script_sorts_and_filters(cards: list[Card], tmp_path: Path) -> None:
    act = """
    const set = (id, value) => { document.getElementById(id).value = value; };
    const shown = () => [...document.querySelectorAll('.card')].filter((card) => card.getClientRects().length)
      .map((card) => card.dataset.name);
    const change = () => document.getElementById('controls').dispatchEvent(new Event('change'));
    const found = [shown()];
    set('sort', '0'); change(); found.push(shown());
    document.getElementById('turn').checked = true; change(); found.push(shown());
    document.querySelector('input[value="cut by the border"]').checked = true; change(); found.push(shown());
    return [...found, document.getElementById('told').textContent];
    """
    by_name, by_volume, turned, cut, told = browsed(contact_to_html(cards), act, tmp_path, width=1280)
    names = [f"S{number:02d}" for number in range(10)]
    # Of ten, S00 is largest, S05 found nothing (0), and that of S03 is a bound, so it is no value and stands last.
    rising = ["S05", *(name for name in names if name not in ("S00", "S03", "S05")), "S00"]
    assert by_name == names
    assert by_volume == [*rising, "S03"]
    assert turned == [*reversed(rising), "S03"]
    assert cut == ["S03"]
    assert told == "1 of 10 cases shown"


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(cards: list[Card], tmp_path: Path) -> None:
    act = """
    const all = [...document.querySelectorAll('a, input, select')];
    return [all.length, all.filter((node) => node.tabIndex < 0).length,
      all.filter((node) => node.tagName !== 'A' && !node.labels.length).length,
      document.querySelectorAll('[onclick], div[role=button]').length];
    """
    count, unreachable, nameless, odd = browsed(contact_to_html(cards), act, tmp_path)
    assert count > len(cards)
    assert (unreachable, nameless, odd) == (0, 0, 0)


def test_verdicts_are_given_by_key_or_button_saved_and_taken_up_again(
    cards: list[Card], tmp_path: Path
) -> None:
    act = """
    const all = [...document.querySelectorAll('.card')];
    const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
    const told = () => document.getElementById('said').textContent;
    all[0].focus(); press('a'); press('f'); press('r');
    const first = told();
    all[1].focus(); press('f');
    all[3].querySelector('[data-word=accept]').click();
    press('ArrowLeft');
    const list = document.getElementById('cards'), saved = list.medseg.saved();
    const other = JSON.parse(JSON.stringify(saved));
    other.cases[0].record = '0'; other.cases[5].verdict = 'accept'; other.cases[6].verdict = '<img>';
    list.medseg.restore(JSON.stringify(other));
    return [first, document.activeElement.dataset.name, all[2].dataset.verdict, JSON.stringify(saved), told(),
      document.querySelectorAll('[aria-pressed=true]').length];
    """
    first, place, third, saved, told, pressed = browsed(contact_to_html(cards), act, tmp_path, width=1280)
    assert first == "1 accept, 1 fix, 1 reject, 7 open; not saved"
    assert (place, third) == ("S01", "reject")  # after S01's key the next one had the focus
    (tmp_path / "qc.json").write_text(saved)
    found = read_verdicts(tmp_path / "qc.json")
    assert (found.named("accept"), found.named("fix"), found.named("reject")) == (
        ("S00", "S03"),
        (),
        ("S02",),
    )
    now = {card.name: record_of(card) for card in cards}
    assert verdicts_on(found, now) == {
        name: {"c0": "accept", "c2": "reject", "c3": "accept"}.get(name, "open") for name in now
    }
    changed = now | {"c0": replace(now["c0"], findings=(Finding("a", "info", "b"),))}
    assert verdicts_on(found, changed)["c0"] == "open"
    assert told.startswith("3 accept, 0 fix, 1 reject, 6 open")
    assert pressed == 4


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[",
        '{"cases": [{"case": "a", "record": "b", "verdict": "good"}]}',
        '{"cases": [], "schema": "x"}',
    ],
)
def test_another_file_holds_no_verdicts(tmp_path: Path, text: str) -> None:
    (tmp_path / "qc.json").write_text(text)
    with pytest.raises(InputError, match="holds no verdicts"):
        read_verdicts(tmp_path / "qc.json")


@pytest.mark.parametrize(("count", "boxed"), [(4, False), (5, True)])
def test_few_cases_have_no_quartiles_and_counts_no_decimals(clean: Record, count: int, boxed: bool) -> None:
    target = clean.measurements[0].target
    cards = [
        Card(
            f"c{n}",
            replace(clean, measurements=(Measurement(target, Quantity.LESION_COUNT, n, "1"),)),
            f"c{n}.html",
        )
        for n in range(count)
    ]
    page = contact_to_html(cards).decode()
    (caption,) = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    expected = "median 2, IQR 1 to 3, range 0 to 4." if boxed else "median 1.5, range 0 to 3."
    assert words(caption).startswith(f"Lesions n {count}; {expected}")
    assert ('class="box"' in page) == boxed
