"""From a voice sample to a quality-checked embedding."""
