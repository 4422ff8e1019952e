"""From a file or a device to samples."""
