"""Batch verification of folders: validate, read once, score, report; resumable at any moment.

``inventory`` lists the files, ``embed`` reads them into ``cache``, ``journal`` remembers how far the job is,
``score`` turns embeddings into ``rows``, ``results``, ``summary`` and ``report`` write them down, and ``run``
is the way through all of these.
"""
