"""Networks from a frozen NetworkSpec: a closed list of architectures, of plain torch modules."""

from medseg.networks.build import build, encoder_names, load_state, state_for, tensors_of

__all__ = ["build", "encoder_names", "load_state", "state_for", "tensors_of"]
