"""Training steps on fake CUDA tensors, on a machine without a GPU."""
