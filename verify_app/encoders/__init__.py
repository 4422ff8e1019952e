"""Model manifest, embedding contracts and ONNX sessions."""
