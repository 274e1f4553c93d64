"""A scan of 512 × 512 × 600 voxels at 0.75 mm, a model of 118 classes on 1.5 mm: memory by the system's account.

The network has random weights and sees 44 voxels across; windows are of 64³ and overlap by a quarter. The run is a process
of its own, so that what it held at most is what it needed. With --small, an eighth of the scan and of the classes.

Run: python -m benchmarks.streaming [--small] [--memory BYTES]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

CODE = """
import json, sys, time
from pathlib import Path
import numpy as np
from medseg.domain import Grid, Image, Run
from medseg.inference.memory import held_bytes
from medseg.workflows.segment import segment
folder, shape, memory = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
rng = np.random.default_rng(0)
array = np.empty(shape, np.int16)
for k in range(shape[2]):
    array[..., k] = rng.integers(-1000, 1000, shape[:2])
array.setflags(write=False)
image = Image(array, Grid(tuple(shape), np.diag([0.75, 0.75, 0.75, 1.0])))
notes, start = {}, time.perf_counter()
mask = segment(str(folder), image, run=Run(device="cpu", memory_bytes=memory, note=notes.__setitem__))
notes |= {"bytes.peak": held_bytes(), "seconds.all": time.perf_counter() - start, "labels": len(mask.present)}
print(json.dumps(notes))
"""
LIMIT = 4e9


def bundle(folder: Path, classes: int) -> None:
    import torch

    from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec
    from medseg.domain.card import Clip, Scale
    from medseg.models import write_bundle
    from medseg.networks import build, state_for

    torch.manual_seed(0)
    ones, twos, threes = (1,) * 3, (2,) * 3, (3,) * 3
    spec = NetworkSpec("dynunet", 3, 1, classes, (8, 16, 32), (ones, twos, twos), (threes,) * 3)
    card = ModelCard(
        "wide", "Wide", "Many classes.", "1", (ChannelSpec("image"),), "image", (1.5,) * 3, (64,) * 3, spec,
        (Clip("image", -1000, 1000), Scale("image", 0, 500)),
        LabelTable(tuple(Label(number, f"part {number}") for number in range(1, classes))), (), overlap=0.25,
    )  # fmt: skip
    write_bundle(folder, card, [state_for(spec, build(spec))])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--memory", type=int)
    asked = parser.parse_args()
    shape, classes = ((256, 256, 300), 15) if asked.small else ((512, 512, 600), 118)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "wide"
        bundle(folder, classes)
        words = [str(folder), json.dumps(shape), json.dumps(asked.memory)]
        done = subprocess.run(
            [sys.executable, "-c", CODE, *words], check=True, capture_output=True, text=True
        )
    seen = json.loads(done.stdout)
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{shape}, {classes} classes, {seen['labels']} of them found")
    print(
        f"predicted {seen['bytes.predicted'] / 1e9:.2f} GB, held at most {seen['bytes.peak'] / 1e9:.2f} GB (aim {LIMIT / 1e9:.0f})"
    )
    parts = ("start", "resample", "network", "decide", "all")
    print(", ".join(f"{part} {seen[f'seconds.{part}']:.0f} s" for part in parts))


if __name__ == "__main__":
    main()
