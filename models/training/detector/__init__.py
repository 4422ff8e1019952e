"""Recipe of the face detector: data, network, training, export, evaluation."""
