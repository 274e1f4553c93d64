"""What happens to a labels layer → its mask in the workspace, and back: both work in one memory.

A stroke comes by napari's public `paint` event, which tells box, changed voxels, old and new values. napari may send it
before it writes, so what is painted is worked out from the event, not read from the layer. Undo belongs to the
workspace: the keys of a layer that it knows take back the last change of the mask, whatever made it.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from app_model.types import KeyCode, KeyMod
from numpy.typing import NDArray

from medseg.errors import InputError
from napari_medseg.bridge.layers import dress
from napari_medseg.bridge.placement import Placement
from napari_medseg.workspace.mask import Change, EditedMask
from napari_medseg.workspace.patch import Box

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = ["LayerLink"]

_UNDO, _REDO = KeyMod.CtrlCmd | KeyCode.KeyZ, KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ
#: What napari's tools are called in a mask's history.
_TOOLS = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}
#: Of a change that came by no tool of the mouse.
_BY_PROGRAM = "program"


class LayerLink:
    """One labels layer and the mask that it shows.

    Parameters
    ----------
    layer
        Of three dimensions, or two of a single slice; its array becomes the mask's memory.
    mask
        With the same labels.
    place
        Where the layer's array lies on the mask's grid.
    """

    def __init__(self, layer: "Labels", mask: EditedMask, place: Placement) -> None:
        self.layer, self.mask, self.place = layer, mask, place
        self.fault = ""
        self._busy = False
        self._held: tuple[Box, NDArray[Any]] | None = None
        mask.show_in(self._native(_voxels(layer)))
        layer.events.paint.connect(self._painted)
        layer.events.labels_update.connect(self._drawn)
        layer.events.set_data.connect(self._drawn)  # what was painted in another plane
        layer.events.data.connect(self._replaced)
        layer.bind_key(_UNDO, self._undo, overwrite=True)
        layer.bind_key(_REDO, self._redo, overwrite=True)
        mask.changed.connect(self._changed)

    def cut(self) -> None:
        """Let go of each other."""
        self.layer.events.paint.disconnect(self._painted)
        self.layer.events.labels_update.disconnect(self._drawn)
        self.layer.events.set_data.disconnect(self._drawn)
        self.layer.events.data.disconnect(self._replaced)
        with suppress(ValueError):
            self.mask.changed.disconnect(self._changed)
        for keys in (_UNDO, _REDO):
            self.layer.bind_key(keys, None)

    def _native(self, shown: NDArray[Any]) -> NDArray[Any]:
        return self.place.restore(shown.reshape(self.place.shape))

    def _painted(self, event: Any) -> None:
        atoms = [_as_box(atom) for atom in event.value]
        box = _around(box for box, _, _ in atoms)
        labels = _voxels(self.layer)
        before = np.array(labels[box])
        for inner, old, _ in reversed(atoms):
            old(before[_within(inner, box)])
        after = before.copy()
        for inner, _, new in atoms:
            new(after[_within(inner, box)])
        flat = (1,) * (3 - before.ndim)
        native = self.place.restore_box((slice(0, 1),) * len(flat) + box)
        was, now = (self.place.restore(part.reshape(flat + part.shape)) for part in (before, after))
        if self.mask.stroke(native, was, now, tool=_TOOLS.get(str(self.layer.mode), _BY_PROGRAM)):
            self._held = native, self.mask.labels[native].copy()

    def _drawn(self, _event: Any = None) -> None:
        """Napari has written what it told of; what limits hold back goes again."""
        if self._held is not None:
            (box, allowed), self._held = self._held, None
            self.mask.labels[box] = allowed
            self.layer.refresh()

    def _replaced(self, _event: Any = None) -> None:
        """The layer got another array."""
        if self._busy or np.shares_memory(_voxels(self.layer), self.mask.labels):
            return
        try:
            self.mask.replaced(self._native(_voxels(self.layer)))
            self.fault = ""
        except (InputError, ValueError) as error:
            self.fault = f"layer {self.layer.name!r} shows another array, which is not this mask: {error}"

    def _changed(self, change: Change) -> None:
        """The mask was changed here: the layer shows it."""
        if not np.shares_memory(_voxels(self.layer), self.mask.labels):
            self._busy = True
            try:
                self.layer.data = self.place.show(self.mask.labels).reshape(self.layer.data.shape)
            finally:
                self._busy = False
        if change.has_names:
            dress(self.layer, self.mask.table)
        if change.way != "stroke" or change.held_back:
            self.layer.refresh()

    def _undo(self, _layer: Any = None) -> None:
        """Take back the last change of this mask."""
        self.mask.undo()

    def _redo(self, _layer: Any = None) -> None:
        """Make the change again that was taken back last."""
        self.mask.redo()


def _voxels(layer: "Labels") -> Any:
    """The array of a layer, of several levels the finest."""
    return layer.data[0] if layer.multiscale else layer.data


def _as_box(atom: Any) -> tuple[tuple[slice, ...], Any, Any]:
    """Box of a part of a stroke, and what sets its old and its new values in an array of that box."""
    if hasattr(atom, "slice_key"):
        mask = ... if atom.mask is None else atom.mask
        return (
            tuple(atom.slice_key),
            lambda part: part.__setitem__(mask, atom.old_values),
            lambda part: part.__setitem__(mask, atom.new_value),
        )
    indices, old, new = atom
    places = [np.asarray(axis) for axis in indices]
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in places)
    inner = tuple(axis - side.start for axis, side in zip(places, box, strict=True))
    return box, lambda part: part.__setitem__(inner, old), lambda part: part.__setitem__(inner, new)


def _around(boxes: Iterable[tuple[slice, ...]]) -> tuple[slice, ...]:
    sides = list(zip(*boxes, strict=True))
    return tuple(slice(min(part.start for part in axis), max(part.stop for part in axis)) for axis in sides)


def _within(inner: tuple[slice, ...], box: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(part.start - side.start, part.stop - side.start) for part, side in zip(inner, box, strict=True)
    )
