"""Work that can be cut into payloads, and the executors that run it."""
