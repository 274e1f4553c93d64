"""Report on many Records: a page for each, the contact sheet over all of them, and their numbers in one table."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import medseg.reporting as room
from medseg.domain import Record, Run
from medseg.domain.values import digest_of_plain
from medseg.errors import InputError
from medseg.io.atomic import write_bytes
from medseg.reporting.contact.page import Card, contact_to_html
from medseg.reporting.contact.thumbnail import draw_thumbnail
from medseg.reporting.purpose import USUAL, PageLook
from medseg.reporting.record.json import content_digest
from medseg.reporting.record.signature import unsigned
from medseg.workflows.batch import CaseResult, each, make_folder, only
from medseg.workflows.ledger import Ledger, file_digest, ledger_path, open_ledger
from medseg.workflows.lookup import find_inputs
from medseg.workflows.record import is_record, read_record
from medseg.workflows.report import CHANGED, ReportFiles, open_inputs, write_views

__all__ = ["CONTACT_SHEET", "records_by_stem", "report_cases"]

#: The page over all cases, in the folder of their pages.
CONTACT_SHEET = "index.html"
#: Lines of the table at the end that are of no single case.
_TABLES, _SHEET = "all records", "contact sheet"
#: Views with a file per case.
_PAGES = ("html", "pdf")


def report_cases(
    records: Mapping[str, tuple[Path, ...]],
    files: ReportFiles,
    *,
    among: Sequence[Path] = (),
    look: PageLook = USUAL,
    force: bool = False,
    run: Run | None = None,
) -> tuple[CaseResult, ...]:
    """Pages of many Records into folders, one page each by its name; their numbers in one table.

    Parameters
    ----------
    records
        Files by stem, see `records_by_stem`.
    files
        `html` and `pdf` are folders, and that of HTML gets a contact sheet, `index.html`. `csv` has a row per case,
        `long` one per measurement, and `xlsx` both as sheets. What stands and is asked for alike is kept.
    among
        Files and folders that hold the inputs of those Records that do not find them where they say: see
        `find_inputs`. One that is not among them either is a case that failed.
    """
    if not files.given:
        raise InputError("nothing to write: give at least one of --html, --pdf, --csv, --csv-long, --xlsx")
    folders = {view: path for view, path in files.given.items() if view in _PAGES}
    tables = {view: path for view, path in files.given.items() if view not in _PAGES}
    for folder in (*folders.values(), *(path.parent for path in tables.values())):
        make_folder(folder)
    home = next(iter(folders.values()), None) or next(iter(tables.values())).parent
    ledger = open_ledger(ledger_path(home, "report"), "report")
    batch = _Batch(records, folders, tables, ledger, look, force, among)
    run = run or Run()
    results = each(records, batch.page if batch.folders else batch.read_only, run, "report")
    results = results if batch.folders else tuple(item for item in results if item.state == "failed")
    if "html" in batch.folders:
        results = (*results, *each([_SHEET], batch.sheet, run, "report"))
    return (*results, *each([_TABLES], batch.table, run, "report")) if batch.tables else results


@dataclass(slots=True)
class _Batch:
    """What is asked for, and what each page gave to the contact sheet: a thumbnail, and what the page says."""

    records: Mapping[str, tuple[Path, ...]]
    folders: Mapping[str, Path]
    tables: Mapping[str, Path]
    ledger: Ledger
    look: PageLook
    force: bool
    among: Sequence[Path] = ()
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    def page(self, case: str) -> CaseResult:
        """The pages of a case; what stands and is asked for alike is kept."""
        path = only(self.records[case])
        views = {view: folder / f"{case}.{view}" for view, folder in self.folders.items()}
        if views.get("html", Path()).name == CONTACT_SHEET:
            raise InputError(
                f"{path} would have the page {CONTACT_SHEET}, which is that of all cases: rename it"
            )

        def make(replaces: bool) -> dict[str, Any]:  # noqa: FBT001 - the ledger's signature
            return _write_page(record, path.parent, ReportFiles(**views), look=self.look, force=replaces)

        record = find_inputs(read_record(path), path.parent, self.among)
        asked = _asked_of_page(path, record, views, self.look)
        result, shown = self.ledger.settle(case, asked, tuple(views.values()), make, force=self.force)
        self.shown[case] = shown
        return result

    def read_only(self, case: str) -> CaseResult:
        """Where only tables are written, a Record that can't be read is named all the same."""
        read_record(only(self.records[case]))
        return CaseResult(case, "done", 0.0)

    def sheet(self, case: str) -> CaseResult:
        """The contact sheet over the cases that have a page; those that failed are named on it."""
        path = self.folders["html"] / CONTACT_SHEET
        cards = [_card(name, paths, self.shown.get(name)) for name, paths in self.records.items()]

        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            write_bytes(path, contact_to_html(cards), force=replaces)

        told = [[name, [file_digest(path) for path in paths]] for name, paths in self.records.items()]
        asked = {"the cases": digest_of_plain([told, self.shown])}
        return self.ledger.settle(case, asked, (path,), make, force=self.force)[0]

    def table(self, case: str) -> CaseResult:
        """The tables of all Records that can be read."""
        readable = {
            name: paths[0] for name, paths in self.records.items() if len(paths) == 1 and is_record(paths[0])
        }
        found = {name: read_record(path) for name, path in readable.items()}

        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            makers: dict[str, Callable[[], bytes]] = {
                "csv": lambda: room.to_wide_csv(found),
                "long": lambda: room.to_csv(found.values()),
                "xlsx": lambda: room.to_wide_xlsx(found),
            }
            for view, path in self.tables.items():
                write_bytes(path, makers[view](), force=replaces)

        told = [[name, content_digest(record)] for name, record in found.items()]
        asked = {"records": digest_of_plain(told), "the views": digest_of_plain(sorted(self.tables))}
        return self.ledger.settle(case, asked, tuple(self.tables.values()), make, force=self.force)[0]


