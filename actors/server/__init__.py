"""The control API: HTTP on a Unix socket and on loopback, for every other program and person.

It is a face like the others: it knows the embedding API alone, sends no message of its own and
decides nothing about work. What it does decide is who may ask, and how much at once.
"""
