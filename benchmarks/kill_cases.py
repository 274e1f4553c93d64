"""Commands that write, each on small phantoms: what they are called with, what they leave, and whether that is whole."""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kill_tries import Place, answer_of, run_command

__all__ = ["CASES", "Case", "files_of", "look_at", "prepare"]

_TINY = [
    "data.root=data",
    "loop.steps=4",
    "loop.batch=1",
    "loop.checkpoint_every=2",
    "loop.precision='32'",
    "grid.window=[16,16,16]",
    "network.filters=[4,4,8]",
    "network.strides=[[1,1,1],[2,2,2],[2,2,2]]",
    "network.kernels=[[3,3,3],[3,3,3],[3,3,3]]",
    "network.deep_supervision=0",
    "data.split=null",
    "data.cases=null",
    "data.held_out=[]",
    "data.folds=2",
    "loop.workers=0",
]
_PHANTOMS = [
    "phantoms.steps=2",
    "phantoms.unseen=2",
    "phantoms.patch=[16,16,16]",
    "phantoms.objects=[1,2]",
    "phantoms.radius_mm=[5.0,8.0]",
]


@dataclass(frozen=True)
class Case:
    """A command and its outputs.

    `older` are words of the command and others in their place: with those the outputs are made that a run is to replace.
    Outputs of a `batch` are cases of their own, which a run goes on with, and replaces without `--force` where they are
    asked for otherwise. `folders` are whole or absent as such. `loose` are patterns of what a run keeps for itself.
    `no_older` says why nothing can be replaced.
    """

    name: str
    words: str
    older: tuple[tuple[str, str], ...] = ()
    batch: bool = False
    folders: tuple[str, ...] = ()
    loose: tuple[str, ...] = ("*.jsonl",)
    more: tuple[str, ...] = ()
    no_older: str = ""

    @property
    def heavy(self) -> bool:
        """Whether it runs a network."""
        return self.name.startswith(("train", "demo", "segment, model"))

    @property
    def arguments(self) -> list[str]:
        """Words of the command."""
        return [*self.words.split(), *self.more]

    @property
    def before(self) -> list[str]:
        """Words of the command that makes what is to be replaced."""
        return [dict(self.older).get(word, word) for word in self.arguments]


