"""The shipped models against MONAI's inferer with the same windows, then all probabilities resampled, then a decision.

Same weights, one process, interleaved; networks are loaded before. Both in float32, and what the quicker choices of
--speed take and lose in Dice against the reference of each sample.

Run: python -m benchmarks.beside_monai
"""

import os
import platform
import statistics
import time
from typing import Any

import numpy as np

from medseg import settings
from medseg.domain import Image, Run
from medseg.geometry.resample import resample
from medseg.inference import ModelSegmenter, prepare
from medseg.io import read, read_segmentation
from medseg.models import load_weights, read_card
from medseg.networks import build, load_state

ROUNDS = 3
SAMPLES = {
    "hippocampus": {"mr": "mr.nii.gz"},
    "sarcoma": {"mr": "mr.nii.gz", "pet": "pet.nii.gz"},
}
CPU = Run(device="cpu")


def by_monai(model: ModelSegmenter, networks: list[Any], images: dict[str, Image]) -> np.ndarray:
    import torch
    from monai.inferers.utils import sliding_window_inference

    card = model.card
    prepared = prepare(images, card)

    def predict(windows: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.softmax(one(windows), dim=1) for one in networks]).mean(dim=0)

    with torch.inference_mode():
        shares = sliding_window_inference(
            torch.from_numpy(prepared.array)[None], card.window, 1, predict, card.overlap, mode="gaussian"
        )[0].numpy()
    native = images[card.reference].grid
    on_native = [resample(one, prepared.grid, native, fill=float(n == 0)) for n, one in enumerate(shares)]
    return np.stack(on_native).argmax(axis=0)


def dice(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one > 0, two > 0
    return float(2 * (one & two).sum() / (one.sum() + two.sum()))


def timed(call: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def main() -> None:
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {ROUNDS} rounds")
    for name, files in SAMPLES.items():
        folder = settings.shipped_folder() / "models" / name
        samples = settings.shipped_folder() / "samples" / name
        model = ModelSegmenter(read_card(folder), folder)
        networks = []
        for state in load_weights(model.card, folder):
            networks.append(build(model.card.network, drawn=False).eval())
            load_state(networks[-1], state)
        images = {channel: read(samples / file) for channel, file in files.items()}
        reference = read_segmentation(samples / "reference.nii.gz").labels
        ways: dict[str, Any] = {"MONAI": lambda m=model, n=networks, i=images: by_monai(m, n, i)}
        for speed in ("exact", "balanced", "fast"):
            ways[speed] = lambda m=model, i=images, s=speed: m.segment(i, m.Params(speed=s), run=CPU).labels
        found = {way: call() for way, call in ways.items()}
        rounds = [[timed(call)[0] for call in ways.values()] for _ in range(ROUNDS)]
        seconds = dict(zip(ways, map(statistics.median, zip(*rounds, strict=True)), strict=True))
        for way, value in seconds.items():
            print(
                f"{name}, {way}: {value:.2f} s, MONAI takes {seconds['MONAI'] / value:.2f} times as long, "
                f"Dice {dice(found[way], reference):.4f}, {(found[way] > 0).sum()} voxels, "
                f"{((found[way] > 0) != (found['exact'] > 0)).sum()} of them other than exact"
            )


if __name__ == "__main__":
    main()
