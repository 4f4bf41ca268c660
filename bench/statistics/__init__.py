"""What may be claimed? Intervals over seeds and images, and figures per class; arrays in, numbers out."""
