"""From a face sample to a quality-checked embedding."""
