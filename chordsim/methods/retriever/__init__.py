"""The room of `retriever`."""