def _write_page(
    record: Record, folder: Path, files: ReportFiles, *, look: PageLook, force: bool
) -> dict[str, Any]:
    """Write a case's pages; what the contact sheet shows of it, as plain values for the ledger."""
    found = open_inputs(record, folder)
    write_views(
        found.record,
        files,
        mask=found.mask,
        images=found.images,
        extras=room.PageExtras(missing=found.missing, look=look),
        force=force,
    )
    if files.html is None:
        return {}
    if found.mask is None:
        return {"changed": found.is_changed}
    drawn = draw_thumbnail(found.record, found.mask, found.images)
    return {"picture": base64.b64encode(drawn.png).decode(), "caption": drawn.caption}


def _card(name: str, paths: tuple[Path, ...], shown: dict[str, Any] | None) -> Card:
    """A case as the sheet shows it: by its Record as it is now, and by the picture of its page."""
    if shown is None:
        return Card(name, None, "")
    record: Record = read_record(paths[0])
    if shown.get("changed"):
        record = unsigned(record, CHANGED)
    picture = None
    if "picture" in shown:
        picture = room.Picture("thumbnail", base64.b64decode(shown["picture"]), shown["caption"])
    return Card(name, record, f"{name}.html", picture)


def records_by_stem(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Records (JSON) of a folder by stem; other JSON files are left out, but not Records that are damaged.

    Of a folder without any, those of `NAME/record.json` by NAME: the cases of a cohort.

    Raises
    ------
    InputError
        If there are none.
    """
    found: dict[str, tuple[Path, ...]] = {
        path.stem: (path,) for path in sorted(folder.glob("*.json")) if _may_be_record(path)
    }
    found = found or {path.parent.name: (path,) for path in sorted(folder.glob("*/record.json"))}
    if not found:
        raise InputError(f"{folder} holds no records; 'medseg measure' writes them")
    return found


def _may_be_record(path: Path) -> bool:
    """Whether a JSON says that it is a Record, or is damaged so that it can't say."""
    if path.name.endswith((".seg.json", ".prob.json")):
        return False
    if is_record(path):
        return True
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(found, dict) and str(found.get("schema", "")).startswith("medseg.record/")


def _asked_of_page(path: Path, record: Record, views: Mapping[str, Path], look: PageLook) -> dict[str, str]:
    """A page is made of its Record, and of the inputs whose pictures it shows, where they were found."""
    inputs = [file_digest(path.parent / item.path) for item in record.inputs if item.path]
    return {
        "the record": file_digest(path),
        "an input": digest_of_plain(inputs),
        "the views": digest_of_plain(
            [*sorted(views), "thumbnail", look.purpose, look.full, look.paper, *map(list, look.windows)]
        ),
    }
