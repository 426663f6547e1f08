"""The vocabulary, the market model, the ports and their adapters, shared by every other room."""
