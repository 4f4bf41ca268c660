"""Which network? A model component to an `nn.Module`.

create             a model component to its network, and whether that works on images of a shape
mlp_and_cnn, resnets
                   the built-in networks
layers             layers and initialisation that they share; preprocessing as the first part of a network
timm_models        any timm model, for small images
count_operations   kernels, parameters and operations of a network
"""
