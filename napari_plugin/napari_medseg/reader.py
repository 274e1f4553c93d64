"""Reader: every format that medseg reads, as image layers in the order, scale and units of the patient."""

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_info

from medseg.domain import Image
from medseg.errors import InputError
from medseg.workflows import info, is_mask, read, read_segmentation
from napari_medseg.bridge.layers import LayerData, image_layer, labels_layer, oblique_note
from napari_medseg.bridge.opened import watch_window
from napari_medseg.bridge.placement import kept_value

__all__ = ["get_reader"]

#: A file with more volumes than this is not opened as a whole; one is picked in the Open tab.
MAX_VOLUMES = 6


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Return the reading function when medseg knows this path, else None."""
    first = path[0] if isinstance(path, list) else path
    try:
        found = info(first, check=False)
    except InputError:
        return None
    return read_layers if found.kind == "images" and found.sources else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Layers of one path or several; a mask with a sidecar becomes a labels layer.

    Of an image that is not shown as it lies in the patient the user is told.
    """
    watch_window()
    paths = path if isinstance(path, list) else [path]
    layers = [layer for item in paths for layer in _layers(Path(item))]
    for _, meta, _ in layers:
        kept = kept_value(meta)
        if isinstance(kept, Image) and (note := oblique_note(kept)):
            show_info(f"{meta['name']}: {note}")
    return layers


def _layers(path: Path) -> list[LayerData]:
    stem = path.name.split(".", maxsplit=1)[0]
    if is_mask(path):
        return [labels_layer(read_segmentation(path), stem)]
    sources = [source for source in info(path, check=False).sources if source.grid is not None]
    if len(sources) <= 1:
        return [image_layer(read(path), stem)]
    if len(sources) > MAX_VOLUMES:
        raise InputError(
            f"{path.name} holds {len(sources)} volumes; open it by the Open tab of medseg, which lists them and has a "
            "slider for a series"
        )
    return [
        image_layer(
            read(path, series=source.series_uid, volume=source.volume),
            f"{stem} {source.volume or source.description}",
        )
        for source in sources
    ]
