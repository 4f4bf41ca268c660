"""Results class by class and image by image, from the predictions that records hold.

`details`
    Precision, recall, F1, confusion and calibration of a configuration.
`misclassified`
    Misclassified images, possible label errors, and the sprite that holds the images.
`build_details`
    Which configurations of a comparison get details, and both computed for these.
`class_tables`
    The tables of a configuration, and the data that the page's script compares them by.
"""
