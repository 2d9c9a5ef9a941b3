"""Papers that this book reproduces, a folder each."""
