"""What ran when, and where: from a record or from a running engine, to a trace that Perfetto shows."""
