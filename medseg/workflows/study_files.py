"""Files that a study asks of its Records: REDCap's dictionary and data, a paragraph on methods, the CLAIM checklist."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medseg.domain import Record
from medseg.errors import MedsegError
from medseg.io.atomic import require_absent, write_bytes
from medseg.io.unfinished import together
from medseg.reporting.study.checklist import claim_checklist
from medseg.reporting.study.methods import methods_paragraph
from medseg.reporting.study.redcap import redcap_data, redcap_dictionary
from medseg.workflows.batch import make_folder, only
from medseg.workflows.record import read_record
from medseg.workflows.report_many import records_by_stem
from medseg.workflows.segmenters import find_segmenter

__all__ = ["StudyFiles", "study_files"]

DICTIONARY, DATA = "dictionary.csv", "data.csv"


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Where they go; None leaves one out. `redcap` is a folder for both of its files."""

    redcap: Path | None = None
    methods: Path | None = None
    checklist: Path | None = None

    @property
    def given(self) -> dict[str, Path]:
        """What → path, of all that is asked for."""
        found = {} if self.redcap is None else {name: self.redcap / name for name in (DICTIONARY, DATA)}
        more = {"methods": self.methods, "checklist": self.checklist}
        return found | {name: path for name, path in more.items() if path is not None}


def study_files(records: Path, files: StudyFiles, *, force: bool = False) -> dict[str, Path]:
    """Write them for one Record or a folder of Records; returns what was written.

    Raises
    ------
    InputError
        If a Record can't be read: a table that lacks a case would not be seen to.
    """
    for path in files.given.values():
        require_absent(path, force=force)
    paths = records_by_stem(records) if records.is_dir() else {records.stem: (records,)}
    found = {name: read_record(only(several)) for name, several in paths.items()}
    if files.redcap is not None:
        make_folder(files.redcap)
    with together(*files.given.values()):
        for what, path in files.given.items():
            write_bytes(path, _bytes(what, found), force=force)
    return files.given


def _bytes(what: str, records: Mapping[str, Record]) -> bytes:
    if what == DICTIONARY:
        return redcap_dictionary(records)
    if what == DATA:
        return redcap_data(records)
    if what == "checklist":
        return claim_checklist(list(records.values())).encode()
    names = {record.made_by.segmenter for record in records.values()}
    return methods_paragraph(list(records.values()), _sources(names)).encode()


def _sources(names: set[str]) -> dict[str, str]:
    """Citations of the segmenters that are installed here; of others the Records know no source."""
    found = {}
    for name in sorted(names):
        try:
            found[name] = find_segmenter(name).spec.source
        except MedsegError:
            continue
    return {name: source for name, source in found.items() if source}
