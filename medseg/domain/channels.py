"""Which given image is which channel: one rule, for training and for segmenting."""

from collections.abc import Iterable, Mapping

from medseg.errors import InputError

__all__ = ["pair_by_name", "pair_channels"]

#: Words that data sets use for a modality → DICOM's.
_MODALITIES = {
    "mr": "MR",
    "mri": "MR",
    "ct": "CT",
    "pt": "PT",
    "pet": "PT",
    "us": "US",
    "ultrasound": "US",
    "nm": "NM",
    "spect": "NM",
}


def pair_channels(
    needed: Mapping[str, str | None], given: Mapping[str, str | None], *, by_position: bool = False
) -> dict[str, str]:
    """Channel that is needed → name of the image that is given.

    By name; else by name without case, spaces, hyphens and underscores; else by modality, where just one needed
    channel and just one image are of it. Images that nobody needs are left out. The order of names says nothing,
    unless `by_position` does.

    Parameters
    ----------
    needed, given
        Name → modality (`MR`, `CT`, `PT`), None where it is not known. An image whose name is a modality's is of it.
    by_position
        The first image is the first channel, and so on.

    Raises
    ------
    InputError
        If a channel has no image, or more than one by its name.

    Examples
    --------
    >>> pair_channels({"mr": "MR", "pet": "PT"}, {"PET": None, "MRI": None})
    {'mr': 'MRI', 'pet': 'PET'}
    """
    if by_position:
        if len(needed) != len(given):
            raise InputError(
                f"by position, {len(given)} images are no {len(needed)} channels ({', '.join(needed)})"
            )
        return dict(zip(needed, given, strict=True))
    found = pair_by_name(needed, given)
    found |= _by_modality(needed, given, found)
    if missing := [name for name in needed if name not in found]:
        raise InputError(
            f"it needs channels {', '.join(needed)}; missing: {', '.join(missing)}; given: "
            f"{', '.join(given) or 'none'}"
        )
    return {name: found[name] for name in needed}


def pair_by_name(needed: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """The channels that have an image of their name, also in other letters, and which.

    Raises
    ------
    InputError
        If a channel has more than one.
    """
    needed, given = tuple(needed), tuple(given)
    found = {name: name for name in needed if name in given}
    for name in needed:
        alike = [other for other in given if other not in found.values() and _plain(other) == _plain(name)]
        if name not in found and len(alike) > 1:
            raise InputError(
                f"channel {name!r} is {' or '.join(map(repr, alike))}: names that differ in case only"
            )
        if name not in found and alike:
            found[name] = alike[0]
    return found


def _by_modality(
    needed: Mapping[str, str | None], given: Mapping[str, str | None], found: Mapping[str, str]
) -> dict[str, str]:
    wanting = {name: _modality(name, kind) for name, kind in needed.items() if name not in found}
    free = {name: _modality(name, kind) for name, kind in given.items() if name not in found.values()}
    pairs = {}
    for name, kind in wanting.items():
        fits = [other for other, own in free.items() if own == kind]
        if kind and len(fits) == 1 and list(wanting.values()).count(kind) == 1:
            pairs[name] = fits[0]
    return pairs


def _modality(name: str, stated: str | None) -> str | None:
    return stated or _MODALITIES.get(_plain(name))


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign not in " -_")
