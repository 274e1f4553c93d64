"""STL and PLY: written whole, read again, stating their coordinates; damaged files refused in one line."""

import struct
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import InputError, OutputError, UnsupportedFormatError
from medseg.io.surface.file import SurfaceNotes, read_surface, write_surface
from medseg.masks.surfaces import Surface, surface_of

FORMATS = pytest.mark.parametrize("suffix", [".stl", ".ply"])
NOTES = SurfaceNotes("Liver", (10, 200, 30))
HEADER = (
    "ply\nformat binary_little_endian 1.0\nelement vertex {vertices}\n"
    "property float x\nproperty float y\nproperty float z\n"
    "element face {faces}\nproperty list uchar int vertex_indices\nend_header\n"
)


@pytest.fixture
def surface() -> Surface:
    mask = np.random.default_rng(1).random((7, 6, 5)) < 0.5
    affine = np.array([[-0.7, 0, 0, 101.3], [0, 0.9, 0, -250.7], [0, 0, 3, 12.1], [0, 0, 0, 1]])
    return surface_of(mask, Grid(mask.shape, affine))


@FORMATS
def test_what_is_written_is_read_again(surface: Surface, tmp_path: Path, suffix: str) -> None:
    path = write_surface(surface, tmp_path / f"liver{suffix}", NOTES)
    again = read_surface(path)
    corners = surface.vertices.astype(np.float32)[surface.triangles]
    assert np.array_equal(again.vertices[again.triangles], corners)
    assert again.is_closed
    assert again.volume_ml == pytest.approx(surface.volume_ml, rel=1e-5)
    assert len(again.vertices) == len(surface.vertices)
    assert list(tmp_path.iterdir()) == [path]


@FORMATS
def test_a_file_states_its_coordinates_label_and_smoothing(
    surface: Surface, tmp_path: Path, suffix: str
) -> None:
    for change, words in ((None, b"not smoothed"), (-0.0123, b"volume change -1.23 %")):
        path = write_surface(
            surface, tmp_path / f"a{suffix}", SurfaceNotes("Liver", volume_change=change), force=True
        )
        head = path.read_bytes()[:400]
        assert b"RAS+ mm" in head
        assert b"SPACE=RAS" in head[:80] if suffix == ".stl" else b"comment SPACE=RAS\n" in head
        assert b"Liver" in head
        assert words in head


def test_vertices_of_a_ply_have_the_colour_of_the_label(surface: Surface, tmp_path: Path) -> None:
    content = write_surface(surface, tmp_path / "a.ply", NOTES).read_bytes()
    body = content.index(b"end_header\n") + len(b"end_header\n")
    assert tuple(content[body + 12 : body + 15]) == (10, 200, 30)


def test_an_stl_never_looks_like_text(surface: Surface, tmp_path: Path) -> None:
    path = write_surface(surface, tmp_path / "a.stl", SurfaceNotes("solid " * 30))
    assert not path.read_bytes().startswith(b"solid")
    assert len(path.read_bytes()) == 84 + 50 * len(surface.triangles)


@FORMATS
def test_a_name_cannot_break_the_header(surface: Surface, tmp_path: Path, suffix: str) -> None:
    hostile = "a\nelement vertex 9999999\nend_header\nb Ärmel"
    path = write_surface(surface, tmp_path / f"a{suffix}", SurfaceNotes(hostile))
    assert len(read_surface(path).triangles) == len(surface.triangles)


@FORMATS
def test_what_stands_there_is_not_overwritten(surface: Surface, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="--force"):
        write_surface(surface, path, NOTES)
    assert path.read_bytes() == b"old"
    write_surface(surface, path, NOTES, force=True)
    assert len(read_surface(path).triangles)


def test_nothing_is_no_surface(tmp_path: Path) -> None:
    empty = Surface(np.empty((0, 3)), np.empty((0, 3), np.int32))
    with pytest.raises(InputError, match="Liver has no voxels"):
        write_surface(empty, tmp_path / "a.stl", NOTES)
    assert not list(tmp_path.iterdir())


