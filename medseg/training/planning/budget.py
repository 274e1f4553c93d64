"""What a training may cost: the machine that it is planned for."""

from dataclasses import dataclass

__all__ = ["BUDGETS", "Budget"]

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Budget:
    """A kind of machine.

    Parameters
    ----------
    name
        As it is asked for.
    words
        For people.
    device
        Where the network trains.
    memory_bytes
        That the training may take at most: of the process on a CPU, of the card on a GPU.
    minutes
        That a fold may take at most.
    patch_voxels, case_voxels
        Largest patch, and largest median case on the model's grid, by the network's dimensions (2, 3). On a laptop a
        patch holds nearly half a case: with so few steps and features, context is worth more than detail.
    filters
        Features at the finest level, and the most of any level.
    most_steps
        Steps that a fold has where time allows.
    """

    name: str
    words: str
    device: str
    memory_bytes: int
    minutes: int
    patch_voxels: dict[int, int]
    case_voxels: dict[int, int]
    filters: tuple[int, int]
    most_steps: int


#: Sizes follow what fits at these memories with float16 activations; `probe` measures before anything is promised.
BUDGETS = {
    item.name: item
    for item in (
        Budget(
            "laptop",
            "a laptop without a GPU: 6 GB of memory, 45 minutes a fold",
            "cpu",
            6 * _GIB,
            45,
            {2: 256 * 256, 3: 160_000},
            {2: 512 * 512, 3: 350_000},
            (12, 192),
            3000,
        ),
        Budget(
            "8GB",
            "a GPU of 8 GB, 12 hours a fold",
            "cuda",
            7 * _GIB,
            720,
            {2: 512 * 512, 3: 96**3},
            {2: 2048 * 2048, 3: 30_000_000},
            (24, 320),
            20_000,
        ),
        Budget(
            "24GB",
            "a GPU of 24 GB, a day a fold",
            "cuda",
            22 * _GIB,
            1440,
            {2: 1024 * 1024, 3: 128**3},
            {2: 4096 * 4096, 3: 120_000_000},
            (32, 320),
            50_000,
        ),
        Budget(
            "80GB",
            "a GPU of 80 GB, two days a fold",
            "cuda",
            75 * _GIB,
            2880,
            {2: 2048 * 2048, 3: 192**3},
            {2: 8192 * 8192, 3: 500_000_000},
            (32, 320),
            100_000,
        ),
    )
}
