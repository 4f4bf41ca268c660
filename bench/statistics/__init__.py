"""What may be claimed? Arrays in, numbers out.

Files in reading order::

    intervals.py            of a proportion over images (Wilson) and of a mean over seeds
    seed_noise.py           variance between seeds, moderated over configurations
    means.py                mean accuracies with their variance over seeds and images
    contrasts.py            differences and weighted sums of means
    factor_effects.py       main effects and interactions of axes
    best_set.py             which configurations may be the best
    paired_tests.py         McNemar's and Tango's tests of two configurations
    per_class.py            precision, recall and F1 of each class, confusion matrix, labels that may be wrong
    reliability.py          bins of a reliability diagram
    temperature_scaling.py  ensembles and temperatures from stored probabilities
    tuning_effect.py        best settings, expected best of n trials
    parameter_importance.py  what the parameters of a search explain
    time_to_accuracy.py     epochs and seconds to a target
    power_law.py            error by the number of training images
    corruption_error.py     mean errors on corrupted images
    versus_published.py     agreement with published results
"""
