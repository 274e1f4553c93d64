"""What tells slices at one place apart, on synthetic headers of the standard and of three vendors."""

import struct
from typing import Any

import pytest
from pydicom.dataset import Dataset

from medseg.io.dicom.image.traits import frame_traits
from medseg.io.dicom.tags import number, numbers, private, text


def traits(ds: Dataset, group: Dataset | None = None) -> dict[str, Any]:
    return dict(frame_traits(ds, group))


def with_private(*entries: tuple[int, str, int, str, Any]) -> Dataset:
    ds = Dataset()
    for group, creator, element, vr, value in entries:
        ds.private_block(group, creator, create=True).add_new(element, vr, value)
    return ds


SIEMENS, GE_B, GE_D = "SIEMENS MR HEADER", "GEMS_PARM_01", "GEMS_ACQU_01"
PHILIPS_B, PHILIPS_D = "Philips Imaging DD 001", "Philips MR Imaging DD 001"
DIRECTION = (0.0, 0.6, 0.8)

VENDORS: list[Any] = [
    (
        "Siemens",
        [(0x0019, SIEMENS, 0x0C, "IS", "1000"), (0x0019, SIEMENS, 0x0E, "FD", list(DIRECTION))],
        (1000, DIRECTION),
    ),
    (
        "Siemens, type lost",
        [
            (0x0019, SIEMENS, 0x0C, "UN", b"1000"),
            (0x0019, SIEMENS, 0x0E, "UN", struct.pack("<3d", *DIRECTION)),
        ],
        (1000, DIRECTION),
    ),
    (
        "Philips",
        [(0x2001, PHILIPS_B, 0x03, "FL", 800.0)]
        + [(0x2005, PHILIPS_D, 0xB0 + n, "FL", value) for n, value in enumerate((0.0, 0.5, 0.75))],
        (800, (0, 0.5, 0.75)),
    ),
    (
        "GE, its offset taken off",
        [(0x0043, GE_B, 0x39, "IS", [1000001000, 8, 0, 0])]
        + [(0x0019, GE_D, 0xBB + n, "DS", str(value)) for n, value in enumerate(DIRECTION)],
        (1000, DIRECTION),
    ),
    (
        "no direction at b = 0",
        [(0x0019, SIEMENS, 0x0C, "IS", "0"), (0x0019, SIEMENS, 0x0E, "FD", [0, 0, 1])],
        (0, None),
    ),
    ("another creator's tag at the same place", [(0x0019, "SOMEBODY", 0x0C, "IS", "1000")], None),
]


@pytest.mark.parametrize(("name", "entries", "expected"), VENDORS, ids=[row[0] for row in VENDORS])
def test_diffusion_of_the_vendors(name: str, entries: Any, expected: Any) -> None:
    found = traits(with_private(*entries))["diffusion"]
    if expected is None or found is None:
        assert found is expected
    else:
        assert found[0] == pytest.approx(expected[0])
        assert found[1] == (None if expected[1] is None else pytest.approx(expected[1]))


def test_the_standards_diffusion_goes_first() -> None:
    ds = with_private((0x0019, SIEMENS, 0x0C, "IS", "1000"))
    ds.DiffusionBValue = 500.0
    assert traits(ds)["diffusion"] == (500, None)


def test_a_functional_group_goes_before_the_top() -> None:
    echo, group, ds = Dataset(), Dataset(), Dataset()
    echo.EffectiveEchoTime = 7.5
    group.MREchoSequence = [echo]
    ds.EchoTime = 3
    assert traits(ds, group)["echo"] == 7.5
    assert traits(ds)["echo"] == 3


@pytest.mark.parametrize(
    ("entries", "tags", "component"),
    [
        ([], {"ComplexImageComponent": "PHASE"}, "phase"),
        ([(0x0043, GE_B, 0x2F, "SS", 1)], {}, "phase"),
        ([(0x0043, GE_B, 0x2F, "UN", struct.pack("<h", 3))], {}, "imaginary"),
        ([(0x0043, GE_B, 0x2F, "SS", 9)], {}, None),
        ([], {}, None),
    ],
)
def test_magnitude_and_phase(entries: Any, tags: dict[str, str], component: str | None) -> None:
    ds = with_private(*entries)
    for name, value in tags.items():
        setattr(ds, name, value)
    assert traits(ds)["component"] == component


def test_every_header_gives_the_same_names() -> None:
    assert list(traits(Dataset())) == list(traits(with_private(*VENDORS[0][1])))


def test_values_that_are_no_numbers() -> None:
    assert number("nan") is None
    assert number("x", 1.0) == 1.0
    assert numbers(["1", "2"], 3) is None
    assert numbers("123", 3) is None
    assert numbers(["1", "x", "3"], 3) is None
    assert text("") is None
    assert private(Dataset(), 0x0019, SIEMENS, 0x0C) is None
