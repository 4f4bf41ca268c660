"""What can trained networks be used for? Saved weights as a module, as files without bench, for images of any source.

Files in reading order::

    classifier.py      a trial's network as a torch module: `bench.load_model`
    input_images.py    image files and arrays of any source as a network's input
    network_files.py   a folder that works without bench: program, weights, configuration, `load.py`, ONNX
    measure_latency.py seconds per batch on this machine
"""