_LOW = (("low=50", "low=105"),)
CASES = (
    Case("segment", "segment threshold scan.nii.gz -p low=50 --out out/mask.nii.gz", _LOW),
    Case("segment, objects", "segment split-objects scan.nii.gz --out out/mask.nii.gz --objects out/objects.nii.gz -p threshold=50", (("threshold=50", "threshold=105"),)),
    Case("segment, many", "segment threshold scans -p low=50 --out out", _LOW, batch=True),
    Case("measure", "measure mask.nii.gz --image scan --lesions all --contours out/contours.json --lesion-mask out/lesions.nii.gz --out out/record.json", (("mask.nii.gz", "other.nii.gz"),)),
    Case("measure, many", "measure masks --image scans --out out", (("masks", "others"),), batch=True),
    Case("report", "report record.json --html out/page.html --pdf out/page.pdf --csv out/rows.csv --xlsx out/rows.xlsx", (("record.json", "record2.json"),)),
    Case("report, many", "report records --html out --csv out/all.csv", (("records", "records2"),), batch=True),
    Case("evaluate", "evaluate mask.nii.gz other.nii.gz --out out/table.csv --html out/page.html", (("other.nii.gz", "mask.nii.gz"),)),
    Case("evaluate, many", "evaluate masks others --out out/table.csv --html out/page.html", (("others", "masks"),), batch=True),
    Case("convert", "convert mask.nii.gz out/mask.mha", (("mask.nii.gz", "other.nii.gz"),)),
    Case("convert, surfaces", "convert two.nii.gz out/body.stl", more=("--smooth",), older=(("--smooth", "--mask"),)),
    Case("convert, VOC folder", "convert picture.png out/voc", (("picture.png", "picture2.png"),), folders=("out/voc",)),
    Case("convert, many", "convert masks out --to .mha", (("masks", "others"),), batch=True),
    Case("edit", "edit mask.nii.gz --op dilate=2 --out out/mask.nii.gz", (("dilate=2", "dilate=4"),)),
    Case("edit, many", "edit masks --op dilate=2 --out out", (("dilate=2", "dilate=4"),), batch=True),
    Case("sign", "sign record.json --out out/signed.json --name Reader --organization Centre", (("Reader", "Other"),)),
    Case("sign, with a new key", "sign record.json --out out/signed.json --key out/own.pem --name Reader --organization Centre", no_older="a key is never replaced"),
    Case("sign, in place", "sign record.json --name Reader --organization Centre", no_older="it replaces the record itself"),
    Case("export", "export record.json --seg --sr --rtstruct --fhir --stable-uids --out out", (("record.json", "record2.json"),)),
    Case("export, de-identified", "export record.json --seg --sr --stable-uids --deidentify --key secret/key.json --out out", folders=("out",), no_older="a de-identified export wants a new folder"),
    Case("segment, model and probabilities", "segment hippocampus mr.nii.gz --probabilities --out out/mask.nii.gz", (("mr.nii.gz", "mr2.nii.gz"),)),
    Case("followup", "followup follow.json follow2.json --same-space --accept method --out out/changes.json --html out/page.html --csv out/rows.csv", (("follow2.json", "follow3.json"),)),
    Case("repeatability", "repeatability pairs.csv --out out/study.json --html out/page.html --csv out/rows.csv", (("pairs.csv", "pairs2.csv"),)),
    Case("plan", "plan data --out out/plan.yaml --no-trial", no_older="a plan is written once and then changed by hand"),
    Case("train", "train hippocampus_3d --out run --device cpu --threads 1", more=tuple(_TINY), folders=("run/bundle",), loose=("run/fold*", "run/cache/*", "run/plan.yaml", "run/split.json", "run/findings.json", "run/features.csv", "run/training.html"), no_older="a finished run is kept"),
    Case("train, on phantoms", "train touching_objects --out run --device cpu --threads 1", more=tuple(_PHANTOMS), folders=("run/bundle",), no_older="see --restart"),
    Case("cohort", "cohort study.yaml --out out", (("study.yaml", "study2.yaml"),), batch=True, loose=("*.sqlite*", "*.parquet")),
    Case("demo", "demo --out out", folders=("out",), no_older="its folder is replaced as that of VOC"),
)  # fmt: skip


def prepare(folder: Path) -> None:
    """Phantoms and what is made of them by medseg itself, in the folder that every try starts with."""
    place = Place(folder)
    place.work.mkdir(parents=True)
    place.temporary.mkdir()
    answer_of(lambda: _draw(place.work))
    low, high = ("-p", "low=50"), ("-p", "low=105")
    measure = "measure {0}.nii.gz --image scan --out {1}.json"
    steps: list[list[str]] = [
        ["segment", "threshold", "scan", *low, "--out", "mask.nii.gz"],
        ["segment", "threshold", "scan", *high, "--out", "other.nii.gz"],
        ["segment", "threshold", "scans", *low, "--out", "masks"],
        ["segment", "threshold", "scans", *high, "--out", "others"],
        ["edit", "mask.nii.gz", "--op", "dilate=2", "--out", "dilated.nii.gz"],
        measure.format("mask", "record").split(),
        measure.format("other", "record2").split(),
        *(
            [*measure.format(mask, record).split(), "--lesions", "all"]
            for mask, record in (("mask", "follow"), ("other", "follow2"), ("dilated", "follow3"))
        ),
        ["measure", "masks", "--image", "scans", "--out", "records"],
        ["measure", "others", "--image", "scans", "--out", "records2"],
        # One key for all tries: it gives one pseudonym, by which files are named.
        "export record.json --fhir --deidentify --key secret/key.json --out given".split(),  # noqa: SIM905
    ]
    for words in steps:
        ended = run_command(words, place)
        if ended.code:
            raise RuntimeError(f"medseg {' '.join(words)}: {ended.said}")
    shutil.rmtree(place.work / "given")


