"""Every batch twice, with something changed between: kept, made again or refused, and said per case."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.io.atomic import write_bytes
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
LOW, HIGH = ("-p", "low=50"), ("-p", "low=70")


@pytest.fixture
def scans(ball: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copy(ball, folder / f"{name}.nii.gz")
    return folder


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray] | None = None, shift: float = 0.0) -> None:
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    affine = image.affine.copy()
    affine[0, 3] += shift
    again = nib.Nifti1Image(values if change is None else change(values).astype(values.dtype), affine)
    again.header.set_xyzt_units("mm")
    nib.save(again, path)


def paint(path: Path) -> None:
    def stroke(values: np.ndarray) -> np.ndarray:
        values[0:2, 0, 3] = 1
        return values

    rewrite(path, stroke)


def states(seen: Seen) -> list[str]:
    return [case["state"] for case in seen.json["result"]["cases"]]


def reasons(seen: Seen) -> str:
    return " ".join(case["reason"] for case in seen.json["result"]["cases"])


class TestSegment:
    @pytest.fixture
    def run(self, medseg: Medseg, scans: Path, tmp_path: Path) -> Callable[..., Seen]:
        def segment(*more: object, name: str = "threshold", what: Path = scans) -> Seen:
            return medseg("segment", name, what, "--out", tmp_path / "o", "--json", *more)

        assert states(segment(*LOW)) == ["done", "done"]
        return segment

    def test_the_same_is_kept(self, run: Callable[..., Seen]) -> None:
        assert states(run(*LOW)) == ["kept", "kept"]

    def test_another_parameter(self, run: Callable[..., Seen]) -> None:
        seen = run(*HIGH)
        assert states(seen) == ["made again", "made again"]
        assert "low 50.0 → 70.0" in reasons(seen)
        assert states(run(*HIGH)) == ["kept", "kept"]

    def test_another_scan(self, run: Callable[..., Seen], scans: Path) -> None:
        rewrite(scans / "a.nii.gz", lambda values: values + 1)
        seen = run(*LOW)
        assert states(seen) == ["made again", "kept"]
        assert "the image is another one" in reasons(seen)

    def test_the_same_voxels_elsewhere(self, run: Callable[..., Seen], scans: Path) -> None:
        rewrite(scans / "b.nii.gz", shift=3.0)
        assert states(run(*LOW)) == ["kept", "made again"]

    def test_other_limits(self, run: Callable[..., Seen], scans: Path, tmp_path: Path) -> None:
        limits = tmp_path / "limits.nii.gz"
        shutil.copy(tmp_path / "o" / "a.nii.gz", limits)
        assert states(run(*LOW, "--within", limits)) == ["made again", "made again"]
        assert states(run(*LOW, "--within", limits)) == ["kept", "kept"]

    def test_another_method_is_refused(self, run: Callable[..., Seen]) -> None:
        seen = run(name="otsu")
        assert (seen.code, states(seen)) == (3, ["failed", "failed"])
        assert "made by threshold, not by otsu" in reasons(seen)

    def test_a_painted_mask_is_kept_and_said(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        paint(tmp_path / "o" / "a.nii.gz")
        seen = run(*LOW)
        assert states(seen) == ["kept", "kept"]
        assert "changed outside medseg: foreground +2 voxels net (+0.004 ml), in slice 4" in reasons(seen)

    def test_a_painted_mask_is_not_made_again(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        paint(tmp_path / "o" / "a.nii.gz")
        before = (tmp_path / "o" / "a.nii.gz").read_bytes()
        seen = run(*HIGH)
        assert (seen.code, states(seen)) == (3, ["failed", "made again"])
        assert "holds later work" in reasons(seen)
        assert (tmp_path / "o" / "a.nii.gz").read_bytes() == before
        assert states(run(*HIGH, "--force")) == ["done", "done"]

    def test_an_edited_mask_is_kept_and_said(
        self, run: Callable[..., Seen], medseg: Medseg, tmp_path: Path
    ) -> None:
        out = tmp_path / "o" / "a.nii.gz"
        assert medseg("edit", out, "--op", "dilate=2", "--out", tmp_path / "e.nii.gz").code == 0
        assert medseg("convert", tmp_path / "e.nii.gz", out, "--force").code == 0
        seen = run(*LOW)
        assert states(seen) == ["kept", "kept"]
        assert "dilate" in reasons(seen)
        assert states(run(*HIGH)) == ["failed", "made again"]

    def test_a_mask_moved_in_its_header_is_said(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        rewrite(tmp_path / "o" / "a.nii.gz", shift=5.0)
        seen = run(*LOW)
        assert states(seen) == ["kept", "kept"]
        assert "its place in the header was changed" in reasons(seen)
        assert states(run(*HIGH)) == ["failed", "made again"]

    def test_values_declared_otherwise(self, run: Callable[..., Seen]) -> None:
        seen = run(*LOW, "--values", "image=HU")
        assert states(seen) == ["made again", "made again"]
        assert "declared otherwise" in reasons(seen)

    def test_what_no_case_can_be_done_with_is_one_line(
        self, run: Callable[..., Seen], tmp_path: Path
    ) -> None:
        for wrong in (("-p", "low=x"), ("--within", tmp_path / "nowhere.nii.gz"), ("-p", "nix=1")):
            assert run(*wrong).code == 2

    def test_a_foreign_file_is_refused(self, run: Callable[..., Seen], tmp_path: Path, ball: Path) -> None:
        shutil.copy(ball, tmp_path / "o" / "a.nii.gz")
        (tmp_path / "o" / "a.seg.json").unlink()
        seen = run(*LOW)
        assert (seen.code, states(seen)) == (3, ["failed", "kept"])
        assert nib.load(tmp_path / "o" / "a.nii.gz").get_data_dtype() == np.float32

    def test_another_name_leaves_the_old_mask_and_says_so(
        self, run: Callable[..., Seen], scans: Path
    ) -> None:
        (scans / "b.nii.gz").rename(scans / "c.nii.gz")
        seen = run(*LOW)
        assert states(seen) == ["kept", "done", "left over"]

    def test_two_files_of_one_name_are_a_clash(self, run: Callable[..., Seen], scans: Path) -> None:
        image = nib.load(scans / "b.nii.gz")
        nib.save(image, scans / "b.nii")
        seen = run(*LOW)
        assert (seen.code, states(seen)) == (3, ["kept", "failed"])
        assert "b.nii and b.nii.gz share the name b" in reasons(seen)

    def test_a_list_of_cases(self, run: Callable[..., Seen], scans: Path) -> None:
        table = scans.parent / "cases.csv"
        table.write_text("id,mr\na,scans/a.nii.gz\nb,scans/b.nii.gz\n", encoding="utf-8")
        assert states(run(*LOW, what=table)) == ["kept", "kept"]
        assert states(run(*HIGH, what=table)) == ["made again", "made again"]

    def test_the_scans_are_never_replaced(self, medseg: Medseg, scans: Path) -> None:
        before = (scans / "a.nii.gz").read_bytes()
        seen = medseg("segment", "threshold", scans, "--out", scans, *LOW, "--force", "--json")
        assert (seen.code, states(seen)) == (3, ["failed", "failed"])
        assert (scans / "a.nii.gz").read_bytes() == before
        one = medseg("segment", "threshold", scans / "a.nii.gz", "--out", scans / "a.nii.gz", *LOW, "--force")
        assert one.code == 2
        assert "a file that is read" in one.line


class TestMeasure:
    @pytest.fixture
    def run(self, medseg: Medseg, scans: Path, tmp_path: Path) -> Callable[..., Seen]:
        assert medseg("segment", "threshold", scans, "--out", tmp_path / "o", *LOW).code == 0

        def measure(*more: object) -> Seen:
            return medseg(
                "measure", tmp_path / "o", "--image", scans, "--out", tmp_path / "r", "--json", *more
            )

        assert states(measure()) == ["done", "done"]
        return measure

    def rows(self, tmp_path: Path) -> set[str]:
        lines = (tmp_path / "r" / "measurements.csv").read_text(encoding="utf-8").splitlines()
        return {line.split(",")[0] for line in lines[1:]}

    def test_the_same_is_kept_and_the_table_is_whole(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        before = (tmp_path / "r" / "measurements.csv").read_bytes()
        assert states(run()) == ["kept", "kept"]
        assert (tmp_path / "r" / "measurements.csv").read_bytes() == before
        assert self.rows(tmp_path) == {"a", "b"}

    def test_a_stopped_run_goes_on(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        (tmp_path / "r" / "b.json").unlink()
        (tmp_path / "r" / "measurements.csv").unlink()
        assert states(run()) == ["kept", "done"]
        assert self.rows(tmp_path) == {"a", "b"}

    @pytest.mark.parametrize(
        ("what", "words"), [("mask", "the mask is another one"), ("image", "the image is another one")]
    )
    def test_other_inputs(
        self, run: Callable[..., Seen], scans: Path, tmp_path: Path, what: str, words: str
    ) -> None:
        if what == "mask":
            paint(tmp_path / "o" / "a.nii.gz")
        else:
            rewrite(scans / "a.nii.gz", lambda values: values + 1)
        seen = run()
        assert states(seen) == ["made again", "kept"]
        assert words in reasons(seen)

    def test_another_question(self, run: Callable[..., Seen]) -> None:
        seen = run("--lesions", "all")
        assert states(seen) == ["made again", "made again"]
        assert "what is measured differs" in reasons(seen)

    def test_other_names(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        (tmp_path / "names.yaml").write_text("1: tumour\n", encoding="utf-8")
        seen = run("--labels", tmp_path / "names.yaml")
        assert states(seen) == ["made again", "made again"]
        assert "names of labels differs" in reasons(seen)

    def test_what_was_signed_is_not_made_again(
        self, run: Callable[..., Seen], medseg: Medseg, tmp_path: Path
    ) -> None:
        record = tmp_path / "r" / "a.json"
        assert medseg("sign", record, "--name", "A. Reader", "--organization", "Centre").code == 0
        signed = record.read_bytes()
        seen = run()
        assert states(seen) == ["kept", "kept"]
        assert "signed by A. Reader" in reasons(seen)
        assert states(run("--lesions", "all")) == ["failed", "made again"]
        assert record.read_bytes() == signed

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (("--values", "image=HU"), "declared otherwise"),
            (("--subject", "someone"), "subject's name differs"),
            (("--slice-thickness", "5"), "the way of reading differs"),
        ],
    )
    def test_every_other_question_has_its_reason(
        self, run: Callable[..., Seen], more: tuple[str, ...], words: str
    ) -> None:
        seen = run(*more)
        assert states(seen) == ["made again", "made again"]
        assert words in reasons(seen)

    def test_without_images_it_says_what_is_not_given(
        self, run: Callable[..., Seen], medseg: Medseg, tmp_path: Path
    ) -> None:
        seen = medseg("measure", tmp_path / "o", "--out", tmp_path / "r", "--json")
        assert states(seen) == ["made again", "made again"]
        assert "the image is not given" in reasons(seen)

    def test_images_that_are_none_are_refused(
        self, run: Callable[..., Seen], medseg: Medseg, scans: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        for image in (tmp_path / "nowhere", tmp_path / "empty", scans / "a.nii.gz"):
            seen = medseg("measure", tmp_path / "o", "--image", image, "--out", tmp_path / "x")
            assert seen.code == 2, image
            assert not (tmp_path / "x").exists()

    def test_two_images_of_one_name_are_a_clash(self, run: Callable[..., Seen], scans: Path) -> None:
        nib.save(nib.load(scans / "b.nii.gz"), scans / "b.nii")
        seen = run()
        assert (seen.code, states(seen)) == (3, ["kept", "failed"])
        assert "share the name b" in reasons(seen)

    def test_numbers_changed_by_hand_are_refused(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        path = tmp_path / "r" / "a.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        record["measurements"][0]["value"] += 1
        path.write_text(json.dumps(record), encoding="utf-8")
        seen = run()
        assert (seen.code, states(seen)) == (3, ["failed", "kept"])
        assert "were changed since they were measured" in reasons(seen)

    def test_a_foreign_table_is_refused(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        (tmp_path / "r" / "measurements.csv").write_text("mine\n", encoding="utf-8")
        assert run().code == 2
        assert (tmp_path / "r" / "measurements.csv").read_text(encoding="utf-8") == "mine\n"

    def test_a_mask_without_its_image_is_named(self, run: Callable[..., Seen], scans: Path) -> None:
        (scans / "b.nii.gz").rename(scans / "c.nii.gz")
        seen = run()
        assert (seen.code, states(seen)) == (3, ["kept", "failed"])
        assert "no image is named b" in reasons(seen)

    def test_outlines_and_lesions_go_into_folders(self, run: Callable[..., Seen], tmp_path: Path) -> None:
        beside = ("--lesions", "all", "--contours", tmp_path / "c", "--lesion-mask", tmp_path / "l")
        assert states(run(*beside)) == ["made again", "made again"]
        assert {path.name for path in (tmp_path / "c").glob("*.json")} == {"a.json", "b.json"}
        assert {path.name for path in (tmp_path / "l").glob("*.nii.gz")} == {"a.nii.gz", "b.nii.gz"}
        assert states(run(*beside)) == ["kept", "kept"]
        (tmp_path / "c" / "b.json").unlink()
        assert states(run(*beside)) == ["kept", "kept"]
        assert (tmp_path / "c" / "b.json").exists()
        paint(tmp_path / "l" / "a.nii.gz")
        assert "a.nii.gz kept: changed since" in reasons(run(*beside))
        other = run(*beside, "--min-lesion-mm3", "5")
        assert states(other)[0] == "failed"
        three = run(*beside, "--contour-planes", "three")
        assert "the planes changed" in reasons(three)


class TestLedgers:
    """Edit, convert, report and evaluate remember in a ledger what their outputs were made of."""

    @pytest.fixture
    def masks(self, medseg: Medseg, scans: Path, tmp_path: Path) -> Path:
        assert medseg("segment", "threshold", scans, "--out", tmp_path / "o", *LOW).code == 0
        return tmp_path / "o"

    def test_edit(self, medseg: Medseg, masks: Path, tmp_path: Path) -> None:
        def run(*more: object) -> Seen:
            return medseg("edit", masks, "--out", tmp_path / "e", "--json", *more)

        assert states(run("--op", "close=2")) == ["done", "done"]
        assert states(run("--op", "close=2")) == ["kept", "kept"]
        seen = run("--op", "close=3")
        assert states(seen) == ["made again", "made again"]
        assert "the operations changed" in reasons(seen)
        paint(masks / "a.nii.gz")
        assert states(run("--op", "close=3")) == ["made again", "kept"]
        paint(tmp_path / "e" / "b.nii.gz")
        assert states(run("--op", "close=3")) == ["kept", "kept"]
        assert "changed since: b.nii.gz" in reasons(run("--op", "close=3"))
        assert states(run("--op", "close=4")) == ["made again", "failed"]

    def test_convert(self, medseg: Medseg, masks: Path, tmp_path: Path) -> None:
        def run(suffix: str = ".mha") -> Seen:
            return medseg("convert", masks, tmp_path / "c", "--to", suffix, "--json")

        assert states(run()) == ["done", "done"]
        assert states(run()) == ["kept", "kept"]
        paint(masks / "a.nii.gz")
        assert states(run()) == ["made again", "kept"]
        (tmp_path / "c" / "b.mha").unlink()
        assert states(run()) == ["kept", "done"]
        assert run("mha").code == 2

    def test_report(self, medseg: Medseg, masks: Path, scans: Path, tmp_path: Path) -> None:
        def measure() -> Seen:
            return medseg("measure", masks, "--image", scans, "--out", tmp_path / "r")

        def run() -> Seen:
            pages = ("--html", tmp_path / "pages", "--csv", tmp_path / "all.csv")
            return medseg("report", tmp_path / "r", *pages, "--json")

        assert measure().code == 0
        assert states(run()) == ["done"] * 4
        pages = {path.name for path in (tmp_path / "pages").glob("*.html")}
        assert pages == {"a.html", "b.html", "index.html"}
        assert states(run()) == ["kept"] * 4
        rewrite(scans / "a.nii.gz", lambda values: values + 1)
        # The page of a, and the contact sheet with its picture; the table is of the records alone.
        assert states(run()) == ["made again", "kept", "made again", "kept"]
        assert measure().code == 0
        assert states(run()) == ["made again", "kept", "made again", "made again"]

    def test_evaluate(self, medseg: Medseg, masks: Path, tmp_path: Path) -> None:
        other, table = tmp_path / "other", tmp_path / "t.csv"
        shutil.copytree(masks, other)

        def run(*more: object) -> Seen:
            return medseg("evaluate", masks, other, "--out", table, "--json", *more)

        first = run()
        assert first.code == 0
        again = run()
        assert again.json["result"]["measurements"] == first.json["result"]["measurements"]
        paint(masks / "a.nii.gz")
        changed = run()
        assert changed.json["result"]["measurements"] != first.json["result"]["measurements"]
        values = [
            str(row["value"]) for row in changed.json["result"]["measurements"] if row["quantity"] == "dice"
        ]
        assert values[0] in table.read_text(encoding="utf-8")
        table.write_text("mine\n", encoding="utf-8")
        assert run().code == 0
        assert table.read_text(encoding="utf-8") == "mine\n"
        paint(other / "b.nii.gz")
        assert run().code == 2
        assert table.read_text(encoding="utf-8") == "mine\n"
        assert run("--force").code == 0

    def test_a_case_whose_last_line_was_cut_is_known_by_its_files(
        self, medseg: Medseg, masks: Path, tmp_path: Path
    ) -> None:
        arguments = ("convert", masks, tmp_path / "c", "--to", ".mha", "--json")
        assert medseg(*arguments).code == 0
        ledger = tmp_path / "c" / "medseg-convert.jsonl"
        lines = [line for line in ledger.read_bytes().splitlines() if line]
        assert json.loads(lines[-1])["case"].split()[0] == "b"
        ledger.write_bytes(b"\n".join(lines)[:-40])
        # No note says that the killed run wrote it, so it may as well be a person's.
        seen = medseg(*arguments)
        assert (seen.code, states(seen)) == (3, ["kept", "failed"])
        assert "no batch wrote it" in reasons(seen)
        assert states(medseg(*arguments, "--force")) == ["done", "done"]
        assert states(medseg(*arguments)) == ["kept", "kept"]

    def test_what_no_batch_wrote_is_refused(self, medseg: Medseg, masks: Path, tmp_path: Path) -> None:
        (tmp_path / "c").mkdir()
        (tmp_path / "c" / "a.mha").write_bytes(b"mine")
        seen = medseg("convert", masks, tmp_path / "c", "--to", ".mha", "--json")
        assert (seen.code, states(seen)) == (3, ["failed", "done"])
        assert (tmp_path / "c" / "a.mha").read_bytes() == b"mine"

    def test_a_case_that_failed_does_not_make_a_persons_file_medsegs(
        self, medseg: Medseg, masks: Path, tmp_path: Path
    ) -> None:
        arguments = ("edit", masks, "--op", "close=2", "--out", tmp_path / "e", "--json")
        assert medseg(*arguments, "--label", "nothing").code == 3
        shutil.copy(masks / "b.nii.gz", tmp_path / "e" / "a.nii.gz")
        seen = medseg(*arguments)
        assert (seen.code, states(seen)) == (3, ["failed", "done"])
        assert (tmp_path / "e" / "a.nii.gz").read_bytes() == (masks / "b.nii.gz").read_bytes()

    def test_another_format_is_another_output(self, medseg: Medseg, masks: Path, tmp_path: Path) -> None:
        for suffix, expected in ((".nrrd", "done"), (".mha", "done"), (".nrrd", "kept"), (".mha", "kept")):
            seen = medseg("convert", masks, tmp_path / "c", "--to", suffix, "--json")
            assert states(seen) == [expected, expected], suffix

    def test_voxels_beside_a_header_count(self, medseg: Medseg, masks: Path, tmp_path: Path) -> None:
        import SimpleITK as sitk

        folder = tmp_path / "mhd"
        folder.mkdir()
        image = sitk.ReadImage(str(masks / "a.nii.gz"))
        sitk.WriteImage(image, str(folder / "a.mhd"))
        arguments = ("convert", folder, tmp_path / "c", "--to", ".nrrd", "--json")
        assert states(medseg(*arguments)) == ["done"]
        sitk.WriteImage(image * 0, str(folder / "a.mhd"))
        assert states(medseg(*arguments)) == ["made again"]

    def test_a_damaged_record_is_named(
        self, medseg: Medseg, masks: Path, scans: Path, tmp_path: Path
    ) -> None:
        assert medseg("measure", masks, "--image", scans, "--out", tmp_path / "r").code == 0
        path = tmp_path / "r" / "b.json"
        path.write_bytes(path.read_bytes()[:3000])
        for views in (("--html", tmp_path / "h"), ("--csv", tmp_path / "all.csv")):
            seen = medseg("report", tmp_path / "r", *views, "--json")
            assert seen.code == 3
            assert "b" in [case["case"] for case in seen.json["result"]["cases"] if case["state"] == "failed"]


KILLED = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from medseg import cli
from medseg.workflows.ledger import Ledger

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{where}, killed)
sys.argv = ["medseg", *{arguments!r}]
cli.main()
"""
#: Where a batch is killed: when an output has its name and the ledger does not say so yet, and before it is written.
ENTERED, BEGUN = "(Ledger, 'finish')", "(import_module('medseg.workflows.convert'), 'convert')"


