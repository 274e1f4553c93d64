"""How well lesions are followed: known events, patients without a change, and real pairs of MS patients.

Run: python -m benchmarks.followup DATA [--out docs/reference/follow-up.md]
"""

import csv
import math
import platform
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import medseg
from medseg.domain import Grid, Image, Label, LabelTable, Quantity, Segmentation
from medseg.domain.followup import ChangeError, KnownError
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.domain.provenance import Provenance
from medseg.followup import ChangeRules, LesionPlaces, MatchRules, match_lesions
from medseg.followup.changes import follow_groups
from medseg.followup.register import register_rigid
from medseg.geometry.resample import resample
from medseg.io.transforms import read_transform
from medseg.masks.components import components
from medseg.masks.distances import distance_to
from medseg.measuring import find_lesions
from medseg.workflows.followup import FollowOptions, FollowScan, follow_up
from tests.followup.scenes import grid, make_scene, motion, point
from tests.followup.test_changes import RETEST, SEEN, known, lesion, track
from tests.followup.test_events import EVENTS, found_events

SCENES, ERRORS_MM = 8, (0.0, 1.0, 2.0, 3.0)
PATIENTS, LESIONS = 400, 6
#: Lesions of a visit: voxels of the brain, this far from its rim, so many robust SD above the mean around them (Gaussian of
#: this SD); not smaller than this.
DEVIATIONS, AROUND_MM, RIM_MM, LEAST_MM3 = (2.5, 2.0), 8.0, 4.0, 15.0
#: Sizes of changed components, ml.
BINS = ((0.0, 0.02), (0.02, 0.05), (0.05, 0.1), (0.1, math.inf))
HEAD = """# Follow-up: what was reached

Written by `python -m benchmarks.followup DATA`.
"""


def main() -> None:
    """Print the page, and write it where asked."""
    data = Path(sys.argv[1])
    start = time.perf_counter()
    parts = [HEAD, events(), false_events(), real_pairs(data / "longitudinal")]
    seconds = time.perf_counter() - start
    parts.append(f"\n{seconds:.0f} s on {platform.machine()}, Python {platform.python_version()}.\n")
    text = "\n".join(parts)
    print(text)
    if "--out" in sys.argv:
        Path(sys.argv[sys.argv.index("--out") + 1]).write_text(text, encoding="utf-8")


def events() -> str:
    """Known events under a motion, another grid, rough outlines, and an alignment that is wrong by some mm."""
    lines = [
        "## Known events",
        "",
        f"{SCENES} scenes of 18 lesions (radius 4 to 6 mm, 26 mm apart) for each row: 7 kinds of events, outlines that stray by",
        "6 % (SD) at either scan, the later one turned by 7° on an oblique grid of 0.8 × 0.9 × 1.1 mm. The margin is half a voxel's diagonal",
        "and the error of the alignment, as that of a registration would be.",
        "",
        "| alignment wrong by | events right | of | taken for another |",
        "|---|---|---|---|",
    ]
    moved = motion(7.0, (3.0, 5.0, -2.0))
    later = grid((163, 145, 119), (0.8, 0.9, 1.1), degrees=14.0, origin=(4.0, -18.0, -26.0))
    for error in ERRORS_MM:
        rng = np.random.default_rng(11)
        confused: Counter[str] = Counter()
        right = total = 0
        for _ in range(SCENES):
            scene = make_scene(rng, [EVENTS[n % len(EVENTS)] for n in range(18)])
            for site, told in found_events(scene, later, moved, error, rng).items():
                truth = scene.truth[site]
                total += 1
                right += told == truth
                if told != truth:
                    confused[f"{truth} → {told}"] += 1
        words = ", ".join(f"{what} {count}" for what, count in confused.most_common(3)) or "–"
        lines.append(f"| {error:g} mm | {right} ({100 * right / total:.1f} %) | {total} | {words} |")
    return "\n".join([*lines, ""])


def false_events() -> str:
    """Share of unchanged patients in whom anything is called, with and without correction for number and nadir."""
    lines = [
        "## False events",
        "",
        f"{PATIENTS} patients without a change, {LESIONS} lesions each, every volume with the noise of the no-change range that is used:",
        "in how many is anything called.",
        "",
        "| later visits | as it is | without correction |",
        "|---|---|---|",
    ]
    sigma = math.log(RETEST.high) / (1.96 * math.sqrt(2))
    rules = ChangeRules((known(RETEST),))
    for visits in (1, 3, 5):
        rng = np.random.default_rng(visits)
        tracks = [track(n, "first seen", *["followed"] * visits) for n in range(1, LESIONS + 1)]
        points = [point(SEEN)] * (visits + 1)
        counts = [0, 0]
        for _ in range(PATIENTS):
            volumes = np.exp(rng.normal(0, sigma, (visits + 1, LESIONS)))
            measured = [[lesion(float(v), n) for n, v in enumerate(row, 1)] for row in volumes]
            found = [
                item for group in follow_groups(points, tracks, measured, rules) for item in group.changes
            ]
            counts[0] += any(item.call != "within error" for item in found)
            counts[1] += any(
                not -100 * (1 - RETEST.low) <= item.percent <= 100 * (RETEST.high - 1) for item in found
            )
        shares = " | ".join(f"{100 * count / PATIENTS:.1f} %" for count in counts)
        lines.append(f"| {visits} | {shares} |")
    return "\n".join([*lines, ""])


