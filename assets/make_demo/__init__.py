"""How the demo people are made. Not packed; see README.md beside this file."""
