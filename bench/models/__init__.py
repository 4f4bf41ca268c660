"""Which network? A model entry of the configuration to an `nn.Module`.

This file imports nothing: `bench.models.user_code`, which trials' keys are made with, must answer without torch.
"""
