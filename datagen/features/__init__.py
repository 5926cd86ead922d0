"""Feature extractors: pictures in, vectors out; each module holds one class `Features`."""
