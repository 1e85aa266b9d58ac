"""The contract between symbols and numbers: averages, equation shapes, provenance."""
