"""The training engine: loop, checkpoints, history, optimizers, devices. It knows no objective."""