class TestAKilledBatch:
    """Of a case that a killed batch had begun, only what that batch wrote is replaced."""

    @pytest.fixture
    def run(self, medseg: Medseg, scans: Path, tmp_path: Path) -> Callable[..., Seen]:
        assert medseg("segment", "threshold", scans, "--out", tmp_path / "o", *LOW).code == 0

        def convert(*more: object, killed: str = "") -> Seen:
            arguments = [
                str(item)
                for item in ("convert", tmp_path / "o", tmp_path / "c", "--to", ".mha", "--json", *more)
            ]
            if not killed:
                return medseg(*arguments)
            code = KILLED.format(where=killed, arguments=arguments)
            assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
            return Seen(-9, "", "")

        return convert

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        return tmp_path / "c" / "a.mha"

    def hidden(self, out: Path) -> list[str]:
        return [item.name for item in out.parent.iterdir() if item.name.startswith(".")]

    def test_its_own_output_is_made_again(self, run: Callable[..., Seen], out: Path) -> None:
        run(killed=ENTERED)
        assert out.exists()
        seen = run()
        assert (seen.code, states(seen)) == (0, ["made again", "done"])
        assert "did not finish" in reasons(seen)
        assert states(run()) == ["kept", "kept"]
        assert self.hidden(out) == []

    def test_a_file_that_a_person_put_there_is_refused(self, run: Callable[..., Seen], out: Path) -> None:
        run(killed=BEGUN)
        out.write_bytes(b"mine")
        seen = run()
        assert (seen.code, states(seen)) == (3, ["failed", "done"])
        assert "no batch wrote it" in reasons(seen)
        assert out.read_bytes() == b"mine"
        assert states(run("--force")) == ["done", "done"]

    def test_its_own_output_that_a_person_changed_is_refused(
        self, run: Callable[..., Seen], out: Path
    ) -> None:
        run(killed=ENTERED)
        out.write_bytes(out.read_bytes())
        before = out.read_bytes()
        assert states(run()) == ["failed", "done"]
        assert out.read_bytes() == before

    def test_what_stood_before_it_is_made_again(
        self, run: Callable[..., Seen], out: Path, tmp_path: Path
    ) -> None:
        assert states(run()) == ["done", "done"]
        paint(tmp_path / "o" / "a.nii.gz")
        run(killed=BEGUN)
        before = out.read_bytes()
        assert states(run()) == ["made again", "kept"]
        assert out.read_bytes() != before


