"""Training: configuration, plan, cache, patches, Lightning's loop, folds, and the bundle at the end."""

from medseg.training.assemble import assemble_bundle
from medseg.training.config import PhantomConfig, TrainConfig, dump_config, load_config
from medseg.training.train import open_data, train

__all__ = [
    "PhantomConfig",
    "TrainConfig",
    "assemble_bundle",
    "dump_config",
    "load_config",
    "open_data",
    "train",
]
