"""Which of several masks is meant, in formats that hold masks beside images."""

from pathlib import Path

from medseg.domain import ReadOptions, Source
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.io.protocols import MASK_DETAIL

__all__ = ["choose_mask", "refuse_masks"]

_LISTED = 12


def choose_mask(path: Path, sources: tuple[Source, ...], options: ReadOptions) -> Source | None:
    """The one mask that is meant; None if there is none, or the options name something else.

    Raises
    ------
    InputError
        If several remain; the message lists them.
    """
    masks = [source for source in sources if source.detail(MASK_DETAIL) is not None]
    found = [source for source in masks if _meant(source, options)]
    if len(found) > 1:
        names = [f"{Path(item.instances[0].file).name} ({item.description})" for item in found[:_LISTED]]
        more = f" … ({len(found)} in all)" if len(found) > _LISTED else ""
        raise InputError(f"{path} holds {len(found)} masks; give the file of one: {'; '.join(names)}{more}")
    return found[0] if found else None


def refuse_masks(path: Path, sources: tuple[Source, ...], options: ReadOptions) -> None:
    """Refuse a mask where an image is wanted, saying how it is read.

    Raises
    ------
    InputError
        If what the options leave is masks and no volume.
    """
    meant = [source for source in sources if _meant(source, options)]
    masks = [source for source in meant if source.detail(MASK_DETAIL) is not None]
    if masks and not any(source.verdict is not Verdict.NOT_A_VOLUME for source in meant):
        raise InputError(
            f"{path} is no image but a {masks[0].description}; measure it with "
            f"'medseg measure {path.name} --image SERIES', or turn it into a file with 'medseg convert'"
        )


def _meant(source: Source, options: ReadOptions) -> bool:
    series = options.series is None or (source.series_uid or "").endswith(options.series)
    return series and options.volume in (None, source.volume)
