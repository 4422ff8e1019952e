"""The bench: one set of data under every similarity, normalisation and dimension; maps, saliency and fusion."""
