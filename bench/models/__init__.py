"""Which network? A model entry of the configuration to an `nn.Module`.

This file imports nothing: `bench.models.user_model.source` must answer without torch.
"""
