"""PET: SUV statistics, MTV and TLG on native voxels."""
