"""FreeSurfer's volumes: `.mgz` and `.mgh`."""

from medseg.io.freesurfer.format import READER

__all__ = ["READER"]
