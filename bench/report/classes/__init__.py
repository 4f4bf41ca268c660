"""Results class by class and image by image, from the predictions that records hold.

`details`
    Precision, recall, F1, confusion and calibration of a configuration.
`gallery`
    Misclassified images, possible label errors, and the sprite that holds the images.
`build_details`
    Which configurations of a comparison get details, and both computed for these.
`class_report`
    The tables and matrices of a configuration as the page displays them, and the data its script compares them by.
"""
