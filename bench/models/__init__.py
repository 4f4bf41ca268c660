"""Which network? A model component to an `nn.Module`; and the user's own code of any component.

    create             a model component to its network
    dense, convolutional, resnets
                       the built-in networks
    layers             layers and initialisation that they share
    inputs             preprocessing as the first part of a network
    timm_models        any timm model, for small images
    check_fit          whether a model works on images of a shape, asked before anything is trained
    count_operations   kernels, parameters and operations of a network
    implementations    a component's implementation, called with its parameters
    user_code          the files that user code is made of, for keys; without torch
    user_model         user code, unpacked, imported and run
    signature          where a user's factory takes a float, told from its text

This file imports nothing: `bench.models.user_code`, which trials' keys are made with, must answer without torch.
"""
