"""How the quality scores and the check for several speakers are fitted and measured."""