@contextmanager
def never_undone(path: Path) -> Iterator[Callable[[bytes], object]]:
    """As a process that is killed: what it wrote stays."""
    yield lambda data: write_bytes(path, data, force=True)


class TestKilledBetweenTwoNames:
    def test_a_mask_under_the_next_masks_sidecar_is_made_again(
        self, medseg: Medseg, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out, other = tmp_path / "o", ("-p", "low=105")
        assert medseg("segment", "threshold", scans, "--out", out, *LOW).code == 0
        original = Path.replace

        def killed(self: Path, target: Path) -> Path:
            if target.name == "b.nii.gz":
                raise KeyboardInterrupt
            return original(self, target)

        monkeypatch.setattr("medseg.io.write._undone_on_failure", never_undone)
        monkeypatch.setattr(Path, "replace", killed)
        assert medseg("segment", "threshold", scans, "--out", out, *other).code == 130
        monkeypatch.setattr(Path, "replace", original)
        seen = medseg("segment", "threshold", scans, "--out", out, *other, "--json")
        assert (seen.code, states(seen)) == (0, ["kept", "made again"])
        assert "stopped before it replaced it" in reasons(seen)
        assert states(medseg("segment", "threshold", scans, "--out", out, *other, "--json")) == [
            "kept",
            "kept",
        ]
