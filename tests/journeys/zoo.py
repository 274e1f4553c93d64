"""Bundles of MONAI's Model Zoo with random weights, and what MONAI itself makes of an image with them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

__all__ = ["CORONAL", "OBLIQUE", "THICK", "made_bundle", "monais_labels", "scan"]

#: Changes the configuration of inference, and the metadata.
Change = Callable[[dict[str, Any], dict[str, Any]], None]


def turned(angle: float) -> np.ndarray:
    """About an axis that is none of the body's."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def affine_of(axes: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = (-31.5, 12.25, 7.0)
    return affine


#: Leaning by 20 degrees, left to right, thick slices.
OBLIQUE = affine_of(turned(0.35) @ np.diag([-1.0, -1.0, 1.0]), (0.85, 0.9, 2.6))
#: Slices from front to back, the head first: axes R, I, P.
CORONAL = affine_of(np.array([[1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]]), (1.0, 1.2, 3.0))
#: Axes L, P, S; spacings that halve or double those of the models.
THICK = affine_of(np.diag([-1.0, -1.0, 1.0]), (0.75, 0.75, 4.0))


def scan(
    path: Path, shape: tuple[int, ...], affine: np.ndarray, *, seed: int = 0, low: float = -250.0
) -> Path:
    """A synthetic image: smooth structures of a few millimetres, as NIfTI."""
    import nibabel as nib
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=shape)
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    smooth = gaussian_filter(noise, 5.0 / steps)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    values = (low + 500 * smooth).astype(np.float32)
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    nib.save(image, path)
    return path


def made_bundle(
    source: Path, folder: Path, change: Change, *, weights: str = "models/model.pt", seed: int = 5
) -> Path:
    """A bundle with the configuration of `source`, changed, and random weights of its own network."""
    import torch

    (folder / "configs").mkdir(parents=True)
    path = next((source / "configs").glob("inference.*"))
    is_json = path.suffix == ".json"
    config = json.loads(path.read_text()) if is_json else yaml.safe_load(path.read_text())
    metadata = json.loads((source / "configs" / "metadata.json").read_text())
    change(config, metadata)
    text = json.dumps(config, indent=1) if is_json else yaml.safe_dump(config, sort_keys=False)
    (folder / "configs" / path.name).write_text(text)
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    network = _parser(folder).get_parsed_content("network_def")
    _draw(network, seed)
    target = folder / weights
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), target)
    return folder


def _draw(network: Any, seed: int) -> None:
    """Weights as they are drawn, statistics and norms shaken; the head so steep that few voxels are ties."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator)
                if name.endswith("running_var"):
                    value.copy_(1 + 0.2 * drawn.abs())
                elif value.dim() > 1:
                    value.copy_(1.4 * drawn / max(1, value[0].numel()) ** 0.5)
                elif name.endswith("weight"):
                    value.copy_(1 + 0.2 * drawn)
                else:
                    value.copy_(0.2 * drawn)


def _parser(folder: Path) -> Any:
    from monai.bundle.config_parser import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(next((folder / "configs").glob("inference.*"))))
    parser["bundle_root"] = str(folder)
    parser["device"] = "$torch.device('cpu')"
    if isinstance(chain := parser.get("postprocessing"), dict):
        chain["transforms"] = [
            item for item in chain["transforms"] if "SaveImage" not in str(item["_target_"])
        ]
        parser["postprocessing"] = chain
    for item in (
        parser.get("preprocessing")["transforms"] if isinstance(parser.get("preprocessing"), dict) else []
    ):
        if isinstance(item, dict):
            item.pop("reader", None)  # ITK's gives the same voxels, and is not installed
    # Code of the bundle's own is not there.
    parser["imports"] = [
        text for text in parser.get("imports") or [] if "scripts" not in text and "pandas" not in text
    ]
    return parser


def monais_labels(folder: Path, images: Path | list[Path], *, weights: str = "models/model.pt") -> np.ndarray:
    """(I, J, K) of MONAI's own reader, transforms, network, inferer and inverse, each from the configuration."""
    import torch

    parser = _parser(folder)
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(folder / weights, weights_only=True))
    given = [str(path) for path in images] if isinstance(images, list) else str(images)
    with torch.no_grad():
        data: Mapping[str, Any] = parser.get_parsed_content("preprocessing")({"image": given})
        outputs = parser.get_parsed_content("inferer")(data["image"][None].float(), network)
        data = parser.get_parsed_content("postprocessing")({**data, "pred": outputs[0]})
    found: np.ndarray = np.asarray(data["pred"])
    return found[0] if found.ndim == 4 else found
