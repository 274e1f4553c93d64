"""Which of several volumes is meant."""

from pathlib import Path
from typing import NoReturn

from medseg.domain import ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError

__all__ = ["choose", "choose_all", "require_volume"]

_LISTED = 12


def choose(path: Path, sources: tuple[Source, ...], options: ReadOptions) -> Source:
    """The one source that is meant; scouts and other things that are no volumes never compete.

    Raises
    ------
    InputError
        If none or more than one remains (the message lists ids), or the one left is no volume.
    """
    found = _candidates(path, sources, options)
    if len(found) > 1:
        _refuse_several(path, found)
    if not found:
        raise InputError(f"{path} holds no image")
    require_volume(found[0])
    return found[0]


def choose_all(path: Path, sources: tuple[Source, ...], options: ReadOptions) -> tuple[Source, ...]:
    """Every volume of the one series that is meant.

    Raises
    ------
    InputError
        If there are several series, or none is a volume.
    """
    found = _candidates(path, sources, options)
    if len({source.series_uid for source in found}) > 1:
        _refuse_several(path, found)
    if not found:
        raise InputError(f"{path} holds no image")
    for source in found:
        require_volume(source)
    return found


def _candidates(path: Path, sources: tuple[Source, ...], options: ReadOptions) -> tuple[Source, ...]:
    found = sources
    if options.series is not None:
        found = _by_series(path, found, options.series)
    if options.volume is not None:
        found = _by_volume(path, found, options.volume)
    volumes = tuple(source for source in found if source.verdict is not Verdict.NOT_A_VOLUME)
    found = volumes or found
    _refuse_mixed(found)
    return found


def _refuse_several(path: Path, found: tuple[Source, ...]) -> NoReturn:
    several = len({source.series_uid for source in found}) > 1
    option = "--series" if several else "--volume"
    what = "series" if several else "volumes"
    raise InputError(
        f"{path} holds {len(found)} {what}; choose with {option}: {_list(found, by_series=several)}"
        + ("" if several else "; segment and measure take each with --volume all")
    )


def _refuse_mixed(found: tuple[Source, ...]) -> None:
    """A series of several stacks is refused as a whole; its Finding lists the parts that --volume picks."""
    whole = [source for source in found if source.verdict is Verdict.MIXED and source.volume is None]
    if whole and len({source.series_uid for source in found}) == 1:
        raise InputError(f"{whole[0].uri}: {whole[0].verdict.value}: {whole[0].findings[0].message}")


def require_volume(source: Source) -> None:
    """Refuse a source that is no volume, with the reason that its reader found."""
    if source.verdict is Verdict.NOT_A_VOLUME:
        reasons = [item.message for item in source.findings if item.severity == "error"]
        raise InputError(_with_path(source, reasons[0] if reasons else "it is not a volume"))


def _with_path(source: Source, reason: str) -> str:
    return reason if source.uri in reason else f"{source.uri}: {reason}"


def _by_series(path: Path, sources: tuple[Source, ...], wanted: str) -> tuple[Source, ...]:
    exact = tuple(source for source in sources if source.series_uid == wanted)
    found = exact or tuple(source for source in sources if (source.series_uid or "").endswith(wanted))
    if not found:
        if all(source.series_uid is None for source in sources):
            raise InputError(f"{path} has no series to choose from; leave out --series")
        raise InputError(f"{path} has no series {wanted!r}; it has {_list(sources, by_series=True)}")
    uids = {source.series_uid for source in found}
    if len(uids) > 1:
        raise InputError(f"{len(uids)} series of {path} end in {wanted!r}: {_list(found, by_series=True)}")
    return found


def _by_volume(path: Path, sources: tuple[Source, ...], wanted: str) -> tuple[Source, ...]:
    found = tuple(source for source in sources if source.volume == wanted)
    if found or (len(sources) == 1 and sources[0].volume is None and wanted == "0"):
        return found or sources
    if all(source.volume is None for source in sources):
        raise InputError(f"{path} holds one volume; leave out --volume {wanted}")
    raise InputError(f"{path} has no volume {wanted!r}; it has {_list(sources, by_series=False)}")


def _list(sources: tuple[Source, ...], *, by_series: bool) -> str:
    lines: dict[str, str] = {}
    for source in sources:
        name = (source.series_uid if by_series else source.volume) or "(no id)"
        traits = [source.modality, source.description, source.verdict.value]
        lines.setdefault(name, ", ".join(trait for trait in traits if trait and trait != "uniform"))
    shown = [f"{name} ({text})" if text else name for name, text in list(lines.items())[:_LISTED]]
    if len(lines) > _LISTED:
        last = list(lines)[-1]
        shown.append(f"… to {last} ({len(lines)} in all)")
    return "; ".join(shown)
