"""Which network? A model entry of the configuration to an `nn.Module`.

This file imports nothing: `bench.models.sources`, which trials' keys are made with, must answer without torch.
"""