def real_pairs(folder: Path) -> str:
    """Two MS patients at two visits: the registration beside the published one, and what of the change is found."""
    lines = [
        "## Real pairs: an illustration",
        "",
        "Two MS patients at two visits (Lesjak et al. 2016, CC BY; the transforms published with them are affine, ours are rigid), with a",
        "human's mask of voxels that changed. Nothing says which way they",
        "changed, and there are no masks of lesions: those are made here by a threshold of local FLAIR contrast (voxels some robust SD above",
        f"the mean around them, Gaussian of {AROUND_MM:g} mm, {RIM_MM:g} mm from the brain's rim, {LEAST_MM3:g} mm³ and more), which is no lesion segmenter and",
        "finds much that is no lesion. So this shows that the way from two scans to events works on real ones, not how sensitive a model is.",
        "",
        "| patient | days | rotation | ours against the published transform, in the brain (mean, 95 %) | fits from either side agree (95 %) |",
        "|---|---|---|---|---|",
    ]
    days = {
        int(row["patient_id"]): row["days_between_studies"]
        for row in csv.DictReader((folder / "demographics.csv").open())
    }
    cases = [prepare(folder / name) for name in ("patient03", "patient12")]
    for case in cases:
        fit = case.fit
        lines.append(
            f"| {case.name} | {days[int(case.name[-2:])]} | {fit.rotation_degrees:.1f}° | {case.apart.mean():.2f} mm, "
            f"{np.percentile(case.apart, 95):.2f} mm | {fit.residual_mm:.2f} mm |"
        )
    lines += [
        "",
        "Each scan is segmented again after a shift by half a voxel: what that does to a lesion of 50 mm³ and more is a lower bound of its error, beyond",
        "which a change is larger than segmentation noise. A component of the human's mask counts as found where it lies in or within 2 mm of a",
        "lesion of either visit, and as called where that lesion is new, gone, split, merged, or changed by more.",
        "",
        "| threshold | no-change range | size of the changed component | components | in a lesion of either visit | in one that is called |",
        "|---|---|---|---|---|---|",
    ]
    closing = []
    for deviations in DEVIATIONS:
        noise = self_noise(cases, deviations)
        ends = (
            f"{100 * (noise.low - 1):.0f} to {100 * (noise.high - 1):+.0f} % ({noise.pairs} lesions)".replace(
                "-", "−"
            )
        )
        counted = [judged(case, noise, deviations) for case in cases]
        for number, (low, high) in enumerate(BINS):
            rows = np.sum([item.bins[number] for item in counted], axis=0)
            name = (
                f"{1000 * low:g} to {1000 * high:g} mm³"
                if high < math.inf
                else f"{1000 * low:g} mm³ and more"
            )
            share = [f"{int(n)} ({100 * n / rows[0]:.0f} %)" if rows[0] else "–" for n in rows[1:]]
            lines.append(
                f"| {deviations:g} SD | {ends} | {name} | {int(rows[0])} | {share[0]} | {share[1]} |"
            )
        called, touching = (sum(getattr(item, key) for item in counted) for key in ("called", "touching"))
        closing.append(
            f"At {deviations:g} SD {touching} of {called} lesions that are called lie in or within 2 mm of what the human marked."
        )
    return "\n".join([*lines, "", *closing, ""])


def prepare(folder: Path) -> SimpleNamespace:
    """Both visits, their registration, and how far it lies from the transforms published with them."""
    brain = medseg.read(folder / "brainmask.nii.gz")
    scans = [medseg.read(folder / f"study{n}_FLAIR.nii.gz") for n in (1, 2)]
    into = [
        read_transform(folder / f"study{n}_FLAIR_to_common_space.txt", brain.grid, scan.grid)
        for n, scan in enumerate(scans, 1)
    ]
    fit = register_rigid(*scans)
    points = brain.grid.to_position(np.argwhere(brain.array > 0)[::499])
    first, second = (moved(points, matrix) for matrix in into)
    apart = np.linalg.norm(moved(second, fit.matrix) - first, axis=1)
    masks = [brain_on(brain, matrix, scan.grid) for matrix, scan in zip(into, scans, strict=True)]
    return SimpleNamespace(
        name=folder.name, folder=folder, scans=scans, into=into, fit=fit, apart=apart, brains=masks
    )


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Positions by a 4×4."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def brain_on(brain: Image, into: np.ndarray, target: Grid) -> np.ndarray:
    """The brain mask of the common space on a scan's grid."""
    there = Grid(brain.grid.shape, into @ brain.grid.affine)
    return resample((brain.array > 0).astype(np.uint8), there, target, interpolation="nearest") > 0


