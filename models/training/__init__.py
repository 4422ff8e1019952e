"""PyTorch recipes for the shipped encoders. Needs torch; the application never imports this."""
