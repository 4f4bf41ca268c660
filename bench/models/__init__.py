"""Which network? A model component to an `nn.Module`.

create             a model component to its network
dense, convolutional, resnets
                   the built-in networks
layers             layers and initialisation that they share
inputs             preprocessing as the first part of a network
timm_models        any timm model, for small images
check_fit          whether a model works on images of a shape, asked before anything is trained
count_operations   kernels, parameters and operations of a network
"""