def bright(image: Image, brain: np.ndarray, deviations: float) -> Segmentation:
    """Voxels within the brain far above the mean around them."""
    from scipy.ndimage import gaussian_filter

    steps = [AROUND_MM / step for step in image.grid.spacing]
    weight = gaussian_filter(brain.astype(np.float32), steps)
    around = gaussian_filter(np.where(brain, image.array, 0).astype(np.float32), steps) / np.maximum(
        weight, 1e-3
    )
    above = image.array - around
    middle = np.median(above[brain])
    spread = 1.4826 * np.median(np.abs(above[brain] - middle))
    mask = (distance_to(~brain, image.grid) > RIM_MM) & (above > middle + deviations * spread)
    made = Provenance("FLAIR threshold", (("robust_sd", deviations),))
    return Segmentation(mask.astype(np.uint8), image.grid, LabelTable((Label(1, "bright"),)), made)


def self_noise(cases: list[SimpleNamespace], deviations: float) -> ChangeError:
    """What a shift by half a voxel does to the volume of a lesion: of the same scan, so a lower bound."""
    ratios: list[float] = []
    for case in cases:
        image, brain = case.scans[0], case.brains[0]
        affine = np.array(image.grid.affine)
        affine[:3, 3] = image.grid.to_position(np.array([0.5, 0.5, 0.0]))
        shifted = Grid(image.grid.shape, affine)
        again = Image(resample(image.array, image.grid, shifted), shifted, "MR")
        there = resample(brain.astype(np.uint8), image.grid, shifted, interpolation="nearest") > 0
        two = [places(bright(image, brain, deviations)), places(bright(again, there, deviations))]
        for link in match_lesions(two[0], two[1], MatchRules(1.0, 2.0)):
            one = two[0].volume_mm3(two[0].index_of(link.name, link.earlier))
            if link.carries and one >= 50:
                ratios.append(math.log(two[1].volume_mm3(two[1].index_of(link.name, link.later)) / one))
    # The interpolation takes the tips off all alike, which is no noise: the spread about the middle is.
    factor = math.exp(1.96 * 1.4826 * float(np.median(np.abs(np.array(ratios) - np.median(ratios)))))
    return ChangeError("lower bound", 1 / factor, factor, "a shift by half a voxel", pairs=len(ratios))


def places(found: Segmentation) -> LesionPlaces:
    """Lesions of one scan in its own space."""
    lesions = find_lesions(found, LesionPlan(minimum_mm3=LEAST_MM3))
    return LesionPlaces(lesions.ids, lesions.targets, lesions.boxes, found.grid, np.eye(4))


def judged(case: SimpleNamespace, noise: ChangeError, deviations: float) -> SimpleNamespace:
    """Changed components by size: how many, how many lie in a lesion, how many in one that is called."""
    plan = MeasurePlan(lesions=LesionPlan(minimum_mm3=LEAST_MM3))
    scans = []
    for number, (image, brain) in enumerate(zip(case.scans, case.brains, strict=True)):
        mask = bright(image, brain, deviations)
        scans.append(FollowScan(medseg.measure(mask, image, plan=plan), mask, {"flair": image}, f"{number}"))
    rules = ChangeRules((KnownError(Quantity.VOLUME, noise, "lesion"),))
    found = follow_up(scans, FollowOptions(transforms={0: case.into[0], 1: case.into[1]}, rules=rules))
    near, calls = lesions_of(found, case, scans)
    truth = medseg.read(case.folder / "gt.nii.gz")
    numbered = components(truth.array > 0)
    bins = [np.zeros(3) for _ in BINS]
    hits: set[int] = set()
    for value in range(1, int(numbered.max()) + 1):
        points = truth.grid.to_position(np.argwhere(numbered == value))
        ml = len(points) * truth.grid.voxel_volume / 1000
        groups = {group for group, tree in near if tree.query(points)[0].min() <= 2.0}
        hits |= groups
        number = next(n for n, (low, high) in enumerate(BINS) if low <= ml < high)
        bins[number] += (1, bool(groups), bool(groups & calls))
    return SimpleNamespace(bins=bins, called=len(calls), touching=len(calls & hits))


def lesions_of(found, case: SimpleNamespace, scans: list[FollowScan]) -> tuple[list, set[int]]:
    """(group, tree of its positions at either visit in the published common space), and the groups that are called."""
    from scipy.spatial import cKDTree

    from medseg.followup.tracks import pieces

    seen = [(places(scans[n].mask), np.linalg.inv(case.into[n])) for n in (0, 1)]
    near, calls = [], set()
    for number, group in enumerate(group for group in found.groups if not group.is_sum):
        clouds = [
            moved(scan.positions(scan.index_of(name, lesion_number)), matrix)
            for at, (scan, matrix) in enumerate(seen)
            for name, lesion_number in pieces(found.tracks, group.tracks, at)
        ]
        near.append((number, cKDTree(np.concatenate(clouds))))
        kinds = {
            event.kind
            for item in found.tracks
            if item.id in group.tracks
            for event in item.events
            if event.point
        }
        change = group.change(Quantity.VOLUME, 1)
        if kinds & {"candidate new", "gone", "split", "merged"} or (change and "noise" in change.call):
            calls.add(number)
    return near, calls


if __name__ == "__main__":
    main()