def test_other_suffixes_are_refused(surface: Surface, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"\.stl or \.ply"):
        write_surface(surface, tmp_path / "a.obj", NOTES)
    with pytest.raises(UnsupportedFormatError, match=r"\.stl or \.ply"):
        read_surface(tmp_path / "a.obj")


def one_triangle(
    vertices: int = 3, faces: int = 1, corners: tuple[int, ...] = (0, 1, 2), count: int = 3
) -> bytes:
    points = np.arange(9, dtype="<f4").tobytes()
    header = HEADER.format(vertices=vertices, faces=faces).encode()
    return header + points + struct.pack("<B3i", count, *corners)


def stl(count: int, body: bytes) -> bytes:
    return b"x".ljust(80) + struct.pack("<I", count) + body


FACET = struct.pack("<12fH", *range(12), 0)
DAMAGED = {
    "empty.stl": (b"", "do not fit"),
    "short.stl": (b"x" * 83, "do not fit"),
    "cut.stl": (stl(2, FACET + FACET[:-1]), "do not fit"),
    "huge.stl": (stl(2**32 - 1, FACET), "4294967295 triangles"),
    "longer.stl": (stl(1, FACET + b"!"), "do not fit"),
    "text.stl": (b"solid liver\n facet normal 0 0 1\n" + b" " * 80, "ASCII STL"),
    "nan.stl": (stl(1, struct.pack("<12fH", *[float("nan")] * 12, 0)), "finite"),
    "empty.ply": (b"", "no PLY header"),
    "headless.ply": (b"ply\nformat binary_little_endian 1.0\n", "no PLY header"),
    "endless.ply": (b"ply\n" + b"comment x\n" * 20_000, "no PLY header"),
    "text.ply": (one_triangle().replace(b"binary_little_endian", b"ascii"), "not a binary little-endian"),
    "big.ply": (one_triangle().replace(b"little", b"big"), "not a binary little-endian"),
    "huge.ply": (one_triangle(vertices=999_999_999_999), "do not fit"),
    "negative.ply": (one_triangle(vertices=-3), "header line 'element vertex -3'"),
    "cut.ply": (one_triangle()[:-1], "do not fit"),
    "longer.ply": (one_triangle() + b"!", "do not fit"),
    "beyond.ply": (one_triangle(corners=(0, 1, 3)), "outside 0 to 2"),
    "below.ply": (one_triangle(corners=(0, 1, -1)), "outside 0 to 2"),
    "quads.ply": (one_triangle(count=4), "not triangles"),
    "twice.ply": (one_triangle().replace(b"float y", b"float x"), "occurs twice"),
    "strange.ply": (one_triangle().replace(b"float y", b"string y"), "header property"),
    "flat.ply": (one_triangle().replace(b"float y", b"float v"), "not a PLY of vertices"),
    "edges.ply": (one_triangle().replace(b"element face", b"element edge"), "not a PLY of vertices"),
    "early.ply": (b"ply\nformat binary_little_endian 1.0\nproperty float x\nend_header\n", "header line"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, words = DAMAGED[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_surface(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_surface(tmp_path / "none.stl")


def test_foreign_ply_with_more_properties_and_other_types(tmp_path: Path) -> None:
    vertices = np.zeros(3, [("nx", "<f4"), ("x", "<f8"), ("y", "<f8"), ("z", "<f8")])
    vertices["x"], vertices["y"] = (0, 1, 0), (0, 0, 1)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment foreign\nobj_info none\nelement vertex 3\n"
        "property float32 nx\nproperty double x\nproperty double y\nproperty double z\n"
        "element face 1\nproperty list uint8 uint32 vertex_index\nend_header\n"
    )
    path = tmp_path / "a.ply"
    path.write_bytes(header.encode() + vertices.tobytes() + struct.pack("<B3I", 3, 0, 1, 2))
    assert read_surface(path).area_mm2 == pytest.approx(0.5)
