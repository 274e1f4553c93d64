"""Open images and a segmenter's channels: what is proposed, and what is doubted aloud."""

import pytest

from medseg.domain import SegmenterSpec
from medseg.domain.segmenter import ChannelNeed
from napari_medseg.workspace.assign import doubts, propose

TWO = SegmenterSpec(
    "two", "Two", "Of MR and PET.", "own", channels=(ChannelNeed("mr", "MR"), ChannelNeed("pet", "PT"))
)
TWO_MR = SegmenterSpec(
    "flair", "Flair", "Of two MR.", "own", channels=(ChannelNeed("t1", "MR"), ChannelNeed("flair", "MR"))
)
ONE = SegmenterSpec("one", "One", "Of any.", "own")


@pytest.mark.parametrize(
    ("spec", "given", "expected"),
    [
        (ONE, {"scan": "CT"}, {"image": "scan"}),
        (ONE, {"scan": "CT", "other": "MR"}, {"image": None}),
        (ONE, {}, {"image": None}),
        (TWO, {"PET": None, "MR": None}, {"mr": "MR", "pet": "PET"}),
        (TWO, {"series 7": "PT", "series 3": "MR"}, {"mr": "series 3", "pet": "series 7"}),
        (TWO, {"series 7": None, "series 3": None}, {"mr": None, "pet": None}),
        (TWO, {"series 3": "MR"}, {"mr": "series 3", "pet": None}),
        (TWO_MR, {"a": "MR", "FLAIR": "MR"}, {"t1": "a", "flair": "FLAIR"}),
        (TWO_MR, {"a": "MR", "b": "MR"}, {"t1": None, "flair": None}),
    ],
)
def test_the_core_rule_proposes_and_guesses_nothing(
    spec: SegmenterSpec, given: dict[str, str | None], expected: dict[str, str | None]
) -> None:
    assert propose(spec, given) == expected


@pytest.mark.parametrize(
    ("spec", "chosen", "said"),
    [
        (TWO, {"mr": ("MR", None), "pet": ("PET", None)}, ""),
        (TWO, {"mr": ("PET", None), "pet": ("MR", None)}, "are they swapped?"),
        (TWO, {"mr": ("b", "PT"), "pet": ("a", "MR")}, "mr needs MR, and “b” is PT"),
        (TWO, {"mr": ("a", None), "pet": ("b", None)}, "Neither names nor modalities say"),
        (TWO, {"mr": ("a", "MR"), "pet": ("b", None)}, ""),
        (TWO_MR, {"t1": ("a", "MR"), "flair": ("b", "MR")}, "Neither names nor modalities say"),
        (TWO_MR, {"t1": ("flair", "MR"), "flair": ("t1", "MR")}, "are they swapped?"),
        (TWO, {"mr": ("a", None), "pet": ("a", None)}, "“a” is chosen for mr and pet"),
        (ONE, {"image": ("anything", None)}, ""),
    ],
)
def test_a_likely_swap_is_never_silent(
    spec: SegmenterSpec, chosen: dict[str, tuple[str, str | None]], said: str
) -> None:
    names = {channel: name for channel, (name, _) in chosen.items()}
    found = " ".join(doubts(spec, names, dict(chosen.values())))
    assert said in found
    assert bool(said) == bool(found)
