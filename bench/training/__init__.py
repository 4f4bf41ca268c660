"""How is one trial trained, on one device or by several processes? Knows nothing of Ray and of files.

train_trial        a trial from its configuration to its test metrics
fit                the training loop: train an epoch, validate, decide, checkpoint
optimizer_factory, lr_schedules, loss_functions, step_functions, regularization, preprocessors
                   a configuration's components as PyTorch objects
augment, random_ops, auto_augment, mixing
                   augmentation of whole batches on their device
best_checkpoint    averaged weights, best weights, early stopping
evaluation         logits and metrics of an epoch
distributed        several processes that train one trial
checkpoint         a training between two epochs as plain values
random_streams     one seed, several independent streams
preflight          whether configurations can be trained, asked before anything starts
flops              floating-point operations of a trial
runtime            settings, device, versions and memory of the process
"""
