"""Every signal of any PyTorch network's recurrent layers, while it runs as usual."""
