"""`medseg evaluate`: predictions against references."""

from pathlib import Path
from typing import Annotated, Any

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, print_table, say
from medseg.cli.progress import running
from medseg.domain import Finding, ReadOptions
from medseg.errors import ConfigError, PartialFailure
from medseg.io import is_dataset, open_dataset
from medseg.io.atomic import require_apart
from medseg.io.unfinished import together
from medseg.metrics import LesionRule
from medseg.workflows.aside import left_aside, without_reference
from medseg.workflows.evaluate import (
    Evaluation,
    evaluate_files,
    evaluation_rows,
    ignored_findings,
    is_many,
    read_patients,
    summary_rows,
    volume_agreement,
)
from medseg.workflows.evaluated import EvaluationFiles, memory_of, require_free, write_evaluation
from medseg.workflows.pairs import PairOptions, as_map, files_in

_LESIONS = "Lesions"


@opt.reading(without=("series", "space"))
def command(
    prediction: Annotated[Path, typer.Argument(help="A mask, or a folder of masks.")],
    reference: Annotated[
        Path, typer.Argument(help="The reference mask, a folder, or a dataset; paired by case.")
    ],
    tolerance_mm: Annotated[float, typer.Option(help="Tolerance of the surface Dice in mm.")] = 2.0,
    labels: opt.Labels = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="OLD=NEW",
            help="A label value that stands for another, such as 255=1 or prediction:3=0; repeat for each.",
        ),
    ] = None,
    lesions: Annotated[
        bool,
        typer.Option(
            "--lesions",
            help="Also compare lesion by lesion: sensitivity, false positives, F1.",
            rich_help_panel=_LESIONS,
        ),
    ] = False,
    connectivity: Annotated[
        int,
        typer.Option(
            help="Voxels that share a face (6), an edge (18) or a corner (26) are one lesion.",
            rich_help_panel=_LESIONS,
        ),
    ] = 26,
    min_lesion_mm3: Annotated[
        float, typer.Option(help="Smaller lesions do not count.", rich_help_panel=_LESIONS)
    ] = 0.0,
    iou: Annotated[
        float, typer.Option(help="Smallest IoU of a lesion that is found.", rich_help_panel=_LESIONS)
    ] = 0.1,
    out: Annotated[
        Path | None, typer.Option(help="Also write one row per case, label and quantity as CSV.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a comparison page, with pictures of the worst cases.")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            help="Image under the outlines of the page; of many cases a folder or dataset of images, paired by name."
        ),
    ] = None,
    patients: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns case and patient, where a patient has several cases."),
    ] = None,
    read: ReadOptions = ReadOptions(),
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Compare masks: Dice, surface Dice, HD95, ASSD and volume error, in true mm.

    When both masks are empty Dice is 1; when one is, Dice is 0 and distances are not computed. Beside a
    mean stand the cases, the misses and the false positives. Of two folders, what was compared before and has not
    changed since is not compared again, where --out or --html keeps the results.
    """
    rule = _rule(lesions, connectivity, min_lesion_mm3, iou)
    reading = PairOptions(labels, as_map(map_ or []), read)
    files = EvaluationFiles(out, html)
    memory = memory_of(files) if is_many(prediction) else None
    with together(*files.given):
        require_free(files, memory, force=force)
        require_apart(files.given, (prediction, reference, image, labels, patients))
        if image is not None and html is None:
            raise ConfigError("--image is under the outlines of the page: it needs --html")
        whose = None if patients is None else read_patients(patients)
        with running("cpu", quiet=json or not is_many(prediction)) as run:
            results = evaluate_files(
                prediction,
                reference,
                tolerance_mm=tolerance_mm,
                lesions=rule,
                options=reading,
                memory=memory,
                run=run,
            )
        rows = _rows(results)
        masks = (prediction, reference)
        write_evaluation(
            results, files, memory, masks=masks, image=image, options=reading, patients=whose, force=force
        )
    aside = tuple(
        finding
        for path in dict.fromkeys((prediction, reference))
        if path.is_dir()
        for finding in _aside(path)
    )
    _show(
        results,
        rows,
        summary_rows(results, patients=whose),
        json=json,
        findings=(*ignored_findings(results), *aside),
    )


def _aside(folder: Path) -> tuple[Finding, ...]:
    """What a folder holds beside its masks, and in a dataset beside its cases."""
    cases = open_dataset(folder).cases if is_dataset(folder) else ()
    return (*without_reference(cases), *left_aside(folder, files_in(folder)))


def _rule(lesions: bool, connectivity: int, minimum_mm3: float, iou: float) -> LesionRule | None:
    if not lesions:
        if (connectivity, minimum_mm3, iou) != (26, 0.0, 0.1):
            raise ConfigError(
                "--connectivity, --min-lesion-mm3 and --iou are rules of lesions: add --lesions"
            )
        return None

    return LesionRule(connectivity, minimum_mm3, iou)  # type: ignore[arg-type]


def _rows(results: tuple[Evaluation, ...]) -> list[dict[str, object]]:
    return evaluation_rows(results)


def _show(
    results: tuple[Evaluation, ...],
    rows: list[dict[str, object]],
    summary: list[dict[str, Any]],
    *,
    json: bool,
    findings: tuple[Finding, ...],
) -> None:
    failed = [item for item in results if item.error]
    if json:
        errors = {item.case: item.error for item in failed}
        emit(
            "evaluate",
            {
                "cases": [
                    {
                        "case": item.case,
                        "state": item.state,
                        "reason": item.reason,
                        "ignored_voxels": item.ignored_voxels,
                    }
                    for item in results
                ],
                "measurements": rows,
                "summary": summary,
                "agreement": _agreement(results),
                "failed": errors,
            },
            findings,
        )
        if failed:
            raise typer.Exit(PartialFailure.exit_code)
        return
    print_findings(findings)
    if rows:
        head = ("case", "name", "lesion", "detail", "quantity", "value", "unit", "status", "reason")
        print_table(head, [tuple(row[key] for key in head) for row in rows])
    else:
        say("nothing to compare: no mask has a label")
    if len(results) > 1 and summary:
        print_table(tuple(summary[0]), [tuple(row.values()) for row in summary], title="summary")
        if agreement := _agreement(results):
            print_table(
                tuple(agreement[0]), [tuple(row.values()) for row in agreement], title="agreement of volumes"
            )
    if any(item.state != "compared" for item in results):
        for item in results:
            say(f"{item.case}: {item.state}" + (f" ({item.reason})" if item.reason else ""))
    for item in failed:
        say(f"{item.case}: {item.error}")
    if failed:
        raise PartialFailure(f"{len(failed)} of {len(results)} cases have errors")


def _agreement(results: tuple[Evaluation, ...]) -> list[dict[str, Any]]:
    rows = []
    for item in volume_agreement(results):
        found, icc = item.bland_altman, item.icc
        rows.append(
            {
                "name": item.name,
                "cases": found.count,
                "bias_ml": found.bias,
                "bias_low": found.bias_interval.low,
                "bias_high": found.bias_interval.high,
                "sd_ml": found.sd,
                "limit_low_ml": found.limits[0],
                "limit_high_ml": found.limits[1],
                "icc_2_1": icc.value if icc else None,
                "icc_low": icc.interval.low if icc else None,
                "icc_high": icc.interval.high if icc else None,
            }
        )
    return rows
