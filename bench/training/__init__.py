"""How is one trial trained, on one device or by several processes? Knows nothing of Ray and of files.

train_trial        a trial from its configuration to its test metrics
network            its network: built, written to a file of weights, and read from one
fit                the training loop: train an epoch, validate, decide, checkpoint
optimizer_factory, lr_schedules, objective, step_functions, preprocessors
                   a configuration's components as PyTorch objects
muon               timm's Muon with a type for its products
augment, auto_augment
                   augmentation of whole batches on their device
epoch_progress     an epoch's metrics, as reported to the driver
evaluation         logits and metrics of an epoch
distributed        several processes that train one trial
checkpoint         averaged and best weights, early stopping, a training between two epochs as plain values
preflight          whether configurations can be trained, asked before anything starts
runtime            settings, random streams, device, versions and memory of the process
"""
