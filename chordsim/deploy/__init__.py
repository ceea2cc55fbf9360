"""The same apps on a real Flower SuperLink and SuperNodes: keys, processes, a run, and the bytes that Flower counted."""
