"""Shipped networks and the recipes that train them; the application only reads the files."""
