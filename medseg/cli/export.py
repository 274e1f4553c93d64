"""`medseg export`: a record as objects that hospital systems read."""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_findings, say
from medseg.errors import ConfigError
from medseg.io.dicom.derived.maker import MakerKind
from medseg.io.dicom.seg.kind import Packing, SegChoice
from medseg.workflows.deidentify import DeidentifyOptions, findings_in
from medseg.workflows.export import KINDS, Exported, ExportOptions, export_files


def command(
    record: Annotated[Path, typer.Argument(help="The JSON that 'medseg measure' wrote.")],
    files: opt.Inputs = None,
    out: Annotated[Path, typer.Option(help="Folder for the objects.")] = ...,  # type: ignore[assignment]
    seg: Annotated[bool, typer.Option("--seg", help="The mask as DICOM SEG.")] = False,
    sr: Annotated[
        bool, typer.Option("--sr", help="The numbers that people read as DICOM SR (TID 1500), axes drawn.")
    ] = False,
    sr_all: Annotated[bool, typer.Option("--sr-all", help="The SR with every number of the record.")] = False,
    rtstruct: Annotated[bool, typer.Option("--rtstruct", help="The outlines as RTSTRUCT.")] = False,
    dicom_pdf: Annotated[bool, typer.Option("--dicom-pdf", help="The report as Encapsulated PDF.")] = False,
    secondary_capture: Annotated[
        bool, typer.Option("--secondary-capture", help="The report's pages as pictures.")
    ] = False,
    key_images: Annotated[
        bool,
        typer.Option(
            "--key-images", help="Key Object Selection: slices with the largest sections and the axes."
        ),
    ] = False,
    fhir: Annotated[
        bool, typer.Option("--fhir", help="The numbers that people read as a FHIR R4B bundle (JSON).")
    ] = False,
    fhir_all: Annotated[
        bool, typer.Option("--fhir-all", help="The bundle with every number of the record.")
    ] = False,
    identified: Annotated[
        bool,
        typer.Option(
            "--identified",
            help="FHIR and the report's pages name the patient, and say when, as the source does.",
        ),
    ] = False,
    seg_type: Annotated[
        str,
        typer.Option(
            help="AUTO: BINARY, which every viewer loads, or LABELMAP where more than 10 structures that do not "
            "overlap would take more than 2 MB as BINARY. Or BINARY, LABELMAP, FRACTIONAL (needs probabilities)."
        ),
    ] = "AUTO",
    seg_compress: Annotated[
        str,
        typer.Option(help="AUTO packs a LABELMAP as RLE; RLE packs a FRACTIONAL, too; NONE packs nothing."),
    ] = "AUTO",
    dicom: Annotated[
        Path | None, typer.Option(help="Folder of the source series, if the record's images are no DICOM.")
    ] = None,
    made_by: Annotated[
        str | None,
        typer.Option(help='What made a mask that came from elsewhere, such as "nnU-Net 2.8"; with --by.'),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="How it was made: automatic, semiautomatic or manual.")
    ] = None,
    followup: Annotated[
        Path | None,
        typer.Option(
            help="What 'medseg followup' wrote: lesions keep the tracking UIDs that they have over all its scans."
        ),
    ] = None,
    stable_uids: Annotated[
        bool, typer.Option("--stable-uids", help="The same record gives the same UIDs.")
    ] = False,
    deidentify: Annotated[
        bool,
        typer.Option("--deidentify", help="Take the identity out of sources and objects, and write both."),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Key file of --deidentify: the same key, the same pseudonyms. Keep it to yourself."
        ),
    ] = None,
    keep_patient_characteristics: Annotated[
        bool, typer.Option("--keep-patient-characteristics", help="Leave sex, age, size and weight in.")
    ] = False,
    without_sources: Annotated[
        bool, typer.Option("--without-sources", help="Only derived objects, for sources that the key knows.")
    ] = False,
    window: opt.Windows = None,
    force: opt.Force = False,
    json: opt.Json = False,
) -> None:
    """Write a record and its mask as DICOM SEG, SR, RTSTRUCT, PDF, pictures, key images, and as FHIR.

    Headers come from the source series; every object is read again and compared before it gets its name.
    Titles say RESEARCH, and NOT REVIEWED until the record is signed. With --deidentify, sources and objects go
    out together under a pseudonym.

    Example: medseg export record.json --seg --sr --out objects
    """
    wanted_kinds = (seg, sr or sr_all, rtstruct, dicom_pdf, secondary_capture, key_images, fhir or fhir_all)
    asked = dict(zip(KINDS, wanted_kinds, strict=True))
    kinds = tuple(kind for kind, wanted in asked.items() if wanted)
    if not kinds:
        raise ConfigError(f"nothing to export: give at least one of --{', --'.join(KINDS)}")
    _require_one_of("--seg-type", seg_type.upper(), SegChoice)
    _require_one_of("--seg-compress", seg_compress.upper(), Packing)
    if (key or keep_patient_characteristics or without_sources) and not deidentify:
        raise ConfigError(
            "--key, --keep-patient-characteristics and --without-sources belong to --deidentify"
        )
    hiding = DeidentifyOptions(key, keep_patient_characteristics, not without_sources) if deidentify else None
    options = ExportOptions(
        kinds,
        seg_kind=seg_type.upper(),  # type: ignore[arg-type]
        packing=seg_compress.upper(),  # type: ignore[arg-type]
        sr_all=sr_all,
        fhir_all=fhir_all,
        dicom=dicom,
        stable_uids=stable_uids,
        followup=followup,
        force=force,
        deidentify=hiding,
        made_by=made_by,
        by=_maker_kind(made_by, by),
        identified=identified,
        windows=opt.windows(window),
    )
    written = export_files(record, out, options, among=files or ())
    told = tuple(finding for item in written.values() for finding in item.findings)
    findings = (*told, *(findings_in(out) if deidentify else ()))
    if json:
        emit("export", {name: _as_plain(item) for name, item in written.items()}, findings)
        return
    print_findings(findings)
    sources = [item.path for name, item in written.items() if "/" in name]
    if sources:
        say(f"wrote {len(sources)} source objects to {out / 'source'}")
    for name, item in written.items():
        if "/" in name:
            continue
        frames = "" if item.frames is None else f", {item.frames} frames"
        say(f"wrote {item.path} ({item.path.stat().st_size / 1e6:.2f} MB{frames})")


def _require_one_of(option: str, value: str, choice: Any) -> None:
    allowed = get_args(choice)
    if value not in allowed:
        raise ConfigError(f"{option} is {', '.join(allowed[:-1])} or {allowed[-1]}, not {value!r}")


def _maker_kind(made_by: str | None, by: str | None) -> MakerKind | None:
    if made_by is None and by is None:
        return None
    kinds: dict[str, MakerKind] = {
        "automatic": "AUTOMATIC",
        "semiautomatic": "SEMIAUTOMATIC",
        "manual": "MANUAL",
    }
    if not made_by or by not in kinds:
        raise ConfigError(
            "--made-by NAME and --by automatic, semiautomatic or manual belong together: say both"
        )
    return kinds[by]


def _as_plain(item: Exported) -> dict[str, Any]:
    frames = {} if item.frames is None else {"frames": item.frames}
    return {"path": str(item.path), "bytes": item.path.stat().st_size, **frames}
