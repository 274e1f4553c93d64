"""One channel of a case as an Image."""

from dataclasses import replace

from medseg.domain import Image, ReadOptions
from medseg.domain.case import ChannelFile
from medseg.io.datasets.pairs import COLOURS
from medseg.io.read import inspect, read

__all__ = ["read_channel"]


def read_channel(file: ChannelFile, options: ReadOptions | None = None) -> Image:
    """Read the volume that a ChannelFile names, under its channel's name.

    A picture whose colour planes are equal holds one volume, which stands for each of its channels.

    Raises
    ------
    InputError
        If the file can't be read or has no such volume.
    """
    options = options or ReadOptions()
    is_grey = file.volume in COLOURS and len(inspect(file.path)) == 1
    if file.volume is not None and not is_grey:
        options = replace(options, volume=file.volume)
    if file.series is not None:
        options = replace(options, series=file.series)
    return replace(read(file.path, options=options), channel=file.channel)
