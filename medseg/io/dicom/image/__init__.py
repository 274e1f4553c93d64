"""Images: headers to series, series to volumes, volumes to voxels with a unit."""
