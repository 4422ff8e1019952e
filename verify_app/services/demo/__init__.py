"""The demonstration: bundled people who do not exist are enrolled, verified and searched in a folder that vanishes."""
