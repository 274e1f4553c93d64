"""Technical words of the appendix, each in a line that a reader who is no physicist understands."""

__all__ = ["TERMS"]

TERMS: tuple[tuple[str, str], ...] = (
    (
        "Affine",
        "The matrix in the file's header that places each voxel in the patient.",
    ),
    (
        "Connectivity",
        "Which neighbours count as touching: 6 share a face, 18 a face or an edge, 26 also a corner.",
    ),
    ("Digest (SHA-256)", "A fingerprint: equal files have the same, and any change gives another."),
    ("Grid", "Number, size and direction of the voxels of a scan."),
    ("IBSI", "Image Biomarker Standardisation Initiative: its codes name the exact definition of a number."),
    (
        "i, j, k",
        "Column, row and slice in the file as it is stored, counted from 0; page one counts slices from 1.",
    ),
    ("Marching cubes", "A way to lay a smooth surface around the voxels of a structure."),
    (
        "Noise",
        "Spread between neighbouring pixels near the structures: Laplacian mask of Immerkær 1996, median.",
    ),
    ("Percentile", "The value that the stated share of the voxels lies below."),
    ("RAS+", "Directions of positions: towards the patient's right, front and head."),
    ("SD", "Standard deviation: how widely values spread around their mean."),
    (
        "Truncated, cut",
        "The scan ends inside the structure; sizes of it can only be larger than what was measured.",
    ),
    ("Voxel", "The smallest element of a scan, a pixel with a depth."),
    (
        "Weights",
        "The numbers that a trained network consists of; their digest says exactly which network it was.",
    ),
)
