"""One window's work: what is open, and who is told when it changes."""

from collections.abc import Iterator
from uuid import uuid4

from psygnal import Signal, SignalGroup

from medseg.domain import Image, Segmentation
from medseg.errors import InputError
from medseg.geometry import same_grid
from napari_medseg.workspace.mask import EditedMask

__all__ = ["Session", "SessionEvents"]


class SessionEvents(SignalGroup):
    """What happened; each tells the uid it happened to."""

    image_added = Signal(str)
    image_removed = Signal(str)
    mask_added = Signal(str)
    mask_changed = Signal(str)
    mask_removed = Signal(str)


class Session:
    """Images and masks of one window by uid, in the order in which they came.

    Panels and layers are views of it: they change it by its methods and follow its events. It knows neither.
    """

    def __init__(self) -> None:
        self.events = SessionEvents()
        self._images: dict[str, Image] = {}
        self._masks: dict[str, EditedMask] = {}

    @property
    def images(self) -> dict[str, Image]:
        """Images by uid; a copy."""
        return dict(self._images)

    @property
    def masks(self) -> dict[str, EditedMask]:
        """Masks by uid; a copy."""
        return dict(self._masks)

    def add_image(self, image: Image) -> str:
        """Take in an image; its uid. The same image again keeps the uid it has."""
        for uid, known in self._images.items():
            if known is image:
                return uid
        uid = uuid4().hex
        self._images[uid] = image
        self.events.image_added.emit(uid)
        return uid

    def add_mask(self, segmentation: Segmentation, *, image: str | None = None) -> EditedMask:
        """Take in a mask, of the image `image`, else of the one image on its grid that is open."""
        uid = uuid4().hex
        on_grid = image or next(self._on_grid_of(segmentation), None)
        self._masks[uid] = EditedMask(uid, segmentation, on_grid)
        self.events.mask_added.emit(uid)
        return self._masks[uid]

    def mask(self, uid: str) -> EditedMask:
        """The mask with this uid.

        Raises
        ------
        InputError
            If it is not open any more.
        """
        try:
            return self._masks[uid]
        except KeyError:
            raise InputError("this mask is not open any more; open or make it again") from None

    def remove(self, uid: str) -> None:
        """Forget an image or a mask; what is not there is no fault, since layers may be closed in any order."""
        if self._images.pop(uid, None) is not None:
            self.events.image_removed.emit(uid)
        if self._masks.pop(uid, None) is not None:
            self.events.mask_removed.emit(uid)

    def _on_grid_of(self, segmentation: Segmentation) -> Iterator[str]:
        return (uid for uid, image in self._images.items() if same_grid(image.grid, segmentation.grid))
