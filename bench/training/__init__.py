"""How is one trial trained on one device? Loop, optimizers, schedules, regularizers, augmentations, losses."""
