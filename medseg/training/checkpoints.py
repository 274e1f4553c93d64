"""Checkpoints on disk: written beside and renamed on one disk, and the newest that is whole is taken."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from medseg.io.atomic import staged_file

__all__ = ["WholeCheckpoints", "newest_whole", "step_of"]


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its name, flushes it, and renames it: power that fails leaves the one before."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ARG002 - Lightning's signature
    ) -> None:
        """Write one checkpoint, whole or not at all."""
        path = Path(path)
        with staged_file(path, force=True) as staged, staged.open("wb") as stream:
            torch.save(checkpoint, stream)


def newest_whole(folder: Path) -> tuple[Path | None, tuple[Path, ...]]:
    """(the checkpoint with the most steps that can be read, newer ones that can't); None where there is none."""
    damaged: list[Path] = []
    for path in sorted(folder.glob("checkpoints/step=*.ckpt"), key=step_of, reverse=True):
        if _is_whole(path):
            return path, tuple(damaged)
        damaged.append(path)
    return None, tuple(damaged)


def step_of(checkpoint: Path) -> int:
    """How many steps a checkpoint has behind it; −1 of a name that does not say it."""
    text = checkpoint.stem.partition("=")[2]
    return int(text) if text.isdecimal() else -1


def _is_whole(path: Path) -> bool:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - a cut file fails anywhere inside torch and zip
        return False
    return isinstance(found, dict) and {"state_dict", "optimizer_states", "global_step"} <= found.keys()
