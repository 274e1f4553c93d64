"""Networks from a frozen NetworkSpec: a closed list of architectures, built by MONAI when asked for."""

from medseg.networks.build import build, load_state, state_for, tensors_of

__all__ = ["build", "load_state", "state_for", "tensors_of"]