def _draw(work: Path) -> str:
    import nibabel as nib
    import pydicom
    from PIL import Image

    from benchmarks.dicom_study import write_series
    from medseg import settings

    i, j, k = np.indices((20, 20, 8))
    away = (i - 9) ** 2 + (j - 10) ** 2 + (2 * (k - 4)) ** 2
    rng = np.random.default_rng(0)
    values = ((away <= 36) * 100 + rng.normal(0, 5, away.shape)).astype(np.int16)
    write_series(work / "scan", values, (1.0, 1.0, 2.0), number=1)
    for path in (work / "scan").iterdir():
        header = pydicom.dcmread(path)
        header.PatientName, header.PatientID = "Doe^Jane", "P-17"
        header.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.7.1"
        header.save_as(path)

    def save(path: Path, array: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(array, np.diag([1.0, 1.0, 2.0, 1.0]))
        image.header.set_xyzt_units("mm")
        image.set_qform(image.affine, 1)
        nib.save(image, path)

    save(work / "scan.nii.gz", values)
    for name, spread in (("pairs", 0.1), ("pairs2", 0.3)):
        rows = "\n".join(f"p{n},{5 + n},{5 + n + spread * (-1) ** n},volume,ml" for n in range(8))
        (work / f"{name}.csv").write_text(f"subject,first,second,quantity,unit\n{rows}\n", encoding="utf-8")
    for name in "ab":
        save(work / f"scans/{name}.nii.gz", values)
    for name, low in (("study", 50), ("study2", 105)):
        words = f"inputs: scans\nsegment: {{method: threshold, params: {{low: {low}}}}}\ncluster: {{workers: 1}}\n"
        (work / f"{name}.yaml").write_text(words, encoding="utf-8")
    parts = (away <= 36).astype(np.uint8)
    parts[10:] *= 2
    save(work / "two.nii.gz", parts)
    for number, name in enumerate(("picture", "picture2")):
        Image.fromarray(((np.indices((24, 24)).sum(0) % 7) == number).astype(np.uint8)).save(
            work / f"{name}.png"
        )
    for number in range(2):
        save(
            work / f"data/imagesTr/c{number}.nii.gz",
            (parts * 100 + rng.normal(0, 5, parts.shape)).astype(np.float32),
        )
        save(work / f"data/labelsTr/c{number}.nii.gz", parts)
    pairs = [{"image": f"imagesTr/c{n}.nii.gz", "label": f"labelsTr/c{n}.nii.gz"} for n in range(2)]
    content = {"name": "Tiny", "modality": {"0": "MRI"}, "labels": {"0": "background", "1": "a", "2": "b"}}
    (work / "data/dataset.json").write_text(json.dumps({**content, "training": pairs}))
    sample = nib.load(settings.shipped_folder() / "samples/hippocampus/mr.nii.gz")
    nib.save(sample, work / "mr.nii.gz")
    nib.save(nib.Nifti1Image(np.asarray(sample.dataobj)[::-1].copy(), sample.affine), work / "mr2.nii.gz")
    return ""


def files_of(case: Case, work: Path, inputs: dict[str, str]) -> dict[str, str]:
    """Outputs that bear final names, by path → digest of their bytes; inputs as they were and hidden files are none."""
    found = {}
    for path in sorted(work.rglob("*")):
        name = path.relative_to(work).as_posix()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if (
            path.is_dir()
            or hidden
            or any(Path(name).match(item) or name.startswith(item.rstrip("*")) for item in case.loose)
        ):
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if inputs.get(name) != digest:
            found[name] = digest
    return found


def look_at(case: Case, work: Path, names: list[str]) -> dict[str, list[str]]:
    """What is not whole, and which masks disagree with their sidecars, read by the formats' own readers."""
    broken, parted = [], []
    for name in names:
        path = work / name
        try:
            if path.name.endswith(".nii.gz.seg.json"):
                continue
            _reader_of(path)(path)
            if _is_mask(path):
                parted += _parted(path)
        except Exception as error:  # noqa: BLE001 - whatever a reader says is what is asked for
            broken.append(f"{name}: {type(error).__name__}: {error}"[:300])
    for folder in case.folders:
        if (work / folder).is_dir():
            broken += _not_whole(work / folder)
    for path in work.rglob("*.ckpt"):
        import torch

        if not path.name.startswith("."):
            torch.load(path, map_location="cpu", weights_only=True)
    return {"broken": broken, "parted": parted}


def _is_mask(path: Path) -> bool:
    from medseg.io.sidecar import has_sidecar

    return path.name.endswith((".nii.gz", ".mha", ".nrrd")) and has_sidecar(path)


def _parted(path: Path) -> list[str]:
    """A mask whose sidecar is that of other voxels; the sidecar of a mask that is still to come says so itself."""
    from medseg.io import read_segmentation

    codes = {item.code for item in read_segmentation(path).findings}
    found = read_segmentation(path)
    if "sidecar.unfinished" in codes:
        return []
    side = json.loads((path.with_name(path.name.split(".")[0] + ".seg.json")).read_bytes())
    agree = side["mask_digest"] == found.digest and "sidecar.ignored" not in codes
    return [] if agree else [f"{path.name}: its sidecar is that of another mask"]


def _reader_of(path: Path) -> Callable[[Path], Any]:
    name = path.name
    if name.endswith((".prob.nii.gz", ".prob.json")):
        return _probabilities
    for suffix, reader in _READERS.items():
        if name.endswith(suffix):
            return reader
    return lambda item: item.read_bytes()


def _probabilities(path: Path) -> None:
    if path.name.endswith(".json"):
        json.loads(path.read_bytes())
        return
    import nibabel as nib

    np.asarray(nib.load(path).dataobj)


def _image(path: Path) -> None:
    from medseg.io import read

    read(path)


def _json(path: Path) -> None:
    found = json.loads(path.read_bytes())
    if str(found.get("schema", "")).startswith("medseg.record/") if isinstance(found, dict) else False:
        from medseg.workflows.record import read_record, result_digest
        from medseg.workflows.verify import verify_files

        record = read_record(path)
        assert record.result_digest in (None, result_digest(record)), (
            "its numbers are not those of its digest"
        )
        if record.review.state == "reviewed":
            wrong = [check for check in verify_files(path) if not check.holds]
            assert not wrong, f"the signature does not hold: {wrong}"


def _table(path: Path) -> None:
    text = path.read_text(encoding="utf-8-sig")
    rows = list(csv.reader(text.splitlines()))
    assert text.endswith("\n"), "the last line is cut"
    assert {len(row) for row in rows} == {len(rows[0])}, "rows of several lengths"


def _page(path: Path) -> None:
    assert path.read_text("utf-8").rstrip().endswith("</html>"), "the page is cut"


def _pdf(path: Path) -> None:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    assert len(document) > 0
    document.close()


def _workbook(path: Path) -> None:
    import openpyxl

    assert openpyxl.load_workbook(path).sheetnames


def _dicom(path: Path) -> None:
    import pydicom

    found = pydicom.dcmread(path)
    for element in found.iterall():
        assert element.value is not None or element.VM == 0
    if "PixelData" in found and "Rows" in found and int(found.get("BitsAllocated", 8)) >= 8:
        assert len(found.PixelData) >= found.Rows * found.Columns * int(found.get("NumberOfFrames", 1)), (
            "pixels are missing"
        )


def _surface(path: Path) -> None:
    data = path.read_bytes()
    assert len(data) == 84 + 50 * int.from_bytes(data[80:84], "little"), "triangles are missing"


def _key(path: Path) -> None:
    from medseg.reporting.record.keys import public_of, public_pem

    data = path.read_bytes()
    if path.suffix == ".pem":
        other = path.with_name(f"{path.name}.pub")
        assert other.read_bytes() == public_pem(data), "the two keys are not of one pair"
    assert public_of(data)


_READERS: dict[str, Callable[[Path], Any]] = {
    ".nii.gz": _image,
    ".mha": _image,
    ".nrrd": _image,
    ".json": _json,
    ".csv": _table,
    ".html": _page,
    ".pdf": _pdf,
    ".xlsx": _workbook,
    ".dcm": _dicom,
    ".stl": _surface,
    ".pem": _key,
    ".pub": _key,
}


def _not_whole(folder: Path) -> list[str]:
    """A folder whose parts do not belong to one another: a bundle that does not load, a set that can't be opened."""
    try:
        if (folder / "card.yaml").exists() or folder.name == "bundle":
            from medseg.models import load_weights, read_card

            load_weights(read_card(folder), folder)
        elif folder.name == "voc":
            from medseg.io import open_dataset, read_segmentation

            for case in open_dataset(folder).cases:
                read_segmentation(str(case.reference))
    except Exception as error:  # noqa: BLE001 - whatever a reader says is what is asked for
        return [f"{folder.name}: {type(error).__name__}: {error}"[:300]]
    return []
