"""A case from process start to the mask on disk, against `nnUNetv2_predict_from_modelfolder` with the same weights.

Three sizes of case are made of a real crop, set beside itself until it has so many windows: one window, at most 30, and
more. Each program runs as its user starts it, in a process of its own on the CPU without mirroring, interleaved. CPU
seconds (user and system) stand beside those of the clock, which a busy machine stretches. Labels are compared, since a
time is worth nothing without them.

Run: python -m benchmarks.beside_nnunet PREDICT MODEL IMAGE [ROUNDS]
PREDICT is `nnUNetv2_predict_from_modelfolder` of an environment with nnunetv2 2.8, MODEL a results folder (…__3d_fullres)
with one fold, IMAGE a scan of one channel.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

#: So often is the crop set beside itself along each axis.
SIZES = {"one crop": (1, 1, 1), "a few": (2, 2, 2), "large": (3, 3, 3)}
#: What we are asked for; `exact` mirrors as the card says, which nnU-Net is told not to do.
WISHES = {"exact": ("--speed", "exact", "--param", "mirror=false"), "fast": ("--speed", "fast")}
NAME = "beside-nnunet"


def seconds(words: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """By the clock, and of the processor."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, env=environment)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def tiled(image: Path, times: tuple[int, int, int], folder: Path) -> Path:
    """The scan beside itself, mirrored so that no edge is made."""
    source = nib.load(image)
    values = np.asanyarray(source.dataobj)
    padding = [(0, (count - 1) * size) for count, size in zip(times, values.shape, strict=True)]
    folder.mkdir()
    path = folder / "case_0000.nii.gz"
    nib.save(nib.Nifti1Image(np.pad(values, padding, mode="symmetric"), source.affine), path)
    return path


def fold_of(model: Path) -> str:
    """The one fold that the folder holds, as nnU-Net's command names it."""
    (found,) = model.glob("fold_*/checkpoint_final.pth")
    return found.parent.name.removeprefix("fold_")


def agreement(one: Path, other: Path) -> float:
    """Share of the voxels that either calls foreground, on which both say the same."""
    left, right = (np.asanyarray(nib.load(path).dataobj) for path in (one, other))
    either = (left > 0) | (right > 0)
    return float((left == right)[either].mean()) if either.any() else 1.0


def programs(predict: str, model: Path, source: Path, out: Path) -> dict[str, list[str]]:
    theirs = [
        predict,
        "-i",
        str(source.parent),
        "-o",
        str(out / "nnunet"),
        "-m",
        str(model),
        "-f",
        fold_of(model),
    ]
    found = {"nnU-Net": [*theirs, "-device", "cpu", "--disable_tta", "-npp", "1", "-nps", "1"]}
    for name, wish in WISHES.items():
        ours = [sys.executable, "-m", "medseg", "segment", NAME, str(source), *wish, "--device", "cpu"]
        found[name] = [*ours, "--out", str(out / f"{name}.nii.gz"), "--force"]
    return found


def main() -> None:
    predict, model, image = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {rounds} rounds")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        nothing = {name: str(folder) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
        here = {"XDG_DATA_HOME": str(folder / "models"), "MEDSEG_CACHE_DIR": str(folder / "cache")}
        environment = {**os.environ, **nothing, **here, "OMP_NUM_THREADS": str(os.cpu_count())}
        add = [sys.executable, "-m", "medseg", "models", "add", str(model), "--name", NAME]
        subprocess.run(add, check=True, capture_output=True, env=environment)
        for size, times in SIZES.items():
            source = tiled(image, times, folder / size.replace(" ", "_"))
            (source.parent / "out").mkdir()
            print(f"\n{size}, {' x '.join(map(str, nib.load(source).shape))} voxels")
            compare(
                programs(predict, model, source, source.parent / "out"),
                source.parent / "out",
                environment,
                rounds,
            )


def compare(asked: dict[str, list[str]], out: Path, environment: dict[str, str], rounds: int) -> None:
    for words in asked.values():  # bytecode, the disk's own cache, the compiled network
        seconds(words, environment)
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, words in asked.items():
            took[name].append(seconds(words, environment))
    middle = {
        name: [statistics.median(column) for column in zip(*each, strict=True)] for name, each in took.items()
    }
    theirs = out / "nnunet" / "case.nii.gz"
    for name, (clock, processor) in middle.items():
        times = [long / short for long, short in zip(middle["nnU-Net"], (clock, processor), strict=True)]
        same = agreement(theirs, theirs if name == "nnU-Net" else out / f"{name}.nii.gz")
        print(f"  {name}: {clock:.1f} s, {processor:.1f} s of the processor; ", end="")
        print(f"nnU-Net takes {times[0]:.1f} and {times[1]:.1f} times as long; ", end="")
        print(f"the same on {100 * same:.3f} % of the foreground", flush=True)


if __name__ == "__main__":
    main()
